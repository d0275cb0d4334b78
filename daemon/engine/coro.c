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

static enum step op_jump(struct running *r, const struct op *op)
{
	r->t->top->pc = op->a - 1;
	return STEP_NEXT;
}

static enum step op_list_new(struct running *r, const struct op *op)
{
	slot_set(r, op->dst, value_list_new(&r->e->heap, 0));
	return STEP_NEXT;
}

static enum step op_end(struct running *r, const struct op *op)
{
	return frame_return(r, value_retain(r->t->top->slots[op->dst]));
}

/* It has what it waited for: a permit. */
static enum step go_on(struct running *r, const struct op *op)
{
	(void)r;
	(void)op;
	return STEP_NEXT;
}

/* What an op does, and its second half after a suspension, where it can suspend. */
static const struct {
	enum step (*run)(struct running *r, const struct op *op);
	enum step (*resume)(struct running *r, const struct op *op);
} OPS[] = {
	[OP_EVAL] = { op_eval, NULL },
	[OP_JUMP] = { op_jump, NULL },
	[OP_JUMP_UNLESS] = { op_jump_unless, NULL },
	[OP_SLEEP] = { op_sleep, op_sleep_resume },
	[OP_SLEEP_UNTIL] = { op_sleep_until, op_sleep_resume },
	[OP_ITER] = { op_iter, NULL },
	[OP_NEXT] = { op_next, NULL },
	[OP_LIST_NEW] = { op_list_new, NULL },
	[OP_APPEND] = { op_append, NULL },
	[OP_JOIN] = { op_join, op_join_resume },
	[OP_JOIN_NEXT] = { op_join_next, op_join_next },
	[OP_JOIN_RESULT] = { op_join_next, op_join_next },
	[OP_CREATE_TASK] = { op_create_task, NULL },
	[OP_CREATE_CHILD] = { op_create_child, NULL },
	[OP_CHILD] = { op_child, op_child_resume },
	[OP_AWAIT] = { op_await, op_await_resume },
	[OP_CANCEL] = { op_cancel, NULL },
	[OP_CALL] = { op_call, NULL },
	[OP_YIELD] = { op_yield, NULL },
	[OP_RETURN] = { op_return, NULL },
	[OP_END] = { op_end, NULL },
	[OP_RAISE] = { op_raise, NULL },
	[OP_RERAISE] = { op_reraise, NULL },
	[OP_EXCEPT] = { op_except, NULL },
	[OP_NORMAL] = { op_normal, NULL },
	[OP_LEAVE] = { op_leave, NULL },
	[OP_TIMEOUT] = { op_timeout, NULL },
	[OP_TIMEOUT_END] = { op_timeout_end, NULL },
	[OP_RETRY_BEGIN] = { op_retry_begin, NULL },
	[OP_RETRY] = { op_retry, op_retry_resume },
	[OP_UNDO_OPEN] = { op_undo_open, NULL },
	[OP_UNDO_ADD] = { op_undo_add, op_undo_resume },
	[OP_UNDO_CLOSE] = { op_undo_close, op_undo_resume },
	[OP_EXEC] = { op_exec, op_exec_resume },
	[OP_OUTCALL] = { op_exec, op_exec_resume },
	[OP_EVENT] = { op_event, op_event_resume },
	[OP_WITH] = { op_with, go_on },
	[OP_WITH_END] = { op_with_end, NULL },
	[OP_GEN_NEW] = { op_gen_new, NULL },
	[OP_GEN_NEXT] = { op_gen_next, NULL },
	[OP_GEN_CLOSE] = { op_gen_close, NULL },
	[OP_EXEC_OPEN] = { op_exec_open, NULL },
	[OP_EXEC_LINE] = { op_exec_line, op_exec_line },
	[OP_EXEC_CLOSE] = { op_exec_close, op_exec_closed },
	[OP_WAIT] = { op_wait, op_wait_resume },
	[OP_MATCH_TEXT] = { op_match_text, NULL },
	[OP_CASE] = { op_case, NULL },
};

/* --- what meets a task where it waits --- */

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
		return undo_meet(r, op, exc);
	if (op->kind == OP_EXEC || op->kind == OP_OUTCALL || op->kind == OP_EXEC_LINE ||
	    op->kind == OP_EXEC_CLOSE)
		return exec_meet(r, op, exc);
	if (op->kind == OP_WITH)
		with_leave(r, op->dst);
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
	if (on->obj.type == VALUE_T_EVENT_WAIT)
		return VALUE_NONE;
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
	bool         has_ended_wait = (t->sched.obj.flags & TASK_WAIT_ENDED) != 0;
	struct value own = task_take_cancel(r->e, r->j, t), other;

	if (!(t->sched.obj.flags & TASK_STARTED)) {
		value_release(&r->e->heap, t->result);
		t->result = VALUE_NONE;
		return meet(r, op, own);
	}
	other = has_ended_wait ? VALUE_NONE : cancelled_outcome(r);
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
		return OPS[op->kind].run(r, op);
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
	CHECK(OPS[op->kind].resume != NULL);
	return OPS[op->kind].resume(r, op);
}

/* What others wait for is given back also by who has used up all that it may use. */
static bool gives_back(const struct running *r)
{
	uint8_t kind = r->j->program->ops[r->t->top->pc].kind;

	return kind == OP_WITH_END || kind == OP_EXEC_CLOSE || kind == OP_GEN_CLOSE ||
	       kind == OP_UNDO_CLOSE || kind == OP_TIMEOUT_END || kind == OP_LEAVE;
}

static bool is_over_limits(struct running *r)
{
	if (++r->j->ops > JOB_OPS_PER_STEP_MAX) {
		if (gives_back(r))
			return false;
		(void)raise_text(r, "LimitError", "%d steps without waiting for anything",
		                 JOB_OPS_PER_STEP_MAX);
		return true;
	}
	if ((int64_t)r->e->heap.bytes - r->e->heap_base > (int64_t)JOB_VALUE_BYTES_MAX) {
		if (gives_back(r))
			return false;
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
		if (--r->e->left < 0)
			return STEP_PREEMPT;
		step = OPS[ops[t->top->pc].kind].run(r, &ops[t->top->pc]);
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
	if (r.t != NULL && (t->sched.obj.flags & TASK_MUST_CANCEL) &&
	    t->sched.obj.state != TASK_READY)
		task_cancel_at_suspension(e, j, t);
	j->ops = 0;
}
