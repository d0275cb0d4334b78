/*
 * replay.h - one stored job becomes one that runs again.
 *
 * It gets its program, its start and its journaled inputs, in order; what it puts out that was
 * stored before is dropped, the rest becomes records of the open group. A program that this version
 * cannot load fails its job, with words, and nothing else; so does a journal that cannot be read, a
 * replay that takes another way than the one that is stored, and a job whose replay has ended the
 * daemon three times in a row.
 *
 * Threads: the loop's own, which owns the job. Cost: some microseconds; with a program that is not
 * in the loop's cache some tens.
 */
#ifndef GATHERD_RUN_REPLAY_H
#define GATHERD_RUN_REPLAY_H

#include "daemon/run/loop.h"

/* Errors: GD_NOMEM, GD_LIMIT; then the process must end, since half of the job may be here. */
GD_NODISCARD enum gd_err replay_job(struct loop *l, const struct store_live *stored,
                                    struct gd_error *why);

#endif
