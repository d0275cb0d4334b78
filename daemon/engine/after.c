/* The modifier `after`: a branch that begins when its siblings are done. */
#include "daemon/engine/join.h"

static const struct branch *branch_of(const struct join_run *jr, const struct task *t)
{
	return join_branch(jr->job->program, jr->spec, t->index);
}

/* How many of its siblings are done is kept in its result until it begins. */
static uint32_t met(const struct task *t)
{
	return value_is_int48(t->result) ? (uint32_t)value_as_int(t->result) : 0;
}

bool after_is_met(struct join_run *jr, struct task *t)
{
	if (!(jr->spec->flags & JOIN_HAS_AFTER) || met(t) == branch_of(jr, t)->after_count) {
		t->result = VALUE_NONE;
		return true;
	}
	t->sched.obj.state = TASK_HELD;
	return false;
}

/* The siblings are done: the branch begins, or fails with the error of one. */
static void release(struct job *j, struct task *t, enum task_state state)
{
	bool is_queued = t->sched.obj.state != TASK_HELD;

	if (!is_queued)
		task_wake(j, t);
	t->sched.obj.state = (uint8_t)state;
}

static void tell(struct engine *e, struct job *j, struct join_run *jr, struct task *t,
                 const struct after *a, struct task *sibling)
{
	const struct branch *br = branch_of(jr, t);

	if (sibling->sched.obj.flags & TASK_FAILED) {
		t->result = value_retain(sibling->result);
		release(j, t, TASK_THROWN);
		return;
	}
	if (a->slot != PROGRAM_NONE) {
		value_release(&e->heap, t->frame.slots[a->slot]);
		t->frame.slots[a->slot] = value_retain(sibling->result);
	}
	t->result = value_int(&e->heap, met(t) + 1);
	if (met(t) == br->after_count && t->sched.obj.state == TASK_HELD)
		release(j, t, TASK_READY);
}

/* One branch has ended; its dependents, in order. */
static void tell_dependents(struct engine *e, struct job *j, struct join_run *jr, uint32_t index,
                            struct task *sibling)
{
	const struct program *p = j->program;
	const struct branch  *br = join_branch(p, jr->spec, index);

	for (uint32_t i = 0; i < br->dependent_count; i++) {
		uint32_t            d = p->dependents[br->first_dependent + i];
		struct task        *t;
		const struct after *a;

		if (join_has_ended(jr, d))
			continue;
		t = join_task(jr, d);
		if ((t->sched.obj.state != TASK_HELD && t->sched.obj.state != TASK_READY) ||
		    (t->sched.obj.flags & (TASK_STARTED | TASK_MUST_CANCEL)))
			continue; /* cancelled, or it has failed already */
		a = &p->afters[join_branch(p, jr->spec, d)->first_after];
		while (a->branch != index)
			a++;
		tell(e, j, jr, t, a, sibling);
	}
}

bool after_listen(struct running *r, struct join_run *jr)
{
	if (!(jr->spec->flags & JOIN_HAS_AFTER) || jr->waiters == NULL)
		return true;
	for (uint32_t i = 0; i < jr->count; i++) {
		struct waiter *w = jr->waiters[i];

		if (w == NULL || w->on->sched.obj.state != TASK_DONE)
			continue;
		w->sched.obj.flags |= WAITER_NO_AFTER;
		w = waiter_add(r->e, r->j, w->on, NULL, jr, i);
		if (w == NULL)
			return false;
		w->sched.obj.flags |= WAITER_ONLY_AFTER;
	}
	return true;
}

void after_sibling_done(struct engine *e, struct job *j, struct join_run *jr, uint32_t index,
                        struct task *t)
{
	/* A task of others may stand for several branches, and was listened to once. */
	bool is_shared = !(t->sched.obj.flags & TASK_OF_JOIN) && jr->spec->kind != JOIN_GATHER;

	if (!(jr->spec->flags & JOIN_HAS_AFTER))
		return;
	if (!is_shared) {
		tell_dependents(e, j, jr, index, t);
		return;
	}
	for (uint32_t i = 0; i < jr->count; i++) {
		struct value v = value_list(jr->slots)->at[i];

		if (i == index || (value_is_type(v, VALUE_T_TASK) && task_of(v) == t))
			tell_dependents(e, j, jr, i, t);
	}
}
