#include "daemon/run/replay.h"

#include "daemon/run/apply.h"
#include "daemon/run/children.h"
#include "daemon/run/pool.h"
#include "daemon/run/semaphores.h"
#include "daemon/run/submit.h"
#include "daemon/store/journal.h"
#include "proto/base/failpoint.h"

#include <stdlib.h>
#include <string.h>

/* To the end of its journal before anything else happens here. */
#define NO_BUDGET UINT32_MAX
#define DEATHS_MAX 3u /* of the daemon, in a row, while it replayed the same job */

/* Of what is stored. An old program goes another way than the cached one of the same text. */
static enum gd_err compile(struct loop *l, struct text spec, bool is_old, struct program **out,
                           struct gd_error *why)
{
	struct load_problems problems = { 0 };
	json_t              *json;
	enum gd_err          rc;

	if ((json = json_loadb(spec.at, spec.bytes, JSON_REJECT_DUPLICATES, NULL)) == NULL)
		return gd_fail(why, GD_INVALID_SPEC, "the stored spec is not JSON");
	rc = is_old ? load_program_old(json, out, &problems, why)
	            : load_program(json, out, &problems, why);
	json_decref(json);
	if (rc == GD_INVALID_SPEC && problems.count != 0)
		(void)gd_fail(why, rc, "this version does not take the stored spec: %s at %s",
		              problems.at[0].message, problems.at[0].pointer);
	load_problems_close(&problems);
	if (rc == GD_OK && !is_old)
		program_cache_add(&l->programs, spec.at, spec.bytes, *out);
	return rc;
}

static enum gd_err program_of(struct loop *l, const struct store_live *stored, struct program **out,
                              struct gd_error *why)
{
	const struct text spec = stored->job.spec;
	enum gd_err       rc = GD_OK;

	if ((*out = program_cache_find(&l->programs, spec.at, spec.bytes)) == NULL)
		rc = compile(l, spec, false, out, why);
	if (!stored->knows_no_children || (rc == GD_OK && (*out)->child_count == 0) ||
	    rc == GD_NOMEM)
		return rc;
	if (rc == GD_OK)
		program_release(*out);
	return compile(l, spec, true, out, why);
}

static enum gd_err args_of(struct loop *l, const struct program *p, struct text stored,
                           struct value **out, struct gd_error *why)
{
	struct load_problems problems = { 0 };
	json_t              *json = NULL;
	enum gd_err          rc;

	*out = NULL;
	if (p->job_arg_count == 0)
		return GD_OK;
	if ((*out = calloc(p->job_arg_count, sizeof **out)) == NULL)
		return gd_fail(why, GD_NOMEM, "%u arguments", (unsigned)p->job_arg_count);
	if (stored.at != NULL)
		json = json_loadb(stored.at, stored.bytes, JSON_REJECT_DUPLICATES, NULL);
	if (stored.at != NULL && json == NULL)
		rc = gd_fail(why, GD_INVALID_SPEC, "the stored arguments are not JSON");
	else
		rc = load_args(engine_heap(l->engine), p, json, *out, &problems, why);
	json_decref(json);
	if (rc == GD_INVALID_SPEC && problems.count != 0)
		(void)gd_fail(why, rc, "this version does not take the stored arguments: %s",
		              problems.at[0].message);
	load_problems_close(&problems);
	if (rc != GD_OK) {
		free(*out);
		*out = NULL;
	}
	return rc;
}

/* Whether the job is still there, and can take more. */
static bool is_live(const struct loop *l, uint64_t job)
{
	return jobs_find(&l->jobs, job) != NULL;
}

static bool is_effect(enum engine_in_kind kind)
{
	return kind == ENGINE_BEGIN || kind == ENGINE_EXITED || kind == ENGINE_LINES ||
	       kind == ENGINE_RESUME;
}

static enum gd_err replay_inputs(struct loop *l, const struct store_live *stored,
                                 struct gd_error *why)
{
	uint64_t job = stored->job.id;

	for (uint32_t i = 0; i < stored->input_count && is_live(l, job); i++) {
		const struct text bytes = stored->inputs[i].bytes;
		struct engine_in  in = { .job = job, .message = VALUE_NULL };
		enum gd_err       rc;

		rc = journal_decode(engine_heap(l->engine), bytes.at, bytes.bytes, &in, why);
		if (rc == GD_STORE) {
			apply_quarantine(l, job, stored->last_ordinal, QUARANTINE_JOURNAL,
			                 why->text);
			return GD_OK;
		}
		if (rc != GD_OK)
			return rc;
		in.job = job;
		loop_reach(l, in.time); /* what has happened, has happened */
		l->replay_left = stored->input_count - i - 1;
		l->budget = NO_BUDGET;
		loop_step(l, &in);
		/* Behind the step: what asked for it may come out in the same one. */
		if (in.kind == ENGINE_GRANT && is_live(l, job))
			semaphores_hold(l->pool->semaphores, job, in.ticket, in.time);
		else if (is_effect(in.kind) && is_live(l, job))
			l->effects.took(l->effects.ctx, &in);
		else if (in.kind == ENGINE_CHILD_ENDED)
			children_took(l, &in);
		value_release(engine_heap(l->engine), in.message);
	}
	return GD_OK;
}

static void begin(struct loop *l, const struct store_job *job, struct program *program,
                  const struct value *args)
{
	gd_nsec time = job->started, start_at = 0;

	if (job->status == JOB_QUEUED && job->started != 0) {
		time = job->submitted;
		start_at = job->started;
	} else if (job->started == 0) {
		time = loop_now(l); /* accepted, and the daemon ended before it began */
	}
	l->budget = NO_BUDGET;
	submit_begin(l, job->id, program, args, job->title, time, start_at);
}

/* Where the body of a child stands in this version's program. */
static bool find_body(const struct program *p, struct text pointer, uint32_t *code)
{
	struct buf b = { 0 };
	bool       is_found = false;

	for (uint32_t i = 0; i < p->child_count && !is_found; i++) {
		*code = p->children[i].code;
		buf_clear(&b);
		program_write_pointer(&b, p, p->codes[*code].node);
		is_found = b.failed == GD_OK && b.bytes == pointer.bytes &&
		           memcmp(b.at, pointer.at, b.bytes) == 0;
	}
	buf_close(&b);
	return is_found;
}

static enum gd_err begin_child(struct loop *l, const struct store_live *stored,
                               struct program *program, struct gd_error *why)
{
	const struct store_job *job = &stored->job;
	uint32_t                code;
	enum gd_err             rc = GD_STORE;

	if (find_body(program, job->child->code, &code))
		rc = submit_begin_child(l, job->id, program, code, job->child, job->title,
		                        job->started != 0 ? job->started : job->submitted, why);
	else
		(void)gd_fail(why, rc, "the spec of its parent has no such body");
	if (rc != GD_STORE)
		return rc;
	apply_quarantine(l, job->id, stored->last_ordinal, QUARANTINE_JOURNAL, why->text);
	return GD_OK;
}

static enum gd_err replay(struct loop *l, const struct store_live *stored, struct program *program,
                          const struct value *args, struct gd_error *why)
{
	const struct store_job *job = &stored->job;
	struct live_job        *live;
	enum gd_err             rc;

	if ((rc = jobs_reserve(&l->jobs, why)) != GD_OK)
		return rc;
	live = jobs_add(&l->jobs, job->id);
	live->stored_ordinal = stored->last_ordinal;
	live->inputs = stored->input_count;
	live->priority = (int8_t)job->priority;
	live->is_replayed = job->past.from != 0;
	if (live->is_replayed)
		live->u.past = (struct job_past){ job->past.from, job->past.sum };
	live->is_begun = job->status == JOB_RUNNING;
	l->replay_left = stored->input_count;
	rc = GD_OK;
	if (job->child != NULL)
		rc = begin_child(l, stored, program, why);
	else
		begin(l, job, program, args);
	if (rc == GD_OK)
		rc = replay_inputs(l, stored, why);
	l->replay_left = 0;
	return rc;
}

static enum gd_err load_and_replay(struct loop *l, const struct store_live *stored,
                                   struct gd_error *why)
{
	struct program *program = NULL;
	struct value   *args = NULL;
	enum gd_err     rc = program_of(l, stored, &program, why);

	if (rc == GD_OK && stored->job.child == NULL)
		rc = args_of(l, program, stored->job.args, &args, why);
	if (rc == GD_OK) {
		rc = replay(l, stored, program, args, why);
		for (uint32_t i = 0; args != NULL && i < program->job_arg_count; i++)
			value_release(engine_heap(l->engine), args[i]);
		free(args);
		GD_FAILPOINT("run.job_replayed");
	} else if (rc == GD_INVALID_SPEC) {
		apply_quarantine(l, stored->job.id, stored->last_ordinal, QUARANTINE_SPEC,
		                 why->text);
		rc = GD_OK;
	}
	program_release(program);
	return rc;
}

enum gd_err replay_job(struct loop *l, const struct store_live *stored, struct gd_error *why)
{
	uint64_t    job = stored->job.id;
	enum gd_err rc = GD_OK;

	l->replay_job = job;
	if (stored->last_ticket != 0)
		children_set_last_ticket(l, job, stored->last_ticket);
	if (stored->job.child != NULL)
		children_add_child(l, job, stored->job.child->parent, stored->job.child->ticket);
	if (store_replay_begin(l->pool->store, l->index, job) >= DEATHS_MAX)
		apply_quarantine(l, job, stored->last_ordinal, QUARANTINE_CRASH,
		                 "the daemon ended each time it replayed this job");
	else
		rc = load_and_replay(l, stored, why);
	store_replay_end(l->pool->store, l->index);
	l->replay_job = 0;
	l->budget = LOOP_BUDGET_STEPS;
	return rc;
}
