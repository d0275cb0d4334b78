/* asyncio's task.cancel(): a request that is counted, and met at the next resumption. */
#include "daemon/engine/child.h"
#include "daemon/engine/exec.h"
#include "daemon/engine/job_event.h"
#include "daemon/engine/join.h"
#include "daemon/engine/ops.h"

/* Gathers inside each other, through handles. Beyond it a cancel stops at the gather, so that a
 * chain built by a hostile job costs no stack. */
#define CANCEL_DEPTH_MAX 1000

static bool cancel_within(struct engine *e, struct job *j, struct task *t, struct value message);

/* --- counting --- */

uint32_t task_cancels(const struct task *t)
{
	return t->extra == NULL ? 0 : t->extra->cancels;
}

uint32_t task_uncancel(struct task *t)
{
	if (task_cancels(t) == 0)
		return 0;
	if (--t->extra->cancels == 0)
		t->sched.obj.flags &= (uint8_t)~TASK_MUST_CANCEL;
	return t->extra->cancels;
}

static void count_cancel(struct engine *e, struct task *t)
{
	if (t->job->program->counts_cancels && task_extra(e, t) != NULL)
		t->extra->cancels++;
}

/* --- delivery --- */

/* Takes a task out of a wait that a cancel ends at once. */
static void wake_cancelled(struct engine *e, struct job *j, struct task *t)
{
	if (t->sched.obj.state == TASK_SLEEPING)
		timer_heap_disarm(&e->timers, &t->sched.at.timer);
	if (t->sched.obj.state == TASK_LIMITED)
		join_leave_queue(join_of(t->callbacks), t);
	if (t->sched.obj.state == TASK_LISTENING)
		job_event_leave(t);
	t->sched.obj.flags |= TASK_MUST_CANCEL | TASK_WAIT_ENDED;
	if (t->sched.obj.state == TASK_EXECUTING && exec_stop_awaited(e, t))
		return; /* it is met when the command has ended */
	task_wake(j, t);
}

/* In asyncio the first message counts where it cancelled what was waited for, otherwise the last. */
static void keep_message(struct engine *e, struct task *t, struct value message)
{
	struct task_extra *x;

	if ((t->sched.obj.flags & TASK_WAIT_ENDED) || (value_is_null(message) && t->extra == NULL))
		return;
	x = task_extra(e, t);
	if (x == NULL)
		return;
	value_release(&e->heap, x->cancel_message);
	x->cancel_message = value_retain(message);
}

/* Whether what `t` waits for took the cancel, or the end of its wait is on its way. */
static bool cancel_wait(struct engine *e, struct job *j, struct task *t, struct value message)
{
	switch ((enum task_state)t->sched.obj.state) {
	case TASK_JOINING:
		if (join_of(t->waiting_on)->spec->kind == JOIN_GATHER &&
		    e->cancel_depth < CANCEL_DEPTH_MAX) {
			bool is_taken;

			e->cancel_depth++;
			is_taken = gather_cancel(e, j, join_of(t->waiting_on), message);
			e->cancel_depth--;
			return is_taken;
		}
		break; /* the others cancel no branch, or do so when the owner resumes */
	case TASK_PARENTING:
		child_stop(e, child_awaited(t), message);
		return true;
	case TASK_SLEEPING:
	case TASK_ACQUIRING:
	case TASK_LISTENING:
	case TASK_EXECUTING:
	case TASK_LIMITED:
	case TASK_HELD:
		break;
	case TASK_READY:
	case TASK_RUNNING:
	case TASK_THROWN:
	case TASK_AWAITING:
	case TASK_DONE:
		return false;
	}
	keep_message(e, t, message);
	wake_cancelled(e, j, t);
	return true;
}

/* A cancel goes to what a task awaits, and comes back with the end of that; to the innermost that
 * has not ended. */
static bool cancel_within(struct engine *e, struct job *j, struct task *t, struct value message)
{
	while (t->sched.obj.state == TASK_AWAITING) {
		struct task *on = ((struct waiter *)(void *)t->waiting_on)->on;

		if (on->sched.obj.state == TASK_DONE)
			break;
		count_cancel(e, on);
		t = on;
	}
	if (cancel_wait(e, j, t, message))
		return true;
	keep_message(e, t, message);
	t->sched.obj.flags |= TASK_MUST_CANCEL;
	return true;
}

bool task_cancel(struct engine *e, struct job *j, struct task *t, struct value message)
{
	if (t->sched.obj.state == TASK_DONE)
		return false;
	count_cancel(e, t);
	return cancel_within(e, j, t, message);
}

void task_cancel_at_suspension(struct engine *e, struct job *j, struct task *t)
{
	t->sched.obj.flags &= (uint8_t)~TASK_MUST_CANCEL;
	(void)cancel_within(e, j, t, VALUE_NULL);
}

struct value task_take_cancel(struct engine *e, struct job *j, struct task *t)
{
	struct value message = VALUE_NONE, exc;
	const char  *text = "";
	size_t       bytes = 0;

	t->sched.obj.flags &= (uint8_t) ~(TASK_MUST_CANCEL | TASK_WAIT_ENDED);
	if (t->extra != NULL) {
		message = t->extra->cancel_message;
		t->extra->cancel_message = VALUE_NONE;
	}
	if (value_is_type(message, VALUE_T_TEXT)) {
		text = value_text(message)->at;
		bytes = value_text(message)->bytes;
	}
	exc = exception_new(e, j, t, "CancelledError", text, bytes);
	value_release(&e->heap, message);
	return exc;
}

/* --- the op --- */

static bool is_handles(struct value v)
{
	if (!value_is_type(v, VALUE_T_LIST))
		return value_is_type(v, VALUE_T_TASK);
	for (uint32_t i = 0; i < value_list(v)->count; i++)
		if (!value_is_type(value_list(v)->at[i], VALUE_T_TASK))
			return false;
	return true;
}

static struct value cancel_handles(struct running *r, struct value v, struct value message)
{
	struct value_heap *h = &r->e->heap;
	struct value       out;

	if (!value_is_type(v, VALUE_T_LIST))
		return value_bool(task_cancel(r->e, r->j, task_of(v), message));
	out = value_list_new(h, value_list(v)->count);
	for (uint32_t i = 0; i < value_list(v)->count; i++) {
		struct task *t = task_of(value_list(v)->at[i]);

		out = value_list_append(h, out, value_bool(task_cancel(r->e, r->j, t, message)));
	}
	return out;
}

static bool read_message(struct running *r, const struct op *op, struct value *message)
{
	*message = VALUE_NULL;
	if (op->b == PROGRAM_NONE)
		return true;
	if (!eval(r, op->b, message))
		return false;
	if (value_is_null(*message) || value_is_type(*message, VALUE_T_TEXT))
		return true;
	value_release(&r->e->heap, *message);
	(void)raise_text(r, "TypeError", "\"message\" of \"cancel\" wants text");
	return false;
}

enum step op_cancel(struct running *r, const struct op *op)
{
	struct value v, message, out = VALUE_NONE;
	bool         is_ok;

	if (!read_message(r, op, &message))
		return STEP_RAISED;
	if (!eval(r, op->a, &v)) {
		value_release(&r->e->heap, message);
		return STEP_RAISED;
	}
	is_ok = is_handles(v);
	if (is_ok)
		out = cancel_handles(r, v, message);
	value_release(&r->e->heap, v);
	value_release(&r->e->heap, message);
	if (!is_ok)
		return raise_text(r, "TypeError",
		                  "\"cancel\" wants a task handle or a list of them");
	slot_set(r, op->dst, out);
	return STEP_NEXT;
}
