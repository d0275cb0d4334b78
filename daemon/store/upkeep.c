/*
 * upkeep.c - checkpoints, and giving space back.
 *
 * A checkpoint stalls whoever waits for the next commit, so it waits for a quiet moment; a writer
 * that never has one does it before the WAL gets large. The WAL file is kept, since overwriting
 * syncs in half the time of appending; only one that a burst made very large is cut.
 *
 * What has expired leaves in quiet moments too. A writer that has none takes a slice of it away for
 * every slice's worth that it wrote, so that the database of a flood stays as large as its bounds
 * say.
 */
#include "daemon/store/inside.h"

#include "proto/base/failpoint.h"

#include <time.h>

#define WAL_IDLE_BYTES (4u << 20) /* worth a checkpoint when nothing is queued */
#define WAL_FILE_MAX (64u << 20)  /* a larger file is cut */
#define FREE_PAGES_MIN 1024       /* fewer are left for the next rows */

#define IDLE_WAIT_MSEC 1000            /* then the heartbeat shows that we live */
#define SLICE_CREDIT 512u              /* records or KiB written for one slice */
#define COMMIT_CREDIT 8u               /* and for each commit, however small */
#define SLICES_MAX 8u                  /* in one transaction */
#define SMALL_COMMIT_BYTES (64u << 10) /* a larger one takes long wherever it is written */
#define NOTE_SYNC_NSEC GD_NSEC_PER_SEC

static gd_nsec monotonic_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * GD_NSEC_PER_SEC + now.tv_nsec;
}

static bool note_is_due(const struct store *s)
{
	return !s->last.is_synced && monotonic_now() - s->last_synced >= NOTE_SYNC_NSEC;
}

void upkeep_sync_note(struct store *s)
{
	last_commit_sync(&s->last);
	s->last_synced = monotonic_now();
}

bool upkeep_is_due(const struct store *s)
{
	return s->failure.code == GD_OK &&
	       (s->is_behind || s->has_freed ||
	        s->db.wal_pages >= WAL_IDLE_BYTES / WAL_FRAME_BYTES || retention_is_due(s) ||
	        note_is_due(s) || backup_is_forgotten(&s->backup));
}

int64_t upkeep_wait_msec(const struct store *s)
{
	gd_nsec wait = retention_wait(s) / GD_NSEC_PER_MSEC + 1;

	if (upkeep_is_due(s))
		return UPKEEP_QUIET_MSEC;
	return wait < IDLE_WAIT_MSEC ? wait : IDLE_WAIT_MSEC;
}

/* A stop may have come before all the space was given back. */
enum gd_err upkeep_load(struct store *s, struct gd_error *why)
{
	int64_t     free_pages = 0;
	enum gd_err rc = db_number(&s->db, "PRAGMA freelist_count", &free_pages, why);

	s->has_freed = free_pages >= FREE_PAGES_MIN;
	return rc;
}

/* After a failure the WAL still has everything; the next try comes when it has grown again. */
static void checkpoint(struct store *s, int mode)
{
	bool is_whole;

	GD_FAILPOINT("store.before_checkpoint");
	upkeep_sync_note(s); /* the checkpoint syncs a lot in any case */
	if (db_checkpoint(&s->db, mode, &is_whole, &s->failure) != GD_OK)
		return;
	if (is_whole)
		s->checkpoint_at = WAL_BUSY_BYTES / WAL_FRAME_BYTES;
	else
		s->checkpoint_at = s->db.wal_pages + WAL_BUSY_BYTES / WAL_FRAME_BYTES;
	GD_FAILPOINT("store.after_checkpoint");
}

static void expire_when_busy(struct store *s, uint64_t cost)
{
	uint64_t slices;

	s->retention.credit += cost;
	slices = s->retention.credit / SLICE_CREDIT;
	if (slices == 0)
		return;
	s->retention.credit %= SLICE_CREDIT;
	if (retention_measure(s, &s->failure) == GD_OK && retention_is_due(s))
		retention_run(s, slices > SLICES_MAX ? SLICES_MAX : (uint32_t)slices);
}

void upkeep_when_busy(struct store *s, uint64_t records, size_t bytes)
{
	if (s->failure.code != GD_OK)
		return;
	expire_when_busy(s, records + bytes / 1024 + COMMIT_CREDIT);
	if (s->checkpoint_at == 0)
		s->checkpoint_at = WAL_BUSY_BYTES / WAL_FRAME_BYTES;
	if (s->failure.code == GD_OK && s->db.wal_pages >= s->checkpoint_at)
		checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
	else if (bytes <= SMALL_COMMIT_BYTES)
		wal_room_make(s);
}

/* A little at a time: a commit that comes meanwhile waits for at most one such step. */
static void give_space_back(struct store *s)
{
	int64_t         free_pages = 0;
	struct gd_error why;

	if (db_number(&s->db, "PRAGMA freelist_count", &free_pages, &s->failure) != GD_OK)
		return;
	if (free_pages < FREE_PAGES_MIN) {
		s->has_freed = false;
		if (s->has_shrunk)
			checkpoint(s, SQLITE_CHECKPOINT_PASSIVE); /* only now the file is cut */
		s->has_shrunk = false;
		return;
	}
	if (db_exec(&s->db, "PRAGMA incremental_vacuum(512)", &why) != GD_OK) {
		/* This is a write like any other: when it fails, nothing more is written. But on a
		 * full disk nothing has happened, and the next deletion asks again. */
		if (db_is_without_room(&why))
			s->has_freed = false;
		else
			s->failure = why;
	}
	GD_FAILPOINT("store.vacuumed");
	s->has_shrunk = true;
}

void upkeep_when_idle(struct store *s)
{
	if (s->failure.code != GD_OK || retention_measure(s, &s->failure) != GD_OK ||
	    !upkeep_is_due(s))
		return;
	if (backup_is_forgotten(&s->backup))
		backup_drop(&s->backup, &s->dir);
	if (note_is_due(s))
		upkeep_sync_note(s);
	if (s->is_behind)
		state_settle_rest(s);
	if (retention_is_due(s))
		retention_run(s, 1);
	else if (s->has_freed)
		give_space_back(s);
	if (s->failure.code != GD_OK || s->db.wal_pages < WAL_IDLE_BYTES / WAL_FRAME_BYTES)
		return;
	checkpoint(s, state_dir_bytes(s->dir.wal) > WAL_FILE_MAX ? SQLITE_CHECKPOINT_TRUNCATE
	                                                         : SQLITE_CHECKPOINT_PASSIVE);
}
