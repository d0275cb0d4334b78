/*
 * pool.h - the loops of this process; a job's id decides its loop.
 *
 * Loop i hands out the ids i, i + n, i + 2n, ...: an id says where its job lives, without a table.
 *
 * Loop 0 runs on the main thread. Ownership: the pool owns its loops. Threads: as stated.
 */
#ifndef GATHERD_RUN_POOL_H
#define GATHERD_RUN_POOL_H

#include "daemon/run/loop.h"

#include <pthread.h>

#define POOL_LOOPS_MAX 64u
#define POOL_EXIT_DAMAGED 78 /* what is stored cannot be read: EX_CONFIG, as at the start */
#define POOL_EXIT_LOST 74    /* a commit may or may not have landed: EX_IOERR */

_Static_assert(POOL_LOOPS_MAX <= 64, "a commit's hearers are the bits of a word");

struct loop_names;
struct semaphores;

struct pool_slot {
	struct loop      loop;
	pthread_t        thread;
	bool             is_started;
	_Atomic uint64_t next_id;
	struct inbox_msg ping;
	atomic_bool      is_ping_out; /* not answered yet */
};

/* recover.c's; see there. */
struct pool_recovery {
	uint64_t        total; /* jobs that were not over when the daemon started */
	gd_nsec         began; /* monotonic; 0: not yet */
	bool            is_serial;
	atomic_ullong   left;       /* jobs */
	atomic_uint     loops_left; /* whose part is not durable yet */
	_Atomic gd_nsec latest;     /* of what any loop was told before the restart */
	gd_nsec         resumed;    /* the time when it was over; set before any loop hears of it */
	atomic_bool     is_over;
};

struct pool {
	struct clock        *clock;      /* owned */
	struct store        *store;      /* borrowed; set with pool_use_store() */
	struct semaphores   *semaphores; /* owned */
	struct loop_names   *names;      /* of loops; owned */
	struct semaphores   *slots;      /* the pools of commands; borrowed; NULL: none run here */
	uint32_t             count;
	struct pool_slot     at[POOL_LOOPS_MAX];
	atomic_uint          lost; /* loops that have told everybody of an unknown commit */
	uint64_t             store_beat;
	gd_nsec              started;
	atomic_uint          jobs_max; /* live ones, for children; 0: no bound */
	atomic_bool          is_draining;
	struct pool_recovery recovery;
};

/* Errors: GD_NOMEM, GD_SYS. */
GD_NODISCARD enum gd_err pool_open(uint32_t loops, struct pool **out, struct gd_error *why);
void                     pool_close(struct pool *p);
/* After store_open(): ids go on above the last one given out, time where it stands.
 * Errors: GD_NOMEM, GD_STORE, GD_SYS. */
GD_NODISCARD enum gd_err pool_use_store(struct pool *p, struct store *s, struct gd_error *why);
/* Starts loops 1 and up; the caller then runs loop 0 with loop_run(). Errors: GD_SYS, and those that
 * were started run on. */
GD_NODISCARD enum gd_err pool_start(struct pool *p, struct gd_error *why);
/* On the main thread, after loop 0 has returned: ends the others. */
void                     pool_stop(struct pool *p);
/* After store_stop(): the commits that came last reach whoever waits for them. */
void                     pool_drain(struct pool *p);

/* Any thread. */
static inline struct loop *pool_loop(struct pool *p, uint32_t index)
{
	return &p->at[index].loop;
}
static inline struct loop *pool_loop_of(struct pool *p, uint64_t job)
{
	return &p->at[job % p->count].loop;
}
uint64_t pool_take_id(struct pool *p, uint32_t loop);
uint64_t pool_job_count(const struct pool *p); /* with those that are still to be replayed */
/* Of its kind; borrowed. */
struct semaphores *pool_semaphores(const struct pool *p, enum semaphore_kind kind);
/* For store_config: on the writer thread. */
gd_nsec            pool_time(void *pool);
void               pool_on_commit(void *pool, struct store_commit *c);
void               pool_on_full(void *pool, const struct gd_error *why);

/* True when every loop has answered since the last call and the writer has moved; asks again.
 * Main thread. */
bool           pool_is_alive(struct pool *p);
/* A loop has told everybody that the last commit is unknown; the last one to do so ends the
 * process. */
void           pool_lose(struct pool *p, const struct gd_error *why);
/* What nobody can go on from: logs and ends the process, so that recovery decides. */
_Noreturn void pool_die(const char *event, const struct gd_error *why);

#endif
