#include "tests/lib/fault_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define NO_BOUND UINT64_MAX

static struct {
	pthread_mutex_t   lock;
	sqlite3_vfs      *real;
	sqlite3_vfs       vfs;
	struct fault_plan plan;
	uint64_t          count[FAULT_OPS];
	uint64_t          room;
	bool              has_struck;
} rig = { .lock = PTHREAD_MUTEX_INITIALIZER, .room = NO_BOUND };

struct fault_file {
	sqlite3_file base; /* first: what SQLite sees */
	bool         is_counted;
	sqlite3_file real[]; /* as long as the VFS below wants */
};

const char *fault_op_name(enum fault_op op)
{
	static const char *const names[FAULT_OPS] = { "open", "read",     "write",
		                                      "sync", "truncate", "delete" };

	return names[op];
}

static bool is_counted(const char *name)
{
	size_t bytes = name == NULL ? 0 : strlen(name);
	size_t end;

	if (rig.plan.only == NULL)
		return true;
	end = strlen(rig.plan.only);
	return bytes >= end && strcmp(name + bytes - end, rig.plan.only) == 0;
}

/* Counts one request. True: this one goes wrong. */
static bool strikes(enum fault_op op, bool is_one_of_ours)
{
	bool is_hit = false;

	if (!is_one_of_ours)
		return false;
	(void)pthread_mutex_lock(&rig.lock);
	rig.count[op]++;
	if (rig.plan.nth != 0 && rig.plan.op == op)
		is_hit = rig.plan.is_lasting ? rig.count[op] >= rig.plan.nth
		                             : rig.count[op] == rig.plan.nth;
	rig.has_struck = rig.has_struck || is_hit;
	(void)pthread_mutex_unlock(&rig.lock);
	return is_hit;
}

static struct fault_file *file_of(sqlite3_file *file)
{
	return (struct fault_file *)(void *)file;
}

static const sqlite3_io_methods *below(struct fault_file *f)
{
	return f->real->pMethods;
}

static int on_close(sqlite3_file *file)
{
	struct fault_file *f = file_of(file);

	return below(f) == NULL ? SQLITE_OK : below(f)->xClose(f->real);
}

static int on_read(sqlite3_file *file, void *out, int bytes, sqlite3_int64 at)
{
	struct fault_file *f = file_of(file);
	bool               is_hit = strikes(FAULT_READ, f->is_counted);
	int                rc;

	if (is_hit && rig.plan.way == FAULT_ERROR)
		return SQLITE_IOERR_READ;
	rc = below(f)->xRead(f->real, out, bytes, at);
	if (is_hit && rc == SQLITE_OK)
		((unsigned char *)out)[bytes / 2] ^= 0x10;
	return rc;
}

/* How much of a write fits. */
static int take_room(struct fault_file *f, int bytes, sqlite3_int64 at)
{
	sqlite3_int64 size = 0;
	uint64_t      growth;
	int           fits = bytes;

	(void)pthread_mutex_lock(&rig.lock);
	if (rig.room != NO_BOUND && below(f)->xFileSize(f->real, &size) == SQLITE_OK &&
	    at + bytes > size) {
		growth = (uint64_t)(at + bytes - size);
		if (growth > rig.room) {
			fits = growth - rig.room >= (uint64_t)bytes
			               ? 0
			               : bytes - (int)(growth - rig.room);
			rig.room = 0;
		} else {
			rig.room -= growth;
		}
	}
	(void)pthread_mutex_unlock(&rig.lock);
	return fits;
}

static int on_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 at)
{
	struct fault_file *f = file_of(file);
	bool               is_hit = strikes(FAULT_WRITE, f->is_counted);
	int                fits = take_room(f, bytes, at);

	if (is_hit && rig.plan.way == FAULT_ERROR)
		return SQLITE_IOERR_WRITE;
	if (is_hit)
		fits = bytes / 2;
	if (fits == bytes)
		return below(f)->xWrite(f->real, data, bytes, at);
	if (fits > 0)
		(void)below(f)->xWrite(f->real, data, fits, at);
	return SQLITE_FULL;
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 bytes)
{
	struct fault_file *f = file_of(file);

	if (strikes(FAULT_TRUNCATE, f->is_counted))
		return SQLITE_IOERR_TRUNCATE;
	return below(f)->xTruncate(f->real, bytes);
}

static int on_sync(sqlite3_file *file, int flags)
{
	(void)flags;
	return strikes(FAULT_SYNC, file_of(file)->is_counted) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int on_size(sqlite3_file *file, sqlite3_int64 *out)
{
	return below(file_of(file))->xFileSize(file_of(file)->real, out);
}

static int on_lock(sqlite3_file *file, int level)
{
	return below(file_of(file))->xLock(file_of(file)->real, level);
}

static int on_unlock(sqlite3_file *file, int level)
{
	return below(file_of(file))->xUnlock(file_of(file)->real, level);
}

static int on_check_lock(sqlite3_file *file, int *out)
{
	return below(file_of(file))->xCheckReservedLock(file_of(file)->real, out);
}

static int on_control(sqlite3_file *file, int op, void *arg)
{
	return below(file_of(file))->xFileControl(file_of(file)->real, op, arg);
}

static int on_sector(sqlite3_file *file)
{
	return below(file_of(file))->xSectorSize(file_of(file)->real);
}

static int on_traits(sqlite3_file *file)
{
	return below(file_of(file))->xDeviceCharacteristics(file_of(file)->real);
}

/* Version 1 has neither shared memory nor mapped pages: the store needs neither. */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_check_lock,
	.xFileControl = on_control,
	.xSectorSize = on_sector,
	.xDeviceCharacteristics = on_traits,
};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *got)
{
	struct fault_file *f = file_of(file);
	int                rc;

	(void)vfs;
	f->base.pMethods = NULL;
	f->is_counted = is_counted(name);
	if (strikes(FAULT_OPEN, f->is_counted))
		return SQLITE_CANTOPEN;
	rc = rig.real->xOpen(rig.real, name, f->real, flags, got);
	if (rc == SQLITE_OK)
		f->base.pMethods = &methods;
	return rc;
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int is_synced)
{
	(void)vfs;
	(void)is_synced;
	if (strikes(FAULT_DELETE, is_counted(name)))
		return SQLITE_IOERR_DELETE;
	return rig.real->xDelete(rig.real, name, 0);
}

void fault_vfs_install(void)
{
	if (rig.real != NULL)
		return;
	rig.real = sqlite3_vfs_find(NULL);
	if (rig.real == NULL)
		abort();
	rig.vfs = *rig.real;
	rig.vfs.pNext = NULL;
	rig.vfs.zName = "fault";
	rig.vfs.szOsFile = (int)sizeof(struct fault_file) + rig.real->szOsFile;
	rig.vfs.xOpen = on_open;
	rig.vfs.xDelete = on_delete;
	if (sqlite3_vfs_register(&rig.vfs, 1) != SQLITE_OK)
		abort();
}

void fault_vfs_arm(const struct fault_plan *plan)
{
	(void)pthread_mutex_lock(&rig.lock);
	rig.plan = *plan;
	rig.room = NO_BOUND;
	rig.has_struck = false;
	memset(rig.count, 0, sizeof rig.count);
	(void)pthread_mutex_unlock(&rig.lock);
}

void fault_vfs_disarm(void)
{
	const struct fault_plan none = { 0 };

	fault_vfs_arm(&none);
}

uint64_t fault_vfs_count(enum fault_op op)
{
	uint64_t count;

	(void)pthread_mutex_lock(&rig.lock);
	count = rig.count[op];
	(void)pthread_mutex_unlock(&rig.lock);
	return count;
}

bool fault_vfs_has_struck(void)
{
	bool has_struck;

	(void)pthread_mutex_lock(&rig.lock);
	has_struck = rig.has_struck;
	(void)pthread_mutex_unlock(&rig.lock);
	return has_struck;
}

void fault_vfs_set_room(uint64_t bytes)
{
	(void)pthread_mutex_lock(&rig.lock);
	rig.room = bytes;
	(void)pthread_mutex_unlock(&rig.lock);
}
