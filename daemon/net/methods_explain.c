#include "daemon/net/explain.h"
#include "daemon/net/look.h"
#include "daemon/net/methods.h"
#include "daemon/net/render.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES_MAX 2000u
#define OWNERS_READ_MAX 64u /* jobs of which it is asked whether they may be named */

/* --- job.explain --- */

struct explain_look {
	struct look        look; /* first */
	struct explanation seen;
	uint32_t           reads_left; /* of OWNERS_READ_MAX */
};

static struct explain_look *explain_look_of(struct look *k)
{
	_Static_assert(offsetof(struct explain_look, look) == 0, "it begins with its look");
	return (struct explain_look *)(void *)k;
}

static void drop_explain(struct look *k)
{
	look_close(k);
	explain_close(&explain_look_of(k)->seen);
	free(k);
}

static void see_waits(struct look *k, struct loop *l)
{
	struct explain_look *e = explain_look_of(k);
	uint64_t             job = k->read->read.job;

	k->is_live = jobs_find(&l->jobs, job) != NULL || l->recovery != NULL;
	explain_see(&e->seen, l, effects_commands(k->desk->net->effects, l), job);
}

static void answer_explain(struct explain_look *e)
{
	struct look           *k = &e->look;
	struct request        *r = k->request;
	const struct store_job job = look_by_the_wall(k->desk->loop, *look_job(k));
	size_t                 room = request_line_max(r) - RENDER_LINE_SLACK;
	struct buf            *b;

	if (e->seen.arena.failed) {
		reply_error(r, GD_NOMEM, "no memory to explain a job", NULL);
		drop_explain(k);
		return;
	}
	if (!k->is_live)
		e->seen.count = e->seen.more = 0;
	if (k->is_unseen)
		e->seen.is_full = true;
	b = reply_begin(r);
	buf_addf(b, "{\"id\":%llu,\"status\":\"%s\"", (unsigned long long)job.id,
	         job_status_name(job.status));
	explain_write(b, &e->seen, &job, room / 4);
	if (job_status_is_final(job.status) && job.status != JOB_COMPLETED)
		render_outcome(b, job.status, job.result, job.error, room / 4);
	buf_add_byte(b, '}');
	reply_end(r);
	drop_explain(k);
}

/* --- which of the holders may be named --- */

/* NULL: none is left. */
static struct explain_holder *next_unasked(const struct explain_look *e)
{
	for (uint32_t i = 0; i < e->seen.count; i++) {
		struct explain_line *line = &e->seen.at[i].line;

		for (uint32_t j = 0; j < line->holder_count; j++)
			if (!line->holders[j].is_asked)
				return &line->holders[j];
	}
	return NULL;
}

static void settle(struct explain_look *e, uint64_t job, bool is_hidden)
{
	for (uint32_t i = 0; i < e->seen.count; i++) {
		struct explain_line *line = &e->seen.at[i].line;

		for (uint32_t j = 0; j < line->holder_count; j++)
			if (line->holders[j].job == job) {
				line->holders[j].is_asked = true;
				line->holders[j].is_hidden = is_hidden;
			}
	}
}

static void ask_owners(struct explain_look *e);

static void take_owner(struct loop *l, struct loop_read *read, void *ctx)
{
	struct explain_look *e = ctx;

	(void)l;
	settle(e, read->read.job,
	       read->read.outcome != GD_OK ||
	               !request_may(e->look.request, read->read.jobs[0].owner, e->look.own,
	                            e->look.any));
	store_read_free(&read->read);
	ask_owners(e);
}

/* One after the other, then it answers. */
static void ask_owners(struct explain_look *e)
{
	const struct explain_holder *h;
	struct loop_read            *read;

	while ((h = next_unasked(e)) != NULL) {
		read = e->reads_left == 0 ? NULL : loop_read_new(READ_JOB);
		if (read != NULL) {
			e->reads_left--;
			read->read.job = h->job;
			loop_read_start(e->look.desk->loop, read, take_owner, e);
			return;
		}
		settle(e, h->job, true);
	}
	answer_explain(e);
}

static void take_seen(struct look *k)
{
	struct explain_look *e = explain_look_of(k);

	if (e->seen.arena.failed || principal_may(request_who(k->request), k->any)) {
		answer_explain(e);
		return;
	}
	settle(e, look_job(k)->id, false); /* itself */
	e->reads_left = OWNERS_READ_MAX;
	ask_owners(e);
}

void method_job_explain(struct request *r, struct rpc_params *p)
{
	struct explain_look *e;
	uint64_t             id = 0;
	struct gd_error      why;

	rpc_require(p, "id");
	(void)rpc_u64(p, "id", 1, INT64_MAX, &id);
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	if ((e = calloc(1, sizeof *e)) != NULL) {
		e->look.see = see_waits;
		e->look.answer = take_seen;
		e->look.drop = drop_explain;
		e->look.own = AUTH_OBSERVE_OWN;
		e->look.any = AUTH_OBSERVE_ANY;
		if (look_start(&e->look, r, id, READ_WITH_RESULT))
			return;
	}
	free(e);
	reply_error(r, GD_NOMEM, "no memory for a request", NULL);
}

/* --- job.resume: a look that does something, told like every look when it is durable --- */

struct resume_look {
	struct look look; /* first */
	uint32_t    count;
	bool        is_fail;
	bool        has_path;
	char        path[PATH_BYTES_MAX + 1];
};

static struct resume_look *resume_look_of(struct look *k)
{
	_Static_assert(offsetof(struct resume_look, look) == 0, "it begins with its look");
	return (struct resume_look *)(void *)k;
}

static void drop_resume(struct look *k)
{
	look_close(k);
	free(k);
}

static void resume_commands(struct look *k, struct loop *l)
{
	struct resume_look *e = resume_look_of(k);

	e->count = effects_resume(k->desk->net->effects, l, k->read->read.job,
	                          e->has_path ? e->path : NULL, e->is_fail ? "fail" : "retry");
	k->is_live = true;
}

static void answer_resume(struct look *k)
{
	struct resume_look *e = resume_look_of(k);
	struct request     *r = k->request;
	struct gd_error     why;

	if (k->is_unseen || (e->count != 0 && !k->is_live)) {
		(void)gd_fail(&why, GD_UNAVAILABLE,
		              k->is_unseen ? "the storage is full; try again"
		                           : "the daemon is stopping");
		reply_why(r, &why);
	} else if (e->count == 0) {
		reply_error(r, GD_CONFLICT,
		            e->has_path ? "no command of this job is held at this path"
		                        : "no command of this job is held",
		            "\"why\":\"not held\"");
	} else {
		buf_addf(reply_begin(r), "{\"id\":%llu,\"resumed\":%u}",
		         (unsigned long long)look_job(k)->id, (unsigned)e->count);
		reply_end(r);
	}
	drop_resume(k);
}

void method_job_resume(struct request *r, struct rpc_params *p)
{
	static const char *const choices[] = { "retry", "fail", NULL };
	struct resume_look      *e;
	const char              *path = NULL;
	uint64_t                 id = 0;
	uint32_t                 what = 0;
	struct gd_error          why;

	rpc_require(p, "id");
	rpc_require(p, "what");
	(void)rpc_u64(p, "id", 1, INT64_MAX, &id);
	(void)rpc_text(p, "path", PATH_BYTES_MAX, &path);
	(void)rpc_choice(p, "what", choices, &what);
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	if ((e = calloc(1, sizeof *e)) != NULL) {
		e->is_fail = what == 1;
		e->has_path = path != NULL;
		if (path != NULL)
			memcpy(e->path, path, strlen(path) + 1);
		e->look.see = resume_commands;
		e->look.answer = answer_resume;
		e->look.drop = drop_resume;
		e->look.own = AUTH_CANCEL_OWN;
		e->look.any = AUTH_CANCEL_ANY;
		e->look.waits_for_job = true;
		if (look_start(&e->look, r, id, 0))
			return;
	}
	free(e);
	reply_error(r, GD_NOMEM, "no memory for a request", NULL);
}
