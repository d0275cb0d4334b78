#include "daemon/engine/coro.h"

/* --- calls --- */

/* Drops what a task waited on when a cancel takes it out of its wait. */
static enum step raise_cancelled(struct running *r)
{
	struct task *t = r->t;
	struct value message = VALUE_NONE;
	const char  *text = "";
	size_t       bytes = 0;

	t->sched.obj.flags &= (uint8_t)~TASK_MUST_CANCEL;
	task_stop_waiting(r->e, t);
	value_release(&r->e->heap, t->result);
	t->result = VALUE_NONE;
	if (t->extra != NULL) {
		message = t->extra->cancel_message;
		t->extra->cancel_message = VALUE_NONE;
	}
	if (value_is_type(message, VALUE_T_TEXT)) {
		text = value_text(message)->at;
		bytes = value_text(message)->bytes;
	}
	(void)raise_value(r, exception_new(r->e, r->j, t, "CancelledError", text, bytes));
	value_release(&r->e->heap, message);
	return STEP_RAISED;
}

enum step frame_return(struct running *r, struct value result)
{
	struct task          *t = r->t;
	struct frame         *f = t->top;
	const struct program *p = r->j->program;

	if (f->caller == NULL) {
		/* Cancelled by what it did itself, and it met no suspension since. */
		if (t->sched.obj.flags & TASK_MUST_CANCEL) {
			value_release(&r->e->heap, result);
			return raise_cancelled(r);
		}
		task_end(r->e, r->j, t, result, 0);
		return STEP_WAIT;
	}
	t->top = f->caller;
	t->sched.obj.unused--;
	frame_drop_slots(r->e, p, f);
	slab_free(&r->e->slab, f, frame_bytes(&p->codes[f->code]));
	slot_set(r, p->ops[t->top->pc].dst, result);
	return STEP_NEXT;
}

enum step call_enter(struct running *r, const struct op *op)
{
	const struct program *p = r->j->program;
	const struct call    *call = &p->calls[op->a];
	const struct code    *c = &p->codes[call->code];
	struct frame         *f;

	/* obj.unused counts the frames above the outermost. */
	if (r->t->sched.obj.unused >= JOB_CALL_DEPTH_MAX - 1)
		return raise_text(r, "LimitError", "calls are nested deeper than %d",
		                  JOB_CALL_DEPTH_MAX);
	f = slab_alloc(&r->e->slab, frame_bytes(c));
	if (f == NULL) {
		r->e->heap.failed = true;
		return STEP_WAIT;
	}
	f->caller = r->t->top;
	f->code = call->code;
	f->pc = c->first_op;
	for (uint32_t i = 0; i < c->slot_count; i++)
		f->slots[i] = VALUE_NONE;
	for (uint32_t i = 0; i < call->arg_count; i++) {
		if (!eval(r, p->args[call->first_arg + i], &f->slots[i])) {
			frame_drop_slots(r->e, p, f);
			slab_free(&r->e->slab, f, frame_bytes(c));
			return STEP_RAISED;
		}
	}
	r->t->top = f;
	r->t->sched.obj.unused++;
	f->pc--; /* the step function adds one */
	return STEP_NEXT;
}

/* --- stepping --- */

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
		return call_enter(r, op);
	case OP_YIELD:
		return op_yield(r, op);
	case OP_RETURN:
		return op_return(r, op);
	case OP_END:
		return frame_return(r, value_retain(r->t->top->slots[op->dst]));
	}
	CHECK_NEVER("unknown op");
}

/* The second half of an op that suspended. */
static enum step resume_op(struct running *r, const struct op *op)
{
	struct value result;

	switch ((enum op_kind)op->kind) {
	case OP_SLEEP:
	case OP_SLEEP_UNTIL:
		result = r->t->result;
		r->t->result = VALUE_NONE;
		slot_set(r, op->dst, result);
		return STEP_NEXT;
	case OP_AWAIT:
		return op_await_resume(r, op);
	case OP_JOIN:
		return op_join_resume(r, op);
	case OP_JOIN_NEXT:
		return op_join_next(r, op);
	case OP_EVAL:
	case OP_JUMP:
	case OP_JUMP_UNLESS:
	case OP_ITER:
	case OP_NEXT:
	case OP_LIST_NEW:
	case OP_APPEND:
	case OP_CREATE_TASK:
	case OP_CANCEL:
	case OP_CALL:
	case OP_YIELD:
	case OP_RETURN:
	case OP_END:
		break;
	}
	CHECK_NEVER("this op never suspends");
}

static bool is_cancelled_error(struct value exc)
{
	struct value type = value_dict_get(exc, "type", 4);

	return value_is_type(type, VALUE_T_TEXT) &&
	       strcmp(value_text(type)->at, "CancelledError") == 0;
}

/* No handler took the exception: the task ends with it. */
static void fail_task(struct running *r)
{
	if (r->e->heap.failed) {
		value_release(&r->e->heap, r->exc);
		return;
	}
	task_end(r->e, r->j, r->t, r->exc,
	         TASK_FAILED | (is_cancelled_error(r->exc) ? TASK_CANCELLED : 0u));
}

static enum step step_first(struct running *r)
{
	struct task *t = r->t;

	if (t->sched.obj.flags & TASK_MUST_CANCEL)
		return raise_cancelled(r);
	if (!(t->sched.obj.flags & (TASK_STARTED | TASK_HAS_PERMIT)) &&
	    (t->sched.obj.flags & TASK_OF_JOIN) &&
	    !join_acquire(r->j, (struct join_run *)(void *)t->callbacks, t))
		return STEP_WAIT;
	if (!(t->sched.obj.flags & TASK_STARTED)) {
		if (t == r->j->main)
			(void)engine_put(r->e, r->j, ENGINE_JOB_STARTED, VALUE_NONE, NULL);
		else if (!r->j->program->only_job_events && task_makes_events(t))
			(void)engine_put(r->e, r->j, ENGINE_TASK_STARTED, VALUE_NONE, t);
		t->sched.obj.flags |= TASK_STARTED;
		t->top->pc--;
		return STEP_NEXT;
	}
	if (t->sched.obj.flags & TASK_RETRY_OP) {
		t->sched.obj.flags &= (uint8_t)~TASK_RETRY_OP;
		return run_op(r, &r->j->program->ops[t->top->pc]);
	}
	return resume_op(r, &r->j->program->ops[t->top->pc]);
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

/* A task that was cancelled while it ran (by what it did to others) has now suspended. */
static void deliver_at_suspension(struct engine *e, struct job *j, struct task *t)
{
	t->sched.obj.flags &= (uint8_t)~TASK_MUST_CANCEL;
	(void)task_cancel(e, j, t, VALUE_NULL);
}

void task_step(struct engine *e, struct job *j, struct task *t)
{
	struct running   r = { .e = e, .j = j, .t = t, .exc = VALUE_NONE };
	const struct op *ops = j->program->ops;
	enum step        step;

	t->sched.obj.state = TASK_RUNNING;
	step = step_first(&r);
	while (step == STEP_NEXT) {
		if (e->heap.failed)
			return;
		t->top->pc++;
		if (is_over_limits(&r)) {
			step = STEP_RAISED;
			break;
		}
		if (--e->left < 0 &&
		    (ops[t->top->pc].kind == OP_JUMP || ops[t->top->pc].kind == OP_NEXT)) {
			step = STEP_PREEMPT;
			break;
		}
		step = run_op(&r, &ops[t->top->pc]);
	}
	if (step == STEP_RAISED)
		fail_task(&r);
	if (step == STEP_PREEMPT) {
		t->sched.obj.flags |= TASK_RETRY_OP;
		t->sched.obj.state = TASK_READY;
		j->resume = t;
		return;
	}
	if (step == STEP_WAIT && (t->sched.obj.flags & TASK_MUST_CANCEL) &&
	    t->sched.obj.state != TASK_READY && t->sched.obj.state != TASK_DONE)
		deliver_at_suspension(e, j, t);
	j->ops = 0;
}
