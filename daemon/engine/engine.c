#include "daemon/engine/child.h"
#include "daemon/engine/exec.h"
#include "daemon/engine/job_event.h"
#include "daemon/engine/join.h"

#include <stdlib.h>

/* --- running a job --- */

static void run_entry(struct engine *e, struct job *j, struct sched *s)
{
	struct task *t;

	e->left--;
	if (s->obj.type == VALUE_T_WAITER) {
		waiter_call(e, j, (struct waiter *)(void *)s);
		return;
	}
	if (s->obj.type == VALUE_T_JOIN || s->obj.type == VALUE_T_TIMEOUT) {
		if (s->obj.type == VALUE_T_JOIN)
			join_timed_out(e, join_of(s));
		else
			timeout_expired(e, (struct timeout_run *)(void *)s);
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

/* Cancels what is left, when nothing of the job's body is. */
static void sweep(struct engine *e, struct job *j)
{
	j->phase = JOB_SWEEPING;
	j->sweep_ticks = 0;
	if (j->tasks_live > 0)
		job_sweep(e, j);
}

/* An iteration of asyncio's loop has ended. */
static void tick_end(struct engine *e, struct job *j)
{
	due_to_ready(j);
	j->ticks++;
	if (j->phase == JOB_BODY_DONE || (j->sweep_ticks > 0 && --j->sweep_ticks == 0))
		sweep(e, j);
	j->tick_last = j->ready_last;
	if (j->ticks >= JOB_TICKS_PER_NOW && j->ready_first != NULL && j->phase == JOB_IN_BODY) {
		j->wants_now = true;
		e->waiting_for_now++;
		(void)engine_put(e, j, ENGINE_WANT_NOW, VALUE_NONE, NULL);
	}
}

static bool is_quiet(const struct job *j)
{
	return j->ready_first == NULL && j->resume == NULL;
}

static void run_ready(struct engine *e, struct job *j)
{
	while (!is_quiet(j) && e->left > 0 && !e->heap.failed && !j->wants_now) {
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
}

/* Runs until nothing is ready, the budget is used up, or the job wants to know the time. */
static void job_drain(struct engine *e, struct job *j)
{
	e->heap_base = (int64_t)e->heap.bytes - j->value_bytes;
	if (j->tick_last == NULL)
		j->tick_last = j->ready_last;
	run_ready(e, j);
	while (is_quiet(j) && j->sweep_ticks > 0 && j->tasks_live > 0 && !e->heap.failed) {
		/* The ticks until the next sweep would be empty. */
		sweep(e, j);
		j->tick_last = j->ready_last;
		run_ready(e, j);
	}
	j->value_bytes = (int64_t)e->heap.bytes - e->heap_base;
}

/* A command that nobody awaited is the last to go. */
static bool is_over(struct engine *e, struct job *j)
{
	return is_quiet(j) && j->phase == JOB_SWEEPING && j->tasks_live == 0 && !exec_is_left(e, j);
}

static void run_active(struct engine *e)
{
	if (e->is_in_moment)
		return;
	while (e->active_first != NULL && e->left > 0 && !e->heap.failed) {
		struct job *j = e->active_first;

		job_drain(e, j);
		if (e->heap.failed)
			return;
		if (!is_quiet(j) && !j->wants_now)
			continue; /* the budget */
		engine_deactivate(e, j);
		if (is_over(e, j))
			job_finish(e, j);
	}
}

/* --- timers --- */

static struct job *job_of_timer(const struct timer_node *n)
{
	struct sched *s = sched_of_timer(n);

	if (s->obj.type == VALUE_T_JOIN)
		return join_of(s)->job;
	if (s->obj.type == VALUE_T_TIMEOUT)
		return ((struct timeout_run *)(void *)s)->job;
	if (s->obj.type == VALUE_T_EXEC)
		return ((struct claim *)(void *)s)->job;
	return ((struct task *)(void *)s)->job;
}

static void fire(struct engine *e, struct timer_node *n, gd_nsec due)
{
	struct sched *s = sched_of_timer(n);
	struct job   *j = job_of_timer(n);

	timer_heap_disarm(&e->timers, n);
	if (due > j->now)
		j->now = due;
	if (s->obj.type == VALUE_T_JOIN)
		join_timed_out(e, join_of(s));
	else if (s->obj.type == VALUE_T_TIMEOUT)
		timeout_expired(e, (struct timeout_run *)(void *)s);
	else if (s->obj.type == VALUE_T_EXEC)
		exec_expired(e, (struct exec_run *)(void *)s);
	else
		task_wake(j, (struct task *)(void *)s);
	j->ticks = 0;
	engine_activate(e, j);
}

/* Fires all that is due at one moment, as far as the budget goes. Nothing may run before all of it
 * was fired: in asyncio an iteration collects its timers first. False: some are left. */
static bool fire_moment(struct engine *e, gd_nsec due)
{
	const struct timer_entry *first = timer_heap_first(&e->timers);

	for (; first != NULL && first->due == due; first = timer_heap_first(&e->timers)) {
		if (e->left-- <= 0) {
			e->moment = due;
			e->is_in_moment = true;
			return false;
		}
		fire(e, first->node, due);
	}
	e->is_in_moment = false;
	return true;
}

/* Fires what is due by `time`, one deadline after the other. */
static void run_until(struct engine *e, gd_nsec time)
{
	const struct timer_entry *first;

	if (e->is_in_moment && !fire_moment(e, e->moment))
		return;
	for (;;) {
		run_active(e);
		if (e->active_first != NULL || e->waiting_for_now > 0 || e->heap.failed ||
		    e->left <= 0)
			break;
		first = timer_heap_first(&e->timers);
		if (first == NULL || first->due > time)
			break;
		if (!fire_moment(e, first->due))
			break;
	}
	first = timer_heap_first(&e->timers);
	e->is_behind = e->active_first != NULL || (first != NULL && first->due <= time);
}

static bool is_of_job(const struct timer_node *n, const void *job)
{
	return job_of_timer(n) == job;
}

/* The soonest timer of one job that is due by `time`. Only when the engine is behind, or in the
 * middle of a recovery, is there any to look at. */
static const struct timer_entry *soonest_of(const struct engine *e, const struct job *j,
                                            gd_nsec time)
{
	return timer_heap_find(&e->timers, time, is_of_job, j);
}

bool engine_next_due_of(const struct engine *e, uint64_t id, gd_nsec until, gd_nsec *due)
{
	const struct job         *j = job_find(e, id);
	const struct timer_entry *first =
		j == NULL || j->wants_now ? NULL : soonest_of(e, j, until);

	if (first != NULL)
		*due = first->due;
	return first != NULL;
}

/* Takes one job to `time`, whole, before an input for it applies. False: it ended on the way. */
static bool job_advance(struct engine *e, struct job *j, gd_nsec time)
{
	const struct timer_entry *soonest;
	gd_nsec                   due;

	e->left = INT64_MAX;
	if (e->is_in_moment && j->is_active)
		(void)fire_moment(e, e->moment); /* the rest of what woke it */
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
	if (is_over(e, j)) {
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
	gd_nsec     due = wall_due(&e->wall, in->time, in->start_at);
	struct job *j;

	if (job_find(e, in->job) != NULL)
		return gd_fail(why, GD_CONFLICT, "job %llu is here already",
		               (unsigned long long)in->job);
	j = timer_heap_reserve(&e->timers) ? job_new(e, in) : NULL;
	if (j == NULL)
		return gd_fail(why, GD_NOMEM, "engine: no memory for another job");
	if (due > in->time) {
		(void)timer_arm_wall(e, &j->main->sched, due);
		j->main->sched.obj.state = TASK_SLEEPING;
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
	/* Who asks again does not want to wait for what takes its time to stop. */
	if (j->is_cancel_requested || j->phase != JOB_IN_BODY) {
		exec_kill_all(e, j);
		child_kill_all(e, j);
	}
	if (in->is_of_parent && j->parent_cancels < 2)
		j->parent_cancels++;
	if (j->phase == JOB_IN_BODY && task_cancel(e, j, j->main, in->message))
		j->is_cancel_requested = true;
	engine_activate(e, j);
}

static void grant_permit(struct engine *e, const struct engine_in *in)
{
	struct job *j = job_find(e, in->job);

	if (j == NULL || !job_advance(e, j, in->time))
		return;
	permit_granted(j, in->ticket);
	engine_activate(e, j);
}

static void tell_outcome(struct engine *e, const struct engine_in *in)
{
	struct job *j = job_find(e, in->job);
	size_t      bytes;

	if (j == NULL || !job_advance(e, j, in->time))
		return;
	/* What it is told is copied, and counts among what it holds. */
	bytes = e->heap.bytes;
	if (in->kind == ENGINE_CHILD_ENDED)
		child_take(e, j, in);
	else
		exec_take(e, j, in);
	j->value_bytes += (int64_t)e->heap.bytes - (int64_t)bytes;
	engine_activate(e, j);
}

static void signal_job(struct engine *e, const struct engine_in *in)
{
	struct job *j = job_find(e, in->job);
	size_t      bytes;

	if (j == NULL || !job_advance(e, j, in->time))
		return;
	bytes = e->heap.bytes;
	signal_take(e, j, in->message);
	j->value_bytes += (int64_t)e->heap.bytes - (int64_t)bytes;
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

/* Nothing of it is journaled, so a job that wants to know the time rests on. */
static void run_first_due(struct engine *e, const struct engine_in *in)
{
	struct job *j = job_find(e, in->job);
	gd_nsec     due;

	if (j == NULL)
		return;
	e->left = INT64_MAX;
	job_drain(e, j);
	if (!e->heap.failed && engine_next_due_of(e, in->job, in->time, &due)) {
		for (const struct timer_entry *t = soonest_of(e, j, due); t != NULL;
		     t = soonest_of(e, j, due))
			fire(e, t->node, due);
		job_drain(e, j);
	}
	if (is_over(e, j)) {
		engine_deactivate(e, j);
		job_finish(e, j);
	}
}

enum gd_err engine_step(struct engine *e, const struct engine_in *in, struct engine_outs *outs,
                        struct gd_error *why)
{
	enum gd_err rc = GD_OK;

	e->outs = outs;
	e->left = e->budget;
	switch (in->kind) {
	case ENGINE_TIME:
		if (in->job == 0)
			run_until(e, in->time);
		else
			run_first_due(e, in);
		break;
	case ENGINE_START:
		rc = start_job(e, in, why);
		run_active(e);
		break;
	case ENGINE_CANCEL:
		cancel_job(e, in);
		run_active(e);
		break;
	case ENGINE_GRANT:
		grant_permit(e, in);
		run_active(e);
		break;
	case ENGINE_BEGIN:
	case ENGINE_EXITED:
	case ENGINE_LINES:
	case ENGINE_RESUME:
	case ENGINE_CHILD_ENDED:
		tell_outcome(e, in);
		run_active(e);
		break;
	case ENGINE_SIGNAL:
		signal_job(e, in);
		run_active(e);
		break;
	case ENGINE_NOW:
		tell_time(e, in);
		run_active(e);
		break;
	}
	if ((in->kind != ENGINE_TIME || in->job != 0) && e->active_first != NULL)
		e->is_behind = true;
	e->outs = NULL;
	if (e->heap.failed)
		return gd_fail(why, GD_NOMEM, "engine: no memory");
	return rc;
}
