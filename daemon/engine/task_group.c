/*
 * task_group: asyncio.TaskGroup, with the accounting of Python 3.13.
 *
 * The owner stands at the end of the block from the start, since a group here has branches and no
 * body. The first failure cancels the other branches, and the owner too, so that it wakes up; that
 * cancel of its own is taken back at the end.
 */
#include "daemon/engine/join.h"

#include <stdio.h>

static void abort_branches(struct engine *e, struct job *j, struct join_run *jr)
{
	jr->sched.obj.flags |= JOIN_ABORTING;
	(void)join_cancel_branches(e, j, jr, VALUE_NULL);
}

static void keep_error(struct engine *e, struct join_run *jr, struct value exc)
{
	if (value_is_none(jr->errors))
		jr->errors = value_list_new(&e->heap, 1);
	jr->errors = value_list_append(&e->heap, jr->errors, value_retain(exc));
}

void task_group_child_done(struct engine *e, struct job *j, struct join_run *jr, uint32_t index,
                           struct task *t)
{
	jr->done++;
	join_set_ended(jr, index);
	if (jr->done == jr->expected)
		join_wake_owner(jr);
	if ((t->sched.obj.flags & (TASK_FAILED | TASK_CANCELLED)) == TASK_FAILED) {
		keep_error(e, jr, t->result);
		if (jr->owner != NULL &&
		    !(jr->sched.obj.flags & (JOIN_ABORTING | JOIN_OWNER_CANCEL))) {
			abort_branches(e, j, jr);
			jr->sched.obj.flags |= JOIN_OWNER_CANCEL;
			(void)task_cancel(e, j, jr->owner, VALUE_NULL);
		}
	}
}

/* {type, message, path, data: {exceptions}} */
static struct value group_exception(struct running *r, struct join_run *jr)
{
	uint32_t     count = value_list(jr->errors)->count;
	struct value data = value_dict_new(&r->e->heap, 1), exc;
	char         message[80];
	int          bytes;

	bytes = snprintf(message, sizeof message,
	                 "unhandled errors in a TaskGroup (%u sub-exception%s)", count,
	                 count == 1 ? "" : "s");
	exc = exception_new(r->e, r->j, r->t, "ExceptionGroup", message, (size_t)bytes);
	data = member_put(r->e, data, MEMBER_EXCEPTIONS, value_retain(jr->errors));
	return member_put(r->e, exc, MEMBER_DATA, data);
}

/* The results of the branches, or the CancelledError of one that was cancelled on its own: that is
 * no failure to the group, but its result is asked for. */
static enum step take_results(struct running *r, const struct op *op, struct join_run *jr)
{
	for (uint32_t i = 0; i < jr->count; i++) {
		struct task *t = join_task(jr, i);

		if (t->sched.obj.flags & TASK_FAILED)
			return raise_value(r, value_retain(t->result));
		value_list(jr->slots)->at[i] = value_retain(t->result);
		sched_release(r->e, &t->sched);
	}
	slot_set(r, op->dst, join_results(r, jr));
	return STEP_NEXT;
}

/* All branches have ended. */
static enum step finish(struct running *r, const struct op *op, struct join_run *jr)
{
	bool         is_own = (jr->sched.obj.flags & JOIN_OWNER_CANCEL) != 0;
	bool         is_own_only = is_own && task_uncancel(r->t) == 0;
	struct value exc = VALUE_NONE;
	enum step    step;

	if (!value_is_none(jr->errors)) {
		if (task_cancels(r->t) > 0) {
			/* A cancel from outside is still to be met: at the next suspension. */
			(void)task_uncancel(r->t);
			(void)task_cancel(r->e, r->j, r->t, VALUE_NULL);
		}
		exc = group_exception(r, jr);
	} else if (!is_own_only) {
		exc = jr->outcome;
		jr->outcome = VALUE_NONE;
	}
	step = value_is_none(exc) ? take_results(r, op, jr) : raise_value(r, exc);
	join_leave(r, jr);
	return step;
}

enum step task_group_resume(struct running *r, const struct op *op, struct join_run *jr,
                            struct value exc)
{
	if (!value_is_none(exc) && !(jr->sched.obj.flags & JOIN_ABORTING)) {
		jr->outcome = exc;
		abort_branches(r->e, r->j, jr);
	} else {
		value_release(&r->e->heap, exc);
	}
	if (jr->done < jr->expected) {
		r->t->sched.obj.state = TASK_JOINING;
		return STEP_WAIT;
	}
	return finish(r, op, jr);
}
