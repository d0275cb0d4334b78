#include "daemon/engine/join.h"
#include "daemon/value/sayable.h"

/* --- frames and tasks --- */

static size_t slots_bytes(const struct code *c)
{
	return c->slot_count * sizeof(struct value);
}

size_t frame_bytes(const struct code *c)
{
	return sizeof(struct frame) + slots_bytes(c);
}

void frame_drop_slots(struct engine *e, const struct program *p, struct frame *f)
{
	uint32_t count = p->codes[f->code].slot_count;

	for (uint32_t i = 0; i < count; i++) {
		value_release(&e->heap, f->slots[i]);
		f->slots[i] = VALUE_NONE;
	}
}

static struct task *task_make(struct engine *e, struct job *j, uint32_t code)
{
	const struct code *c = &j->program->codes[code];
	struct task       *t = slab_alloc(&e->slab, sizeof *t + slots_bytes(c));

	if (t == NULL) {
		e->heap.failed = true;
		return NULL;
	}
	t->sched =
		(struct sched){ .obj = { .refs = 1, .type = VALUE_T_TASK, .state = TASK_READY } };
	t->job = j;
	t->top = &t->frame;
	t->callbacks = NULL;
	t->result = VALUE_NONE;
	t->waiting_on = NULL;
	t->extra = NULL;
	t->index = 0;
	t->serial = ++j->serial;
	t->frame.caller = NULL;
	t->frame.code = code;
	t->frame.pc = c->first_op;
	for (uint32_t i = 0; i < c->slot_count; i++)
		t->frame.slots[i] = VALUE_NONE;
	j->tasks_live++;
	return t;
}

struct task *task_new(struct engine *e, struct job *j, uint32_t code, const struct value *from)
{
	const struct code *c = &j->program->codes[code];
	struct task       *t = task_make(e, j, code);

	for (uint32_t i = 0; t != NULL && i < c->capture_count; i++)
		t->frame.slots[i] = value_retain(from[c->captures != NULL ? c->captures[i] : i]);
	return t;
}

struct task *task_new_captured(struct engine *e, struct job *j, uint32_t code,
                               const struct value *captured)
{
	struct task *t = task_make(e, j, code);

	for (uint32_t i = 0; t != NULL && i < j->program->codes[code].capture_count; i++)
		t->frame.slots[i] = value_retain(captured[i]);
	return t;
}

void task_wake(struct job *j, struct task *t)
{
	t->sched.obj.state = TASK_READY;
	ready_push(j, &t->sched);
}

struct task_extra *task_extra(struct engine *e, struct task *t)
{
	if (t->extra != NULL)
		return t->extra;
	t->extra = slab_alloc(&e->slab, sizeof *t->extra);
	if (t->extra == NULL) {
		e->heap.failed = true;
		return NULL;
	}
	*t->extra = (struct task_extra){ .name = VALUE_NONE,
		                         .base = VALUE_NONE,
		                         .cancel_message = VALUE_NONE };
	return t->extra;
}

void task_list(struct job *j, struct task *t)
{
	t->extra->is_listed = true;
	t->extra->prev = j->made_last;
	if (j->made_last != NULL)
		j->made_last->extra->next = t;
	else
		j->made_first = t;
	j->made_last = t;
}

static void task_unlist(struct job *j, struct task *t)
{
	struct task_extra *x = t->extra;

	if (x == NULL || !x->is_listed)
		return;
	if (x->prev != NULL)
		x->prev->extra->next = x->next;
	else
		j->made_first = x->next;
	if (x->next != NULL)
		x->next->extra->prev = x->prev;
	else
		j->made_last = x->prev;
	x->is_listed = false;
}

static void frames_drop(struct engine *e, struct task *t)
{
	while (t->top != &t->frame)
		frame_pop(e, t);
	frame_drop_slots(e, t->job->program, &t->frame);
}

/* Drops the callbacks without calling them. */
void task_drop_callbacks(struct engine *e, struct task *t)
{
	struct waiter *last, *w, *next;

	if (t->callbacks == NULL)
		return;
	if (t->sched.obj.flags & TASK_OF_JOIN) {
		sched_release(e, t->callbacks);
		t->callbacks = NULL;
		return;
	}
	last = (struct waiter *)(void *)t->callbacks;
	t->callbacks = NULL;
	w = last->next;
	for (;;) {
		bool is_last = w == last;

		next = w->next;
		w->next = w->prev = NULL;
		sched_release(e, &w->sched);
		if (is_last)
			return;
		w = next;
	}
}

void task_stop_waiting(struct engine *e, struct task *t)
{
	if (t->waiting_on == NULL)
		return;
	if (t->waiting_on->obj.type == VALUE_T_JOIN)
		join_of(t->waiting_on)->owner = NULL;
	sched_release(e, t->waiting_on);
	t->waiting_on = NULL;
}

void task_drop(struct engine *e, struct job *j, struct task *t)
{
	if (t->sched.obj.state == TASK_SLEEPING)
		timer_heap_disarm(&e->timers, &t->sched.at.timer);
	t->sched.obj.refs++;
	task_drop_callbacks(e, t);
	task_stop_waiting(e, t);
	frames_drop(e, t);
	task_unlist(j, t);
	t->sched.obj.state = TASK_DONE;
	j->tasks_live--;
	sched_release(e, &t->sched); /* of being alive */
	sched_release(e, &t->sched);
}

/* The last reference has gone. */
void task_free(struct engine *e, struct task *t)
{
	const struct code *c = &t->job->program->codes[t->frame.code];

	CHECK(t->sched.obj.state == TASK_DONE);
	value_release(&e->heap, t->result);
	task_stop_waiting(e, t);
	task_drop_callbacks(e, t);
	if (t->extra != NULL) {
		value_release(&e->heap, t->extra->name);
		value_release(&e->heap, t->extra->base);
		value_release(&e->heap, t->extra->cancel_message);
		slab_free(&e->slab, t->extra, sizeof *t->extra);
	}
	slab_free(&e->slab, t, sizeof *t + slots_bytes(c));
}

/* --- the end of a task --- */

bool task_makes_events(const struct task *t)
{
	if (t->extra != NULL && !value_is_none(t->extra->name))
		return true;
	return (t->sched.obj.flags & TASK_OF_JOIN) && t->callbacks != NULL &&
	       (join_of(t->callbacks)->spec->flags & JOIN_EVENTS);
}

/* A result that is no JSON is for the job alone: others see null. */
static void put_task_event(struct engine *e, struct task *t)
{
	bool         has_failed = (t->sched.obj.flags & TASK_FAILED) != 0;
	const char  *why;
	struct value said = VALUE_NULL;

	if (has_failed)
		said = exception_said(e, t->result);
	else if (engine_unsayable(e, t->result, &why) == NULL)
		said = value_retain(t->result);
	(void)engine_put(e, t->job, has_failed ? ENGINE_TASK_FAILED : ENGINE_TASK_COMPLETED, said,
	                 t);
	value_release(&e->heap, said);
}

void task_end(struct engine *e, struct job *j, struct task *t, struct value result, unsigned flags)
{
	if (t->sched.obj.flags & TASK_HAS_PERMIT)
		join_release_permit(j, join_of(t->callbacks));
	/* The address of where it failed is in the error; of the event it is the task's own. */
	frames_drop(e, t);
	task_unlist(j, t);
	t->sched.obj.flags =
		(uint8_t)((t->sched.obj.flags & ~(TASK_HAS_PERMIT | TASK_STARTED)) | flags);
	t->sched.obj.state = TASK_DONE;
	t->result = result;
	j->tasks_live--;
	t->frame.pc = ++j->tasks_done;
	/* asyncio.run() goes on when it has gathered what it cancelled: its callback, then its own. */
	if (j->phase == JOB_SWEEPING && t->serial <= j->sweep_serial && --j->sweep_left == 0)
		j->sweep_ticks = 3;
	if (!j->program->only_job_events && t != j->main && task_makes_events(t))
		put_task_event(e, t);
	if (t->callbacks != NULL || t == j->main)
		ready_push(j, &t->sched); /* keeps the reference of being alive */
	else
		sched_release(e, &t->sched);
}

void task_run_callbacks(struct engine *e, struct job *j, struct task *t)
{
	struct waiter *last, *w, *next;

	if (t->sched.obj.flags & TASK_OF_JOIN) {
		struct join_run *jr = join_of(t->callbacks);

		t->callbacks = NULL;
		join_child_done(e, j, jr, t->index, t);
		after_sibling_done(e, j, jr, t->index, t);
		sched_release(e, &jr->sched);
	} else if (t->callbacks != NULL) {
		last = (struct waiter *)(void *)t->callbacks;
		t->callbacks = NULL;
		w = last->next;
		do {
			next = w->next;
			waiter_call(e, j, w);
			if (w == last)
				break;
			w = next;
		} while (true);
	}
	sched_release(e, &t->sched);
}
