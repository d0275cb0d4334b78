#include "daemon/engine/duration.h"
#include "daemon/engine/ops.h"

enum step sleep_until(struct running *r, gd_nsec due, struct value result)
{
	struct task *t = r->t;

	t->result = result;
	if (due <= r->j->now) {
		task_wake(r->j, t);
		return STEP_WAIT;
	}
	if (timer_arm(r->e, &t->sched, due))
		t->sched.obj.state = TASK_SLEEPING;
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

enum step op_sleep_resume(struct running *r, const struct op *op)
{
	struct value result = r->t->result;

	r->t->result = VALUE_NONE;
	slot_set(r, op->dst, result);
	return STEP_NEXT;
}
