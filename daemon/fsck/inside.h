/*
 * inside.h - a check under way, as its own files see it.
 *
 * Threads: none.
 */
#ifndef GATHERD_FSCK_INSIDE_H
#define GATHERD_FSCK_INSIDE_H

#include "daemon/fsck/fsck.h"
#include "daemon/store/db.h"
#include "daemon/store/state_dir.h"

struct fsck {
	FILE            *out;      /* borrowed */
	struct state_dir dir;      /* locked */
	struct db        db;       /* open for reading, without prepared statements */
	uint64_t         problems; /* all of them */
	uint64_t         of_kind;  /* since fsck_begin() */
	const char      *state;    /* where to ask for the numbers of the last commit */
};

/* One line of how things are. */
void fsck_say(struct fsck *f, const char *fmt, ...) GD_PRINTF(2, 3);
/* Begins a kind of problem; fsck_end() tells how many of it were not shown. */
void fsck_begin(struct fsck *f);
void fsck_problem(struct fsck *f, const char *fmt, ...) GD_PRINTF(2, 3);
void fsck_end(struct fsck *f);

/* A statement of our own. False: a
 * problem was told, and *out is NULL. To be finalized by the caller. */
bool        fsck_ask(struct fsck *f, const char *sql, sqlite3_stmt **out);
/* The next row. False: no more, or the file cannot be read on, which was told. */
bool        fsck_row(struct fsck *f, sqlite3_stmt *ask);
/* The first number of the first row, 0 without one. */
int64_t     fsck_number(struct fsck *f, const char *sql);
/* An older schema lacks some. */
bool        fsck_has_table(struct fsck *f, const char *name);
struct text fsck_text(sqlite3_stmt *ask, int column);

/* fsck_rows.c: numbers, keys, labels */
void                     fsck_rows(struct fsck *f);
/* fsck_jobs.c: what recovery will read */
GD_NODISCARD enum gd_err fsck_jobs(struct fsck *f, struct gd_error *why);
/* fsck_clock.c */
void                     fsck_clock(struct fsck *f);
/* fsck_output.c */
GD_NODISCARD enum gd_err fsck_output(struct fsck *f, struct gd_error *why);
/* fsck_events.c */
void                     fsck_events(struct fsck *f);

#endif
