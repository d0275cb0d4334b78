#include "daemon/engine/exec.h"
#include "daemon/engine/job_event.h"
#include "daemon/engine/join.h"
#include "daemon/value/sayable.h"

#include <stdio.h>
#include <stdlib.h>

#define TABLE_FIRST_ROOM 64

/* --- jobs by id --- */

static size_t bucket_of(const struct engine *e, uint64_t id)
{
	return (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (e->table_room - 1);
}

struct job *job_find(const struct engine *e, uint64_t id)
{
	struct job *j = e->table[bucket_of(e, id)];

	while (j != NULL && j->id != id)
		j = j->chain;
	return j;
}

static void table_insert(struct engine *e, struct job *j)
{
	size_t at = bucket_of(e, j->id);

	j->chain = e->table[at];
	e->table[at] = j;
}

static bool table_grow(struct engine *e)
{
	struct job **old = e->table;
	uint32_t     old_room = e->table_room;
	struct job **table = calloc((size_t)old_room * 2, sizeof *table);

	if (table == NULL)
		return false;
	e->table = table;
	e->table_room = old_room * 2;
	for (uint32_t i = 0; i < old_room; i++) {
		struct job *next;

		for (struct job *j = old[i]; j != NULL; j = next) {
			next = j->chain;
			table_insert(e, j);
		}
	}
	free(old);
	return true;
}

static void table_remove(struct engine *e, struct job *j)
{
	struct job **at = &e->table[bucket_of(e, j->id)];

	while (*at != j)
		at = &(*at)->chain;
	*at = j->chain;
	e->job_count--;
}

/* Outputs may tell of constants of its program, so that stays until they are cleared. */
static void job_free(struct engine *e, struct job *j)
{
	table_remove(e, j);
	if (j->main != NULL)
		sched_release(e, &j->main->sched);
	CHECK(j->joins == NULL && j->made_first == NULL);
	job_events_free(e, j);
	value_release(&e->heap, j->title);
	j->chain = e->ended;
	e->ended = j;
}

void job_forget_ended(struct engine *e)
{
	struct job *j;

	while ((j = e->ended) != NULL) {
		e->ended = j->chain;
		program_release(j->program);
		slab_free(&e->slab, j, sizeof *j);
	}
}

bool job_table_open(struct engine *e)
{
	e->table_room = TABLE_FIRST_ROOM;
	e->table = calloc(e->table_room, sizeof *e->table);
	return e->table != NULL;
}

void job_table_close(struct engine *e)
{
	for (uint32_t i = 0; i < e->table_room; i++)
		while (e->table[i] != NULL)
			job_drop(e, e->table[i]);
	job_forget_ended(e);
	free(e->table);
}

/* Its addresses go on from where it was made. */
static bool set_base(struct engine *e, const struct job *j, uint32_t code, struct value base)
{
	struct task_extra *x = task_extra(e, j->main);

	if (x == NULL)
		return false;
	x->base = value_copy(&e->heap, base);
	x->base_node = j->program->nodes[j->program->codes[code].node].parent;
	return !e->heap.failed;
}

struct job *job_new(struct engine *e, const struct engine_in *in)
{
	struct job *j;

	if (e->job_count >= e->table_room && !table_grow(e))
		return NULL;
	j = slab_alloc(&e->slab, sizeof *j);
	if (j == NULL)
		return NULL;
	*j = (struct job){
		.id = in->job,
		.program = program_retain(in->program),
		.now = in->time,
		.title = value_retain(in->title),
	};
	table_insert(e, j);
	e->job_count++;
	j->main = task_new_captured(e, j, in->code, in->args);
	if (j->main == NULL) {
		job_free(e, j);
		return NULL;
	}
	j->main->sched.obj.refs++;
	if (in->code != 0 && value_is_type(in->message, VALUE_T_TEXT) &&
	    !set_base(e, j, in->code, in->message)) {
		job_drop(e, j);
		return NULL;
	}
	return j;
}

static void ready_clear(struct engine *e, struct job *j)
{
	due_to_ready(j); /* the budget may have ended within a tick */
	while (j->ready_first != NULL) {
		struct sched *s = ready_pop(j);

		/* A live task is in a list or a join as well and is killed from there. One that has
		 * ended waits here for its callbacks, and they hold the join that holds it. */
		if (s->obj.type == VALUE_T_TASK && s->obj.state == TASK_DONE)
			task_drop_callbacks(e, (struct task *)(void *)s);
		if (s->obj.type != VALUE_T_TASK || s->obj.state == TASK_DONE)
			sched_release(e, s);
	}
}

void job_drop(struct engine *e, struct job *j)
{
	ready_clear(e, j);
	if (j->wants_now)
		e->waiting_for_now--;
	for (struct join_run *jr = j->joins, *next; jr != NULL; jr = next) {
		jr->sched.obj.refs++;
		for (uint32_t i = 0; !value_is_none(jr->slots) && i < value_list(jr->slots)->count;
		     i++) {
			struct value v = value_list(jr->slots)->at[i];

			if (value_is_type(v, VALUE_T_TASK) &&
			    task_of(v)->sched.obj.state != TASK_DONE &&
			    (task_of(v)->sched.obj.flags & TASK_OF_JOIN))
				task_drop(e, j, task_of(v));
		}
		/* Killing frees inner joins; the list starts with the newest, so those come first. */
		next = jr->next;
		sched_release(e, &jr->sched);
	}
	while (j->made_first != NULL)
		task_drop(e, j, j->made_first);
	if (j->main->sched.obj.state != TASK_DONE)
		task_drop(e, j, j->main);
	exec_drop_all(e, j);
	engine_deactivate(e, j);
	job_free(e, j);
}

/* --- the end of a body --- */

static int by_serial(const void *a, const void *b)
{
	const struct task *x = *(struct task *const *)a, *y = *(struct task *const *)b;

	return (x->serial > y->serial) - (x->serial < y->serial);
}

uint32_t job_live_tasks(const struct job *j, struct task **all)
{
	uint32_t count = 0;

	if (j->main->sched.obj.state != TASK_DONE)
		all[count++] = j->main;
	for (struct task *t = j->made_first; t != NULL; t = t->extra->next)
		all[count++] = t;
	for (struct join_run *jr = j->joins; jr != NULL; jr = jr->next) {
		for (uint32_t i = 0; !value_is_none(jr->slots) && i < value_list(jr->slots)->count;
		     i++) {
			struct value v = value_list(jr->slots)->at[i];

			if (value_is_type(v, VALUE_T_TASK) &&
			    task_of(v)->sched.obj.state != TASK_DONE &&
			    (task_of(v)->sched.obj.flags & TASK_OF_JOIN))
				all[count++] = task_of(v);
		}
	}
	CHECK(count == j->tasks_live);
	/* Serials differ, so the order does not depend on the sort. */
	qsort(all, count, sizeof *all, by_serial);
	return count;
}

void job_sweep(struct engine *e, struct job *j)
{
	struct task **all = malloc((size_t)j->tasks_live * sizeof *all);
	uint32_t      count;

	if (all == NULL) {
		e->heap.failed = true;
		return;
	}
	count = job_live_tasks(j, all);
	j->sweep_serial = j->serial;
	j->sweep_left = count;
	for (uint32_t i = 0; i < count; i++)
		(void)task_cancel(e, j, all[i], VALUE_NULL);
	free(all);
}

/* The result as it leaves the job; one that cannot is an error. New reference. */
static struct value said_outcome(struct engine *e, struct job *j, enum engine_out_kind *kind)
{
	struct task *m = j->main;
	const char  *why, *type;
	char         text[80];
	int          bytes;

	*kind = ENGINE_JOB_FAILED;
	if (m->sched.obj.flags & TASK_FAILED) {
		if ((m->sched.obj.flags & TASK_CANCELLED) && j->is_cancel_requested)
			*kind = ENGINE_JOB_CANCELLED;
		return exception_said(e, m->result);
	}
	type = engine_unsayable(e, m->result, &why);
	if (type != NULL) {
		bytes = snprintf(text, sizeof text, "the result of the job %s", why);
		return exception_new(e, j, m, type, text, (size_t)bytes);
	}
	*kind = ENGINE_JOB_COMPLETED;
	return value_retain(m->result);
}

/* The outcome of the job as an output, then it is gone. */
void job_finish(struct engine *e, struct job *j)
{
	enum engine_out_kind kind;
	struct value         data = said_outcome(e, j, &kind);

	(void)engine_put(e, j, kind, data, NULL);
	value_release(&e->heap, data);
	job_free(e, j);
}
