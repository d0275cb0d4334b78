/*
 * ticket_table.h - what is under way for the jobs of one loop, by job and ticket.
 *
 * A chained hash of entries; each stands at the beginning of what it is for. Ownership: an entry is its
 * owner's, only the array is the table's. Threads: none; one for each loop. Cost: O(1).
 */
#ifndef GATHERD_EFFECT_TICKET_TABLE_H
#define GATHERD_EFFECT_TICKET_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct ticket_entry {
	struct ticket_entry *chain;
	uint64_t             job;
	uint32_t             ticket;
};

/* All zero is empty. */
struct ticket_table {
	struct ticket_entry **at; /* owned; a power of two */
	uint32_t              room;
	uint32_t              count;
};

/* False: no memory. It must not be there. */
bool                 ticket_table_add(struct ticket_table *t, struct ticket_entry *e);
struct ticket_entry *ticket_table_find(const struct ticket_table *t, uint64_t job, uint32_t ticket);
void                 ticket_table_remove(struct ticket_table *t, struct ticket_entry *e);
/* One after the other, in no order; NULL to begin, NULL at the end. What it gave last may be removed in
 * between, if the next was asked for before. */
struct ticket_entry *ticket_table_next(const struct ticket_table *t, const struct ticket_entry *e);
/* Takes out what is left, one by one; NULL: it is empty, and its memory is free. */
struct ticket_entry *ticket_table_pop(struct ticket_table *t);

#endif
