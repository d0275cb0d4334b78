/*
 * upkeep.c - checkpoints, and giving space back.
 *
 * A checkpoint stalls whoever waits for the next commit, so it waits for a quiet moment; a writer
 * that never has one does it before the WAL gets large. The WAL file is kept, since overwriting
 * syncs in half the time of appending; only one that a burst made very large is cut.
 */
#include "daemon/store/inside.h"

#define WAL_FRAME_BYTES (4096u + 24u)
#define WAL_IDLE_BYTES (4u << 20)  /* worth a checkpoint when nothing is queued */
#define WAL_BUSY_BYTES (32u << 20) /* not to be passed even when there is */
#define WAL_FILE_MAX (64u << 20)   /* a larger file is cut */
#define FREE_PAGES_MIN 1024        /* fewer are left for the next rows */

bool upkeep_is_due(const struct store *s)
{
	return s->failure.code == GD_OK &&
	       (s->has_freed || s->db.wal_pages >= WAL_IDLE_BYTES / WAL_FRAME_BYTES);
}

/* After a failure the WAL still has everything; the next try comes when it has grown again. */
static void checkpoint(struct store *s, int mode)
{
	if (db_checkpoint(&s->db, mode))
		s->checkpoint_at = WAL_BUSY_BYTES / WAL_FRAME_BYTES;
	else
		s->checkpoint_at = s->db.wal_pages + WAL_BUSY_BYTES / WAL_FRAME_BYTES;
}

void upkeep_when_busy(struct store *s)
{
	if (s->checkpoint_at == 0)
		s->checkpoint_at = WAL_BUSY_BYTES / WAL_FRAME_BYTES;
	if (s->failure.code == GD_OK && s->db.wal_pages >= s->checkpoint_at)
		checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
}

/* A little at a time: a commit that comes meanwhile waits for at most one such step. */
static void give_space_back(struct store *s)
{
	int64_t free_pages = 0;

	if (db_number(&s->db, "PRAGMA freelist_count", &free_pages, &s->failure) != GD_OK)
		return;
	if (free_pages < FREE_PAGES_MIN) {
		s->has_freed = false;
		return;
	}
	/* This is a write like any other: when it fails, nothing more is written. */
	(void)!db_exec(&s->db, "PRAGMA incremental_vacuum(512)", &s->failure);
}

void upkeep_when_idle(struct store *s)
{
	if (!upkeep_is_due(s))
		return;
	if (s->has_freed)
		give_space_back(s);
	if (s->failure.code != GD_OK || s->db.wal_pages < WAL_IDLE_BYTES / WAL_FRAME_BYTES)
		return;
	checkpoint(s, state_dir_bytes(s->dir.wal) > WAL_FILE_MAX ? SQLITE_CHECKPOINT_TRUNCATE
	                                                         : SQLITE_CHECKPOINT_PASSIVE);
}
