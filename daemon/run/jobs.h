/*
 * jobs.h - the live jobs of one loop, by id.
 *
 * An open-addressed table of small rows: what the loop must know of a job that the engine does not.
 * A row's address holds until the next add or remove. Cost: O(1), 40 bytes a row at a load between
 * 3/8 and 3/4. Threads: none; one table for each loop.
 */
#ifndef GATHERD_RUN_JOBS_H
#define GATHERD_RUN_JOBS_H

#include "daemon/store/store.h"

struct job_start;

/* What the replay of a job is compared with; see apply.c. */
struct job_past {
	uint32_t from; /* ordinal of the first output that is compared; 0: none is */
	uint32_t sum;  /* store_event_sum() of those that were stored, from there on */
};

struct live_job {
	uint64_t id; /* 0: an empty row */
	union {
		struct store_job *unsent; /* its RECORD_JOB, borrowed; good while `group` is open */
		struct job_past   past;   /* instead, while it is_replayed */
	} u;
	struct job_start *start; /* a job with a key that waits for its commit; owned by submit.c */
	union {
		uint32_t group; /* number of the open group when the job came */
		uint32_t sum;   /* while it is_replayed: of what the replay has put out so far */
	} v;
	uint32_t stored_ordinal; /* outputs up to this one were stored before a restart */
	uint32_t inputs;         /* journaled so far */
	uint32_t awaited;        /* the loop's busy_round in which a message began to wait for it */
	int8_t   priority;       /* of its commands in their pools */
	bool     is_begun;       /* status running is stored, or on its way */
	bool     is_replayed;    /* not all that was stored has come out again */
};

struct jobs {
	struct live_job *at; /* owned; a power of two of them */
	uint32_t         room;
	uint32_t         count;
};

void                     jobs_close(struct jobs *j);
/* Room for one more; the only call here that allocates or fails (GD_NOMEM). */
GD_NODISCARD enum gd_err jobs_reserve(struct jobs *j, struct gd_error *why);
struct live_job *jobs_add(struct jobs *j, uint64_t id); /* must not be there; room reserved */
struct live_job *jobs_find(const struct jobs *j, uint64_t id); /* NULL: not here */
void             jobs_remove(struct jobs *j, struct live_job *job);

#endif
