/* How a join hears of the ends of tasks that others made. */
#include "daemon/engine/join.h"

#include <stdlib.h>

bool join_listen_to(struct running *r, struct join_run *jr, uint32_t index)
{
	if (jr->waiters == NULL)
		jr->waiters = calloc(jr->count, sizeof(struct waiter *));
	if (jr->waiters == NULL) {
		r->e->heap.failed = true;
		return false;
	}
	jr->waiters[index] = waiter_add(r->e, r->j, join_task(jr, index), NULL, jr, index);
	return jr->waiters[index] != NULL;
}

/* A branch whose task has ended before the join began. */
struct ended {
	uint32_t when; /* the order of ends */
	uint32_t index;
};

static int by_end(const void *a, const void *b)
{
	const struct ended *x = a, *y = b;

	return (x->when > y->when) - (x->when < y->when);
}

/* What has ended already comes in the order in which it ended. */
static bool listen_to_ended(struct running *r, struct join_run *jr, struct ended *ended,
                            uint32_t count)
{
	qsort(ended, count, sizeof *ended, by_end);
	for (uint32_t i = 0; i < count; i++)
		if (!join_listen_to(r, jr, ended[i].index))
			return false;
	return true;
}

/* as_completed, race and wait listen to tasks only when all branches have begun, and to each once;
 * gather listens to each in its turn. It shows where a task has ended already. */
bool join_listen(struct running *r, struct join_run *jr)
{
	struct ended *ended;
	uint32_t      ended_count = 0;
	bool          is_ok = true;

	if (!(jr->sched.obj.flags & JOIN_HAS_TASKS) || jr->waiters != NULL)
		return true;
	ended = malloc(jr->count * sizeof *ended);
	if (ended == NULL) {
		r->e->heap.failed = true;
		return false;
	}
	for (uint32_t i = 0; i < jr->count && is_ok; i++) {
		struct task *t = join_task(jr, i);

		if (t->sched.obj.flags & TASK_OF_JOIN)
			continue;
		if (t->index == jr->serial) {
			jr->expected--;
			if (jr->ended != NULL)
				join_set_ended(jr, i);
			continue;
		}
		t->index = jr->serial;
		if (t->sched.obj.state == TASK_DONE)
			ended[ended_count++] = (struct ended){ t->frame.pc, i };
		else
			is_ok = join_listen_to(r, jr, i);
	}
	is_ok = is_ok && listen_to_ended(r, jr, ended, ended_count);
	free(ended);
	return is_ok;
}

void join_stop_listening(struct engine *e, struct join_run *jr)
{
	for (uint32_t i = 0; jr->waiters != NULL && i < jr->count; i++)
		if (jr->waiters[i] != NULL &&
		    value_is_type(value_list(jr->slots)->at[i], VALUE_T_TASK) &&
		    join_task(jr, i)->sched.obj.state != TASK_DONE)
			waiter_remove(e, jr->waiters[i]);
}
