/*
 * http_inside.h - a transfer and its client. Private to daemon/http/.
 *
 * http_client.c moves transfers on and knows sockets and timers, http_queue.c who is next,
 * http_transfer.c is one transfer: what libcurl is told and what it tells, http_failure.c gives
 * failures their names.
 *
 * No function of http.h is called, and libcurl is not entered, from within a callback of libcurl:
 * callbacks write down what they saw.
 */
#ifndef GATHERD_HTTP_INSIDE_H
#define GATHERD_HTTP_INSIDE_H

#include "daemon/http/http.h"
#include "daemon/http/http_queue.h"
#include "daemon/http/http_request.h"
#include "daemon/http/http_url.h"
#include "proto/base/buf.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdatomic.h>

enum transfer_state {
	TRANSFER_WAITING, /* for a slot */
	TRANSFER_OPENING, /* libcurl has it; it has no socket yet */
	TRANSFER_MOVING,
	TRANSFER_ENDING, /* timed out, or aborted; libcurl may have it */
	TRANSFER_STATES
};

/* What only one that has a slot needs: there may be very many that wait. */
struct transfer_run {
	CURL              *easy;  /* owned */
	struct curl_slist *lines; /* owned */
	struct event       timer;
	gd_nsec            deadline; /* monotonic, as the next */
	gd_nsec            connect_by;
	struct buf         body;
	uint32_t           header_bytes; /* of this hop, as all below but the messages */
	uint32_t           header_count;
	uint32_t           codings;
	uint32_t           sends;
	uint32_t           sockets;
	bool               is_connected;
	bool               has_head;               /* the last line of one has come */
	struct gd_error    refused;                /* an address, by the policy */
	char               words[CURL_ERROR_SIZE]; /* libcurl's, of its last failure */
	char               message[CURL_ERROR_SIZE];
};

struct http_transfer {
	struct http_transfer *next, *before; /* in the list of its state, or of its origin */
	enum transfer_state   state;
	uint32_t              redirects;
	struct http_client   *client;
	struct http_origin   *origin; /* the queue's */
	http_done_fn         *done;   /* NULL: aborted */
	void                 *ctx;
	size_t                bytes;   /* that count while it waits */
	struct http_request   request; /* in `block`; changes by redirects */
	void                 *block;   /* owned */
	struct http_url       url;
	gd_nsec               timeout;
	struct transfer_run  *run; /* owned; NULL: it waits */
	const char *type; /* of a failure that was seen; NULL: none; as struct http_answer */
	const char *stage;
	const char *message; /* static, or in `run` */
};

struct http_client {
	struct event_base        *base; /* borrowed, as the next */
	const struct http_policy *policy;
	struct http_limits        limits;
	void (*begins)(void *ctx); /* NULL: nobody keeps the time */
	void                *watch_ctx;
	CURLM               *multi;   /* owned, as all below */
	int                  sockets; /* an epoll instance with libcurl's sockets */
	struct event        *ready;   /* `sockets` is readable */
	struct event        *timer;   /* libcurl's */
	struct event        *soon;    /* there is more to do, after others had their turn */
	struct http_queue    queue;   /* those that wait */
	struct transfer_list lists[TRANSFER_STATES]; /* the others */
	uint32_t             fresh;                  /* begun since libcurl last looked for such */
	size_t               waiting_bytes;
	_Atomic uint32_t     running, waiting; /* for others to read */
};

/* --- http_client.c --- */

void    client_move(struct http_transfer *t, enum transfer_state to);
gd_nsec client_now(void);
void    client_begins(struct http_client *c);
	/* a callback: tells who keeps the time */ /* monotonic */

/* --- http_transfer.c --- */

/* Waits; in no list yet. NULL: no memory. Takes what is in `url`. */
struct http_transfer *transfer_new(struct http_client *c, const struct http_request *r,
                                   struct http_url *url);
/* Out of its list, out of libcurl, away. */
void                  transfer_free(struct http_transfer *t);
/* Hands it to libcurl: its first hop, or the next one. False: failed; it is as failed then. */
bool                  transfer_go(struct http_transfer *t);
/* libcurl is through with it: the next hop goes, and it is true; or it is over. */
bool                  transfer_goes_on(struct http_transfer *t, CURLcode code);
/* Calls done(), unless it was aborted, and frees it. */
void                  transfer_finish(struct http_transfer *t);

/* --- http_failure.c --- */

/* The first one counts. */
void transfer_fail(struct http_transfer *t, const char *type, const char *stage, const char *fmt,
                   ...) GD_PRINTF(4, 5);
void transfer_fail_why(struct http_transfer *t, const char *stage, const struct gd_error *why);
void transfer_fail_code(struct http_transfer *t, CURLcode code);

#endif
