/*
 * listener.h - accept, connection limit, and the socket's file.
 *
 * Listeners live on loop 0 and hand each connection to the next loop in turn. When descriptors run
 * out they rest for 100 ms instead of spinning.
 *
 * The Unix socket's file is made with its mode from the first moment, replaces one that nobody
 * answers, and is removed at the end if it is still ours.
 *
 * Ownership: struct listeners owns sockets and file. Threads: loop 0's.
 */
#ifndef GATHERD_NET_LISTENER_H
#define GATHERD_NET_LISTENER_H

#include "daemon/net/net.h"

struct listeners;

/* Errors: GD_SYS, GD_CONFLICT (somebody answers at the socket), GD_NOMEM. */
GD_NODISCARD enum gd_err listeners_open(struct net *n, struct listeners **out,
                                        struct gd_error *why);
void                     listeners_stop(struct listeners *s); /* no more connections */
void                     listeners_close(struct listeners *s);

#endif
