/*
 * db.h - the one SQLite connection, its kept statements, and small helpers around them.
 *
 * Every statement is bound from left to right:
 *
 *	struct bind b = db_bind(db, SQL_JOB_START);
 *
 *	bind_u64(&b, id);
 *	bind_i64(&b, time);
 *	rc = db_run(db, &b, why);
 *
 * A failing bind sticks and comes out of db_run() or db_step(). Bound texts are borrowed until the
 * statement was run. Whoever stepped a statement resets it with db_done() before anything else is
 * handed in: an open read would keep the WAL from being reused.
 *
 * Threads: one at a time (the connection has no mutex).
 */
#ifndef GATHERD_STORE_DB_H
#define GATHERD_STORE_DB_H

#include "daemon/store/statements.h"
#include "daemon/store/store.h"

#include <sqlite3.h>

struct db {
	sqlite3      *link;                 /* owned */
	sqlite3_stmt *statement[SQL_COUNT]; /* owned; NULL before db_prepare() */
	uint32_t      wal_pages; /* in the WAL and not known to be in the database file */
};

/* Opens an existing file, which may be empty, and hardens the connection; nothing is read or
 * written yet. After an error `db` is closed. Errors: GD_STORE, GD_NOMEM. */
GD_NODISCARD enum gd_err db_open(struct db *db, const char *path, struct gd_error *why);
/* For looking: no file is written or made. `has_wal`: a log with something in it lies beside the
 * file; then both must be writable all the same, for SQLite's lock. Errors: as db_open(). */
GD_NODISCARD enum gd_err db_open_to_read(struct db *db, const char *path, bool has_wal,
                                         struct gd_error *why);
/* For as long as it is open, nobody else reads or writes the file; before anything is read. */
GD_NODISCARD enum gd_err db_lock(struct db *db, struct gd_error *why);
/* WAL, a sync for each commit, no checkpoint except ours. */
GD_NODISCARD enum gd_err db_use_wal(struct db *db, struct gd_error *why);
GD_NODISCARD enum gd_err db_prepare(struct db *db, struct gd_error *why);
/* As it is: whatever the WAL holds stays there. All zero is a closed db. */
void                     db_close(struct db *db);
/* With everything in the database file and no WAL left behind, as far as the disk allows. */
void                     db_close_whole(struct db *db);

/* One or more statements without parameters. */
GD_NODISCARD enum gd_err db_exec(struct db *db, const char *sql, struct gd_error *why);
/* The first column of the first row. GD_NOT_FOUND: no row. */
GD_NODISCARD enum gd_err db_number(struct db *db, const char *sql, int64_t *out,
                                   struct gd_error *why);
/* GD_STORE or GD_NOMEM, with SQLite's words for its last error; GD_SYS when the disk, or our share
 * of it, is full. */
enum gd_err              db_fail(struct db *db, struct gd_error *why, const char *doing);
/* Whether this error of db_fail() says that there was no room. A write that failed so has left no
 * commit behind: SQLite writes the frame that makes a transaction count last. Where room is missing
 * only at the sync, SQLite says that the sync failed, and nobody knows. */
bool                     db_is_without_room(const struct gd_error *why);

struct bind {
	sqlite3_stmt *statement;
	int           at;
	int           rc; /* SQLite's; the first failure sticks */
};

struct bind db_bind(struct db *db, enum sql which);
void        bind_i64(struct bind *b, int64_t number);
void        bind_u64(struct bind *b, uint64_t number); /* below 2^63 */
void        bind_text(struct bind *b, struct text text);
void        bind_blob(struct bind *b, const void *bytes, size_t count);

/* Runs a statement that gives no row. */
GD_NODISCARD enum gd_err db_run(struct db *db, struct bind *b, struct gd_error *why);
/* The next row. *has_row false: no more, and the statement was reset. */
GD_NODISCARD enum gd_err db_step(struct db *db, struct bind *b, bool *has_row,
                                 struct gd_error *why);
void                     db_done(struct bind *b);

static inline bool db_has_changed(struct db *db)
{
	return sqlite3_changes(db->link) != 0;
}

/* Columns of the present row; what they point to lives until the next step or reset. */
static inline uint64_t row_u64(const struct bind *b, int column)
{
	return (uint64_t)sqlite3_column_int64(b->statement, column);
}
static inline int64_t row_i64(const struct bind *b, int column)
{
	return sqlite3_column_int64(b->statement, column);
}
struct text row_text(const struct bind *b, int column);
struct text row_blob(const struct bind *b, int column); /* bytes; no NUL behind them */

/* How many frames of the WAL SQLite goes by; they are moved into the database file on the way.
 * *frames is -1 where a disk without room keeps it from saying so. Errors: as db_checkpoint(). */
GD_NODISCARD enum gd_err db_wal_frames(struct db *db, int64_t *frames, struct gd_error *why);
/* Moves what the WAL holds into the database file; `mode` is SQLITE_CHECKPOINT_*. *is_whole false:
 * not all of it; the WAL is kept then and nothing is lost. Errors: GD_STORE, a sync failed, and
 * what the disk holds is not known any more. */
GD_NODISCARD enum gd_err db_checkpoint(struct db *db, int mode, bool *is_whole,
                                       struct gd_error *why);

#endif
