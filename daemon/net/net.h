/*
 * net.h - what the connections of this process share, and what those of one loop share.
 *
 * A connection belongs to one loop for all its life, with its requests and streams. Loops share
 * nothing but what stands in struct net, which does not change while they run.
 *
 * Ownership: net owns its desks; all else is borrowed. Threads: a desk is its loop's own.
 */
#ifndef GATHERD_NET_NET_H
#define GATHERD_NET_NET_H

#include "daemon/blocking/blocking.h"
#include "daemon/config.h"
#include "daemon/effect/effects.h"
#include "daemon/net/auth.h"
#include "daemon/net/watch.h"
#include "daemon/run/pool.h"

#define NET_SERVER "gatherd"
#define NET_PROTOCOL 1
#define NET_LINE_BYTES_DEFAULT (256u << 10)
#define NET_LINE_BYTES_MAX (16u << 20)    /* what hello.max_line may ask for */
#define NET_OUTPUT_PAUSE_BYTES (1u << 20) /* unread output above which a peer is not read */
#define NET_OUTPUT_BYTES_MAX (128u << 20) /* above it the connection ends */
#define NET_REQUESTS_MAX 256u             /* in flight on one connection */
#define NET_STREAMS_MAX 64u               /* subscriptions of one connection */
#define NET_STREAM_LAG_BYTES (512u << 10) /* unread output above which a stream is paged */
#define NET_IDS_MAX 1000u                 /* jobs that one request may name */
#define NET_PAGE_ROWS 1000u
#define NET_KEY_BYTES_MAX 128u
#define NET_TITLE_BYTES_MAX 200u
#define NET_LABELS_MAX 16u
#define NET_LABEL_BYTES_MAX 64u

struct net;
struct peer;
struct poller;
struct stream;

/* What the connections of one loop share. */
struct desk {
	struct net    *net;
	struct loop   *loop;
	struct peer   *peers; /* all of them, newest first */
	struct peer   *dirty; /* something to flush, to read on or to free at the end of the turn */
	struct peer   *later; /* the same, at the end of the next one */
	struct watches watches; /* by job */
	struct stream *streams; /* those that watch no single job */
	struct poller *pollers; /* events.read that wait */
	uint64_t       seq;     /* of the last event it has heard of, while it listens */
	struct event  *sweep;   /* once a second while somebody has a deadline */
	bool           is_sweeping;
	struct buf     spare_in;  /* for the next peer that reads; owned */
	struct buf     trash;     /* replies to those who have gone */
	struct buf     spec_text; /* for one spec at a time */
};

struct net {
	const struct config          *config;
	struct auth                  *auth;
	struct pool                  *pool;
	struct effects               *effects;
	const struct blocking_config *blocking; /* where jobs may read and write */
	const struct http_policy     *http;     /* where jobs may go */
	struct desk                   at[POOL_LOOPS_MAX];
	_Atomic uint32_t              connections;
	bool                          is_closing; /* no loop runs any more */
};

/* Hooks the desks into their loops. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err net_open(const struct config *config, struct auth *auth, struct pool *pool,
                                  struct effects *effects, struct net **out, struct gd_error *why);
/* After the loops have ended: closes every connection. */
void                     net_close(struct net *n);
/* Up to where everything has been heard of here; where nobody listens, what is durable. */
uint64_t                 desk_seq(const struct desk *d);
/* Between the two this desk hears of every commit, also of those of other loops. */
void                     desk_listen(struct desk *d);
void                     desk_listen_no_more(struct desk *d);
/* watch_begin() and watch_end(), for a job that may live on another loop. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err desk_watch(struct desk *d, struct watch *w, uint64_t job);
void                     desk_unwatch(struct desk *d, struct watch *w);
/* A second's walk over the peers with a deadline begins, unless it goes on already. */
void                     desk_need_sweep(struct desk *d);
/* New requests are refused with Unavailable from now on. Any thread. */
void                     net_drain(struct net *n);

#endif
