/*
 * timer_heap.h - the deadlines of one engine, soonest first.
 *
 * A 4-ary heap whose entries hold deadline and order, so that sifting touches no other memory;
 * each node, inside its owner, knows its place. Equal deadlines leave in the order in which they
 * were armed, so that a replay wakes coroutines in the same order. When somebody sets the clock on
 * the wall, the deadlines that stand on it move; they keep their place among equal ones.
 *
 * Ownership: borrows nodes, owns the array. Cost: arm and disarm O(log n), first O(1).
 * Threads: none; one heap for each engine.
 * Source: D. B. Johnson, "Priority queues with update and finding minimum spanning trees",
 * Information Processing Letters 4(3), 1975 (d-ary heaps).
 */
#ifndef GATHERD_ENGINE_TIMER_HEAP_H
#define GATHERD_ENGINE_TIMER_HEAP_H

#include "proto/base/clock.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embed one in whatever can have a deadline. */
struct timer_node {
	uint32_t pos; /* 1-based place in the heap; 0 when not armed */
};

struct timer_entry {
	gd_nsec            due;
	uint64_t           seq; /* breaks ties; the lowest bit: TIMER_OF_WALL */
	struct timer_node *node;
};

#define TIMER_OF_WALL UINT64_C(1)

/* All zero is empty. */
struct timer_heap {
	struct timer_entry *at; /* at[0] is place 1; owned */
	uint32_t            count;
	uint32_t            room;
	uint64_t            seq;
	uint32_t            wall_count; /* armed by timer_heap_arm_wall() */
};

void              timer_heap_close(struct timer_heap *h);
/* Makes room for one more; the only call that allocates. On false `h` is unchanged. */
GD_NODISCARD bool timer_heap_reserve(struct timer_heap *h);
/* Arms `n`, which stays in place until disarmed. Needs room reserved. */
void              timer_heap_arm(struct timer_heap *h, struct timer_node *n, gd_nsec due);
/* The same, and timer_heap_step_wall() moves it. */
void              timer_heap_arm_wall(struct timer_heap *h, struct timer_node *n, gd_nsec due);
/* From `at` on the wall is ahead by `by` more than before: timers of the wall that are due at `at`
 * or later become due so much earlier, but not before `at`. Cost: O(n), nothing without any. */
void              timer_heap_step_wall(struct timer_heap *h, gd_nsec at, gd_nsec by);
void              timer_heap_disarm(struct timer_heap *h, struct timer_node *n);
/* The soonest; NULL when empty. */
static inline const struct timer_entry *timer_heap_first(const struct timer_heap *h)
{
	return h->count == 0 ? NULL : &h->at[0];
}
/* The soonest that is due by `until` and of which `is_it` says so; NULL: none. Cost: the timers that
 * are due by then, not those behind. */
const struct timer_entry *timer_heap_find(const struct timer_heap *h, gd_nsec until,
                                          bool (*is_it)(const struct timer_node *n,
                                                        const void              *ctx),
                                          const void *ctx);
/* The deadline of an armed node. */
gd_nsec                   timer_heap_due(const struct timer_heap *h, const struct timer_node *n);

#endif
