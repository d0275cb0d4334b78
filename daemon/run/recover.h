/*
 * recover.h - what is stored becomes what runs again, by replay.
 *
 * Every job that is not over gets its program, its start and its journaled inputs, in order; what
 * it puts out that was stored before is dropped, the rest becomes records of the first group.
 * A program that this version cannot load fails its job, with words, and nothing else; so does a
 * journal that cannot be read, a replay that takes another way than the one that is stored, and a
 * job whose replay has ended the daemon three times in a row. Semaphores
 * are built from what the jobs ask for and were granted; pool_start() goes on from there.
 *
 * Threads: the main thread, before store_start() and pool_start(). Cost: no commit, no sync; some
 * microseconds a job.
 */
#ifndef GATHERD_RUN_RECOVER_H
#define GATHERD_RUN_RECOVER_H

#include "daemon/run/pool.h"

/* `*count` is how many jobs run again. Errors: those of store_each_live(); GD_NOMEM, GD_LIMIT. */
GD_NODISCARD enum gd_err recover_jobs(struct pool *p, uint64_t *count, struct gd_error *why);

#endif
