/* exec, and async_for over the lines of one; to_thread and http. */
#include "daemon/engine/exec.h"
#include "daemon/engine/ops.h"

static struct exec_run *exec_in(struct running *r, const struct op *op)
{
	return (struct exec_run *)(void *)value_obj(r->t->top->slots[op->b]);
}

static bool has_ended(const struct exec_run *x)
{
	return x->claim.sched.obj.state == EXEC_ENDED;
}

static enum step wait_for_it(struct running *r)
{
	r->t->sched.obj.state = TASK_EXECUTING;
	return STEP_WAIT;
}

/* --- events: those of its task where it is all that the task does, else its own --- */

static bool makes_events(const struct running *r, const struct op *op)
{
	const struct task    *t = r->t;
	const struct program *p = r->j->program;

	if (p->only_job_events)
		return false;
	return t->top != &t->frame || op->node != p->codes[t->frame.code].node || t == r->j->main ||
	       !task_makes_events(t);
}

static void say_started(struct running *r, const struct op *op)
{
	if (makes_events(r, op))
		(void)engine_put(r->e, r->j, ENGINE_TASK_STARTED, VALUE_NONE, r->t);
}

static void say_completed(struct running *r, const struct op *op, const struct exec_run *x)
{
	struct value status;

	if (!makes_events(r, op))
		return;
	status = x->kind == EXEC_CALL ? outcall_status(r->e, x)
	                              : exec_outcome_status(r->e, x->outcome);
	(void)engine_put(r->e, r->j, ENGINE_TASK_COMPLETED, status, r->t);
	value_release(&r->e->heap, status);
}

/* It is over, with the exception in r->exc. */
static enum step fail(struct running *r, const struct op *op)
{
	struct value said;

	if (makes_events(r, op) && !r->e->heap.failed) {
		said = exception_said(r->e, r->exc);
		(void)engine_put(r->e, r->j, ENGINE_TASK_FAILED, said, r->t);
		value_release(&r->e->heap, said);
	}
	slot_set(r, op->b, VALUE_NONE);
	return STEP_RAISED;
}

/* --- the ops --- */

/* False: raised, or heap.failed. */
static bool open(struct running *r, const struct op *op)
{
	if ((op->kind == OP_OUTCALL ? exec_open_call(r, op) : exec_open_command(r, op)) == NULL)
		return false;
	say_started(r, op);
	return true;
}

enum step op_exec(struct running *r, const struct op *op)
{
	if (!open(r, op))
		return r->e->heap.failed ? STEP_WAIT : STEP_RAISED;
	return wait_for_it(r);
}

enum step op_exec_resume(struct running *r, const struct op *op)
{
	struct exec_run *x = exec_in(r, op);
	struct value     result;

	CHECK(has_ended(x));
	if (!exec_outcome_check(r, x))
		return fail(r, op);
	say_completed(r, op, x);
	result = value_retain(x->kind == EXEC_CALL ? outcall_result(x) : x->outcome);
	slot_set(r, op->b, VALUE_NONE);
	slot_set(r, op->dst, result);
	return STEP_NEXT;
}

enum step op_exec_open(struct running *r, const struct op *op)
{
	if (!open(r, op))
		return r->e->heap.failed ? STEP_WAIT : STEP_RAISED;
	return STEP_NEXT;
}

static void take_line(struct running *r, const struct op *op, struct exec_run *x)
{
	const struct vlist *lines = value_list(x->lines);
	struct value        line = value_retain(lines->at[x->next_line++]);

	if (x->next_line == lines->count) {
		value_release(&r->e->heap, x->lines);
		x->lines = VALUE_NONE;
		exec_want_lines(r->e, x);
	}
	slot_set(r, op->dst, line);
}

enum step op_exec_line(struct running *r, const struct op *op)
{
	struct exec_run *x = exec_in(r, op);

	if (!value_is_none(x->cancel)) {
		r->exc = value_retain(x->cancel);
		return fail(r, op);
	}
	if (!value_is_none(x->lines)) {
		take_line(r, op, x);
		return STEP_NEXT;
	}
	/* Ended without an outcome: a cancel is due, and meets the task in its wait. */
	if (!has_ended(x) || value_is_none(x->outcome))
		return wait_for_it(r);
	if (!exec_outcome_check(r, x))
		return fail(r, op);
	say_completed(r, op, x);
	slot_set(r, op->b, VALUE_NONE);
	r->t->top->pc = op->a - 1;
	return STEP_NEXT;
}

enum step op_exec_close(struct running *r, const struct op *op)
{
	if (exec_stop(r->e, exec_in(r, op)))
		return wait_for_it(r);
	return op_exec_closed(r, op);
}

enum step op_exec_closed(struct running *r, const struct op *op)
{
	say_completed(r, op, exec_in(r, op));
	slot_set(r, op->b, VALUE_NONE);
	return STEP_NEXT;
}

enum step exec_meet(struct running *r, const struct op *op, struct value exc)
{
	struct exec_run *x = exec_in(r, op);

	if (!value_is_none(x->cancel)) { /* the first one stays */
		value_release(&r->e->heap, exc);
		exc = value_retain(x->cancel);
	} else if (exec_stop(r->e, x)) { /* a line has just come */
		x->cancel = exc;
		return wait_for_it(r);
	}
	r->exc = exc;
	return fail(r, op);
}
