/*
 * peer.h - one connection: bytes in, requests; replies and events, bytes out.
 *
 *	STRANGER --token--> KNOWN --limit, revoked--> CLOSING --written--> LINGERING --> DEAD
 *	    `--deadline, not JSON, gone--> DEAD <--gone, reset--'
 *
 * A peer on the Unix socket is known from the start. Output is collected during a turn and written
 * once at its end; a peer that does not read is not read either. A peer that we close lingers: what
 * it still sends is thrown away for a moment, since a reset would overtake our last words (RFC 9112
 * section 9.6 tells of the same). A dead peer is freed at the end
 * of the turn; requests that are on their way somewhere are told that it has gone.
 *
 * Ownership: a desk owns its peers; a peer owns its requests and streams until it has gone.
 * Threads: its loop's.
 */
#ifndef GATHERD_NET_PEER_H
#define GATHERD_NET_PEER_H

#include "daemon/net/net.h"
#include "proto/frame.h"

struct request;

enum peer_state {
	PEER_STRANGER, /* over TCP, has not shown a token */
	PEER_KNOWN,
	PEER_CLOSING,   /* nothing more is read until its output is written */
	PEER_LINGERING, /* it has been told that no more comes */
	PEER_DEAD
};

struct peer {
	struct desk         *desk;
	struct peer         *next;
	struct peer         *previous;
	struct peer         *next_dirty;
	int                  fd;
	enum peer_state      state;
	struct event        *readable;
	struct event        *writable;
	struct frame_scanner scanner;
	struct buf           in;      /* bytes of the message under way, and what follows it */
	size_t               scanned; /* of them */
	struct buf           out;
	size_t               sent;     /* of out */
	size_t               line_max; /* of a line sent to it */
	struct principal     who;
	struct request      *requests; /* in flight */
	uint32_t             request_count;
	struct stream       *streams;
	uint32_t             stream_count;
	uint64_t             next_stream; /* number of its next subscription */
	gd_nsec deadline; /* to show a token, or to complete a message; GD_NSEC_NEVER: none */
	bool    is_tcp;
	bool    is_dirty;
	bool    is_reading;
	bool    has_spoken;   /* one message was good */
	bool    is_under_way; /* the last bytes scanned belong to a message */
	bool    has_rest;     /* what it sent is more than this turn takes */
	bool    has_eof;      /* it will send no more; it may still read */
};

/* Takes the descriptor, also on error; net->connections has counted it already. `who` is NULL for
 * a stranger. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err peer_open(struct desk *d, int fd, const struct principal *who,
                                   struct gd_error *why);
void                     peer_mark_dirty(struct peer *p);
void                     peer_close_when_written(struct peer *p);
void                     peer_die(struct peer *p); /* freed at the end of the turn */
void                     peer_free(struct peer *p);
/* At the end of a turn: write, read on, free. False: freed. */
bool                     peer_settle(struct peer *p);
void                     peer_write(struct peer *p); /* what the socket takes now */
static inline size_t     peer_unread(const struct peer *p)
{
	return p->out.bytes - p->sent;
}
static inline bool peer_is_open(const struct peer *p)
{
	return p->state < PEER_CLOSING;
}
void peer_become(struct peer *p, const struct principal *who); /* it has shown a good token */

#endif
