#include "daemon/store/audit.h"
#include "daemon/store/inside.h"
#include "daemon/store/schema.h"
#include "proto/base/failpoint.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static enum gd_err make_database(const struct state_dir *dir, struct gd_error *why)
{
	struct db   db;
	enum gd_err rc = state_dir_conceive(dir, why);

	if (rc == GD_OK)
		rc = db_open(&db, dir->unborn, why);
	if (rc != GD_OK)
		return rc;
	rc = schema_create(&db, why);
	db_close(&db);
	return rc == GD_OK ? state_dir_bear(dir, why) : rc;
}

/* A stop in the middle of things is when disks lose what they promised: then the structure of the
 * file is checked, which takes time in proportion to its size. */
static enum gd_err check_pages(struct store *s, struct gd_error *why)
{
	sqlite3_stmt *check;
	enum gd_err   rc = GD_OK;
	const char   *verdict;

	if (sqlite3_prepare_v2(s->db.link, "PRAGMA quick_check(1)", -1, &check, NULL) != SQLITE_OK)
		return db_fail(&s->db, why, s->dir.database);
	if (sqlite3_step(check) != SQLITE_ROW) {
		rc = db_fail(&s->db, why, s->dir.database);
	} else {
		verdict = (const char *)sqlite3_column_text(check, 0);
		if (verdict == NULL || strcmp(verdict, "ok") != 0)
			rc = gd_fail(why, GD_STORE,
			             "%s is damaged (%.80s); keep a copy and restore it from a "
			             "backup",
			             s->dir.database, verdict == NULL ? "?" : verdict);
	}
	(void)sqlite3_finalize(check);
	return rc;
}

static enum gd_err mark_clean(struct store *s, bool is_clean, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_STATE_CLEAN);

	bind_i64(&b, is_clean);
	return db_run(&s->db, &b, why);
}

/* The row and the last chunk are written together; the higher one counts, so that a seq is never
 * given out twice even if one of them is an older version. */
static enum gd_err load_seq(struct store *s, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_CHUNK_LAST);
	bool        has_row;
	enum gd_err rc = db_step(&s->db, &b, &has_row, why);

	if (rc != GD_OK)
		return rc;
	if (has_row && row_u64(&b, 0) > s->row.seq)
		s->row.seq = row_u64(&b, 0);
	db_done(&b);
	atomic_init(&s->seq, s->row.seq);
	return GD_OK;
}

/* What a crash has cut off stands behind the good part of the log, and a shorter commit would
 * overwrite only some of it: the rest would look like acknowledged commits behind a damaged one. So
 * the log starts over. A disk without room for that keeps it as it is. Where nothing of it is good
 * there is nothing to move, and SQLite would go on with the salt that the rest has as well. */
static enum gd_err start_log_over(struct store *s, uint64_t audited, struct gd_error *why)
{
	bool is_whole;

	return db_checkpoint(&s->db,
	                     audited == 0 ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE,
	                     &is_whole, why);
}

/* From now on the directory remembers what is acknowledged. */
static enum gd_err remember(struct store *s, struct gd_error *why)
{
	const struct last_commit now = store_last_commit(s);
	enum gd_err              rc = last_commit_open(&s->last, s->dir.dir_fd, &now, why);

	if (rc == GD_OK)
		upkeep_sync_note(s);
	return rc;
}

/* SQLite has read the log by itself, after the audit. If it has stopped earlier, what it read was not
 * what stands there, and the rest would be overwritten without a word. */
static enum gd_err check_log(struct store *s, uint64_t audited, struct gd_error *why)
{
	int64_t     found;
	enum gd_err rc = db_wal_frames(&s->db, &found, why);

	if (rc != GD_OK || found < 0 || (uint64_t)found == audited)
		return rc;
	return gd_fail(why, GD_STORE,
	               "%s was read in two ways: %llu pages, and then %lld; the disk or the memory "
	               "is not to be trusted; start again, on another machine if it stays so",
	               s->dir.wal, (unsigned long long)audited, (long long)found);
}

/* A stop has left a log. First what only reads: a database that is refused stays as it was. */
static enum gd_err check_left(struct store *s, uint64_t audited, struct gd_error *why)
{
	enum gd_err rc = check_pages(s, why);

	return rc == GD_OK ? check_log(s, audited, why) : rc;
}

static enum gd_err use_database(struct store *s, bool accepts_rollback, uint64_t audited,
                                struct gd_error *why)
{
	struct last_commit last = { 0 };
	bool               is_older = false;
	bool               is_clean = false;
	enum gd_err        rc = db_lock(&s->db, why);

	if (rc == GD_OK)
		rc = schema_check(&s->db, why);
	if (rc == GD_OK)
		rc = rollback_check(s, accepts_rollback, &last, &is_older, why);
	if (rc == GD_OK)
		rc = db_use_wal(&s->db, why);
	if (rc == GD_OK && audited != 0)
		rc = check_left(s, audited, why);
	if (rc == GD_OK)
		rc = schema_migrate(&s->db, why);
	if (rc == GD_OK)
		rc = db_prepare(&s->db, why);
	if (rc == GD_OK)
		rc = state_load(s, &is_clean, why);
	if (rc == GD_OK && !is_clean && audited == 0)
		rc = check_pages(s, why);
	if (rc == GD_OK)
		rc = load_seq(s, why);
	if (rc == GD_OK)
		rc = retention_load(s, why);
	if (rc == GD_OK)
		rc = clock_rows_load(s, why);
	if (rc == GD_OK)
		rc = upkeep_load(s, why);
	if (rc == GD_OK && !is_clean)
		rc = start_log_over(s, audited, why);
	s->was_older = is_older;
	if (rc == GD_OK && is_older)
		rc = rollback_accept(s, &last, why);
	if (rc == GD_OK)
		rc = mark_clean(s, false, why);
	return rc == GD_OK ? remember(s, why) : rc;
}

static gd_nsec wall(void *ctx)
{
	struct timespec now;

	(void)ctx;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * GD_NSEC_PER_SEC + now.tv_nsec;
}

static enum gd_err find_database(struct store *s, uint64_t *audited, struct gd_error *why)
{
	bool        has_database;
	enum gd_err rc = state_dir_look(&s->dir, &has_database, why);

	if (rc == GD_OK)
		rc = has_database ? audit_wal(s->dir.wal, audited, why)
		                  : make_database(&s->dir, why);
	return rc == GD_OK ? db_open(&s->db, s->dir.database, why) : rc;
}

enum gd_err store_open(const struct store_config *cfg, struct store **out, struct gd_error *why)
{
	struct store *s = calloc(1, sizeof *s);
	uint64_t      audited = 0; /* frames of the log */
	enum gd_err   rc;

	if (s == NULL)
		return gd_fail(why, GD_NOMEM, "store: %zu bytes", sizeof *s);
	s->on_commit = cfg->on_commit;
	s->on_full = cfg->on_full;
	s->ctx = cfg->ctx;
	s->now = cfg->now != NULL ? cfg->now : wall;
	s->now_ctx = cfg->now_ctx;
	s->last.fd = -1;
	rc = state_dir_open(&s->dir, cfg->dir, why);
	if (rc != GD_OK)
		goto free_store;
	backup_clean(&s->dir);
	rc = find_database(s, &audited, why);
	if (rc != GD_OK)
		goto close_dir;
	rc = use_database(s, cfg->accepts_rollback, audited, why);
	if (rc != GD_OK)
		goto close_db;
	rc = store_output_open(s, why);
	if (rc != GD_OK)
		goto close_last;
	suspects_open(&s->suspects, s->dir.dir_fd);
	GD_FAILPOINT("store.opened");
	*out = s;
	return GD_OK;
close_last:
	last_commit_close(&s->last);
close_db:
	free(s->steps);
	db_close(&s->db);
close_dir:
	state_dir_close(&s->dir);
free_store:
	free(s);
	return rc;
}

static enum gd_err say_clean(struct store *s, void *ctx, struct gd_error *why)
{
	(void)ctx;
	return mark_clean(s, true, why);
}

/* With everything listed, unless nobody has said yet how long things are kept. */
static enum gd_err end_clean(struct store *s)
{
	return s->is_behind ? mark_clean(s, true, NULL) : transaction_run(s, say_clean, NULL, NULL);
}

void store_close(struct store *s)
{
	if (s == NULL)
		return;
	backup_drop(&s->backup, &s->dir);
	/* After a failure nothing is written any more: what is true is found at the next start. */
	if (s->failure.code == GD_OK && end_clean(s) == GD_OK) {
		GD_FAILPOINT("store.marked_clean");
		db_close_whole(&s->db);
	} else {
		db_close(&s->db);
	}
	live_chunks_free(s);
	suspects_close(&s->suspects);
	last_commit_close(&s->last);
	output_close(&s->output);
	state_dir_close(&s->dir);
	transaction_close(&s->tx);
	buf_close(&s->ended.ids);
	voided_close(&s->voided);
	free(s->steps);
	free(s);
}

bool store_was_older(const struct store *s)
{
	return s->was_older;
}

uint64_t store_next_job_id(const struct store *s)
{
	return s->row.next_job;
}

uint64_t store_seq(const struct store *s)
{
	return atomic_load(&s->seq);
}

const char *store_uuid(const struct store *s)
{
	return s->uuid;
}
