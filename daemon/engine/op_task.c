#include "daemon/engine/ops.h"

/* --- create_task --- */

bool task_label(struct running *r, uint32_t x, struct value *out)
{
	struct buf *b = &r->e->scratch;

	*out = VALUE_NONE;
	if (x == PROGRAM_NONE)
		return true;
	if (!eval(r, x, out) || !must_be_sayable(r, *out, "a name"))
		return false;
	if (!value_is_type(*out, VALUE_T_TEXT)) {
		buf_clear(b);
		value_write_text(b, *out);
		value_release(&r->e->heap, *out);
		*out = value_text_new(&r->e->heap, b->at, b->bytes);
	}
	if (value_is_none(*out) || value_text(*out)->bytes <= TASK_NAME_BYTES_MAX)
		return true;
	value_release(&r->e->heap, *out);
	(void)raise_text(r, "LimitError", "the name of a task is longer than %d bytes",
	                 TASK_NAME_BYTES_MAX);
	return false;
}

struct task *task_create(struct running *r, const struct op *op, uint32_t code, struct value name)
{
	struct engine     *e = r->e;
	struct task       *t = task_new(e, r->j, code, r->t->top->slots);
	struct task_extra *x;

	x = t != NULL ? task_extra(e, t) : NULL;
	if (x == NULL) {
		value_release(&e->heap, name);
		if (t != NULL)
			task_drop(e, r->j, t);
		return NULL;
	}
	x->name = name;
	x->base = address_base(r);
	x->base_node = op->node;
	task_list(r->j, t);
	ready_push(r->j, &t->sched); /* the reference of being alive */
	t->sched.obj.refs++;
	slot_set(r, op->dst, value_of_obj(t));
	return t;
}

enum step op_create_task(struct running *r, const struct op *op)
{
	struct value name;

	if (r->j->tasks_live > JOB_TASKS_MAX)
		return raise_text(r, "LimitError", "a job may have %d live tasks", JOB_TASKS_MAX);
	if (!task_label(r, op->b, &name))
		return STEP_RAISED;
	return task_create(r, op, op->a, name) == NULL ? STEP_WAIT : STEP_NEXT;
}

/* --- await --- */

enum step outcome_of(struct running *r, struct task *t, struct value *out)
{
	if (t->sched.obj.flags & TASK_FAILED)
		return raise_value(r, value_retain(t->result));
	*out = value_retain(t->result);
	return STEP_NEXT;
}

/* Waits for one handle; STEP_NEXT when it has ended already, with the result in *out. */
static enum step await_one(struct running *r, struct value handle, struct value *out)
{
	struct task *on;

	if (!value_is_type(handle, VALUE_T_TASK))
		return raise_text(r, "TypeError",
		                  "\"await\" wants a task handle or a list of them");
	on = task_of(handle);
	if (on->sched.obj.state == TASK_DONE)
		return outcome_of(r, on, out);
	/* No circle of waits can come of it: a handle leads to a task that was made before its
	 * holder, or by one that has ended. */
	if (waiter_add(r->e, r->j, on, r->t, NULL, 0) == NULL)
		return STEP_WAIT;
	r->t->sched.obj.state = TASK_AWAITING;
	return STEP_WAIT;
}

/* Goes on with a list of handles: slot c holds it, c+1 the results so far. */
static enum step await_rest(struct running *r, const struct op *op)
{
	struct value *slots = r->t->top->slots;
	struct value  result = VALUE_NONE;

	for (;;) {
		uint32_t  i = value_list(slots[op->c + 1])->count;
		enum step step;

		if (i == value_list(slots[op->c])->count)
			break;
		step = await_one(r, value_list(slots[op->c])->at[i], &result);
		if (step != STEP_NEXT)
			return step;
		slots[op->c + 1] = value_list_append(&r->e->heap, slots[op->c + 1], result);
		if (r->e->heap.failed)
			return STEP_WAIT;
	}
	result = slots[op->c + 1];
	slots[op->c + 1] = VALUE_NONE;
	slot_set(r, op->c, VALUE_NONE);
	slot_set(r, op->dst, result);
	return STEP_NEXT;
}

enum step op_await(struct running *r, const struct op *op)
{
	struct value v, result = VALUE_NONE;
	enum step    step;

	if (!eval(r, op->a, &v))
		return STEP_RAISED;
	if (value_is_type(v, VALUE_T_LIST)) {
		slot_set(r, op->c, v);
		slot_set(r, op->c + 1u, value_list_new(&r->e->heap, value_list(v)->count));
		if (r->e->heap.failed)
			return STEP_WAIT;
		return await_rest(r, op);
	}
	slot_set(r, op->c, VALUE_NONE); /* op_await_resume() looks whether a list is under way */
	step = await_one(r, v, &result);
	value_release(&r->e->heap, v); /* the waiter keeps the task */
	if (step == STEP_NEXT)
		slot_set(r, op->dst, result);
	return step;
}

enum step op_await_resume(struct running *r, const struct op *op)
{
	struct waiter *w = (struct waiter *)(void *)r->t->waiting_on;
	struct value   result = VALUE_NONE;
	struct value  *slots = r->t->top->slots;
	enum step      step;

	r->t->waiting_on = NULL;
	step = outcome_of(r, w->on, &result);
	sched_release(r->e, &w->sched);
	if (step != STEP_NEXT)
		return step;
	if (!value_is_type(slots[op->c], VALUE_T_LIST)) {
		slot_set(r, op->dst, result);
		return STEP_NEXT;
	}
	slots[op->c + 1] = value_list_append(&r->e->heap, slots[op->c + 1], result);
	if (r->e->heap.failed)
		return STEP_WAIT;
	return await_rest(r, op);
}
