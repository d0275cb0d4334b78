/*
 * backup.h - a copy of the database, made while it is in use.
 *
 * The writer copies some pages between two commits, through SQLite's backup interface on its own
 * connection: what a commit changes in pages that were copied already goes into the copy too, so the
 * copy is one moment, that of its end, and no commit makes it begin again. A thread of its own then
 * checks the copy (integrity_check, rows against counts), sums it up, syncs it and gives it its name;
 * only then can it be read.
 *
 *	NONE --begin--> COPYING --last page--> CHECKING --sound--> READY --end--> NONE
 *	                    `------- fails -------`----> FAILED --begin, end--> NONE
 *
 * The copy lies in the state directory, the one place that a confined daemon may write to
 * (DIR/backup.new, then DIR/backup.db), and its reader carries it away in pieces. There is one at a
 * time. One that nobody asks for any more is dropped, and so is what an earlier run has left.
 *
 * Threads: everything on the writer's, but for the check itself.
 */
#ifndef GATHERD_STORE_BACKUP_H
#define GATHERD_STORE_BACKUP_H

#include "daemon/store/state_dir.h"
#include "daemon/store/store.h"

#include <pthread.h>
#include <sqlite3.h>

#define BACKUP_FILE "backup.db"
#define BACKUP_UNBORN "backup.new"
#define BACKUP_PIECE_BYTES_MAX (1u << 20)

struct backup {
	struct backup_state now;
	gd_nsec             touched; /* when it was last asked for; monotonic */
	sqlite3            *link;    /* COPYING: of the copy; owned */
	sqlite3_backup     *copy;    /* COPYING; owned */
	int                 fd;      /* READY: of the copy; owned; the check's until then */
	struct gd_error     why;     /* FAILED */

	/* The check's. */
	const struct state_dir *dir;
	pthread_t               thread;
	bool                    has_thread;
	atomic_bool             is_over;      /* the thread has only to be joined */
	atomic_bool             is_abandoned; /* it should end soon */
	enum gd_err             verdict;      /* this and the rest: when is_over */
	struct gd_error         check_why;
	uint64_t                bytes;
	uint64_t                sum;
};

/* All zero is a backup that is NONE. Removes what an earlier run has left. */
void backup_clean(const struct state_dir *dir);
/* Back to NONE; waits for the check to end. Before the database is closed. */
void backup_drop(struct backup *b, const struct state_dir *dir);

/* Whether there is something to copy, and the copying of up to `pages` of it. */
bool backup_is_copying(const struct backup *b);
void backup_copy(struct backup *b, const struct state_dir *dir, int pages);
/* Whether nobody has asked for it for so long that it may go. */
bool backup_is_forgotten(const struct backup *b);

/* Answers a read of kind READ_BACKUP. Errors: GD_CONFLICT (another one is under way), GD_LIMIT
 * (no room for it), GD_NOT_FOUND (no such backup), GD_STORE (it failed), GD_SYS, GD_NOMEM. */
GD_NODISCARD enum gd_err backup_answer(struct backup *b, const struct state_dir *dir,
                                       sqlite3 *source, struct store_read *r, struct gd_error *why);

/* backup_check.c: the thread. */
GD_NODISCARD enum gd_err backup_check_start(struct backup *b, const struct state_dir *dir,
                                            struct gd_error *why);
/* CHECKING: has it ended? Then it is READY or FAILED. */
void                     backup_check_look(struct backup *b);
void                     backup_check_stop(struct backup *b); /* waits */

#endif
