#include "daemon/net/methods.h"
#include "daemon/net/poller.h"
#include "daemon/net/render.h"
#include "daemon/net/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_WAIT_SECONDS_MAX 300u
#define HEARTBEAT_SECONDS_MAX 3600u
#define PAGE_ROWS_DEFAULT 100u

/* In the order of enum event_kind, from 1. */
static const char *const kinds[] = { "job.queued",     "job.started",   "job.completed",
	                             "job.failed",     "job.cancelled", "task.started",
	                             "task.completed", "task.failed",   "task.retrying",
	                             "yield",          "log",           NULL };

/* What somebody asks for. Where it is one job, that job is looked at first: what a principal may
 * not see does not exist for it. */
struct ask {
	struct request     *request;
	struct event_filter filter;
	char                label[NET_LABEL_BYTES_MAX + 1];
	uint64_t            after;
	uint32_t            limit;
	gd_nsec             wait;
	gd_nsec             heartbeat;
	void (*start)(struct request *r, const struct ask *ask);
};

static void read_filter(struct request *r, struct rpc_params *p, struct ask *ask)
{
	const char *label = NULL;
	uint32_t    mask = 0;

	(void)rpc_u64(p, "job", 1, INT64_MAX, &ask->filter.job);
	if (rpc_text(p, "label", NET_LABEL_BYTES_MAX, &label))
		memcpy(ask->label, label, strlen(label) + 1);
	(void)rpc_choices(p, "kinds", kinds, &mask);
	ask->filter.kinds = (uint64_t)mask << EVENT_JOB_QUEUED;
	if (ask->filter.job == 0 && !principal_may(request_who(r), AUTH_OBSERVE_ANY))
		ask->filter.owner = request_who(r)->name;
}

static void take_job(struct loop *l, struct loop_read *read, void *ctx)
{
	struct ask     *ask = ctx;
	struct request *r = ask->request;

	(void)l;
	if (read->read.outcome != GD_OK && read->read.outcome != GD_NOT_FOUND)
		reply_why(r, &read->read.why);
	else if (read->read.outcome != GD_OK ||
	         !request_may(r, read->read.jobs[0].owner, AUTH_OBSERVE_OWN, AUTH_OBSERVE_ANY))
		reply_not_found(r, ask->filter.job);
	else
		ask->start(r, ask);
	store_read_free(&read->read);
	free(ask);
}

static void look_then_start(struct request *r, struct ask *asked)
{
	struct loop_read *read;
	struct ask       *ask;

	if (asked->label[0] != '\0')
		asked->filter.label = asked->label;
	if (asked->filter.job == 0) {
		asked->start(r, asked);
		return;
	}
	read = loop_read_new(READ_JOB);
	ask = malloc(sizeof *ask);
	if (read == NULL || ask == NULL) {
		if (read != NULL)
			store_read_free(&read->read);
		free(ask);
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		return;
	}
	*ask = *asked;
	if (ask->filter.label != NULL)
		ask->filter.label = ask->label;
	ask->request = r;
	read->read.job = ask->filter.job;
	loop_read_start(r->desk->loop, read, take_job, ask);
}

/* --- events.subscribe --- */

struct subscription {
	struct request *request; /* until it is answered; then NULL */
	gd_nsec         heartbeat;
};

static void reply_subscribed(struct request *r, const char *name, uint64_t seq)
{
	struct buf *b = reply_begin(r);

	buf_addf(b, "{\"subscription\":%s,\"seq\":%" PRIu64 "}", name, seq);
	reply_end(r);
}

static void reply_expired(struct request *r, const struct store_read *read)
{
	char data[160];

	(void)snprintf(data, sizeof data,
	               "\"oldest\":%" PRIu64 ",\"seq\":%" PRIu64 ",\"store\":\"%s\"", read->oldest,
	               read->seq, store_uuid(r->desk->net->pool->store));
	reply_error(r, GD_CURSOR_EXPIRED, "events after this cursor are no longer kept", data);
}

static bool on_first_page(struct stream *s, const struct store_read *read)
{
	struct subscription *sub = stream_ctx(s);
	struct request      *r = sub->request;
	bool                 is_good = false;

	sub->request = NULL;
	r->let_go = NULL;
	if (read->outcome == GD_NOT_FOUND) {
		reply_not_found(r, read->job);
	} else if (read->outcome != GD_OK) {
		reply_why(r, &read->why);
	} else if (read->is_expired) {
		reply_expired(r, read);
	} else {
		reply_subscribed(r, stream_name(s), stream_cursor(s));
		stream_set_heartbeat(s, sub->heartbeat);
		is_good = true;
	}
	return is_good;
}

static void on_stream_end(struct stream *s)
{
	free(stream_ctx(s));
}

static void let_subscribe_go(struct request *r, bool is_cancelled)
{
	struct stream *s = r->work;

	(void)is_cancelled;
	((struct subscription *)stream_ctx(s))->request = NULL;
	stream_end(s);
}

static void subscribe(struct request *r, const struct ask *ask)
{
	struct stream_user   user = { .on_first = on_first_page, .on_end = on_stream_end };
	struct subscription *sub = calloc(1, sizeof *sub);
	struct peer         *peer = r->peer;
	struct stream       *s;
	char                 name[24];

	if (sub == NULL) {
		reply_error(r, GD_NOMEM, "no memory for a subscription", NULL);
		return;
	}
	sub->request = r;
	sub->heartbeat = ask->heartbeat;
	user.ctx = sub;
	(void)snprintf(name, sizeof name, "%" PRIu64, ++peer->next_stream);
	s = stream_open(peer, name, &ask->filter, true, ask->after, &user);
	if (s == NULL) {
		free(sub);
		reply_error(r, GD_NOMEM, "no memory for a subscription", NULL);
		return;
	}
	r->work = s;
	r->let_go = let_subscribe_go;
}

void method_events_subscribe(struct request *r, struct rpc_params *p)
{
	/* Without a cursor: what becomes durable from now on. */
	struct ask      ask = { .start = subscribe, .after = desk_seq(r->desk) };
	struct gd_error why;

	(void)rpc_u64(p, "after", 0, INT64_MAX, &ask.after);
	(void)rpc_seconds(p, "heartbeat", HEARTBEAT_SECONDS_MAX, &ask.heartbeat);
	if (ask.heartbeat != 0 && ask.heartbeat < GD_NSEC_PER_SEC)
		rpc_fault(p, "/heartbeat", "at least a second");
	read_filter(r, p, &ask);
	if (rpc_params_end(p, &why) != GD_OK)
		reply_bad_params(r, p);
	else if (r->is_notification)
		reply_error(r, GD_INVALID_REQUEST, "a subscription needs an id", NULL);
	else if (r->peer->stream_count >= NET_STREAMS_MAX)
		reply_error(r, GD_LIMIT, "too many streams on this connection",
		            "\"limit\":\"subscriptions\",\"max\":64");
	else
		look_then_start(r, &ask);
}

void method_events_unsubscribe(struct request *r, struct rpc_params *p)
{
	uint64_t        number = 0;
	char            name[24];
	struct gd_error why;
	struct stream  *s;

	rpc_require(p, "subscription");
	(void)rpc_u64(p, "subscription", 1, INT64_MAX, &number);
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	(void)snprintf(name, sizeof name, "%" PRIu64, number);
	s = stream_find(r->peer, name, on_stream_end);
	if (s == NULL) {
		reply_error(r, GD_NOT_FOUND, "there is no such subscription",
		            "\"kind\":\"subscription\"");
		return;
	}
	stream_end(s);
	buf_add_text(reply_begin(r), "{\"ok\":true}");
	reply_end(r);
}

/* --- events.read --- */

static void start_poller(struct request *r, const struct ask *ask)
{
	poller_start(r, &ask->filter, ask->after, ask->limit, ask->wait);
}

void method_events_read(struct request *r, struct rpc_params *p)
{
	struct ask      ask = { .start = start_poller, .limit = PAGE_ROWS_DEFAULT };
	struct gd_error why;

	rpc_require(p, "after");
	(void)rpc_u64(p, "after", 0, INT64_MAX, &ask.after);
	(void)rpc_u32(p, "limit", 1, NET_PAGE_ROWS, &ask.limit);
	(void)rpc_seconds(p, "wait", READ_WAIT_SECONDS_MAX, &ask.wait);
	read_filter(r, p, &ask);
	if (rpc_params_end(p, &why) != GD_OK)
		reply_bad_params(r, p);
	else
		look_then_start(r, &ask);
}
