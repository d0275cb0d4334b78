/*
 * claims.h - wishes for a permit: found by job and ticket, and standing in lines.
 *
 * Who waits stands in the line of its priority, which is there while somebody stands in it: a name
 * that nobody waits for has none, and a new claim passes as many as there are priorities in use.
 *
 * Ownership: a table owns its claims, lines borrow them; a claim stands in one line at a time.
 * Threads: none. Cost: O(1) each but for sorting; 56 bytes a claim, 40 a line, 8 to 16 a claim for
 * the table.
 */
#ifndef GATHERD_RUN_CLAIMS_H
#define GATHERD_RUN_CLAIMS_H

#include "daemon/store/store.h"

struct semaphore;

struct claim {
	struct claim     *chain; /* in the table */
	struct claim     *next;  /* in its line */
	struct claim     *previous;
	struct semaphore *of;
	uint64_t          job;
	gd_nsec           since; /* it waits, or holds */
	uint32_t          ticket;
	bool              is_held;
	int8_t            priority;
};

/* All zero: nobody. */
struct claim_line {
	struct claim *first;
	struct claim *last;
	uint32_t      count;
};

void claim_line_add(struct claim_line *l, struct claim *c);
void claim_line_remove(struct claim_line *l, struct claim *c);
/* Whose `since` is earlier comes first, then by job and ticket. False: no memory, and nothing has
 * changed. */
bool claim_line_sort(struct claim_line *l);

/* Never empty. */
struct priority_line {
	struct priority_line *next; /* of a lower one */
	struct claim_line     line;
	int                   priority;
};

/* All zero: nobody. */
struct priority_lines {
	struct priority_line *first;
	uint32_t              count; /* of claims */
};

/* Behind all of its priority. False: no memory. */
bool          priority_lines_add(struct priority_lines *p, struct claim *c);
void          priority_lines_remove(struct priority_lines *p, struct claim *c);
struct claim *priority_lines_first(const struct priority_lines *p); /* NULL: nobody waits */
struct claim *priority_lines_next(const struct priority_lines *p, const struct claim *c);
/* How many stand before it. Those of its own priority are counted up to `max`; `*is_more`: there
 * are more of them. */
uint32_t priority_lines_before(const struct priority_lines *p, const struct claim *c, uint32_t max,
                               bool *is_more);
bool     priority_lines_sort(struct priority_lines *p);  /* see claim_line_sort() */
void     priority_lines_close(struct priority_lines *p); /* whoever still stands there */

/* A chained hash. */
struct claims {
	struct claim **at;   /* owned */
	uint32_t       room; /* a power of two */
	uint32_t       count;
};

bool          claims_init(struct claims *t); /* false: no memory */
void          claims_close(struct claims *t);
/* A zeroed claim with job and ticket, which are not there yet. NULL: no memory. */
struct claim *claims_add(struct claims *t, uint64_t job, uint32_t ticket);
struct claim *claims_find(const struct claims *t, uint64_t job, uint32_t ticket); /* NULL: none */
void          claims_remove(struct claims *t, struct claim *c);                   /* frees it */

#endif
