/*
 * recover.h - what is stored becomes what runs again, while everybody is served.
 *
 * Each loop reads the jobs that live on it from the store, a page at a time, and replays them in
 * slices of a few milliseconds between its turns. What is read from the store is answered at once;
 * what is for a job that was not replayed yet waits for it, in order.
 *
 *	READING --page--> REPLAYING --last page--> MINE_DONE --durable, and so for all loops--> over
 *	    ^                 |
 *	    `-----next page---'
 *
 * Until all loops have come to the end, no timer fires and no permit is granted: then overdue
 * deadlines of all jobs of a loop are served in their order, and a permit goes only to who asked
 * first of all. Jobs that are submitted meanwhile start, and rest at their first wait.
 *
 * Loops replay side by side, unless a job is suspected of having ended the last daemon: then one
 * after the other.
 *
 * Ownership: a loop owns its part until that is over. Threads: recover_open() and recover_begin()
 * on the main thread before there are others, the rest on the loop's own. Cost: no commit of its
 * own, no sync; some microseconds a job.
 */
#ifndef GATHERD_RUN_RECOVER_H
#define GATHERD_RUN_RECOVER_H

#include "daemon/run/pool.h"

/* For recover_defers(): not one job but all of them, on all loops. */
#define RECOVER_ALL UINT64_MAX

/* After pool_use_store(): reads the semaphores, and from now on every loop has stored jobs that it
 * lacks. Errors: those of store_each_semaphore(); GD_NOMEM. */
GD_NODISCARD enum gd_err recover_open(struct pool *p, struct gd_error *why);
/* After store_start(), before pool_start(). */
void                     recover_begin(struct pool *p);

/* Jobs that are still to be replayed; 0: it is over, and what came of it is durable. Any thread. */
uint64_t recover_left(const struct pool *p);

/* True: `job` was not replayed yet, and `m` runs on this loop when it was. False: nothing is in the
 * way. When the daemon stops before, `m` runs then, and recover_was_cut() is true. Memory that ends
 * here ends the process. */
bool recover_defers(struct loop *l, uint64_t job, struct inbox_msg *m);
bool recover_was_cut(const struct loop *l, uint64_t job);

/* For loop.c. One slice, while l->recovery is there; true: there is more to do at once. */
bool recover_slice(struct loop *l);
/* The loop stops: what waits is let go, nothing more is replayed. */
void recover_cut(struct loop *l);
void recover_close(struct loop *l);

#endif
