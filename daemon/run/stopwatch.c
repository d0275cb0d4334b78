#include "daemon/run/stopwatch.h"

#include "proto/base/check.h"

#include <time.h>

#define WORK_BETWEEN_READINGS (GD_NSEC_PER_SEC / 1000)
#define DOING_BITS 4

static gd_nsec read_clock(clockid_t clock)
{
	struct timespec t;

	CHECK(clock_gettime(clock, &t) == 0);
	return (gd_nsec)t.tv_sec * GD_NSEC_PER_SEC + t.tv_nsec;
}

/* Others may have had the processor meanwhile. */
static void look_closer(struct stopwatch *w, gd_nsec took)
{
	gd_nsec processor = read_clock(CLOCK_THREAD_CPUTIME_ID);
	gd_nsec used = processor - w->processor;

	w->processor = processor;
	w->laps = 0;
	if (used < took)
		took = used;
	if (took <= w->longest)
		return;
	w->longest = took;
	atomic_store_explicit(&w->shown_lap, (uint64_t)took << DOING_BITS | (uint64_t)w->doing,
	                      memory_order_relaxed);
}

static void end_lap(struct stopwatch *w, gd_nsec now)
{
	gd_nsec took = now - w->lap;

	w->laps += took;
	if (took > w->longest || w->laps > WORK_BETWEEN_READINGS)
		look_closer(w, took);
}

void stopwatch_begin(struct stopwatch *w, enum doing what)
{
	gd_nsec now = read_clock(CLOCK_MONOTONIC);

	if (w->doing == DOING_NOTHING)
		w->began = now;
	else
		end_lap(w, now);
	w->doing = what;
	w->lap = now;
}

gd_nsec stopwatch_lap_so_far(const struct stopwatch *w)
{
	return read_clock(CLOCK_MONOTONIC) - w->lap;
}

void stopwatch_end(struct stopwatch *w)
{
	gd_nsec now;

	if (w->doing == DOING_NOTHING)
		return;
	now = read_clock(CLOCK_MONOTONIC);
	end_lap(w, now);
	w->doing = DOING_NOTHING;
	if (now - w->began > atomic_load_explicit(&w->shown_turn, memory_order_relaxed))
		atomic_store_explicit(&w->shown_turn, now - w->began, memory_order_relaxed);
}

struct stopwatch_lap stopwatch_longest_lap(const struct stopwatch *w)
{
	uint64_t shown = atomic_load_explicit(&w->shown_lap, memory_order_relaxed);

	return (struct stopwatch_lap){ .took = (gd_nsec)(shown >> DOING_BITS),
		                       .what = (enum doing)(shown & ((1u << DOING_BITS) - 1)) };
}

gd_nsec stopwatch_longest_turn(const struct stopwatch *w)
{
	return atomic_load_explicit(&w->shown_turn, memory_order_relaxed);
}

const char *doing_name(enum doing what)
{
	switch (what) {
	case DOING_NOTHING:
		return "nothing";
	case DOING_SOCKET:
		return "socket";
	case DOING_MESSAGE:
		return "message";
	case DOING_TIMER:
		return "timer";
	case DOING_RUNNER:
		return "runner";
	case DOING_HTTP:
		return "http";
	case DOING_ENGINE:
		return "engine";
	case DOING_REPLAY:
		return "replay";
	case DOING_REPLIES:
		return "replies";
	}
	CHECK_NEVER("doing_name: unknown");
}
