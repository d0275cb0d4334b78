#include "daemon/net/net.h"

#include "daemon/net/peer.h"
#include "daemon/net/poller.h"
#include "daemon/net/request.h"
#include "daemon/net/stream.h"
#include "proto/base/check.h"

#include <stdlib.h>

/* --- what a loop tells its desk --- */

static void on_group(void *ctx, const struct store_commit *c, const struct store_group *g)
{
	struct desk *d = ctx;

	(void)c;
	if (d->watches.count == 0 && d->streams == NULL)
		return;
	for (const struct record *r = g->first; r != NULL; r = r->next) {
		watches_tell(&d->watches, r);
		if (d->streams != NULL)
			streams_tell(d, r);
	}
}

static void on_commit_end(void *ctx, const struct store_commit *c)
{
	struct desk *d = ctx;

	if (c->first_seq > c->last_seq)
		return;
	if (c->last_seq > d->seq)
		d->seq = c->last_seq;
	streams_commit_ended(d);
	pollers_look(d);
}

/* Whoever waits is told so, once: what comes back for it later is for nobody. */
static void end_in_doubt(struct peer *p)
{
	requests_durability_unknown(p);
	peer_die(p);
}

static void on_durability_unknown(void *ctx)
{
	struct desk *d = ctx;

	for (struct peer *p = d->peers; p != NULL; p = p->next)
		if (p->state != PEER_DEAD)
			end_in_doubt(p);
}

/* It has sent more than its share of a turn. */
static void put_off(struct desk *d, struct peer *p)
{
	p->is_dirty = true;
	p->next_dirty = d->later;
	d->later = p;
}

static void on_turn_end(void *ctx)
{
	struct desk *d = ctx;
	struct peer *p;

	while ((p = d->dirty) != NULL) {
		d->dirty = p->next_dirty;
		p->is_dirty = false;
		stopwatch_begin(&d->loop->watch, DOING_REPLIES);
		if (peer_settle(p) && p->has_rest && !p->is_dirty)
			put_off(d, p);
	}
	while ((p = d->later) != NULL) {
		d->later = p->next_dirty;
		p->has_rest = false;
		p->next_dirty = d->dirty;
		d->dirty = p;
		d->loop->is_busy = true;
	}
}

/* --- listening --- */

uint64_t desk_seq(const struct desk *d)
{
	return loop_is_listening(d->loop) ? d->seq : store_seq(d->net->pool->store);
}

/* What passed by unheard was durable before anybody here listened. */
void desk_listen(struct desk *d)
{
	bool     was_listening = loop_is_listening(d->loop);
	uint64_t seq;

	loop_listen(d->loop);
	seq = store_seq(d->net->pool->store);
	if (!was_listening && seq > d->seq)
		d->seq = seq;
}

void desk_listen_no_more(struct desk *d)
{
	loop_listen_no_more(d->loop);
}

/* The records of a job come from its loop. */
static bool is_foreign(const struct desk *d, uint64_t job)
{
	return pool_loop_of(d->net->pool, job) != d->loop;
}

enum gd_err desk_watch(struct desk *d, struct watch *w, uint64_t job)
{
	enum gd_err rc = watch_begin(&d->watches, w, job);

	if (rc == GD_OK && is_foreign(d, job))
		desk_listen(d);
	return rc;
}

void desk_unwatch(struct desk *d, struct watch *w)
{
	if (w->link == NULL)
		return;
	if (is_foreign(d, w->job))
		desk_listen_no_more(d);
	watch_end(&d->watches, w);
}

/* --- deadlines --- */

static void on_sweep(evutil_socket_t fd, short what, void *ctx)
{
	struct desk *d = ctx;
	gd_nsec      now = loop_now(d->loop);
	bool         is_needed = false;

	(void)fd;
	(void)what;
	stopwatch_begin(&d->loop->watch, DOING_TIMER);
	d->is_sweeping = false;
	for (struct peer *p = d->peers; p != NULL; p = p->next) {
		if (p->state == PEER_DEAD)
			continue;
		if (now >= p->deadline)
			peer_die(p);
		else if (p->deadline != GD_NSEC_NEVER)
			is_needed = true;
		if (p->state != PEER_DEAD && streams_beat(p, now))
			is_needed = true;
	}
	if (is_needed)
		desk_need_sweep(d);
}

void desk_need_sweep(struct desk *d)
{
	const struct timeval second = { .tv_sec = 1 };

	if (d->is_sweeping)
		return;
	CHECK(evtimer_add(d->sweep, &second) == 0); /* memory for it is there from the start */
	d->is_sweeping = true;
}

/* --- life --- */

static enum gd_err open_desk(struct desk *d, struct net *n, struct loop *l, struct gd_error *why)
{
	d->net = n;
	d->loop = l;
	d->seq = store_seq(n->pool->store);
	if ((d->sweep = evtimer_new(l->base, on_sweep, d)) == NULL)
		return gd_fail(why, GD_NOMEM, "net: no memory for a timer");
	l->hooks = (struct loop_hooks){ .on_group = on_group,
		                        .on_commit_end = on_commit_end,
		                        .on_durability_unknown = on_durability_unknown,
		                        .on_turn_end = on_turn_end,
		                        .ctx = d };
	return GD_OK;
}

enum gd_err net_open(const struct config *config, struct auth *auth, struct pool *pool,
                     struct effects *effects, struct net **out, struct gd_error *why)
{
	struct net *n = calloc(1, sizeof *n);
	enum gd_err rc;

	if (n == NULL)
		return gd_fail(why, GD_NOMEM, "net: %zu bytes", sizeof *n);
	n->config = config;
	n->auth = auth;
	n->pool = pool;
	n->effects = effects;
	n->blocking = effects_blocking(effects);
	n->http = effects_http(effects);
	for (uint32_t i = 0; i < pool->count; i++)
		if ((rc = open_desk(&n->at[i], n, pool_loop(pool, i), why)) != GD_OK) {
			net_close(n);
			return rc;
		}
	*out = n;
	return GD_OK;
}

static void close_desk(struct desk *d)
{
	if (d->net == NULL)
		return;
	for (struct peer *p = d->peers; p != NULL; p = p->next) {
		peer_write(p);
		peer_die(p);
	}
	on_turn_end(d);
	watches_close(&d->watches);
	buf_close(&d->spare_in);
	buf_close(&d->trash);
	buf_close(&d->spec_text);
	if (d->sweep != NULL)
		event_free(d->sweep);
}

void net_close(struct net *n)
{
	n->is_closing = true;
	for (uint32_t i = 0; i < n->pool->count; i++)
		close_desk(&n->at[i]);
	free(n);
}

void net_drain(struct net *n)
{
	atomic_store(&n->pool->is_draining, true);
}
