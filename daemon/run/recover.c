#include "daemon/run/recover.h"

#include "daemon/log.h"
#include "daemon/run/apply.h"
#include "daemon/run/semaphores.h"
#include "daemon/run/submit.h"
#include "daemon/store/journal.h"
#include "proto/base/check.h"
#include "proto/base/failpoint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEATHS_MAX 3u /* of the daemon, in a row, while it replayed the same job */

struct walk {
	struct pool *pool;
	uint64_t     count;
};

static enum gd_err program_of(struct loop *l, struct text spec, struct program **out,
                              struct gd_error *why)
{
	struct load_problems problems = { 0 };
	json_t              *json;
	enum gd_err          rc;

	if ((*out = program_cache_find(&l->programs, spec.at, spec.bytes)) != NULL)
		return GD_OK;
	if ((json = json_loadb(spec.at, spec.bytes, JSON_REJECT_DUPLICATES, NULL)) == NULL)
		return gd_fail(why, GD_INVALID_SPEC, "the stored spec is not JSON");
	rc = load_program(json, out, &problems, why);
	json_decref(json);
	if (rc == GD_INVALID_SPEC && problems.count != 0)
		(void)gd_fail(why, rc, "this version does not take the stored spec: %s at %s",
		              problems.at[0].message, problems.at[0].pointer);
	load_problems_close(&problems);
	if (rc == GD_OK)
		program_cache_add(&l->programs, spec.at, spec.bytes, *out);
	return rc;
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

static enum gd_err replay_inputs(struct loop *l, const struct store_job *job, uint32_t last_ordinal,
                                 const struct store_input *inputs, uint32_t count,
                                 struct gd_error *why)
{
	for (uint32_t i = 0; i < count && is_live(l, job->id); i++) {
		struct engine_in in = { .job = job->id, .message = VALUE_NULL };
		enum gd_err      rc;

		rc = journal_decode(engine_heap(l->engine), inputs[i].bytes.at,
		                    inputs[i].bytes.bytes, &in, why);
		if (rc == GD_STORE) {
			apply_quarantine(l, job->id, last_ordinal, QUARANTINE_JOURNAL, why->text);
			return GD_OK;
		}
		if (rc != GD_OK)
			return rc;
		in.job = job->id;
		if (in.time > l->now) /* the clock went back: what has happened, has happened */
			l->now = in.time;
		l->replay_left = count - i - 1;
		loop_step(l, &in);
		/* Behind the step: what asked for it may come out in the same one. */
		if (in.kind == ENGINE_GRANT && is_live(l, job->id))
			semaphores_hold(l->pool->semaphores, job->id, in.ticket);
		value_release(engine_heap(l->engine), in.message);
	}
	return GD_OK;
}

static enum gd_err replay(struct loop *l, const struct store_job *job, uint32_t last_ordinal,
                          const struct store_input *inputs, uint32_t input_count,
                          struct program *program, const struct value *args, struct gd_error *why)
{
	struct live_job *live;
	enum gd_err      rc;

	if ((rc = jobs_reserve(&l->jobs, why)) != GD_OK)
		return rc;
	live = jobs_add(&l->jobs, job->id);
	live->stored_ordinal = last_ordinal;
	live->inputs = input_count;
	live->is_replayed = job->past.from != 0;
	if (live->is_replayed)
		live->u.past = (struct job_past){ job->past.from, job->past.sum };
	live->is_begun = job->status == JOB_RUNNING;
	l->replay_left = input_count;
	/* Accepted with a key, and the daemon ended before it began: it begins now. */
	submit_begin(l, job->id, program, args, job->title,
	             job->started != 0 ? job->started : loop_now(l));
	rc = replay_inputs(l, job, last_ordinal, inputs, input_count, why);
	l->replay_left = 0;
	return rc;
}

static enum gd_err take_job(void *ctx, const struct store_job *job, uint32_t last_ordinal,
                            const struct store_input *inputs, uint32_t input_count,
                            struct gd_error *why)
{
	struct walk    *walk = ctx;
	struct loop    *l = pool_loop_of(walk->pool, job->id);
	struct program *program = NULL;
	struct value   *args = NULL;
	enum gd_err     rc;

	if (job->past.deaths >= DEATHS_MAX) {
		apply_quarantine(l, job->id, last_ordinal, QUARANTINE_CRASH,
		                 "the daemon ended each time it replayed this job");
		return GD_OK;
	}
	rc = program_of(l, job->spec, &program, why);
	if (rc == GD_OK)
		rc = args_of(l, program, job->args, &args, why);
	if (rc == GD_OK) {
		rc = replay(l, job, last_ordinal, inputs, input_count, program, args, why);
		for (uint32_t i = 0; args != NULL && i < program->job_arg_count; i++)
			value_release(engine_heap(l->engine), args[i]);
		free(args);
		walk->count++;
		GD_FAILPOINT("run.job_replayed");
	} else if (rc == GD_INVALID_SPEC) {
		apply_quarantine(l, job->id, last_ordinal, QUARANTINE_SPEC, why->text);
		rc = GD_OK;
	}
	program_release(program);
	return rc;
}

static enum gd_err take_semaphore(void *ctx, struct text name, uint32_t permits,
                                  struct gd_error *why)
{
	struct pool *p = ctx;
	enum gd_err  rc = semaphores_begin_put(p->semaphores, name, permits, why);

	if (rc == GD_OK)
		semaphores_put(p->semaphores, name, permits, 0, NULL);
	return rc;
}

/* Loops tell each other, by grants, of what has happened; none may be behind what any of them was
 * told before the restart. */
static void align_clocks(struct pool *p)
{
	gd_nsec latest = INT64_MIN;

	for (uint32_t i = 0; i < p->count; i++)
		if (pool_loop(p, i)->now > latest)
			latest = pool_loop(p, i)->now;
	for (uint32_t i = 0; i < p->count; i++)
		pool_loop(p, i)->now = latest;
}

enum gd_err recover_jobs(struct pool *p, uint64_t *count, struct gd_error *why)
{
	struct walk walk = { .pool = p };
	enum gd_err rc;

	/* A job is replayed to the end of its journal before the next one: no budget. */
	for (uint32_t i = 0; i < p->count; i++)
		engine_set_budget(pool_loop(p, i)->engine, UINT32_MAX);
	rc = store_each_semaphore(p->store, take_semaphore, p, why);
	if (rc == GD_OK)
		rc = store_each_live(p->store, take_job, &walk, why);
	align_clocks(p);
	for (uint32_t i = 0; i < p->count; i++) {
		struct loop *l = pool_loop(p, i);

		engine_set_budget(l->engine, LOOP_BUDGET_STEPS);
		l->is_busy = true; /* the first turn looks what is overdue */
		atomic_store(&l->job_count, l->jobs.count);
	}
	*count = walk.count;
	GD_FAILPOINT("run.all_replayed");
	return rc;
}
