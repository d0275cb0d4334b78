/*
 * writer.c - the thread that owns the database: take all that has come, commit, report, answer.
 *
 * Groups and reads wait in two lists. A round takes both, commits all the groups, then answers the
 * reads: so a read sees every group that was handed in before it (and perhaps a few more), and
 * reads never split what one sync could cover. Only while the disk is full are reads answered
 * before the groups that wait for room.
 */
#include "daemon/store/inside.h"

#include "proto/base/check.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define ROOM_WAIT_MSEC 2       /* before the second try on a full disk; doubled with each one ... */
#define ROOM_WAIT_MSEC_MAX 250 /* ... up to this */

/* Pages that a backup copies at once: what comes meanwhile waits for as long. */
#define BACKUP_PAGES_IDLE 128
#define BACKUP_PAGES_BUSY 16

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

static gd_nsec monotonic(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * GD_NSEC_PER_SEC + now.tv_nsec;
}

static struct timespec in_a_while(int64_t msec)
{
	struct timespec until;
	int64_t         nsec;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	nsec = until.tv_nsec + msec * GD_NSEC_PER_MSEC;
	until.tv_sec += nsec / GD_NSEC_PER_SEC;
	until.tv_nsec = nsec % GD_NSEC_PER_SEC;
	return until;
}

/* Under the lock. True: nothing came in all that time. */
static bool wait_a_while(struct queue *q, int64_t msec)
{
	const struct timespec until = in_a_while(msec);

	return pthread_cond_timedwait(&q->changed, &q->lock, &until) == ETIMEDOUT;
}

static bool is_backing_up(const struct store *s)
{
	return s->failure.code == GD_OK && backup_is_copying(&s->backup);
}

/* Under the lock, which is open meanwhile. */
static void use_the_wait(struct store *s)
{
	struct queue *q = &s->queue;

	if (!is_backing_up(s) && !wait_a_while(q, upkeep_wait_msec(s)))
		return;
	(void)pthread_mutex_unlock(&q->lock);
	if (is_backing_up(s))
		backup_copy(&s->backup, &s->dir, BACKUP_PAGES_IDLE);
	else
		upkeep_when_idle(s);
	(void)pthread_mutex_lock(&q->lock);
}

/* Waits for work, and uses the wait. False: stopped, and nothing is left. */
static bool take_round(struct store *s, struct round *out)
{
	struct queue *q = &s->queue;

	(void)pthread_mutex_lock(&q->lock);
	while (!has_work(q) && !q->is_stopping) {
		beat(s);
		use_the_wait(s);
	}
	*out = (struct round){ q->first_group, q->first_read };
	q->first_group = q->last_group = NULL;
	q->first_read = q->last_read = NULL;
	(void)pthread_mutex_unlock(&q->lock);
	return out->groups != NULL || out->reads != NULL;
}

/* Cuts the next transaction's worth off the list: whole groups, at least one. */
static struct store_group *cut(struct store_group **list, uint64_t *records, size_t *bytes)
{
	struct store_group *first = *list;
	struct store_group *last = first;

	*bytes = first->arena.bytes;
	*records = first->count;
	while (last->next != NULL && *records + last->next->count <= TRANSACTION_RECORDS_MAX &&
	       *bytes + last->next->arena.bytes <= TRANSACTION_BYTES_MAX) {
		last = last->next;
		*records += last->count;
		*bytes += last->arena.bytes;
	}
	*list = last->next;
	last->next = NULL;
	return first;
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

/* True: it is time to try again. False: the store is stopping. */
static bool serve_reads_a_while(struct store *s, int64_t msec)
{
	const struct timespec until = in_a_while(msec);
	struct queue         *q = &s->queue;
	struct store_read    *reads;
	bool                  is_time = false;
	bool                  is_stopping;

	(void)pthread_mutex_lock(&q->lock);
	while (!is_time && !q->is_stopping) {
		is_time = pthread_cond_timedwait(&q->changed, &q->lock, &until) == ETIMEDOUT;
		reads = q->first_read;
		q->first_read = q->last_read = NULL;
		(void)pthread_mutex_unlock(&q->lock);
		answer_all(s, reads);
		beat(s);
		(void)pthread_mutex_lock(&q->lock);
	}
	is_stopping = q->is_stopping;
	(void)pthread_mutex_unlock(&q->lock);
	return !is_stopping;
}

static void say_full(struct store *s, const struct gd_error *why)
{
	atomic_store(&s->is_full, why != NULL);
	if (s->on_full != NULL)
		s->on_full(s->ctx, why);
}

/* Whoever built these groups has gone on from what is in them, so they cannot be refused any more:
 * they are kept, and tried again until there is room. What comes meanwhile stands in line behind
 * them. */
static void wait_for_room(struct store *s, struct store_commit *c)
{
	int64_t msec = ROOM_WAIT_MSEC;

	say_full(s, &c->why);
	while (c->outcome == GD_UNAVAILABLE && serve_reads_a_while(s, msec)) {
		commit_groups(s, c);
		if (msec < ROOM_WAIT_MSEC_MAX)
			msec *= 2;
	}
	if (c->outcome == GD_UNAVAILABLE) { /* stopping: once more, then never */
		commit_groups(s, c);
		if (c->outcome == GD_UNAVAILABLE) {
			s->failure = c->why;
			c->outcome = GD_DURABILITY_UNKNOWN;
		}
	}
	if (c->outcome == GD_OK)
		say_full(s, NULL);
	atomic_store(&s->is_full, false);
}

static void commit_some(struct store *s, struct round *round)
{
	uint64_t             records;
	size_t               bytes;
	struct store_commit *c = group_commit(cut(&round->groups, &records, &bytes));

	commit_groups(s, c);
	if (c->outcome == GD_UNAVAILABLE) {
		answer_all(s, round->reads);
		round->reads = NULL;
		wait_for_room(s, c);
	}
	(void)atomic_fetch_sub(&s->queued, records);
	s->on_commit(s->ctx, c); /* c may be gone when this returns */
	upkeep_when_busy(s, records, bytes);
	beat(s);
}

static void *writer_main(void *arg)
{
	struct store *s = arg;
	struct round  round;
	gd_nsec       busy_at = 0; /* when something was written, or upkeep done */

	while (take_round(s, &round)) {
		if (round.groups != NULL)
			busy_at = monotonic();
		while (round.groups != NULL)
			commit_some(s, &round);
		answer_all(s, round.reads);
		if (is_backing_up(s))
			backup_copy(&s->backup, &s->dir, BACKUP_PAGES_BUSY);
		/* Reads alone are no reason to put off what is due: a step now and then. */
		if (monotonic() - busy_at >= UPKEEP_QUIET_MSEC * GD_NSEC_PER_MSEC) {
			upkeep_when_idle(s);
			busy_at = monotonic();
		}
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
	output_start(&s->output);
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
	(void)pthread_mutex_unlock(&q->lock);
	(void)pthread_cond_signal(&q->changed); /* who wakes up finds the lock free */
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
	(void)pthread_mutex_unlock(&q->lock);
	(void)pthread_cond_signal(&q->changed);
}

bool store_is_full(const struct store *s)
{
	return atomic_load(&s->is_full);
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
	output_stop(&s->output); /* it may be waiting for an answer */
	(void)pthread_mutex_lock(&s->queue.lock);
	s->queue.is_stopping = true;
	(void)pthread_cond_signal(&s->queue.changed);
	(void)pthread_mutex_unlock(&s->queue.lock);
	CHECK(pthread_join(s->thread, NULL) == 0);
	queue_close(&s->queue);
	s->is_started = false;
}
