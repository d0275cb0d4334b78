#include "daemon/engine/wall.h"

#include "proto/base/check.h"

#include <stdlib.h>

#define WALL_FIRST_ROOM 8

void wall_close(struct wall *w)
{
	free(w->at);
	*w = (struct wall){ 0 };
}

bool wall_reserve(struct wall *w)
{
	uint32_t             room = w->room == 0 ? WALL_FIRST_ROOM : w->room * 2;
	struct gd_wall_step *at;

	if (w->count < w->room)
		return true;
	if ((at = realloc(w->at, room * sizeof *at)) == NULL)
		return false;
	w->at = at;
	w->room = room;
	return true;
}

void wall_add(struct wall *w, struct gd_wall_step step)
{
	CHECK(w->count < w->room);
	CHECK(w->count == 0 || step.at > w->last.at);
	w->at[w->count++] = step;
	w->last = step;
}

/* The index of the step that counts at `time`. */
static uint32_t step_at(const struct wall *w, gd_nsec time)
{
	uint32_t low = 0, high = w->count;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (w->at[middle].at <= time)
			low = middle;
		else
			high = middle;
	}
	return low;
}

gd_nsec wall_ahead_before_last(const struct wall *w, gd_nsec time)
{
	return w->at[step_at(w, time)].ahead;
}

gd_nsec wall_of(const struct wall *w, gd_nsec time)
{
	gd_nsec shown;

	if (time == GD_NSEC_NEVER || __builtin_add_overflow(time, wall_ahead(w, time), &shown))
		return time;
	return shown;
}

static gd_nsec due_of(gd_nsec until, gd_nsec ahead, gd_nsec from)
{
	gd_nsec due;

	if (until == GD_NSEC_NEVER)
		return GD_NSEC_NEVER;
	if (__builtin_sub_overflow(until, ahead, &due))
		due = ahead < 0 ? GD_NSEC_NEVER : from;
	return due > from ? due : from;
}

gd_nsec wall_due(const struct wall *w, gd_nsec from, gd_nsec until)
{
	gd_nsec due;

	if (w->count < 2 || from >= w->last.at)
		return due_of(until, w->last.ahead, from);
	for (uint32_t i = step_at(w, from); i + 1 < w->count; i++) {
		due = due_of(until, w->at[i].ahead, from);
		if (due < w->at[i + 1].at)
			return due;
		from = w->at[i + 1].at;
	}
	return due_of(until, w->last.ahead, from);
}
