/*
 * rollback.c - whether the database is the one that was here last, or an older one.
 *
 * Asked before anything is written, so that a database that is refused stays as it was. One that is
 * older and taken all the same gets a new identity: cursors and ids of the time that was lost mean
 * nothing in it, and clients can see that. Ids go on well above those that may have been given out.
 */
#include "daemon/store/inside.h"
#include "daemon/store/schema.h"

#include <string.h>

#define ROLLBACK_JOB_IDS 1000000 /* more than were given out since the last note that we know */

struct last_commit store_last_commit(const struct store *s)
{
	struct last_commit now = { .commits = s->row.commits, .next_job = s->row.next_job };

	memcpy(now.uuid, s->uuid, sizeof now.uuid);
	return now;
}

/* The columns are of other ages: `commits` in `state` is as old as the file beside it, and a database
 * without it is older than any note. */
static enum gd_err look(struct store *s, struct last_commit *now, struct gd_error *why)
{
	static const char *const questions[] = {
		"SELECT uuid, 0 FROM state",
		"SELECT uuid, commits FROM state",
		"SELECT uuid, now.commits FROM state, " SQL_STATE_NOW " AS now",
	};
	int64_t       places = 0;
	sqlite3_stmt *ask;
	enum gd_err   rc = db_number(&s->db, SCHEMA_COMMITS_PLACES, &places, why);

	if (rc != GD_OK)
		return rc;
	if (sqlite3_prepare_v2(s->db.link, questions[places], -1, &ask, NULL) != SQLITE_OK)
		return db_fail(&s->db, why, s->dir.database);
	if (sqlite3_step(ask) == SQLITE_ROW) {
		now->commits = (uint64_t)sqlite3_column_int64(ask, 1);
		if (sqlite3_column_bytes(ask, 0) == STORE_UUID_CHARS)
			memcpy(now->uuid, sqlite3_column_text(ask, 0), STORE_UUID_CHARS);
	} else {
		rc = gd_fail(why, GD_STORE, "%s lacks its state row; restore it from a backup",
		             s->dir.database);
	}
	(void)sqlite3_finalize(ask);
	return rc;
}

enum gd_err rollback_check(struct store *s, bool is_accepted, struct last_commit *last,
                           bool *is_older, struct gd_error *why)
{
	enum last_commit_found found;
	struct last_commit     now = { 0 };
	enum gd_err            rc = last_commit_read(s->dir.dir_fd, last, &found, why);

	*is_older = false;
	if (rc != GD_OK || found == LAST_COMMIT_NONE)
		return rc;
	rc = look(s, &now, why);
	if (rc != GD_OK)
		return rc;
	if (found == LAST_COMMIT_DAMAGED) {
		*last = (struct last_commit){ 0 };
		rc = gd_fail(
			why, GD_STORE,
			"%s beside %s is damaged, so nobody can say whether the database is as "
			"new as it was; go on with it as it is: --accept-rollback",
			LAST_COMMIT_FILE, s->dir.database);
	} else {
		rc = last_commit_compare(last, &now, s->dir.database, why);
	}
	*is_older = rc != GD_OK;
	return is_accepted ? GD_OK : rc;
}

enum gd_err rollback_accept(struct store *s, const struct last_commit *last, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_STATE_UUID);
	enum gd_err rc;

	schema_new_uuid(s->uuid);
	if (last->next_job > s->row.next_job)
		s->row.next_job = last->next_job;
	s->row.next_job += ROLLBACK_JOB_IDS;
	rc = state_put(s, why); /* from now on it counts, not what the last chunk says */
	if (rc != GD_OK)
		return rc;
	bind_text(&b, (struct text){ s->uuid, STORE_UUID_CHARS });
	return db_run(&s->db, &b, why);
}
