#include "daemon/engine/join.h"

static void settle(struct join_run *jr)
{
	jr->sched.obj.flags |= JOIN_SETTLED;
	join_wake_owner(jr);
}

/* The object that stands for a cancelled branch under return_exceptions: asyncio loses the
 * message there, and so do we. */
static struct value without_message(struct engine *e, struct value exc)
{
	const struct vdict *d = value_dict(exc);
	struct value        out = value_dict_new(&e->heap, d->count);

	for (uint32_t i = 0; i < d->count; i++) {
		bool is_message = strcmp(value_text(d->at[i].key)->at, "message") == 0;

		out = value_dict_put(&e->heap, out, value_retain(d->at[i].key),
		                     is_message ? value_text_new(&e->heap, "", 0)
		                                : value_retain(d->at[i].value));
	}
	return out;
}

void gather_child_done(struct engine *e, struct job *j, struct join_run *jr, uint32_t index,
                       struct task *t)
{
	struct value *slot = &value_list(jr->slots)->at[index];
	struct value  old = *slot;
	unsigned      flags = t->sched.obj.flags;

	(void)j;
	jr->done++;
	join_set_ended(jr, index);
	if (jr->sched.obj.flags & JOIN_SETTLED)
		*slot = VALUE_NULL;
	else if ((flags & TASK_CANCELLED) && (jr->spec->flags & JOIN_RETURN_EXCEPTIONS))
		*slot = without_message(e, t->result);
	else
		*slot = value_retain(t->result);
	if (!(jr->sched.obj.flags & JOIN_SETTLED)) {
		/* What a cancel of the whole is raised with, as in asyncio: the last argument's. */
		if ((flags & TASK_CANCELLED) && index == jr->count - 1)
			jr->outcome = value_retain(t->result);
		if ((flags & TASK_FAILED) && !(jr->spec->flags & JOIN_RETURN_EXCEPTIONS)) {
			value_release(&e->heap, jr->outcome);
			jr->outcome = value_retain(t->result);
			jr->sched.obj.flags |= JOIN_FAILED;
			settle(jr);
		} else if (jr->done == jr->expected) {
			if (jr->sched.obj.flags & JOIN_CANCEL_REQUESTED)
				jr->sched.obj.flags |= JOIN_FAILED;
			settle(jr);
		}
	}
	value_release(&e->heap, old);
}

bool gather_cancel(struct engine *e, struct job *j, struct join_run *jr, struct value message)
{
	if ((jr->sched.obj.flags & JOIN_SETTLED) || !join_cancel_branches(e, j, jr, message))
		return false;
	jr->sched.obj.flags |= JOIN_CANCEL_REQUESTED;
	return true;
}

enum step gather_resume(struct running *r, const struct op *op, struct join_run *jr)
{
	enum step step = STEP_NEXT;

	if (jr->sched.obj.flags & JOIN_FAILED) {
		step = STEP_RAISED;
		if (value_is_none(jr->outcome))
			(void)raise_text(r, "CancelledError", "%s", "");
		else
			(void)raise_value(r, value_retain(jr->outcome));
	} else {
		slot_set(r, op->dst, join_results(r, jr));
	}
	join_leave(r, jr);
	return step;
}
