#include "proto/base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_CHUNK_BYTES 4096

struct arena_chunk {
	struct arena_chunk *older;
	size_t              used;
	size_t              room;
	_Alignas(16) char at[];
};

static struct arena_chunk *chunk_new(struct arena *a, size_t bytes)
{
	size_t              room = bytes > ARENA_CHUNK_BYTES / 2 ? bytes : ARENA_CHUNK_BYTES;
	struct arena_chunk *c = malloc(sizeof *c + room);

	if (c == NULL) {
		a->failed = true;
		return NULL;
	}
	c->used = 0;
	c->room = room;
	/* A large one goes behind the newest, whose free space stays in use. */
	if (room == bytes && a->newest != NULL) {
		c->older = a->newest->older;
		a->newest->older = c;
	} else {
		c->older = a->newest;
		a->newest = c;
	}
	return c;
}

static void *arena_take(struct arena *a, size_t bytes)
{
	struct arena_chunk *c = a->newest;
	void               *out;

	if (bytes > SIZE_MAX / 2) {
		a->failed = true;
		return NULL;
	}
	bytes = (bytes + 15) & ~(size_t)15;
	if (c == NULL || c->room - c->used < bytes)
		c = chunk_new(a, bytes);
	if (c == NULL)
		return NULL;
	out = c->at + c->used;
	c->used += bytes;
	a->bytes += bytes;
	return out;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	void *out = arena_take(a, bytes);

	if (out != NULL)
		memset(out, 0, bytes);
	return out;
}

char *arena_copy(struct arena *a, const char *text, size_t bytes)
{
	char *out;

	if (text == NULL || (out = arena_take(a, bytes + 1)) == NULL)
		return NULL;
	memcpy(out, text, bytes);
	out[bytes] = '\0';
	return out;
}

void arena_close(struct arena *a)
{
	struct arena_chunk *older;

	for (struct arena_chunk *c = a->newest; c != NULL; c = older) {
		older = c->older;
		free(c);
	}
	*a = (struct arena){ 0 };
}
