/*
 * job_map.h - what a transaction, or the walk at start, has to remember of a job, by id.
 *
 * Open addressing with linear probing, at most half full. Emptying is O(1): entries of an earlier
 * turn count as free. Cost: O(1). Errors: NULL when memory ends. Threads: none.
 */
#ifndef GATHERD_STORE_JOB_MAP_H
#define GATHERD_STORE_JOB_MAP_H

#include <stdint.h>

struct job_note {
	uint64_t job;
	uint64_t seq;     /* of job.queued, when it is in this transaction; else 0 */
	uint64_t end_seq; /* the same of the final event */
	uint64_t chunk;   /* first seq of the chunk that got its last event; 0: none yet */
	uint32_t ordinal; /* highest of its events in the chunk at hand */
	uint32_t from;    /* lowest of them; ordinal 0 does not count */
	uint32_t sum;     /* store_event_sum() of those */
	uint32_t turn;    /* job_map's */
};

/* All zero is a valid empty map. */
struct job_map {
	struct job_note *at;   /* owned */
	uint32_t         room; /* a power of two, or 0 */
	uint32_t         count;
	uint32_t         turn;
};

struct job_note *job_map_get(const struct job_map *m, uint64_t job); /* NULL: not there */
/* Finds or makes; valid until the next put. */
struct job_note *job_map_put(struct job_map *m, uint64_t job);
/* The entry behind `n`, NULL: the first, in no order that means anything; NULL: no more. */
struct job_note *job_map_next(const struct job_map *m, const struct job_note *n);
void             job_map_clear(struct job_map *m);
void             job_map_close(struct job_map *m);

#endif
