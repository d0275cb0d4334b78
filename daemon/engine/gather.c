#include "daemon/engine/coro.h"

static void settle(struct job *j, struct join_run *jr)
{
	jr->sched.obj.flags |= JOIN_SETTLED;
	if (jr->owner != NULL && jr->owner->sched.obj.state == TASK_JOINING) {
		jr->owner->sched.obj.state = TASK_READY;
		ready_push(j, &jr->owner->sched);
	}
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

	if (jr->sched.obj.flags & JOIN_SETTLED)
		*slot = VALUE_NULL;
	else if ((flags & TASK_CANCELLED) && (jr->spec->flags & JOIN_RETURN_EXCEPTIONS))
		*slot = without_message(e, t->result);
	else
		*slot = value_retain(t->result);
	if (!(jr->sched.obj.flags & JOIN_SETTLED)) {
		if ((flags & TASK_FAILED) && !(jr->spec->flags & JOIN_RETURN_EXCEPTIONS)) {
			jr->outcome = value_retain(t->result);
			jr->sched.obj.flags |= JOIN_FAILED;
			settle(j, jr);
		} else if (jr->done == jr->expected) {
			if (jr->sched.obj.flags & JOIN_CANCEL_REQUESTED)
				jr->sched.obj.flags |= JOIN_FAILED;
			settle(j, jr);
		}
	}
	value_release(&e->heap, old);
}

bool join_cancel(struct engine *e, struct job *j, struct join_run *jr, struct value message)
{
	bool is_taken = false;

	if (jr->sched.obj.flags & JOIN_SETTLED)
		return false;
	for (uint32_t i = 0; i < value_list(jr->slots)->count; i++) {
		struct value v = value_list(jr->slots)->at[i];

		if (value_is_type(v, VALUE_T_TASK) && task_cancel(e, j, task_of(v), message))
			is_taken = true;
	}
	if (is_taken)
		jr->sched.obj.flags |= JOIN_CANCEL_REQUESTED;
	return is_taken;
}

static struct value gather_object(struct engine *e, const struct program *p, struct join_run *jr)
{
	const struct vlist *list = value_list(jr->slots);
	struct value        out = value_dict_new(&e->heap, list->count);

	for (uint32_t i = 0; i < list->count; i++)
		out = value_dict_put(&e->heap, out, value_retain(join_branch(p, jr->spec, i)->name),
		                     value_retain(list->at[i]));
	return out;
}

enum step op_join_resume(struct running *r, const struct op *op)
{
	struct join_run *jr = (struct join_run *)(void *)r->t->waiting_on;
	struct value     out;
	enum step        step = STEP_NEXT;

	r->t->waiting_on = NULL;
	jr->owner = NULL;
	if (jr->sched.obj.flags & JOIN_FAILED) {
		step = STEP_RAISED;
		if (value_is_none(jr->outcome))
			(void)raise_text(r, "CancelledError", "%s", "");
		else
			(void)raise_value(r, value_retain(jr->outcome));
	} else if (jr->spec->flags & JOIN_OBJECT) {
		slot_set(r, op->dst, gather_object(r->e, r->j->program, jr));
	} else {
		out = jr->slots;
		jr->slots = VALUE_NONE;
		slot_set(r, op->dst, out);
	}
	sched_release(r->e, &jr->sched);
	return step;
}
