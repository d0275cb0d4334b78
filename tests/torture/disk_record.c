/* The functions of the C library that stand here are declared by its headers with inline twins. */
#undef _FORTIFY_SOURCE
#include "proto/base/check.h"
#include "tests/torture/disk.h"
#include "tests/torture/tape.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_MAX 256
#define NAME_BYTES_MAX 256

enum what { NOTHING, OUR_DIR, OUR_PARENT, OUR_FILE };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char            our_dir[256]; /* "": not recording */
static atomic_uint     writes_without_room;

static enum sabotage { HONEST, SYNCS_NOTHING, SYNCS_NO_NAMES, SYNCS_LATE } sabotage;
static int tape_fd = -1;
static struct {
	enum what what;
	uint64_t  inode;
} fds[FDS_MAX];

/* --- the tape --- */

static void put(enum tape_kind kind, uint64_t inode, uint64_t at, const void *payload, size_t bytes)
{
	struct tape_entry  e = { .kind = kind, .inode = inode, .at = at, .bytes = bytes };
	const struct iovec parts[] = { { &e, sizeof e }, { (void *)(uintptr_t)payload, bytes } };

	(void)pthread_mutex_lock(&lock);
	CHECK(writev(tape_fd, parts, 2) == (ssize_t)(sizeof e + bytes));
	(void)pthread_mutex_unlock(&lock);
}

void disk_record(const char *dir, const char *tape)
{
	CHECK(strlen(dir) < sizeof our_dir);
	tape_fd = (int)syscall(SYS_openat, AT_FDCWD, tape, O_WRONLY | O_CREAT | O_APPEND, 0600);
	CHECK(tape_fd >= 0);
	memcpy(our_dir, dir, strlen(dir) + 1);
}

static void record_file(const char *dir, const char *name)
{
	char        path[512];
	struct stat st;
	char       *bytes;
	int         fd;

	(void)snprintf(path, sizeof path, "%.240s/%.255s", dir, name);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	bytes = malloc((size_t)st.st_size + 1);
	CHECK(bytes != NULL && read(fd, bytes, (size_t)st.st_size) == st.st_size);
	put(TAPE_CREATE, st.st_ino, 0, name, strlen(name));
	if (st.st_size != 0)
		put(TAPE_WRITE, st.st_ino, 0, bytes, (size_t)st.st_size);
	put(TAPE_SYNC, st.st_ino, 0, NULL, 0);
	free(bytes);
	(void)close(fd);
}

void disk_record_present(const char *dir, const char *tape)
{
	DIR           *list = opendir(dir);
	struct dirent *entry;

	tape_fd = (int)syscall(SYS_openat, AT_FDCWD, tape, O_WRONLY | O_CREAT | O_APPEND, 0600);
	CHECK(tape_fd >= 0 && list != NULL);
	put(TAPE_MAKE_DIR, 0, 0, NULL, 0);
	put(TAPE_SYNC_PARENT, 0, 0, NULL, 0);
	while ((entry = readdir(list)) != NULL)
		if (entry->d_name[0] != '.')
			record_file(dir, entry->d_name);
	put(TAPE_SYNC_DIR, 0, 0, NULL, 0);
	(void)closedir(list);
	(void)close(tape_fd);
	tape_fd = -1;
}

bool disk_sabotage(const char *name)
{
	static const char *const names[] = { [SYNCS_NOTHING] = "syncs-nothing",
		                             [SYNCS_NO_NAMES] = "syncs-no-names",
		                             [SYNCS_LATE] = "syncs-late" };

	for (int i = SYNCS_NOTHING; i <= SYNCS_LATE; i++)
		if (name != NULL && strcmp(name, names[i]) == 0)
			sabotage = (enum sabotage)i;
	return name == NULL || sabotage != HONEST;
}

void disk_mark(enum disk_mark mark, uint64_t number)
{
	put(TAPE_MARK, number, (uint64_t)mark, NULL, 0);
}

/* --- which file is it? --- */

static bool is_recording(void)
{
	return our_dir[0] != '\0';
}

static enum what what_is(int fd)
{
	return is_recording() && fd >= 0 && fd < FDS_MAX ? fds[fd].what : NOTHING;
}

/* The name within our directory; NULL when the path leads elsewhere. */
static const char *our_name(int dir_fd, const char *path)
{
	size_t bytes = strlen(our_dir);

	if (!is_recording())
		return NULL;
	if (path[0] != '/')
		return what_is(dir_fd) == OUR_DIR && strcmp(path, "..") != 0 ? path : NULL;
	if (strncmp(path, our_dir, bytes) != 0 || path[bytes] != '/')
		return NULL;
	return strchr(path + bytes + 1, '/') == NULL ? path + bytes + 1 : NULL;
}

static void note_file(int fd, const char *name, bool is_new, int flags)
{
	struct stat st;

	CHECK(fstat(fd, &st) == 0 && fd < FDS_MAX);
	fds[fd].what = OUR_FILE;
	fds[fd].inode = st.st_ino;
	if (is_new)
		put(TAPE_CREATE, st.st_ino, 0, name, strlen(name));
	else if ((flags & O_TRUNC) != 0)
		put(TAPE_TRUNCATE, st.st_ino, 0, NULL, 0);
}

static int open_and_note(int dir_fd, const char *path, int flags, mode_t mode)
{
	const char *name = our_name(dir_fd, path);
	bool        is_new = false;
	int         fd;

	if (name != NULL && (flags & O_CREAT) != 0)
		is_new = syscall(SYS_faccessat, dir_fd, path, F_OK) != 0;
	fd = (int)syscall(SYS_openat, dir_fd, path, flags, mode);
	if (fd < 0 || fd >= FDS_MAX || !is_recording())
		return fd;
	fds[fd].what = NOTHING;
	if (name != NULL)
		note_file(fd, name, is_new, flags);
	else if (strcmp(path, our_dir) == 0)
		fds[fd].what = OUR_DIR;
	else if (what_is(dir_fd) == OUR_DIR)
		fds[fd].what = OUR_PARENT;
	return fd;
}

/* --- in place of the C library's --- */

static mode_t mode_of(int flags, va_list list)
{
	return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
}

#define OPEN(function)                                             \
	int function(const char *path, int flags, ...)             \
	{                                                          \
		va_list list;                                      \
		mode_t  mode;                                      \
                                                                   \
		va_start(list, flags);                             \
		mode = mode_of(flags, list);                       \
		va_end(list);                                      \
		return open_and_note(AT_FDCWD, path, flags, mode); \
	}
OPEN(open)
OPEN(open64)

int openat(int dir_fd, const char *path, int flags, ...)
{
	va_list list;
	mode_t  mode;

	va_start(list, flags);
	mode = mode_of(flags, list);
	va_end(list);
	return open_and_note(dir_fd, path, flags, mode);
}

void disk_no_room(uint32_t writes)
{
	atomic_store(&writes_without_room, writes);
}

static bool has_room(int fd, off64_t end)
{
	struct stat st;

	if (what_is(fd) != OUR_FILE || atomic_load(&writes_without_room) == 0 ||
	    fstat(fd, &st) != 0 || end <= st.st_size)
		return true;
	(void)atomic_fetch_sub(&writes_without_room, 1);
	return false;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
	ssize_t done;

	if (!has_room(fd, at + (off64_t)count)) {
		errno = ENOSPC;
		return -1;
	}
	done = syscall(SYS_pwrite64, fd, bytes, count, at);
	if (done > 0 && what_is(fd) == OUR_FILE)
		put(TAPE_WRITE, fds[fd].inode, (uint64_t)at, bytes, (size_t)done);
	return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
	return pwrite64(fd, bytes, count, at);
}

int ftruncate64(int fd, off64_t bytes)
{
	int rc = (int)syscall(SYS_ftruncate, fd, bytes);

	if (rc == 0 && what_is(fd) == OUR_FILE)
		put(TAPE_TRUNCATE, fds[fd].inode, (uint64_t)bytes, NULL, 0);
	return rc;
}

int ftruncate(int fd, off_t bytes)
{
	return ftruncate64(fd, bytes);
}

static void note_sync(enum tape_kind kind, uint64_t inode)
{
	static struct {
		bool           is_waiting;
		enum tape_kind kind;
		uint64_t       inode;
	} late;

	if (sabotage == SYNCS_NOTHING || (sabotage == SYNCS_NO_NAMES && kind != TAPE_SYNC))
		return;
	if (sabotage != SYNCS_LATE) {
		put(kind, inode, 0, NULL, 0);
		return;
	}
	if (late.is_waiting)
		put(late.kind, late.inode, 0, NULL, 0);
	late.is_waiting = true;
	late.kind = kind;
	late.inode = inode;
}

static int sync_and_note(int fd)
{
	switch (what_is(fd)) {
	case NOTHING:
		break;
	case OUR_DIR:
		note_sync(TAPE_SYNC_DIR, 0);
		break;
	case OUR_PARENT:
		note_sync(TAPE_SYNC_PARENT, 0);
		break;
	case OUR_FILE:
		note_sync(TAPE_SYNC, fds[fd].inode);
		break;
	}
	return 0;
}

int fsync(int fd)
{
	return sync_and_note(fd);
}

int fdatasync(int fd)
{
	return sync_and_note(fd);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	char        names[2 * NAME_BYTES_MAX];
	const char *old = our_name(from_fd, from);
	const char *new = our_name(to_fd, to);
	int rc = (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);

	if (rc == 0 && old != NULL && new != NULL) {
		int count = snprintf(names, sizeof names, "%s%c%s", old, '\0', new);

		put(TAPE_RENAME, 0, 0, names, (size_t)count);
	}
	return rc;
}

int unlinkat(int dir_fd, const char *path, int flags)
{
	const char *name = our_name(dir_fd, path);
	int         rc = (int)syscall(SYS_unlinkat, dir_fd, path, flags);

	if (rc == 0 && name != NULL)
		put(TAPE_UNLINK, 0, 0, name, strlen(name));
	return rc;
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int mkdir(const char *path, mode_t mode)
{
	int rc = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);

	if (rc == 0 && is_recording() && strcmp(path, our_dir) == 0)
		put(TAPE_MAKE_DIR, 0, 0, NULL, 0);
	return rc;
}
