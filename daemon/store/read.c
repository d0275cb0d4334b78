#include "daemon/store/inside.h"

#include "proto/base/check.h"

#include <string.h>

#define FIRST_ROOM 16
#define LIVE_MASK (1u << JOB_QUEUED | 1u << JOB_RUNNING)

struct store_job rows_job(const struct bind *b)
{
	return (struct store_job){
		.id = row_u64(b, 0),
		.status = (enum job_status)row_i64(b, 1),
		.loop = (uint32_t)row_i64(b, 2),
		.submitted = row_i64(b, 3),
		.started = row_i64(b, 4),
		.ended = row_i64(b, 5),
		.seq = row_u64(b, 6),
		.end_seq = row_u64(b, 7),
		.owner = row_text(b, 8),
		.key = row_text(b, 9),
		.title = row_text(b, 10),
		.labels = row_text(b, 11),
		.priority = (int32_t)row_i64(b, 12),
		.args = row_text(b, 13),
		.spec = row_text(b, 14),
		.result = row_text(b, 15),
		.error = row_text(b, 16),
		.parent = row_u64(b, 17),
	};
}

static void keep_text(struct arena *a, struct text *text)
{
	text->at = arena_copy(a, text->at, text->bytes);
}

void read_keep_job(struct arena *a, struct store_job *j)
{
	keep_text(a, &j->owner);
	keep_text(a, &j->key);
	keep_text(a, &j->title);
	keep_text(a, &j->labels);
	keep_text(a, &j->args);
	keep_text(a, &j->spec);
	keep_text(a, &j->result);
	keep_text(a, &j->error);
}

/* The answer's next row, zeroed; NULL when memory ends. What is outgrown stays in the arena. */
static struct store_job *next_job(struct store_read *r, uint32_t *room)
{
	struct store_job *wider;

	if (r->job_count == *room) {
		*room = *room == 0 ? FIRST_ROOM : *room * 2;
		wider = arena_alloc(&r->arena, *room * sizeof *wider);
		if (wider == NULL)
			return NULL;
		if (r->job_count != 0)
			memcpy(wider, r->jobs, r->job_count * sizeof *wider);
		r->jobs = wider;
	}
	return &r->jobs[r->job_count++];
}

static enum gd_err add_job(struct store *s, struct store_read *r, uint64_t id, uint32_t *room,
                           struct gd_error *why)
{
	struct bind       b = db_bind(&s->db, SQL_JOB_GET);
	struct store_job *j;
	bool              has_row;
	enum gd_err       rc;

	bind_u64(&b, id);
	bind_i64(&b, r->flags);
	rc = db_step(&s->db, &b, &has_row, why);
	if (rc != GD_OK)
		return rc;
	if (!has_row)
		return gd_fail(why, GD_NOT_FOUND, "no job %llu", (unsigned long long)id);
	j = next_job(r, room);
	if (j != NULL) {
		*j = rows_job(&b);
		read_keep_job(&r->arena, j);
	}
	db_done(&b);
	return r->arena.failed ? gd_fail(why, GD_NOMEM, "jobs: out of memory") : GD_OK;
}

static bool is_equal(struct text a, struct text b)
{
	return a.at != NULL && a.bytes == b.bytes && memcmp(a.at, b.at, a.bytes) == 0;
}

/* A row of one of the scans. */
static bool is_wanted(const struct store_read *r, const struct bind *b)
{
	if (row_i64(b, 5) != 0 && r->parent_filter == 0 && !r->has_children)
		return false;
	if (r->status_mask != 0 && (r->status_mask >> row_i64(b, 1) & 1) == 0)
		return false;
	if (row_i64(b, 2) < r->since)
		return false;
	if (r->owner_filter.at != NULL && !is_equal(row_text(b, 3), r->owner_filter))
		return false;
	return r->title_filter.at == NULL || is_equal(row_text(b, 4), r->title_filter);
}

/* The scan that meets the fewest rows that are not wanted. */
static struct bind begin_scan(struct store *s, const struct store_read *r)
{
	bool        is_live = r->status_mask != 0 && (r->status_mask & ~LIVE_MASK) == 0;
	enum sql    which;
	struct bind b;

	if (r->parent_filter != 0)
		which = r->is_newest_first ? SQL_CHILDREN_DOWN : SQL_CHILDREN_UP;
	else if (r->label_filter.at != NULL)
		which = r->is_newest_first ? SQL_LABEL_DOWN : SQL_LABEL_UP;
	else if (is_live)
		which = r->is_newest_first ? SQL_LIVE_DOWN : SQL_LIVE_UP;
	else
		which = r->is_newest_first ? SQL_ALL_DOWN : SQL_ALL_UP;
	b = db_bind(&s->db, which);
	bind_u64(&b, r->after == 0 && r->is_newest_first ? INT64_MAX : r->after);
	if (r->parent_filter != 0)
		bind_u64(&b, r->parent_filter);
	else if (r->label_filter.at != NULL)
		bind_text(&b, r->label_filter);
	return b;
}

static enum gd_err read_jobs(struct store *s, struct store_read *r, struct gd_error *why)
{
	struct bind b = begin_scan(s, r);
	uint64_t    last = r->after;
	uint32_t    room = 0;
	uint32_t    looked_at = 0;
	bool        has_row = true;
	enum gd_err rc;

	while ((rc = db_step(&s->db, &b, &has_row, why)) == GD_OK && has_row) {
		if (r->job_count >= r->limit || looked_at++ >= SCAN_ROWS_MAX)
			break;
		last = row_u64(&b, 0);
		if (is_wanted(r, &b) && (rc = add_job(s, r, last, &room, why)) != GD_OK)
			break;
	}
	db_done(&b);
	r->next_after = has_row ? last : 0;
	return rc;
}

enum gd_err read_job(struct store *s, struct store_read *r, struct gd_error *why)
{
	uint32_t room = 0;

	return add_job(s, r, r->job, &room, why);
}

static enum gd_err read_absent(struct store *s, struct store_read *r, struct gd_error *why)
{
	uint32_t    count = 0;
	enum gd_err rc = GD_OK;

	for (uint32_t i = 0; rc == GD_OK && i < r->id_count; i++) {
		struct bind b = db_bind(&s->db, SQL_JOB_SEQ);
		bool        has_row;

		bind_u64(&b, r->ids[i]);
		rc = db_step(&s->db, &b, &has_row, why);
		db_done(&b);
		if (rc == GD_OK && !has_row)
			r->ids[count++] = r->ids[i];
	}
	r->id_count = count;
	return rc;
}

static enum gd_err read_info(struct store *s, struct store_read *r)
{
	memcpy(r->jobs_by_status, s->row.jobs, sizeof r->jobs_by_status);
	r->database_bytes = state_dir_bytes(s->dir.database);
	r->wal_bytes = state_dir_bytes(s->dir.wal);
	r->output_bytes = output_bytes(&s->output);
	r->queue = atomic_load(&s->queued);
	return GD_OK;
}

static enum gd_err answer(struct store *s, struct store_read *r, struct gd_error *why)
{
	/* What a failed commit left behind in memory may be neither before nor after it. */
	if (s->failure.code != GD_OK)
		/* For recovery this is not damage to what is stored: another start may go well. */
		return gd_fail(why, r->kind == READ_LIVE ? GD_UNAVAILABLE : GD_DURABILITY_UNKNOWN,
		               "the store has stopped: %.180s", s->failure.text);
	switch (r->kind) {
	case READ_JOB:
		return read_job(s, r, why);
	case READ_JOBS:
		return read_jobs(s, r, why);
	case READ_EVENTS:
		return read_events(s, r, why);
	case READ_INFO:
		return read_info(s, r);
	case READ_LIVE:
		return read_live(s, r, why);
	case READ_ABSENT:
		return read_absent(s, r, why);
	case READ_OUTCOMES:
		return child_rows_read_outcomes(s, r, why);
	case READ_COMMANDS:
		return command_rows_read(s, r, why);
	case READ_SIGNAL:
		return read_signal(s, r, why);
	case READ_BACKUP:
		return backup_answer(&s->backup, &s->dir, s->db.link, r, why);
	}
	CHECK_NEVER("read: unknown kind");
}

void read_answer(struct store *s, struct store_read *r)
{
	r->seq = atomic_load(&s->seq);
	r->outcome = answer(s, r, &r->why);
	r->done(r);
}
