/*
 * serve.h - the socket: one daemon at a time, and whoever wants to become it.
 *
 * A peer must have our uid, or be root. Bounds: SERVE_PEERS connections; a peer whose answers are
 * not read is not read from; OUTPUT is held back before that.
 */
#ifndef GATHERD_RUNNER_SERVE_H
#define GATHERD_RUNNER_SERVE_H

#include "daemon/runner/reactor.h"
#include "daemon/runner/wire.h"

#define SERVE_PEERS 4
#define SERVE_OUTPUT_BYTES (256u << 10) /* unsent, at which OUTPUT waits */
#define SERVE_UNREAD_BYTES (4u << 20)   /* unsent, at which we do not read */

struct command;
struct runner;

struct serve_peer {
	struct serve     *serve;
	struct reactor_fd fd;
	struct buf        in, out;
	size_t            sent; /* of `out` */
};

struct serve {
	struct runner     *runner;
	struct reactor_fd  listener;
	char               path[108]; /* "": not ours to remove */
	struct serve_peer  peer[SERVE_PEERS];
	struct serve_peer *daemon; /* who said HELLO last; NULL: nobody */
};

/* Binds `path` in place of what is there: the lock says that it is nobody's. */
GD_NODISCARD enum gd_err serve_open(struct serve *s, struct runner *r, const char *path,
                                    struct gd_error *why);
void                     serve_close(struct serve *s);

/* To the daemon, if there is one. */
void serve_state(struct serve *s, const struct run_state *state);
/* False: not now. */
bool serve_output(struct serve *s, struct command *c);
/* Sends what there is, at the end of a turn. */
void serve_flush(struct serve *s);

#endif
