#include "daemon/engine/coro.h"

#include "daemon/engine/join.h"
#include "daemon/engine/ops.h"

static enum step op_call(struct running *r, const struct op *op)
{
	const struct program *p = r->j->program;
	const struct call    *call = &p->calls[op->a];
	size_t                bytes = frame_bytes(&p->codes[call->code]);
	struct frame         *f;

	if (!frame_has_room(r))
		return STEP_RAISED;
	f = slab_alloc(&r->e->slab, bytes);
	if (f == NULL) {
		r->e->heap.failed = true;
		return STEP_WAIT;
	}
	if (!frame_fill_args(r, call, f)) {
		slab_free(&r->e->slab, f, bytes);
		return STEP_RAISED;
	}
	frame_push(r->t, f);
	return STEP_NEXT;
}

static enum step run_op(struct running *r, const struct op *op)
{
	switch ((enum op_kind)op->kind) {
	case OP_EVAL:
		return op_eval(r, op);
	case OP_JUMP:
		r->t->top->pc = op->a - 1;
		return STEP_NEXT;
	case OP_JUMP_UNLESS:
		return op_jump_unless(r, op);
	case OP_SLEEP:
		return op_sleep(r, op);
	case OP_SLEEP_UNTIL:
		return op_sleep_until(r, op);
	case OP_ITER:
		return op_iter(r, op);
	case OP_NEXT:
		return op_next(r, op);
	case OP_LIST_NEW:
		slot_set(r, op->dst, value_list_new(&r->e->heap, 0));
		return STEP_NEXT;
	case OP_APPEND:
		return op_append(r, op);
	case OP_JOIN:
		return op_join(r, op);
	case OP_JOIN_NEXT:
		return op_join_next(r, op);
	case OP_CREATE_TASK:
		return op_create_task(r, op);
	case OP_AWAIT:
		return op_await(r, op);
	case OP_CANCEL:
		return op_cancel(r, op);
	case OP_CALL:
		return op_call(r, op);
	case OP_YIELD:
		return op_yield(r, op);
	case OP_RETURN:
		return op_return(r, op);
	case OP_END:
		return frame_return(r, value_retain(r->t->top->slots[op->dst]));
	case OP_RAISE:
		return op_raise(r, op);
	case OP_RERAISE:
		return raise_value(r, value_retain(r->t->top->slots[op->b + 1]));
	case OP_EXCEPT:
		return op_except(r, op);
	case OP_NORMAL:
		return op_normal(r, op);
	case OP_LEAVE:
		return op_leave(r, op->b);
	case OP_TIMEOUT:
		return op_timeout(r, op);
	case OP_TIMEOUT_END:
		return op_timeout_end(r, op);
	case OP_WITH:
		return op_with(r, op);
	case OP_WITH_END:
		return op_with_end(r, op);
	case OP_RETRY_BEGIN:
		return op_retry_begin(r, op);
	case OP_RETRY:
		return op_retry(r, op);
	case OP_UNDO_OPEN:
		return op_undo_open(r, op);
	case OP_UNDO_ADD:
		return op_undo_add(r, op);
	case OP_UNDO_CLOSE:
		return op_undo_close(r, op);
	case OP_GEN_NEW:
		return op_gen_new(r, op);
	case OP_GEN_NEXT:
		return op_gen_next(r, op);
	case OP_GEN_CLOSE:
		return op_gen_close(r, op);
	case OP_WAIT:
		return op_wait(r, op);
	case OP_MATCH_TEXT:
		return op_match_text(r, op);
	case OP_CASE:
		return op_case(r, op);
	}
	CHECK_NEVER("unknown op");
}

/* --- after a suspension --- */

/* The second half of an op that suspended. */
static enum step resume_op(struct running *r, const struct op *op)
{
	switch (op->kind) {
	case OP_SLEEP:
	case OP_SLEEP_UNTIL:
		return op_sleep_resume(r, op);
	case OP_RETRY:
		r->t->result = VALUE_NONE; /* the pause gave null */
		return STEP_NEXT;
	case OP_WITH:
		return STEP_NEXT;
	case OP_AWAIT:
		return op_await_resume(r, op);
	case OP_JOIN:
		return op_join_resume(r, op);
	case OP_JOIN_NEXT:
		return op_join_next(r, op);
	case OP_WAIT:
		return wait_resume(r, op, join_of(r->t->waiting_on), VALUE_NONE);
	case OP_UNDO_ADD:
	case OP_UNDO_CLOSE:
		return op_undo_resume(r, op, VALUE_NONE);
	default:
		CHECK_NEVER("this op never suspends");
	}
}

/* A combinator's owner meets an exception (taken) in its wait. */
static enum step meet_in_join(struct running *r, const struct op *op, struct value exc)
{
	struct join_run *jr = join_of(r->t->waiting_on);

	switch (jr->spec->kind) {
	case JOIN_TASK_GROUP:
		return task_group_resume(r, op, jr, exc);
	case JOIN_RACE:
		return race_resume(r, op, jr, exc);
	case JOIN_WAIT:
		return wait_resume(r, op, jr, exc);
	case JOIN_SHIELD:
		join_stop_listening(r->e, jr);
		break;
	case JOIN_GATHER:
	case JOIN_AS_COMPLETED:
		break;
	}
	task_stop_waiting(r->e, r->t);
	return raise_value(r, exc);
}

/* What the task waited for is not there: it meets an exception (taken) instead. */
static enum step meet(struct running *r, const struct op *op, struct value exc)
{
	struct task *t = r->t;

	if (!(t->sched.obj.flags & TASK_STARTED)) {
		/* Its body never runs, so that no handler takes it. */
		r->exc = exc;
		fail_task(r);
		return STEP_WAIT;
	}
	if (op->kind == OP_UNDO_ADD || op->kind == OP_UNDO_CLOSE)
		return op_undo_resume(r, op, exc);
	if (op->kind == OP_WITH)
		permit_return(r, op->dst);
	value_release(&r->e->heap, t->result);
	t->result = VALUE_NONE;
	if (t->waiting_on != NULL && t->waiting_on->obj.type == VALUE_T_JOIN)
		return meet_in_join(r, op, exc);
	task_stop_waiting(r->e, t);
	return raise_value(r, exc);
}

/* --- stepping --- */

static enum step begin(struct running *r)
{
	struct task *t = r->t;

	if (t->sched.obj.flags & TASK_OF_JOIN) {
		struct join_run *jr = join_of(t->callbacks);

		if (!(t->sched.obj.flags & TASK_HAS_PERMIT) &&
		    (!after_is_met(jr, t) || !join_acquire(jr, t)))
			return STEP_WAIT;
	}
	if (t == r->j->main)
		(void)engine_put(r->e, r->j, ENGINE_JOB_STARTED, VALUE_NONE, NULL);
	else if (!r->j->program->only_job_events && task_makes_events(t))
		(void)engine_put(r->e, r->j, ENGINE_TASK_STARTED, VALUE_NONE, t);
	t->sched.obj.flags |= TASK_STARTED;
	t->top->pc--;
	return STEP_NEXT;
}

/* The CancelledError that what the task waited for has ended with already: a cancel of the task
 * that comes on top adds nothing to it. VALUE_NONE: it has not. */
static struct value cancelled_outcome(struct running *r)
{
	struct sched      *on = r->t->waiting_on;
	const struct task *t;
	struct join_run   *jr;

	if (on == NULL)
		return VALUE_NONE;
	if (on->obj.type == VALUE_T_WAITER) {
		t = ((struct waiter *)(void *)on)->on;
		return t->sched.obj.state == TASK_DONE && (t->sched.obj.flags & TASK_CANCELLED)
		               ? value_retain(t->result)
		               : VALUE_NONE;
	}
	jr = join_of(on);
	if (jr->spec->kind == JOIN_GATHER && (jr->sched.obj.flags & JOIN_FAILED)) {
		if (value_is_none(jr->outcome))
			return exception_new(r->e, r->j, r->t, "CancelledError", "", 0);
		return exception_is(jr->outcome, "CancelledError") ? value_retain(jr->outcome)
		                                                   : VALUE_NONE;
	}
	if (jr->spec->kind == JOIN_SHIELD && join_has_ended(jr, 0) &&
	    (join_task(jr, 0)->sched.obj.flags & TASK_CANCELLED))
		return exception_new(r->e, r->j, r->t, "CancelledError", "", 0);
	return VALUE_NONE;
}

/* A cancel meets the task where it waits, or before its first op. */
static enum step meet_cancel(struct running *r, const struct op *op)
{
	struct task *t = r->t;
	struct value own = task_take_cancel(r->e, r->j, t), other;

	if (!(t->sched.obj.flags & TASK_STARTED)) {
		value_release(&r->e->heap, t->result);
		t->result = VALUE_NONE;
		return meet(r, op, own);
	}
	other = cancelled_outcome(r);
	if (value_is_none(other))
		return meet(r, op, own);
	value_release(&r->e->heap, own);
	return meet(r, op, other);
}

static enum step step_first(struct running *r, enum task_state state)
{
	struct task     *t = r->t;
	const struct op *op = &r->j->program->ops[t->top->pc];
	struct value     exc;

	if (t->sched.obj.flags & TASK_RETRY_OP) {
		t->sched.obj.flags &= (uint8_t)~TASK_RETRY_OP;
		return run_op(r, op);
	}
	if (t->sched.obj.flags & TASK_MUST_CANCEL)
		return meet_cancel(r, op);
	if (state == TASK_THROWN) {
		exc = t->result;
		t->result = VALUE_NONE;
		return meet(r, op, exc);
	}
	if (!(t->sched.obj.flags & TASK_STARTED))
		return begin(r);
	return resume_op(r, op);
}

static bool is_over_limits(struct running *r)
{
	if (++r->j->ops > JOB_OPS_PER_STEP_MAX) {
		(void)raise_text(r, "LimitError", "%d steps without waiting for anything",
		                 JOB_OPS_PER_STEP_MAX);
		return true;
	}
	if ((int64_t)r->e->heap.bytes - r->e->heap_base > (int64_t)JOB_VALUE_BYTES_MAX) {
		(void)raise_text(r, "LimitError", "the job holds more than %u bytes of values",
		                 JOB_VALUE_BYTES_MAX);
		return true;
	}
	return false;
}

/* Runs ops from the one behind pc on, until one does not go on. */
static enum step run_ops(struct running *r)
{
	const struct op *ops = r->j->program->ops;
	struct task     *t = r->t;
	enum step        step;

	do {
		if (r->e->heap.failed)
			return STEP_WAIT;
		t->top->pc++;
		if (is_over_limits(r))
			return STEP_RAISED;
		if (--r->e->left < 0 &&
		    (ops[t->top->pc].kind == OP_JUMP || ops[t->top->pc].kind == OP_NEXT))
			return STEP_PREEMPT;
		step = run_op(r, &ops[t->top->pc]);
	} while (step == STEP_NEXT);
	return step;
}

void task_step(struct engine *e, struct job *j, struct task *t)
{
	struct running  r = { .e = e, .j = j, .t = t, .exc = VALUE_NONE };
	enum task_state state = (enum task_state)t->sched.obj.state;
	enum step       step;

	t->sched.obj.state = TASK_RUNNING;
	step = step_first(&r, state);
	while (step == STEP_NEXT || step == STEP_RAISED)
		step = step == STEP_NEXT ? run_ops(&r) : unwind(&r, LEAVE_RAISE, r.exc);
	if (e->heap.failed)
		return;
	if (step == STEP_PREEMPT) {
		t->sched.obj.flags |= TASK_RETRY_OP;
		t->sched.obj.state = TASK_READY;
		j->resume = t;
		return;
	}
	/* It was cancelled while it ran, by what it did to others, and has now suspended. */
	if ((t->sched.obj.flags & TASK_MUST_CANCEL) && t->sched.obj.state != TASK_READY &&
	    t->sched.obj.state != TASK_DONE)
		task_cancel_at_suspension(e, j, t);
	j->ops = 0;
}
