#include "daemon/fsck/fsck.h"

#include "daemon/fsck/inside.h"
#include "daemon/store/audit.h"
#include "daemon/store/last_commit.h"
#include "daemon/store/schema.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* --- words --- */

void fsck_say(struct fsck *f, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vfprintf(f->out, fmt, args);
	va_end(args);
	(void)fputc('\n', f->out);
}

void fsck_begin(struct fsck *f)
{
	f->of_kind = 0;
}

void fsck_problem(struct fsck *f, const char *fmt, ...)
{
	va_list args;

	f->problems++;
	if (++f->of_kind > FSCK_SHOWN_MAX)
		return;
	(void)fputs("problem: ", f->out);
	va_start(args, fmt);
	(void)vfprintf(f->out, fmt, args);
	va_end(args);
	(void)fputc('\n', f->out);
}

void fsck_end(struct fsck *f)
{
	if (f->of_kind > FSCK_SHOWN_MAX)
		fsck_say(f, "problem: and %" PRIu64 " more of this kind",
		         f->of_kind - FSCK_SHOWN_MAX);
	f->of_kind = 0;
}

/* --- questions --- */

bool fsck_ask(struct fsck *f, const char *sql, sqlite3_stmt **out)
{
	if (sqlite3_prepare_v2(f->db.link, sql, -1, out, NULL) == SQLITE_OK)
		return true;
	fsck_problem(f, "the database lacks what it should have: %s", sqlite3_errmsg(f->db.link));
	*out = NULL;
	return false;
}

bool fsck_row(struct fsck *f, sqlite3_stmt *ask)
{
	int step = sqlite3_step(ask);

	if (step == SQLITE_ROW)
		return true;
	if (step != SQLITE_DONE)
		fsck_problem(f, "the database cannot be read further: %s",
		             sqlite3_errmsg(f->db.link));
	return false;
}

int64_t fsck_number(struct fsck *f, const char *sql)
{
	sqlite3_stmt *ask;
	int64_t       number = 0;

	if (!fsck_ask(f, sql, &ask))
		return 0;
	if (fsck_row(f, ask))
		number = sqlite3_column_int64(ask, 0);
	(void)sqlite3_finalize(ask);
	return number;
}

bool fsck_has_table(struct fsck *f, const char *name)
{
	char sql[128];

	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM sqlite_schema WHERE name = '%s'",
	               name);
	return fsck_number(f, sql) != 0;
}

struct text fsck_text(sqlite3_stmt *ask, int column)
{
	const void *at = sqlite3_column_type(ask, column) == SQLITE_BLOB
	                         ? sqlite3_column_blob(ask, column)
	                         : (const void *)sqlite3_column_text(ask, column);

	return (struct text){ at, (size_t)sqlite3_column_bytes(ask, column) };
}

/* --- files --- */

static enum gd_err look_at_log(struct fsck *f, struct gd_error *why)
{
	struct audit_report log;
	enum gd_err         rc = audit_read(f->dir.wal, &log, why);

	if (rc == GD_STORE) {
		fsck_problem(f, "%s", why->text);
		return GD_OK;
	}
	if (rc != GD_OK)
		return rc;
	if (log.bytes == 0)
		fsck_say(f, "log: empty, all is in the database file");
	else
		fsck_say(f, "log: %" PRIu64 " commits in %" PRIu64 " bytes, intact", log.commits,
		         log.good_bytes);
	if (log.commits_lost != 0)
		fsck_say(f, "log: cut off in its last commit; a start drops that one");
	return GD_OK;
}

static enum gd_err look_at_files(struct fsck *f, bool *has_database, struct gd_error *why)
{
	enum gd_err rc = state_dir_look(&f->dir, has_database, why);

	if (rc == GD_STORE) {
		fsck_problem(f, "%s", why->text);
		*has_database = false;
		return GD_OK;
	}
	if (rc != GD_OK)
		return rc;
	if (!*has_database) {
		fsck_say(f, "no database: a start makes an empty one");
		return GD_OK;
	}
	if (state_dir_bytes(f->dir.unborn) != 0)
		fsck_say(f, "left over from a start that was killed: %s", f->dir.unborn);
	return look_at_log(f, why);
}

/* --- the database as a whole --- */

static bool look_at_schema(struct fsck *f)
{
	struct gd_error why;
	int64_t         version = fsck_number(f, "PRAGMA user_version");

	if (schema_check(&f->db, &why) != GD_OK) {
		fsck_problem(f, "%s", why.text);
		return false;
	}
	fsck_say(f, "schema: version %" PRId64 "%s", version,
	         version == schema_version() ? ""
	                                     : ", older than this gatherd; a start migrates it");
	return true;
}

static void look_at_pages(struct fsck *f)
{
	sqlite3_stmt *ask;
	struct text   verdict;
	bool          is_ok = false;

	fsck_begin(f);
	if (!fsck_ask(f, "PRAGMA integrity_check", &ask))
		return;
	while (!is_ok && fsck_row(f, ask)) {
		verdict = fsck_text(ask, 0);
		is_ok = verdict.bytes == 2 && memcmp(verdict.at, "ok", 2) == 0;
		if (!is_ok)
			fsck_problem(f, "database file: %.*s", (int)verdict.bytes,
			             verdict.at == NULL ? "" : verdict.at);
	}
	(void)sqlite3_finalize(ask);
	fsck_end(f);
	if (is_ok)
		fsck_say(f, "database file: every page is sound");
}

/* A column of the newest version may be missing in an older one. */
static void read_now(struct fsck *f, struct last_commit *now)
{
	int64_t       places = fsck_number(f, SCHEMA_COMMITS_PLACES);
	sqlite3_stmt *ask;
	struct text   uuid;

	f->state = places < 2 ? "state" : SQL_STATE_NOW;
	if (places != 0)
		now->commits =
			(uint64_t)fsck_number(f, places < 2 ? "SELECT commits FROM state"
		                                            : "SELECT commits FROM " SQL_STATE_NOW);
	if (!fsck_ask(f, "SELECT uuid FROM state", &ask))
		return;
	if (fsck_row(f, ask)) {
		uuid = fsck_text(ask, 0);
		if (uuid.bytes == LAST_COMMIT_UUID_CHARS)
			memcpy(now->uuid, uuid.at, LAST_COMMIT_UUID_CHARS);
	}
	(void)sqlite3_finalize(ask);
}

static enum gd_err look_at_last_commit(struct fsck *f, struct gd_error *why)
{
	enum last_commit_found found;
	struct last_commit     last = { 0 };
	struct last_commit     now = { 0 };
	enum gd_err            rc = last_commit_read(f->dir.dir_fd, &last, &found, why);

	if (rc != GD_OK)
		return rc;
	read_now(f, &now);
	fsck_say(f, "identity: %s, %" PRIu64 " commits", now.uuid, now.commits);
	if (found == LAST_COMMIT_NONE)
		fsck_say(f,
		         "no note of what was acknowledged last: the database is taken as it is");
	else if (found == LAST_COMMIT_DAMAGED)
		fsck_problem(f, LAST_COMMIT_FILE " is damaged; a start asks for --accept-rollback");
	else if (last_commit_compare(&last, &now, f->dir.database, why) != GD_OK)
		fsck_problem(f, "%s", why->text);
	else
		fsck_say(f, "nothing that was acknowledged is missing, as far as the note tells");
	fsck_say(f, fsck_number(f, "SELECT is_clean FROM state") != 0
	                    ? "the daemon ended in an orderly way"
	                    : "the daemon did not end in an orderly way; a start checks the pages");
	return GD_OK;
}

static enum gd_err look_inside(struct fsck *f, struct gd_error *why)
{
	enum gd_err rc =
		db_open_to_read(&f->db, f->dir.database, state_dir_bytes(f->dir.wal) != 0, why);

	if (rc == GD_STORE) {
		fsck_problem(f, "%s", why->text);
		return GD_OK;
	}
	if (rc != GD_OK)
		return rc;
	if (look_at_schema(f)) {
		look_at_pages(f);
		rc = look_at_last_commit(f, why);
		if (rc == GD_OK) {
			fsck_rows(f);
			fsck_clock(f);
			fsck_events(f);
			rc = fsck_jobs(f, why);
		}
	}
	if (rc == GD_OK)
		rc = fsck_output(f, why);
	db_close(&f->db);
	return rc;
}

enum gd_err fsck_run(const char *dir, FILE *out, uint64_t *problems, struct gd_error *why)
{
	struct fsck f = { .out = out };
	bool        has_database = false;
	enum gd_err rc = state_dir_open_to_read(&f.dir, dir, why);

	*problems = 0;
	if (rc != GD_OK)
		return rc;
	fsck_say(&f, "state directory: %s", dir);
	rc = look_at_files(&f, &has_database, why);
	if (rc == GD_OK && has_database)
		rc = look_inside(&f, why);
	state_dir_close(&f.dir);
	*problems = f.problems;
	if (rc != GD_OK)
		return rc;
	if (f.problems == 0)
		fsck_say(&f, "clean");
	else
		fsck_say(&f, "%" PRIu64 " problem%s", f.problems, f.problems == 1 ? "" : "s");
	return GD_OK;
}
