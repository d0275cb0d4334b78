#include "daemon/http/http_inside.h"

#include "proto/base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS_AT_ONCE 64
/* Each takes 0.1 ms, among thousands 0.5 ms, when libcurl looks at it, and it looks at all of them at once. */
#define HTTP_FRESH_MAX 8u
#define TURN (HTTP_TURN_USEC * GD_NSEC_PER_MSEC / 1000)

gd_nsec client_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * GD_NSEC_PER_SEC + ts.tv_nsec;
}

/* --- who is where --- */

/* Those that take a slot. */
static uint32_t running_of(const struct http_client *c)
{
	return c->lists[TRANSFER_OPENING].count + c->lists[TRANSFER_MOVING].count +
	       c->lists[TRANSFER_ENDING].count;
}

/* Not at once: others have their turn first. */
static void come_back(struct http_client *c)
{
	static const struct timeval NOW = { 0, 0 };

	if (!evtimer_pending(c->soon, NULL) && evtimer_add(c->soon, &NOW) != 0)
		event_active(c->soon, EV_TIMEOUT, 0); /* which needs no memory */
}

static void leave_state(struct http_client *c, struct http_transfer *t)
{
	if (t->state == TRANSFER_WAITING) {
		queue_remove(&c->queue, t);
		c->waiting_bytes -= t->bytes;
	} else if (t->state != TRANSFER_STATES) {
		list_remove(&c->lists[t->state], t);
	}
	if (t->state == TRANSFER_OPENING)
		queue_opened(&c->queue, t);
}

void client_move(struct http_transfer *t, enum transfer_state to)
{
	struct http_client *c = t->client;

	leave_state(c, t);
	t->state = to;
	if (to == TRANSFER_WAITING) {
		queue_add(&c->queue, t);
		c->waiting_bytes += t->bytes;
	} else if (to != TRANSFER_STATES) {
		list_add(&c->lists[to], t);
	}
	if (to == TRANSFER_OPENING)
		queue_opens(&c->queue, t);
	if (to == TRANSFER_STATES && t->origin != NULL)
		queue_leave(&c->queue, t);
	atomic_store_explicit(&c->running, running_of(c), memory_order_relaxed);
	atomic_store_explicit(&c->waiting, c->queue.count, memory_order_relaxed);
	if (to == TRANSFER_WAITING || to == TRANSFER_ENDING)
		come_back(c);
}

/* --- a turn --- */

/* One that libcurl is through with. */
static bool reap_one(struct http_client *c)
{
	struct http_transfer *t = NULL;
	struct CURLMsg       *m;
	int                   left;

	m = curl_multi_info_read(c->multi, &left);
	if (m == NULL)
		return false;
	if (m->msg != CURLMSG_DONE)
		return true;
	CHECK(curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t) == CURLE_OK);
	/* Ended otherwise, just before. */
	if (t->state == TRANSFER_ENDING)
		return true;
	if (!transfer_goes_on(t, m->data.result))
		transfer_finish(t);
	return true;
}

static bool end_one(struct http_client *c)
{
	struct http_transfer *t = c->lists[TRANSFER_ENDING].first;

	if (t == NULL)
		return false;
	transfer_finish(t);
	return true;
}

static bool start_one(struct http_client *c)
{
	struct http_transfer *t;

	if (running_of(c) >= c->limits.transfers || c->fresh >= HTTP_FRESH_MAX ||
	    c->lists[TRANSFER_OPENING].count >= HTTP_OPENING_MAX)
		return false;
	t = queue_next(&c->queue);
	if (t == NULL)
		return false;
	c->fresh++;
	if (!transfer_go(t))
		transfer_finish(t);
	return true;
}

static void work(struct http_client *c, gd_nsec until)
{
	while (reap_one(c) || end_one(c) || start_one(c)) {
		if (client_now() >= until) {
			come_back(c);
			return;
		}
	}
}

/* libcurl looks at this socket, and at all that is due besides, new transfers for example. */
void client_begins(struct http_client *c)
{
	if (c->begins != NULL)
		c->begins(c->watch_ctx);
}

static void act(struct http_client *c, curl_socket_t fd, int mask)
{
	int running;

	(void)curl_multi_socket_action(c->multi, fd, mask, &running);
	c->fresh = 0;
}

static void on_ready(evutil_socket_t fd, short what, void *ctx)
{
	struct http_client *c = ctx;
	const gd_nsec       until = client_now() + TURN;
	struct epoll_event  events[SOCKETS_AT_ONCE];
	int                 count;

	(void)what;
	client_begins(c);
	count = epoll_wait(fd, events, SOCKETS_AT_ONCE, 0);
	/* Those that are not reached are still ready the next time. */
	for (int i = 0; i < count && client_now() < until; i++) {
		const uint32_t is = events[i].events;
		const int      mask = ((is & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
		                 ((is & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
		                 ((is & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);

		act(c, events[i].data.fd, mask);
		while (client_now() < until && reap_one(c))
			;
	}
	work(c, until);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct http_client *c = ctx;
	const gd_nsec       until = client_now() + TURN;

	(void)fd;
	(void)what;
	client_begins(c);
	act(c, CURL_SOCKET_TIMEOUT, 0);
	work(c, until);
}

static void on_soon(evutil_socket_t fd, short what, void *ctx)
{
	struct http_client *c = ctx;

	(void)fd;
	(void)what;
	client_begins(c);
	work(c, client_now() + TURN);
}

/* --- what libcurl wants to be told --- */

static int want_timer(CURLM *multi, long msec, void *ctx)
{
	struct http_client  *c = ctx;
	const struct timeval tv = { .tv_sec = msec / 1000, .tv_usec = msec % 1000 * 1000 };

	(void)multi;
	if (msec < 0)
		return evtimer_del(c->timer);
	return evtimer_add(c->timer, &tv);
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
	struct http_client *c = ctx;
	struct epoll_event  event = { .data.fd = fd };

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(c->sockets, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.events = ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0u) |
	               ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0u);
	if (epoll_ctl(c->sockets, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0)
		return -1;
	return known != NULL || curl_multi_assign(c->multi, fd, c) == CURLM_OK ? 0 : -1;
}

/* --- life --- */

static enum gd_err open_events(struct http_client *c, struct gd_error *why)
{
	c->sockets = epoll_create1(EPOLL_CLOEXEC);
	if (c->sockets < 0)
		return gd_fail_sys(why, errno, "http: epoll");
	c->ready = event_new(c->base, c->sockets, EV_READ | EV_PERSIST, on_ready, c);
	c->timer = evtimer_new(c->base, on_timer, c);
	c->soon = evtimer_new(c->base, on_soon, c);
	if (c->ready == NULL || c->timer == NULL || c->soon == NULL ||
	    event_add(c->ready, NULL) != 0)
		return gd_fail(why, GD_NOMEM, "no memory for http");
	return GD_OK;
}

#define SET(option, value) (curl_multi_setopt(c->multi, option, value) == CURLM_OK)

static enum gd_err open_multi(struct http_client *c, struct gd_error *why)
{
	c->multi = curl_multi_init();
	if (c->multi != NULL && SET(CURLMOPT_SOCKETFUNCTION, want_socket) &&
	    SET(CURLMOPT_SOCKETDATA, c) && SET(CURLMOPT_TIMERFUNCTION, want_timer) &&
	    SET(CURLMOPT_TIMERDATA, c) && SET(CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX) &&
	    SET(CURLMOPT_MAXCONNECTS, (long)c->limits.transfers))
		return GD_OK;
	return gd_fail(why, GD_NOMEM, "no memory for http");
}

void http_client_watch(struct http_client *c, void (*fn)(void *ctx), void *ctx)
{
	c->begins = fn;
	c->watch_ctx = ctx;
}

enum gd_err http_client_open(struct event_base *base, const struct http_policy *policy,
                             const struct http_limits *limits, struct http_client **out,
                             struct gd_error *why)
{
	struct http_client *c = calloc(1, sizeof *c);
	enum gd_err         rc;

	if (c == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for http");
	CHECK(limits->transfers != 0 && limits->timeout > 0 && limits->connect_timeout > 0);
	c->base = base;
	c->policy = policy;
	c->limits = *limits;
	rc = open_events(c, why);
	if (rc == GD_OK)
		rc = open_multi(c, why);
	if (rc == GD_OK)
		*out = c;
	else
		http_client_close(c);
	return rc;
}

static void free_event(struct event *e)
{
	if (e != NULL)
		event_free(e);
}

void http_client_close(struct http_client *c)
{
	if (c == NULL)
		return;
	while (c->queue.count != 0)
		transfer_free(queue_any(&c->queue));
	for (uint32_t i = 0; i < TRANSFER_STATES; i++) {
		while (c->lists[i].first != NULL)
			transfer_free(c->lists[i].first);
	}
	(void)curl_multi_cleanup(c->multi);
	free_event(c->ready);
	free_event(c->timer);
	free_event(c->soon);
	if (c->sockets >= 0)
		(void)close(c->sockets);
	free(c);
}

/* --- transfers --- */

static enum gd_err read_url(const struct http_client *c, const struct http_request *r,
                            struct http_url *url, struct gd_error *why)
{
	enum gd_err rc = http_url_read(url, r->url, why);

	if (rc == GD_OK)
		rc = http_policy_check(c->policy, url, why);
	if (rc == GD_OK)
		rc = http_url_add_query(url, r->query, r->query_count, why);
	if (rc != GD_OK)
		http_url_close(url);
	return rc;
}

enum gd_err http_start(struct http_client *c, const struct http_request *r, http_done_fn *done,
                       void *ctx, struct http_transfer **out, struct gd_error *why)
{
	struct http_transfer *t;
	struct http_url       url;
	enum gd_err           rc = http_request_check(r, why);

	if (rc != GD_OK || (rc = read_url(c, r, &url, why)) != GD_OK)
		return rc;
	if (c->waiting_bytes >= HTTP_WAITING_BYTES_MAX)
		rc = gd_fail(why, GD_LIMIT, "too many requests wait: %u bytes of them",
		             HTTP_WAITING_BYTES_MAX);
	else if ((t = transfer_new(c, r, &url)) == NULL)
		rc = gd_fail(why, GD_NOMEM, "no memory for a request");
	http_url_close(&url);
	if (rc != GD_OK)
		return rc;
	t->done = done;
	t->ctx = ctx;
	client_move(t, TRANSFER_WAITING);
	*out = t;
	return GD_OK;
}

void http_abort(struct http_transfer *t)
{
	t->done = NULL;
	if (t->state != TRANSFER_ENDING)
		client_move(t, TRANSFER_ENDING);
}

void http_client_counts(const struct http_client *c, uint32_t *running, uint32_t *waiting)
{
	*running = atomic_load_explicit(&c->running, memory_order_relaxed);
	*waiting = atomic_load_explicit(&c->waiting, memory_order_relaxed);
}
