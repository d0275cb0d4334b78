/*
 * fsck.h - a state directory, read by nobody but us, and told in words.
 *
 * Offline and read only: it holds the lock of the directory meanwhile, so that no daemon starts on
 * it, and leaves every file as it was, byte for byte. A line that begins with "problem:" is
 * something that gatherd would refuse, lose or stumble over; all others say how things are. Of each
 * kind the first FSCK_SHOWN_MAX are told one by one.
 *
 * Looked at: the lock, the files, the write-ahead log frame by frame (audit.h), what was acknowledged
 * last (last_commit.h), the version of the schema, SQLite's own integrity_check, counts against rows,
 * keys, labels, the specs, arguments and journaled inputs of jobs that are not over, every event, and what
 * commands have printed.
 *
 * Cost: one pass over the database, and one compilation of each distinct spec. Threads: none.
 */
#ifndef GATHERD_FSCK_FSCK_H
#define GATHERD_FSCK_FSCK_H

#include "proto/base/err.h"

#include <stdint.h>
#include <stdio.h>

#define FSCK_SHOWN_MAX 20u

/* GD_OK: it was looked at; `*problems` says how much was found. Errors: GD_CONFLICT (a daemon has
 * the directory), GD_SYS (it cannot be read), GD_NOMEM. */
GD_NODISCARD enum gd_err fsck_run(const char *dir, FILE *out, uint64_t *problems,
                                  struct gd_error *why);

#endif
