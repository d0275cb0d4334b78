/*
 * slab.h - memory for coroutine frames: small blocks of a few sizes, in pages that are given back.
 *
 * A page holds blocks of one size and knows how many are in use. Of the empty ones SLAB_SPARE_PAGES are
 * kept for any size: to give each back and get it again would cost more than what runs in it, most of
 * all where several threads of a process do so. The others are freed, so that a burst of a million
 * tasks leaves little behind. Blocks above SLAB_BYTES_MAX come from malloc.
 *
 * Cost: O(1), no header for a block. Threads: none; one slab for each engine.
 */
#ifndef GATHERD_ENGINE_SLAB_H
#define GATHERD_ENGINE_SLAB_H

#include <stddef.h>

#define SLAB_GRAIN 8
#define SLAB_BYTES_MAX 512
#define SLAB_SPARE_PAGES 128u /* of 128 KiB */

struct slab_page;

/* All zero is empty. */
struct slab {
	struct slab_page
		*partial[SLAB_BYTES_MAX / SLAB_GRAIN + 1]; /* pages with a free block, by size */
	struct slab_page *spare;                           /* empty ones */
	unsigned          spare_count;
};

void *slab_alloc(struct slab *s, size_t bytes);             /* not zeroed; NULL when memory ends */
void  slab_free(struct slab *s, void *block, size_t bytes); /* the size that was asked for */
/* Frees cached pages. Every block must have been freed. */
void  slab_close(struct slab *s);

#endif
