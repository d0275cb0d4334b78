#include "daemon/engine/coro.h"

/* --- frames and tasks --- */

static size_t slots_bytes(const struct code *c)
{
	return c->slot_count * sizeof(struct value);
}

static void frame_fill(struct frame *f, const struct program *p, uint32_t code,
                       const struct value *from)
{
	const struct code *c = &p->codes[code];

	f->caller = NULL;
	f->code = code;
	f->pc = c->first_op;
	for (uint32_t i = 0; i < c->capture_count; i++)
		f->slots[i] = value_retain(from[c->captures != NULL ? c->captures[i] : i]);
	for (uint32_t i = c->capture_count; i < c->slot_count; i++)
		f->slots[i] = VALUE_NONE;
}

static void frame_drop_slots(struct engine *e, const struct program *p, struct frame *f)
{
	uint32_t count = p->codes[f->code].slot_count;

	for (uint32_t i = 0; i < count; i++) {
		value_release(&e->heap, f->slots[i]);
		f->slots[i] = VALUE_NONE;
	}
}

struct task *task_new(struct engine *e, struct job *j, uint32_t code, const struct value *from)
{
	const struct code *c = &j->program->codes[code];
	struct task       *t = slab_alloc(&e->slab, sizeof *t + slots_bytes(c));

	if (t == NULL) {
		e->heap.failed = true;
		return NULL;
	}
	t->sched =
		(struct sched){ .obj = { .refs = 1, .type = VALUE_T_TASK, .state = TASK_READY } };
	t->job = j;
	t->top = &t->frame;
	t->callbacks = NULL;
	t->result = VALUE_NONE;
	t->waiting_on = NULL;
	t->extra = NULL;
	t->index = 0;
	t->serial = ++j->serial;
	frame_fill(&t->frame, j->program, code, from);
	j->tasks_live++;
	return t;
}

struct task_extra *task_extra(struct engine *e, struct task *t)
{
	if (t->extra != NULL)
		return t->extra;
	t->extra = slab_alloc(&e->slab, sizeof *t->extra);
	if (t->extra == NULL) {
		e->heap.failed = true;
		return NULL;
	}
	*t->extra = (struct task_extra){ .name = VALUE_NONE,
		                         .base = VALUE_NONE,
		                         .cancel_message = VALUE_NONE };
	return t->extra;
}

void task_list(struct job *j, struct task *t)
{
	t->extra->is_listed = true;
	t->extra->prev = j->made_last;
	if (j->made_last != NULL)
		j->made_last->extra->next = t;
	else
		j->made_first = t;
	j->made_last = t;
}

static void task_unlist(struct job *j, struct task *t)
{
	struct task_extra *x = t->extra;

	if (x == NULL || !x->is_listed)
		return;
	if (x->prev != NULL)
		x->prev->extra->next = x->next;
	else
		j->made_first = x->next;
	if (x->next != NULL)
		x->next->extra->prev = x->prev;
	else
		j->made_last = x->prev;
	x->is_listed = false;
}

static void frames_drop(struct engine *e, struct task *t)
{
	const struct program *p = t->job->program;

	while (t->top != &t->frame) {
		struct frame *f = t->top;

		t->top = f->caller;
		frame_drop_slots(e, p, f);
		slab_free(&e->slab, f, sizeof *f + slots_bytes(&p->codes[f->code]));
	}
	frame_drop_slots(e, p, &t->frame);
}

/* Drops the callbacks without calling them. */
static void callbacks_drop(struct engine *e, struct task *t)
{
	struct waiter *last, *w, *next;

	if (t->callbacks == NULL)
		return;
	if (t->sched.obj.flags & TASK_OF_JOIN) {
		sched_release(e, t->callbacks);
		t->callbacks = NULL;
		return;
	}
	last = (struct waiter *)(void *)t->callbacks;
	t->callbacks = NULL;
	w = last->next;
	for (;;) {
		bool is_last = w == last;

		next = w->next;
		sched_release(e, &w->sched);
		if (is_last)
			return;
		w = next;
	}
}

static void waiting_drop(struct engine *e, struct task *t)
{
	if (t->waiting_on == NULL)
		return;
	if (t->waiting_on->obj.type == VALUE_T_JOIN)
		((struct join_run *)(void *)t->waiting_on)->owner = NULL;
	sched_release(e, t->waiting_on);
	t->waiting_on = NULL;
}

void task_drop(struct engine *e, struct job *j, struct task *t)
{
	if (t->sched.obj.state == TASK_SLEEPING)
		timer_heap_disarm(&e->timers, &t->sched.at.timer);
	t->sched.obj.refs++;
	callbacks_drop(e, t);
	waiting_drop(e, t);
	frames_drop(e, t);
	task_unlist(j, t);
	t->sched.obj.state = TASK_DONE;
	j->tasks_live--;
	sched_release(e, &t->sched); /* of being alive */
	sched_release(e, &t->sched);
}

/* The last reference has gone. */
void task_free(struct engine *e, struct task *t)
{
	const struct code *c = &t->job->program->codes[t->frame.code];

	CHECK(t->sched.obj.state == TASK_DONE);
	value_release(&e->heap, t->result);
	waiting_drop(e, t);
	callbacks_drop(e, t);
	if (t->extra != NULL) {
		value_release(&e->heap, t->extra->name);
		value_release(&e->heap, t->extra->base);
		value_release(&e->heap, t->extra->cancel_message);
		slab_free(&e->slab, t->extra, sizeof *t->extra);
	}
	slab_free(&e->slab, t, sizeof *t + slots_bytes(c));
}

/* --- the end of a task --- */

static bool makes_events(const struct task *t)
{
	if (t->extra != NULL && !value_is_none(t->extra->name))
		return true;
	return (t->sched.obj.flags & TASK_OF_JOIN) && t->callbacks != NULL &&
	       (((struct join_run *)(void *)t->callbacks)->spec->flags & JOIN_EVENTS);
}

void task_end(struct engine *e, struct job *j, struct task *t, struct value result, unsigned flags)
{
	if (t->sched.obj.flags & TASK_HAS_PERMIT)
		join_release_permit(e, j, (struct join_run *)(void *)t->callbacks);
	/* The address of where it failed is in the error; of the event it is the task's own. */
	frames_drop(e, t);
	task_unlist(j, t);
	t->sched.obj.flags =
		(uint8_t)((t->sched.obj.flags & ~(TASK_HAS_PERMIT | TASK_STARTED)) | flags);
	t->sched.obj.state = TASK_DONE;
	t->result = result;
	j->tasks_live--;
	j->tasks_done++;
	if (!j->program->only_job_events && t != j->main && makes_events(t))
		(void)engine_put(e, j,
		                 flags & TASK_FAILED ? ENGINE_TASK_FAILED : ENGINE_TASK_COMPLETED,
		                 result, t);
	if (t->callbacks != NULL || t == j->main)
		ready_push(j, &t->sched); /* keeps the reference of being alive */
	else
		sched_release(e, &t->sched);
}

void task_run_callbacks(struct engine *e, struct job *j, struct task *t)
{
	struct waiter *last, *w, *next;

	if (t->sched.obj.flags & TASK_OF_JOIN) {
		struct join_run *jr = (struct join_run *)(void *)t->callbacks;

		t->callbacks = NULL;
		join_child_done(e, j, jr, t->index, t);
		sched_release(e, &jr->sched);
	} else if (t->callbacks != NULL) {
		last = (struct waiter *)(void *)t->callbacks;
		t->callbacks = NULL;
		w = last->next;
		do {
			next = w->next;
			waiter_call(e, j, w);
			if (w == last)
				break;
			w = next;
		} while (true);
	}
	sched_release(e, &t->sched);
}

/* --- calls --- */

/* Drops what a task waited on when a cancel takes it out of its wait. */
static enum step raise_cancelled(struct running *r)
{
	struct task *t = r->t;
	struct value message = VALUE_NONE;
	const char  *text = "";
	size_t       bytes = 0;

	t->sched.obj.flags &= (uint8_t)~TASK_MUST_CANCEL;
	waiting_drop(r->e, t);
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
	slab_free(&r->e->slab, f, sizeof *f + slots_bytes(&p->codes[f->code]));
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
	f = slab_alloc(&r->e->slab, sizeof *f + slots_bytes(c));
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
			slab_free(&r->e->slab, f, sizeof *f + slots_bytes(c));
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
		else if (!r->j->program->only_job_events && makes_events(t))
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
