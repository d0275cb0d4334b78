/*
 * state_row.c - what each commit leaves behind in few numbers.
 *
 * The row of table `state` is a page of its own, and so are those of `expiry`: three pages for a
 * commit that else writes two. So most commits say the numbers in their last chunk, and what has
 * ended stays in memory until there is more of it. From time to time, and when rows are taken away
 * or no chunk is written, a commit settles: it lists what has ended and writes the row. `listed`
 * says how far that has come; after an unclean end the first commit looks through the few events
 * behind it.
 */
#include "daemon/store/inside.h"

#include <string.h>

#define UNLISTED_COMMITS_MAX 64
#define UNLISTED_EVENTS_MAX 4096 /* a start looks through so many */

void state_bind_counts(struct bind *b, const struct state_row *row)
{
	for (int i = 0; i < STATUS_COUNT; i++)
		bind_u64(b, row->jobs[i]);
	bind_u64(b, row->commits);
}

enum gd_err state_put(struct store *s, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_STATE_PUT);

	bind_u64(&b, s->row.next_job);
	bind_u64(&b, s->row.seq);
	state_bind_counts(&b, &s->row);
	bind_u64(&b, s->row.listed);
	return db_run(&s->db, &b, why);
}

/* What the last start knew. *is_clean: it also ended in store_close(). */
enum gd_err state_load(struct store *s, bool *is_clean, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_STATE_GET);
	struct text uuid;
	bool        has_row;
	enum gd_err rc = db_step(&s->db, &b, &has_row, why);

	if (rc != GD_OK)
		return rc;
	if (!has_row)
		return gd_fail(why, GD_STORE, "%s lacks its state row; restore it from a backup",
		               s->dir.database);
	uuid = row_text(&b, 0);
	if (uuid.bytes == STORE_UUID_CHARS)
		memcpy(s->uuid, uuid.at, STORE_UUID_CHARS);
	*is_clean = row_i64(&b, 1) != 0;
	s->row.listed = row_u64(&b, 2);
	s->row.next_job = row_u64(&b, 3);
	s->row.seq = row_u64(&b, 4);
	for (int i = 0; i < STATUS_COUNT; i++)
		s->row.jobs[i] = row_u64(&b, 5 + i);
	s->row.commits = row_u64(&b, 5 + STATUS_COUNT);
	s->is_behind = s->row.listed < s->row.seq;
	db_done(&b);
	return GD_OK;
}

/* --- what the last end has left --- */

static enum gd_err list_job(struct store *s, uint64_t job, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_JOB_ENDED);
	gd_nsec     ended;
	gd_nsec     retain;
	bool        has_row;
	enum gd_err rc;

	bind_u64(&b, job);
	rc = db_step(&s->db, &b, &has_row, why);
	if (rc != GD_OK || !has_row)
		return rc;
	ended = row_i64(&b, 0);
	retain = row_i64(&b, 1);
	db_done(&b);
	return expiry_add(s, job, ended, retain, why);
}

static enum gd_err list_chunk(struct store *s, uint64_t first_seq, struct text bytes,
                              struct gd_error *why)
{
	struct chunk_reader chunk;
	struct event        e;
	enum gd_err         rc = GD_OK;

	chunk_open(&chunk, first_seq, bytes);
	while (rc == GD_OK && chunk_next(&chunk, &e)) {
		if (e.seq > s->row.listed && e.kind >= EVENT_JOB_COMPLETED &&
		    e.kind <= EVENT_JOB_CANCELLED)
			rc = list_job(s, e.job, why);
	}
	return rc;
}

/* A few of them may be listed already. Not while the store is opened: how long jobs are kept is said
 * later. */
static enum gd_err list_rest(struct store *s, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_CHUNKS_FROM);
	bool        has_row;
	enum gd_err rc;

	bind_u64(&b, s->row.listed + 1);
	while ((rc = db_step(&s->db, &b, &has_row, why)) == GD_OK && has_row) {
		rc = list_chunk(s, row_u64(&b, 0), row_blob(&b, 2), why);
		if (rc != GD_OK)
			break;
	}
	db_done(&b);
	return rc;
}

/* --- settling --- */

bool state_may_wait(const struct store *s)
{
	return s->tx.has_now && !s->is_behind && s->tx.gone.count == 0 &&
	       s->ended.count < EXPIRY_LIST_MAX && s->row.unlisted < UNLISTED_COMMITS_MAX &&
	       s->row.seq - s->row.listed < UNLISTED_EVENTS_MAX;
}

enum gd_err state_settle(struct store *s, struct gd_error *why)
{
	enum gd_err rc = s->is_behind ? list_rest(s, why) : GD_OK;

	if (rc == GD_OK)
		rc = expiry_flush(s, why);
	s->row.listed = s->row.seq;
	s->row.unlisted = 0;
	return rc == GD_OK ? state_put(s, why) : rc;
}

static enum gd_err nothing_else(struct store *s, void *ctx, struct gd_error *why)
{
	(void)s;
	(void)ctx;
	(void)why;
	return GD_OK;
}

/* Without room on the disk it is left to the next commit, or the next start. */
void state_settle_rest(struct store *s)
{
	struct gd_error why;

	if (s->failure.code != GD_OK || s->row.listed == s->row.seq ||
	    transaction_run(s, nothing_else, NULL, &why) == GD_OK)
		return;
	if (db_is_without_room(&why) && sqlite3_get_autocommit(s->db.link) != 0)
		transaction_forget(s);
	else
		s->failure = why;
}
