/*
 * child.h - child jobs, as the engine of their parent knows them.
 *
 * A task made by create_task with `loop` runs nowhere: it stands for a job of its own, on another
 * loop, and waits for its end. The engine puts out that there shall be such a job (ENGINE_SPAWN), and is
 * told once how it ended (ENGINE_CHILD_ENDED). A cancel of the task goes to the child, and comes back
 * with the child's end, as it does from a task that is awaited: a child that refuses it, and returns,
 * gives its result.
 *
 *	RUNNING --CHILD_ENDED--------------------> ENDED
 *	   `--cancel: SPAWN_STOP--> STOPPING --CHILD_ENDED--^
 *	              `--job.cancel once more: SPAWN_KILL
 *
 * Ownership: the slot of its op holds it. Private to daemon/engine/. Threads: none.
 */
#ifndef GATHERD_ENGINE_CHILD_H
#define GATHERD_ENGINE_CHILD_H

#include "daemon/engine/coro.h"

enum child_state { CHILD_RUNNING, CHILD_STOPPING, CHILD_ENDED };

#define CHILD_KILLED 1u /* claim.sched.obj.flags: said */

struct child_run {
	struct claim        claim; /* sched.obj.state: enum child_state */
	const struct child *spec;  /* in the program */
	struct value        captures, loop;
	struct value        outcome; /* what CHILD_ENDED said; VALUE_NONE before */
	gd_nsec             spawned;
};

/* --- child_run.c --- */

/* Of the running task; put out. NULL: heap.failed. What it is made of is taken. */
struct child_run *child_open(struct running *r, const struct op *op, struct value captures,
                             struct value loop);
void              child_free(struct engine *e, struct child_run *x);
/* The one that a task in TASK_PARENTING waits for. */
struct child_run *child_awaited(const struct task *t);
/* `message`: text, or null. Once: a child that is being stopped has heard it. */
void              child_stop(struct engine *e, struct child_run *x, struct value message);
/* All that are being stopped are told once more. */
void              child_kill_all(struct engine *e, struct job *j);
/* CHILD_ENDED; for one that is not there, or has ended, it came twice. */
void              child_take(struct engine *e, struct job *j, const struct engine_in *in);

#endif
