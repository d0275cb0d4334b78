#include "daemon/load/cache.h"

#include "proto/base/check.h"

#include <stdlib.h>
#include <string.h>

struct cache_entry {
	struct cache_entry *next_in_bucket;
	struct cache_entry *newer;
	struct cache_entry *older;
	struct program     *program;
	uint64_t            hash;
	size_t              bytes; /* of the text */
	char                text[];
};

/* Eight bytes at a time through a 64 by 64 bit multiplication. Whoever makes texts that collide
 * makes one bucket long, and that is bounded by the count. */
static uint64_t hash_of(const char *text, size_t bytes)
{
	uint64_t hash = UINT64_C(0x9e3779b97f4a7c15) ^ bytes;

	while (bytes > 0) {
		size_t            step = bytes < 8 ? bytes : 8;
		uint64_t          word = 0;
		unsigned __int128 product;

		memcpy(&word, text, step);
		product = (unsigned __int128)(hash ^ word) * UINT64_C(0xd6e8feb86659fd93);
		hash = (uint64_t)product ^ (uint64_t)(product >> 64);
		text += step;
		bytes -= step;
	}
	return hash;
}

static size_t cost_of(const struct cache_entry *e)
{
	return sizeof *e + e->bytes + e->program->bytes;
}

static struct cache_entry **bucket_of(struct program_cache *c, uint64_t hash)
{
	return &c->buckets[hash % CACHE_PROGRAMS_MAX];
}

static void unlink_use(struct program_cache *c, struct cache_entry *e)
{
	if (e->newer != NULL)
		e->newer->older = e->older;
	else
		c->newest = e->older;
	if (e->older != NULL)
		e->older->newer = e->newer;
	else
		c->oldest = e->newer;
}

static void link_newest(struct program_cache *c, struct cache_entry *e)
{
	e->newer = NULL;
	e->older = c->newest;
	if (c->newest != NULL)
		c->newest->newer = e;
	else
		c->oldest = e;
	c->newest = e;
}

static void drop_oldest(struct program_cache *c)
{
	struct cache_entry  *e = c->oldest;
	struct cache_entry **at = bucket_of(c, e->hash);

	while (*at != e)
		at = &(*at)->next_in_bucket;
	*at = e->next_in_bucket;
	unlink_use(c, e);
	CHECK(c->count > 0);
	c->count--;
	c->bytes -= cost_of(e);
	program_release(e->program);
	free(e);
}

void program_cache_close(struct program_cache *c)
{
	while (c->oldest != NULL)
		drop_oldest(c);
}

struct program *program_cache_find(struct program_cache *c, const char *text, size_t bytes)
{
	uint64_t            hash = hash_of(text, bytes);
	struct cache_entry *e = *bucket_of(c, hash);

	while (e != NULL &&
	       (e->hash != hash || e->bytes != bytes || memcmp(e->text, text, bytes) != 0))
		e = e->next_in_bucket;
	if (e == NULL)
		return NULL;
	unlink_use(c, e);
	link_newest(c, e);
	return program_retain(e->program);
}

void program_cache_add(struct program_cache *c, const char *text, size_t bytes, struct program *p)
{
	struct cache_entry  *e;
	struct cache_entry **bucket;

	if (bytes > CACHE_BYTES_MAX || p->bytes > CACHE_BYTES_MAX - bytes)
		return;
	e = malloc(sizeof *e + bytes);
	if (e == NULL)
		return;
	*e = (struct cache_entry){ .program = program_retain(p),
		                   .hash = hash_of(text, bytes),
		                   .bytes = bytes };
	memcpy(e->text, text, bytes);
	bucket = bucket_of(c, e->hash);
	e->next_in_bucket = *bucket;
	*bucket = e;
	link_newest(c, e);
	c->count++;
	c->bytes += cost_of(e);
	while (c->count > CACHE_PROGRAMS_MAX || (c->bytes > CACHE_BYTES_MAX && c->oldest != e))
		drop_oldest(c);
}
