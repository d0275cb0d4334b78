#include "daemon/run/pool.h"

#include "daemon/log.h"
#include "daemon/run/commit.h"
#include "daemon/run/loop_names.h"
#include "daemon/run/permits.h"
#include "daemon/run/recover.h"
#include "daemon/run/semaphores.h"
#include "proto/base/check.h"
#include "proto/base/failpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct semaphores *pool_semaphores(const struct pool *p, enum semaphore_kind kind)
{
	switch (kind) {
	case SEMAPHORE_PLAIN:
		return p->semaphores;
	case SEMAPHORE_POOL:
		return p->slots;
	}
	CHECK_NEVER("pool_semaphores: unknown kind");
}

enum gd_err pool_open(uint32_t loops, struct pool **out, struct gd_error *why)
{
	struct pool *p;
	enum gd_err  rc;

	CHECK(loops >= 1 && loops <= POOL_LOOPS_MAX);
	if ((p = calloc(1, sizeof *p)) == NULL)
		return gd_fail(why, GD_NOMEM, "pool: %zu bytes", sizeof *p);
	if ((rc = clock_open(&clock_of_system, &p->clock, why)) != GD_OK ||
	    (rc = loop_names_open(&p->names, why)) != GD_OK ||
	    (rc = semaphores_open(1, permits_grant, p, &p->semaphores, why)) != GD_OK) {
		loop_names_close(p->names);
		clock_close(p->clock);
		free(p);
		return rc;
	}
	for (p->count = 0; p->count < loops; p->count++) {
		rc = loop_init(&p->at[p->count].loop, p->count, p, why);
		if (rc != GD_OK) {
			pool_close(p);
			return rc;
		}
	}
	*out = p;
	return GD_OK;
}

void pool_close(struct pool *p)
{
	for (uint32_t i = 0; i < p->count; i++)
		loop_close(&p->at[i].loop);
	semaphores_close(p->semaphores);
	loop_names_close(p->names);
	clock_close(p->clock);
	free(p);
}

/* All that is stored is of a moment before the one that this gives. */
static enum gd_err start_clock(struct pool *p, struct gd_error *why)
{
	struct store_clock next;
	enum gd_err        rc = clock_start(p->clock, store_clock(p->store), &next, why);

	if (rc == GD_OK)
		rc = store_put_clock(p->store, &next, why);
	for (uint32_t i = 0; rc == GD_OK && i < p->count; i++)
		rc = loop_take_stored_steps(&p->at[i].loop, why);
	p->started = clock_time(p->clock);
	return rc;
}

static enum gd_err take_name(void *names, struct text name, uint32_t index, struct gd_error *why)
{
	return loop_names_add(names, name, index, why);
}

enum gd_err pool_use_store(struct pool *p, struct store *s, struct gd_error *why)
{
	uint64_t    next = store_next_job_id(s);
	enum gd_err rc = store_each_loop(s, take_name, p->names, why);

	if (rc != GD_OK)
		return rc;
	p->store = s;
	for (uint32_t i = 0; i < p->count; i++) {
		uint64_t behind = (i + p->count - next % p->count) % p->count;

		atomic_store(&p->at[i].next_id, next + behind);
	}
	return start_clock(p, why);
}

gd_nsec pool_time(void *pool)
{
	return clock_time(((struct pool *)pool)->clock);
}

static void *run_thread(void *ctx)
{
	loop_run(ctx);
	return NULL;
}

enum gd_err pool_start(struct pool *p, struct gd_error *why)
{
	sigset_t    all, before;
	enum gd_err rc = GD_OK;

	/* Signals are the main thread's. */
	CHECK(sigfillset(&all) == 0 && pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	for (uint32_t i = 1; i < p->count && rc == GD_OK; i++) {
		int sys = pthread_create(&p->at[i].thread, NULL, run_thread, &p->at[i].loop);

		if (sys != 0)
			rc = gd_fail_sys(why, sys, "pool: no thread for loop %u", (unsigned)i);
		else
			p->at[i].is_started = true;
	}
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	return rc;
}

static void take_stop(struct loop *l, struct inbox_msg *m)
{
	free(m);
	loop_stop(l);
}

void pool_stop(struct pool *p)
{
	for (uint32_t i = 1; i < p->count; i++) {
		struct inbox_msg *m;

		if (!p->at[i].is_started)
			continue;
		if ((m = calloc(1, sizeof *m)) == NULL)
			pool_die("pool.no_memory", NULL);
		m->run = take_stop;
		loop_post_answer(&p->at[i].loop, m);
		CHECK(pthread_join(p->at[i].thread, NULL) == 0);
		p->at[i].is_started = false;
	}
}

void pool_drain(struct pool *p)
{
	bool is_any = true;

	GD_FAILPOINT("run.stopping");
	/* A message may send another one on; each was asked for before, so this ends. */
	while (is_any) {
		is_any = false;
		for (uint32_t i = 0; i < p->count; i++)
			if (p->at[i].loop.hooks.on_turn_end != NULL)
				is_any = loop_drain(&p->at[i].loop) || is_any;
	}
}

uint64_t pool_take_id(struct pool *p, uint32_t loop)
{
	return atomic_fetch_add(&p->at[loop].next_id, p->count);
}

uint64_t pool_job_count(const struct pool *p)
{
	uint64_t count = recover_left(p);

	for (uint32_t i = 0; i < p->count; i++)
		count += atomic_load_explicit(&p->at[i].loop.job_count, memory_order_relaxed);
	return count;
}

/* Bits 1 << index. */
static uint64_t builders_of(const struct store_commit *c)
{
	uint64_t mask = 0;

	for (const struct store_group *g = c->groups; g != NULL; g = g->next)
		mask |= UINT64_C(1) << g->loop;
	return mask;
}

/* store_seq() has counted this commit in already: whoever begins to listen after our look finds it
 * there. */
void pool_on_commit(void *pool, struct store_commit *c)
{
	struct pool *p = pool;
	uint64_t     hearers = builders_of(c);

	for (uint32_t i = 0; i < p->count; i++)
		if (c->outcome != GD_OK || loop_is_listening(&p->at[i].loop))
			hearers |= UINT64_C(1) << i;
	atomic_store(&c->refs, (unsigned)__builtin_popcountll(hearers));
	for (uint32_t i = 0; i < p->count; i++)
		if ((hearers >> i & 1) != 0)
			commit_post(&p->at[i].loop, c);
}

void pool_on_full(void *pool, const struct gd_error *why)
{
	(void)pool;
	if (why != NULL)
		log_error("store.full",
		          "%s; jobs rest and new ones are refused until there is room", why->text);
	else
		log_info("store.has_room", "jobs go on");
}

static void take_ping(struct loop *l, struct inbox_msg *m)
{
	(void)m;
	atomic_store(&l->pool->at[l->index].is_ping_out, false);
}

bool pool_is_alive(struct pool *p)
{
	uint64_t beat = store_heartbeat(p->store);
	bool     is_alive = beat != p->store_beat;

	p->store_beat = beat;
	for (uint32_t i = 0; i < p->count; i++) {
		if (atomic_load(&p->at[i].is_ping_out)) {
			is_alive = false;
			continue;
		}
		atomic_store(&p->at[i].is_ping_out, true);
		p->at[i].ping.run = take_ping;
		loop_post_answer(&p->at[i].loop, &p->at[i].ping);
	}
	return is_alive;
}

void pool_lose(struct pool *p, const struct gd_error *why)
{
	if (atomic_fetch_add(&p->lost, 1) + 1 < p->count)
		return;
	log_error("store.commit_unknown",
	          "the last commit may or may not have landed: %s; stopping "
	          "so that recovery decides",
	          why->text);
	_exit(POOL_EXIT_LOST);
}

void pool_die(const char *event, const struct gd_error *why)
{
	log_error(event, "%s; stopping, the journal replays",
	          why != NULL ? why->text : "no memory");
	_exit(POOL_EXIT_LOST);
}
