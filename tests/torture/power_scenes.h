/*
 * power_scenes.h - the short lives of a store that the power rig cuts.
 *
 * A scene is one to three lives of one state directory, each a process of its own; a life that
 * returns without closing its store was killed. Every commit is marked on the tape before it is
 * handed in and after it was reported.
 */
#ifndef GATHERD_TESTS_POWER_SCENES_H
#define GATHERD_TESTS_POWER_SCENES_H

#include <stdbool.h>
#include <stdint.h>

#define POWER_LIVES_MAX 3

typedef void power_life(const char *dir);

struct power_scene {
	const char *name;                   /* one word */
	power_life *lives[POWER_LIVES_MAX]; /* NULL: no more */
	bool        is_of_birth;            /* what happens before the first commit counts */
	/* Events and jobs that are over leave after a while, and so many stay at least: */
	bool        is_expiring;
	uint32_t    jobs_kept;
	uint32_t    events_kept;
};
extern const struct power_scene power_scenes[];
extern const uint32_t           power_scene_count;

#endif
