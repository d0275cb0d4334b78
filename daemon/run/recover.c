#include "daemon/run/recover.h"

#include "daemon/log.h"
#include "daemon/run/children.h"
#include "daemon/run/replay.h"
#include "daemon/run/semaphores.h"
#include "proto/base/check.h"
#include "proto/base/failpoint.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE_JOBS 256u          /* about a millisecond of the writer's time */
#define PAGE_BYTES (256u << 10) /* the same, for jobs with long journals */
#define SLICE_NSEC (2 * GD_NSEC_PER_MSEC)

/* What waits for a job; as many as there are requests in flight that need one. */
struct deferred {
	uint64_t          job;
	struct inbox_msg *msg;
};

struct recovery {
	uint64_t           before; /* ids from here on are of this life */
	uint64_t           passed; /* ids up to this one were replayed, or are over */
	struct loop_read  *page;   /* being replayed; owned */
	uint32_t           next;   /* row of it */
	struct loop_read  *ahead;  /* the page behind it; owned */
	uint64_t           after;  /* where to read on */
	bool               is_reading;
	bool               is_last_read; /* there is nothing behind what was read */
	bool               is_mine_done;
	bool               is_cut;
	struct deferred   *waiting; /* owned, in the order in which they came */
	uint32_t           waiting_count;
	uint32_t           waiting_room;
	uint64_t           soonest; /* the lowest job that somebody waits for */
	struct outbox_item durable; /* what came of all replays */
	struct inbox_msg   turn;    /* it is this loop's turn */
	struct inbox_msg   over;    /* for all loops */
};

static gd_nsec monotonic(void)
{
	struct timespec now;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (gd_nsec)now.tv_sec * GD_NSEC_PER_SEC + now.tv_nsec;
}

/* Damage was found when others were served already: the process ends, with an exit code after which
 * nobody starts it again as it is. */
static _Noreturn void give_up(const struct gd_error *why)
{
	if (why->code != GD_STORE)
		pool_die("recover.failed", why);
	log_error("recover.failed", "%s", why->text);
	_exit(POOL_EXIT_DAMAGED);
}

/* --- what waits --- */

static bool is_missing(const struct recovery *r, uint64_t job)
{
	return job == RECOVER_ALL || (job > r->passed && job < r->before);
}

bool recover_was_cut(const struct loop *l, uint64_t job)
{
	return l->recovery != NULL && l->recovery->is_cut && is_missing(l->recovery, job);
}

bool recover_defers(struct loop *l, uint64_t job, struct inbox_msg *m)
{
	struct recovery *r = l->recovery;

	if (r == NULL || r->is_cut || !is_missing(r, job))
		return false;
	if (r->waiting_count == r->waiting_room) {
		uint32_t         room = r->waiting_room == 0 ? 16 : r->waiting_room * 2;
		struct deferred *at = realloc(r->waiting, room * sizeof *at);
		struct gd_error  why;

		if (at == NULL) {
			(void)gd_fail(&why, GD_NOMEM, "%u wait for jobs to be replayed",
			              (unsigned)r->waiting_count);
			pool_die("loop.no_memory", &why);
		}
		r->waiting = at;
		r->waiting_room = room;
	}
	r->waiting[r->waiting_count++] = (struct deferred){ job, m };
	if (job < r->soonest)
		r->soonest = job;
	return true;
}

/* Lets go, in order, who waits no longer for anything; a message that runs may wait again. */
static void serve_waiting(struct loop *l)
{
	struct recovery *r = l->recovery;
	struct deferred *waiting = r->waiting;
	uint32_t         count = r->waiting_count;

	r->waiting = NULL;
	r->waiting_count = r->waiting_room = 0;
	r->soonest = UINT64_MAX;
	for (uint32_t i = 0; i < count; i++)
		if (!recover_defers(l, waiting[i].job, waiting[i].msg))
			waiting[i].msg->run(l, waiting[i].msg);
	free(waiting);
}

/* --- the end --- */

static void take_over(struct loop *l, struct inbox_msg *m)
{
	struct pool     *p = l->pool;
	struct deferred *waiting = l->recovery->waiting;
	uint32_t         count = l->recovery->waiting_count;

	(void)m;
	if (l->is_stopping)
		return; /* recover_cut() sees to it */
	/* Loops tell each other, by grants, of what has happened; none may be behind what any of
	 * them was told before the restart. */
	loop_reach(l, atomic_load(&p->recovery.latest));
	l->recovery->waiting = NULL;
	recover_close(l);
	if (l->effects.recovered != NULL)
		l->effects.recovered(l->effects.ctx);
	for (uint32_t i = 0; i < count; i++)
		waiting[i].msg->run(l, waiting[i].msg);
	free(waiting);
	children_recovered(l);
	l->is_busy = true; /* the next turn looks what is overdue */
}

/* On the thread of the last loop that came to its end. */
static void end_all(struct pool *p)
{
	struct gd_error why;

	store_replay_over(p->store);
	p->recovery.resumed = clock_time(p->clock);
	/* The grants that follow arrive behind the word that it is over. */
	for (uint32_t i = 0; i < p->count; i++) {
		struct loop *l = pool_loop(p, i);

		l->recovery->over.run = take_over;
		loop_post_answer(l, &l->recovery->over);
	}
	if (semaphores_start(p->semaphores, &why) != GD_OK ||
	    (p->slots != NULL && semaphores_start(p->slots, &why) != GD_OK))
		give_up(&why);
	log_info("daemon.recovered", "jobs=%" PRIu64 " msec=%" PRId64, p->recovery.total,
	         (monotonic() - p->recovery.began) / GD_NSEC_PER_MSEC);
	atomic_store(&p->recovery.left, 0);
	atomic_store(&p->recovery.is_over, true);
	GD_FAILPOINT("run.all_replayed");
}

static void take_turn(struct loop *l, struct inbox_msg *m)
{
	(void)m;
	l->recovery->is_reading = false;
	l->is_busy = true;
}

static void release_durable(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	struct pool *p = l->pool;
	gd_nsec      now, latest;

	(void)item;
	if (outcome != GD_OK)
		return; /* the process ends */
	now = loop_now(l);
	latest = atomic_load(&p->recovery.latest);
	while (latest < now && !atomic_compare_exchange_weak(&p->recovery.latest, &latest, now))
		;
	if (p->recovery.is_serial && l->index + 1 < p->count) {
		struct loop *next = pool_loop(p, l->index + 1);

		next->recovery->turn.run = take_turn;
		loop_post_answer(next, &next->recovery->turn);
	}
	if (atomic_fetch_sub(&p->recovery.loops_left, 1) == 1)
		end_all(p);
}

static void end_mine(struct loop *l)
{
	struct recovery *r = l->recovery;
	struct gd_error  why;

	r->is_mine_done = true;
	r->passed = r->before;
	r->durable.release = release_durable;
	if (loop_when_durable(l, &r->durable) != GD_OK) {
		(void)gd_fail(&why, GD_NOMEM, "no memory for the end of the recovery");
		give_up(&why);
	}
}

/* --- pages --- */

static void take_page(struct loop *l, struct loop_read *read, void *ctx)
{
	struct recovery *r = l->recovery;

	(void)ctx;
	if (r == NULL || r->is_cut) {
		store_read_free(&read->read);
		return;
	}
	if (read->read.outcome != GD_OK)
		give_up(&read->read.why);
	r->is_reading = false;
	r->after = read->read.next_after;
	r->is_last_read = r->after == 0;
	if (r->page == NULL)
		r->page = read;
	else
		r->ahead = read;
	l->is_busy = true;
}

static void read_on(struct loop *l)
{
	struct recovery  *r = l->recovery;
	struct loop_read *read;
	struct gd_error   why;

	if (r->is_reading || r->is_last_read || r->ahead != NULL || l->is_stopping)
		return;
	if ((read = loop_read_new(READ_LIVE)) == NULL) {
		(void)gd_fail(&why, GD_NOMEM, "no memory to read jobs");
		give_up(&why);
	}
	read->read.after = r->after;
	read->read.job = r->before;
	read->read.part = l->index;
	read->read.parts = l->pool->count;
	read->read.limit = PAGE_JOBS;
	read->read.bytes_max = PAGE_BYTES;
	r->is_reading = true;
	loop_read_start(l, read, take_page, NULL);
}

static void replay_next(struct loop *l)
{
	struct recovery         *r = l->recovery;
	const struct store_read *page = &r->page->read;
	struct gd_error          why;

	if (r->next < page->live_count) {
		const struct store_live *stored = &page->live[r->next++];

		if (replay_job(l, stored, &why) != GD_OK)
			give_up(&why);
		r->passed = stored->job.id;
		(void)atomic_fetch_sub(&l->pool->recovery.left, 1);
		return;
	}
	store_read_free(&r->page->read);
	r->page = r->ahead;
	r->ahead = NULL;
	r->next = 0;
	read_on(l);
}

bool recover_slice(struct loop *l)
{
	struct recovery *r = l->recovery;
	const gd_nsec    end = monotonic() + SLICE_NSEC;

	if (r->is_mine_done || r->is_cut)
		return false;
	read_on(l);
	/* What was replayed may have put out more than the disk takes; a commit wakes us then. */
	while (r->page != NULL && !loop_is_ahead(l) && monotonic() < end &&
	       !GD_FAILPOINT_HOLDS("run.recovery"))
		replay_next(l);
	if (r->page == NULL && r->is_last_read)
		end_mine(l);
	if (r->soonest <= r->passed)
		serve_waiting(l);
	return r->page != NULL && !loop_is_ahead(l);
}

/* --- life --- */

static enum gd_err take_semaphore(void *table, struct text name, uint32_t permits,
                                  struct gd_error *why)
{
	enum gd_err rc = semaphores_begin_put(table, name, permits, why);

	if (rc == GD_OK)
		semaphores_put(table, name, permits, 0, NULL);
	return rc;
}

enum gd_err recover_open(struct pool *p, struct gd_error *why)
{
	enum gd_err rc =
		store_each_semaphore(p->store, SEMAPHORE_PLAIN, take_semaphore, p->semaphores, why);

	if (rc == GD_OK && p->slots != NULL)
		rc = store_each_semaphore(p->store, SEMAPHORE_POOL, take_semaphore, p->slots, why);
	for (uint32_t i = 0; i < p->count && rc == GD_OK; i++) {
		struct recovery *r = calloc(1, sizeof *r);

		if (r == NULL)
			return gd_fail(why, GD_NOMEM, "no memory for the recovery");
		r->before = store_next_job_id(p->store);
		r->soonest = UINT64_MAX;
		pool_loop(p, i)->recovery = r;
	}
	p->recovery.total = store_live_count(p->store);
	atomic_init(&p->recovery.left, p->recovery.total);
	return rc;
}

void recover_begin(struct pool *p)
{
	p->recovery.began = monotonic();
	p->recovery.is_serial = store_replay_is_suspect(p->store);
	atomic_init(&p->recovery.latest, INT64_MIN);
	atomic_init(&p->recovery.loops_left, p->count);
	for (uint32_t i = 0; i < p->count; i++) {
		struct loop *l = pool_loop(p, i);

		l->is_busy = true;
		/* Whoever has to wait for its turn looks as if it read until then. */
		l->recovery->is_reading = p->recovery.is_serial && i != 0;
	}
}

uint64_t recover_left(const struct pool *p)
{
	uint64_t left = atomic_load(&p->recovery.left);

	if (p->recovery.began == 0 || atomic_load(&p->recovery.is_over))
		return 0;
	return left == 0 ? 1 : left; /* what came of the last one is not durable yet */
}

void recover_cut(struct loop *l)
{
	if (l->recovery == NULL)
		return;
	l->recovery->is_cut = true;
	serve_waiting(l);
}

void recover_close(struct loop *l)
{
	struct recovery *r = l->recovery;

	if (r == NULL)
		return;
	if (r->page != NULL)
		store_read_free(&r->page->read);
	if (r->ahead != NULL)
		store_read_free(&r->ahead->read);
	free(r->waiting);
	free(r);
	l->recovery = NULL;
}
