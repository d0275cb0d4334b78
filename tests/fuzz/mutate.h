/*
 * mutate.h - random changes to an input, the same ones for the same seed.
 *
 * Ownership: a mutator borrows its words. Threads: none.
 */
#ifndef GATHERD_TESTS_FUZZ_MUTATE_H
#define GATHERD_TESTS_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

#define MUTATE_WORDS_MAX 256u

struct mutator {
	uint64_t    state; /* of the generator */
	const char *words[MUTATE_WORDS_MAX];
	uint32_t    word_count;
};

uint32_t mutate_below(struct mutator *m, uint32_t bound); /* 0 to bound - 1; 0 when bound is 0 */
/* One change in place: a bit, a byte, a stretch cut out or repeated, a word put in, a number that
 * lies at an edge. Returns the new size, at most `room`. */
size_t   mutate_bytes(struct mutator *m, uint8_t *at, size_t count, size_t room);
/* The beginning of one input and the end of another. */
size_t   mutate_splice(struct mutator *m, uint8_t *at, size_t count, size_t room,
                       const uint8_t *other, size_t other_count);

#endif
