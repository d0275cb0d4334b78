#include "daemon/run/inputs.h"

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

void inputs_feed(struct loop *l, const struct engine_in *in)
{
	struct live_job *live = jobs_find(&l->jobs, in->job);

	CHECK(live != NULL && live->start == NULL);
	journal(l, live, in);
	loop_step(l, in);
	l->effects.took(l->effects.ctx, in);
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
