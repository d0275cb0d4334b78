#include "daemon/store/state_dir.h"

#include "daemon/store/schema.h"
#include "proto/base/check.h"
#include "proto/base/failpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATABASE "gatherd.db"
#define HEADER_BYTES 100 /* https://www.sqlite.org/fileformat.html, section 1.3 */
#define HEADER_APPLICATION_ID 68

/* A new directory is only durable once its parent was synced. */
static enum gd_err sync_parent(const struct state_dir *d, const char *path, struct gd_error *why)
{
	int fd = openat(d->dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int failed;

	if (fd < 0)
		return gd_fail_sys(why, errno, "parent of state directory %s", path);
	failed = fsync(fd) == 0 ? 0 : errno;
	(void)close(fd);
	return failed == 0 ? GD_OK : gd_fail_sys(why, failed, "sync of the parent of %s", path);
}

static enum gd_err open_dir(struct state_dir *d, const char *path, struct gd_error *why)
{
	bool is_new = mkdir(path, 0700) == 0;

	if (!is_new && errno != EEXIST)
		return gd_fail_sys(why, errno, "cannot make state directory %s", path);
	d->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir_fd < 0)
		return gd_fail_sys(why, errno, "cannot open state directory %s", path);
	return is_new ? sync_parent(d, path, why) : GD_OK;
}

static enum gd_err fail_taken(const struct state_dir *d, const char *path, struct gd_error *why)
{
	char    pid[24];
	ssize_t got = pread(d->lock_fd, pid, sizeof pid - 1, 0);

	pid[got > 0 ? got : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	return gd_fail(why, GD_CONFLICT,
	               "another gatherd (process %s) uses %s; stop it, or give this "
	               "one another state directory",
	               pid[0] == '\0' ? "unknown" : pid, path);
}

static enum gd_err take_lock(struct state_dir *d, const char *path, struct gd_error *why)
{
	char pid[24];
	int  count;

	d->lock_fd = openat(d->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock_fd < 0)
		return gd_fail_sys(why, errno, "state directory %s is not writable", path);
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? fail_taken(d, path, why)
		                            : gd_fail_sys(why, errno, "lock of %s", path);
	count = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
	if (ftruncate(d->lock_fd, 0) != 0 || pwrite(d->lock_fd, pid, (size_t)count, 0) != count)
		return gd_fail_sys(why, errno, "cannot write to the lock file in %s", path);
	return GD_OK;
}

static bool set_path(char *out, const char *dir, const char *name)
{
	int count = snprintf(out, STATE_PATH_BYTES, "%s/%s", dir, name);

	return count > 0 && count < STATE_PATH_BYTES;
}

static enum gd_err set_paths(struct state_dir *d, const char *path, struct gd_error *why)
{
	*d = (struct state_dir){ .dir_fd = -1, .lock_fd = -1 };
	if (!set_path(d->database, path, DATABASE) || !set_path(d->wal, path, DATABASE "-wal") ||
	    !set_path(d->unborn, path, DATABASE ".new"))
		return gd_fail_sys(why, ENAMETOOLONG, "state directory");
	return GD_OK;
}

enum gd_err state_dir_open(struct state_dir *d, const char *path, struct gd_error *why)
{
	enum gd_err rc = set_paths(d, path, why);

	if (rc == GD_OK)
		rc = open_dir(d, path, why);
	if (rc == GD_OK)
		rc = take_lock(d, path, why);
	if (rc != GD_OK)
		state_dir_close(d);
	return rc;
}

/* Without a lock file no daemon has ever been here. */
static enum gd_err borrow_lock(struct state_dir *d, const char *path, struct gd_error *why)
{
	d->lock_fd = openat(d->dir_fd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (d->lock_fd < 0)
		return errno == ENOENT
		               ? GD_OK
		               : gd_fail_sys(why, errno, "cannot open the lock of %s", path);
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? fail_taken(d, path, why)
		                            : gd_fail_sys(why, errno, "lock of %s", path);
	return GD_OK;
}

enum gd_err state_dir_open_to_read(struct state_dir *d, const char *path, struct gd_error *why)
{
	enum gd_err rc = set_paths(d, path, why);

	if (rc == GD_OK && (d->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		rc = gd_fail_sys(why, errno, "cannot open state directory %s", path);
	if (rc == GD_OK)
		rc = borrow_lock(d, path, why);
	if (rc != GD_OK)
		state_dir_close(d);
	return rc;
}

void state_dir_close(struct state_dir *d)
{
	if (d->lock_fd >= 0)
		(void)close(d->lock_fd);
	if (d->dir_fd >= 0)
		(void)close(d->dir_fd);
	d->lock_fd = -1;
	d->dir_fd = -1;
}

static bool is_there(const struct state_dir *d, const char *name)
{
	struct stat st;

	return fstatat(d->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static uint32_t big_endian(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The application id in the file itself is right from the first moment on: a database gets its
 * name only when it is whole. */
static enum gd_err check_header(const struct state_dir *d, const unsigned char *header,
                                struct gd_error *why)
{
	if (memcmp(header, "SQLite format 3", 16) != 0)
		return gd_fail(why, GD_STORE,
		               "%s is not a database; restore it from a backup, or move "
		               "it away to start empty",
		               d->database);
	if (big_endian(header + HEADER_APPLICATION_ID) != SCHEMA_APPLICATION_ID)
		return gd_fail(why, GD_STORE,
		               "%s belongs to another program; give gatherd a state "
		               "directory of its own",
		               d->database);
	return GD_OK;
}

static enum gd_err look_into(const struct state_dir *d, struct gd_error *why)
{
	unsigned char header[HEADER_BYTES];
	ssize_t       got;
	int           fd = openat(d->dir_fd, DATABASE, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return gd_fail_sys(why, errno, "cannot open %s", d->database);
	got = pread(fd, header, sizeof header, 0);
	if (got < 0) {
		enum gd_err rc = gd_fail_sys(why, errno, "cannot read %s", d->database);

		(void)close(fd);
		return rc;
	}
	(void)close(fd);
	if (got < HEADER_BYTES)
		return gd_fail(why, GD_STORE,
		               "%s is %s; it was damaged, since gatherd never leaves it so: "
		               "restore it from a backup, or move it away to start empty",
		               d->database, got == 0 ? "empty" : "cut short");
	return check_header(d, header, why);
}

enum gd_err state_dir_look(const struct state_dir *d, bool *has_database, struct gd_error *why)
{
	*has_database = is_there(d, DATABASE);
	if (*has_database)
		return look_into(d, why);
	if (is_there(d, DATABASE "-wal") || is_there(d, DATABASE "-journal"))
		return gd_fail(why, GD_STORE,
		               "%s is missing but its log is there; restore the database "
		               "beside it, or move the log away to start empty",
		               d->database);
	return GD_OK;
}

enum gd_err state_dir_conceive(const struct state_dir *d, struct gd_error *why)
{
	int fd;

	if (unlinkat(d->dir_fd, DATABASE ".new-journal", 0) != 0 && errno != ENOENT)
		return gd_fail_sys(why, errno, "cannot remove %s-journal", d->unborn);
	fd = openat(d->dir_fd, DATABASE ".new",
	            O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return gd_fail_sys(why, errno, "cannot make %s", d->unborn);
	(void)close(fd);
	return GD_OK;
}

enum gd_err state_dir_bear(const struct state_dir *d, struct gd_error *why)
{
	int fd = openat(d->dir_fd, DATABASE ".new", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int failed = 0;

	if (fd < 0 || fsync(fd) != 0)
		failed = errno;
	if (fd >= 0)
		(void)close(fd);
	GD_FAILPOINT("store.before_birth");
	if (failed == 0 && (renameat(d->dir_fd, DATABASE ".new", d->dir_fd, DATABASE) != 0 ||
	                    fsync(d->dir_fd) != 0))
		failed = errno;
	GD_FAILPOINT("store.after_birth");
	return failed == 0 ? GD_OK : gd_fail_sys(why, failed, "cannot make %s", d->database);
}

void state_dir_path(const struct state_dir *d, const char *name, char *out, size_t room)
{
	size_t chars = strlen(d->database) - strlen(DATABASE);

	CHECK(chars + strlen(name) < room);
	memcpy(out, d->database, chars);
	memcpy(out + chars, name, strlen(name) + 1);
}

uint64_t state_dir_bytes(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}
