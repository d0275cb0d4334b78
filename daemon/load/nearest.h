/*
 * nearest.h - the known name that somebody probably meant.
 *
 * Offer the candidates one by one; `best` is then the nearest one, or NULL when none is near
 * enough to be worth saying. Near means: at most one mistake in every three letters, two at most,
 * where a swap of two neighbours is one mistake.
 *
 * All hints for one spec draw from one budget of work, so that a spec full of mistakes costs no
 * more than a good one; what is offered when it is spent is passed over.
 *
 * Ownership: names and the budget are borrowed. Cost: O(1) for an offer, names over
 * NEAREST_BYTES_MAX are passed over. Threads: none. Source: optimal string alignment distance.
 */
#ifndef GATHERD_LOAD_NEAREST_H
#define GATHERD_LOAD_NEAREST_H

#include <stddef.h>
#include <stdint.h>

#define NEAREST_BYTES_MAX 40
/* Comparisons of two letters that the hints for one spec may take together. */
#define NEAREST_WORK 1000000u

struct nearest {
	const char *name;
	size_t      bytes;
	const char *best;     /* the first of those with the least distance */
	uint32_t    distance; /* of the best; before: more than is allowed */
	uint32_t   *work;     /* left of the budget */
};

void nearest_init(struct nearest *n, const char *name, size_t bytes, uint32_t *work);
void nearest_offer(struct nearest *n, const char *candidate);

#endif
