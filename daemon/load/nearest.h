/*
 * nearest.h - the known name that somebody probably meant.
 *
 * Offer the candidates one by one; `best` is then the nearest one, or NULL when none is near
 * enough to be worth saying. Near means: at most one mistake in every three letters, two at most,
 * where a swap of two neighbours is one mistake.
 *
 * Ownership: names are borrowed. Cost: O(1) for an offer, names over NEAREST_BYTES_MAX are passed
 * over. Threads: none. Source: optimal string alignment distance.
 */
#ifndef GATHERD_LOAD_NEAREST_H
#define GATHERD_LOAD_NEAREST_H

#include <stddef.h>
#include <stdint.h>

#define NEAREST_BYTES_MAX 40

struct nearest {
	const char *name;
	size_t      bytes;
	const char *best;     /* the first of those with the least distance */
	uint32_t    distance; /* of the best; before: more than is allowed */
};

void nearest_init(struct nearest *n, const char *name, size_t bytes);
void nearest_offer(struct nearest *n, const char *candidate);

#endif
