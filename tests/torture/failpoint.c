/*
 * What failpoint.h names, for the daemon of the crash rig: GATHERD_FAILPOINT=NAME[:N] ends the
 * process, as `kill -9` would, when it passes NAME for the N-th time.
 *
 * GATHERD_FAILPOINT_HOLD=NAME:FILE: as long as FILE is there, NAME lets only so many through as FILE
 * says, a decimal number.
 *
 * SQLite's own steps are places too: fdatasync() and pwrite64() stand here before those of the C
 * library, so that a commit or a checkpoint can end in its middle. `sqlite.sync_fails` does not end
 * anything itself: that sync fails, as that of a broken disk.
 */
#include "proto/base/failpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static char        armed[64]; /* "": none */
static atomic_long left;

__attribute__((constructor)) static void arm(void)
{
	const char *wish = getenv("GATHERD_FAILPOINT");
	const char *colon;
	size_t      bytes;

	if (wish == NULL)
		return;
	colon = strchr(wish, ':');
	bytes = colon == NULL ? strlen(wish) : (size_t)(colon - wish);
	if (bytes >= sizeof armed)
		abort();
	memcpy(armed, wish, bytes);
	atomic_init(&left, colon == NULL ? 1 : strtol(colon + 1, NULL, 10));
}

/* True at the pass that was asked for. */
static bool passes(const char *name)
{
	return strcmp(name, armed) == 0 && atomic_fetch_sub(&left, 1) == 1;
}

void gd_failpoint(const char *name)
{
	if (passes(name))
		(void)kill(getpid(), SIGKILL);
}

bool gd_failpoint_holds(const char *name)
{
	static atomic_long passed;
	const char        *wish = getenv("GATHERD_FAILPOINT_HOLD");
	const size_t       bytes = strlen(name);
	long               limit = 0;
	FILE              *file;

	if (wish == NULL || strncmp(wish, name, bytes) != 0 || wish[bytes] != ':')
		return false;
	if ((file = fopen(wish + bytes + 1, "re")) == NULL)
		return false;
	if (fscanf(file, "%ld", &limit) != 1)
		limit = 0;
	(void)fclose(file);
	if (atomic_fetch_add(&passed, 1) < limit)
		return false;
	(void)atomic_fetch_sub(&passed, 1);
	(void)usleep(1000);
	return true;
}

int     fdatasync(int fd);
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at);

int fdatasync(int fd)
{
	int rc;

	gd_failpoint("sqlite.before_sync");
	if (passes("sqlite.sync_fails")) {
		errno = EIO; /* and nobody knows what has reached the disk */
		return -1;
	}
	rc = (int)syscall(SYS_fdatasync, fd);
	gd_failpoint("sqlite.after_sync");
	return rc;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
	gd_failpoint("sqlite.before_write");
	return syscall(SYS_pwrite64, fd, bytes, count, at);
}
