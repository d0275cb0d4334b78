/* wait: asyncio.wait() for tasks of others. It cancels nothing and raises nothing of theirs. */
#include "daemon/expr/run.h"
#include "daemon/engine/join.h"
#include "daemon/engine/ops.h"

static bool is_decisive(const struct join_run *jr, const struct task *t)
{
	unsigned flags = t->sched.obj.flags & (TASK_FAILED | TASK_CANCELLED);

	if (jr->done == jr->expected || (jr->spec->flags & JOIN_FIRST_COMPLETED))
		return true;
	return (jr->spec->flags & JOIN_FIRST_EXCEPTION) && flags == TASK_FAILED;
}

void wait_child_done(struct engine *e, struct join_run *jr, struct task *t)
{
	jr->done++;
	if ((jr->sched.obj.flags & JOIN_SETTLED) || !is_decisive(jr, t))
		return;
	jr->sched.obj.flags |= JOIN_SETTLED;
	join_disarm(e, jr);
	join_wake_owner(jr);
}

static bool is_handle_list(struct value v)
{
	if (!value_is_type(v, VALUE_T_LIST))
		return false;
	for (uint32_t i = 0; i < value_list(v)->count; i++)
		if (!value_is_type(value_list(v)->at[i], VALUE_T_TASK))
			return false;
	return true;
}

/* The handles become the join's branches; `v` is taken. */
static enum step wait_begin(struct running *r, const struct op *op, struct value v)
{
	struct join_run *jr = join_new(r, op, &r->j->program->joins[op->a]);

	if (jr == NULL) {
		value_release(&r->e->heap, v);
		return STEP_WAIT;
	}
	jr->slots = v;
	jr->count = jr->made = jr->expected = value_list(v)->count;
	jr->sched.obj.flags |= JOIN_HAS_TASKS;
	if (!join_start_timeout(r, jr) || !join_listen(r, jr)) {
		sched_release(r->e, &jr->sched);
		return r->e->heap.failed ? STEP_WAIT : STEP_RAISED;
	}
	return join_wait(r, jr);
}

enum step op_wait(struct running *r, const struct op *op)
{
	struct value v;

	if (!eval(r, r->j->program->joins[op->a].in, &v))
		return STEP_RAISED;
	if (is_handle_list(v) && value_list(v)->count > 0)
		return wait_begin(r, op, v);
	if (is_handle_list(v))
		(void)raise_text(r, "ValueError", "the list of tasks is empty");
	else
		(void)raise_text(r, "TypeError", "\"wait\" wants a list of task handles");
	value_release(&r->e->heap, v);
	return STEP_RAISED;
}

/* {done, pending} as it is now, each task once. */
static struct value sort_out(struct running *r, const struct join_run *jr)
{
	struct value_heap *h = &r->e->heap;
	struct value       done = value_list_new(h, 0), pending = value_list_new(h, 0), out;

	for (uint32_t i = 0; i < jr->count; i++) {
		struct task *t = join_task(jr, i);
		struct value handle = value_retain(value_of_obj(t));

		if (jr->waiters[i] == NULL)
			value_release(h, handle); /* it stood in the list before */
		else if (t->sched.obj.state == TASK_DONE)
			done = value_list_append(h, done, handle);
		else
			pending = value_list_append(h, pending, handle);
	}
	out = value_dict_new(h, 2);
	out = member_put(r->e, out, MEMBER_DONE, done);
	return member_put(r->e, out, MEMBER_PENDING, pending);
}

enum step wait_resume(struct running *r, const struct op *op, struct join_run *jr, struct value exc)
{
	struct value out = value_is_none(exc) ? sort_out(r, jr) : VALUE_NONE;

	jr->sched.obj.flags |= JOIN_SETTLED;
	join_disarm(r->e, jr);
	join_stop_listening(r->e, jr);
	join_leave(r, jr);
	if (!value_is_none(exc))
		return raise_value(r, exc);
	slot_set(r, op->dst, out);
	return STEP_NEXT;
}

enum step op_wait_resume(struct running *r, const struct op *op)
{
	return wait_resume(r, op, join_of(r->t->waiting_on), VALUE_NONE);
}
