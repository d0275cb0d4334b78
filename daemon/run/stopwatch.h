/*
 * stopwatch.h - how long a loop stays with one thing, and how long it is away from its sockets.
 *
 * All connections of a loop wait while one callback runs, or one step of the engine. So each is a lap
 * of a stopwatch, and those of a turn together are the loop's time away: from the first callback
 * until it waits for events again. The longest of both is kept for server.info and the tests.
 *
 * A lap counts what the loop used of a processor: on a busy machine the clock on the wall would
 * mostly tell of others. The kernel's clock for that is slow, so it is read only where the wall says
 * that a lap may be the longest, and once for each millisecond of work; a lap may be told up to two
 * milliseconds too long for it. A turn is by the wall: that is what somebody waits.
 *
 * Cost: a reading of the monotonic clock, some 25 ns, for each lap. Threads: the loop's own, but for
 * the two functions that say so.
 */
#ifndef GATHERD_RUN_STOPWATCH_H
#define GATHERD_RUN_STOPWATCH_H

#include "proto/base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum doing {
	DOING_NOTHING, /* waits for events */
	DOING_SOCKET,  /* reads from a connection and acts on it, or accepts one */
	DOING_MESSAGE, /* takes what a thread or another loop has sent */
	DOING_TIMER,   /* a deadline of a request or a connection */
	DOING_RUNNER,  /* talks to gatherd-runner */
	DOING_HTTP,    /* makes requests of jobs */
	DOING_ENGINE,  /* runs jobs */
	DOING_REPLAY,  /* builds the jobs of an earlier life again */
	DOING_REPLIES, /* writes to a connection, and goes on with what it had sent */
};

/* All zero is one that has measured nothing. */
struct stopwatch {
	enum doing       doing;
	gd_nsec          began;     /* of the turn; CLOCK_MONOTONIC, as the next */
	gd_nsec          lap;       /* when the present lap began */
	gd_nsec          laps;      /* the time of laps since processor was read */
	gd_nsec          processor; /* CLOCK_THREAD_CPUTIME_ID */
	gd_nsec          longest;   /* of the laps */
	_Atomic uint64_t shown_lap; /* nanoseconds << 4 | enum doing */
	_Atomic gd_nsec  shown_turn;
};

struct stopwatch_lap {
	gd_nsec    took;
	enum doing what; /* DOING_NOTHING: none yet */
};

/* From here on the loop does `what`; what it did before in this turn ends. */
void    stopwatch_begin(struct stopwatch *w, enum doing what);
/* How long the present lap takes already; by the wall. */
gd_nsec stopwatch_lap_so_far(const struct stopwatch *w);
/* The turn is over. */
void    stopwatch_end(struct stopwatch *w);

/* Any thread. */
struct stopwatch_lap stopwatch_longest_lap(const struct stopwatch *w);
gd_nsec              stopwatch_longest_turn(const struct stopwatch *w);
const char          *doing_name(enum doing what); /* static */

#endif
