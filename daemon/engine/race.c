/* race: the first branch to end wins; the others are cancelled and their clean-up awaited. */
#include "daemon/engine/join.h"
#include "daemon/engine/ops.h"

/* Whether the end of this branch decides the race. */
static bool is_decisive(const struct join_run *jr, const struct task *t)
{
	return !(jr->spec->flags & JOIN_UNTIL_SUCCESS) || !(t->sched.obj.flags & TASK_FAILED) ||
	       jr->done == jr->expected;
}

void race_child_done(struct join_run *jr, uint32_t index, struct task *t)
{
	if (!(jr->sched.obj.flags & JOIN_ABORTING)) {
		jr->done++;
		join_set_ended(jr, index);
		jr->finished[jr->finished_count++] = index;
		if (is_decisive(jr, t))
			join_wake_owner(jr);
		return;
	}
	if (join_has_ended(jr, index))
		return; /* it had ended when the losers were counted */
	join_set_ended(jr, index);
	if (--jr->losers == 0)
		join_wake_owner(jr);
}

/* asyncio.wait() for the losers comes behind whoever listens to a task already. */
static bool listen_anew(struct running *r, struct join_run *jr, uint32_t index)
{
	waiter_remove(r->e, jr->waiters[index]);
	jr->waiters[index] = waiter_add(r->e, r->j, join_task(jr, index), NULL, jr, index);
	return jr->waiters[index] != NULL;
}

/* Cancels who has not ended, each once; false when there is none. */
static bool cancel_losers(struct running *r, struct join_run *jr)
{
	jr->sched.obj.flags |= JOIN_ABORTING;
	for (uint32_t i = 0; i < jr->count; i++) {
		struct task *t = join_task(jr, i);

		if (join_has_ended(jr, i))
			continue;
		if (t->sched.obj.state == TASK_DONE) {
			join_set_ended(jr, i); /* its callback is still to come */
			continue;
		}
		if (!(t->sched.obj.flags & TASK_OF_JOIN) && !listen_anew(r, jr, i))
			return false;
		jr->losers++;
		(void)task_cancel(r->e, r->j, t, VALUE_NULL);
	}
	return jr->losers > 0;
}

/* The branch that won; where only a success wins, the last that failed otherwise. */
static uint32_t winner(const struct join_run *jr)
{
	if (!(jr->spec->flags & JOIN_UNTIL_SUCCESS))
		return jr->finished[0];
	for (uint32_t i = 0; i < jr->finished_count; i++)
		if (!(join_task(jr, jr->finished[i])->sched.obj.flags & TASK_FAILED))
			return jr->finished[i];
	return jr->finished[jr->finished_count - 1];
}

static enum step finish(struct running *r, const struct op *op, struct join_run *jr)
{
	struct value result = VALUE_NONE, exc = jr->outcome;
	enum step    step = STEP_NEXT;

	jr->outcome = VALUE_NONE;
	if (!value_is_none(exc)) {
		step = raise_value(r, exc);
	} else {
		uint32_t index = winner(jr);

		step = outcome_of(r, join_task(jr, index), &result);
		if (step == STEP_NEXT)
			slot_set(r, op->dst, join_completion(r, jr, index, result));
	}
	join_leave(r, jr);
	return step;
}

enum step race_resume(struct running *r, const struct op *op, struct join_run *jr, struct value exc)
{
	bool was_waiting = (jr->sched.obj.flags & JOIN_ABORTING) != 0;

	if (!value_is_none(exc)) {
		value_release(&r->e->heap, jr->outcome);
		jr->outcome = exc;
	}
	if (!was_waiting && cancel_losers(r, jr)) {
		r->t->sched.obj.state = TASK_JOINING;
		return STEP_WAIT;
	}
	return finish(r, op, jr);
}
