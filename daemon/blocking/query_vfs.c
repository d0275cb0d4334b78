#include "daemon/blocking/query_vfs.h"

#include "daemon/blocking/blocking.h"
#include "proto/base/check.h"

#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NAME "gatherd-query"
#define ONE_OF_A_DATABASE (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)

static sqlite3_vfs               vfs;
static sqlite3_vfs              *unix_vfs; /* does the work */
static sqlite3_io_methods        bounded;  /* of temporary files: theirs, but for xWrite */
static const sqlite3_io_methods *unbounded;
static pthread_once_t            bounded_once = PTHREAD_ONCE_INIT;
static int                       registered;

/* --- files --- */

static int write_bounded(sqlite3_file *file, const void *at, int bytes, sqlite3_int64 offset)
{
	if (offset + bytes > (sqlite3_int64)BLOCKING_SORT_BYTES_MAX)
		return SQLITE_FULL;
	return unbounded->xWrite(file, at, bytes, offset);
}

static void make_bounded(void)
{
	bounded = *unbounded;
	bounded.xWrite = write_bounded;
}

static int open_temporary(const char *name, sqlite3_file *file, int flags, int *out)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	int                    rc = unix_vfs->xOpen(unix_vfs, name, file, flags, out);

	if (rc != SQLITE_OK)
		return rc;
	CHECK(pthread_mutex_lock(&mutex) == 0);
	if (unbounded == NULL)
		unbounded = file->pMethods;
	CHECK(pthread_mutex_unlock(&mutex) == 0);
	/* All temporary files are of one kind: nobody else can see them, so none is locked. */
	CHECK(file->pMethods == unbounded);
	CHECK(pthread_once(&bounded_once, make_bounded) == 0);
	file->pMethods = &bounded;
	return SQLITE_OK;
}

/* SQLite opens -shm by itself. */
static bool is_fit(const char *name, const char *suffix)
{
	char        at[PATH_MAX];
	struct stat st;

	return snprintf(at, sizeof at, "%s%s", name, suffix) < (int)sizeof at &&
	       (lstat(at, &st) != 0 || S_ISREG(st.st_mode));
}

static int open_file(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out)
{
	(void)v;
	file->pMethods = NULL;
	if ((flags & SQLITE_OPEN_SUPER_JOURNAL) != 0) /* for who writes to several databases */
		return SQLITE_CANTOPEN;
	if ((flags & ONE_OF_A_DATABASE) == 0)
		return open_temporary(name, file, flags, out);
	if (!is_fit(name, "") || ((flags & SQLITE_OPEN_MAIN_DB) != 0 && !is_fit(name, "-shm")))
		return SQLITE_CANTOPEN;
	return unix_vfs->xOpen(unix_vfs, name, file, flags, out);
}

/* Beside an empty database SQLite would tidy up. */
static int delete_nothing(sqlite3_vfs *v, const char *name, int sync_dir)
{
	(void)v;
	(void)name;
	(void)sync_dir;
	return SQLITE_IOERR_DELETE;
}

static int take_as_it_is(sqlite3_vfs *v, const char *name, int room, char *out)
{
	size_t bytes = strlen(name);

	(void)v;
	if (bytes >= (size_t)room)
		return SQLITE_CANTOPEN;
	memcpy(out, name, bytes + 1);
	return SQLITE_OK;
}

/* --- the whole --- */

static void enter(void)
{
	unix_vfs = sqlite3_vfs_find("unix");
	if (unix_vfs == NULL)
		return;
	vfs = *unix_vfs;
	vfs.zName = NAME;
	vfs.pNext = NULL;
	vfs.xOpen = open_file;
	vfs.xDelete = delete_nothing;
	vfs.xFullPathname = take_as_it_is;
	registered = sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
}

const char *query_vfs(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	CHECK(pthread_once(&once, enter) == 0);
	return registered ? NAME : NULL;
}
