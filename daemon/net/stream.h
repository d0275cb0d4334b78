/*
 * stream.h - events to whoever asked for them, each once, in order, however slowly they are read.
 *
 *	           caught up
 *	PAGED ---------------> LIVE
 *	  ^  `--<-- lagging --<--'
 *
 * LIVE takes events from the commits as they pass. PAGED reads them from the store after the
 * cursor, a page whenever the peer's output has drained. A stream falls back to PAGED when its peer
 * leaves more than NET_STREAM_LAG_BYTES unread, so that memory stays flat. The cursor is the seq of
 * the last event that was looked at; nothing at or below it is sent again.
 *
 * A filter that only the store can answer (label, owner) keeps a stream PAGED; each commit with
 * events makes it look again.
 *
 * Ownership: a peer owns its streams. Threads: its loop's.
 */
#ifndef GATHERD_NET_STREAM_H
#define GATHERD_NET_STREAM_H

#include "daemon/net/peer.h"

#include <jansson.h>

#define STREAM_NAME_BYTES 160u /* of a subscription's name as JSON text */

/* Which events somebody wants. Texts are copied by those who keep them. */
struct event_filter {
	uint64_t    job;   /* 0: of all */
	uint64_t    kinds; /* bits 1 << enum event_kind; 0: all */
	const char *label; /* NULL: any */
	const char *owner; /* NULL: anybody's */
};

/* Who waits for a stream; each may be NULL. */
struct stream_user {
	/* The answer of the first page, before any event is sent. False, and any outcome but GD_OK,
	 * ends the stream. */
	bool (*on_first)(struct stream *s, const struct store_read *r);
	void (*on_advance)(struct stream *s); /* the cursor has moved; it may end the stream */
	void (*on_end)(struct stream *s);     /* whoever ends it */
	void *ctx;
};

/* `name` is JSON text. `after` is where it begins when `is_from_cursor`; otherwise it begins live,
 * with what commits after this. NULL: no memory. */
struct stream *stream_open(struct peer *p, const char *name, const struct event_filter *filter,
                           bool is_from_cursor, uint64_t after, const struct stream_user *user);
void           stream_end(struct stream *s);
void           stream_set_heartbeat(struct stream *s, gd_nsec every); /* 0: none */
uint64_t       stream_cursor(const struct stream *s);
const char    *stream_name(const struct stream *s);
void          *stream_ctx(const struct stream *s);
/* The one of that name whose user has this `on_end`; NULL: there is none. */
struct stream *stream_find(struct peer *p, const char *name, void (*on_end)(struct stream *s));

/* One event that became durable just now. */
void stream_offer(struct stream *s, const struct event *e);

void streams_end(struct peer *p);     /* the peer goes */
void streams_read_on(struct peer *p); /* its output has drained */
/* For the hooks of a desk. */
void streams_tell(struct desk *d, const struct record *r);
void streams_commit_ended(struct desk *d); /* one that had events */
/* Heartbeats that are due; true when any stream here has one. */
bool streams_beat(struct peer *p, gd_nsec now);

/* The page of events that a filter asks for, for loop_read_start(). NULL: no memory. */
struct loop_read *events_read_new(const struct event_filter *f, uint64_t after, uint32_t limit);

#endif
