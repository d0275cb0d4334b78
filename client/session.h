/*
 * session.h - calls that survive a restart of the daemon.
 *
 * A call whose connection was lost is sent again over a new one, for up to --reconnect seconds; all
 * that gatherctl asks may be asked twice (a submit and a signal carry a key). Unavailable and
 * DurabilityUnknown are asked again for as long. The first connection is not waited for: where no
 * daemon listens, that is the answer.
 *
 * Threads: one.
 */
#ifndef GATHERD_CLIENT_SESSION_H
#define GATHERD_CLIENT_SESSION_H

#include "client/conn.h"

struct session;

/* Connects, and says hello where there is a token. Errors: as address_find() and conn_open();
 * GD_UNAUTHORIZED. */
GD_NODISCARD enum gd_err session_open(const struct options *o, struct session **out,
                                      struct gd_error *why);
void                     session_close(struct session *s); /* NULL is allowed */

/* No call waits beyond this moment (conn_now()); it then ends with GD_REQUEST_CANCELLED. */
void session_set_deadline(struct session *s, gd_nsec deadline);

/* So many Ctrl-C since interrupt_catch() leave calls alone, 1 if nothing is said; the next one ends
 * them with GD_REQUEST_CANCELLED. The reply to such a call is lost. */
void session_bear(struct session *s, int interrupts);

/* One request and its reply. `params` is borrowed, `*result` a new reference. Errors: what the
 * daemon answered; GD_SYS (lost, and not found again in time), GD_REQUEST_CANCELLED (the deadline,
 * or Ctrl-C), GD_NOMEM. */
GD_NODISCARD enum gd_err session_call(struct session *s, const char *method, json_t *params,
                                      json_t **result, struct gd_error *why);
/* The `error` object of the last refused call, borrowed until the next call; NULL: none. */
const json_t            *session_error(const struct session *s);
/* Whether the last call had to be sent more than once. */
bool                     session_was_resent(const struct session *s);

/* For streams. The connection is borrowed until the next call or session_reconnect(). */
struct conn             *session_conn(struct session *s);
gd_nsec                  session_give_up(const struct session *s); /* now + --reconnect */
/* Drops the connection and looks for a new one until `give_up`. Errors: as session_call(). */
GD_NODISCARD enum gd_err session_reconnect(struct session *s, gd_nsec give_up,
                                           struct gd_error *why);

#endif
