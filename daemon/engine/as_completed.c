#include "daemon/engine/coro.h"

static void wake_consumer(struct job *j, struct join_run *jr)
{
	if (jr->owner != NULL && jr->owner->sched.obj.state == TASK_JOINING) {
		jr->owner->sched.obj.state = TASK_READY;
		ready_push(j, &jr->owner->sched);
	}
}

void join_timed_out(struct engine *e, struct job *j, struct join_run *jr)
{
	(void)e;
	jr->sched.obj.flags &= (uint8_t)~JOIN_TIMEOUT_ARMED;
	if (jr->done == jr->expected)
		return;
	jr->sched.obj.flags |= JOIN_TIMED_OUT;
	wake_consumer(j, jr);
}

void join_child_done(struct engine *e, struct job *j, struct join_run *jr, uint32_t index,
                     struct task *t)
{
	if (jr->sched.obj.flags & JOIN_TIMED_OUT)
		return;
	jr->done++;
	if (jr->spec->kind == JOIN_GATHER) {
		gather_child_done(e, j, jr, index, t);
		return;
	}
	jr->finished[jr->finished_count++] = index;
	if (jr->done == jr->expected && (jr->sched.obj.flags & JOIN_TIMEOUT_ARMED)) {
		timer_heap_disarm(&e->timers, &jr->sched.at.timer);
		jr->sched.obj.flags &= (uint8_t)~JOIN_TIMEOUT_ARMED;
	}
	wake_consumer(j, jr);
}

/* {name, result} or {index, result} of a finished branch; raises its exception. */
static enum step take_completion(struct running *r, const struct op *op, struct join_run *jr)
{
	struct value_heap *h = &r->e->heap;
	uint32_t           index = jr->finished[jr->finished_taken++];
	struct value       handle = value_list(jr->slots)->at[index];
	struct task       *t = task_of(handle);
	struct value       out;

	value_list(jr->slots)->at[index] = VALUE_NULL;
	if (t->sched.obj.flags & TASK_FAILED) {
		(void)raise_value(r, value_retain(t->result));
		value_release(h, handle);
		return STEP_RAISED;
	}
	out = value_dict_new(h, 2);
	if (jr->spec->flags & JOIN_OBJECT)
		out = value_dict_put(
			h, out, value_text_new(h, "name", 4),
			value_retain(join_branch(r->j->program, jr->spec, index)->name));
	else
		out = value_dict_put(h, out, value_text_new(h, "index", 5), value_int(h, index));
	out = value_dict_put(h, out, value_text_new(h, "result", 6), value_retain(t->result));
	value_release(h, handle);
	slot_set(r, op->dst, out);
	return STEP_NEXT;
}

enum step op_join_next(struct running *r, const struct op *op)
{
	struct join_run *jr = (struct join_run *)(void *)value_obj(r->t->top->slots[op->b]);

	if (r->t->waiting_on != NULL) {
		r->t->waiting_on = NULL;
		jr->owner = NULL;
		sched_release(r->e, &jr->sched); /* the slot keeps it */
	}
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
	jr->owner = r->t;
	jr->sched.obj.refs++;
	r->t->waiting_on = &jr->sched;
	r->t->sched.obj.state = TASK_JOINING;
	return STEP_WAIT;
}
