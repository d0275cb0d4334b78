/*
 * state_dir.h - the state directory: who may use it, and what lies in it.
 *
 *	DIR/lock            locked for as long as a daemon lives; holds its process id
 *	DIR/gatherd.db      the database, never seen half-made
 *	DIR/gatherd.db-wal  its write-ahead log
 *	DIR/gatherd.last    what was acknowledged last (last_commit.h)
 *	DIR/backup.new      a copy that is being made or checked (backup.h)
 *	DIR/backup.db       a copy that is whole and waits for its reader
 *	DIR/output          what commands have printed, of jobs that are kept (output.h)
 *	DIR/runner          gatherd-runner's: what runs, and its output meanwhile
 *	DIR/gatherd.db.new  a database that is being made; it gets its name when it is whole
 *
 * Nothing that is found is ever overwritten: what does not look like ours is refused in words.
 * Database files are only opened here while SQLite has none of them open, since closing one would
 * drop SQLite's own lock.
 */
#ifndef GATHERD_STORE_STATE_DIR_H
#define GATHERD_STORE_STATE_DIR_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_PATH_BYTES 4096

struct state_dir {
	int  dir_fd;  /* owned; -1: none */
	int  lock_fd; /* owned; -1: none */
	char database[STATE_PATH_BYTES];
	char wal[STATE_PATH_BYTES];
	char unborn[STATE_PATH_BYTES]; /* gatherd.db.new */
};

/* Makes the directory (0700, not its parents) and takes the lock. Errors: GD_CONFLICT (the holder's
 * process id is in the words), GD_SYS. After an error `d` is closed. */
GD_NODISCARD enum gd_err state_dir_open(struct state_dir *d, const char *path,
                                        struct gd_error *why);
/* The same for somebody who only looks: nothing is made or written, not even the process id. */
GD_NODISCARD enum gd_err state_dir_open_to_read(struct state_dir *d, const char *path,
                                                struct gd_error *why);
void                     state_dir_close(struct state_dir *d);
/* Whether there is a database. GD_STORE when what is there cannot be one of ours. */
GD_NODISCARD enum gd_err state_dir_look(const struct state_dir *d, bool *has_database,
                                        struct gd_error *why);
/* An empty `unborn`, mode 0600, in place of what a killed start may have left. */
GD_NODISCARD enum gd_err state_dir_conceive(const struct state_dir *d, struct gd_error *why);
/* Gives `unborn` its name, durably. */
GD_NODISCARD enum gd_err state_dir_bear(const struct state_dir *d, struct gd_error *why);
/* DIR/name; `room` is at least STATE_PATH_BYTES and what `name` needs. */
void     state_dir_path(const struct state_dir *d, const char *name, char *out, size_t room);
uint64_t state_dir_bytes(const char *path); /* 0: not there */

#endif
