/*
 * family.h - plays the outside of child jobs for a sim: each runs on the same engine.
 *
 * A child starts at the time of its SPAWN, hears of cancels, and its end is told to its parent, at once
 * and in the order in which they were put out. Nothing of a child is in the transcript. Threads: none.
 */
#ifndef GATHERD_TESTS_FAMILY_H
#define GATHERD_TESTS_FAMILY_H

#include "daemon/engine/engine.h"

#define FAMILY_FIRST_ID 1000000u /* of children */

struct family_child {
	uint64_t parent;
	uint32_t ticket;
};

struct family_word {
	enum engine_out_kind kind; /* SPAWN*, or how a child ended */
	uint64_t             job;  /* who said it */
	uint32_t             ticket;
	gd_nsec              time;
	struct value         data; /* on the engine's heap */
};

/* All zero: nobody. */
struct family {
	struct family_child *children; /* by id */
	uint32_t             count, room;
	struct family_word  *words; /* that wait */
	uint32_t             first_word, word_count, word_room;
};

void family_close(struct family *f, struct value_heap *h);
bool family_is_child(uint64_t job);
/* What an engine has put out, of a parent or a child. */
void family_note(struct family *f, struct value_heap *h, const struct engine_out *o);
/* The next input that follows from it: false: none. `message` is to be released, and of a START the
 * program. */
bool family_next(struct family *f, struct engine *e, struct engine_in *in);

#endif
