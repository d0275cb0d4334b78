/*
 * records.c - one group as rows.
 *
 * A job's row names the seqs of its first and last event, and those events stand behind it in the
 * group. So a group is walked twice: the first time keys are taken and events get their numbers,
 * the second time rows are written. Deletions come last: everything in one group was asked for
 * before any of it was answered, so this order is one that could have been.
 */
#include "daemon/store/inside.h"

#include "proto/base/check.h"

static bool is_voided(const struct voided *v, uint64_t job)
{
	return job_map_get(&v->young, job) != NULL || job_map_get(&v->old, job) != NULL;
}

static enum gd_err void_job(struct voided *v, uint64_t job, struct gd_error *why)
{
	struct job_map spare;

	if (v->young.count >= VOIDED_PER_GENERATION) {
		spare = v->old;
		v->old = v->young;
		v->young = spare;
		job_map_clear(&v->young);
	}
	return job_map_put(&v->young, job) != NULL ? GD_OK
	                                           : gd_fail(why, GD_NOMEM, "jobs: out of memory");
}

void voided_close(struct voided *v)
{
	job_map_close(&v->young);
	job_map_close(&v->old);
}

static enum gd_err find_key(struct store *s, struct record *r, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_KEY_GET);
	bool        has_row;
	enum gd_err rc;

	bind_text(&b, r->u.submit->owner);
	bind_text(&b, r->u.submit->key);
	rc = db_step(&s->db, &b, &has_row, why);
	if (rc != GD_OK)
		return rc;
	CHECK(has_row); /* a key that could not be taken is there */
	r->existing = row_u64(&b, 0);
	db_done(&b);
	return GD_OK;
}

static enum gd_err take_key(struct store *s, struct record *r, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_KEY_TAKE);
	enum gd_err rc;

	bind_text(&b, r->u.submit->owner);
	bind_text(&b, r->u.submit->key);
	bind_u64(&b, r->job);
	rc = db_run(&s->db, &b, why);
	if (rc != GD_OK || db_has_changed(&s->db))
		return rc;
	rc = find_key(s, r, why);
	return rc == GD_OK ? void_job(&s->voided, r->job, why) : rc;
}

static enum gd_err number_event(struct store *s, struct record *r, struct gd_error *why)
{
	struct event    *e = &r->u.event;
	struct job_note *note;

	if (is_voided(&s->voided, r->job))
		return GD_OK;
	note = job_map_put(&s->tx.jobs, r->job);
	if (note == NULL)
		return gd_fail(why, GD_NOMEM, "events: out of memory");
	e->job = r->job;
	e->seq = ++s->row.seq;
	if (e->kind == EVENT_JOB_QUEUED)
		note->seq = e->seq;
	if (e->kind >= EVENT_JOB_COMPLETED && e->kind <= EVENT_JOB_CANCELLED)
		note->end_seq = e->seq;
	return event_rows_add(s, e, note, why);
}

static enum gd_err walk_first(struct store *s, struct record *r, struct gd_error *why)
{
	switch (r->kind) {
	case RECORD_JOB:
		if (r->job >= s->row.next_job)
			s->row.next_job = r->job + 1;
		return r->u.submit->key.at == NULL ? GD_OK : take_key(s, r, why);
	case RECORD_EVENT:
		return number_event(s, r, why);
	case RECORD_STARTED:
	case RECORD_ENDED:
	case RECORD_INPUT:
	case RECORD_DELETE:
	case RECORD_CLOCK_STEP:
	case RECORD_SEMAPHORE:
	case RECORD_COMMAND:
	case RECORD_LOOP:
		return GD_OK;
	}
	CHECK_NEVER("records: unknown kind");
}

/* The key was taken before: is it the same request again? */
static enum gd_err compare(struct store *s, struct record *r, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_JOB_SAME);
	bool        has_row;
	enum gd_err rc;

	bind_u64(&b, r->existing);
	bind_text(&b, r->u.submit->spec);
	bind_text(&b, r->u.submit->args);
	rc = db_step(&s->db, &b, &has_row, why);
	if (rc != GD_OK)
		return rc;
	if (!has_row)
		return gd_fail(why, GD_STORE, "the key of job %llu leads to no job",
		               (unsigned long long)r->existing);
	r->outcome = row_i64(&b, 0) != 0 ? GD_OK : GD_CONFLICT;
	r->existing_seq = row_u64(&b, 1);
	db_done(&b);
	return GD_OK;
}

static enum gd_err put_labels(struct store *s, const struct store_job *j, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_LABELS_PUT);

	bind_u64(&b, j->id);
	bind_text(&b, j->labels);
	return db_run(&s->db, &b, why);
}

static enum gd_err put_job(struct store *s, struct store_job *j, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_JOB_PUT);
	enum gd_err rc;

	bind_u64(&b, j->id);
	bind_i64(&b, j->status);
	bind_i64(&b, j->loop);
	bind_i64(&b, j->submitted);
	bind_i64(&b, j->started);
	bind_i64(&b, j->ended);
	bind_u64(&b, j->seq);
	bind_u64(&b, j->end_seq);
	bind_text(&b, j->owner);
	bind_text(&b, j->key);
	bind_text(&b, j->title);
	bind_text(&b, j->labels);
	bind_i64(&b, j->priority);
	bind_text(&b, j->args);
	bind_text(&b, j->spec);
	bind_text(&b, j->result);
	bind_text(&b, j->error);
	bind_i64(&b, j->retain);
	rc = db_run(&s->db, &b, why);
	if (rc == GD_OK && job_status_is_final(j->status))
		rc = expiry_add(s, j->id, j->ended, j->retain, why);
	if (rc != GD_OK)
		return rc;
	s->row.jobs[j->status]++;
	return j->labels.at == NULL ? GD_OK : put_labels(s, j, why);
}

/* The spec is found through its parent. */
static enum gd_err put_child(struct store *s, struct store_job *j, struct gd_error *why)
{
	struct bind b;
	enum gd_err rc = child_rows_put(s, j, why);
	bool        has_row;

	if (rc != GD_OK)
		return rc;
	b = db_bind(&s->db, SQL_OWNER_OF);
	bind_u64(&b, j->child->parent);
	if ((rc = db_step(&s->db, &b, &has_row, why)) != GD_OK)
		return rc;
	/* It is durable before it has children; only one that was set aside can be gone. */
	j->owner = has_row ? row_text(&b, 0) : (struct text){ "", 0 };
	j->spec = (struct text){ "", 0 };
	j->retain = STORE_RETAIN_WITH_PARENT;
	rc = put_job(s, j, why);
	db_done(&b);
	return rc;
}

static enum gd_err write_job(struct store *s, struct record *r, struct gd_error *why)
{
	struct store_job      *j = r->u.submit;
	const struct job_note *note;

	CHECK(r->job != 0);
	if (r->existing != 0)
		return compare(s, r, why);
	note = job_map_get(&s->tx.jobs, r->job);
	j->id = r->job;
	j->seq = note == NULL ? 0 : note->seq;
	j->end_seq = note == NULL || !job_status_is_final(j->status) ? 0 : note->end_seq;
	return j->child == NULL ? put_job(s, j, why) : put_child(s, j, why);
}

static enum gd_err write_started(struct store *s, struct record *r, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_JOB_START);
	enum gd_err rc;

	bind_u64(&b, r->job);
	bind_i64(&b, r->u.change.time);
	rc = db_run(&s->db, &b, why);
	if (rc != GD_OK)
		return rc;
	if (!db_has_changed(&s->db)) {
		r->outcome = GD_NOT_FOUND;
		return GD_OK;
	}
	s->row.jobs[JOB_QUEUED]--;
	s->row.jobs[JOB_RUNNING]++;
	return GD_OK;
}

/* From one status; *has_changed: the job was in it. */
static enum gd_err end_from(struct store *s, const struct record *r, enum job_status from,
                            bool *has_changed, struct gd_error *why)
{
	const struct job_note *note = job_map_get(&s->tx.jobs, r->job);
	struct bind            b = db_bind(&s->db, SQL_JOB_END);
	enum gd_err            rc;

	bind_u64(&b, r->job);
	bind_i64(&b, from);
	bind_i64(&b, r->u.change.status);
	bind_i64(&b, r->u.change.time);
	bind_u64(&b, note == NULL ? 0 : note->end_seq);
	bind_text(&b, r->u.change.result);
	bind_text(&b, r->u.change.error);
	rc = db_step(&s->db, &b, has_changed, why);
	if (rc != GD_OK || !*has_changed)
		return rc;
	rc = expiry_add(s, r->job, r->u.change.time, row_i64(&b, 0), why);
	db_done(&b);
	s->row.jobs[from]--;
	s->row.jobs[r->u.change.status]++;
	return rc;
}

static enum gd_err write_ended(struct store *s, struct record *r, struct gd_error *why)
{
	bool        has_changed;
	enum gd_err rc;

	CHECK(job_status_is_final(r->u.change.status));
	rc = end_from(s, r, JOB_RUNNING, &has_changed, why);
	if (rc == GD_OK && !has_changed)
		rc = end_from(s, r, JOB_QUEUED, &has_changed, why);
	if (rc == GD_OK && !has_changed)
		r->outcome = GD_NOT_FOUND;
	return rc;
}

static enum gd_err write_input(struct store *s, struct record *r, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_INPUT_PUT);
	enum gd_err rc;

	bind_u64(&b, r->job);
	bind_i64(&b, r->u.input.number);
	bind_i64(&b, r->u.input.time);
	bind_blob(&b, r->u.input.bytes.at, r->u.input.bytes.bytes);
	rc = db_run(&s->db, &b, why);
	if (rc == GD_OK && !db_has_changed(&s->db))
		r->outcome = GD_NOT_FOUND;
	return rc;
}

static enum gd_err walk_second(struct store *s, struct record *r, bool *has_deletes,
                               struct gd_error *why)
{
	switch (r->kind) {
	case RECORD_JOB:
		return write_job(s, r, why);
	case RECORD_STARTED:
		return is_voided(&s->voided, r->job) ? GD_OK : write_started(s, r, why);
	case RECORD_ENDED:
		return is_voided(&s->voided, r->job) ? GD_OK : write_ended(s, r, why);
	case RECORD_INPUT:
		return is_voided(&s->voided, r->job) ? GD_OK : write_input(s, r, why);
	case RECORD_EVENT:
		return GD_OK;
	case RECORD_DELETE:
		*has_deletes = true;
		return GD_OK;
	case RECORD_SEMAPHORE:
		return semaphore_rows_put(s, r, why);
	case RECORD_CLOCK_STEP:
		return clock_rows_put_step(s, r->u.clock_step, why);
	case RECORD_COMMAND:
		return is_voided(&s->voided, r->job) ? GD_OK : command_rows_put(s, r, why);
	case RECORD_LOOP:
		return loop_rows_put(s, r, why);
	}
	CHECK_NEVER("records: unknown kind");
}

enum gd_err records_write(struct store *s, struct store_group *g, struct gd_error *why)
{
	bool        has_deletes = false;
	enum gd_err rc = GD_OK;

	for (struct record *r = g->first; rc == GD_OK && r != NULL; r = r->next)
		rc = walk_first(s, r, why);
	for (struct record *r = g->first; rc == GD_OK && r != NULL; r = r->next)
		rc = walk_second(s, r, &has_deletes, why);
	if (!has_deletes)
		return rc;
	for (struct record *r = g->first; rc == GD_OK && r != NULL; r = r->next) {
		if (r->kind == RECORD_DELETE)
			rc = drop_deleted(s, r, why);
	}
	return rc;
}
