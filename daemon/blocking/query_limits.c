/* What a query may do, and for how long. */
#include "daemon/blocking/query.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"

#include <string.h>
#include <time.h>

#define STEPS_PER_LOOK 1000 /* of SQLite's machine */
#define LENGTH_MAX (int)BLOCKING_ROWS_BYTES_MAX
#define PATTERN_BYTES_MAX 1000 /* of LIKE and GLOB, which call themselves for each wildcard */
#define PAUSE_NSEC (5 * GD_NSEC_PER_MSEC) /* between two tries to get a lock */

static int64_t now(void)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return t.tv_sec * GD_NSEC_PER_SEC + t.tv_nsec;
}

/* Other than zero ends the statement. */
static int look(void *ctx)
{
	struct query *q = ctx;

	q->is_late = q->is_late || now() > q->end;
	return q->is_late || call_is_unwanted(q->call);
}

/* Zero gives up: SQLITE_BUSY. */
static int wait_for_lock(void *ctx, int tries)
{
	struct query   *q = ctx;
	struct timespec pause = { .tv_nsec = PAUSE_NSEC };

	(void)tries;
	if (call_is_unwanted(q->call) || now() > q->patience)
		return 0;
	(void)nanosleep(&pause, NULL);
	return 1;
}

/* A closed list: what is not on it has not been thought about. */
static int authorize(void *ctx, int action, const char *a, const char *b, const char *c,
                     const char *d)
{
	(void)ctx;
	(void)a;
	(void)c;
	(void)d;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		return b != NULL && sqlite3_stricmp(b, "load_extension") == 0 ? SQLITE_DENY
		                                                              : SQLITE_OK;
	default:
		return SQLITE_DENY;
	}
}

static bool set(struct query *q, int what, int on)
{
	int is_on = !on;

	return sqlite3_db_config(q->db, what, on, &is_on) == SQLITE_OK && is_on == on;
}

/* Views count whatever the schema calls them: what is on the list cannot hold one. */
#define VIEWS_QUERY                                                                                      \
	"SELECT total(length(CAST(sql AS BLOB))) FROM sqlite_schema WHERE sql NOT LIKE 'CREATE TABLE%' " \
	"AND sql NOT LIKE 'CREATE INDEX%' AND sql NOT LIKE 'CREATE UNIQUE INDEX%' "                      \
	"AND sql NOT LIKE 'CREATE TRIGGER%' AND sql NOT LIKE 'CREATE VIRTUAL TABLE%'"

/* SQLite opens views inside views as deep as they go. In the transaction of the statement, so that it
 * finds the same ones. */
static bool check_views(struct query *q)
{
	sqlite3_stmt *stmt = NULL;
	double        bytes = -1;

	if (sqlite3_prepare_v2(q->db, VIEWS_QUERY, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		bytes = sqlite3_column_double(stmt, 0);
	else
		(void)query_fail(q);
	(void)sqlite3_finalize(stmt);
	if (bytes > BLOCKING_SQL_BYTES_MAX)
		(void)call_fail(q->call, "LimitError", "%s: more than %u bytes of views",
		                call_show(&(struct call_shown){ 0 }, q->path),
		                BLOCKING_SQL_BYTES_MAX);
	return bytes >= 0 && bytes <= BLOCKING_SQL_BYTES_MAX;
}

bool query_restrict(struct query *q)
{
	q->end = now() + BLOCKING_QUERY_SECONDS * GD_NSEC_PER_SEC;
	q->patience = now() + BLOCKING_BUSY_SECONDS * GD_NSEC_PER_SEC;
	(void)sqlite3_limit(q->db, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
	(void)sqlite3_limit(q->db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES_MAX);
	(void)sqlite3_limit(q->db, SQLITE_LIMIT_ATTACHED, 0);
	(void)sqlite3_limit(q->db, SQLITE_LIMIT_WORKER_THREADS, 0);
	sqlite3_progress_handler(q->db, STEPS_PER_LOOK, look, q);
	/* The file may be a stranger's: its schema is not trusted either. */
	if (sqlite3_busy_handler(q->db, wait_for_lock, q) != SQLITE_OK ||
	    !set(q, SQLITE_DBCONFIG_DEFENSIVE, 1) || !set(q, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0) ||
	    !set(q, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0) ||
	    sqlite3_exec(q->db,
	                 "PRAGMA query_only=1; PRAGMA cell_size_check=1; PRAGMA mmap_size=0; BEGIN",
	                 NULL, NULL, NULL) != SQLITE_OK) {
		(void)query_fail(q);
		return false;
	}
	if (!check_views(q))
		return false;
	(void)sqlite3_set_authorizer(q->db, authorize, q);
	return true;
}
