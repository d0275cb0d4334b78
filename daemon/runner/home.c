/*
 * home.c - DIR/runner: made, locked for life. Part of runner.h.
 */
#include "daemon/runner/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_TRIES 100
#define LOCK_PAUSE_MSEC 10

/* The state directory is the daemon's to make; without one there is nothing to run for. */
static enum gd_err open_dir(struct runner *r, const char *state_dir, struct gd_error *why)
{
	int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return gd_fail_sys(why, errno, "state directory %s", state_dir);
	if (mkdirat(fd, "runner", 0700) == 0)
		(void)fsync(fd);
	else if (errno != EEXIST) {
		enum gd_err rc = gd_fail_sys(why, errno, "cannot make %s/runner", state_dir);

		(void)close(fd);
		return rc;
	}
	r->dir_fd = openat(fd, "runner", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (r->dir_fd < 0)
		(void)gd_fail_sys(why, errno, "cannot open %s/runner", state_dir);
	(void)close(fd);
	return r->dir_fd < 0 ? GD_SYS : GD_OK;
}

/* 0 or errno. A runner that was killed may leave a child on its way to exec: that shares the table of
 * descriptors (spawn.h), holds the lock until it is dead, and may write into the spool meanwhile. So
 * it is waited for; a lock that stays is another runner's. */
static int take_lock(int fd)
{
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_TRIES)
			return errno;
		(void)poll(NULL, 0, LOCK_PAUSE_MSEC);
	}
	return 0;
}

enum gd_err home_open(struct runner *r, const char *state_dir, struct gd_error *why)
{
	char        pid[24];
	int         count, failed;
	enum gd_err rc = open_dir(r, state_dir, why);

	if (rc != GD_OK)
		return rc;
	r->lock_fd = openat(r->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->lock_fd < 0)
		return gd_fail_sys(why, errno, "%s/runner is not writable", state_dir);
	failed = take_lock(r->lock_fd);
	if (failed == EWOULDBLOCK)
		return gd_fail(why, GD_CONFLICT, "another gatherd-runner uses %s", state_dir);
	if (failed != 0)
		return gd_fail_sys(why, failed, "lock of %s/runner", state_dir);
	count = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
	if (ftruncate(r->lock_fd, 0) != 0 || pwrite(r->lock_fd, pid, (size_t)count, 0) != count)
		return gd_fail_sys(why, errno, "cannot write the lock of %s/runner", state_dir);
	return GD_OK;
}
