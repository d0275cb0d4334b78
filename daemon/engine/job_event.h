/*
 * job_event.h - the events of a job: what was said to it from outside, and which tasks wait for that.
 *
 * An event is what asyncio's Event is, with a value: it is set by the first signal, stays set, and
 * has the value of the latest one. Who waits for one that is set goes on in the same tick; a signal
 * wakes the others in the order in which they came.
 *
 *      nobody has named it --wait, or signal--> UNSET --signal--> SET --signal--> SET (a newer value)
 *
 * Ownership: a job has a struct events from the first name on, and frees it at its end, when no
 * task is left to wait. A wait belongs to its task (waiting_on, counted) and is in the ring of its
 * event until it is woken or cancelled. Private to daemon/engine/. Threads: none.
 * Cost: a wait O(1) and some 50 bytes; a signal O(who waits for it).
 */
#ifndef GATHERD_ENGINE_JOB_EVENT_H
#define GATHERD_ENGINE_JOB_EVENT_H

#include "daemon/engine/coro.h"

struct event_wait;

struct job_event {
	struct vobj        obj;
	struct value       name;
	struct value       value; /* of the latest signal; VALUE_NONE: not set */
	struct event_wait *last;  /* of the ring of those that wait; NULL: none */
};

struct event_wait {
	struct sched       sched; /* never in a queue or heap; what task->waiting_on points to */
	struct event_wait *prev, *next; /* in the ring; NULL: in none any more */
	struct task       *task;        /* borrowed: it cannot end while it waits */
	struct job_event  *event;       /* borrowed: it stays as long as the job */
};

struct events {
	struct value by_name; /* dict: name -> struct job_event */
	struct value by_key;  /* dict: key of a signal -> [name, value] */
	uint32_t     signals; /* so far */
	size_t       bytes;   /* that their values took, also those that are gone */
};

/* --- job_event.c --- */

/* Those of a job, made when there are none. NULL: heap.failed. */
struct events          *job_events_of(struct engine *e, struct job *j);
void                    job_events_free(struct engine *e, struct job *j);
struct job_event       *job_event_find(const struct events *all, struct value name);
/* The same, made when there is none. NULL: heap.failed. */
struct job_event       *job_event_named(struct engine *e, struct events *all, struct value name);
void                    job_event_free(struct engine *e, struct job_event *ev);
void                    job_event_wait_free(struct engine *e, struct event_wait *w);
/* Who waits for it goes on, in the order of waiting. */
void                    job_event_wake_all(struct job *j, struct job_event *ev);
/* Task `t`, in TASK_LISTENING, waits no longer: a cancel will meet it. */
void                    job_event_leave(struct task *t);
/* What it waits for. */
const struct job_event *job_event_awaited(const struct task *t);

/* --- signal.c --- */

/* ENGINE_SIGNAL, and what it says. */
void signal_take(struct engine *e, struct job *j, struct value signal);

#endif
