#include "daemon/value/sip_hash.h"

#include <stdbool.h>
#include <string.h>

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32) + v[3];
	v[2] += v[1];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

uint64_t sip_hash(uint64_t seed, const char *bytes, size_t count)
{
	uint64_t v[4] = { seed ^ UINT64_C(0x736f6d6570736575), UINT64_C(0x646f72616e646f6d),
		          seed ^ UINT64_C(0x6c7967656e657261), UINT64_C(0x7465646279746573) };
	size_t   done = 0;
	bool     is_last;

	do {
		uint64_t word = 0;

		is_last = count - done < 8;
		memcpy(&word, bytes + done, is_last ? count - done : 8);
		if (is_last)
			word |= (uint64_t)count << 56;
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
		done += 8;
	} while (!is_last);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
