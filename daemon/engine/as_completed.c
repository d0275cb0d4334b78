#include "daemon/engine/join.h"
#include "daemon/engine/ops.h"

void as_completed_child_done(struct engine *e, struct join_run *jr, uint32_t index)
{
	join_set_ended(jr, index);
	if (jr->sched.obj.flags & JOIN_TIMED_OUT)
		return;
	jr->done++;
	jr->finished[jr->finished_count++] = index;
	if (jr->done == jr->expected)
		join_disarm(e, jr);
	join_wake_owner(jr);
}

struct value join_completion(struct running *r, struct join_run *jr, uint32_t index,
                             struct value result)
{
	struct value out = value_dict_new(&r->e->heap, 2);

	if (jr->spec->flags & JOIN_OBJECT)
		out = member_put(r->e, out, MEMBER_NAME,
		                 value_retain(join_branch(r->j->program, jr->spec, index)->name));
	else
		out = member_put(r->e, out, MEMBER_INDEX, value_int(&r->e->heap, index));
	return member_put(r->e, out, MEMBER_RESULT, result);
}

/* The next completion; raises the exception of a branch that failed. */
static enum step take_completion(struct running *r, const struct op *op, struct join_run *jr)
{
	uint32_t     index = jr->finished[jr->finished_taken++];
	struct value handle = value_list(jr->slots)->at[index], result = VALUE_NONE;
	enum step    step = outcome_of(r, task_of(handle), &result);

	value_list(jr->slots)->at[index] = VALUE_NULL;
	value_release(&r->e->heap, handle);
	if (step == STEP_NEXT && op->kind == OP_JOIN_NEXT)
		result = join_completion(r, jr, index, result);
	if (step == STEP_NEXT)
		slot_set(r, op->dst, result);
	return step;
}

enum step op_join_next(struct running *r, const struct op *op)
{
	struct join_run *jr = (struct join_run *)(void *)value_obj(r->t->top->slots[op->b]);

	if (r->t->waiting_on != NULL)
		join_leave(r, jr); /* the slot keeps it */
	if (jr->finished_taken < jr->finished_count)
		return take_completion(r, op, jr);
	if (jr->finished_taken == jr->expected) {
		slot_set(r, op->b, VALUE_NONE);
		r->t->top->pc = op->a - 1;
		return STEP_NEXT;
	}
	if (jr->sched.obj.flags & JOIN_TIMED_OUT)
		return raise_text(r, "TimeoutError", "%u of %u branches were not done in time",
		                  jr->expected - jr->finished_taken, jr->expected);
	jr->sched.obj.refs++;
	return join_wait(r, jr);
}
