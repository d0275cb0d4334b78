#include "daemon/engine/slab.h"

#include "proto/base/check.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define PAGE_BYTES ((size_t)128 * 1024)

struct slab_block {
	struct slab_block *next;
};

/* At the start of each page, which is aligned to its size. */
struct slab_page {
	struct slab_page  *next, *prev; /* in the list of partial pages; both NULL when full */
	struct slab_block *free;
	char              *fresh; /* from here on never used */
	uint32_t           live;
	uint32_t           index; /* of the size */
};

static char *page_end(struct slab_page *p)
{
	return (char *)p + PAGE_BYTES;
}

static void partial_push(struct slab *s, struct slab_page *p)
{
	p->prev = NULL;
	p->next = s->partial[p->index];
	if (p->next != NULL)
		p->next->prev = p;
	s->partial[p->index] = p;
}

static void partial_remove(struct slab *s, struct slab_page *p)
{
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		s->partial[p->index] = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
}

static bool page_is_full(struct slab_page *p)
{
	return p->free == NULL && p->fresh + (size_t)p->index * SLAB_GRAIN > page_end(p);
}

static struct slab_page *page_new(struct slab *s, uint32_t index)
{
	struct slab_page *p = s->spare;

	if (p != NULL) {
		s->spare = p->next;
		s->spare_count--;
	} else if ((p = aligned_alloc(PAGE_BYTES, PAGE_BYTES)) == NULL) {
		return NULL;
	}
	*p = (struct slab_page){ .index = index };
	p->fresh = (char *)p + ((sizeof *p + 15) & ~(size_t)15);
	partial_push(s, p);
	return p;
}

/* Nothing in it is in use. */
static void page_drop(struct slab *s, struct slab_page *p)
{
	if (s->spare_count >= SLAB_SPARE_PAGES) {
		free(p);
		return;
	}
	p->next = s->spare;
	s->spare = p;
	s->spare_count++;
}

static uint32_t index_of(size_t bytes)
{
	return (uint32_t)((bytes + SLAB_GRAIN - 1) / SLAB_GRAIN);
}

void *slab_alloc(struct slab *s, size_t bytes)
{
	uint32_t          index = index_of(bytes);
	struct slab_page *p;
	void             *block;

	CHECK(bytes > 0);
	if (bytes > SLAB_BYTES_MAX)
		return malloc(bytes);
	p = s->partial[index];
	if (p == NULL && (p = page_new(s, index)) == NULL)
		return NULL;
	if (p->free != NULL) {
		block = p->free;
		p->free = p->free->next;
	} else {
		block = p->fresh;
		p->fresh += (size_t)index * SLAB_GRAIN;
	}
	p->live++;
	if (page_is_full(p))
		partial_remove(s, p);
	return block;
}

void slab_free(struct slab *s, void *block, size_t bytes)
{
	struct slab_page  *p;
	struct slab_block *b = block;

	if (bytes > SLAB_BYTES_MAX) {
		free(block);
		return;
	}
	p = (struct slab_page *)((uintptr_t)block & ~(uintptr_t)(PAGE_BYTES - 1));
	CHECK(p->index == index_of(bytes) && p->live > 0);
	if (page_is_full(p))
		partial_push(s, p);
	b->next = p->free;
	p->free = b;
	/* The last page of a size stays, so that one block coming and going costs no malloc. */
	if (--p->live == 0 && (p->next != NULL || p->prev != NULL)) {
		partial_remove(s, p);
		page_drop(s, p);
	}
}

void slab_close(struct slab *s)
{
	for (size_t i = 0; i < sizeof s->partial / sizeof s->partial[0]; i++) {
		struct slab_page *p = s->partial[i];

		if (p == NULL)
			continue;
		CHECK(p->live == 0 && p->next == NULL);
		free(p);
	}
	while (s->spare != NULL) {
		struct slab_page *p = s->spare;

		s->spare = p->next;
		free(p);
	}
	*s = (struct slab){ 0 };
}
