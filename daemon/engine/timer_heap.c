#include "daemon/engine/timer_heap.h"

#include "proto/base/check.h"

#include <stdlib.h>

#define TIMER_HEAP_FIRST_ROOM 64
#define TIMER_HEAP_KEPT_ROOM 4096 /* never shrinks below */
#define ARITY 4

void timer_heap_close(struct timer_heap *h)
{
	free(h->at);
	*h = (struct timer_heap){ 0 };
}

bool timer_heap_reserve(struct timer_heap *h)
{
	uint32_t            room;
	struct timer_entry *at;

	if (h->count < h->room)
		return true;
	/* A quarter more: a million timers should not hold the memory of two. */
	room = h->room < TIMER_HEAP_FIRST_ROOM ? TIMER_HEAP_FIRST_ROOM : h->room + h->room / 4;
	if (room <= h->room)
		return false;
	at = realloc(h->at, room * sizeof *at);
	if (at == NULL)
		return false;
	h->at = at;
	h->room = room;
	return true;
}

static inline bool sooner(const struct timer_entry *a, const struct timer_entry *b)
{
	return a->due < b->due || (a->due == b->due && a->seq < b->seq);
}

static inline void place(struct timer_heap *h, uint32_t i, struct timer_entry entry)
{
	h->at[i] = entry;
	entry.node->pos = i + 1;
}

static void sift_up(struct timer_heap *h, uint32_t i, struct timer_entry entry)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / ARITY;

		if (!sooner(&entry, &h->at[parent]))
			break;
		place(h, i, h->at[parent]);
		i = parent;
	}
	place(h, i, entry);
}

static void sift_down(struct timer_heap *h, uint32_t i, struct timer_entry entry)
{
	for (;;) {
		uint64_t first = (uint64_t)i * ARITY + 1;
		uint32_t best, last;

		if (first >= h->count)
			break;
		best = (uint32_t)first;
		last = h->count - best < ARITY ? h->count : best + ARITY;
		for (uint32_t c = best + 1; c < last; c++)
			if (sooner(&h->at[c], &h->at[best]))
				best = c;
		if (!sooner(&h->at[best], &entry))
			break;
		place(h, i, h->at[best]);
		i = best;
	}
	place(h, i, entry);
}

void timer_heap_arm(struct timer_heap *h, struct timer_node *n, gd_nsec due)
{
	CHECK(h->count < h->room);
	h->count++;
	h->seq += 2;
	sift_up(h, h->count - 1, (struct timer_entry){ due, h->seq, n });
}

void timer_heap_arm_wall(struct timer_heap *h, struct timer_node *n, gd_nsec due)
{
	CHECK(h->count < h->room);
	h->count++;
	h->wall_count++;
	h->seq += 2;
	sift_up(h, h->count - 1, (struct timer_entry){ due, h->seq | TIMER_OF_WALL, n });
}

/* A deadline that no clock reaches stays where it is. */
static gd_nsec moved(gd_nsec due, gd_nsec at, gd_nsec by)
{
	gd_nsec to;

	if (due == GD_NSEC_NEVER)
		return due;
	if (__builtin_sub_overflow(due, by, &to))
		to = by < 0 ? GD_NSEC_NEVER : at;
	return to > at ? to : at;
}

void timer_heap_step_wall(struct timer_heap *h, gd_nsec at, gd_nsec by)
{
	if (h->wall_count == 0 || by == 0)
		return;
	for (uint32_t i = 0; i < h->count; i++)
		if ((h->at[i].seq & TIMER_OF_WALL) && h->at[i].due >= at)
			h->at[i].due = moved(h->at[i].due, at, by);
	for (uint32_t i = (h->count + ARITY - 2) / ARITY; i-- > 0;)
		sift_down(h, i, h->at[i]);
}

/* After a burst most of the room is given back; there is no harm when that fails. */
static void shrink(struct timer_heap *h)
{
	struct timer_entry *at;

	if (h->room <= TIMER_HEAP_KEPT_ROOM || h->count > h->room / 4)
		return;
	at = realloc(h->at, h->room / 2 * sizeof *at);
	if (at == NULL)
		return;
	h->at = at;
	h->room /= 2;
}

void timer_heap_disarm(struct timer_heap *h, struct timer_node *n)
{
	uint32_t           i = n->pos - 1;
	struct timer_entry last;

	CHECK(n->pos != 0 && n->pos <= h->count);
	CHECK(h->at[i].node == n);
	n->pos = 0;
	h->wall_count -= (uint32_t)(h->at[i].seq & TIMER_OF_WALL);
	last = h->at[--h->count];
	shrink(h);
	if (i == h->count)
		return;
	if (i > 0 && sooner(&last, &h->at[(i - 1) / ARITY]))
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

struct search {
	const struct timer_heap *heap;
	gd_nsec                  until;
	bool (*is_it)(const struct timer_node *n, const void *ctx);
	const void               *ctx;
	const struct timer_entry *best;
};

/* Below an entry nothing is sooner than it. As deep as the heap: some ten levels of a million. */
static void search_from(struct search *s, uint64_t i)
{
	const struct timer_entry *at;

	if (i >= s->heap->count)
		return;
	at = &s->heap->at[i];
	if (at->due > s->until || (s->best != NULL && !sooner(at, s->best)))
		return;
	if (s->is_it(at->node, s->ctx)) {
		s->best = at;
		return;
	}
	for (uint64_t c = i * ARITY + 1; c <= i * ARITY + ARITY; c++)
		search_from(s, c);
}

const struct timer_entry *timer_heap_find(const struct timer_heap *h, gd_nsec until,
                                          bool (*is_it)(const struct timer_node *n,
                                                        const void              *ctx),
                                          const void *ctx)
{
	struct search s = { h, until, is_it, ctx, NULL };

	search_from(&s, 0);
	return s.best;
}

gd_nsec timer_heap_due(const struct timer_heap *h, const struct timer_node *n)
{
	CHECK(n->pos != 0 && n->pos <= h->count);
	return h->at[n->pos - 1].due;
}
