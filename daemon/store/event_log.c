/*
 * event_log.c - the log of events, by age and length: whole chunks leave from its beginning.
 *
 * Events carry the logical time of their job, so a mark in `event_marks` says now and then how far
 * the log had come. What has left is kept in three places: `trimmed`, so that a cursor that is too
 * old is known as such; jobs.ordinal, since a job that lives on must not put its first events out
 * again after a restart; and the rows of job_chunks and ghosts that led to those events go.
 */
#include "daemon/store/inside.h"

#define MARKS_FOR_AGE 1024           /* so finely is time divided */
#define SLICE_BYTES_MAX (512u << 10) /* of chunks in one slice; one chunk at least */
#define CHUNK_COST 2048u             /* what each costs besides */

/* One slice: what may leave, and how far we have come. */
struct trim {
	struct store *s;
	gd_nsec       cut;    /* marks up to this time are too old; 0: none */
	uint64_t      may_go; /* the highest seq that may leave */
	size_t        cost;
	bool          is_complete; /* nothing more may leave now */
};

/* --- marks --- */

bool event_log_needs_mark(const struct store *s, gd_nsec now)
{
	const struct retention *r = &s->retention;
	gd_nsec                 age = atomic_load(&r->events_age);

	return age != 0 && s->row.seq > r->mark_seq && now - r->mark_time > age / MARKS_FOR_AGE;
}

enum gd_err event_log_mark(struct store *s, struct gd_error *why)
{
	struct retention *r = &s->retention;
	gd_nsec           now = store_now(s);
	struct bind       b;
	enum gd_err       rc;

	if (!event_log_needs_mark(s, now))
		return GD_OK;
	r->mark_time = now;
	r->mark_seq = s->row.seq;
	if (r->first_mark == GD_NSEC_NEVER)
		r->first_mark = now;
	b = db_bind(&s->db, SQL_MARK_PUT);
	bind_i64(&b, now);
	bind_u64(&b, s->row.seq);
	rc = db_run(&s->db, &b, why);
	return rc == GD_OK ? clock_rows_reach(s, now, why) : rc;
}

static enum gd_err load_marks(struct store *s, struct gd_error *why)
{
	struct retention *r = &s->retention;
	struct bind       b = db_bind(&s->db, SQL_MARK_ENDS);
	bool              has_row;
	bool              has_marks;
	enum gd_err       rc = db_step(&s->db, &b, &has_row, why);

	if (rc != GD_OK)
		return rc;
	has_marks = has_row && row_i64(&b, 0) != 0;
	r->first_mark = has_marks ? row_i64(&b, 0) : GD_NSEC_NEVER;
	r->mark_time = has_marks ? row_i64(&b, 1) : 0;
	r->mark_seq = has_marks ? row_u64(&b, 2) : 0;
	if (r->mark_seq < r->trimmed)
		r->mark_seq = r->trimmed; /* what has left needs none */
	db_done(&b);
	return GD_OK;
}

static enum gd_err load_trimmed(struct store *s, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_TRIMMED_GET);
	bool        has_row;
	enum gd_err rc = db_step(&s->db, &b, &has_row, why);

	if (rc != GD_OK)
		return rc;
	s->retention.trimmed = has_row ? row_u64(&b, 0) : 0;
	db_done(&b);
	return GD_OK;
}

static enum gd_err load_first_end(struct store *s, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_CHUNK_FIRST);
	bool        has_row;
	enum gd_err rc = db_step(&s->db, &b, &has_row, why);

	if (rc != GD_OK)
		return rc;
	s->retention.first_end = has_row ? row_u64(&b, 1) : 0;
	db_done(&b);
	return GD_OK;
}

enum gd_err event_log_load(struct store *s, struct gd_error *why)
{
	enum gd_err rc = load_trimmed(s, why);

	if (rc == GD_OK)
		rc = load_first_end(s, why);
	return rc == GD_OK ? load_marks(s, why) : rc;
}

/* --- what may leave --- */

static uint64_t beyond_number(const struct store *s)
{
	uint64_t max = atomic_load(&s->retention.events_max);

	return max != 0 && s->row.seq > max ? s->row.seq - max : 0;
}

static gd_nsec cut_of_age(const struct store *s, gd_nsec now)
{
	gd_nsec age = atomic_load(&s->retention.events_age);

	return age == 0 || now <= age ? 0 : now - age;
}

bool event_log_is_due(const struct store *s, gd_nsec now)
{
	const struct retention *r = &s->retention;

	return r->first_end != 0 && (r->is_too_large || r->first_end <= beyond_number(s) ||
	                             r->first_mark <= cut_of_age(s, now));
}

static enum gd_err find_limit(struct trim *t, struct gd_error *why)
{
	struct bind b = db_bind(&t->s->db, SQL_MARK_AT);
	bool        has_row;
	enum gd_err rc;

	t->may_go = t->s->retention.is_too_large ? t->s->row.seq : beyond_number(t->s);
	bind_i64(&b, t->cut);
	rc = db_step(&t->s->db, &b, &has_row, why);
	if (rc != GD_OK)
		return rc;
	if (has_row && row_u64(&b, 0) > t->may_go)
		t->may_go = row_u64(&b, 0);
	db_done(&b);
	return GD_OK;
}

/* --- leaving --- */

/* Whose events a chunk holds. What cannot be read leaves without being looked at. */
static enum gd_err note_jobs(struct store *s, uint64_t first_seq, struct text bytes,
                             struct gd_error *why)
{
	struct chunk_reader chunk;
	struct event        e;
	struct job_note    *note;

	chunk_open(&chunk, first_seq, bytes);
	while (chunk_next(&chunk, &e)) {
		note = job_map_put(&s->tx.jobs, e.job);
		if (note == NULL)
			return gd_fail(why, GD_NOMEM, "events: out of memory");
		if (e.ordinal > note->ordinal)
			note->ordinal = e.ordinal;
		if (e.kind >= EVENT_JOB_COMPLETED && e.kind <= EVENT_JOB_CANCELLED)
			note->end_seq = e.seq;
	}
	return GD_OK;
}

static enum gd_err run_with(struct store *s, enum sql which, uint64_t first, uint64_t second,
                            struct gd_error *why)
{
	struct bind b = db_bind(&s->db, which);

	bind_u64(&b, first);
	if (second != 0)
		bind_u64(&b, second);
	return db_run(&s->db, &b, why);
}

/* The oldest chunk, if it may leave. */
static enum gd_err drop_chunk(struct trim *t, struct gd_error *why)
{
	struct store *s = t->s;
	struct bind   b = db_bind(&s->db, SQL_CHUNK_FIRST);
	struct text   bytes;
	uint64_t      first_seq;
	uint64_t      last_seq;
	bool          has_row;
	enum gd_err   rc = db_step(&s->db, &b, &has_row, why);

	if (rc != GD_OK)
		return rc;
	if (!has_row || row_u64(&b, 1) > t->may_go) {
		t->is_complete = true;
		db_done(&b);
		return GD_OK;
	}
	first_seq = row_u64(&b, 0);
	last_seq = row_u64(&b, 1);
	bytes = row_blob(&b, 2);
	t->cost += bytes.bytes + CHUNK_COST;
	rc = note_jobs(s, first_seq, bytes, why);
	db_done(&b);
	if (rc == GD_OK)
		rc = run_with(s, SQL_CHUNK_DROP, first_seq, 0, why);
	if (rc == GD_OK)
		s->retention.trimmed = last_seq;
	return rc;
}

static enum gd_err forget_events(struct store *s, const struct job_note *note, struct gd_error *why)
{
	enum gd_err rc = run_with(s, SQL_JOB_CHUNKS_TRIM, note->job, s->retention.trimmed, why);

	if (rc == GD_OK && note->end_seq != 0)
		return run_with(s, SQL_GHOST_DROP, note->job, 0, why);
	if (rc == GD_OK && note->ordinal != 0)
		rc = run_with(s, SQL_JOB_ORDINAL, note->job, note->ordinal, why);
	return rc;
}

/* After the chunks: what else knew of their events. */
static enum gd_err finish(struct trim *t, struct gd_error *why)
{
	struct store          *s = t->s;
	const struct job_note *note = NULL;
	enum gd_err            rc = GD_OK;

	while (rc == GD_OK && (note = job_map_next(&s->tx.jobs, note)) != NULL)
		rc = forget_events(s, note, why);
	if (rc == GD_OK)
		rc = run_with(s, SQL_TRIMMED_PUT, s->retention.trimmed, 0, why);
	/* Those that are left would say again that something is due. */
	if (rc == GD_OK && t->is_complete && t->cut != 0)
		rc = run_with(s, SQL_MARKS_DROP, (uint64_t)t->cut, 0, why);
	job_map_clear(&s->tx.jobs);
	return rc;
}

enum gd_err event_log_slice(struct store *s, gd_nsec now, struct gd_error *why)
{
	struct trim t = { .s = s, .cut = cut_of_age(s, now) };
	enum gd_err rc = find_limit(&t, why);

	while (rc == GD_OK && !t.is_complete && t.cost < SLICE_BYTES_MAX)
		rc = drop_chunk(&t, why);
	if (rc == GD_OK && t.cost != 0)
		s->has_freed = true;
	if (rc == GD_OK)
		rc = finish(&t, why);
	return rc == GD_OK ? event_log_load(s, why) : rc;
}
