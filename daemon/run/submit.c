#include "daemon/run/submit.h"

#include "daemon/run/apply.h"
#include "daemon/run/children.h"
#include "daemon/run/inputs.h"
#include "daemon/run/loop_names.h"
#include "daemon/run/pool.h"
#include "daemon/store/journal_value.h"
#include "proto/base/check.h"
#include "proto/base/failpoint.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A job with a key, until its commit says whether it is new. */
struct job_start {
	struct outbox_item   item;
	const struct record *record; /* its RECORD_JOB; good until the commit is released */
	uint64_t             job;
	struct program      *program;  /* a reference */
	struct value        *args;     /* owned, program->job_arg_count of them */
	struct text          title;    /* in the group's arena */
	gd_nsec              start_at; /* on the wall; 0: at once */
	bool                 is_cancel_wanted;
	struct inbox_msg    *deferred; /* in the order in which they came; borrowed */
	struct inbox_msg   **deferred_end;
};

static _Noreturn void out_of_memory(void)
{
	struct gd_error why;

	(void)gd_fail(&why, GD_NOMEM, "no memory for a job that is half-way in");
	pool_die("loop.no_memory", &why);
}

enum gd_err submit_admit(const struct pool *p, struct gd_error *why)
{
	if (store_is_full(p->store))
		return gd_fail(why, GD_UNAVAILABLE, "the storage is full; try again");
	if (store_queued(p->store) > SUBMIT_QUEUE_MAX)
		return gd_fail(why, GD_UNAVAILABLE, "the disk is behind; try again");
	return GD_OK;
}

/* --- arguments --- */

static void free_args(struct loop *l, const struct program *p, struct value *args)
{
	if (args == NULL)
		return;
	for (uint32_t i = 0; i < p->job_arg_count; i++)
		value_release(engine_heap(l->engine), args[i]);
	free(args);
}

static enum gd_err make_args(struct loop *l, const struct submission *s, struct value **out,
                             struct gd_error *why)
{
	struct load_problems problems = { 0 };
	uint32_t             count = s->program->job_arg_count;
	enum gd_err          rc;

	*out = NULL;
	if (count == 0)
		return GD_OK;
	if ((*out = calloc(count, sizeof **out)) == NULL)
		return gd_fail(why, GD_NOMEM, "%u arguments", (unsigned)count);
	rc = load_args(engine_heap(l->engine), s->program, s->args, *out, &problems, why);
	load_problems_close(&problems);
	CHECK(rc != GD_INVALID_SPEC); /* they were accepted before */
	if (rc != GD_OK) {
		free(*out);
		*out = NULL;
	}
	return rc;
}

/* --- the first step --- */

static struct value title_value(struct loop *l, const struct program *p, struct text title)
{
	struct value v;

	if (title.at == NULL)
		return p->title; /* immortal */
	v = value_text_new(engine_heap(l->engine), title.at, title.bytes);
	if (value_is_none(v))
		out_of_memory();
	return v;
}

void submit_begin(struct loop *l, uint64_t job, struct program *program, const struct value *args,
                  struct text title, gd_nsec time, gd_nsec start_at)
{
	struct engine_in in = { .kind = ENGINE_START,
		                .time = time,
		                .job = job,
		                .program = program,
		                .args = args,
		                .title = title_value(l, program, title),
		                .message = VALUE_NULL,
		                .start_at = start_at };

	if (program->child_count != 0)
		children_add_parent(l, job);
	loop_step(l, &in);
	value_release(engine_heap(l->engine), in.title);
}

/* A list with as many values as the code captures; VALUE_NONE: it is none. */
static struct value read_captures(struct value_heap *h, const struct code *code, struct text bytes)
{
	struct journal_cursor c = { .at = (const unsigned char *)bytes.at, .left = bytes.bytes };
	struct value          v = journal_get_value(h, &c);

	if (!c.is_bad && c.left == 0 && value_is_type(v, VALUE_T_LIST) &&
	    value_list(v)->count == code->capture_count)
		return v;
	value_release(h, v);
	return VALUE_NONE;
}

enum gd_err submit_begin_child(struct loop *l, uint64_t job, struct program *program, uint32_t code,
                               const struct store_child *child, struct text title, gd_nsec time,
                               struct gd_error *why)
{
	struct value_heap *h = engine_heap(l->engine);
	struct value       captures = read_captures(h, &program->codes[code], child->captures);
	struct engine_in   in = { .kind = ENGINE_START,
		                  .time = time,
		                  .job = job,
		                  .program = program,
		                  .code = code,
		                  .message = VALUE_NULL };

	if (h->failed)
		return gd_fail(why, GD_NOMEM, "no memory for a child job");
	if (value_is_none(captures))
		return gd_fail(why, GD_STORE, "what a child sees cannot be read");
	in.args = value_list(captures)->at;
	in.title = title_value(l, program, title);
	if (child->base.at != NULL)
		in.message = value_text_new(h, child->base.at, child->base.bytes);
	if (h->failed)
		out_of_memory();
	loop_step(l, &in);
	value_release(h, captures);
	value_release(h, in.title);
	value_release(h, in.message);
	return GD_OK;
}

/* --- with a key: after the commit --- */

static void drop_start(struct loop *l, struct job_start *start)
{
	free_args(l, start->program, start->args);
	program_release(start->program);
	free(start);
}

static void run_deferred(struct loop *l, struct inbox_msg *m)
{
	while (m != NULL) {
		struct inbox_msg *next = m->next;

		m->run(l, m);
		m = next;
	}
}

static void release_start(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	struct job_start *start =
		(struct job_start *)(void *)((char *)item - offsetof(struct job_start, item));
	struct live_job *job = jobs_find(&l->jobs, start->job);
	bool             is_ended;
	enum job_status  status;

	CHECK(job != NULL && job->start == start);
	GD_FAILPOINT("run.key_durable");
	job->start = NULL;
	if (outcome != GD_OK || start->record->outcome != GD_OK || start->record->existing != 0) {
		jobs_remove(&l->jobs, job);
		run_deferred(l, start->deferred);
		drop_start(l, start);
		return;
	}
	submit_begin(l, start->job, start->program, start->args, start->title, loop_now(l),
	             start->start_at);
	if (start->is_cancel_wanted)
		(void)inputs_cancel(l, start->job, NULL, &is_ended, &status);
	run_deferred(l, start->deferred);
	drop_start(l, start);
}

void submit_cancel_waiting(struct job_start *start)
{
	start->is_cancel_wanted = true;
}

bool submit_defers(struct loop *l, uint64_t id, struct inbox_msg *m)
{
	struct live_job  *job = jobs_find(&l->jobs, id);
	struct job_start *start = job == NULL ? NULL : job->start;

	if (start == NULL)
		return false;
	m->next = NULL;
	*start->deferred_end = m;
	start->deferred_end = &m->next;
	return true;
}

void submit_forget_waiting(struct loop *l)
{
	for (uint32_t i = 0; i < l->jobs.room; i++)
		if (l->jobs.at[i].start != NULL)
			drop_start(l, l->jobs.at[i].start);
}

static void start_when_durable(struct loop *l, struct live_job *job, const struct submission *s,
                               const struct record *record, struct value *args)
{
	struct job_start *start = calloc(1, sizeof *start);

	if (start == NULL)
		out_of_memory();
	start->item.release = release_start;
	start->deferred_end = &start->deferred;
	start->record = record;
	start->job = s->id;
	start->program = program_retain(s->program);
	start->args = args;
	start->title = record->u.submit->title;
	start->start_at = record->u.submit->started;
	job->start = start;
	if (loop_when_durable(l, &start->item) != GD_OK)
		out_of_memory();
}

/* --- in --- */

static struct text kept(struct arena *a, struct text text)
{
	struct text copy = { arena_copy(a, text.at, text.bytes), text.bytes };

	if (text.at != NULL && copy.at == NULL)
		out_of_memory();
	return copy;
}

static struct record *record_job(struct loop *l, const struct submission *s, gd_nsec now)
{
	struct store_group *g = l->open;
	struct store_job   *job = arena_alloc(&g->arena, sizeof *job);
	struct record      *r = store_group_add(g, RECORD_JOB, s->id);
	const struct value  title = s->program->title;

	if (job == NULL || r == NULL)
		out_of_memory();
	job->id = s->id;
	job->status = JOB_QUEUED;
	job->owner = kept(&g->arena, s->owner);
	job->key = kept(&g->arena, s->key);
	job->title = kept(&g->arena, s->title);
	if (s->title.at == NULL && value_is_type(title, VALUE_T_TEXT))
		job->title = kept(&g->arena,
		                  (struct text){ value_text(title)->at, value_text(title)->bytes });
	job->labels = kept(&g->arena, s->labels);
	job->spec = kept(&g->arena, s->spec);
	job->args = kept(&g->arena, s->args_text);
	job->loop = l->index;
	job->submitted = now;
	job->retain = s->retain;
	job->priority = s->priority;
	/* Without one, nobody can have seen anything of it before its start is stored. */
	if (s->start_at > loop_wall(l, now))
		job->started = s->start_at;
	r->u.submit = job;
	if (s->loop_name.at != NULL)
		loop_names_note(l, s->loop_name);
	apply_queued(l, s->id, now);
	return r;
}

enum gd_err submit_here(struct loop *l, const struct submission *s, struct gd_error *why)
{
	gd_nsec          now = loop_now(l);
	struct live_job *job;
	struct record   *record;
	struct value    *args;
	enum gd_err      rc;

	if ((rc = jobs_reserve(&l->jobs, why)) != GD_OK)
		return rc;
	if (loop_group(l) == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for a group");
	if ((rc = make_args(l, s, &args, why)) != GD_OK)
		return rc;
	record = record_job(l, s, now);
	GD_FAILPOINT("run.accepted");
	job = jobs_add(&l->jobs, s->id);
	job->priority = (int8_t)s->priority;
	atomic_store_explicit(&l->job_count, l->jobs.count, memory_order_relaxed);
	if (s->key.at != NULL) {
		start_when_durable(l, job, s, record, args);
		return GD_OK;
	}
	job->u.unsent = record->u.submit;
	job->v.group = l->open_number;
	submit_begin(l, s->id, s->program, args, record->u.submit->title, now,
	             record->u.submit->started);
	free_args(l, s->program, args);
	return GD_OK;
}

/* --- on another loop --- */

struct submit_call {
	struct inbox_msg  msg;
	struct submission submission;
	struct arena      arena; /* of its texts */
	json_t           *args;  /* owned */
};

static void drop_call(struct submit_call *call)
{
	program_release(call->submission.program);
	json_decref(call->args);
	arena_close(&call->arena);
	free(call);
}

static void take_submit(struct loop *l, struct inbox_msg *m)
{
	struct submit_call *call = (struct submit_call *)(void *)m;
	struct gd_error     why;

	_Static_assert(offsetof(struct submit_call, msg) == 0, "a call begins with its message");
	if (submit_here(l, &call->submission, &why) != GD_OK)
		pool_die("loop.no_memory", &why); /* the asker waits for the commit */
	drop_call(call);
}

static struct text copied(struct arena *a, struct text text)
{
	return (struct text){ arena_copy(a, text.at, text.bytes), text.bytes };
}

enum gd_err submit_elsewhere(struct loop *to, const struct submission *s, struct gd_error *why)
{
	struct submit_call *call = calloc(1, sizeof *call);
	struct submission  *copy;

	if (call == NULL)
		return gd_fail(why, GD_NOMEM, "no memory to pass a job on");
	copy = &call->submission;
	*copy = *s;
	call->msg.run = take_submit;
	copy->program = program_retain(s->program);
	copy->owner = copied(&call->arena, s->owner);
	copy->key = copied(&call->arena, s->key);
	copy->title = copied(&call->arena, s->title);
	copy->labels = copied(&call->arena, s->labels);
	copy->spec = copied(&call->arena, s->spec);
	copy->args_text = copied(&call->arena, s->args_text);
	copy->loop_name = copied(&call->arena, s->loop_name);
	if (s->args != NULL)
		copy->args = call->args = json_deep_copy(s->args);
	if (call->arena.failed || (s->args != NULL && call->args == NULL)) {
		drop_call(call);
		return gd_fail(why, GD_NOMEM, "no memory to pass a job on");
	}
	if (!loop_post(to, &call->msg)) {
		drop_call(call);
		return gd_fail(why, GD_UNAVAILABLE, "loop %u has too much to do",
		               (unsigned)to->index);
	}
	return GD_OK;
}
