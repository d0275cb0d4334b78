#include "daemon/net/intake.h"
#include "daemon/net/methods.h"
#include "daemon/net/render.h"
#include "daemon/net/stream.h"
#include "daemon/run/busy.h"
#include "daemon/run/inputs.h"
#include "daemon/run/recover.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * job.run: one job, its events meanwhile, its end as the answer.
 *
 *	SUBMITTED --recorded--> RUNNING --final event--> answered from the commit
 *	    `--the key exists--> EXISTING --read, or final event--> answered from the store
 *
 * With a stream the answer waits until the stream has delivered the final event, however slowly the
 * peer reads. Once the records have passed, the result is read from the store.
 */
struct run {
	struct watch         watch;
	struct request      *request; /* NULL: answered or let go, and only a read is on its way */
	struct desk         *desk;
	struct stream       *stream; /* NULL: no events asked for, or ended; its peer's */
	uint64_t             job;
	const struct record *end;     /* RECORD_JOB or RECORD_ENDED; good within one group */
	uint64_t             end_seq; /* of the final event; 0: not yet */
	bool                 is_existing;
	bool                 is_cancelled_with_peer;
	bool                 is_reading;
};

static void forget(struct run *run)
{
	desk_unwatch(run->desk, &run->watch);
	run->request = NULL;
	if (run->stream != NULL)
		stream_end(run->stream);
	if (!run->is_reading)
		free(run);
}

/* --- the peer goes --- */

struct cancel_note {
	struct inbox_msg msg;
	uint64_t         job;
};

static void take_cancel(struct loop *l, struct inbox_msg *m)
{
	struct cancel_note *note = (struct cancel_note *)(void *)m;
	enum job_status     status;
	bool                is_ended;

	if (recover_defers(l, note->job, m) || busy_defers(l, note->job, m))
		return;
	(void)inputs_cancel(l, note->job, "the client has gone", &is_ended, &status);
	free(note);
}

static void cancel_job(const struct run *run)
{
	struct cancel_note *note = calloc(1, sizeof *note);

	if (note == NULL) {
		log_error("run.cancel_lost", "job=%llu no memory to cancel it with its client",
		          (unsigned long long)run->job);
		return;
	}
	note->msg.run = take_cancel;
	note->job = run->job;
	/* Never refused: there is at most one for each request. */
	loop_post_answer(pool_loop_of(run->desk->net->pool, run->job), &note->msg);
}

static void let_run_go(struct request *r, bool is_cancelled)
{
	struct run *run = r->work;

	/* A call that was cancelled leaves its job alone: there is job.cancel. */
	if (!is_cancelled && run->is_cancelled_with_peer && run->end_seq == 0)
		cancel_job(run);
	forget(run);
}

/* --- the end --- */

static void answer(struct run *run, enum job_status status, struct text result, struct text error)
{
	struct request *r = run->request;
	struct buf     *b;

	r->let_go = NULL;
	b = reply_begin(r);
	buf_add_text(b, "{\"id\":");
	buf_add_u64(b, run->job);
	buf_add_text(b, ",\"status\":\"");
	buf_add_text(b, job_status_name(status));
	buf_add_byte(b, '"');
	render_outcome(b, status, result, error, request_line_max(r) - RENDER_LINE_SLACK);
	if (run->is_existing)
		buf_add_text(b, ",\"existing\":true");
	buf_add_byte(b, '}');
	reply_end(r);
	forget(run);
}

static bool is_delivered(const struct run *run)
{
	return run->end_seq != 0 &&
	       (run->stream == NULL || stream_cursor(run->stream) >= run->end_seq);
}

static void take_job(struct loop *l, struct loop_read *read, void *ctx)
{
	struct run             *run = ctx;
	const struct store_job *job = read->read.jobs;

	(void)l;
	run->is_reading = false;
	if (run->request == NULL) {
		free(run);
	} else if (read->read.outcome != GD_OK) {
		run->request->let_go = NULL;
		if (read->read.outcome == GD_NOT_FOUND) /* deleted before it was read */
			reply_not_found(run->request, run->job);
		else
			reply_why(run->request, &read->read.why);
		forget(run);
	} else if (job_status_is_final(job->status)) {
		run->end_seq = job->end_seq;
		if (is_delivered(run))
			answer(run, job->status, job->result, job->error);
	}
	store_read_free(&read->read);
}

static void read_job(struct run *run)
{
	struct loop_read *read;

	if (run->is_reading)
		return;
	if ((read = loop_read_new(READ_JOB)) == NULL) {
		run->request->let_go = NULL;
		reply_error(run->request, GD_NOMEM, "no memory for the answer", NULL);
		forget(run);
		return;
	}
	run->is_reading = true;
	read->read.job = run->job;
	read->read.flags = READ_WITH_RESULT;
	loop_read_start(run->desk->loop, read, take_job, run);
}

static void on_stream_advance(struct stream *s)
{
	struct run *run = stream_ctx(s);

	if (is_delivered(run))
		read_job(run);
}

/* Its job was deleted before everything was delivered, or we have ended it ourselves. */
static void on_stream_end(struct stream *s)
{
	struct run *run = stream_ctx(s);

	run->stream = NULL;
	if (run->request != NULL && run->end_seq != 0)
		read_job(run);
}

static void answer_from_record(struct run *run)
{
	const struct record    *r = run->end;
	const struct store_job *j;

	if (r == NULL) {
		read_job(run);
	} else if (r->kind == RECORD_JOB) {
		j = r->u.submit;
		answer(run, j->status, j->result, j->error);
	} else {
		answer(run, r->u.change.status, r->u.change.result, r->u.change.error);
	}
}

/* --- the way there --- */

static bool open_stream(struct run *run, const char *name, uint64_t job, bool is_from_cursor,
                        uint64_t after)
{
	const struct event_filter filter = { .job = job };
	const struct stream_user  user = { .on_advance = on_stream_advance,
		                           .on_end = on_stream_end,
		                           .ctx = run };

	run->stream = stream_open(run->request->peer, name, &filter, is_from_cursor, after, &user);
	return run->stream != NULL;
}

/* The key is known: this is that job, from its first event on, whether it has ended or not. */
static void follow_existing(struct run *run, const struct record *r)
{
	char name[STREAM_NAME_BYTES];
	bool has_stream = run->stream != NULL;

	run->is_existing = true;
	run->job = r->existing;
	desk_unwatch(run->desk, &run->watch);
	if (has_stream) {
		memcpy(name, stream_name(run->stream), sizeof name);
		stream_end(run->stream);
	}
	if ((has_stream && !open_stream(run, name, r->existing, true, r->existing_seq - 1)) ||
	    desk_watch(run->desk, &run->watch, r->existing) != GD_OK) {
		run->request->let_go = NULL;
		reply_error(run->request, GD_NOMEM, "no memory for the answer", NULL);
		forget(run);
		return;
	}
	read_job(run); /* it may have ended long ago */
}

static void on_job_record(struct run *run, const struct record *r)
{
	char data[96];

	if (r->outcome != GD_OK) {
		(void)snprintf(data, sizeof data,
		               "\"id\":%llu,\"why\":\"the same key with another spec\"",
		               (unsigned long long)r->existing);
		run->request->let_go = NULL;
		reply_error(run->request, r->outcome, "this key belongs to a job with another spec",
		            data);
		forget(run);
	} else if (r->existing != 0) {
		follow_existing(run, r);
	} else if (job_status_is_final(r->u.submit->status)) {
		run->end = r;
	}
}

static void on_event(struct run *run, const struct event *e)
{
	if (e->kind != EVENT_JOB_COMPLETED && e->kind != EVENT_JOB_FAILED &&
	    e->kind != EVENT_JOB_CANCELLED)
		return;
	run->end_seq = e->seq;
	if (is_delivered(run))
		answer_from_record(run);
	else
		run->end = NULL; /* the stream lags; the record is gone when it has caught up */
}

static void on_record(struct watch *w, const struct record *r)
{
	struct run *run = (struct run *)(void *)((char *)w - offsetof(struct run, watch));

	switch (r->kind) {
	case RECORD_JOB:
		on_job_record(run, r);
		return;
	case RECORD_ENDED:
		run->end = r;
		return;
	case RECORD_EVENT:
		on_event(run, &r->u.event);
		return;
	case RECORD_STARTED:
	case RECORD_INPUT:
	case RECORD_DELETE: /* of an ended job: it was answered, or its read says so */
	case RECORD_SEMAPHORE:
	case RECORD_CLOCK_STEP:
	case RECORD_COMMAND:
	case RECORD_LOOP:
		return;
	}
}

static enum gd_err start(struct run *run, const struct intake *in, struct program *program,
                         const char *stream, struct gd_error *why)
{
	struct request *r = run->request;
	struct desk    *d = run->desk;
	uint32_t        loop = 0;
	enum gd_err     rc = intake_place(in, r, program, &loop, why);

	if (rc != GD_OK)
		return rc;
	run->job = pool_take_id(d->net->pool, loop);
	/* The stream first: it hears of the final event before the answer is written. */
	if ((stream != NULL && !open_stream(run, stream, run->job, false, 0)) ||
	    desk_watch(d, &run->watch, run->job) != GD_OK)
		return gd_fail(why, GD_NOMEM, "no memory for a job");
	return intake_submit(in, r, program, run->job, why);
}

static void refuse(struct request *r, const struct intake_faults *faults,
                   const struct gd_error *why)
{
	char *data = intake_faults_data(faults, why->code);

	if (data != NULL)
		reply_error(r, why->code, why->text, data);
	else
		reply_why(r, why);
	free(data);
}

static void run_job(struct request *r, const struct intake *in, const char *stream,
                    bool is_cancelled_with_peer)
{
	struct intake_faults faults = { 0 };
	struct program      *program = NULL;
	struct run          *run = calloc(1, sizeof *run);
	struct gd_error      why;
	enum gd_err          rc;

	if (run == NULL) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		return;
	}
	run->request = r;
	run->desk = r->desk;
	run->is_cancelled_with_peer = is_cancelled_with_peer;
	run->watch.on_record = on_record;
	r->work = run;
	rc = intake_compile(r, in->spec, in->args, &program, &faults, &why);
	if (rc == GD_OK) {
		rc = start(run, in, program, stream, &why);
		program_release(program);
	}
	if (rc == GD_OK) {
		r->let_go = let_run_go;
	} else {
		refuse(r, &faults, &why);
		forget(run);
	}
	intake_faults_close(&faults);
}

void method_job_run(struct request *r, struct rpc_params *p)
{
	struct intake   in;
	const json_t   *stream = NULL;
	char            name[STREAM_NAME_BYTES];
	bool            is_cancelled_with_peer = false;
	struct gd_error why;
	size_t          bytes;

	intake_read(&in, r, p, false);
	(void)rpc_any(p, "stream", &stream);
	(void)rpc_bool(p, "cancel_on_disconnect", &is_cancelled_with_peer);
	if (stream != NULL) {
		bytes = json_dumpb(stream, name, sizeof name - 1, JSON_COMPACT | JSON_ENCODE_ANY);
		if ((!json_is_string(stream) && !json_is_integer(stream)) || bytes >= sizeof name)
			rpc_fault(p, "/stream", "a text of at most %u bytes, or a number",
			          STREAM_NAME_BYTES - 3u);
		else
			name[bytes] = '\0';
	}
	if (rpc_params_end(p, &why) != GD_OK)
		reply_bad_params(r, p);
	else if (r->is_notification)
		reply_error(r, GD_INVALID_REQUEST, "job.run without an id has nobody to answer",
		            NULL);
	else if (intake_admit(r, 1, &why) != GD_OK)
		reply_why(r, &why);
	else
		run_job(r, &in, stream != NULL ? name : NULL, is_cancelled_with_peer);
}
