/* ticket_hash.h - where a ticket of a job lies in a table. Both are counted up: Fibonacci hashing
 * spreads them (Knuth vol. 3, 6.4). */
#ifndef GATHERD_EFFECT_TICKET_HASH_H
#define GATHERD_EFFECT_TICKET_HASH_H

#include <stdint.h>

static inline uint32_t ticket_hash(uint64_t job, uint32_t ticket)
{
	uint64_t hash =
		(job * UINT64_C(0x9e3779b97f4a7c15) + ticket) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(hash >> 32);
}

#endif
