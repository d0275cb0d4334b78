/* The modifier `timeout`: asyncio.timeout(), with the accounting of Python 3.13. */
#include "daemon/expr/duration.h"
#include "daemon/engine/ops.h"

/*      WAITING --deadline: the task is cancelled--> EXPIRING
 *         `-----------------end of the scope-----------'---> LEFT */
enum timeout_state { TIMEOUT_WAITING, TIMEOUT_EXPIRING, TIMEOUT_LEFT };

#define TIMEOUT_ARMED 1u /* obj.flags */

static void disarm(struct engine *e, struct timeout_run *tr)
{
	if (tr->sched.obj.flags & TIMEOUT_ARMED)
		timer_heap_disarm(&e->timers, &tr->sched.at.timer);
	tr->sched.obj.flags &= (uint8_t)~TIMEOUT_ARMED;
}

void timeout_leave(struct engine *e, struct timeout_run *tr)
{
	disarm(e, tr);
	tr->sched.obj.state = TIMEOUT_LEFT;
}

void timeout_free(struct engine *e, struct timeout_run *tr)
{
	disarm(e, tr);
	slab_free(&e->slab, tr, sizeof *tr);
}

void timeout_expired(struct engine *e, struct timeout_run *tr)
{
	tr->sched.obj.flags &= (uint8_t)~TIMEOUT_ARMED;
	if (tr->sched.obj.state != TIMEOUT_WAITING)
		return;
	(void)task_cancel(e, tr->job, tr->task, VALUE_NULL);
	tr->sched.obj.state = TIMEOUT_EXPIRING;
}

/* False: raised. `*is_on` is false for null: no timeout. */
static bool read_length(struct running *r, const struct op *op, gd_nsec *length, bool *is_on)
{
	struct expr_error why;
	struct value      v;
	bool              is_ok;

	if (!eval(r, op->a, &v))
		return false;
	*is_on = !value_is_null(v);
	is_ok = !*is_on || duration_of_value(v, length, &why);
	value_release(&r->e->heap, v);
	if (!is_ok)
		(void)raise_text(r, why.type, "%s", why.message);
	return is_ok;
}

static void start(struct running *r, struct timeout_run *tr)
{
	gd_nsec due;

	if (tr->length <= 0) {
		tr->sched.obj.refs++;
		ready_push(r->j, &tr->sched);
		return;
	}
	if (__builtin_add_overflow(r->j->now, tr->length, &due))
		due = GD_NSEC_NEVER;
	if (timer_arm(r->e, &tr->sched, due))
		tr->sched.obj.flags |= TIMEOUT_ARMED;
}

enum step op_timeout(struct running *r, const struct op *op)
{
	struct timeout_run *tr;
	gd_nsec             length = 0;
	bool                is_on;

	if (!read_length(r, op, &length, &is_on))
		return STEP_RAISED;
	slot_set(r, op->dst, VALUE_NONE);
	if (!is_on)
		return STEP_NEXT;
	tr = slab_alloc(&r->e->slab, sizeof *tr);
	if (tr == NULL) {
		r->e->heap.failed = true;
		return STEP_WAIT;
	}
	*tr = (struct timeout_run){
		.sched = { .obj = { .refs = 1,
		                    .type = VALUE_T_TIMEOUT,
		                    .state = TIMEOUT_WAITING } },
		.job = r->j,
		.task = r->t,
		.length = length,
		.cancels = task_cancels(r->t),
	};
	slot_set(r, op->dst, value_of_obj(tr));
	start(r, tr);
	return STEP_NEXT;
}

/* The cancel that the deadline sent is taken back; true when it is what leaves the scope. */
static bool is_timed_out(struct running *r, struct timeout_run *tr, uint32_t pair)
{
	const struct value *slots = r->t->top->slots;
	bool                has_expired = tr->sched.obj.state == TIMEOUT_EXPIRING;

	timeout_leave(r->e, tr);
	return has_expired && task_uncancel(r->t) <= tr->cancels &&
	       value_as_int(slots[pair]) == LEAVE_RAISE &&
	       exception_is(slots[pair + 1], "CancelledError");
}

enum step op_timeout_end(struct running *r, const struct op *op)
{
	struct value v = r->t->top->slots[op->dst];
	gd_nsec      length;
	bool         is_late;

	if (value_is_none(v))
		return op_leave(r, op);
	length = ((struct timeout_run *)(void *)value_obj(v))->length;
	is_late = is_timed_out(r, (struct timeout_run *)(void *)value_obj(v), op->b);
	slot_set(r, op->dst, VALUE_NONE);
	if (!is_late)
		return op_leave(r, op);
	slot_set(r, op->b + 1, VALUE_NONE);
	return raise_text(r, "TimeoutError", "not done within %.9g s", (double)length / 1e9);
}
