/*
 * apply.h - the engine's outputs become records of the open group.
 *
 * Each output is rendered once, as the members of its event; everybody who reads it later gets
 * these bytes. A job that starts and ends within one group is written once, finished.
 *
 * Memory that ends here ends the process: see loop_step(). Threads: the loop's own.
 */
#ifndef GATHERD_RUN_APPLY_H
#define GATHERD_RUN_APPLY_H

#include "daemon/run/loop.h"

void apply_outs(struct loop *l);
/* The event job.queued, ordinal 0. */
void apply_queued(struct loop *l, uint64_t job, gd_nsec time);
/* Why a job cannot be replayed. */
enum quarantine_reason {
	QUARANTINE_SPEC,             /* this version does not take its stored spec or arguments */
	QUARANTINE_JOURNAL,          /* what is stored of it is not what this version can read */
	QUARANTINE_NONDETERMINISTIC, /* its replay takes another way than it took */
	QUARANTINE_CRASH             /* its replay ends the daemon */
};
/* The job is over: failed, with an error that says why. Nothing more of it runs; what it holds of
 * semaphores goes to others. It need not be among the live ones. `last_ordinal` is that of its last
 * stored event. */
void apply_quarantine(struct loop *l, uint64_t job, uint32_t last_ordinal,
                      enum quarantine_reason reason, const char *words);
/* The members that every event begins with: time (by the wall), job, kind. */
void apply_begin_body(struct loop *l, struct buf *b, uint64_t job, enum event_kind kind,
                      gd_nsec time);
/* Seconds since the epoch, as short as they are exact: 1893456000.25 */
void apply_write_time(struct buf *b, gd_nsec time);

#endif
