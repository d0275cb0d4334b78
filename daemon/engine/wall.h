/*
 * wall.h - what the clock on the wall shows, as a function of the engine's own time.
 *
 * The engine's time only goes forward, evenly. A clock on the wall is that time and how far it is
 * ahead of it; somebody sets it now and then, and from that moment on it is ahead by another
 * length. Steps are a short list, the same for every job, so that a replay sees the same wall at
 * every moment as the run that it repeats. Before the first step the wall is ahead as from it on.
 *
 * Ownership: owns the list. Cost: a moment after the last step O(1), an earlier one O(log steps).
 * Threads: none.
 */
#ifndef GATHERD_ENGINE_WALL_H
#define GATHERD_ENGINE_WALL_H

#include "proto/base/clock.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* All zero: the wall and the engine's time are one. */
struct wall {
	struct gd_wall_step *at; /* in order of time; owned */
	uint32_t             count;
	uint32_t             room;
	struct gd_wall_step  last; /* of `at`; zero when there is none */
};

void              wall_close(struct wall *w);
/* Makes room for one more step; the only call that allocates. On false `w` is unchanged. */
GD_NODISCARD bool wall_reserve(struct wall *w);
/* `step` is later than all before it. Needs room reserved. */
void              wall_add(struct wall *w, struct gd_wall_step step);
gd_nsec           wall_ahead_before_last(const struct wall *w, gd_nsec time);

static inline gd_nsec wall_ahead(const struct wall *w, gd_nsec time)
{
	return time >= w->last.at || w->count < 2 ? w->last.ahead : wall_ahead_before_last(w, time);
}
/* What the wall shows at `time`; GD_NSEC_NEVER stays that. */
gd_nsec wall_of(const struct wall *w, gd_nsec time);
/* The first moment, not before `from`, at which the wall shows `until` or more. */
gd_nsec wall_due(const struct wall *w, gd_nsec from, gd_nsec until);

#endif
