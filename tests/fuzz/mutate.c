#include "tests/fuzz/mutate.h"

#include <string.h>

#define REPEAT_BYTES_MAX 64u

/* Source: S. Vigna's splitmix64, public domain. */
static uint64_t next_random(struct mutator *m)
{
	uint64_t z = (m->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint32_t mutate_below(struct mutator *m, uint32_t bound)
{
	return bound == 0 ? 0 : (uint32_t)(next_random(m) % bound);
}

static size_t place_in(struct mutator *m, size_t count)
{
	return mutate_below(m, (uint32_t)count);
}

/* Puts `bytes` in at a random place, or as much of them as there is room for. */
static size_t insert(struct mutator *m, uint8_t *at, size_t count, size_t room, const void *bytes,
                     size_t added)
{
	size_t to = place_in(m, count + 1);

	if (added > room - count)
		added = room - count;
	memmove(at + to + added, at + to, count - to);
	memcpy(at + to, bytes, added);
	return count + added;
}

static size_t insert_word(struct mutator *m, uint8_t *at, size_t count, size_t room)
{
	const char *word;

	if (m->word_count == 0)
		return count;
	word = m->words[mutate_below(m, m->word_count)];
	return insert(m, at, count, room, word, strlen(word));
}

static size_t insert_edge(struct mutator *m, uint8_t *at, size_t count, size_t room)
{
	static const char *const edges[] = { "0",
		                             "-1",
		                             "1e308",
		                             "1e-320",
		                             "2147483648",
		                             "4294967295",
		                             "-9223372036854775808",
		                             "9223372036854775807",
		                             "9223372036854775808",
		                             "0.1",
		                             "\\u0000",
		                             "\xf0\x9f\x90\x9e",
		                             "\xc3",
		                             "\n" };
	const char              *edge = edges[mutate_below(m, sizeof edges / sizeof edges[0])];

	return insert(m, at, count, room, edge, strlen(edge));
}

static size_t cut_out(struct mutator *m, uint8_t *at, size_t count)
{
	size_t from = place_in(m, count);
	size_t gone =
		1 + place_in(m, count - from < REPEAT_BYTES_MAX ? count - from : REPEAT_BYTES_MAX);

	if (gone > count - from)
		gone = count - from;
	memmove(at + from, at + from + gone, count - from - gone);
	return count - gone;
}

static size_t repeat(struct mutator *m, uint8_t *at, size_t count, size_t room)
{
	uint8_t copy[REPEAT_BYTES_MAX];
	size_t  from = place_in(m, count);
	size_t  taken = 1 + place_in(m, REPEAT_BYTES_MAX);

	if (taken > count - from)
		taken = count - from;
	memcpy(copy, at + from, taken);
	return insert(m, at, count, room, copy, taken);
}

size_t mutate_bytes(struct mutator *m, uint8_t *at, size_t count, size_t room)
{
	size_t place = place_in(m, count);

	if (count == 0)
		return insert_edge(m, at, count, room);
	switch (mutate_below(m, 7)) {
	case 0:
		at[place] ^= (uint8_t)(1u << mutate_below(m, 8));
		return count;
	case 1:
		at[place] = (uint8_t)mutate_below(m, 256);
		return count;
	case 2:
		at[place] = at[place_in(m, count)];
		return count;
	case 3:
		return cut_out(m, at, count);
	case 4:
		return repeat(m, at, count, room);
	case 5:
		return insert_edge(m, at, count, room);
	default:
		return insert_word(m, at, count, room);
	}
}

size_t mutate_splice(struct mutator *m, uint8_t *at, size_t count, size_t room,
                     const uint8_t *other, size_t other_count)
{
	size_t kept = place_in(m, count + 1);
	size_t from = place_in(m, other_count + 1);
	size_t added = other_count - from;

	if (added > room - kept)
		added = room - kept;
	memcpy(at + kept, other + from, added);
	return kept + added;
}
