/*
 * thread_pool.h - threads for calls that block, and the one queue in front of them.
 *
 * Tasks are intrusive: whoever hands one in embeds a struct thread_task in what it hands in, and keeps
 * it alive until `done` was called or the task was recalled. They begin in the order of the queue,
 * each as soon as a thread is free; one that blocks holds up its own thread only.
 *
 * A burst costs one wake-up: whoever hands in wakes a thread when none is on its way, and each thread
 * that finds more than it can do wakes the next. So the lock is held for a few stores, and a system
 * call is made for a sleeping thread, not for a task.
 *
 * The queue has no bound of its own: it is made of its tasks, and those who hand them in have theirs.
 *
 * Threads: any may call, but for thread_pool_stop() and thread_pool_close(). All threads of a pool are
 * there from the start, with THREAD_POOL_STACK_BYTES of stack each, and take no signals.
 */
#ifndef GATHERD_EFFECT_THREAD_POOL_H
#define GATHERD_EFFECT_THREAD_POOL_H

#include "proto/base/clock.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define THREAD_POOL_THREADS_MAX 1024u
/* What a thread usually has. A query may take a third of it, see BLOCKING_SQL_BYTES_MAX; what is not
 * touched costs no memory. */
#define THREAD_POOL_STACK_BYTES (8u << 20)

struct thread_pool;

struct thread_task {
	struct thread_task *next; /* the pool's, as the next two */
	struct thread_task *prev;
	bool                is_waiting;
	/* On a thread of the pool. */
	void (*work)(struct thread_task *t);
	/* On the same thread, after: passes it on, e.g. to the inbox of a loop. The pool does not touch
	 * `t` any more. */
	void (*done)(struct thread_task *t);
};

struct thread_pool_counts {
	uint32_t threads;
	uint32_t running; /* tasks whose `work` or `done` is under way */
	uint32_t waiting;
};

/* With 1 to THREAD_POOL_THREADS_MAX threads. Errors: GD_NOMEM, GD_SYS (a thread that the system does
 * not give). */
GD_NODISCARD enum gd_err thread_pool_open(uint32_t threads, struct thread_pool **out,
                                          struct gd_error *why);

/* Sets all of the task but `work` and `done`. O(1). */
void thread_pool_run(struct thread_pool *p, struct thread_task *t);
/* True: it had not begun, never will, and is the caller's again. False: it has begun, so `done` was or
 * will be called, in which case too `t` must still be there. O(1). */
bool thread_pool_recall(struct thread_pool *p, struct thread_task *t);

struct thread_pool_counts thread_pool_count(struct thread_pool *p);

/* No task begins any more, those that come later included; the ones that run get `patience` to end,
 * and their `done` is called as ever. How many still run then: nobody can end those, so that nothing
 * that they use may be freed before the process ends. After the return no `done` is called; what has
 * waited is its owners'. */
uint32_t thread_pool_stop(struct thread_pool *p, gd_nsec patience);
/* After thread_pool_stop(), when nobody calls anything here any more. NULL is allowed. */
void     thread_pool_close(struct thread_pool *p);

#endif
