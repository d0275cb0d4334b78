/*
 * sum.h - a checksum against accidents: FNV-1a, 64 bits.
 *
 * Not against people. Cost: one multiplication a byte. Threads: any.
 * Source: G. Fowler, L. Noll, K.-P. Vo, http://www.isthe.com/chongo/tech/comp/fnv/.
 */
#ifndef GATHERD_BASE_SUM_H
#define GATHERD_BASE_SUM_H

#include <stddef.h>
#include <stdint.h>

#define GD_SUM_START UINT64_C(0xcbf29ce484222325)

/* The sum of what `sum` covers (GD_SUM_START: nothing yet) and these bytes behind it. */
static inline uint64_t gd_sum(uint64_t sum, const void *bytes, size_t count)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < count; i++)
		sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
	return sum;
}

#endif
