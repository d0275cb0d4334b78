/*
 * cache.h - programs of specs that were seen lately, found by their text.
 *
 * Clients submit the same spec again and again; then neither jansson nor the compiler needs to
 * run. The least recently used program goes when the count or the bytes reach their bound. The
 * text itself is compared, so that two specs with one hash are no danger, only slower.
 *
 * Ownership: the cache keeps a copy of each text and a reference to each program. Cost: a look-up
 * is one pass over the text. Threads: none; one cache per loop.
 */
#ifndef GATHERD_LOAD_CACHE_H
#define GATHERD_LOAD_CACHE_H

#include "daemon/engine/program.h"

#define CACHE_PROGRAMS_MAX 1024
#define CACHE_BYTES_MAX (32u << 20) /* of texts and programs */

struct cache_entry;

/* All zero is a valid empty cache. */
struct program_cache {
	struct cache_entry *buckets[CACHE_PROGRAMS_MAX];
	struct cache_entry *newest; /* owned, all of them, in the order of their last use */
	struct cache_entry *oldest;
	uint32_t            count;
	size_t              bytes;
};

void            program_cache_close(struct program_cache *c);
/* A new reference, or NULL. */
struct program *program_cache_find(struct program_cache *c, const char *text, size_t bytes);
/* Remembers a program that is not in the cache yet; text is copied. When memory ends, or when the
 * program alone is over the bound, it is not remembered, and nothing else happens. */
void program_cache_add(struct program_cache *c, const char *text, size_t bytes, struct program *p);

#endif
