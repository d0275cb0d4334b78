#include "daemon/run/loop.h"

#include "daemon/run/apply.h"
#include "daemon/run/busy.h"
#include "daemon/run/children.h"
#include "daemon/run/inputs.h"
#include "daemon/run/pool.h"
#include "daemon/run/recover.h"
#include "daemon/run/submit.h"
#include "proto/base/check.h"
#include "proto/base/failpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* --- time --- */

/* What depends on a step from here on is stored behind it. */
static void record_step(struct loop *l, struct gd_wall_step step)
{
	struct store_group *g = loop_group(l);
	struct record      *r = g == NULL ? NULL : store_group_add(g, RECORD_CLOCK_STEP, 0);

	if (r == NULL)
		pool_die("loop.no_memory", NULL);
	r->u.clock_step = step;
}

static void take_new_steps(struct loop *l)
{
	struct gd_error why;

	while (l->steps_taken < clock_step_count(l->pool->clock)) {
		struct gd_wall_step step = clock_step(l->pool->clock, l->steps_taken++);

		if (engine_step_wall(l->engine, step, &why) != GD_OK)
			pool_die("loop.no_memory", &why);
		record_step(l, step);
	}
}

enum gd_err loop_take_stored_steps(struct loop *l, struct gd_error *why)
{
	enum gd_err rc = GD_OK;

	for (; rc == GD_OK && l->steps_taken < clock_step_count(l->pool->clock); l->steps_taken++)
		rc = engine_step_wall(l->engine, clock_step(l->pool->clock, l->steps_taken), why);
	return rc;
}

gd_nsec loop_now(struct loop *l)
{
	gd_nsec now = clock_now(l->pool->clock, &l->hand);

	take_new_steps(l);
	return now;
}

void loop_reach(struct loop *l, gd_nsec time)
{
	clock_reach(&l->hand, time);
	take_new_steps(l);
}

gd_nsec loop_wall(struct loop *l, gd_nsec time)
{
	take_new_steps(l); /* it may be a moment of another loop */
	return engine_wall(l->engine, time);
}

gd_nsec loop_wall_now(struct loop *l)
{
	return loop_wall(l, loop_now(l));
}

/* `due` is on the scale of the loop. */
static void arm(struct loop *l, gd_nsec due)
{
	struct itimerspec when = { 0 };

	if (due == l->armed)
		return;
	l->armed = due;
	if (due != GD_NSEC_NEVER) {
		gd_nsec at = clock_boot_of(l->pool->clock, due);

		/* A zero would disarm it; what was due before the host started is overdue. */
		at = at > 0 ? at : 1;

		when.it_value.tv_sec = (time_t)(at / GD_NSEC_PER_SEC);
		when.it_value.tv_nsec = (long)(at % GD_NSEC_PER_SEC);
	}
	CHECK(timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct loop *l = ctx;
	uint64_t     times;

	(void)what;
	if (read(fd, &times, sizeof times) < 0)
		CHECK(errno == EAGAIN || errno == EINTR);
	l->armed = GD_NSEC_NEVER; /* it has fired; the end of the turn looks what is due */
}

/* It tells when the wall is set, and nothing else: no clock of the kernel comes to that moment. */
static void arm_set(struct loop *l)
{
	const struct itimerspec far = { .it_value.tv_sec = GD_NSEC_NEVER / GD_NSEC_PER_SEC };

	CHECK(timerfd_settime(l->set_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL) ==
	              0 ||
	      errno == ECANCELED);
}

/* The turn that this wakes reads the clocks. */
static void on_set(evutil_socket_t fd, short what, void *ctx)
{
	uint64_t times;

	(void)what;
	if (read(fd, &times, sizeof times) < 0)
		CHECK(errno == EAGAIN || errno == EINTR || errno == ECANCELED);
	arm_set(ctx);
}

/* --- messages --- */

static bool take_messages(struct loop *l)
{
	struct inbox_msg *m = inbox_take(&l->inbox);
	bool              is_any = m != NULL;

	while (m != NULL) {
		struct inbox_msg *next = m->next;

		stopwatch_begin(&l->watch, DOING_MESSAGE);
		m->run(l, m);
		m = next;
	}
	return is_any;
}

static void on_inbox(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	(void)take_messages(ctx);
}

bool loop_post(struct loop *l, struct inbox_msg *m)
{
	return inbox_post(&l->inbox, m);
}

void loop_post_answer(struct loop *l, struct inbox_msg *m)
{
	inbox_post_answer(&l->inbox, m);
}

/* --- groups --- */

struct store_group *loop_group(struct loop *l)
{
	struct outbox *outbox;

	if (l->open != NULL)
		return l->open;
	if ((l->open = store_group_new(l->index)) == NULL)
		return NULL;
	if ((outbox = arena_alloc(&l->open->arena, sizeof *outbox)) == NULL) {
		store_group_free(l->open);
		l->open = NULL;
		return NULL;
	}
	l->open->outbox = outbox;
	l->open_number++;
	return l->open;
}

enum gd_err loop_when_durable(struct loop *l, struct outbox_item *item)
{
	struct store_group *g = loop_group(l);

	if (g == NULL)
		return GD_NOMEM;
	outbox_add(g->outbox, item);
	return GD_OK;
}

static void hand_over(struct loop *l)
{
	struct store_group *g = l->open;

	if (g == NULL)
		return;
	l->open = NULL;
	g->latest = atomic_load_explicit(&l->hand.now, memory_order_relaxed);
	l->unsynced_bytes += g->arena.bytes;
	store_submit(l->pool->store, g);
	GD_FAILPOINT("run.handed_over");
}

/* The writer counts a commit in before it looks who listens, see pool_on_commit(). */
void loop_listen(struct loop *l)
{
	(void)atomic_fetch_add(&l->listeners, 1);
}

void loop_listen_no_more(struct loop *l)
{
	CHECK(atomic_fetch_sub(&l->listeners, 1) != 0);
}

bool loop_is_settled(const struct loop *l)
{
	return l->open == NULL && l->unsynced_bytes == 0;
}

bool loop_is_choked(const struct loop *l)
{
	return l->unsynced_bytes > LOOP_UNSYNCED_BYTES_MAX;
}

bool loop_is_ahead(const struct loop *l)
{
	return l->unsynced_bytes > LOOP_AHEAD_BYTES_MAX;
}

/* --- the engine --- */

void loop_step(struct loop *l, const struct engine_in *in)
{
	struct gd_error why;

	engine_set_budget(l->engine, l->budget);
	if (engine_step(l->engine, in, &l->outs, &why) != GD_OK)
		pool_die("loop.step_failed", &why);
	l->budget = engine_budget_left(l->engine);
	apply_outs(l);
}

void loop_want_now(struct loop *l, uint64_t job)
{
	if (l->want_count == l->want_room) {
		uint32_t        room = l->want_room == 0 ? 16 : l->want_room * 2;
		uint64_t       *at = realloc(l->wants, room * sizeof *at);
		struct gd_error why;

		if (at == NULL) {
			(void)gd_fail(&why, GD_NOMEM, "%u jobs want to know the time",
			              (unsigned)room);
			pool_die("loop.no_memory", &why);
		}
		l->wants = at;
		l->want_room = room;
	}
	l->wants[l->want_count++] = job;
}

/* Runs what is due, as far as the budget goes, and says when to come back. */
static void run_engine(struct loop *l)
{
	struct engine_in in = { .kind = ENGINE_TIME, .time = loop_now(l) };
	gd_nsec          due = GD_NSEC_NEVER;

	l->is_busy = false;
	if (l->recovery != NULL) {
		arm(l, GD_NSEC_NEVER);
		stopwatch_begin(&l->watch, DOING_REPLAY);
		l->is_busy = recover_slice(l);
		return;
	}
	if (l->effects.holds_time != NULL && l->effects.holds_time(l->effects.ctx)) {
		arm(l, GD_NSEC_NEVER);
		return;
	}
	if (children_hold_time(l)) {
		arm(l, GD_NSEC_NEVER);
		return;
	}
	/* On a full disk jobs rest as they are: no sleep ends early, and what they would do next could
	 * not be kept. */
	if (loop_is_ahead(l) || store_is_full(l->pool->store)) {
		arm(l, GD_NSEC_NEVER); /* the commit that ends it wakes us */
		return;
	}
	if (l->want_count != 0)
		inputs_answer_wants(l);
	if (engine_is_behind(l->engine) || (engine_next_due(l->engine, &due) && due <= in.time)) {
		stopwatch_begin(&l->watch, DOING_ENGINE);
		l->budget = LOOP_BUDGET_STEPS;
		loop_step(l, &in);
	}
	if (engine_is_behind(l->engine) || l->want_count != 0) {
		l->is_busy = true;
		return;
	}
	due = GD_NSEC_NEVER;
	(void)engine_next_due(l->engine, &due);
	if (due <= in.time)
		l->is_busy = true;
	else
		arm(l, due);
}

void loop_turn(struct loop *l)
{
	bool is_more;

	l->budget = LOOP_BUDGET_STEPS;
	/* 1 would mean that the base has no events; it has the inbox */
	CHECK(event_base_loop(l->base, EVLOOP_ONCE | (l->is_busy ? EVLOOP_NONBLOCK : 0)) == 0);
	is_more = children_slice(l);
	run_engine(l);
	l->is_busy = l->is_busy || is_more;
	if (l->for_busy != NULL)
		busy_serve(l);
	atomic_store_explicit(&l->job_count, l->jobs.count, memory_order_relaxed);
	hand_over(l);
	l->hooks.on_turn_end(l->hooks.ctx);
	stopwatch_end(&l->watch);
	GD_FAILPOINT("run.replied");
	l->is_busy = l->is_busy || l->open != NULL; /* reading on has made more */
}

void loop_run(struct loop *l)
{
	while (!l->is_stopping)
		loop_turn(l);
	recover_cut(l);
	hand_over(l);
}

void loop_stop(struct loop *l)
{
	l->is_stopping = true;
}

/* The store takes no more groups. Nothing of this one is in it, so that is what is said. */
static bool give_up(struct loop *l)
{
	struct store_group *g = l->open;

	if (g == NULL)
		return false;
	l->open = NULL;
	outbox_release(g->outbox, l, GD_UNAVAILABLE);
	store_group_free(g);
	return true;
}

bool loop_drain(struct loop *l)
{
	bool is_any = take_messages(l) || l->for_busy != NULL;

	busy_serve(l);
	is_any = give_up(l) || is_any;
	l->hooks.on_turn_end(l->hooks.ctx);
	return is_any;
}

/* --- life --- */

static enum gd_err open_events(struct loop *l, struct gd_error *why)
{
	l->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	l->set_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->timer_fd < 0 || l->set_fd < 0)
		return gd_fail_sys(why, errno, "loop: no timer");
	arm_set(l);
	l->armed = GD_NSEC_NEVER;
	l->timer_event = event_new(l->base, l->timer_fd, EV_READ | EV_PERSIST, on_timer, l);
	l->set_event = event_new(l->base, l->set_fd, EV_READ | EV_PERSIST, on_set, l);
	l->inbox_event = event_new(l->base, l->inbox.wake_fd, EV_READ | EV_PERSIST, on_inbox, l);
	if (l->timer_event == NULL || event_add(l->timer_event, NULL) != 0 ||
	    l->set_event == NULL || event_add(l->set_event, NULL) != 0 || l->inbox_event == NULL ||
	    event_add(l->inbox_event, NULL) != 0)
		return gd_fail(why, GD_NOMEM, "loop: no memory for its events");
	return GD_OK;
}

static struct event_base *new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base   *base;

	if (config == NULL)
		return NULL;
	/* Only its own thread touches a base; other threads use the inbox. */
	(void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

enum gd_err loop_init(struct loop *l, uint32_t index, struct pool *pool, struct gd_error *why)
{
	struct value_heap *heap;
	enum gd_err        rc;

	l->index = index;
	l->pool = pool;
	l->timer_fd = l->set_fd = -1;
	clock_add_hand(pool->clock, &l->hand);
	if ((rc = inbox_init(&l->inbox, LOOP_INBOX_ROOM, why)) != GD_OK)
		return rc;
	if ((l->base = new_base()) == NULL)
		rc = gd_fail(why, GD_NOMEM, "loop: no event base");
	else if ((rc = open_events(l, why)) == GD_OK)
		rc = engine_open(&l->engine, why);
	if (rc == GD_OK)
		rc = children_open(l, why);
	if (rc != GD_OK) {
		loop_close(l);
		return rc;
	}
	l->budget = LOOP_BUDGET_STEPS;
	l->busy_round = 1;
	heap = engine_heap(l->engine);
	if (getrandom(&heap->hash_seed, sizeof heap->hash_seed, 0) !=
	    (ssize_t)sizeof heap->hash_seed) {
		rc = gd_fail_sys(why, errno, "loop: no random bytes");
		loop_close(l);
	}
	return rc;
}

void loop_close(struct loop *l)
{
	if (l->open != NULL)
		store_group_free(l->open);
	recover_close(l);
	children_close(l->children);
	if (l->engine != NULL) {
		submit_forget_waiting(l);
		engine_outs_close(l->engine, &l->outs);
		engine_close(l->engine);
	}
	program_cache_close(&l->programs);
	jobs_close(&l->jobs);
	free(l->wants);
	buf_close(&l->scratch);
	if (l->timer_event != NULL)
		event_free(l->timer_event);
	if (l->set_event != NULL)
		event_free(l->set_event);
	if (l->inbox_event != NULL)
		event_free(l->inbox_event);
	if (l->timer_fd >= 0)
		(void)close(l->timer_fd);
	if (l->set_fd >= 0)
		(void)close(l->set_fd);
	if (l->base != NULL)
		event_base_free(l->base);
	inbox_close(&l->inbox);
}
