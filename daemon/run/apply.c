#include "daemon/run/apply.h"

#include "daemon/log.h"
#include "daemon/run/children.h"
#include "daemon/run/permits.h"
#include "daemon/run/pool.h"
#include "proto/base/check.h"

#include <inttypes.h>
#include <string.h>

void apply_write_time(struct buf *b, gd_nsec time)
{
	uint64_t magnitude = time < 0 ? UINT64_C(0) - (uint64_t)time : (uint64_t)time;
	uint32_t fraction = (uint32_t)(magnitude % (uint64_t)GD_NSEC_PER_SEC);
	char     digits[10] = ".000000000";
	size_t   last = sizeof digits;

	if (time < 0)
		buf_add_byte(b, '-');
	buf_add_u64(b, magnitude / (uint64_t)GD_NSEC_PER_SEC);
	if (fraction == 0)
		return;
	for (size_t i = last; i-- > 1; fraction /= 10)
		digits[i] = (char)('0' + fraction % 10);
	while (digits[last - 1] == '0')
		last--;
	buf_add(b, digits, last);
}

static _Noreturn void out_of_memory(void)
{
	struct gd_error why;

	(void)gd_fail(&why, GD_NOMEM, "no memory for what a job has put out");
	pool_die("loop.no_memory", &why);
}

static struct text kept(struct store_group *g, const char *at, size_t bytes)
{
	struct text text = { arena_copy(&g->arena, at, bytes), bytes };

	if (text.at == NULL)
		out_of_memory();
	return text;
}

static struct record *new_record(struct loop *l, enum record_kind kind, uint64_t job)
{
	struct store_group *g = loop_group(l);
	struct record      *r = g == NULL ? NULL : store_group_add(g, kind, job);

	if (r == NULL)
		out_of_memory();
	return r;
}

void apply_begin_body(struct loop *l, struct buf *b, uint64_t job, enum event_kind kind,
                      gd_nsec time)
{
	buf_add_text(b, "\"time\":");
	apply_write_time(b, loop_wall(l, time));
	buf_add_text(b, ",\"job\":");
	buf_add_u64(b, job);
	buf_add_text(b, ",\"kind\":\"");
	buf_add_text(b, event_kind_name(kind));
	buf_add_byte(b, '"');
}

void apply_queued(struct loop *l, uint64_t job, gd_nsec time)
{
	struct record *r = new_record(l, RECORD_EVENT, job);

	buf_clear(&l->scratch);
	apply_begin_body(l, &l->scratch, job, EVENT_JOB_QUEUED, time);
	if (l->scratch.failed != GD_OK)
		out_of_memory();
	r->u.event = (struct event){ .job = job,
		                     .kind = EVENT_JOB_QUEUED,
		                     .body = kept(l->open, l->scratch.at, l->scratch.bytes) };
}

static enum event_kind event_of(enum engine_out_kind kind)
{
	switch (kind) {
	case ENGINE_JOB_STARTED:
		return EVENT_JOB_STARTED;
	case ENGINE_TASK_STARTED:
		return EVENT_TASK_STARTED;
	case ENGINE_TASK_COMPLETED:
		return EVENT_TASK_COMPLETED;
	case ENGINE_TASK_FAILED:
		return EVENT_TASK_FAILED;
	case ENGINE_YIELD:
		return EVENT_YIELD;
	case ENGINE_JOB_COMPLETED:
		return EVENT_JOB_COMPLETED;
	case ENGINE_JOB_FAILED:
		return EVENT_JOB_FAILED;
	case ENGINE_JOB_CANCELLED:
		return EVENT_JOB_CANCELLED;
	case ENGINE_ACQUIRE:
	case ENGINE_RELEASE:
	case ENGINE_WANT_NOW:
	case ENGINE_EXEC:
	case ENGINE_RECALL:
	case ENGINE_STOP:
	case ENGINE_KILL:
	case ENGINE_MORE:
	case ENGINE_CALL:
	case ENGINE_SPAWN:
	case ENGINE_SPAWN_STOP:
	case ENGINE_SPAWN_KILL:
		CHECK_NEVER("what an engine asks for is no event");
	}
	CHECK_NEVER("event_of: unknown output");
}

/* Writes the event's members; `*data` says where in them the value stands. */
static struct text render(struct loop *l, const struct engine_out *out, struct text *data)
{
	struct buf *b = &l->scratch;
	size_t      data_at;
	struct text body;

	buf_clear(b);
	apply_begin_body(l, b, out->job, event_of(out->kind), out->time);
	if (out->path != PROGRAM_NONE) {
		buf_add_text(b, ",\"path\":");
		buf_add_json_string(b, l->outs.paths.at + out->path, out->path_bytes);
	}
	if (!value_is_none(out->name)) {
		buf_add_text(b, ",\"name\":");
		value_write_json(b, out->name);
	}
	data_at = b->bytes;
	if (!value_is_none(out->data) && out->kind != ENGINE_JOB_STARTED &&
	    out->kind != ENGINE_TASK_STARTED) {
		buf_add_text(b, ",\"data\":");
		data_at = b->bytes;
		value_write_json(b, out->data);
	}
	if (b->failed != GD_OK)
		out_of_memory();
	body = kept(l->open, b->at, b->bytes);
	*data = (struct text){ body.at + data_at, b->bytes - data_at };
	return body;
}

static bool is_unsent(const struct loop *l, const struct live_job *job)
{
	return !job->is_replayed && job->u.unsent != NULL && l->open != NULL &&
	       job->v.group == l->open_number;
}

static void note_begin(struct loop *l, struct live_job *job, gd_nsec time)
{
	struct record *r;

	job->is_begun = true;
	if (is_unsent(l, job)) {
		job->u.unsent->status = JOB_RUNNING;
		job->u.unsent->started = time;
		return;
	}
	r = new_record(l, RECORD_STARTED, job->id);
	r->u.change.status = JOB_RUNNING;
	r->u.change.time = time;
}

static enum job_status status_of(enum engine_out_kind kind)
{
	if (kind == ENGINE_JOB_COMPLETED)
		return JOB_COMPLETED;
	return kind == ENGINE_JOB_FAILED ? JOB_FAILED : JOB_CANCELLED;
}

/* `data` is the last thing in the event's body, and that ends with a NUL: the job's result borrows
 * it. */
static void note_end(struct loop *l, struct live_job *job, const struct engine_out *out,
                     struct text data)
{
	enum job_status status = status_of(out->kind);
	struct text     nothing = { 0 };
	struct text     result = status == JOB_COMPLETED ? data : nothing;
	struct text     error = status == JOB_COMPLETED ? nothing : data;
	struct record  *r;

	if (is_unsent(l, job)) {
		job->u.unsent->status = status;
		if (!job->is_begun)
			job->u.unsent->started = 0; /* the start_at has lost its meaning */
		job->u.unsent->ended = out->time;
		job->u.unsent->result = result;
		job->u.unsent->error = error;
	} else {
		r = new_record(l, RECORD_ENDED, job->id);
		r->u.change.status = status;
		r->u.change.time = out->time;
		r->u.change.result = result;
		r->u.change.error = error;
	}
	l->ended_job = job->id;
	l->ended_status = status;
	l->ended_time = out->time;
	children_job_ended(l, job->id, status, out->time, data);
	jobs_remove(&l->jobs, job);
}

/* --- replay --- */

static const char *reason_name(enum quarantine_reason reason)
{
	switch (reason) {
	case QUARANTINE_SPEC:
		return "spec";
	case QUARANTINE_JOURNAL:
		return "journal";
	case QUARANTINE_NONDETERMINISTIC:
		return "nondeterministic";
	case QUARANTINE_CRASH:
		return "crash";
	}
	CHECK_NEVER("reason_name: unknown reason");
}

void apply_quarantine(struct loop *l, uint64_t job, uint32_t last_ordinal,
                      enum quarantine_reason reason, const char *words)
{
	struct live_job *live = jobs_find(&l->jobs, job);
	gd_nsec          now = loop_now(l);
	struct record   *ended = new_record(l, RECORD_ENDED, job);
	struct record   *event = new_record(l, RECORD_EVENT, job);
	struct buf      *b = &l->scratch;
	size_t           data_at;
	struct text      body;

	buf_clear(b);
	apply_begin_body(l, b, job, EVENT_JOB_FAILED, now);
	buf_add_text(b, ",\"data\":");
	data_at = b->bytes;
	buf_add_text(b, "{\"type\":\"Quarantined\",\"message\":");
	buf_add_json_string(b, words, strlen(words));
	buf_addf(b, ",\"path\":\"\",\"data\":{\"reason\":\"%s\"}}", reason_name(reason));
	if (b->failed != GD_OK)
		out_of_memory();
	body = kept(l->open, b->at, b->bytes);
	ended->u.change.status = JOB_FAILED;
	ended->u.change.time = now;
	ended->u.change.error = (struct text){ body.at + data_at, body.bytes - data_at };
	event->u.event = (struct event){
		.job = job, .ordinal = last_ordinal + 1, .kind = EVENT_JOB_FAILED, .body = body
	};
	log_error("job.quarantined", "job=%" PRIu64 " reason=%s %s", job, reason_name(reason),
	          words);
	engine_drop(l->engine, job);
	permits_forget(l, job, now);
	children_job_ended(l, job, JOB_FAILED, now, ended->u.change.error);
	if (l->effects.forget != NULL)
		l->effects.forget(l->effects.ctx, job, now);
	if (live != NULL)
		jobs_remove(&l->jobs, live);
	l->has_quarantined = true;
}

/* False: the replay has come to another place than the one that is stored. */
static bool is_same_way(struct loop *l, struct live_job *job, const struct engine_out *out)
{
	struct text path = { 0 };
	bool        is_same;

	if (!job->is_replayed || out->ordinal < job->u.past.from)
		return true;
	if (out->path != PROGRAM_NONE) {
		buf_clear(&l->scratch);
		buf_add_json_string(&l->scratch, l->outs.paths.at + out->path, out->path_bytes);
		if (l->scratch.failed != GD_OK)
			out_of_memory();
		path = (struct text){ l->scratch.at, l->scratch.bytes };
	}
	job->v.sum = store_event_sum(job->v.sum, event_of(out->kind), path);
	if (out->ordinal < job->stored_ordinal)
		return true;
	is_same = job->v.sum == job->u.past.sum;
	job->is_replayed = false; /* it has caught up */
	job->u.unsent = NULL;
	job->v.group = 0;
	return is_same;
}

/* True: it was stored, and seen, before the restart; or the job is over here. */
static bool is_replayed(struct loop *l, struct live_job *job, const struct engine_out *out)
{
	bool is_stored = out->ordinal <= job->stored_ordinal;

	bool is_early = job->id == l->replay_job && l->replay_left != 0;

	/* Whatever came out before an input was stored before it, unless no event is left. */
	if (is_stored ? is_same_way(l, job, out) : !is_early || job->stored_ordinal == 0)
		return is_stored;
	apply_quarantine(
		l, job->id, job->stored_ordinal, QUARANTINE_NONDETERMINISTIC,
		"its replay takes another way than what is stored; nothing more of it runs");
	return true;
}

static void apply(struct loop *l, const struct engine_out *out)
{
	struct live_job *job = jobs_find(&l->jobs, out->job);
	struct record   *r;
	struct text      body, data;

	if (job == NULL) {
		CHECK(l->has_quarantined);
		return;
	}
	if (is_replayed(l, job, out))
		return;
	if (loop_group(l) == NULL)
		out_of_memory();
	if (out->kind == ENGINE_JOB_STARTED && !job->is_begun)
		note_begin(l, job, out->time);
	body = render(l, out, &data);
	if (out->kind == ENGINE_JOB_COMPLETED || out->kind == ENGINE_JOB_FAILED ||
	    out->kind == ENGINE_JOB_CANCELLED)
		note_end(l, job, out, data);
	r = new_record(l, RECORD_EVENT, out->job);
	r->u.event = (struct event){
		.job = out->job, .ordinal = out->ordinal, .kind = event_of(out->kind), .body = body
	};
}

/* Of those that ask, some may be of a job that this turn has quarantined. */
static bool is_heard(const struct loop *l, const struct engine_out *out)
{
	return !l->has_quarantined || jobs_find(&l->jobs, out->job) != NULL;
}

static void obey(struct loop *l, const struct engine_out *out)
{
	switch (out->kind) {
	case ENGINE_WANT_NOW:
		loop_want_now(l, out->job);
		return;
	case ENGINE_ACQUIRE:
	case ENGINE_RELEASE:
		if (is_heard(l, out))
			permits_apply(l, out);
		return;
	case ENGINE_EXEC:
	case ENGINE_RECALL:
	case ENGINE_STOP:
	case ENGINE_KILL:
	case ENGINE_MORE:
	case ENGINE_CALL:
		CHECK(l->effects.obey != NULL);
		if (is_heard(l, out))
			l->effects.obey(l->effects.ctx, out);
		return;
	case ENGINE_SPAWN:
	case ENGINE_SPAWN_STOP:
	case ENGINE_SPAWN_KILL:
		if (is_heard(l, out))
			children_obey(l, out);
		return;
	case ENGINE_JOB_STARTED:
	case ENGINE_TASK_STARTED:
	case ENGINE_TASK_COMPLETED:
	case ENGINE_TASK_FAILED:
	case ENGINE_YIELD:
	case ENGINE_JOB_COMPLETED:
	case ENGINE_JOB_FAILED:
	case ENGINE_JOB_CANCELLED:
		apply(l, out);
		return;
	}
	CHECK_NEVER("obey: unknown output");
}

void apply_outs(struct loop *l)
{
	l->has_quarantined = false;
	for (uint32_t i = 0; i < l->outs.count; i++)
		obey(l, &l->outs.at[i]);
	engine_outs_clear(l->engine, &l->outs);
}
