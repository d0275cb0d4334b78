/*
 * problems.h - what is wrong with a spec, in the order in which it is written.
 *
 * A compiler does not visit a node's members in the order in which they stand there. So a problem
 * carries its place, a chain of member indices from the root, and the list keeps the first
 * SPEC_PROBLEMS_MAX of them in document order, whatever the order of arrival.
 *
 * Ownership: places live on the stack of whoever walks the spec, each pointing to the one above.
 * Cost: adding is O(SPEC_PROBLEMS_MAX * depth). Threads: none.
 */
#ifndef GATHERD_LOAD_PROBLEMS_H
#define GATHERD_LOAD_PROBLEMS_H

#include "daemon/load/load.h"

/* One step from the root into the JSON of a spec. */
struct place {
	const struct place *up;    /* NULL for the root */
	const char         *key;   /* of a member; NULL for an element of an array */
	uint32_t            index; /* its position among its siblings */
	uint32_t node; /* struct node there; of the nearest one above where it has none */
};

/* The places are levels of a spec that passed the check of its depth, and the root. */
#define PLACE_DEPTH_MAX (SPEC_DEPTH_MAX + 1)

struct problem_list {
	struct load_problems *out;                                      /* borrowed */
	uint32_t              path[SPEC_PROBLEMS_MAX][PLACE_DEPTH_MAX]; /* member indices */
	uint32_t              depth[SPEC_PROBLEMS_MAX];
	uint32_t              seen;   /* all that were added, kept or not */
	bool                  failed; /* memory ended */
};

#define PROBLEM_HINT_CHARS 240

void problem_list_init(struct problem_list *list, struct load_problems *out);
/* Whether a problem at `at` would be among the first ones; if not, no hint needs to be found. */
bool problem_is_wanted(const struct problem_list *list, const struct place *at);
/* Whether the list is full, something was left out already, and nothing at `at` or inside it would be
 * told: then there is no need to look there. */
bool problems_are_enough(const struct problem_list *list, const struct place *at);
/* `suffix` is a JSON pointer from `at` on, mostly "". `hint` may be NULL or "". All are copied. */
void problem_add(struct problem_list *list, const struct place *at, const char *suffix,
                 const char *hint, const char *fmt, ...) GD_PRINTF(5, 6);

/* Text from a spec, cut to a length that suits a message; CLIPPED() for use as an argument. */
#define CLIPPED_CHARS 64
const char *clip(char at[CLIPPED_CHARS], const char *text);
#define CLIPPED(text) clip((char[CLIPPED_CHARS]){ 0 }, text)

/* "did you mean ...?" in `hint`, or "" when there is nothing near. */
void hint_did_you_mean(char hint[PROBLEM_HINT_CHARS], const char *best);

#endif
