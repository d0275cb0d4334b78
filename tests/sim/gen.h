/*
 * gen.h - random jobs from a seed. The same seed gives the same job on every machine.
 */
#ifndef GATHERD_TESTS_GEN_H
#define GATHERD_TESTS_GEN_H

#include "proto/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n); /* 0 .. n-1 */

/* Which seeds a test runs: 1 to `count`; or from SEED on, SEEDS of them, as the environment says. */
struct seeds {
	uint64_t first, end;
};
struct seeds seeds_asked(uint64_t count);

/* Appends the JSON of a valid job; it may fail or be cancelled when it runs, but it ends. */
void gen_job(struct buf *b, struct rng *r);
/* The same with semaphores, which asyncio's programs have no outside for. It may wait for ever: for
 * a permit that who waits for it holds. */
void gen_job_with_semaphores(struct buf *b, struct rng *r);
/* The same with commands, of the programs in played.h. It ends. */
void gen_job_with_commands(struct buf *b, struct rng *r);

/* The same with events of the job, of GEN_EVENTS names: GEN_EVENT and a number from 0. It ends when
 * each of them is signalled. */
#define GEN_EVENT "ev"
#define GEN_EVENTS 3
void gen_job_with_events(struct buf *b, struct rng *r);

/* The same with `now` and sleep_until; it looks at the 20 seconds from GEN_EPOCH on. */
#define GEN_EPOCH 1700000000
void gen_job_with_wall(struct buf *b, struct rng *r);

#endif
