#include "proto/base/check.h"
#include "tests/torture/kit.h"
#include "tests/torture/power_rig.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A start on what the first cut left, and its orderly end. What it shows to others is marked. */
static int start_and_stop(void *ctx)
{
	struct kit k;

	(void)ctx;
	disk_record(rig.image, rig.second_tape);
	kit_init(&k);
	kit_open(&k, rig.image);
	kit_start(&k);
	disk_mark(DISK_SEEN, 0);
	kit_close(&k);
	return k.failed == GD_OK ? 0 : 1;
}

/* The tape of a start on the disk of `first`, behind the entries that make that disk, of which
 * `*prefix` is the number. NULL: there is no directory yet, or it is a violation. */
static struct tape *record_start(const struct cut_at *first, uint32_t *prefix)
{
	struct tape *t;
	uint64_t     hash;

	power_empty_dir(rig.image);
	(void)unlink(rig.second_tape);
	if (!tape_play(rig.recorded, first->count, first->cut, first->seed, rig.image, &hash))
		return NULL;
	disk_record_present(rig.image, rig.second_tape);
	t = tape_open(rig.second_tape);
	*prefix = tape_count(t);
	tape_close(t);
	if (power_in_child(start_and_stop, NULL) == 0)
		return tape_open(rig.second_tape);
	rig.violations++;
	printf("# VIOLATION: %s, entry %u: a start on it does not end well\n", rig.scene->name,
	       (unsigned)first->count);
	return NULL;
}

/* Exit status: the number of the state, so that no store is opened here. */
static int find(void *ctx)
{
	return (int)power_state_of_image(ctx);
}

static void cut_second(const struct tape *t, const struct cut_at *first, uint32_t seen_state,
                       uint32_t count, enum cut cut, uint64_t seed)
{
	struct cut_at at = *first;
	char          again[160];

	(void)snprintf(again, sizeof again, "%s %u %d %" PRIu64 " %u %d %" PRIu64, rig.scene->name,
	               (unsigned)first->count, (int)first->cut, first->seed, (unsigned)count,
	               (int)cut, seed);
	at.count = count;
	at.cut = cut;
	at.seed = seed;
	/* What the second start has shown is not un-seen; before that it is free to find either. */
	if (tape_marks(t, count, DISK_SEEN, NULL) != 0)
		at.acknowledged = at.handed_in = seen_state;
	(void)power_cut(t, &at, again);
}

/* What the start comes to when nothing is in its way. */
static uint32_t state_of_start(const struct tape *t, const struct cut_at *first)
{
	struct cut_at whole = *first;
	uint64_t      hash;

	power_empty_dir(rig.image);
	(void)tape_play(t, tape_count(t), CUT_KEEPS_ALL, 0, rig.image, &hash);
	return (uint32_t)power_in_child(find, &whole);
}

void power_cut_recovery(const struct cut_at *first, uint32_t random_cuts)
{
	uint32_t     prefix = 0;
	struct tape *t = record_start(first, &prefix);
	uint32_t     state;

	if (t == NULL)
		return;
	rig.recoveries++;
	state = state_of_start(t, first);
	for (uint32_t i = prefix; i <= tape_count(t); i++) {
		if (i != tape_count(t) && !tape_is_sync(t, i) && !tape_is_sync(t, i - 1))
			continue;
		for (int cut = 0; cut < CUT_RANDOM; cut++)
			cut_second(t, first, state, i, (enum cut)cut, rig.seed + i);
		for (uint32_t k = 0; k < random_cuts; k++)
			cut_second(t, first, state, i, CUT_RANDOM,
			           rig.seed + i * UINT64_C(1000) + k);
	}
	tape_close(t);
}

void power_again_recovery(const struct cut_at *first, uint32_t count, enum cut cut, uint64_t seed,
                          const char *dir)
{
	uint32_t     prefix = 0;
	struct tape *t = record_start(first, &prefix);
	uint64_t     hash;

	CHECK(t != NULL);
	(void)tape_play(t, count, cut, seed, dir, &hash);
	cut_second(t, first, state_of_start(t, first), count, cut, seed);
	tape_close(t);
}
