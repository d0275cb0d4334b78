/*
 * request.h - one call on its way to its answer.
 *
 * Every request that is not a notification is answered exactly once, with reply_begin() and
 * reply_end(), or with one of the errors. Answering frees it. A reply may come long after the peer
 * has gone; then it is written nowhere, so that methods need not care.
 *
 * A method that waits sets `let_go`, which is called when nobody waits for the answer any more:
 * the peer has gone, or it cancelled the call. It must forget the request, which is freed then.
 *
 * Ownership: a request belongs to whoever will answer it. Threads: its loop's.
 */
#ifndef GATHERD_NET_REQUEST_H
#define GATHERD_NET_REQUEST_H

#include "daemon/net/peer.h"
#include "proto/rpc.h"

struct batch;

struct request {
	struct desk    *desk;
	struct peer    *peer; /* NULL: it has gone */
	struct request *next; /* of the peer's */
	struct request *previous;
	struct batch   *batch; /* NULL: a message of its own */
	void (*let_go)(struct request *r, bool is_cancelled);
	void *work; /* the method's */
	bool  is_notification;
	char  id[RPC_ID_BYTES_MAX + 1];
};

/* One message of a peer, complete: parses, checks, calls the methods. */
void request_take(struct peer *p, const char *text, size_t bytes);
/* A complaint that belongs to no request: a null id. */
void request_complain(struct peer *p, enum gd_err code, const char *message, const char *data);

/* The buffer to write the result's JSON value to. */
struct buf *reply_begin(struct request *r);
void        reply_end(struct request *r); /* frees it */
/* `data` as for rpc_write_error(); frees the request. */
void        reply_error(struct request *r, enum gd_err code, const char *message, const char *data);
void        reply_why(struct request *r, const struct gd_error *why);
void        reply_bad_params(struct request *r, const struct rpc_params *p);
void        reply_not_found(struct request *r, uint64_t job);
void        reply_empty(struct request *r); /* {} */

/* How long a line may be that this request's peer gets. */
size_t                  request_line_max(const struct request *r);
/* Who asks. The principal of a peer that has gone may nothing. */
const struct principal *request_who(const struct request *r);
/* Whether who asks may see (or, with AUTH_CANCEL_*, touch) a job of `owner`. */
bool                    request_may(const struct request *r, struct text owner, enum auth_scope own,
                                    enum auth_scope any);

/* For a peer that goes: every request is let go. */
void requests_let_go(struct peer *p);
/* $/cancelRequest: the call with this id (JSON text) is let go and answered. */
void request_cancel(struct peer *p, const char *id);
/* The commit that somebody waits for may or may not have landed: answers all of them. */
void requests_durability_unknown(struct peer *p);

#endif
