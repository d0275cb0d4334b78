#include "daemon/effect/thread_pool.h"

#include "proto/base/check.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct thread_pool {
	pthread_mutex_t     mutex;
	pthread_cond_t      has_work; /* for idle threads */
	pthread_cond_t      is_quiet; /* for whoever stops it; by CLOCK_MONOTONIC */
	struct thread_task *first;    /* all from here on is guarded by mutex */
	struct thread_task *last;
	uint32_t            waiting;
	uint32_t            running;   /* from the beginning of `work` to the end of `done` */
	uint32_t            telling;   /* in `done` */
	uint32_t            threads;   /* that have not ended */
	uint32_t            idle;      /* asleep, or about to wake */
	bool                is_waking; /* one of the idle ones was called and is not there yet */
	bool                is_stopping;
	bool                is_silent; /* no `done` begins any more */
	bool                is_closed; /* the last thread frees the pool */
	uint32_t            count; /* of `at`; not guarded: only whoever opens and closes looks */
	pthread_t           at[];
};

/* --- the lock --- */

static void lock(struct thread_pool *p)
{
	CHECK(pthread_mutex_lock(&p->mutex) == 0);
}

static void unlock(struct thread_pool *p)
{
	CHECK(pthread_mutex_unlock(&p->mutex) == 0);
}

/* One idle thread at a time: it wakes the next one if there is more. */
static void wake_one(struct thread_pool *p)
{
	if (p->idle == 0 || p->is_waking)
		return;
	p->is_waking = true;
	CHECK(pthread_cond_signal(&p->has_work) == 0);
}

/* --- the queue --- */

static void take_out(struct thread_pool *p, struct thread_task *t)
{
	if (t->prev == NULL)
		p->first = t->next;
	else
		t->prev->next = t->next;
	if (t->next == NULL)
		p->last = t->prev;
	else
		t->next->prev = t->prev;
	t->is_waiting = false;
	p->waiting--;
}

void thread_pool_run(struct thread_pool *p, struct thread_task *t)
{
	lock(p);
	t->next = NULL;
	t->prev = p->last;
	t->is_waiting = true;
	if (p->last == NULL)
		p->first = t;
	else
		p->last->next = t;
	p->last = t;
	p->waiting++;
	if (!p->is_stopping)
		wake_one(p);
	unlock(p);
}

bool thread_pool_recall(struct thread_pool *p, struct thread_task *t)
{
	bool was_waiting;

	lock(p);
	was_waiting = t->is_waiting;
	if (was_waiting)
		take_out(p, t);
	unlock(p);
	return was_waiting;
}

struct thread_pool_counts thread_pool_count(struct thread_pool *p)
{
	struct thread_pool_counts c;

	lock(p);
	c = (struct thread_pool_counts){ p->threads, p->running, p->waiting };
	unlock(p);
	return c;
}

/* --- its threads --- */

static void destroy(struct thread_pool *p)
{
	(void)pthread_cond_destroy(&p->is_quiet);
	(void)pthread_cond_destroy(&p->has_work);
	(void)pthread_mutex_destroy(&p->mutex);
	free(p);
}

/* What ends after the stop has no owner left. */
static void tell(struct thread_pool *p, struct thread_task *t)
{
	if (p->is_silent)
		return;
	p->telling++;
	unlock(p);
	t->done(t);
	lock(p);
	p->telling--;
}

/* Locked before and after, but not while the task's own functions run. */
static void run_first(struct thread_pool *p)
{
	struct thread_task *t = p->first;

	take_out(p, t);
	p->running++;
	if (p->first != NULL)
		wake_one(p);
	unlock(p);
	t->work(t);
	lock(p);
	tell(p, t);
	p->running--;
	if (p->is_stopping)
		CHECK(pthread_cond_signal(&p->is_quiet) == 0);
}

static void wait_for_work(struct thread_pool *p)
{
	p->idle++;
	CHECK(pthread_cond_wait(&p->has_work, &p->mutex) == 0);
	p->idle--;
	p->is_waking = false;
}

static void *thread_main(void *ctx)
{
	struct thread_pool *p = ctx;
	bool                is_last;

	lock(p);
	while (!p->is_stopping) {
		if (p->first != NULL)
			run_first(p);
		else
			wait_for_work(p);
	}
	p->threads--;
	is_last = p->threads == 0 && p->is_closed;
	unlock(p);
	if (is_last)
		destroy(p);
	return NULL;
}

/* A number of errno. Those that were started are counted. */
static int start_threads(struct thread_pool *p, uint32_t count)
{
	pthread_attr_t attr;
	sigset_t       all, before;
	int            sys = pthread_attr_init(&attr);

	if (sys != 0)
		return sys;
	CHECK(pthread_attr_setstacksize(&attr, THREAD_POOL_STACK_BYTES) == 0);
	CHECK(sigfillset(&all) == 0 && pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	lock(p); /* they begin when all are counted */
	while (p->count < count && sys == 0) {
		sys = pthread_create(&p->at[p->count], &attr, thread_main, p);
		if (sys == 0)
			p->count++;
	}
	p->threads = p->count;
	unlock(p);
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	(void)pthread_attr_destroy(&attr);
	return sys;
}

/* --- the whole --- */

static void init_locks(struct thread_pool *p)
{
	pthread_condattr_t monotonic;

	CHECK(pthread_condattr_init(&monotonic) == 0);
	CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_mutex_init(&p->mutex, NULL) == 0);
	CHECK(pthread_cond_init(&p->has_work, NULL) == 0);
	CHECK(pthread_cond_init(&p->is_quiet, &monotonic) == 0);
	(void)pthread_condattr_destroy(&monotonic);
}

enum gd_err thread_pool_open(uint32_t threads, struct thread_pool **out, struct gd_error *why)
{
	const size_t        bytes = sizeof(struct thread_pool) + threads * sizeof(pthread_t);
	struct thread_pool *p = calloc(1, bytes);
	int                 sys;

	CHECK(threads >= 1 && threads <= THREAD_POOL_THREADS_MAX);
	if (p == NULL)
		return gd_fail(why, GD_NOMEM, "thread pool: %zu bytes", bytes);
	init_locks(p);
	sys = start_threads(p, threads);
	if (sys != 0) {
		(void)thread_pool_stop(p, 0);
		thread_pool_close(p);
		return gd_fail_sys(why, sys, "thread pool: no %u threads", threads);
	}
	*out = p;
	return GD_OK;
}

static struct timespec in(gd_nsec patience)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	t.tv_sec += patience / GD_NSEC_PER_SEC;
	t.tv_nsec += patience % GD_NSEC_PER_SEC;
	if (t.tv_nsec >= GD_NSEC_PER_SEC) {
		t.tv_nsec -= GD_NSEC_PER_SEC;
		t.tv_sec++;
	}
	return t;
}

uint32_t thread_pool_stop(struct thread_pool *p, gd_nsec patience)
{
	struct timespec until = in(patience);
	uint32_t        running;
	int             sys = 0;

	lock(p);
	p->is_stopping = true;
	CHECK(pthread_cond_broadcast(&p->has_work) == 0);
	while (p->running > 0 && sys != ETIMEDOUT)
		sys = pthread_cond_timedwait(&p->is_quiet, &p->mutex, &until);
	p->is_silent = true;
	while (p->telling > 0)
		CHECK(pthread_cond_wait(&p->is_quiet, &p->mutex) == 0);
	running = p->running;
	unlock(p);
	return running;
}

/* Those that run go on alone, and so do the others, which are about to end. */
static bool let_go(struct thread_pool *p)
{
	bool has_running;

	lock(p);
	CHECK(p->is_silent);
	has_running = p->running > 0;
	for (uint32_t i = 0; i < p->count && has_running; i++)
		CHECK(pthread_detach(p->at[i]) == 0);
	p->is_closed = has_running;
	unlock(p);
	return has_running;
}

void thread_pool_close(struct thread_pool *p)
{
	if (p == NULL || let_go(p))
		return;
	for (uint32_t i = 0; i < p->count; i++)
		CHECK(pthread_join(p->at[i], NULL) == 0);
	destroy(p);
}
