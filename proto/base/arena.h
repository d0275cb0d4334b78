/*
 * arena.h - memory that is freed all at once.
 *
 * For things that live and die together: the records of one commit, the rows of one answer.
 * All zero is a valid empty arena. Errors: NULL when memory ends, and `failed` then sticks, so
 * that a caller building something large may look once at the end. Threads: none.
 */
#ifndef GATHERD_BASE_ARENA_H
#define GATHERD_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *newest; /* owned */
	size_t              bytes;  /* handed out */
	bool                failed;
};

void *arena_alloc(struct arena *a, size_t bytes); /* zeroed, aligned for anything */
/* A copy with a NUL behind it; NULL for NULL. */
char *arena_copy(struct arena *a, const char *text, size_t bytes);
void  arena_close(struct arena *a);

#endif
