/*
 * rpc.h - JSON-RPC 2.0 envelopes to and from structs.
 *
 * Reading: rpc_parse() gives a message of one request or a batch; rpc_request_at() checks the
 * envelope of each. Parameters are read one by one with typed readers that remember the first
 * fault and its place, so that a method reads them all and looks once:
 *
 *	rpc_params_init(&p, request->params);
 *	rpc_require(&p, "id");
 *	rpc_u64(&p, "id", 1, JOB_ID_MAX, &id);
 *	rpc_seconds(&p, "timeout", DAY_SECONDS, &timeout);
 *	if (rpc_params_end(&p, why) != GD_OK)
 *		rpc_write_bad_params(b, request->id, &p);
 *
 * Writing: text straight into a buffer, no tree. A reply carries no LF: the sender puts one behind
 * each line, or commas and brackets around the replies to a batch.
 *
 * Ownership: a message owns its tree; requests and what readers hand out borrow from it.
 * Threads: none. json_object_seed(0) is called once by main, before the first message.
 * Source: https://www.jsonrpc.org/specification (2013-01-04).
 */
#ifndef GATHERD_PROTO_RPC_H
#define GATHERD_PROTO_RPC_H

#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_BATCH_MAX 100u
#define RPC_ID_BYTES_MAX 128u /* of an id as JSON text */
#define RPC_PARAMS_MAX 24u    /* names that one method may read */
#define RPC_POINTER_BYTES_MAX 128u
#define RPC_NULL_ID "null"     /* where the id is not known */
#define RPC_PARAM_AUTH "_auth" /* a token; every method may be given one */

/* --- reading a message --- */

struct rpc_message {
	json_t  *root;  /* owned */
	uint32_t count; /* requests in it */
	bool     is_batch;
};

struct rpc_request {
	char id[RPC_ID_BYTES_MAX + 1]; /* JSON text, ready to be echoed; RPC_NULL_ID when unknown */
	const char   *method;          /* borrowed from the message */
	const json_t *params;          /* borrowed; NULL when there are none */
	bool          is_notification; /* no id: nobody waits for a reply */
};

/* Errors: GD_PARSE, GD_INVALID_REQUEST (an empty batch), GD_LIMIT (more than RPC_BATCH_MAX),
 * GD_NOMEM. After one there is nothing to close. */
GD_NODISCARD enum gd_err rpc_parse(const char *text, size_t bytes, struct rpc_message *out,
                                   struct gd_error *why);
void                     rpc_message_close(struct rpc_message *m);

/* Errors: GD_INVALID_REQUEST; `out->id` is then still what to echo, and `is_notification` false. */
GD_NODISCARD enum gd_err rpc_request_at(const struct rpc_message *m, uint32_t index,
                                        struct rpc_request *out, struct gd_error *why);

/* --- reading parameters --- */

struct rpc_params {
	const json_t *object; /* borrowed; NULL: none were given, or they are no object */
	const char   *known[RPC_PARAMS_MAX]; /* names that were asked for and are there; borrowed */
	uint32_t      known_count;
	struct gd_error fault;               /* the first one; code GD_OK while there is none */
	char pointer[RPC_POINTER_BYTES_MAX]; /* its place, e.g. "/labels/2"; "" for all of params */
};

void rpc_params_init(struct rpc_params *p, const json_t *params);

/* Each reader is true when the parameter is there and good; otherwise `*out` keeps what it had,
 * which is how a default is given. A null counts as absent. Names are borrowed until the end. */

/* A missing one is a fault. */
void rpc_require(struct rpc_params *p, const char *name);
/* Valid UTF-8 of at least one and at most `bytes_max` bytes; `*out` has a NUL behind it. */
bool rpc_text(struct rpc_params *p, const char *name, size_t bytes_max, const char **out);
bool rpc_bool(struct rpc_params *p, const char *name, bool *out);
/* An integer; never a fraction, not even 1.0. */
bool rpc_u64(struct rpc_params *p, const char *name, uint64_t min, uint64_t max, uint64_t *out);
bool rpc_u32(struct rpc_params *p, const char *name, uint32_t min, uint32_t max, uint32_t *out);
/* Any number of seconds from 0 to `seconds_max`, as a length. */
bool rpc_seconds(struct rpc_params *p, const char *name, uint32_t seconds_max, gd_nsec *out);
/* A moment: seconds since the epoch, or RFC 3339 text with its offset. */
bool rpc_moment(struct rpc_params *p, const char *name, gd_nsec *out);
/* One of `choices`, which ends with NULL; `*out` is its index. */
bool rpc_choice(struct rpc_params *p, const char *name, const char *const *choices, uint32_t *out);
/* One of `choices` or a list of them; `*out` has bit i for choices[i]. */
bool rpc_choices(struct rpc_params *p, const char *name, const char *const *choices, uint32_t *out);
/* A list of 1 to `count_max` integers. `out` has room for `count_max`. */
bool rpc_u64_list(struct rpc_params *p, const char *name, uint64_t min, uint64_t max,
                  uint32_t count_max, uint64_t *out, uint32_t *count);
/* A text or a list of at most `count_max` texts. `out` has room for `count_max`. */
bool rpc_text_list(struct rpc_params *p, const char *name, size_t bytes_max, uint32_t count_max,
                   const char **out, uint32_t *count);
/* A value as it is; `type` is what it must be. rpc_any takes every type but null. */
bool rpc_object(struct rpc_params *p, const char *name, const json_t **out);
bool rpc_list(struct rpc_params *p, const char *name, uint32_t count_max, const json_t **out);
bool rpc_any(struct rpc_params *p, const char *name, const json_t **out);
/* A fault that the method found itself, at `pointer` ("/specs/3"). The first fault counts. */
void rpc_fault(struct rpc_params *p, const char *pointer, const char *fmt, ...) GD_PRINTF(3, 4);

/* Faults a member that nobody asked for, and reports the first fault: GD_INVALID_PARAMS. */
GD_NODISCARD enum gd_err rpc_params_end(struct rpc_params *p, struct gd_error *why);

/* --- writing --- */

/* {"jsonrpc":"2.0","id":ID,"result": and then }. One JSON value goes between. */
void rpc_begin_result(struct buf *b, const char *id);
/* {"jsonrpc":"2.0","method":METHOD,"params": */
void rpc_begin_notification(struct buf *b, const char *method);
void rpc_end(struct buf *b);

/* A whole error reply. `data` is JSON text of further members of error.data without braces, such as
 * "\"limit\":\"connections\",\"max\":5", or NULL. Errors that have no name on the wire are sent as
 * Internal. */
void rpc_write_error(struct buf *b, const char *id, enum gd_err code, const char *message,
                     const char *data);
void rpc_write_bad_params(struct buf *b, const char *id, const struct rpc_params *p);

#endif
