/*
 * http.h - the HTTP client of one loop: libcurl on the loop's event base, without a thread of ours.
 *
 *	http_start()            slot                     socket
 *	-----------> WAITING ----------> OPENING ------------------> MOVING --+--> done(), once
 *	                                    ^                          |      |
 *	                                    `--- redirect, or retry ---'      |
 *	             timeout, or http_abort(), in any of them ---> ENDING ----'
 *
 * HTTP/1.1, and HTTP/2 where a TLS server offers it. Certificates are always verified. Redirects are
 * followed here, each one checked by the policy; credentials (Authorization, Cookie) do not go to
 * another origin. No proxy, netrc, cookies, or anything else of the environment. Responses may be
 * compressed by gzip or deflate, once; the limits are for what comes out.
 *
 * A request that may change something (all but GET, HEAD, OPTIONS) is sent once: where the
 * connection ends before an answer comes, nobody knows whether it was taken, and it fails. libcurl
 * repeats the others on a new connection.
 *
 * The loop is never held up. A turn takes some HTTP_TURN_USEC, however many sockets are ready,
 * timers due, or transfers aborted; the rest comes in the next turns. Names are resolved on threads
 * of libcurl; one that hangs is left alone, and holds up only what goes to the same host.
 *
 * Ownership: the client owns its transfers; a transfer is gone when its done() was called or it was
 * aborted. Threads: that of the loop, but for http_client_counts(). Cost: 40 us of CPU for a request on
 * a connection that is there, some 0.2 ms with one of thousands; 20 KB while it is under way, without
 * TLS, and about 1 KB more than its texts while it waits.
 */
#ifndef GATHERD_HTTP_HTTP_H
#define GATHERD_HTTP_HTTP_H

#include "daemon/http/http_policy.h"
#include "daemon/http/http_text.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define HTTP_TURN_USEC 2000
#define HTTP_OPENING_MAX 32u                /* resolving, or about to connect, at one time */
#define HTTP_WAITING_BYTES_MAX (256u << 20) /* of requests that wait for a slot */
#define HTTP_HEADERS_MAX 200u               /* of one response, redirects on the way not counted */
#define HTTP_HEADERS_BYTES_MAX (64u * 1024)

struct event_base;
struct http_client;
struct http_transfer;

struct http_limits {
	uint32_t transfers;       /* at one time */
	uint32_t redirects;       /* of one request */
	gd_nsec  connect_timeout; /* of each hop: name, connection and TLS */
	gd_nsec  timeout;         /* of the whole, from its slot on */
	uint32_t response_bytes;  /* of the body, decompressed */
};

struct http_request {
	struct http_text         method; /* empty: GET */
	struct http_text         url;
	const struct http_field *query; /* put behind the URL's own, percent-encoded */
	const struct http_field *headers;
	uint32_t                 query_count;
	uint32_t                 header_count;
	struct http_text         body;
	bool                     has_body;
	struct http_text content_type;    /* of the body, unless a header says it; may be empty */
	struct http_text idempotency_key; /* the same */
	gd_nsec          timeout;         /* 0, or above: that of the limits */
};

/* How it ended: either `status` and what belongs to it, or a failure. Valid during done(). */
struct http_answer {
	uint32_t                 status;  /* 0: it failed */
	const char              *url;     /* the last one, after redirects */
	const struct http_field *headers; /* names as they came: HTTP/2 has them in lower case */
	uint32_t                 header_count;
	struct http_text         body;
	/* Of a failure: */
	const char *type; /* "TimeoutError", "LimitError", "HttpError", "PermissionError"; static */
	const char *stage; /* "policy", "resolve", "connect", "tls", "send", "receive", "redirect",
	                    * "response"; static */
	const char *message;
};

/* From the loop, never from inside http_start(). It may start and abort others. */
typedef void http_done_fn(void *ctx, const struct http_answer *answer);

/* `base` and `policy` are borrowed. Errors: GD_NOMEM, GD_SYS. */
GD_NODISCARD enum gd_err http_client_open(struct event_base *base, const struct http_policy *policy,
                                          const struct http_limits *limits,
                                          struct http_client **out, struct gd_error *why);
/* `fn` is called as each callback of the client begins, for who keeps the time of the loop. */
void                     http_client_watch(struct http_client *c, void (*fn)(void *ctx), void *ctx);
/* Aborts what is under way. NULL: nothing. */
void                     http_client_close(struct http_client *c);

/* What http_start() says of all but the URL and the query. Any thread.
 * Errors: GD_INVALID_PARAMS, GD_LIMIT. */
GD_NODISCARD enum gd_err http_request_check(const struct http_request *r, struct gd_error *why);
/* Copies all of `r`. Errors: GD_INVALID_PARAMS (no URL, method or header), GD_FORBIDDEN (the policy),
 * GD_LIMIT (a part is too large, or too many wait), GD_NOMEM; done() is then never called.
 * http_error_type() names them for a job. */
GD_NODISCARD enum gd_err http_start(struct http_client *c, const struct http_request *r,
                                    http_done_fn *done, void *ctx, struct http_transfer **out,
                                    struct gd_error *why);
/* Its done() is not called any more. O(1): the connection is closed soon. */
void                     http_abort(struct http_transfer *t);

/* "ValueError", "PermissionError", "LimitError", or "HttpError"; static. */
const char *http_error_type(enum gd_err rc);
/* Sending it once more changes nothing: GET, HEAD, OPTIONS, and nothing. */
bool        http_is_safe(struct http_text method);

/* Any thread. */
void http_client_counts(const struct http_client *c, uint32_t *running, uint32_t *waiting);

#endif
