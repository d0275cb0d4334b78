/*
 * writer.c - the thread that owns the database: take all that has come, commit, report, answer.
 *
 * Groups and reads wait in two lists. A round takes both, commits all the groups, then answers the
 * reads: so a read sees every group that was handed in before it (and perhaps a few more), and
 * reads never split what one sync could cover.
 */
#include "daemon/store/inside.h"

#include "proto/base/check.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define IDLE_WAIT_MSEC 1000 /* then the heartbeat shows that we live */
#define UPKEEP_WAIT_MSEC 30 /* this long without work is a quiet moment */

struct round {
	struct store_group *groups;
	struct store_read  *reads;
};

static void beat(struct store *s)
{
	(void)atomic_fetch_add_explicit(&s->heartbeat, 1, memory_order_relaxed);
}

static bool has_work(const struct queue *q)
{
	return q->first_group != NULL || q->first_read != NULL;
}

/* Under the lock. True: nothing came in all that time. */
static bool wait_a_while(struct queue *q, int64_t msec)
{
	struct timespec until;
	int64_t         nsec;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	nsec = until.tv_nsec + msec * GD_NSEC_PER_MSEC;
	until.tv_sec += nsec / GD_NSEC_PER_SEC;
	until.tv_nsec = nsec % GD_NSEC_PER_SEC;
	return pthread_cond_timedwait(&q->changed, &q->lock, &until) == ETIMEDOUT;
}

/* Waits for work, and uses the wait. False: stopped, and nothing is left. */
static bool take_round(struct store *s, struct round *out)
{
	struct queue *q = &s->queue;

	(void)pthread_mutex_lock(&q->lock);
	while (!has_work(q) && !q->is_stopping) {
		beat(s);
		if (!wait_a_while(q, upkeep_is_due(s) ? UPKEEP_WAIT_MSEC : IDLE_WAIT_MSEC))
			continue;
		(void)pthread_mutex_unlock(&q->lock);
		upkeep_when_idle(s);
		(void)pthread_mutex_lock(&q->lock);
	}
	*out = (struct round){ q->first_group, q->first_read };
	q->first_group = q->last_group = NULL;
	q->first_read = q->last_read = NULL;
	(void)pthread_mutex_unlock(&q->lock);
	return out->groups != NULL || out->reads != NULL;
}

/* Cuts the next transaction's worth off the list: whole groups, at least one. */
static struct store_group *cut(struct store_group **list, uint64_t *records)
{
	struct store_group *first = *list;
	struct store_group *last = first;
	size_t              bytes = first->arena.bytes;

	*records = first->count;
	while (last->next != NULL && *records + last->next->count <= TRANSACTION_RECORDS_MAX &&
	       bytes + last->next->arena.bytes <= TRANSACTION_BYTES_MAX) {
		last = last->next;
		*records += last->count;
		bytes += last->arena.bytes;
	}
	*list = last->next;
	last->next = NULL;
	return first;
}

static void commit_some(struct store *s, struct store_group **groups)
{
	uint64_t             records;
	struct store_commit *c = group_commit(cut(groups, &records));

	commit_groups(s, c);
	(void)atomic_fetch_sub(&s->queued, records);
	s->on_commit(s->ctx, c); /* c may be gone when this returns */
	upkeep_when_busy(s);
	beat(s);
}

static void answer_all(struct store *s, struct store_read *reads)
{
	struct store_read *next;

	for (struct store_read *r = reads; r != NULL; r = next) {
		next = r->next;
		r->next = NULL;
		read_answer(s, r);
		beat(s);
	}
}

static void *writer_main(void *arg)
{
	struct store *s = arg;
	struct round  round;

	while (take_round(s, &round)) {
		while (round.groups != NULL)
			commit_some(s, &round.groups);
		answer_all(s, round.reads);
	}
	return NULL;
}

static enum gd_err queue_open(struct queue *q, struct gd_error *why)
{
	pthread_condattr_t attributes;
	int                failed = pthread_condattr_init(&attributes);

	if (failed != 0)
		return gd_fail_sys(why, failed, "store: condition");
	failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	if (failed == 0)
		failed = pthread_cond_init(&q->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	if (failed != 0)
		return gd_fail_sys(why, failed, "store: condition");
	failed = pthread_mutex_init(&q->lock, NULL);
	if (failed == 0)
		return GD_OK;
	(void)pthread_cond_destroy(&q->changed);
	return gd_fail_sys(why, failed, "store: lock");
}

static void queue_close(struct queue *q)
{
	(void)pthread_mutex_destroy(&q->lock);
	(void)pthread_cond_destroy(&q->changed);
}

/* Signals are for the main thread. */
static int start_thread(struct store *s)
{
	sigset_t all;
	sigset_t before;
	int      failed;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&s->thread, NULL, writer_main, s);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed;
}

enum gd_err store_start(struct store *s, struct gd_error *why)
{
	enum gd_err rc = queue_open(&s->queue, why);
	int         failed;

	if (rc != GD_OK)
		return rc;
	failed = start_thread(s);
	if (failed != 0) {
		queue_close(&s->queue);
		return gd_fail_sys(why, failed, "store: thread");
	}
	s->is_started = true;
	return GD_OK;
}

void store_submit(struct store *s, struct store_group *g)
{
	struct queue *q = &s->queue;

	g->next = NULL;
	(void)atomic_fetch_add(&s->queued, g->count);
	(void)pthread_mutex_lock(&q->lock);
	CHECK(!q->is_stopping);
	if (q->last_group == NULL)
		q->first_group = g;
	else
		q->last_group->next = g;
	q->last_group = g;
	(void)pthread_cond_signal(&q->changed);
	(void)pthread_mutex_unlock(&q->lock);
}

void store_read(struct store *s, struct store_read *r)
{
	struct queue *q = &s->queue;

	r->next = NULL;
	(void)pthread_mutex_lock(&q->lock);
	CHECK(!q->is_stopping);
	if (q->last_read == NULL)
		q->first_read = r;
	else
		q->last_read->next = r;
	q->last_read = r;
	(void)pthread_cond_signal(&q->changed);
	(void)pthread_mutex_unlock(&q->lock);
}

uint64_t store_queued(const struct store *s)
{
	return atomic_load(&s->queued);
}

uint64_t store_heartbeat(const struct store *s)
{
	return atomic_load_explicit(&s->heartbeat, memory_order_relaxed);
}

void store_stop(struct store *s)
{
	if (!s->is_started)
		return;
	(void)pthread_mutex_lock(&s->queue.lock);
	s->queue.is_stopping = true;
	(void)pthread_cond_signal(&s->queue.changed);
	(void)pthread_mutex_unlock(&s->queue.lock);
	CHECK(pthread_join(s->thread, NULL) == 0);
	queue_close(&s->queue);
	s->is_started = false;
}
