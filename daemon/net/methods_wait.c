#include "daemon/net/methods.h"

#include <stddef.h>
#include <stdlib.h>

/*
 * job.wait: watches each job first and reads it second, so that no end falls into a gap. Answers
 * when enough of them have ended, when the timeout has passed, or when one cannot be seen.
 */
struct waited {
	struct watch    watch;
	struct wait    *wait;
	uint64_t        id;
	enum job_status status; /* not final: pending, as far as we know */
};

enum return_when { ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION };

struct wait {
	struct request  *request; /* NULL: answered or let go; reads are on their way */
	struct desk     *desk;
	struct event    *timer; /* NULL: no timeout */
	enum return_when when;
	uint32_t         count;
	uint32_t         unread;  /* reads on their way */
	uint64_t         missing; /* a job that cannot be seen; 0: none */
	bool             is_late; /* the timeout has passed */
	struct waited    at[];
};

static void forget(struct wait *w)
{
	w->request = NULL;
	for (uint32_t i = 0; i < w->count; i++)
		desk_unwatch(w->desk, &w->at[i].watch);
	if (w->timer != NULL)
		event_free(w->timer);
	w->timer = NULL;
	if (w->unread == 0)
		free(w);
}

static void let_wait_go(struct request *r, bool is_cancelled)
{
	(void)is_cancelled;
	forget(r->work);
}

static bool is_enough(const struct wait *w)
{
	bool is_all = true;

	for (uint32_t i = 0; i < w->count; i++) {
		enum job_status s = w->at[i].status;

		if (!job_status_is_final(s))
			is_all = false;
		else if (w->when == FIRST_COMPLETED ||
		         (w->when == FIRST_EXCEPTION && s != JOB_COMPLETED))
			return true;
	}
	return is_all;
}

static void write_rows(struct buf *b, const struct wait *w, bool is_final)
{
	bool is_first = true;

	for (uint32_t i = 0; i < w->count; i++) {
		if (job_status_is_final(w->at[i].status) != is_final)
			continue;
		buf_addf(b, "%s{\"id\":%llu,\"status\":\"%s\"}", is_first ? "" : ",",
		         (unsigned long long)w->at[i].id, job_status_name(w->at[i].status));
		is_first = false;
	}
}

static void answer(struct wait *w)
{
	struct request *r = w->request;
	struct buf     *b;

	r->let_go = NULL;
	b = reply_begin(r);
	buf_add_text(b, "{\"done\":[");
	write_rows(b, w, true);
	buf_add_text(b, "],\"pending\":[");
	write_rows(b, w, false);
	buf_add_text(b, "]}");
	reply_end(r);
	forget(w);
}

/* Something has changed: is it enough? */
static void look(struct wait *w)
{
	if (w->request == NULL || w->unread != 0)
		return; /* the first look is when every state is known */
	if (w->missing != 0) {
		w->request->let_go = NULL;
		reply_not_found(w->request, w->missing);
		forget(w);
	} else if (w->is_late || is_enough(w)) {
		answer(w);
	}
}

static void on_record(struct watch *watch, const struct record *r)
{
	struct waited *job =
		(struct waited *)(void *)((char *)watch - offsetof(struct waited, watch));

	if (r->kind == RECORD_ENDED) {
		job->status = r->u.change.status;
		look(job->wait);
	} else if (r->kind == RECORD_STARTED && !job_status_is_final(job->status)) {
		job->status = JOB_RUNNING;
	}
}

static void take_job(struct loop *l, struct loop_read *read, void *ctx)
{
	struct waited *job = ctx;
	struct wait   *w = job->wait;

	(void)l;
	w->unread--;
	if (w->request == NULL) {
		if (w->unread == 0)
			free(w);
	} else {
		if (read->read.outcome != GD_OK ||
		    !request_may(w->request, read->read.jobs[0].owner, AUTH_OBSERVE_OWN,
		                 AUTH_OBSERVE_ANY))
			w->missing = job->id;
		else if (!job_status_is_final(
				 job->status)) /* a commit may have told us more meanwhile */
			job->status = read->read.jobs[0].status;
		look(w);
	}
	store_read_free(&read->read);
}

static void on_timeout(evutil_socket_t fd, short what, void *ctx)
{
	struct wait *w = ctx;

	(void)fd;
	(void)what;
	stopwatch_begin(&w->desk->loop->watch, DOING_TIMER);
	w->is_late = true;
	look(w);
}

static bool start_timer(struct wait *w, gd_nsec timeout)
{
	struct timeval tv = { .tv_sec = (time_t)(timeout / GD_NSEC_PER_SEC),
		              .tv_usec = (suseconds_t)(timeout % GD_NSEC_PER_SEC / 1000) };

	w->timer = evtimer_new(w->desk->loop->base, on_timeout, w);
	return w->timer != NULL && evtimer_add(w->timer, &tv) == 0;
}

static bool watch_and_read(struct wait *w)
{
	for (uint32_t i = 0; i < w->count; i++) {
		struct waited    *job = &w->at[i];
		struct loop_read *read = loop_read_new(READ_JOB);

		if (read == NULL || desk_watch(w->desk, &job->watch, job->id) != GD_OK) {
			if (read != NULL)
				store_read_free(&read->read);
			return false;
		}
		read->read.job = job->id;
		w->unread++;
		loop_read_start(w->desk->loop, read, take_job, job);
	}
	return true;
}

static void start_wait(struct request *r, const uint64_t *ids, uint32_t count,
                       enum return_when when, gd_nsec timeout)
{
	struct wait *w = calloc(1, sizeof *w + count * sizeof w->at[0]);

	if (w == NULL) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		return;
	}
	w->request = r;
	w->desk = r->desk;
	w->when = when;
	w->count = count;
	for (uint32_t i = 0; i < count; i++)
		w->at[i] = (struct waited){ .watch.on_record = on_record, .wait = w, .id = ids[i] };
	if ((timeout != GD_NSEC_NEVER && !start_timer(w, timeout)) || !watch_and_read(w)) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		forget(w);
		return;
	}
	r->work = w;
	r->let_go = let_wait_go;
}

void method_job_wait(struct request *r, struct rpc_params *p)
{
	static const char *const whens[] = { "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION",
		                             NULL };
	uint64_t                 ids[NET_IDS_MAX];
	uint32_t                 count = 0;
	uint32_t                 when = ALL_COMPLETED;
	gd_nsec                  timeout = GD_NSEC_NEVER;
	struct gd_error          why;

	rpc_require(p, "ids");
	(void)rpc_u64_list(p, "ids", 1, INT64_MAX, NET_IDS_MAX, ids, &count);
	(void)rpc_seconds(p, "timeout", 366u * 86400u, &timeout);
	(void)rpc_choice(p, "return_when", whens, &when);
	if (rpc_params_end(p, &why) != GD_OK)
		reply_bad_params(r, p);
	else
		start_wait(r, ids, count, (enum return_when)when, timeout);
}
