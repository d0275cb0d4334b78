#include "daemon/engine/coro.h"

/* --- waiters --- */

bool waiter_add(struct engine *e, struct job *j, struct task *on, struct task *awaiter,
                struct join_run *join, uint32_t index)
{
	struct waiter *w = slab_alloc(&e->slab, sizeof *w);
	struct waiter *last;

	if (w == NULL) {
		e->heap.failed = true;
		return false;
	}
	*w = (struct waiter){
		.sched = { .obj = { .refs = 1, .type = VALUE_T_WAITER } },
		.on = on,
		.awaiter = awaiter,
		.join = join,
		.index = index,
	};
	on->sched.obj.refs++;
	if (join != NULL)
		join->sched.obj.refs++;
	if (awaiter != NULL) {
		awaiter->waiting_on = &w->sched;
		w->sched.obj.refs++;
	}
	if (on->sched.obj.state == TASK_DONE) {
		/* As a callback added to a finished future: called in the next tick, on its own. */
		ready_push(j, &w->sched);
		return true;
	}
	CHECK(!(on->sched.obj.flags & TASK_OF_JOIN));
	last = (struct waiter *)(void *)on->callbacks;
	w->next = last != NULL ? last->next : w;
	if (last != NULL)
		last->next = w;
	on->callbacks = &w->sched;
	return true;
}

/* Without a stop for the budget: the callbacks behind this one must not run in its middle. */
static void step_whole(struct engine *e, struct job *j, struct task *t)
{
	int64_t left = e->left;

	e->left = INT64_MAX;
	task_step(e, j, t);
	e->left = left - (INT64_MAX - e->left);
}

void waiter_call(struct engine *e, struct job *j, struct waiter *w)
{
	struct task *awaiter = w->awaiter;

	if (w->join != NULL)
		join_child_done(e, j, w->join, w->index, w->on);
	else if (awaiter != NULL && awaiter->waiting_on == &w->sched)
		step_whole(e, j, awaiter);
	sched_release(e, &w->sched);
}

void waiter_free(struct engine *e, struct waiter *w)
{
	sched_release(e, &w->on->sched);
	if (w->join != NULL)
		sched_release(e, &w->join->sched);
	slab_free(&e->slab, w, sizeof *w);
}

/* --- create_task --- */

enum step op_create_task(struct running *r, const struct op *op)
{
	struct engine     *e = r->e;
	struct value       name = VALUE_NONE;
	struct task       *t;
	struct task_extra *x;

	if (r->j->tasks_live > JOB_TASKS_MAX)
		return raise_text(r, "LimitError", "a job may have %d live tasks", JOB_TASKS_MAX);
	if (op->b != PROGRAM_NONE && !eval(r, op->b, &name))
		return STEP_RAISED;
	if (!value_is_none(name) && !value_is_type(name, VALUE_T_TEXT)) {
		buf_clear(&e->scratch);
		if (value_has_handle(name)) {
			value_release(&e->heap, name);
			return raise_text(r, "TypeError", "a task handle cannot be a name");
		}
		value_write_text(&e->scratch, name);
		value_release(&e->heap, name);
		name = value_text_new(&e->heap, e->scratch.at, e->scratch.bytes);
	}
	t = task_new(e, r->j, op->a, r->t->top->slots);
	x = t != NULL ? task_extra(e, t) : NULL;
	if (x == NULL) {
		value_release(&e->heap, name);
		return STEP_WAIT;
	}
	x->name = name;
	x->base = address_base(r);
	x->base_node = op->node;
	task_list(r->j, t);
	ready_push(r->j, &t->sched); /* the reference of being alive */
	t->sched.obj.refs++;
	slot_set(r, op->dst, value_of_obj(t));
	return STEP_NEXT;
}

/* --- await --- */

/* Raises what `t` ended with, or gives its result. */
static enum step outcome_of(struct running *r, struct task *t, struct value *out)
{
	if (t->sched.obj.flags & TASK_FAILED)
		return raise_value(r, value_retain(t->result));
	*out = value_retain(t->result);
	return STEP_NEXT;
}

/* True when `t` waits, directly or through others, for `target`. */
static bool awaits(const struct task *t, const struct task *target)
{
	while (t != target) {
		if (t->sched.obj.state != TASK_AWAITING)
			return false;
		t = ((const struct waiter *)(const void *)t->waiting_on)->on;
	}
	return true;
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
	if (awaits(on, r->t))
		return raise_text(r, "RuntimeError",
		                  "these tasks would wait for each other for ever");
	if (!waiter_add(r->e, r->j, on, r->t, NULL, 0))
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

/* --- cancel --- */

/* Takes a task out of a wait that a cancel ends at once. */
static void wake_cancelled(struct engine *e, struct job *j, struct task *t)
{
	if (t->sched.obj.state == TASK_SLEEPING)
		timer_heap_disarm(&e->timers, &t->sched.at.timer);
	t->sched.obj.flags |= TASK_MUST_CANCEL;
	t->sched.obj.state = TASK_READY;
	ready_push(j, &t->sched);
}

static void keep_message(struct engine *e, struct task *t, struct value message, bool is_replaced)
{
	struct task_extra *x;

	if (value_is_null(message) && (t->extra == NULL || !is_replaced))
		return;
	x = task_extra(e, t);
	if (x == NULL || (!value_is_none(x->cancel_message) && !is_replaced))
		return;
	value_release(&e->heap, x->cancel_message);
	x->cancel_message = value_retain(message);
}

bool task_cancel(struct engine *e, struct job *j, struct task *t, struct value message)
{
	struct join_run *jr;
	bool             is_taken = false;

	switch ((enum task_state)t->sched.obj.state) {
	case TASK_DONE:
		return false;
	case TASK_AWAITING:
		/* The cancel goes to what it awaits; the end of that brings it back. */
		is_taken = task_cancel(e, j, ((struct waiter *)(void *)t->waiting_on)->on, message);
		break;
	case TASK_JOINING:
		jr = (struct join_run *)(void *)t->waiting_on;
		if (jr->spec->kind == JOIN_GATHER) {
			is_taken = join_cancel(e, j, jr, message);
			break;
		}
		/* as_completed: the consumer alone is cancelled, its branches go on. */
		keep_message(e, t, message, false);
		wake_cancelled(e, j, t);
		return true;
	case TASK_SLEEPING:
	case TASK_LIMITED:
		keep_message(e, t, message, false);
		wake_cancelled(e, j, t);
		return true;
	case TASK_READY:
	case TASK_RUNNING:
		break;
	}
	if (is_taken)
		return true;
	/* Not started yet: the last message counts, as in asyncio. */
	keep_message(e, t, message, !(t->sched.obj.flags & TASK_STARTED));
	t->sched.obj.flags |= TASK_MUST_CANCEL;
	return true;
}

static bool cancel_value(struct running *r, struct value v, struct value message, struct value *out)
{
	struct value_heap *h = &r->e->heap;

	if (value_is_type(v, VALUE_T_TASK)) {
		*out = value_bool(task_cancel(r->e, r->j, task_of(v), message));
		return true;
	}
	if (!value_is_type(v, VALUE_T_LIST))
		return false;
	for (uint32_t i = 0; i < value_list(v)->count; i++)
		if (!value_is_type(value_list(v)->at[i], VALUE_T_TASK))
			return false;
	*out = value_list_new(h, value_list(v)->count);
	for (uint32_t i = 0; i < value_list(v)->count; i++)
		*out = value_list_append(
			h, *out,
			value_bool(
				task_cancel(r->e, r->j, task_of(value_list(v)->at[i]), message)));
	return true;
}

enum step op_cancel(struct running *r, const struct op *op)
{
	struct value v, out = VALUE_NONE, message = VALUE_NULL;
	bool         is_ok;

	if (op->b != PROGRAM_NONE && !eval(r, op->b, &message))
		return STEP_RAISED;
	if (!value_is_null(message) && !value_is_type(message, VALUE_T_TEXT)) {
		value_release(&r->e->heap, message);
		return raise_text(r, "TypeError", "\"message\" of \"cancel\" wants text");
	}
	if (!eval(r, op->a, &v)) {
		value_release(&r->e->heap, message);
		return STEP_RAISED;
	}
	is_ok = cancel_value(r, v, message, &out);
	value_release(&r->e->heap, v);
	value_release(&r->e->heap, message);
	if (!is_ok)
		return raise_text(r, "TypeError",
		                  "\"cancel\" wants a task handle or a list of them");
	slot_set(r, op->dst, out);
	return STEP_NEXT;
}
