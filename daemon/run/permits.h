/*
 * permits.h - between the engines and the semaphores of the process.
 *
 * An engine's ACQUIRE or RELEASE is told to the semaphores when everything that it rests on is
 * durable; a timer that caused it needs no record, it fires in every replay. A grant comes back to
 * the job's loop as a message, is journaled there and fed. One that a crash forgets was never seen,
 * and is decided again.
 *
 *	engine --ACQUIRE, RELEASE--> open group --durable--> semaphores
 *	  ^                                                      |
 *	  `------ ENGINE_GRANT, journaled <------ inbox <--------'
 *
 * Memory that ends here ends the process: see loop_step().
 */
#ifndef GATHERD_RUN_PERMITS_H
#define GATHERD_RUN_PERMITS_H

#include "daemon/run/loop.h"

/* `out` is an ACQUIRE or a RELEASE. On the loop's thread; in recovery it is told at once. */
void permits_apply(struct loop *l, const struct engine_out *out);
/* A semaphores_grant_fn; `pool` is the struct pool. */
void permits_grant(void *pool, uint64_t job, uint32_t ticket, gd_nsec time);

/* The job is gone, with all its claims. */
void permits_forget(struct loop *l, uint64_t job, gd_nsec time);

#endif
