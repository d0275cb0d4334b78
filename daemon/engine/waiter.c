#include "daemon/engine/join.h"

struct waiter *waiter_add(struct engine *e, struct job *j, struct task *on, struct task *awaiter,
                          struct join_run *join, uint32_t index)
{
	struct waiter *w = slab_alloc(&e->slab, sizeof *w);
	struct waiter *last;

	if (w == NULL) {
		e->heap.failed = true;
		return NULL;
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
		return w;
	}
	CHECK(!(on->sched.obj.flags & TASK_OF_JOIN));
	last = (struct waiter *)(void *)on->callbacks;
	w->next = last != NULL ? last->next : w;
	w->prev = last != NULL ? last : w;
	w->next->prev = w;
	w->prev->next = w;
	on->callbacks = &w->sched;
	return w;
}

void waiter_remove(struct engine *e, struct waiter *w)
{
	if (w->next == NULL)
		return; /* called, or about to be */
	if (w->next == w)
		w->on->callbacks = NULL;
	else if (w->on->callbacks == &w->sched)
		w->on->callbacks = &w->prev->sched;
	w->prev->next = w->next;
	w->next->prev = w->prev;
	w->next = w->prev = NULL;
	sched_release(e, &w->sched);
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

	w->next = w->prev = NULL;
	if (w->join != NULL) {
		if (!(w->sched.obj.flags & WAITER_ONLY_AFTER))
			join_child_done(e, j, w->join, w->index, w->on);
		if (!(w->sched.obj.flags & WAITER_NO_AFTER))
			after_sibling_done(e, j, w->join, w->index, w->on);
	} else if (awaiter != NULL && awaiter->waiting_on == &w->sched)
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
