/*
 * wal_room.c - the log's file, made larger ahead of the log.
 *
 * A sync after overwriting takes less than half the time of one after appending: the file's size
 * and its list of blocks stay as they are. So zeros are written behind the end of the file before
 * the log comes there. To SQLite and to the audit they are what an earlier round of the log may
 * have left: frames without the salt of this one. Nothing is overwritten, and nothing depends on
 * it: without room on the disk the log grows as it always did. The next commit syncs them.
 */
#include "daemon/store/inside.h"

#define ROOM_BYTES_MIN (64u << 10) /* between the log's end and that of its file */
#define STEP_BYTES_MIN (256u << 10)
#define STEP_BYTES_MAX (2u << 20)
#define ZEROS_BYTES (64u << 10)

static sqlite3_int64 step_of(sqlite3_int64 used)
{
	if (used < STEP_BYTES_MIN)
		return STEP_BYTES_MIN;
	return used < STEP_BYTES_MAX ? used : STEP_BYTES_MAX;
}

void wal_room_make(struct store *s)
{
	static const char zeros[ZEROS_BYTES];

	sqlite3_int64 used = (sqlite3_int64)s->db.wal_pages * WAL_FRAME_BYTES;
	sqlite3_file *file = NULL;
	sqlite3_int64 at = 0;
	sqlite3_int64 end;

	if (used == 0 || used + ROOM_BYTES_MIN > WAL_BUSY_BYTES ||
	    sqlite3_file_control(s->db.link, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) !=
	            SQLITE_OK ||
	    file == NULL || file->pMethods == NULL ||
	    file->pMethods->xFileSize(file, &at) != SQLITE_OK || at >= used + ROOM_BYTES_MIN)
		return;
	for (end = at + step_of(used); at < end; at += ZEROS_BYTES) {
		if (file->pMethods->xWrite(file, zeros, ZEROS_BYTES, at) != SQLITE_OK)
			return;
	}
}
