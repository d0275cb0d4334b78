#include "daemon/store/db.h"

#include "proto/base/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DB_VALUE_BYTES_MAX (64 << 20)
#define DB_SQL_BYTES_MAX (16 << 10)
#define DB_URI_BYTES 8192
#define DB_BUSY_MSEC 2000 /* for someone who looks into the file while we start */

static const char *const sql_texts[SQL_COUNT] = {
#define SQL_TEXT(symbol, text) [symbol] = text,
	SQL_STATEMENTS(SQL_TEXT)
#undef SQL_TEXT
};

enum gd_err db_fail(struct db *db, struct gd_error *why, const char *doing)
{
	int rc = db->link == NULL ? SQLITE_NOMEM : sqlite3_extended_errcode(db->link);

	if ((rc & 0xff) == SQLITE_NOMEM)
		return gd_fail(why, GD_NOMEM, "%s: out of memory", doing);
	if (rc == SQLITE_FULL)
		return gd_fail_sys(why, ENOSPC, "%s", doing);
	if (rc == SQLITE_IOERR_WRITE && sqlite3_system_errno(db->link) == EDQUOT)
		return gd_fail_sys(why, EDQUOT, "%s", doing);
	return gd_fail(why, GD_STORE, "%s: %s (SQLite %d)", doing, sqlite3_errmsg(db->link), rc);
}

static int on_wal_grown(void *ctx, sqlite3 *link, const char *name, int pages)
{
	struct db *db = ctx;

	(void)link;
	(void)name;
	db->wal_pages = (uint32_t)pages;
	return SQLITE_OK;
}

static bool is_configured(sqlite3 *link, int option, int value)
{
	return sqlite3_db_config(link, option, value, (int *)NULL) == SQLITE_OK;
}

/* What a damaged or hostile file could use against us is off; what we never use is off too. The
 * last close does not checkpoint by itself, so that a file we refuse stays as it was. */
static enum gd_err harden(struct db *db, struct gd_error *why)
{
	sqlite3 *link = db->link;

	if (!is_configured(link, SQLITE_DBCONFIG_DEFENSIVE, 1) ||
	    !is_configured(link, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0) ||
	    !is_configured(link, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0) ||
	    !is_configured(link, SQLITE_DBCONFIG_ENABLE_VIEW, 0) ||
	    !is_configured(link, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1))
		return gd_fail(why, GD_STORE, "this SQLite lacks a setting that gatherd needs");
	(void)sqlite3_limit(link, SQLITE_LIMIT_LENGTH, DB_VALUE_BYTES_MAX);
	(void)sqlite3_limit(link, SQLITE_LIMIT_SQL_LENGTH, DB_SQL_BYTES_MAX);
	(void)sqlite3_limit(link, SQLITE_LIMIT_ATTACHED, 0);
	(void)sqlite3_busy_timeout(link, DB_BUSY_MSEC);
	return db_exec(db,
	               "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
	               "PRAGMA cell_size_check = ON",
	               why);
}

static enum gd_err open_link(struct db *db, const char *path, int mode, struct gd_error *why)
{
	const int   flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
	enum gd_err rc;

	*db = (struct db){ 0 };
	if (sqlite3_open_v2(path, &db->link, flags | mode, NULL) != SQLITE_OK) {
		rc = db_fail(db, why, path);
		db_close(db);
		return rc;
	}
	rc = harden(db, why);
	if (rc != GD_OK)
		db_close(db);
	return rc;
}

enum gd_err db_open(struct db *db, const char *path, struct gd_error *why)
{
	return open_link(db, path, SQLITE_OPEN_READWRITE, why);
}

/* A file name as SQLite's kind of URI; false when it does not fit. */
static bool write_uri(char *out, size_t room, const char *path)
{
	int at = snprintf(out, room, "file:");

	for (; *path != '\0' && at >= 0 && (size_t)at + 4 < room; path++)
		at += snprintf(out + at, room - (size_t)at,
		               strchr("?#%", *path) == NULL ? "%c" : "%%%02x",
		               (unsigned char)*path);
	if (*path != '\0' || at < 0 || (size_t)at + sizeof "?immutable=1" > room)
		return false;
	memcpy(out + at, "?immutable=1", sizeof "?immutable=1");
	return true;
}

/* A file that says WAL gets an empty one as soon as it is opened in the usual way. */
enum gd_err db_open_to_read(struct db *db, const char *path, bool has_wal, struct gd_error *why)
{
	char        uri[DB_URI_BYTES];
	enum gd_err rc;

	if (has_wal) {
		rc = db_open(db, path, why);
		if (rc == GD_OK)
			rc = db_lock(db, why);
	} else if (write_uri(uri, sizeof uri, path)) {
		rc = open_link(db, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, why);
	} else {
		return gd_fail(why, GD_STORE, "%.100s...: too long a name", path);
	}
	if (rc == GD_OK)
		rc = db_exec(db, "PRAGMA query_only = ON", why);
	if (rc != GD_OK)
		db_close(db);
	return rc;
}

/* SQLite answers a journal mode it cannot have with another one, not with an error. */
static enum gd_err check_modes(struct db *db, struct gd_error *why)
{
	int64_t     is_so = 0;
	enum gd_err rc;

	rc = db_number(db,
	               "SELECT (SELECT journal_mode FROM pragma_journal_mode) = 'wal' AND"
	               " (SELECT synchronous FROM pragma_synchronous) = 2",
	               &is_so, why);
	if (rc == GD_OK && is_so == 0)
		rc = gd_fail(why, GD_STORE,
		             "this SQLite or file system cannot keep a write-ahead log");
	return rc;
}

/* The lock comes before the WAL: then SQLite keeps the index of the WAL in memory, and no file for
 * it exists that another process could spoil. */
enum gd_err db_lock(struct db *db, struct gd_error *why)
{
	return db_exec(db, "PRAGMA locking_mode = EXCLUSIVE", why);
}

/* The size limit holds when the WAL starts over: a writer that is never idle goes round in it. */
enum gd_err db_use_wal(struct db *db, struct gd_error *why)
{
	enum gd_err rc = db_exec(db,
	                         "PRAGMA journal_mode = WAL;"
	                         "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
	                         "PRAGMA journal_size_limit = 41943040",
	                         why);

	if (rc == GD_OK)
		rc = check_modes(db, why);
	if (rc == GD_OK)
		(void)sqlite3_wal_hook(db->link, on_wal_grown, db);
	return rc;
}

enum gd_err db_prepare(struct db *db, struct gd_error *why)
{
	for (int i = 0; i < SQL_COUNT; i++) {
		if (sqlite3_prepare_v3(db->link, sql_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
		                       &db->statement[i], NULL) != SQLITE_OK)
			return db_fail(db, why, "the database lacks what this version expects");
	}
	return GD_OK;
}

void db_close(struct db *db)
{
	for (int i = 0; i < SQL_COUNT; i++)
		(void)sqlite3_finalize(db->statement[i]);
	CHECK(sqlite3_close(db->link) == SQLITE_OK);
	*db = (struct db){ 0 };
}

void db_close_whole(struct db *db)
{
	(void)is_configured(db->link, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0);
	db_close(db);
}

enum gd_err db_exec(struct db *db, const char *sql, struct gd_error *why)
{
	if (sqlite3_exec(db->link, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(db, why, "database");
	return GD_OK;
}

enum gd_err db_number(struct db *db, const char *sql, int64_t *out, struct gd_error *why)
{
	sqlite3_stmt *statement;
	enum gd_err   rc = GD_OK;

	if (sqlite3_prepare_v2(db->link, sql, -1, &statement, NULL) != SQLITE_OK)
		return db_fail(db, why, "database");
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		*out = sqlite3_column_int64(statement, 0);
		break;
	case SQLITE_DONE:
		rc = gd_fail(why, GD_NOT_FOUND, "database: no row");
		break;
	default:
		rc = db_fail(db, why, "database");
	}
	(void)sqlite3_finalize(statement);
	return rc;
}

struct bind db_bind(struct db *db, enum sql which)
{
	return (struct bind){ db->statement[which], 0, SQLITE_OK };
}

static void note(struct bind *b, int rc)
{
	if (b->rc == SQLITE_OK)
		b->rc = rc;
}

void bind_i64(struct bind *b, int64_t number)
{
	note(b, sqlite3_bind_int64(b->statement, ++b->at, number));
}

void bind_u64(struct bind *b, uint64_t number)
{
	CHECK(number <= INT64_MAX);
	bind_i64(b, (int64_t)number);
}

void bind_text(struct bind *b, struct text text)
{
	b->at++;
	if (text.at == NULL)
		note(b, sqlite3_bind_null(b->statement, b->at));
	else
		note(b, sqlite3_bind_text64(b->statement, b->at, text.at, text.bytes, SQLITE_STATIC,
		                            SQLITE_UTF8));
}

void bind_blob(struct bind *b, const void *bytes, size_t count)
{
	note(b, sqlite3_bind_blob64(b->statement, ++b->at, bytes == NULL ? "" : bytes, count,
	                            SQLITE_STATIC));
}

enum gd_err db_run(struct db *db, struct bind *b, struct gd_error *why)
{
	enum gd_err rc = GD_OK;

	if (b->rc != SQLITE_OK || sqlite3_step(b->statement) != SQLITE_DONE)
		rc = db_fail(db, why, "database");
	(void)sqlite3_reset(b->statement);
	return rc;
}

enum gd_err db_step(struct db *db, struct bind *b, bool *has_row, struct gd_error *why)
{
	int         step = b->rc != SQLITE_OK ? b->rc : sqlite3_step(b->statement);
	enum gd_err rc = GD_OK;

	*has_row = step == SQLITE_ROW;
	if (*has_row)
		return GD_OK;
	if (step != SQLITE_DONE)
		rc = db_fail(db, why, "database");
	db_done(b);
	return rc;
}

void db_done(struct bind *b)
{
	(void)sqlite3_reset(b->statement);
}

struct text row_text(const struct bind *b, int column)
{
	const unsigned char *at = sqlite3_column_text(b->statement, column);

	return (struct text){ (const char *)at,
		              (size_t)sqlite3_column_bytes(b->statement, column) };
}

struct text row_blob(const struct bind *b, int column)
{
	const void *at = sqlite3_column_blob(b->statement, column);

	return (struct text){ at, (size_t)sqlite3_column_bytes(b->statement, column) };
}

bool db_is_without_room(const struct gd_error *why)
{
	return why->code == GD_SYS && (why->sys == ENOSPC || why->sys == EDQUOT);
}

static bool is_of_sync(int rc)
{
	return rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC;
}

enum gd_err db_wal_frames(struct db *db, int64_t *frames, struct gd_error *why)
{
	int total = 0;
	int rc = sqlite3_wal_checkpoint_v2(db->link, NULL, SQLITE_CHECKPOINT_PASSIVE, &total, NULL);

	*frames = rc == SQLITE_OK ? total : -1;
	return is_of_sync(rc) ? db_fail(db, why, "checkpoint") : GD_OK;
}

enum gd_err db_checkpoint(struct db *db, int mode, bool *is_whole, struct gd_error *why)
{
	int total = 0;
	int done = 0;
	int rc = sqlite3_wal_checkpoint_v2(db->link, NULL, mode, &total, &done);

	*is_whole = rc == SQLITE_OK && done >= total;
	if (*is_whole)
		db->wal_pages = 0;
	return is_of_sync(rc) ? db_fail(db, why, "checkpoint") : GD_OK;
}
