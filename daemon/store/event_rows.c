#include "daemon/store/inside.h"

#include <stdlib.h>
#include <string.h>

static enum gd_err put_chunk(struct store *s, bool is_last, struct gd_error *why)
{
	struct chunk_writer *w = &s->tx.chunk;
	struct bind          b = db_bind(&s->db, is_last ? SQL_CHUNK_PUT_LAST : SQL_CHUNK_PUT);
	enum gd_err          rc;

	bind_u64(&b, w->first_seq);
	bind_u64(&b, w->last_seq);
	bind_blob(&b, w->bytes.at, w->bytes.bytes);
	if (is_last) {
		bind_u64(&b, s->row.next_job);
		state_bind_counts(&b, &s->row);
	}
	rc = db_run(&s->db, &b, why);
	if (s->retention.first_end == 0)
		s->retention.first_end = w->last_seq;
	chunk_clear(w);
	return rc;
}

enum gd_err event_rows_finish(struct store *s, struct gd_error *why)
{
	if (chunk_is_empty(&s->tx.chunk))
		return GD_OK;
	s->tx.has_now = true;
	return put_chunk(s, true, why);
}

/* The row that leads from a job to a chunk. The chunk with the job's first event needs none: it is
 * found by the seq in the job's row. */
static enum gd_err point_to_chunk(struct store *s, const struct event *e, struct job_note *note,
                                  struct gd_error *why)
{
	uint64_t    chunk = chunk_is_empty(&s->tx.chunk) ? e->seq : s->tx.chunk.first_seq;
	struct bind b;

	if (note->chunk == chunk)
		return GD_OK;
	note->chunk = chunk;
	if (e->kind == EVENT_JOB_QUEUED)
		return GD_OK;
	b = db_bind(&s->db, SQL_JOB_CHUNK_PUT);
	bind_u64(&b, e->job);
	bind_u64(&b, chunk);
	return db_run(&s->db, &b, why);
}

enum gd_err event_rows_add(struct store *s, struct event *e, struct job_note *note,
                           struct gd_error *why)
{
	struct chunk_writer *w = &s->tx.chunk;
	enum gd_err          rc = GD_OK;

	if (!chunk_has_room(w, e->body.bytes))
		rc = put_chunk(s, false, why);
	if (rc == GD_OK)
		rc = point_to_chunk(s, e, note, why);
	if (rc != GD_OK)
		return rc;
	chunk_add(w, e);
	return w->bytes.failed == GD_OK ? GD_OK : gd_fail(why, GD_NOMEM, "events: out of memory");
}

static void remember_chunk(struct transaction *tx, uint64_t seq)
{
	buf_add(&tx->scrub, &seq, sizeof seq);
}

enum gd_err event_rows_drop(struct store *s, uint64_t job, uint64_t seq, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_JOB_CHUNKS_GET);
	bool        has_row;
	enum gd_err rc;

	if (job_map_put(&s->tx.gone, job) == NULL)
		return gd_fail(why, GD_NOMEM, "events: out of memory");
	if (seq != 0)
		remember_chunk(&s->tx, seq);
	bind_u64(&b, job);
	bind_u64(&b, 0);
	while ((rc = db_step(&s->db, &b, &has_row, why)) == GD_OK && has_row)
		remember_chunk(&s->tx, row_u64(&b, 0));
	if (rc == GD_OK) {
		b = db_bind(&s->db, SQL_JOB_CHUNKS_DROP);
		bind_u64(&b, job);
		rc = db_run(&s->db, &b, why);
	}
	if (rc == GD_OK && s->tx.scrub.failed != GD_OK)
		rc = gd_fail(why, GD_NOMEM, "events: out of memory");
	return rc;
}

static bool is_gone(const void *ctx, uint64_t job)
{
	return job_map_get(ctx, job) != NULL;
}

static enum gd_err write_again(struct store *s, uint64_t first_seq, uint32_t kept,
                               struct gd_error *why)
{
	struct bind b = db_bind(&s->db, kept == 0 ? SQL_CHUNK_DROP : SQL_CHUNK_SET);

	bind_u64(&b, first_seq);
	if (kept != 0)
		bind_blob(&b, s->tx.again.at, s->tx.again.bytes);
	return db_run(&s->db, &b, why);
}

/* The chunk that holds `seq`. *done_to: the last seq of what was looked at. */
static enum gd_err scrub_one(struct store *s, uint64_t seq, uint64_t *done_to, struct gd_error *why)
{
	struct bind         b = db_bind(&s->db, SQL_CHUNK_AT);
	struct chunk_reader r;
	uint64_t            first_seq;
	uint32_t            kept;
	bool                has_row;
	enum gd_err         rc;

	bind_u64(&b, seq);
	rc = db_step(&s->db, &b, &has_row, why);
	if (rc != GD_OK || !has_row)
		return rc;
	first_seq = row_u64(&b, 0);
	*done_to = row_u64(&b, 1);
	chunk_open(&r, first_seq, row_blob(&b, 2));
	buf_clear(&s->tx.again);
	kept = chunk_without(&s->tx.again, &r, is_gone, &s->tx.gone);
	db_done(&b);
	/* One that we cannot read is left for a person. */
	if (r.is_damaged)
		return GD_OK;
	if (s->tx.again.failed != GD_OK)
		return gd_fail(why, GD_NOMEM, "events: out of memory");
	return write_again(s, first_seq, kept, why);
}

static int by_seq(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* Once for each chunk, however many of its jobs went: they usually expire together. */
enum gd_err event_rows_scrub(struct store *s, struct gd_error *why)
{
	size_t      count = s->tx.scrub.bytes / sizeof(uint64_t);
	uint64_t    done_to = 0;
	uint64_t    seq;
	enum gd_err rc = GD_OK;

	if (count == 0)
		return GD_OK;
	qsort(s->tx.scrub.at, count, sizeof seq, by_seq);
	for (size_t i = 0; rc == GD_OK && i < count; i++) {
		memcpy(&seq, s->tx.scrub.at + i * sizeof seq, sizeof seq);
		if (seq > done_to)
			rc = scrub_one(s, seq, &done_to, why);
	}
	s->has_freed = true;
	return rc;
}
