#include "daemon/engine/job_event.h"

#include "daemon/engine/ops.h"
#include "daemon/expr/run.h"

/* --- the events of a job --- */

struct events *job_events_of(struct engine *e, struct job *j)
{
	if (j->events != NULL)
		return j->events;
	j->events = slab_alloc(&e->slab, sizeof *j->events);
	if (j->events == NULL) {
		e->heap.failed = true;
		return NULL;
	}
	*j->events =
		(struct events){ .by_name = value_dict_new(&e->heap, 0), .by_key = VALUE_NONE };
	return e->heap.failed ? NULL : j->events;
}

void job_events_free(struct engine *e, struct job *j)
{
	if (j->events == NULL)
		return;
	value_release(&e->heap, j->events->by_name);
	value_release(&e->heap, j->events->by_key);
	slab_free(&e->slab, j->events, sizeof *j->events);
	j->events = NULL;
}

struct job_event *job_event_find(const struct events *all, struct value name)
{
	struct value v =
		value_dict_get(all->by_name, value_text(name)->at, value_text(name)->bytes);

	return value_is_none(v) ? NULL : (struct job_event *)(void *)value_obj(v);
}

struct job_event *job_event_named(struct engine *e, struct events *all, struct value name)
{
	struct job_event *ev = job_event_find(all, name);

	if (ev != NULL)
		return ev;
	ev = slab_alloc(&e->slab, sizeof *ev);
	if (ev == NULL) {
		e->heap.failed = true;
		return NULL;
	}
	*ev = (struct job_event){ .obj = { .refs = 1, .type = VALUE_T_EVENT },
		                  .name = value_copy(&e->heap, name),
		                  .value = VALUE_NONE };
	all->by_name =
		value_dict_put(&e->heap, all->by_name, value_retain(ev->name), value_of_obj(ev));
	return e->heap.failed ? NULL : ev;
}

/* --- who waits --- */

static void ring_add(struct job_event *ev, struct event_wait *w)
{
	w->next = ev->last != NULL ? ev->last->next : w;
	w->prev = ev->last != NULL ? ev->last : w;
	w->next->prev = w;
	w->prev->next = w;
	ev->last = w;
}

static void ring_remove(struct event_wait *w)
{
	if (w->next == NULL)
		return;
	if (w->next == w)
		w->event->last = NULL;
	else if (w->event->last == w)
		w->event->last = w->prev;
	w->prev->next = w->next;
	w->next->prev = w->prev;
	w->next = w->prev = NULL;
}

/* Tasks wait for it only where memory has ended: they are dropped next. */
void job_event_free(struct engine *e, struct job_event *ev)
{
	while (ev->last != NULL)
		ring_remove(ev->last);
	value_release(&e->heap, ev->name);
	value_release(&e->heap, ev->value);
	slab_free(&e->slab, ev, sizeof *ev);
}

static struct event_wait *wait_of(const struct task *t)
{
	CHECK(t->waiting_on != NULL && t->waiting_on->obj.type == VALUE_T_EVENT_WAIT);
	return (struct event_wait *)(void *)t->waiting_on;
}

const struct job_event *job_event_awaited(const struct task *t)
{
	return wait_of(t)->event;
}

void job_event_wake_all(struct job *j, struct job_event *ev)
{
	while (ev->last != NULL) {
		struct event_wait *first = ev->last->next;

		ring_remove(first);
		task_wake(j, first->task);
	}
}

void job_event_leave(struct task *t)
{
	ring_remove(wait_of(t));
}

void job_event_wait_free(struct engine *e, struct event_wait *w)
{
	ring_remove(w);
	slab_free(&e->slab, w, sizeof *w);
}

static enum step wait_for(struct running *r, struct job_event *ev)
{
	struct event_wait *w = slab_alloc(&r->e->slab, sizeof *w);

	if (w == NULL) {
		r->e->heap.failed = true;
		return STEP_WAIT;
	}
	*w = (struct event_wait){ .sched = { .obj = { .refs = 1, .type = VALUE_T_EVENT_WAIT } },
		                  .task = r->t,
		                  .event = ev };
	ring_add(ev, w);
	r->t->waiting_on = &w->sched;
	r->t->sched.obj.state = TASK_LISTENING;
	return STEP_WAIT;
}

/* --- the op --- */

/* False: raised. */
static bool check_name(struct running *r, struct value name)
{
	if (!value_is_type(name, VALUE_T_TEXT))
		(void)raise_text(r, "TypeError", "\"event\" wants text, the name of an event");
	else if (value_text(name)->bytes == 0)
		(void)raise_text(r, "ValueError", "the name of an event is empty");
	else if (value_text(name)->bytes > EVENT_NAME_BYTES_MAX)
		(void)raise_text(r, "LimitError",
		                 "the name of an event has %u bytes, and may have %d",
		                 (unsigned)value_text(name)->bytes, EVENT_NAME_BYTES_MAX);
	else
		return true;
	return false;
}

/* The event that the task names; NULL: raised, or heap.failed. */
static struct job_event *event_asked(struct running *r, struct value name)
{
	struct events *all;

	if (!check_name(r, name) || (all = job_events_of(r->e, r->j)) == NULL)
		return NULL;
	if (job_event_find(all, name) == NULL &&
	    value_dict(all->by_name)->count >= JOB_EVENTS_MAX) {
		(void)raise_text(r, "LimitError", "the job names more than %d different events",
		                 JOB_EVENTS_MAX);
		return NULL;
	}
	return job_event_named(r->e, all, name);
}

enum step op_event(struct running *r, const struct op *op)
{
	struct job_event *ev;
	struct value      name;

	if (!eval(r, op->a, &name))
		return STEP_RAISED;
	ev = event_asked(r, name);
	value_release(&r->e->heap, name);
	if (ev == NULL)
		return r->e->heap.failed ? STEP_WAIT : STEP_RAISED;
	if (value_is_none(ev->value))
		return wait_for(r, ev);
	slot_set(r, op->dst, value_retain(ev->value));
	return STEP_NEXT;
}

enum step op_event_resume(struct running *r, const struct op *op)
{
	struct value v = value_retain(job_event_awaited(r->t)->value);

	CHECK(!value_is_none(v));
	task_stop_waiting(r->e, r->t);
	slot_set(r, op->dst, v);
	return STEP_NEXT;
}
