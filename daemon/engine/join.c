#include "daemon/engine/coro.h"
#include "daemon/engine/duration.h"

#include <stdlib.h>

const struct branch *join_branch(const struct program *p, const struct join *spec, uint32_t i)
{
	return &p->branches[spec->first_branch + (spec->in != PROGRAM_NONE ? 0 : i)];
}

void join_free(struct engine *e, struct join_run *jr)
{
	if (jr->sched.obj.flags & JOIN_TIMEOUT_ARMED)
		timer_heap_disarm(&e->timers, &jr->sched.at.timer);
	if (jr->prev != NULL)
		jr->prev->next = jr->next;
	else
		jr->job->joins = jr->next;
	if (jr->next != NULL)
		jr->next->prev = jr->prev;
	value_release(&e->heap, jr->slots);
	value_release(&e->heap, jr->items);
	value_release(&e->heap, jr->outcome);
	value_release(&e->heap, jr->base);
	free(jr->finished);
	slab_free(&e->slab, jr, sizeof *jr);
}

/* --- making one --- */

static bool read_limit(struct running *r, const struct join *spec, struct join_run *jr)
{
	struct value v;
	bool         is_ok;

	if (spec->limit == PROGRAM_NONE)
		return true;
	if (!eval(r, spec->limit, &v))
		return false;
	is_ok = value_type(v) == VALUE_T_INT && value_as_int(v) >= 1;
	if (is_ok)
		jr->permits =
			value_as_int(v) < UINT32_MAX ? (uint32_t)value_as_int(v) : UINT32_MAX - 1;
	value_release(&r->e->heap, v);
	if (!is_ok)
		(void)raise_text(r, "ValueError", "\"limit\" wants a whole number of at least 1");
	return is_ok;
}

static bool read_items(struct running *r, const struct join *spec, struct join_run *jr)
{
	struct value v;

	if (spec->in == PROGRAM_NONE) {
		jr->count = spec->branch_count;
		return true;
	}
	if (!eval(r, spec->in, &v))
		return false;
	jr->items = iterable_of(r, v);
	if (value_is_none(jr->items))
		return false;
	jr->count = iterable_count(jr->items);
	return true;
}

static bool start_timeout(struct running *r, const struct join *spec, struct join_run *jr)
{
	struct expr_error why;
	struct value      v;
	gd_nsec           length, due;
	bool              is_ok;

	if (spec->timeout == PROGRAM_NONE)
		return true;
	if (!eval(r, spec->timeout, &v))
		return false;
	if (value_is_null(v))
		return true;
	is_ok = duration_of_value(v, &length, &why);
	value_release(&r->e->heap, v);
	if (!is_ok) {
		(void)raise_text(r, why.type, "%s", why.message);
		return false;
	}
	if (length <= 0) {
		jr->sched.obj.refs++;
		due_push(r->j, &jr->sched);
		return true;
	}
	if (__builtin_add_overflow(r->j->now, length, &due))
		due = GD_NSEC_NEVER;
	if (!timer_heap_reserve(&r->e->timers)) {
		r->e->heap.failed = true;
		return false;
	}
	timer_heap_arm(&r->e->timers, &jr->sched.at.timer, due);
	jr->sched.obj.flags |= JOIN_TIMEOUT_ARMED;
	return true;
}

static struct join_run *join_new(struct running *r, const struct op *op, const struct join *spec)
{
	struct engine   *e = r->e;
	struct join_run *jr = slab_alloc(&e->slab, sizeof *jr);

	if (jr == NULL) {
		e->heap.failed = true;
		return NULL;
	}
	*jr = (struct join_run){
		.sched = { .obj = { .refs = 1, .type = VALUE_T_JOIN } },
		.job = r->j,
		.spec = spec,
		.next = r->j->joins,
		.slots = VALUE_NONE,
		.items = VALUE_NONE,
		.outcome = VALUE_NONE,
		.base = VALUE_NONE,
		.base_node = op->node,
		.permits = UINT32_MAX,
		.serial = ++r->j->join_serial,
	};
	if (jr->next != NULL)
		jr->next->prev = jr;
	r->j->joins = jr;
	return jr;
}

static bool join_prepare(struct running *r, const struct join *spec, struct join_run *jr)
{
	struct engine *e = r->e;

	if (!read_items(r, spec, jr) || !read_limit(r, spec, jr))
		return false;
	if ((uint64_t)jr->count + r->j->tasks_live > (uint64_t)JOB_TASKS_MAX + 1) {
		(void)raise_text(r, "LimitError", "a job may have %d live tasks", JOB_TASKS_MAX);
		return false;
	}
	jr->expected = jr->count;
	jr->slots = value_list_new(&e->heap, jr->count);
	jr->base = address_base(r);
	if (spec->kind == JOIN_AS_COMPLETED && jr->count > 0) {
		jr->finished = malloc(jr->count * sizeof *jr->finished);
		if (jr->finished == NULL)
			e->heap.failed = true;
	}
	return !e->heap.failed;
}

/* A branch that is a task already. */
static bool join_take(struct running *r, struct join_run *jr, struct task *t)
{
	jr->slots = value_list_append(&r->e->heap, jr->slots, value_retain(value_of_obj(t)));
	if (jr->spec->kind == JOIN_GATHER)
		return waiter_add(r->e, r->j, t, NULL, jr, jr->made);
	jr->sched.obj.flags |= JOIN_HAS_TASKS;
	return true;
}

/* as_completed listens to tasks only when all its branches have begun, and to each once; gather
 * listens to each in its turn. It shows where a task has ended already. */
static bool join_listen(struct running *r, struct join_run *jr)
{
	if (!(jr->sched.obj.flags & JOIN_HAS_TASKS))
		return true;
	for (uint32_t i = 0; i < jr->count; i++) {
		struct task *t = task_of(value_list(jr->slots)->at[i]);

		if (t->sched.obj.flags & TASK_OF_JOIN)
			continue;
		if (t->index == jr->serial) {
			jr->expected--;
			continue;
		}
		t->index = jr->serial;
		if (!waiter_add(r->e, r->j, t, NULL, jr, i))
			return false;
	}
	return true;
}

static bool join_spawn(struct running *r, struct join_run *jr, const struct branch *br)
{
	struct engine *e = r->e;
	struct value   label = VALUE_NONE;
	struct task   *t;

	if (br->label != PROGRAM_NONE && !eval(r, br->label, &label))
		return false;
	t = task_new(e, r->j, br->code, r->t->top->slots);
	if (t == NULL || (br->label != PROGRAM_NONE && task_extra(e, t) == NULL))
		return false;
	if (br->label != PROGRAM_NONE) {
		if (!value_is_type(label, VALUE_T_TEXT)) {
			buf_clear(&e->scratch);
			value_write_text(&e->scratch, value_has_handle(label) ? VALUE_NULL : label);
			value_release(&e->heap, label);
			label = value_text_new(&e->heap, e->scratch.at, e->scratch.bytes);
		}
		t->extra->name = label;
	}
	t->sched.obj.flags |= TASK_OF_JOIN;
	t->callbacks = &jr->sched;
	jr->sched.obj.refs++;
	t->index = jr->made;
	t->sched.obj.refs++;
	jr->slots = value_list_append(&e->heap, jr->slots, value_of_obj(t));
	ready_push(r->j, &t->sched);
	return true;
}

static bool join_make_one(struct running *r, struct join_run *jr)
{
	const struct join   *spec = jr->spec;
	const struct branch *br = join_branch(r->j->program, spec, jr->made);
	struct value         v;
	struct task         *t;

	if (spec->in != PROGRAM_NONE)
		slot_set(r, spec->var, iterable_at(&r->e->heap, jr->items, jr->made));
	/* Behind a limit every branch is a coroutine of its own, as `async with` would be. */
	if (br->await == PROGRAM_NONE || spec->limit != PROGRAM_NONE)
		return join_spawn(r, jr, br);
	if (!eval(r, br->await, &v))
		return false;
	if (!value_is_type(v, VALUE_T_TASK)) {
		value_release(&r->e->heap, v);
		return join_spawn(r, jr, br);
	}
	t = task_of(v);
	if (t->sched.obj.flags & TASK_OF_JOIN)
		CHECK_NEVER("a handle of a branch");
	if (!join_take(r, jr, t)) {
		value_release(&r->e->heap, v);
		return false;
	}
	value_release(&r->e->heap, v);
	return true;
}

/* What was begun before an error in making the rest must not run: not started, it never will. */
static enum step join_abandon(struct running *r, struct join_run *jr)
{
	jr->sched.obj.flags |= JOIN_SETTLED;
	for (uint32_t i = 0; !value_is_none(jr->slots) && i < value_list(jr->slots)->count; i++) {
		struct value v = value_list(jr->slots)->at[i];

		if (value_is_type(v, VALUE_T_TASK) && (task_of(v)->sched.obj.flags & TASK_OF_JOIN))
			(void)task_cancel(r->e, r->j, task_of(v), VALUE_NULL);
	}
	sched_release(r->e, &jr->sched);
	return r->e->heap.failed ? STEP_WAIT : STEP_RAISED;
}

static enum step join_wait(struct running *r, const struct op *op, struct join_run *jr)
{
	if (jr->spec->kind == JOIN_AS_COMPLETED) {
		slot_set(r, op->dst, value_of_obj(jr)); /* takes the reference */
		return STEP_NEXT;
	}
	r->t->waiting_on = &jr->sched; /* takes the reference */
	if (jr->count == 0)
		return op_join_resume(r, op);
	jr->owner = r->t;
	r->t->sched.obj.state = TASK_JOINING;
	return STEP_WAIT;
}

enum step op_join(struct running *r, const struct op *op)
{
	const struct join *spec = &r->j->program->joins[op->a];
	struct join_run   *jr = (struct join_run *)(void *)r->t->waiting_on;

	if (jr == NULL) {
		jr = join_new(r, op, spec);
		if (jr == NULL)
			return STEP_WAIT;
		if (!join_prepare(r, spec, jr))
			return join_abandon(r, jr);
	}
	r->t->waiting_on = NULL;
	for (; jr->made < jr->count; jr->made++) {
		if (--r->e->left < 0) {
			r->t->waiting_on = &jr->sched;
			return STEP_PREEMPT;
		}
		if (!join_make_one(r, jr))
			return join_abandon(r, jr);
		if (r->e->heap.failed)
			return STEP_WAIT;
	}
	if (spec->in != PROGRAM_NONE) {
		slot_set(r, spec->var, VALUE_NONE);
		value_release(&r->e->heap, jr->items);
		jr->items = VALUE_NONE;
	}
	if (!join_listen(r, jr) || !start_timeout(r, spec, jr))
		return join_abandon(r, jr);
	return join_wait(r, op, jr);
}

/* --- limit --- */

bool join_acquire(struct job *j, struct join_run *jr, struct task *t)
{
	(void)j;
	if (jr->permits == UINT32_MAX)
		return true;
	if (jr->permits == 0) {
		t->sched.obj.state = TASK_LIMITED;
		return false;
	}
	jr->permits--;
	t->sched.obj.flags |= TASK_HAS_PERMIT;
	return true;
}

/* Branches ask in the order of their index, once each, so the first in line is the next index
 * that waits: no queue is needed. */
void join_release_permit(struct engine *e, struct job *j, struct join_run *jr)
{
	const struct vlist *list = value_list(jr->slots);

	(void)e;
	jr->permits++;
	for (; jr->next_limited < list->count; jr->next_limited++) {
		struct value v = list->at[jr->next_limited];
		struct task *t;

		if (!value_is_type(v, VALUE_T_TASK))
			continue;
		t = task_of(v);
		if (t->sched.obj.state == TASK_READY &&
		    !(t->sched.obj.flags & (TASK_STARTED | TASK_HAS_PERMIT | TASK_MUST_CANCEL)))
			return; /* it has not asked yet */
		if (t->sched.obj.state != TASK_LIMITED)
			continue;
		jr->permits--;
		t->sched.obj.flags |= TASK_HAS_PERMIT;
		t->sched.obj.state = TASK_READY;
		ready_push(j, &t->sched);
		jr->next_limited++;
		return;
	}
}
