#include "daemon/fsck/inside.h"

#include "daemon/load/cache.h"
#include "daemon/load/load.h"
#include "daemon/store/journal.h"
#include "daemon/store/journal_value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What recovery does with each job that is not over, up to the first step of its engine. */
struct walk {
	struct fsck         *fsck;
	struct program_cache programs;
	struct value_heap    heap;
	sqlite3_stmt        *inputs; /* of one job */
	uint64_t             jobs;
	uint64_t             journaled;
};

static enum gd_err program_of(struct walk *w, int64_t job, struct text spec, struct program **out,
                              struct gd_error *why)
{
	struct load_problems problems = { 0 };
	json_t              *json;
	enum gd_err          rc;

	if (spec.at == NULL)
		spec = (struct text){ "", 0 };
	if ((*out = program_cache_find(&w->programs, spec.at, spec.bytes)) != NULL)
		return GD_OK;
	json = json_loadb(spec.at, spec.bytes, JSON_REJECT_DUPLICATES, NULL);
	if (json == NULL) {
		fsck_problem(w->fsck, "job %" PRId64 ": its spec is not JSON", job);
		return GD_OK;
	}
	rc = load_program(json, out, &problems, why);
	json_decref(json);
	if (rc == GD_OK)
		program_cache_add(&w->programs, spec.at, spec.bytes, *out);
	if (rc == GD_INVALID_SPEC) {
		fsck_problem(w->fsck, "job %" PRId64 ": its spec does not compile: %s at \"%s\"",
		             job, problems.count == 0 ? "?" : problems.at[0].message,
		             problems.count == 0 ? "" : problems.at[0].pointer);
		*out = NULL;
		rc = GD_OK;
	}
	load_problems_close(&problems);
	return rc;
}

static enum gd_err look_at_args(struct walk *w, int64_t job, const struct program *p,
                                struct text stored, struct gd_error *why)
{
	struct load_problems problems = { 0 };
	struct value        *args;
	json_t              *json = NULL;
	enum gd_err          rc = GD_INVALID_SPEC;

	if (p->job_arg_count == 0)
		return GD_OK;
	if ((args = calloc(p->job_arg_count, sizeof *args)) == NULL)
		return gd_fail(why, GD_NOMEM, "%u arguments", (unsigned)p->job_arg_count);
	if (stored.at != NULL)
		json = json_loadb(stored.at, stored.bytes, JSON_REJECT_DUPLICATES, NULL);
	if (stored.at == NULL || json != NULL)
		rc = load_args(&w->heap, p, json, args, &problems, why);
	json_decref(json);
	for (uint32_t i = 0; rc == GD_OK && i < p->job_arg_count; i++)
		value_release(&w->heap, args[i]);
	free(args);
	load_problems_close(&problems);
	if (rc != GD_INVALID_SPEC)
		return rc;
	fsck_problem(w->fsck, "job %" PRId64 ": its arguments do not fit its spec", job);
	return GD_OK;
}

static enum gd_err look_at_input(struct walk *w, int64_t job, uint64_t wanted, struct gd_error *why)
{
	struct engine_in in = { .message = VALUE_NULL };
	uint64_t         number = (uint64_t)sqlite3_column_int64(w->inputs, 0);
	struct text      bytes = fsck_text(w->inputs, 1);
	enum gd_err      rc;

	w->journaled++;
	if (number != wanted)
		fsck_problem(w->fsck,
		             "job %" PRId64 ": after input %" PRIu64
		             " of its journal comes %" PRIu64,
		             job, wanted - 1, number);
	rc = journal_decode(&w->heap, bytes.at == NULL ? "" : bytes.at, bytes.bytes, &in, why);
	if (rc == GD_OK)
		value_release(&w->heap, in.message);
	if (rc != GD_STORE)
		return rc;
	fsck_problem(w->fsck, "job %" PRId64 ": input %" PRIu64 " of its journal does not decode",
	             job, number);
	return GD_OK;
}

static enum gd_err look_at_inputs(struct walk *w, int64_t job, struct gd_error *why)
{
	uint64_t    wanted = 1;
	enum gd_err rc = GD_OK;

	(void)sqlite3_bind_int64(w->inputs, 1, job);
	while (rc == GD_OK && fsck_row(w->fsck, w->inputs)) {
		rc = look_at_input(w, job, wanted, why);
		wanted = (uint64_t)sqlite3_column_int64(w->inputs, 0) + 1;
	}
	(void)sqlite3_reset(w->inputs);
	return rc;
}

/* The body that a child runs. */
static void look_at_body(struct walk *w, int64_t job, const struct program *p, struct text pointer,
                         struct text captures)
{
	struct journal_cursor c = { .at = (const unsigned char *)captures.at,
		                    .left = captures.bytes };
	const struct code    *body = NULL;
	struct buf            b = { 0 };
	struct value          v;

	for (uint32_t i = 0; i < p->child_count && body == NULL; i++) {
		buf_clear(&b);
		program_write_pointer(&b, p, p->codes[p->children[i].code].node);
		if (b.bytes == pointer.bytes && memcmp(b.at, pointer.at, b.bytes) == 0)
			body = &p->codes[p->children[i].code];
	}
	buf_close(&b);
	if (body == NULL) {
		fsck_problem(w->fsck, "job %" PRId64 ": its parent's spec has no such body", job);
		return;
	}
	v = journal_get_value(&w->heap, &c);
	if (c.is_bad || !value_is_type(v, VALUE_T_LIST) ||
	    value_list(v)->count != body->capture_count)
		fsck_problem(w->fsck, "job %" PRId64 ": what it sees does not decode", job);
	value_release(&w->heap, v);
}

static enum gd_err look_at_job(struct walk *w, sqlite3_stmt *ask, struct gd_error *why)
{
	int64_t         job = sqlite3_column_int64(ask, 0);
	struct program *program = NULL;
	enum gd_err     rc = program_of(w, job, fsck_text(ask, 1), &program, why);

	w->jobs++;
	if (rc == GD_OK && program != NULL && sqlite3_column_type(ask, 3) != SQLITE_NULL)
		look_at_body(w, job, program, fsck_text(ask, 3), fsck_text(ask, 4));
	else if (rc == GD_OK && program != NULL)
		rc = look_at_args(w, job, program, fsck_text(ask, 2), why);
	program_release(program);
	return rc == GD_OK ? look_at_inputs(w, job, why) : rc;
}

/* The spec of a child is that of its root. */
#define LIVE                                                                                    \
	"SELECT id, iif(c.job IS NULL, spec, (SELECT r.spec FROM jobs r WHERE r.id = c.root))," \
	" args, code, captures FROM jobs LEFT JOIN children c ON c.job = jobs.id"               \
	" WHERE status < 2 ORDER BY id"
#define LIVE_OLD "SELECT id, spec, args, NULL, NULL FROM jobs WHERE status < 2 ORDER BY id"

static enum gd_err walk_jobs(struct walk *w, struct gd_error *why)
{
	sqlite3_stmt *ask;
	enum gd_err   rc = GD_OK;

	if (!fsck_ask(w->fsck, fsck_has_table(w->fsck, "children") ? LIVE : LIVE_OLD, &ask))
		return GD_OK;
	while (rc == GD_OK && fsck_row(w->fsck, ask))
		rc = look_at_job(w, ask, why);
	(void)sqlite3_finalize(ask);
	return rc;
}

enum gd_err fsck_jobs(struct fsck *f, struct gd_error *why)
{
	struct walk *w = calloc(1, sizeof *w);
	enum gd_err  rc = GD_OK;

	if (w == NULL)
		return gd_fail(why, GD_NOMEM, "fsck: out of memory");
	w->fsck = f;
	fsck_begin(f);
	if (fsck_ask(f, "SELECT number, bytes FROM inputs WHERE job = ?1 ORDER BY number",
	             &w->inputs))
		rc = walk_jobs(w, why);
	(void)sqlite3_finalize(w->inputs);
	program_cache_close(&w->programs);
	fsck_end(f);
	if (rc == GD_OK)
		fsck_say(f, "not over: %" PRIu64 " jobs with %" PRIu64 " journaled inputs", w->jobs,
		         w->journaled);
	free(w);
	return rc;
}
