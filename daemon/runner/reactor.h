/*
 * reactor.h - who is called when a descriptor is ready: epoll, one thread.
 *
 * A reactor_fd lives inside its owner. It may be dropped at any time, also from the call of another
 * one: what epoll had told about it already is forgotten with it.
 */
#ifndef GATHERD_RUNNER_REACTOR_H
#define GATHERD_RUNNER_REACTOR_H

#include "proto/base/clock.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>

#define REACTOR_BATCH 64

struct reactor_fd {
	int      fd;     /* owned while added; -1: none */
	uint32_t events; /* EPOLLIN, ... */
	void (*ready)(struct reactor_fd *f, uint32_t events);
	void *ctx; /* borrowed */
};

struct reactor {
	int                epoll_fd; /* owned */
	int                next;     /* of `batch`, while its calls are made */
	int                count;
	struct epoll_event batch[REACTOR_BATCH];
};

GD_NODISCARD enum gd_err reactor_open(struct reactor *r, struct gd_error *why);
void                     reactor_close(struct reactor *r);

/* `f->fd`, `ready` and `ctx` are set. Errors: 0 or errno; the descriptor stays the caller's then. */
GD_NODISCARD int reactor_add(struct reactor *r, struct reactor_fd *f, uint32_t events);
/* `events` 0: not called for now. */
void             reactor_want(struct reactor *r, struct reactor_fd *f, uint32_t events);
/* Closes the descriptor. Nothing happens when there is none. */
void             reactor_drop(struct reactor *r, struct reactor_fd *f);
/* Waits at most so many ms (-1: for ever) and calls who is ready. */
void             reactor_turn(struct reactor *r, int timeout_ms);

/* Clocks, read here so that the rest of the runner names what it means. */
static inline gd_nsec clock_read(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (gd_nsec)t.tv_sec * GD_NSEC_PER_SEC + t.tv_nsec;
}

#endif
