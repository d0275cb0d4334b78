/*
 * last_commit.h - what was acknowledged last, remembered beside the database.
 *
 * A database cannot know that it is older than it was: an old backup in its place, or a write-ahead
 * log that was removed or cut, opens without a complaint. So DIR/gatherd.last says which database
 * this directory had, and how many commits of it were durable; a start compares the two. It is
 * written after a commit was durable and before anybody is told, so it is never ahead of the truth.
 *
 * What it can tell. After a stop, clean or by a signal (kill -9 included): everything that was
 * acknowledged, exactly, since each commit is noted. After a power cut: what was acknowledged until
 * the last note that had reached the disk; notes are synced at quiet moments, before checkpoints and
 * at the end, not with each commit. It cannot tell when the whole directory, this file with it, is
 * put back to an earlier state, or when the file is removed.
 *
 * Two slots of one sector each are written in turn, with a checksum, so a torn write leaves the one
 * before.
 *
 *	magic "gdlast1\0" | commits u64 | next job u64 | uuid 36 bytes | zero 4 | sum u64
 *
 * numbers little-endian; the sum (proto/base/sum.h) is of all before it.
 *
 * Cost: a write of 512 bytes into the page cache for each commit. Threads: none; the writer's.
 */
#ifndef GATHERD_STORE_LAST_COMMIT_H
#define GATHERD_STORE_LAST_COMMIT_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define LAST_COMMIT_FILE "gatherd.last"
#define LAST_COMMIT_UUID_CHARS 36

struct last_commit {
	char     uuid[LAST_COMMIT_UUID_CHARS + 1];
	uint64_t commits; /* durable */
	uint64_t next_job;
};

enum last_commit_found { LAST_COMMIT_NONE, LAST_COMMIT_KNOWN, LAST_COMMIT_DAMAGED };

/* What the directory remembers; `out` is filled for LAST_COMMIT_KNOWN. Errors: GD_SYS. */
GD_NODISCARD enum gd_err last_commit_read(int dir_fd, struct last_commit *out,
                                          enum last_commit_found *found, struct gd_error *why);

/* GD_STORE, in words, when the database that has `now` is not the one that `last` tells of, or is
 * older. */
GD_NODISCARD enum gd_err last_commit_compare(const struct last_commit *last,
                                             const struct last_commit *now, const char *database,
                                             struct gd_error *why);

struct last_commit_file {
	int  fd;        /* owned; -1: closed */
	bool is_synced; /* what was noted last is on the disk */
};

/* Opens the file for notes, makes it where there is none, and notes `now`, synced. Errors: GD_SYS.
 * After an error `f` is closed. */
GD_NODISCARD enum gd_err last_commit_open(struct last_commit_file *f, int dir_fd,
                                          const struct last_commit *now, struct gd_error *why);
/* Neither can fail the daemon: the note before stays, and a start then sees less. */
void last_commit_note(struct last_commit_file *f, const struct last_commit *now);
void last_commit_sync(struct last_commit_file *f);
void last_commit_close(struct last_commit_file *f); /* syncs */

#endif
