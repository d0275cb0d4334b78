/*
 * backup_check.c - whether a copy is whole, on a thread of its own: it reads all of it.
 */
#include "daemon/store/backup.h"

#include "daemon/store/schema.h"
#include "proto/base/sum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STEPS_BETWEEN_LOOKS 10000 /* of SQLite's machine, until it is seen that nobody waits */
#define READ_BYTES 65536
#define PUSH_BYTES (4u << 20) /* a multiple of READ_BYTES */

static int is_abandoned(void *ctx)
{
	return atomic_load(&((struct backup *)ctx)->is_abandoned);
}

/* One number that is 1 where all is well. */
static enum gd_err expect(sqlite3 *link, const char *sql, const char *words, struct gd_error *why)
{
	sqlite3_stmt *ask;
	enum gd_err   rc = GD_OK;

	if (sqlite3_prepare_v2(link, sql, -1, &ask, NULL) != SQLITE_OK)
		return gd_fail(why, GD_STORE, "the copy cannot be read: %s", sqlite3_errmsg(link));
	if (sqlite3_step(ask) != SQLITE_ROW)
		rc = gd_fail(why, GD_STORE, "the copy cannot be read: %s", sqlite3_errmsg(link));
	else if (sqlite3_column_int64(ask, 0) != 1)
		rc = gd_fail(why, GD_STORE, "%s", words);
	(void)sqlite3_finalize(ask);
	return rc;
}

/* The copy says WAL, as its source does; a file that travels should not need one. */
static enum gd_err make_one_file(sqlite3 *link, struct gd_error *why)
{
	if (sqlite3_exec(link, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
		return gd_fail(why, GD_STORE, "the copy cannot be read: %s", sqlite3_errmsg(link));
	return expect(link, "SELECT journal_mode = 'delete' FROM pragma_journal_mode",
	              "the copy cannot be made one file", why);
}

static enum gd_err check_rows(sqlite3 *link, struct gd_error *why)
{
	char        sql[512];
	enum gd_err rc;

	rc = make_one_file(link, why);
	if (rc == GD_OK)
		rc = expect(link, "SELECT integrity_check = 'ok' FROM pragma_integrity_check(1)",
		            "the copy is damaged, and so the database may be: run gatherctl fsck",
		            why);
	for (int s = JOB_QUEUED; rc == GD_OK && s <= JOB_CANCELLED; s++) {
		(void)snprintf(sql, sizeof sql,
		               "SELECT count(*) = (SELECT %s FROM " SQL_STATE_NOW ")"
		               " FROM jobs WHERE status = %d",
		               job_status_name((enum job_status)s), s);
		rc = expect(
			link, sql,
			"the copy has not as many jobs as its state row says: run gatherctl fsck",
			why);
	}
	return rc;
}

static enum gd_err check_database(struct backup *b, const char *path, struct gd_error *why)
{
	sqlite3    *link = NULL;
	enum gd_err rc;

	if (sqlite3_open_v2(path, &link, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	            SQLITE_OK ||
	    sqlite3_exec(link, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK) {
		rc = gd_fail(why, GD_STORE, "the copy cannot be opened: %s",
		             link == NULL ? "out of memory" : sqlite3_errmsg(link));
	} else {
		sqlite3_progress_handler(link, STEPS_BETWEEN_LOOKS, is_abandoned, b);
		rc = check_rows(link, why);
	}
	(void)sqlite3_close(link);
	return rc;
}

/* To the disk bit by bit, so that no commit has to wait behind all of it. */
static bool is_pushed(int fd, uint64_t bytes)
{
	const unsigned all =
		SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

	return bytes % PUSH_BYTES != 0 ||
	       sync_file_range(fd, (off_t)(bytes - PUSH_BYTES), PUSH_BYTES, all) == 0;
}

/* What its reader must get, byte for byte. */
static enum gd_err sum_up(struct backup *b, int fd, struct gd_error *why)
{
	char    bytes[READ_BYTES];
	ssize_t got;

	b->sum = GD_SUM_START;
	b->bytes = 0;
	while ((got = read(fd, bytes, sizeof bytes)) > 0 && !atomic_load(&b->is_abandoned)) {
		b->sum = gd_sum(b->sum, bytes, (size_t)got);
		b->bytes += (uint64_t)got;
		if (!is_pushed(fd, b->bytes))
			return gd_fail_sys(why, errno, "cannot write the copy");
	}
	return got < 0 ? gd_fail_sys(why, errno, "cannot read the copy") : GD_OK;
}

static enum gd_err bear(struct backup *b, struct gd_error *why)
{
	int         fd = openat(b->dir->dir_fd, BACKUP_UNBORN, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum gd_err rc;

	if (fd < 0)
		return gd_fail_sys(why, errno, "cannot open the copy");
	rc = sum_up(b, fd, why);
	if (rc == GD_OK && atomic_load(&b->is_abandoned))
		rc = gd_fail(why, GD_STORE, "nobody waits for the copy any more");
	if (rc == GD_OK &&
	    (fsync(fd) != 0 ||
	     renameat(b->dir->dir_fd, BACKUP_UNBORN, b->dir->dir_fd, BACKUP_FILE) != 0 ||
	     fsync(b->dir->dir_fd) != 0))
		rc = gd_fail_sys(why, errno, "cannot keep the copy");
	if (rc == GD_OK)
		b->fd = fd;
	else
		(void)close(fd);
	return rc;
}

static void *check_main(void *arg)
{
	struct backup *b = arg;
	char           path[STATE_PATH_BYTES + sizeof BACKUP_UNBORN];

	state_dir_path(b->dir, BACKUP_UNBORN, path, sizeof path);
	b->verdict = check_database(b, path, &b->check_why);
	if (b->verdict == GD_OK)
		b->verdict = bear(b, &b->check_why);
	atomic_store(&b->is_over, true);
	return NULL;
}

/* The writer has all signals blocked, and so will this one. */
enum gd_err backup_check_start(struct backup *b, const struct state_dir *dir, struct gd_error *why)
{
	int failed;

	b->dir = dir;
	b->bytes = b->sum = 0;
	atomic_store(&b->is_over, false);
	atomic_store(&b->is_abandoned, false);
	failed = pthread_create(&b->thread, NULL, check_main, b);
	if (failed != 0)
		return gd_fail_sys(why, failed, "backup: thread");
	b->has_thread = true;
	return GD_OK;
}

static void join(struct backup *b)
{
	(void)pthread_join(b->thread, NULL);
	b->has_thread = false;
	b->now.phase = b->verdict == GD_OK ? BACKUP_READY : BACKUP_FAILED;
	b->now.bytes = b->bytes;
	b->now.sum = b->sum;
	b->why = b->check_why;
}

void backup_check_look(struct backup *b)
{
	if (b->has_thread && atomic_load(&b->is_over))
		join(b);
}

void backup_check_stop(struct backup *b)
{
	if (!b->has_thread)
		return;
	atomic_store(&b->is_abandoned, true);
	join(b);
}
