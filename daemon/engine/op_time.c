#include "daemon/engine/coro.h"
#include "daemon/engine/duration.h"

/* Waits until `due`; the op gives `result` (taken) when it resumes. */
static enum step sleep_until(struct running *r, gd_nsec due, struct value result)
{
	struct task *t = r->t;

	t->result = result;
	if (due <= r->j->now) {
		t->sched.obj.state = TASK_READY;
		ready_push(r->j, &t->sched);
		return STEP_WAIT;
	}
	if (!timer_heap_reserve(&r->e->timers)) {
		r->e->heap.failed = true;
		return STEP_WAIT;
	}
	t->sched.obj.state = TASK_SLEEPING;
	timer_heap_arm(&r->e->timers, &t->sched.at.timer, due);
	return STEP_WAIT;
}

static enum step sleep_checked(struct running *r, const struct op *op, gd_nsec due)
{
	struct value result = VALUE_NULL;

	/* Before the wait, as an argument of asyncio.sleep() is. */
	if (op->b != PROGRAM_NONE && !eval(r, op->b, &result))
		return STEP_RAISED;
	return sleep_until(r, due, result);
}

enum step op_sleep(struct running *r, const struct op *op)
{
	struct value      v;
	struct expr_error why;
	gd_nsec           length, due;
	bool              is_ok;

	if (!eval(r, op->a, &v))
		return STEP_RAISED;
	is_ok = duration_of_value(v, &length, &why);
	value_release(&r->e->heap, v);
	if (!is_ok)
		return raise_text(r, why.type, "%s", why.message);
	if (length <= 0)
		due = r->j->now;
	else if (__builtin_add_overflow(r->j->now, length, &due))
		due = GD_NSEC_NEVER;
	return sleep_checked(r, op, due);
}

enum step op_sleep_until(struct running *r, const struct op *op)
{
	struct value      v;
	struct expr_error why;
	gd_nsec           due;
	bool              is_ok;

	if (!eval(r, op->a, &v))
		return STEP_RAISED;
	is_ok = time_of_value(v, &due, &why);
	value_release(&r->e->heap, v);
	if (!is_ok)
		return raise_text(r, why.type, "%s", why.message);
	return sleep_checked(r, op, due);
}
