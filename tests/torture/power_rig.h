/*
 * power_rig.h - what the parts of the power rig share.
 *
 *	power.c            rounds, arguments, directories
 *	power_states.c     what may be there after a cut, and whether it is
 *	power_recovery.c   the power goes once more, while a start finds out what the first cut left
 *
 * A cut is one disk that a power cut may leave: a place on a tape, a way (disk.h), a seed. Disks that
 * are equal are looked at once, and count as one that was opened.
 *
 * Threads: one; children are forked for everything that opens a store.
 */
#ifndef GATHERD_TESTS_POWER_RIG_H
#define GATHERD_TESTS_POWER_RIG_H

#include "tests/torture/disk.h"
#include "tests/torture/power_scenes.h"

#include <stdbool.h>
#include <stdint.h>

#define STATES_MAX 64
#define SEEN_MAX (1u << 16)

/* A place and a way to cut, with what the cut must leave: a state between these two. */
struct cut_at {
	uint32_t count; /* entries of the tape before it */
	enum cut cut;
	uint64_t seed;
	uint32_t acknowledged;
	uint32_t handed_in;
};

struct power_rig {
	char                      root[256]; /* removed at the end; all others are in it */
	char                      state[300];
	char                      image[300];
	char                      tape[300];
	char                      second_tape[300];
	uint64_t                  seed;
	/* of the present scene */
	const struct power_scene *scene;
	struct tape              *recorded;
	char    *states[STATES_MAX]; /* dumps: [0] of an empty store, [k] after commit k */
	uint32_t state_count;
	uint64_t seen[SEEN_MAX]; /* disks that were good, by hash and what they had to have */
	/* all in all */
	uint64_t cuts, opened, recoveries, acknowledged, violations;
};
extern struct power_rig rig;

/* --- power.c --- */

void power_empty_dir(const char *path);
/* Runs it in a process of its own and gives its exit status; -1: it was killed. */
int  power_in_child(int (*fn)(void *ctx), void *ctx);
/* Makes the disk, unless it was seen, and looks at it. `again` tells how to repeat it. False: it was
 * seen, or is a violation, and counted as such. */
bool power_cut(const struct tape *t, const struct cut_at *at, const char *again);

/* --- power_states.c --- */

/* The states that a kill would leave after each commit of the scene. */
void     power_find_states(void);
void     power_forget_states(void);
/* For power_in_child(): 0 when rig.image holds what `ctx`, a struct cut_at, says; else words. */
int      power_look(void *ctx);
/* Which state rig.image holds; UINT32_MAX: none. Opens it. */
uint32_t power_state_of_image(const struct cut_at *at);

/* --- power_recovery.c --- */

/* Starts on the disk of this cut, and cuts that start at each of its syncs. `random_cuts` of each. */
void power_cut_recovery(const struct cut_at *first, uint32_t random_cuts);
/* One of those, for --again; the disk stays in `dir`. */
void power_again_recovery(const struct cut_at *first, uint32_t count, enum cut cut, uint64_t seed,
                          const char *dir);

#endif
