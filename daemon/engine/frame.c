/* Calls, returns, and what exceptions and `return` pass on their way out. */
#include "daemon/engine/coro.h"

/* --- in --- */

bool frame_fill_args(struct running *r, const struct call *call, struct frame *f)
{
	const struct program *p = r->j->program;
	const struct code    *c = &p->codes[call->code];

	f->caller = NULL;
	f->code = call->code;
	f->pc = c->first_op;
	for (uint32_t i = 0; i < c->slot_count; i++)
		f->slots[i] = VALUE_NONE;
	for (uint32_t i = 0; i < call->arg_count; i++) {
		if (!eval(r, p->args[call->first_arg + i], &f->slots[i])) {
			frame_drop_slots(r->e, p, f);
			return false;
		}
	}
	return true;
}

/* obj.unused of a task counts the frames above the outermost. */
bool frame_has_room(struct running *r)
{
	if (r->t->sched.obj.unused < JOB_CALL_DEPTH_MAX - 1)
		return true;
	(void)raise_text(r, "LimitError", "calls are nested deeper than %d", JOB_CALL_DEPTH_MAX);
	return false;
}

void frame_push(struct task *t, struct frame *f)
{
	f->caller = t->top;
	t->top = f;
	t->sched.obj.unused++;
	f->pc--; /* the step function adds one */
}

/* --- out --- */

void frame_pop(struct engine *e, struct task *t)
{
	const struct program *p = t->job->program;
	struct frame         *f = t->top;

	t->top = f->caller;
	t->sched.obj.unused--;
	frame_drop_slots(e, p, f);
	if (p->codes[f->code].is_generator)
		generator_end(e, generator_of(f));
	else
		slab_free(&e->slab, f, frame_bytes(&p->codes[f->code]));
}

/* The coroutine of the task has given `result`. */
static enum step task_return(struct running *r, struct value result)
{
	/* Cancelled by what it did itself, and it met no suspension since. */
	if (r->t->sched.obj.flags & TASK_MUST_CANCEL) {
		value_release(&r->e->heap, result);
		r->exc = task_take_cancel(r->e, r->j, r->t);
		fail_task(r);
	} else {
		task_end(r->e, r->j, r->t, result, 0);
		r->t = NULL;
	}
	return STEP_WAIT;
}

enum step frame_return(struct running *r, struct value result)
{
	struct task     *t = r->t;
	const struct op *op;
	bool             is_generator;

	if (t->top->caller == NULL)
		return task_return(r, result);
	is_generator = r->j->program->codes[t->top->code].is_generator;
	frame_pop(r->e, t);
	op = &r->j->program->ops[t->top->pc];
	if (!is_generator) {
		slot_set(r, op->dst, result);
		return STEP_NEXT;
	}
	value_release(&r->e->heap, result);
	if (op->kind == OP_GEN_NEXT)
		t->top->pc = op->a - 1;
	return STEP_NEXT;
}

void fail_task(struct running *r)
{
	unsigned flags = TASK_FAILED;

	if (r->e->heap.failed) {
		value_release(&r->e->heap, r->exc);
		return;
	}
	if (exception_is(r->exc, "CancelledError"))
		flags |= TASK_CANCELLED;
	task_end(r->e, r->j, r->t, r->exc, flags);
	r->t = NULL;
}

/* The innermost handler of the running op that takes this; PROGRAM_NONE: none. */
static uint32_t handler_for(const struct program *p, const struct frame *f, enum leave how)
{
	uint32_t h = p->ops[f->pc].handler;

	while (h != PROGRAM_NONE && how == LEAVE_RETURN && p->handlers[h].kind == HANDLER_EXCEPT)
		h = p->handlers[h].outer;
	return h;
}

enum step unwind(struct running *r, enum leave how, struct value v)
{
	const struct program *p = r->j->program;
	struct task          *t = r->t;

	for (;;) {
		uint32_t         h = handler_for(p, t->top, how);
		bool             is_generator = p->codes[t->top->code].is_generator;
		const struct op *op;

		if (h != PROGRAM_NONE) {
			uint32_t pair = p->handlers[h].pair;

			slot_set(r, pair, value_int(&r->e->heap, how));
			slot_set(r, pair + 1, v);
			t->top->pc = p->handlers[h].landing - 1;
			return STEP_NEXT;
		}
		if (how == LEAVE_RETURN)
			return frame_return(r, v);
		if (t->top->caller == NULL) {
			r->exc = v;
			fail_task(r);
			return STEP_WAIT;
		}
		frame_pop(r->e, t);
		op = &p->ops[t->top->pc];
		if (is_generator && op->kind == OP_GEN_CLOSE && exception_is(v, "GeneratorExit")) {
			value_release(&r->e->heap, v);
			return STEP_NEXT;
		}
	}
}
