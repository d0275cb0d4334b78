/*
 * follow.h - events, each exactly once, however often the connection is lost.
 *
 * The cursor is the seq of the last event that was handed out. After a loss the subscription is
 * made again behind it, so nothing is missing and nothing comes twice.
 *
 * Ownership: the session is borrowed and carries no other calls meanwhile, except through
 * follow_send(). Threads: one.
 */
#ifndef GATHERD_CLIENT_FOLLOW_H
#define GATHERD_CLIENT_FOLLOW_H

#include "client/session.h"

enum follow_got {
	FOLLOW_EVENT,
	FOLLOW_RECONNECTED, /* what was sent and not answered may be lost: send it again */
	FOLLOW_LATE,
	FOLLOW_INTERRUPTED,
	FOLLOW_FAILED
};

struct follow {
	struct session *session;
	json_t         *filter; /* members for events.subscribe: job, kinds, label; owned */
	json_int_t      cursor;
	gd_nsec         give_up; /* of the present loss; 0: none */
	enum gd_err     rc;      /* after FOLLOW_FAILED */
};

/* Subscribes to what comes behind `after`. `filter` is taken in any case. Errors: as
 * session_call(). */
GD_NODISCARD enum gd_err follow_open(struct follow *f, struct session *s, json_t *filter,
                                     json_int_t after, struct gd_error *why);
void                     follow_close(struct follow *f);
/* The next event, new reference, at the latest at `deadline`. `why` is filled for FOLLOW_FAILED. */
enum follow_got          follow_next(struct follow *f, gd_nsec deadline, json_t **event,
                                     struct gd_error *why);
/* Sends a request whose reply is not waited for. A loss shows at the next follow_next(). */
void                     follow_send(struct follow *f, const char *method, json_t *params);

#endif
