/*
 * conn.h - one connection to a daemon: lines of JSON out, lines of JSON in.
 *
 * Blocking, around poll(). While it waits, SIGINT may arrive if interrupt.h caught it; nowhere
 * else, so that no signal is lost between a look at the counter and the wait.
 *
 * Ownership: messages are new references. Threads: one. Bound: CONN_LINE_MAX bytes a line.
 */
#ifndef GATHERD_CLIENT_CONN_H
#define GATHERD_CLIENT_CONN_H

#include "client/address.h"
#include "proto/base/clock.h"

#include <jansson.h>

#define CONN_LINE_MAX (16u << 20)
#define CONN_CONNECT_SECONDS 10

enum conn_got {
	CONN_MESSAGE,
	CONN_LOST,       /* ended, or not our protocol: only good for conn_close() */
	CONN_LATE,       /* the deadline passed */
	CONN_INTERRUPTED /* a signal came */
};

struct conn;

/* Errors: GD_SYS with errno (nobody there, no permission), GD_NOMEM. */
GD_NODISCARD enum gd_err conn_open(const struct address *a, struct conn **out,
                                   struct gd_error *why);
void                     conn_close(struct conn *c); /* NULL is allowed */
/* Sends a request; `params` is borrowed, `*id` is what the reply will carry. Errors: GD_SYS (lost),
 * GD_NOMEM. */
GD_NODISCARD enum gd_err conn_send(struct conn *c, const char *method, json_t *params,
                                   json_int_t *id, struct gd_error *why);
/* The next message, at the latest at `deadline` (conn_now(); GD_NSEC_NEVER: none). `*message` is
 * set for CONN_MESSAGE only. */
enum conn_got            conn_receive(struct conn *c, gd_nsec deadline, json_t **message);
/* The reply to `id`; notifications and other replies before it are dropped. After CONN_INTERRUPTED
 * it may be asked for again. */
enum conn_got conn_receive_reply(struct conn *c, json_int_t id, gd_nsec deadline, json_t **reply);

/* The monotonic clock, and a pause on it: CONN_LATE, or CONN_INTERRUPTED. */
gd_nsec       conn_now(void);
enum conn_got conn_pause(gd_nsec until);
/* `seconds` from now. */
gd_nsec       conn_deadline(double seconds);

#endif
