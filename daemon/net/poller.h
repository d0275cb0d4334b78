/*
 * poller.h - events.read: a page of events, and a wait for the first of them (a long poll).
 *
 * A poller that found nothing looks again after each commit with events, until its time is up.
 * Ownership: a poller belongs to its request. Threads: its loop's.
 */
#ifndef GATHERD_NET_POLLER_H
#define GATHERD_NET_POLLER_H

#include "daemon/net/request.h"
#include "daemon/net/stream.h"

void poller_start(struct request *r, const struct event_filter *filter, uint64_t after,
                  uint32_t limit, gd_nsec wait);
/* A commit with events has ended. */
void pollers_look(struct desk *d);

#endif
