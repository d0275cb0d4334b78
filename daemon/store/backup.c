#include "daemon/store/backup.h"

#include "proto/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define ROOM_LEFT_BYTES (64u << 20) /* of the disk: for the WAL, which must never wait for us */
#define BUSY_NSEC (60 * GD_NSEC_PER_SEC)
#define FORGOTTEN_NSEC (300 * GD_NSEC_PER_SEC)

static gd_nsec monotonic_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * GD_NSEC_PER_SEC + now.tv_nsec;
}

void backup_clean(const struct state_dir *dir)
{
	(void)unlinkat(dir->dir_fd, BACKUP_FILE, 0);
	/* The copy has a log of its own until its check ends; beside another copy it would be taken for
	 * that one's. */
	(void)unlinkat(dir->dir_fd, BACKUP_UNBORN "-journal", 0);
	(void)unlinkat(dir->dir_fd, BACKUP_UNBORN "-wal", 0);
	(void)unlinkat(dir->dir_fd, BACKUP_UNBORN "-shm", 0);
	(void)unlinkat(dir->dir_fd, BACKUP_UNBORN, 0);
}

static void close_copy(struct backup *b)
{
	(void)sqlite3_backup_finish(b->copy);
	b->copy = NULL;
	CHECK(sqlite3_close(b->link) == SQLITE_OK);
	b->link = NULL;
}

void backup_drop(struct backup *b, const struct state_dir *dir)
{
	if (b->now.phase == BACKUP_NONE)
		return;
	close_copy(b);
	backup_check_stop(b);
	if (b->now.phase == BACKUP_READY)
		(void)close(b->fd);
	backup_clean(dir);
	b->now = (struct backup_state){ 0 };
}

static void give_up(struct backup *b, const struct state_dir *dir)
{
	close_copy(b);
	backup_clean(dir);
	b->now.phase = BACKUP_FAILED;
}

/* --- the copy --- */

static enum gd_err look_for_room(const struct state_dir *dir, uint64_t bytes, struct gd_error *why)
{
	struct statvfs disk;

	if (fstatvfs(dir->dir_fd, &disk) != 0)
		return gd_fail_sys(why, errno, "backup: the disk of the state directory");
	if ((uint64_t)disk.f_bavail * disk.f_frsize >= bytes + ROOM_LEFT_BYTES)
		return GD_OK;
	return gd_fail(why, GD_LIMIT,
	               "the disk of the state directory has no room for a copy of %llu bytes",
	               (unsigned long long)bytes);
}

static enum gd_err fail_copy(struct backup *b, struct gd_error *why)
{
	return gd_fail(why, GD_STORE, "backup: %s", sqlite3_errmsg(b->link));
}

static enum gd_err open_copy(struct backup *b, const struct state_dir *dir, sqlite3 *source,
                             struct gd_error *why)
{
	char path[STATE_PATH_BYTES + sizeof BACKUP_UNBORN];
	int  fd = openat(dir->dir_fd, BACKUP_UNBORN,
	                 O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return gd_fail_sys(why, errno, "backup: cannot make " BACKUP_UNBORN);
	(void)close(fd);
	state_dir_path(dir, BACKUP_UNBORN, path, sizeof path);
	/* It is synced as a whole at the end; what a crash leaves of it is thrown away. */
	if (sqlite3_open_v2(path, &b->link, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	            SQLITE_OK ||
	    sqlite3_exec(b->link,
	                 "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF;"
	                 "PRAGMA synchronous = OFF",
	                 NULL, NULL, NULL) != SQLITE_OK)
		return fail_copy(b, why);
	b->copy = sqlite3_backup_init(b->link, "main", source, "main");
	return b->copy != NULL ? GD_OK : fail_copy(b, why);
}

/* Ids are drawn, so that one of an earlier run of the daemon is not taken for this one. */
static uint64_t new_id(void)
{
	uint64_t id;

	sqlite3_randomness(sizeof id, &id);
	return (id >> 11) + 1;
}

static enum gd_err begin(struct backup *b, const struct state_dir *dir, sqlite3 *source,
                         struct gd_error *why)
{
	enum gd_err rc;

	backup_check_look(b);
	if (b->has_thread || (b->now.phase != BACKUP_NONE && b->now.phase != BACKUP_FAILED &&
	                      monotonic_now() - b->touched < BUSY_NSEC))
		return gd_fail(why, GD_CONFLICT, "another backup is under way");
	backup_drop(b, dir);
	backup_clean(dir);
	rc = look_for_room(dir, state_dir_bytes(dir->database) + state_dir_bytes(dir->wal), why);
	if (rc != GD_OK)
		return rc;
	b->now = (struct backup_state){ .id = new_id(), .phase = BACKUP_COPYING };
	b->touched = monotonic_now();
	rc = open_copy(b, dir, source, why);
	if (rc != GD_OK)
		backup_drop(b, dir);
	return rc;
}

bool backup_is_copying(const struct backup *b)
{
	return b->now.phase == BACKUP_COPYING;
}

void backup_copy(struct backup *b, const struct state_dir *dir, int pages)
{
	int rc;

	CHECK(b->now.phase == BACKUP_COPYING);
	if (look_for_room(dir, 0, &b->why) != GD_OK) {
		give_up(b, dir);
		return;
	}
	rc = sqlite3_backup_step(b->copy, pages);
	b->now.pages = (uint64_t)sqlite3_backup_pagecount(b->copy);
	b->now.pages_left = (uint64_t)sqlite3_backup_remaining(b->copy);
	if (rc == SQLITE_OK)
		return;
	if (rc != SQLITE_DONE) {
		(void)gd_fail(&b->why, GD_STORE, "backup: %s", sqlite3_errstr(rc));
		give_up(b, dir);
		return;
	}
	close_copy(b);
	if (backup_check_start(b, dir, &b->why) == GD_OK)
		b->now.phase = BACKUP_CHECKING;
	else
		give_up(b, dir);
}

bool backup_is_forgotten(const struct backup *b)
{
	return b->now.phase != BACKUP_NONE && (!b->has_thread || atomic_load(&b->is_over)) &&
	       monotonic_now() - b->touched > FORGOTTEN_NSEC;
}

/* --- questions --- */

/* A check that is under way is not waited for: it sees that it should end, and upkeep comes by. */
static void let_go(struct backup *b, const struct state_dir *dir)
{
	if (!b->has_thread) {
		backup_drop(b, dir);
		return;
	}
	atomic_store(&b->is_abandoned, true);
	b->now.id = 0;
	b->touched -= FORGOTTEN_NSEC;
}

static enum gd_err read_piece(struct backup *b, struct store_read *r, struct gd_error *why)
{
	size_t  room = r->limit < BACKUP_PIECE_BYTES_MAX ? r->limit : BACKUP_PIECE_BYTES_MAX;
	char   *at = arena_alloc(&r->arena, room);
	ssize_t got;

	if (b->now.phase != BACKUP_READY)
		return gd_fail(why, GD_CONFLICT, "the backup is not ready");
	if (at == NULL)
		return gd_fail(why, GD_NOMEM, "backup: %zu bytes", room);
	got = pread(b->fd, at, room, (off_t)r->after);
	if (got < 0)
		return gd_fail_sys(why, errno, "backup: cannot read " BACKUP_FILE);
	r->piece = (struct text){ at, (size_t)got };
	return GD_OK;
}

enum gd_err backup_answer(struct backup *b, const struct state_dir *dir, sqlite3 *source,
                          struct store_read *r, struct gd_error *why)
{
	enum gd_err rc = GD_OK;

	if (r->backup_ask == BACKUP_BEGIN) {
		rc = begin(b, dir, source, why);
		r->backup = b->now;
		return rc;
	}
	if (b->now.phase == BACKUP_NONE || b->now.id == 0 || b->now.id != r->backup.id)
		return gd_fail(why, GD_NOT_FOUND,
		               "no such backup: the daemon was started anew, or "
		               "it was not asked for in time");
	b->touched = monotonic_now();
	backup_check_look(b);
	if (b->now.phase == BACKUP_FAILED && r->backup_ask != BACKUP_END) {
		if (why != NULL)
			*why = b->why;
		return b->why.code;
	}
	if (r->backup_ask == BACKUP_PIECE)
		rc = read_piece(b, r, why);
	r->backup = b->now;
	if (r->backup_ask == BACKUP_END)
		let_go(b, dir);
	return rc;
}
