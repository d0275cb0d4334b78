#include "daemon/run/inputs.h"

#include "daemon/load/load.h"
#include "daemon/run/children.h"
#include "daemon/run/pool.h"
#include "daemon/run/submit.h"
#include "daemon/store/journal.h"
#include "proto/base/check.h"
#include "proto/base/failpoint.h"

#include <string.h>

static void journal(struct loop *l, struct live_job *job, const struct engine_in *in)
{
	struct store_group *g = loop_group(l);
	struct record      *r = g == NULL ? NULL : store_group_add(g, RECORD_INPUT, job->id);
	struct gd_error     why;

	buf_clear(&l->scratch);
	journal_encode(&l->scratch, in);
	if (r == NULL || l->scratch.failed != GD_OK ||
	    (r->u.input.bytes.at = arena_copy(&g->arena, l->scratch.at, l->scratch.bytes)) ==
	            NULL) {
		(void)gd_fail(&why, GD_NOMEM, "no memory to journal an input");
		pool_die("loop.no_memory", &why);
	}
	r->u.input.bytes.bytes = l->scratch.bytes;
	r->u.input.number = ++job->inputs;
	r->u.input.time = in->time;
	GD_FAILPOINT("run.input_journaled");
}

bool inputs_cancel(struct loop *l, uint64_t job, const char *reason, bool *ended,
                   enum job_status *status)
{
	struct value_heap *heap = engine_heap(l->engine);
	struct live_job   *live = jobs_find(&l->jobs, job);
	struct engine_in   in = { .kind = ENGINE_CANCEL, .job = job, .message = VALUE_NULL };

	*ended = false;
	if (live == NULL)
		return false;
	if (live->start != NULL) { /* not begun: its own record is on its way to the disk */
		submit_cancel_waiting(live->start);
		return true;
	}
	in.time = loop_now(l);
	if (reason != NULL)
		in.message = value_text_new(heap, reason, strlen(reason));
	if (value_is_none(in.message)) { /* a cancel without its words is better than none */
		heap->failed = false;
		in.message = VALUE_NULL;
	}
	journal(l, live, &in);
	l->ended_job = 0;
	loop_step(l, &in);
	value_release(heap, in.message);
	*ended = l->ended_job == job;
	*status = l->ended_status;
	/* Deadlines that had passed came first. */
	return !*ended || l->ended_time >= in.time;
}

/* `item` is taken. */
static struct value with(struct value_heap *h, struct value dict, const char *name,
                         struct value item)
{
	return value_dict_put(h, dict, value_text_new(h, name, strlen(name)), item);
}

/* VALUE_NONE: no memory. */
static struct value signal_message(struct value_heap *h, const struct signal *s)
{
	struct value said = value_dict_new(h, 3);

	said = with(h, said, "event", value_text_new(h, s->event, strlen(s->event)));
	said = with(h, said, "value", s->value == NULL ? VALUE_NULL : load_value(h, s->value));
	if (s->key != NULL)
		said = with(h, said, "key", value_text_new(h, s->key, strlen(s->key)));
	if (!h->failed)
		return said;
	h->failed = false;
	value_release(h, said);
	return VALUE_NONE;
}

static void feed_signal(struct loop *l, struct live_job *live, struct value said,
                        struct engine_signal_check *check)
{
	struct engine_in in = {
		.kind = ENGINE_SIGNAL, .job = live->id, .time = loop_now(l), .message = said
	};

	journal(l, live, &in);
	l->ended_job = 0;
	loop_step(l, &in);
	/* Deadlines that had passed came first. */
	if (l->ended_job == in.job && l->ended_time < in.time)
		check->code = GD_NOT_FOUND;
}

struct engine_signal_check inputs_signal(struct loop *l, uint64_t job, const struct signal *s)
{
	struct value_heap         *h = engine_heap(l->engine);
	size_t                     before = h->bytes;
	struct live_job           *live = jobs_find(&l->jobs, job);
	struct engine_signal_check check = { .code = GD_NOT_FOUND };
	struct value               said;

	if (live == NULL)
		return check;
	CHECK(live->start == NULL);
	check.code = GD_NOMEM;
	if (value_is_none(said = signal_message(h, s)))
		return check;
	check = engine_check_signal(l->engine, job, said, h->bytes - before);
	if (check.code == GD_OK && !check.is_known)
		feed_signal(l, live, said, &check);
	value_release(h, said);
	return check;
}

static bool is_same_member(struct value a, struct value b, const char *name)
{
	return value_is_same(value_dict_get(a, name, strlen(name)),
	                     value_dict_get(b, name, strlen(name)));
}

bool inputs_is_signal(struct loop *l, const struct store_input *stored, const struct signal *s)
{
	struct value_heap *h = engine_heap(l->engine);
	struct engine_in   in = { .message = VALUE_NULL };
	struct value       said = signal_message(h, s);
	bool               is_it = false;

	if (!value_is_none(said) &&
	    journal_decode(h, stored->bytes.at, stored->bytes.bytes, &in, NULL) == GD_OK &&
	    in.kind == ENGINE_SIGNAL)
		is_it = is_same_member(in.message, said, "event") &&
		        is_same_member(in.message, said, "value");
	h->failed = false;
	value_release(h, in.message);
	value_release(h, said);
	return is_it;
}

void inputs_grant(struct loop *l, uint64_t job, uint32_t ticket, gd_nsec time)
{
	struct live_job *live = jobs_find(&l->jobs, job);
	struct engine_in in = { .kind = ENGINE_GRANT, .job = job, .ticket = ticket };

	if (live == NULL)
		return;
	/* Who gave the permit back may live where the clock was read later. */
	loop_reach(l, time);
	in.time = loop_now(l);
	journal(l, live, &in);
	loop_step(l, &in);
}

bool inputs_is_behind(const struct loop *l, uint64_t job)
{
	const struct live_job *live = jobs_find(&l->jobs, job);
	struct engine_job_info info;

	if (live == NULL || !engine_job_info(l->engine, job, &info))
		return false;
	return info.ordinal < live->stored_ordinal || info.tickets < children_last_ticket(l, job);
}

/* To where it was; each of its deadlines needs no more than its timer. */
static void catch_up(struct loop *l, uint64_t job)
{
	struct engine_in in = { .kind = ENGINE_TIME, .job = job };
	gd_nsec          now = loop_now(l);

	while (inputs_is_behind(l, job) && engine_next_due_of(l->engine, job, now, &in.time))
		loop_step(l, &in);
}

/* What has happened at `time` elsewhere, but not before the clock of the job, which may have gone on.
 * False: it has ended first. */
static bool feed(struct loop *l, struct engine_in *in)
{
	struct engine_job_info info;

	catch_up(l, in->job);
	if (!engine_job_info(l->engine, in->job, &info))
		return false;
	if (in->time < info.now)
		in->time = info.now;
	loop_reach(l, in->time);
	journal(l, jobs_find(&l->jobs, in->job), in);
	loop_step(l, in);
	return true;
}

void inputs_feed(struct loop *l, const struct engine_in *in)
{
	struct live_job *live = jobs_find(&l->jobs, in->job);
	struct engine_in at = *in;

	CHECK(live != NULL && live->start == NULL);
	if (feed(l, &at))
		l->effects.took(l->effects.ctx, &at);
}

/* --- families --- */

void inputs_stop(struct loop *l, uint64_t job, uint32_t wanted, const char *message, gd_nsec time)
{
	struct value_heap *heap = engine_heap(l->engine);
	struct engine_in   in = {
		  .kind = ENGINE_CANCEL, .job = job, .message = VALUE_NULL, .is_of_parent = true
	};
	struct engine_job_info info;

	if (message != NULL)
		in.message = value_text_new(heap, message, strlen(message));
	if (value_is_none(in.message)) { /* a cancel without its words is better than none */
		heap->failed = false;
		in.message = VALUE_NULL;
	}
	while (engine_job_info(l->engine, job, &info) && info.parent_cancels < wanted) {
		in.time = time;
		(void)feed(l, &in);
	}
	value_release(heap, in.message);
}

/* {result: ..} and so on; a new reference. */
static struct value outcome_value(struct value_heap *h, enum job_status status, struct text outcome)
{
	const char  *name = status == JOB_COMPLETED ? "result"
	                    : status == JOB_FAILED  ? "error"
	                                            : "cancelled";
	json_t      *json = json_loadb(outcome.at, outcome.bytes, JSON_DECODE_ANY, NULL);
	struct value v = json == NULL ? VALUE_NULL : load_value(h, json);

	json_decref(json);
	return value_dict_put(h, value_dict_new(h, 1), value_text_new(h, name, strlen(name)), v);
}

void inputs_child_ended(struct loop *l, uint64_t job, uint32_t ticket, enum job_status status,
                        gd_nsec time, struct text outcome)
{
	struct value_heap *heap = engine_heap(l->engine);
	struct engine_in   in = { .kind = ENGINE_CHILD_ENDED,
		                  .job = job,
		                  .time = time,
		                  .ticket = ticket,
		                  .message = outcome_value(heap, status, outcome) };
	struct gd_error    why;

	if (heap->failed) {
		(void)gd_fail(&why, GD_NOMEM, "no memory for the end of a child");
		pool_die("loop.no_memory", &why);
	}
	(void)feed(l, &in);
	value_release(heap, in.message);
}

void inputs_answer_wants(struct loop *l)
{
	uint32_t count = l->want_count;

	/* Answers may make new wants; those are for the next turn, so that sockets are served. */
	for (uint32_t i = 0; i < count; i++) {
		struct engine_in       in = { .kind = ENGINE_NOW,
			                      .job = l->wants[i],
			                      .time = loop_now(l) };
		struct live_job       *live = jobs_find(&l->jobs, in.job);
		struct engine_job_info info;

		if (live == NULL || !engine_job_info(l->engine, in.job, &info) || !info.wants_now)
			continue; /* cancelled in between */
		journal(l, live, &in);
		loop_step(l, &in);
	}
	memmove(l->wants, l->wants + count, (l->want_count - count) * sizeof *l->wants);
	l->want_count -= count;
}
