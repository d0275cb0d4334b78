#include "daemon/store/inside.h"

#define DROP_ROWS_MAX 4096    /* of one job's in one go, when it expires */
#define DROP_CHILDREN_MAX 128 /* the same */

static enum gd_err drop_by_job(struct store *s, enum sql which, uint64_t job, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, which);

	bind_u64(&b, job);
	return db_run(&s->db, &b, why);
}

/* The two tables whose rows are found by more than the job; `row` is on SQL_JOB_TO_DROP. */
static enum gd_err drop_names(struct store *s, uint64_t job, const struct bind *row,
                              struct gd_error *why)
{
	struct text key = row_text(row, 3);
	struct text labels = row_text(row, 4);
	struct bind b;
	enum gd_err rc = GD_OK;

	if (key.at != NULL) {
		b = db_bind(&s->db, SQL_KEY_DROP);
		bind_text(&b, row_text(row, 2));
		bind_text(&b, key);
		bind_u64(&b, job);
		rc = db_run(&s->db, &b, why);
	}
	if (rc == GD_OK && labels.at != NULL) {
		b = db_bind(&s->db, SQL_LABELS_DROP);
		bind_u64(&b, job);
		bind_text(&b, labels);
		rc = db_run(&s->db, &b, why);
	}
	return rc;
}

/* --- deleted --- */

static enum gd_err drop_rows(struct store *s, uint64_t job, uint64_t seq, struct gd_error *why)
{
	enum gd_err rc = drop_by_job(s, SQL_INPUTS_DROP, job, why);

	if (rc == GD_OK)
		rc = drop_by_job(s, SQL_CHILD_DROP, job, why);
	if (rc == GD_OK)
		rc = command_rows_drop(s, job, why);
	if (rc == GD_OK)
		rc = event_rows_drop(s, job, seq, why);
	return rc == GD_OK ? drop_by_job(s, SQL_JOB_DROP, job, why) : rc;
}

/* One that has ended, and has no children (any more). */
static enum gd_err drop_whole(struct store *s, uint64_t job, struct gd_error *why)
{
	struct bind     b = db_bind(&s->db, SQL_JOB_TO_DROP);
	enum job_status status;
	uint64_t        seq;
	bool            has_row;
	enum gd_err     rc;

	bind_u64(&b, job);
	rc = db_step(&s->db, &b, &has_row, why);
	if (rc != GD_OK || !has_row)
		return rc;
	status = (enum job_status)row_i64(&b, 0);
	seq = row_u64(&b, 1);
	rc = drop_names(s, job, &b, why);
	db_done(&b);
	if (rc != GD_OK)
		return rc;
	s->row.jobs[status]--;
	return drop_rows(s, job, seq, why);
}

static enum gd_err read_status(struct store *s, uint64_t job, bool *is_there, bool *is_final,
                               uint64_t *parent, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_JOB_TO_DROP);
	enum gd_err rc;

	bind_u64(&b, job);
	rc = db_step(&s->db, &b, is_there, why);
	if (rc != GD_OK || !*is_there)
		return rc;
	*is_final = job_status_is_final((enum job_status)row_i64(&b, 0));
	*parent = row_u64(&b, 6);
	db_done(&b);
	return GD_OK;
}

/* Whether it may go: it has ended, and so have those who need it. */
static enum gd_err may_drop(struct store *s, struct record *r, uint64_t first, bool *may,
                            struct gd_error *why)
{
	bool        is_there, is_final = true, is_live = false;
	uint64_t    parent = 0, above;
	enum gd_err rc = read_status(s, r->job, &is_there, &is_final, &parent, why);

	*may = false;
	if (rc != GD_OK)
		return rc;
	if (!is_there) {
		r->outcome = GD_NOT_FOUND;
		return GD_OK;
	}
	if (!is_final) {
		r->outcome = GD_CONFLICT;
		return GD_OK;
	}
	if (parent != 0)
		rc = read_status(s, parent, &is_there, &is_final, &above, why);
	if (rc == GD_OK && is_final && first != r->job)
		rc = child_rows_is_live_below(s, r->job, &is_live, why);
	*may = rc == GD_OK && is_final && !is_live;
	if (!*may) {
		r->outcome = GD_CONFLICT;
		r->existing = is_final ? r->job : parent;
	}
	return rc;
}

enum gd_err drop_deleted(struct store *s, struct record *r, struct gd_error *why)
{
	bool        may;
	uint64_t    job;
	enum gd_err rc = child_rows_leaf(s, r->job, &job, why);

	if (rc == GD_OK)
		rc = may_drop(s, r, job, &may, why);
	if (rc != GD_OK || !may)
		return rc;
	while (rc == GD_OK && job != r->job) {
		rc = drop_whole(s, job, why);
		if (rc == GD_OK)
			rc = child_rows_leaf(s, r->job, &job, why);
	}
	return rc == GD_OK ? drop_whole(s, job, why) : rc;
}

/* --- expired --- */

static enum gd_err drop_some(struct store *s, enum sql which, uint64_t job, bool *is_done,
                             struct gd_error *why)
{
	struct bind b = db_bind(&s->db, which);
	enum gd_err rc;

	bind_u64(&b, job);
	bind_i64(&b, DROP_ROWS_MAX);
	rc = db_run(&s->db, &b, why);
	*is_done = rc == GD_OK && sqlite3_changes(s->db.link) < DROP_ROWS_MAX;
	return rc;
}

/* The rows of which a job may have any number. */
static enum gd_err drop_many(struct store *s, uint64_t job, bool *is_done, struct gd_error *why)
{
	enum gd_err rc = drop_some(s, SQL_INPUTS_DROP_SOME, job, is_done, why);

	if (rc == GD_OK && *is_done)
		rc = drop_some(s, SQL_JOB_CHUNKS_DROP_SOME, job, is_done, why);
	if (rc == GD_OK && *is_done)
		rc = command_rows_drop_some(s, job, DROP_ROWS_MAX, is_done, why);
	return rc;
}

/* The rest; `row` is on SQL_JOB_TO_DROP. */
static enum gd_err drop_last(struct store *s, uint64_t job, const struct bind *row,
                             struct gd_error *why)
{
	enum job_status status = (enum job_status)row_i64(row, 0);
	enum gd_err     rc = drop_names(s, job, row, why);

	if (rc == GD_OK && row_u64(row, 5) > s->retention.trimmed)
		rc = drop_by_job(s, SQL_GHOST_PUT, job, why);
	if (rc == GD_OK && row_u64(row, 6) != 0)
		rc = drop_by_job(s, SQL_CHILD_DROP, job, why);
	if (rc == GD_OK)
		rc = drop_by_job(s, SQL_JOB_DROP, job, why);
	if (rc == GD_OK) {
		s->row.jobs[status]--;
		s->has_freed = true;
	}
	return rc;
}

/* *has_ended: it had, or is not there. */
static enum gd_err drop_one_expired(struct store *s, uint64_t job, bool *is_done, bool *has_ended,
                                    struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_JOB_TO_DROP);
	bool        has_row;
	enum gd_err rc;

	*is_done = true;
	*has_ended = true;
	bind_u64(&b, job);
	rc = db_step(&s->db, &b, &has_row, why);
	if (rc != GD_OK || !has_row)
		return rc;
	/* The list that names it is as old as its end; still, what has not ended is never touched. */
	*has_ended = job_status_is_final((enum job_status)row_i64(&b, 0));
	if (*has_ended) {
		rc = drop_many(s, job, is_done, why);
		if (rc == GD_OK && *is_done)
			rc = drop_last(s, job, &b, why);
	}
	db_done(&b);
	return rc;
}

/* Only who was set aside ends before its children do: as long as one of them lives it stays, and then
 * until somebody deletes it. */
enum gd_err drop_expired(struct store *s, uint64_t job, bool *is_done, struct gd_error *why)
{
	uint64_t    leaf = 0;
	bool        has_ended = true;
	enum gd_err rc = GD_OK;

	*is_done = true;
	for (uint32_t i = 0; rc == GD_OK && leaf != job && *is_done && has_ended; i++) {
		if (i == DROP_CHILDREN_MAX) {
			*is_done = false;
			break;
		}
		rc = child_rows_leaf(s, job, &leaf, why);
		if (rc == GD_OK)
			rc = drop_one_expired(s, leaf, is_done, &has_ended, why);
	}
	return rc;
}
