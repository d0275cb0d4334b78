#include "daemon/expr/duration.h"
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

/* Before the wait, as an argument of asyncio.sleep() is. False: raised. */
static bool eval_result(struct running *r, const struct op *op, struct value *result)
{
	*result = VALUE_NULL;
	return op->b == PROGRAM_NONE || eval(r, op->b, result);
}

enum step op_sleep(struct running *r, const struct op *op)
{
	struct value      v, result;
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
	return eval_result(r, op, &result) ? sleep_until(r, due, result) : STEP_RAISED;
}

/* Until the wall shows the time, whoever sets it meanwhile. */
enum step op_sleep_until(struct running *r, const struct op *op)
{
	struct value      v, result;
	struct expr_error why;
	gd_nsec           until, due;
	bool              is_ok;

	if (!eval(r, op->a, &v))
		return STEP_RAISED;
	is_ok = time_of_value(v, &until, &why);
	value_release(&r->e->heap, v);
	if (!is_ok)
		return raise_text(r, why.type, "%s", why.message);
	if (!eval_result(r, op, &result))
		return STEP_RAISED;
	due = wall_due(&r->e->wall, r->j->now, until);
	if (due <= r->j->now)
		return sleep_until(r, due, result);
	r->t->result = result;
	if (timer_arm_wall(r->e, &r->t->sched, due))
		r->t->sched.obj.state = TASK_SLEEPING;
	return STEP_WAIT;
}

enum step op_sleep_resume(struct running *r, const struct op *op)
{
	struct value result = r->t->result;

	r->t->result = VALUE_NONE;
	slot_set(r, op->dst, result);
	return STEP_NEXT;
}
