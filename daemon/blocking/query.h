/*
 * query.h - one statement of SQL that reads, and its rows as values.
 *
 * For sqlite_query.c, which opens the database.
 *
 * Threads: a query belongs to one, as its connection does.
 */
#ifndef GATHERD_BLOCKING_QUERY_H
#define GATHERD_BLOCKING_QUERY_H

#include "daemon/blocking/call.h"

#include <sqlite3.h>

struct query {
	struct call *call;
	sqlite3     *db;       /* borrowed */
	const char  *path;     /* for messages; borrowed */
	int64_t      end;      /* CLOCK_MONOTONIC, ns: then it has taken too long */
	int64_t      patience; /* the same, for a lock */
	size_t       bytes;    /* that the rows hold so far, each value with a fixed share */
	bool         is_late;
};

/* What SQLite says is wrong, as an OperationalError; or why we have ended it. */
struct value query_fail(struct query *q);
/* Lets nothing through but reading, and no more than there is time for. False after a failure. */
bool         query_restrict(struct query *q);
/* Runs `sql` with the list `params` (VALUE_NONE: none): the list of its rows. VALUE_NONE after a
 * failure. */
struct value query_run(struct query *q, const struct vtext *sql, struct value params);

#endif
