#include "daemon/expr/duration.h"
#include "daemon/engine/join.h"
#include "daemon/engine/ops.h"

#include <stdlib.h>

const struct branch *join_branch(const struct program *p, const struct join *spec, uint32_t i)
{
	return &p->branches[spec->first_branch + (spec->in != PROGRAM_NONE ? 0 : i)];
}

void join_disarm(struct engine *e, struct join_run *jr)
{
	if (jr->sched.obj.flags & JOIN_TIMEOUT_ARMED)
		timer_heap_disarm(&e->timers, &jr->sched.at.timer);
	jr->sched.obj.flags &= (uint8_t)~JOIN_TIMEOUT_ARMED;
}

void join_free(struct engine *e, struct join_run *jr)
{
	join_disarm(e, jr);
	if (jr->prev != NULL)
		jr->prev->next = jr->next;
	else
		jr->job->joins = jr->next;
	if (jr->next != NULL)
		jr->next->prev = jr->prev;
	value_release(&e->heap, jr->slots);
	value_release(&e->heap, jr->items);
	value_release(&e->heap, jr->outcome);
	value_release(&e->heap, jr->errors);
	value_release(&e->heap, jr->base);
	free(jr->finished);
	free(jr->waiters);
	if (jr->ended != &jr->ended_few)
		free(jr->ended);
	slab_free(&e->slab, jr, sizeof *jr);
}

/* --- making one --- */

static bool read_limit(struct running *r, struct join_run *jr)
{
	struct value v;
	bool         is_ok;

	if (jr->spec->limit == PROGRAM_NONE)
		return true;
	if (!eval(r, jr->spec->limit, &v))
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

static bool read_items(struct running *r, struct join_run *jr)
{
	struct value v;

	if (jr->spec->in == PROGRAM_NONE) {
		jr->count = jr->spec->branch_count;
		return true;
	}
	if (!eval(r, jr->spec->in, &v))
		return false;
	jr->items = iterable_of(r, v);
	if (value_is_none(jr->items))
		return false;
	jr->count = iterable_count(jr->items);
	return true;
}

bool join_start_timeout(struct running *r, struct join_run *jr)
{
	struct expr_error why;
	struct value      v;
	gd_nsec           length, due;
	bool              is_ok;

	if (jr->spec->timeout == PROGRAM_NONE)
		return true;
	if (!eval(r, jr->spec->timeout, &v))
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
	if (!timer_arm(r->e, &jr->sched, due))
		return false;
	jr->sched.obj.flags |= JOIN_TIMEOUT_ARMED;
	return true;
}

struct join_run *join_new(struct running *r, const struct op *op, const struct join *spec)
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
		.errors = VALUE_NONE,
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

bool join_reserve(struct running *r, struct join_run *jr)
{
	bool has_order = jr->spec->kind == JOIN_AS_COMPLETED || jr->spec->kind == JOIN_RACE;

	jr->expected = jr->count;
	jr->slots = value_list_new(&r->e->heap, jr->count);
	jr->ended =
		jr->count <= 64 ? &jr->ended_few : calloc(jr->count / 64 + 1, sizeof *jr->ended);
	if (jr->ended == NULL)
		r->e->heap.failed = true;
	if (has_order && jr->count > 0) {
		jr->finished = malloc(jr->count * sizeof *jr->finished);
		if (jr->finished == NULL)
			r->e->heap.failed = true;
	}
	return !r->e->heap.failed;
}

static bool join_prepare(struct running *r, struct join_run *jr)
{
	if (!read_items(r, jr) || !read_limit(r, jr))
		return false;
	if ((uint64_t)jr->count + r->j->tasks_live > (uint64_t)JOB_TASKS_MAX + 1) {
		(void)raise_text(r, "LimitError", "a job may have %d live tasks", JOB_TASKS_MAX);
		return false;
	}
	if (jr->spec->kind == JOIN_RACE && jr->count == 0) {
		(void)raise_text(r, "ValueError", "a race needs a branch");
		return false;
	}
	jr->base = address_base(r);
	return join_reserve(r, jr);
}

/* A branch that is a task already. */
static bool join_take(struct running *r, struct join_run *jr, struct task *t)
{
	jr->slots = value_list_append(&r->e->heap, jr->slots, value_retain(value_of_obj(t)));
	jr->sched.obj.flags |= JOIN_HAS_TASKS;
	if (jr->spec->kind == JOIN_GATHER || jr->spec->kind == JOIN_SHIELD)
		return join_listen_to(r, jr, jr->made);
	return true;
}

void join_adopt(struct running *r, struct join_run *jr, struct task *t)
{
	t->sched.obj.flags |= TASK_OF_JOIN;
	t->callbacks = &jr->sched;
	jr->sched.obj.refs++;
	t->sched.obj.refs++;
	jr->slots = value_list_append(&r->e->heap, jr->slots, value_of_obj(t));
	ready_push(r->j, &t->sched);
}

static bool join_spawn(struct running *r, struct join_run *jr, const struct branch *br)
{
	struct value label;
	struct task *t;

	if (!task_label(r, br->label, &label))
		return false;
	t = task_new(r->e, r->j, br->code, r->t->top->slots);
	if (t == NULL || (!value_is_none(label) && task_extra(r->e, t) == NULL)) {
		value_release(&r->e->heap, label);
		if (t != NULL)
			task_drop(r->e, r->j, t);
		return false;
	}
	if (!value_is_none(label))
		t->extra->name = label;
	t->index = jr->made;
	join_adopt(r, jr, t);
	return true;
}

/* Whether a branch that is exactly {"await": handle} is that task. Behind a limit every branch is a
 * coroutine of its own, as `async with` would be; and a task group starts coroutines only. */
static bool may_be_task(const struct join *spec, const struct branch *br)
{
	return br->await != PROGRAM_NONE && spec->limit == PROGRAM_NONE &&
	       spec->kind != JOIN_TASK_GROUP;
}

static bool join_make_one(struct running *r, struct join_run *jr)
{
	const struct join   *spec = jr->spec;
	const struct branch *br = join_branch(r->j->program, spec, jr->made);
	struct value         v;
	bool                 is_ok;

	if (spec->in != PROGRAM_NONE)
		slot_set(r, spec->var, iterable_at(&r->e->heap, jr->items, jr->made));
	if (!may_be_task(spec, br))
		return join_spawn(r, jr, br);
	if (!eval(r, br->await, &v))
		return false;
	if (value_is_type(v, VALUE_T_TASK)) {
		CHECK(!(task_of(v)->sched.obj.flags & TASK_OF_JOIN)); /* nobody has its handle */
		is_ok = join_take(r, jr, task_of(v));
	} else {
		is_ok = join_spawn(r, jr, br);
	}
	value_release(&r->e->heap, v);
	return is_ok;
}

/* What was begun before an error in making the rest must not run: not started, it never will. */
enum step join_abandon(struct running *r, struct join_run *jr)
{
	jr->sched.obj.flags |= JOIN_SETTLED;
	for (uint32_t i = 0; !value_is_none(jr->slots) && i < value_list(jr->slots)->count; i++)
		if (join_task(jr, i)->sched.obj.flags & TASK_OF_JOIN)
			(void)task_cancel(r->e, r->j, join_task(jr, i), VALUE_NULL);
	sched_release(r->e, &jr->sched);
	return r->e->heap.failed ? STEP_WAIT : STEP_RAISED;
}

/* The running task waits for it; takes a reference that the caller has. */
enum step join_wait(struct running *r, struct join_run *jr)
{
	r->t->waiting_on = &jr->sched;
	jr->owner = r->t;
	r->t->sched.obj.state = TASK_JOINING;
	return STEP_WAIT;
}

/* All branches have begun. */
static enum step join_begin(struct running *r, const struct op *op, struct join_run *jr)
{
	switch (jr->spec->kind) {
	case JOIN_AS_COMPLETED:
		slot_set(r, op->dst, value_of_obj(jr)); /* takes the reference */
		return STEP_NEXT;
	case JOIN_GATHER:
	case JOIN_TASK_GROUP:
		if (jr->count > 0)
			break;
		r->t->waiting_on = &jr->sched; /* takes the reference */
		return op_join_resume(r, op);
	case JOIN_SHIELD:
		if (join_task(jr, 0)->sched.obj.state != TASK_DONE)
			break;
		r->t->waiting_on = &jr->sched;
		return shield_done(r, op, jr);
	case JOIN_RACE:
	case JOIN_WAIT:
		break;
	}
	return join_wait(r, jr);
}

enum step op_join(struct running *r, const struct op *op)
{
	const struct join *spec = &r->j->program->joins[op->a];
	struct join_run   *jr = r->t->waiting_on == NULL ? NULL : join_of(r->t->waiting_on);

	if (jr == NULL) {
		jr = join_new(r, op, spec);
		if (jr == NULL)
			return STEP_WAIT;
		if (!join_prepare(r, jr))
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
	if (!join_listen(r, jr) || !after_listen(r, jr) || !join_start_timeout(r, jr))
		return join_abandon(r, jr);
	return join_begin(r, op, jr);
}

enum step op_join_resume(struct running *r, const struct op *op)
{
	struct join_run *jr = join_of(r->t->waiting_on);

	switch (jr->spec->kind) {
	case JOIN_GATHER:
		return gather_resume(r, op, jr);
	case JOIN_TASK_GROUP:
		return task_group_resume(r, op, jr, VALUE_NONE);
	case JOIN_RACE:
		return race_resume(r, op, jr, VALUE_NONE);
	case JOIN_SHIELD:
		return shield_resume(r, op, jr);
	case JOIN_AS_COMPLETED:
	case JOIN_WAIT:
		break;
	}
	CHECK_NEVER("this join has an op of its own");
}

/* --- while it is under way --- */

void join_wake_owner(struct join_run *jr)
{
	if (jr->owner != NULL && jr->owner->sched.obj.state == TASK_JOINING)
		task_wake(jr->job, jr->owner);
}

void join_leave(struct running *r, struct join_run *jr)
{
	r->t->waiting_on = NULL;
	jr->owner = NULL;
	sched_release(r->e, &jr->sched);
}

bool join_cancel_branches(struct engine *e, struct job *j, struct join_run *jr,
                          struct value message)
{
	bool is_taken = false;

	for (uint32_t i = 0; i < value_list(jr->slots)->count; i++)
		if (!join_has_ended(jr, i) && task_cancel(e, j, join_task(jr, i), message))
			is_taken = true;
	return is_taken;
}

struct value join_results(struct running *r, struct join_run *jr)
{
	const struct vlist *list = value_list(jr->slots);
	struct value        out;

	if (!(jr->spec->flags & JOIN_OBJECT)) {
		out = jr->slots;
		jr->slots = VALUE_NONE;
		return out;
	}
	out = value_dict_new(&r->e->heap, list->count);
	for (uint32_t i = 0; i < list->count; i++)
		out = value_dict_put(&r->e->heap, out,
		                     value_retain(join_branch(r->j->program, jr->spec, i)->name),
		                     value_retain(list->at[i]));
	return out;
}

void join_child_done(struct engine *e, struct job *j, struct join_run *jr, uint32_t index,
                     struct task *t)
{
	switch (jr->spec->kind) {
	case JOIN_GATHER:
		gather_child_done(e, j, jr, index, t);
		break;
	case JOIN_AS_COMPLETED:
		as_completed_child_done(e, jr, index);
		break;
	case JOIN_TASK_GROUP:
		task_group_child_done(e, j, jr, index, t);
		break;
	case JOIN_RACE:
		race_child_done(jr, index, t);
		break;
	case JOIN_SHIELD:
		join_set_ended(jr, index);
		join_wake_owner(jr);
		break;
	case JOIN_WAIT:
		wait_child_done(e, jr, t);
		break;
	}
}

void join_timed_out(struct engine *e, struct join_run *jr)
{
	jr->sched.obj.flags &= (uint8_t)~JOIN_TIMEOUT_ARMED;
	if (jr->done == jr->expected)
		return;
	jr->sched.obj.flags |= JOIN_TIMED_OUT;
	if (jr->spec->kind == JOIN_AS_COMPLETED && !(jr->spec->flags & JOIN_HAS_AFTER))
		join_stop_listening(e, jr);
	join_wake_owner(jr);
}
