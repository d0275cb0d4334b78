#include "daemon/engine/coro.h"

#include <stdlib.h>

#define BUDGET_DEFAULT 50000

/* --- ready queue --- */

void ready_push(struct job *j, struct sched *s)
{
	s->at.next = NULL;
	if (j->ready_last != NULL)
		j->ready_last->at.next = s;
	else
		j->ready_first = s;
	j->ready_last = s;
}

void due_push(struct job *j, struct sched *s)
{
	s->at.next = NULL;
	if (j->due_last != NULL)
		j->due_last->at.next = s;
	else
		j->due_first = s;
	j->due_last = s;
}

/* asyncio queues a timer that is due already behind what is ready, when the next iteration
 * begins. */
static void due_to_ready(struct job *j)
{
	if (j->due_first == NULL)
		return;
	if (j->ready_last != NULL)
		j->ready_last->at.next = j->due_first;
	else
		j->ready_first = j->due_first;
	j->ready_last = j->due_last;
	j->due_first = j->due_last = NULL;
}

struct sched *ready_pop(struct job *j)
{
	struct sched *s = j->ready_first;

	j->ready_first = s->at.next;
	if (j->ready_first == NULL)
		j->ready_last = NULL;
	s->at.timer.pos = 0;
	s->at.next = NULL;
	return s;
}

void engine_activate(struct engine *e, struct job *j)
{
	if (j->is_active || j->wants_now)
		return;
	j->is_active = true;
	j->active_next = NULL;
	if (e->active_last != NULL)
		e->active_last->active_next = j;
	else
		e->active_first = j;
	e->active_last = j;
}

void engine_deactivate(struct engine *e, struct job *j)
{
	struct job *before = NULL;

	if (!j->is_active)
		return;
	if (e->active_first != j)
		for (before = e->active_first; before->active_next != j;
		     before = before->active_next)
			;
	if (before != NULL)
		before->active_next = j->active_next;
	else
		e->active_first = j->active_next;
	if (e->active_last == j)
		e->active_last = before;
	j->is_active = false;
}

/* --- running a job --- */

static void run_entry(struct engine *e, struct job *j, struct sched *s)
{
	struct task *t;

	e->left--;
	if (s->obj.type == VALUE_T_WAITER) {
		waiter_call(e, j, (struct waiter *)(void *)s);
		return;
	}
	if (s->obj.type == VALUE_T_JOIN) {
		join_timed_out(e, j, (struct join_run *)(void *)s);
		sched_release(e, s);
		return;
	}
	t = (struct task *)(void *)s;
	if (t->sched.obj.state != TASK_DONE) {
		task_step(e, j, t);
		return;
	}
	if (t == j->main)
		j->phase = JOB_BODY_DONE;
	task_run_callbacks(e, j, t);
}

/* An iteration of asyncio's loop has ended. */
static void tick_end(struct engine *e, struct job *j)
{
	due_to_ready(j);
	j->tick_last = j->ready_last;
	j->ticks++;
	if (j->phase == JOB_BODY_DONE) {
		j->phase = JOB_SWEEPING;
		if (j->tasks_live > 0)
			job_sweep(e, j);
		j->tick_last = j->ready_last;
	}
	if (j->ticks >= JOB_TICKS_PER_NOW && j->ready_first != NULL && j->phase == JOB_IN_BODY) {
		j->wants_now = true;
		e->waiting_for_now++;
		(void)engine_put(e, j, ENGINE_WANT_NOW, VALUE_NONE, NULL);
	}
}

/* Runs until nothing is ready, the budget is used up, or the job wants to know the time. */
static void job_drain(struct engine *e, struct job *j)
{
	e->heap_base = (int64_t)e->heap.bytes - j->value_bytes;
	if (j->tick_last == NULL)
		j->tick_last = j->ready_last;
	while ((j->resume != NULL || j->ready_first != NULL) && e->left > 0 && !e->heap.failed &&
	       !j->wants_now) {
		struct task  *resumed = j->resume;
		struct sched *s;

		j->resume = NULL;
		if (resumed != NULL) {
			task_step(e, j, resumed);
		} else {
			s = ready_pop(j);
			j->is_tick_last = s == j->tick_last;
			run_entry(e, j, s);
		}
		if (j->resume == NULL && j->is_tick_last) {
			j->is_tick_last = false;
			tick_end(e, j);
		}
	}
	j->value_bytes = (int64_t)e->heap.bytes - e->heap_base;
}

static bool is_quiet(const struct job *j)
{
	return j->ready_first == NULL && j->resume == NULL;
}

static bool is_over(const struct job *j)
{
	return is_quiet(j) && j->phase == JOB_SWEEPING && j->tasks_live == 0;
}

static void run_active(struct engine *e)
{
	while (e->active_first != NULL && e->left > 0 && !e->heap.failed) {
		struct job *j = e->active_first;

		job_drain(e, j);
		if (e->heap.failed)
			return;
		if (!is_quiet(j) && !j->wants_now)
			continue; /* the budget */
		engine_deactivate(e, j);
		if (is_over(j))
			job_finish(e, j);
	}
}

/* --- timers --- */

static void fire(struct engine *e, struct timer_node *n, gd_nsec due)
{
	struct sched *s = (struct sched *)(void *)((char *)n - offsetof(struct sched, at));
	struct job   *j;

	timer_heap_disarm(&e->timers, n);
	if (s->obj.type == VALUE_T_JOIN) {
		struct join_run *jr = (struct join_run *)(void *)s;

		j = jr->job;
		if (due > j->now)
			j->now = due;
		join_timed_out(e, j, jr);
	} else {
		struct task *t = (struct task *)(void *)s;

		j = t->job;
		if (due > j->now)
			j->now = due;
		t->sched.obj.state = TASK_READY;
		ready_push(j, s);
	}
	j->ticks = 0;
	engine_activate(e, j);
}

/* Fires what is due by `time`, one deadline after the other. */
static void run_until(struct engine *e, gd_nsec time)
{
	const struct timer_entry *first;

	for (;;) {
		run_active(e);
		if (e->active_first != NULL || e->waiting_for_now > 0 || e->heap.failed ||
		    e->left <= 0)
			break;
		first = timer_heap_first(&e->timers);
		if (first == NULL || first->due > time)
			break;
		for (gd_nsec due = first->due; first != NULL && first->due == due;
		     first = timer_heap_first(&e->timers)) {
			fire(e, first->node, due);
			e->left--;
		}
	}
	first = timer_heap_first(&e->timers);
	e->is_behind = e->active_first != NULL || (first != NULL && first->due <= time);
}

static const struct job *job_of_timer(const struct timer_node *n)
{
	const struct sched *s =
		(const struct sched *)(const void *)((const char *)n - offsetof(struct sched, at));

	return s->obj.type == VALUE_T_JOIN ? ((const struct join_run *)(const void *)s)->job
	                                   : ((const struct task *)(const void *)s)->job;
}

/* The soonest timer of one job that is due by `time`. Only when the engine is behind is there any
 * to look at. */
static const struct timer_entry *soonest_of(const struct engine *e, const struct job *j,
                                            gd_nsec time)
{
	const struct timer_entry *best = NULL;

	if (e->timers.count == 0 || timer_heap_first(&e->timers)->due > time)
		return NULL;
	for (uint32_t i = 0; i < e->timers.count; i++) {
		const struct timer_entry *t = &e->timers.at[i];

		if (t->due <= time && job_of_timer(t->node) == j &&
		    (best == NULL || t->due < best->due ||
		     (t->due == best->due && t->seq < best->seq)))
			best = t;
	}
	return best;
}

/* Takes one job to `time`, whole, before an input for it applies. False: it ended on the way. */
static bool job_advance(struct engine *e, struct job *j, gd_nsec time)
{
	const struct timer_entry *soonest;
	gd_nsec                   due;

	e->left = INT64_MAX;
	for (;;) {
		job_drain(e, j);
		if (j->wants_now || e->heap.failed)
			break;
		soonest = soonest_of(e, j, time);
		if (soonest == NULL)
			break;
		for (due = soonest->due; soonest != NULL && soonest->due == due;
		     soonest = soonest_of(e, j, time))
			fire(e, soonest->node, due);
	}
	if (j->wants_now) {
		j->wants_now = false;
		e->waiting_for_now--;
		j->ticks = 0;
		while ((soonest = soonest_of(e, j, time)) != NULL)
			fire(e, soonest->node, soonest->due);
	}
	e->left = e->budget;
	if (is_over(j)) {
		engine_deactivate(e, j);
		job_finish(e, j);
		return false;
	}
	if (time > j->now)
		j->now = time;
	return true;
}

/* --- inputs --- */

static enum gd_err start_job(struct engine *e, const struct engine_in *in, struct gd_error *why)
{
	struct job *j;

	if (job_find(e, in->job) != NULL)
		return gd_fail(why, GD_CONFLICT, "job %llu is here already",
		               (unsigned long long)in->job);
	j = timer_heap_reserve(&e->timers) ? job_new(e, in) : NULL;
	if (j == NULL)
		return gd_fail(why, GD_NOMEM, "engine: no memory for another job");
	if (in->is_later) {
		j->main->sched.obj.state = TASK_SLEEPING;
		timer_heap_arm(&e->timers, &j->main->sched.at.timer, in->time);
		return GD_OK;
	}
	ready_push(j, &j->main->sched);
	engine_activate(e, j);
	return GD_OK;
}

static void cancel_job(struct engine *e, const struct engine_in *in)
{
	struct job *j = job_find(e, in->job);

	if (j == NULL || !job_advance(e, j, in->time))
		return;
	if (j->phase == JOB_IN_BODY && task_cancel(e, j, j->main, in->message))
		j->is_cancel_requested = true;
	engine_activate(e, j);
}

static void tell_time(struct engine *e, const struct engine_in *in)
{
	struct job *j = job_find(e, in->job);

	if (j == NULL || !job_advance(e, j, in->time))
		return;
	j->ticks = 0;
	engine_activate(e, j);
}

enum gd_err engine_step(struct engine *e, const struct engine_in *in, struct engine_outs *outs,
                        struct gd_error *why)
{
	enum gd_err rc = GD_OK;

	e->outs = outs;
	e->left = e->budget;
	switch (in->kind) {
	case ENGINE_TIME:
		run_until(e, in->time);
		break;
	case ENGINE_START:
		rc = start_job(e, in, why);
		run_active(e);
		break;
	case ENGINE_CANCEL:
		cancel_job(e, in);
		run_active(e);
		break;
	case ENGINE_NOW:
		tell_time(e, in);
		run_active(e);
		break;
	}
	if (in->kind != ENGINE_TIME && e->active_first != NULL)
		e->is_behind = true;
	e->outs = NULL;
	if (e->heap.failed)
		return gd_fail(why, GD_NOMEM, "engine: no memory");
	return rc;
}

/* --- the rest of the interface --- */

enum gd_err engine_open(struct engine **out, struct gd_error *why)
{
	struct engine *e = calloc(1, sizeof *e);

	if (e == NULL || !job_table_open(e)) {
		free(e);
		return gd_fail(why, GD_NOMEM, "engine: no memory");
	}
	e->heap.free_object = engine_free_object;
	e->budget = BUDGET_DEFAULT;
	*out = e;
	return GD_OK;
}

void engine_close(struct engine *e)
{
	job_table_close(e);
	timer_heap_close(&e->timers);
	slab_close(&e->slab);
	buf_close(&e->scratch);
	free(e);
}

void engine_set_budget(struct engine *e, uint32_t steps)
{
	e->budget = steps;
}

bool engine_is_behind(const struct engine *e)
{
	return e->is_behind;
}

bool engine_next_due(const struct engine *e, gd_nsec *due)
{
	const struct timer_entry *first = timer_heap_first(&e->timers);

	if (first == NULL)
		return false;
	*due = first->due;
	return true;
}

struct value_heap *engine_heap(struct engine *e)
{
	return &e->heap;
}

bool engine_job_info(const struct engine *e, uint64_t id, struct engine_job_info *out)
{
	const struct job *j = job_find(e, id);

	if (j == NULL)
		return false;
	*out = (struct engine_job_info){ j->tasks_live, j->tasks_done, j->now, j->wants_now };
	return true;
}
