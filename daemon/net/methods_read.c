#include "daemon/net/methods.h"
#include "daemon/net/render.h"
#include "daemon/run/apply.h"
#include "daemon/run/recover.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STACK_ROWS_MAX 1000u
#define LIST_ROWS_DEFAULT 100u

/* --- a look at a live job, on its own loop --- */

struct look {
	struct inbox_msg       msg;
	struct outbox_item     item;
	struct desk           *desk;
	struct loop_read      *read; /* the job as it is stored; owned */
	struct request        *request;
	bool                   has_tasks; /* asked for */
	bool                   is_stack;  /* job.stack, not job.get */
	bool                   is_live;
	bool                   is_cut; /* the daemon stopped before the job was here */
	unsigned               include;
	struct engine_job_info info;
	struct buf             stack;
};

static void free_look(struct look *look)
{
	store_read_free(&look->read->read);
	buf_close(&look->stack);
	free(look);
}

/* The times of a stored job, as people see them. */
static struct store_job by_the_wall(struct loop *l, struct store_job job)
{
	job.submitted = loop_wall(l, job.submitted);
	/* Until it has started, that is the start_at that was asked for. */
	if (job.status != JOB_QUEUED && job.started != 0)
		job.started = loop_wall(l, job.started);
	if (job.ended != 0)
		job.ended = loop_wall(l, job.ended);
	return job;
}

#define INCLUDE_SPEC 1u
#define INCLUDE_TASKS 2u
#define INCLUDE_RESULT 4u

static void write_job(struct buf *b, const struct look *look, size_t room)
{
	const struct store_job *job = look->read->read.jobs;
	const struct store_job  shown = by_the_wall(look->read->loop, *job);

	render_job_open(b, &shown);
	if (look->include & INCLUDE_SPEC) {
		buf_add_text(b, ",\"spec\":");
		render_value(b, job->spec, room / 2);
		buf_add_text(b, ",\"args\":");
		render_value(b, job->args.at != NULL ? job->args : (struct text){ "{}", 2 },
		             room / 4);
	}
	if (look->include & INCLUDE_RESULT)
		render_outcome(b, job->status, job->result, job->error,
		               look->include == INCLUDE_RESULT ? room : room / 4);
	if (look->is_live)
		buf_addf(b, ",\"progress\":{\"tasks_live\":%u,\"tasks_done\":%u}",
		         (unsigned)look->info.tasks_live, (unsigned)look->info.tasks_done);
	if (look->include & INCLUDE_TASKS) {
		buf_add_text(b, ",\"tasks\":");
		buf_add(b, look->stack.at, look->stack.bytes);
	}
	buf_add_byte(b, '}');
}

static void answer_look(struct look *look)
{
	struct request *r = look->request;
	struct gd_error why;
	struct buf     *b;

	if (look->is_cut) {
		(void)gd_fail(&why, GD_UNAVAILABLE, "the daemon is stopping");
		reply_why(r, &why);
		free_look(look);
		return;
	}
	b = reply_begin(r);
	if (look->stack.bytes == 0)
		buf_add_text(&look->stack, "[]");
	if (look->is_stack) {
		buf_addf(b, "{\"id\":%llu,\"status\":\"%s\",\"stack\":",
		         (unsigned long long)look->read->read.job,
		         job_status_name(look->read->read.jobs[0].status));
		buf_add(b, look->stack.at, look->stack.bytes);
		buf_add_byte(b, '}');
	} else {
		write_job(b, look, request_line_max(r) - RENDER_LINE_SLACK);
	}
	reply_end(r);
	free_look(look);
}

static void take_look_back(struct loop *l, struct inbox_msg *m)
{
	(void)l;
	answer_look((struct look *)(void *)m);
}

static void send_back(struct loop *l, struct look *look)
{
	if (l == look->desk->loop) {
		answer_look(look);
		return;
	}
	look->msg.run = take_look_back;
	loop_post_answer(look->desk->loop, &look->msg);
}

static void release_look(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	struct look *look = (struct look *)(void *)((char *)item - offsetof(struct look, item));

	if (outcome == GD_DURABILITY_UNKNOWN)
		return;         /* the desk answers everybody, and the process ends */
	if (outcome != GD_OK) { /* what it has come to will not be; its row is what is durable */
		look->is_live = false;
		buf_clear(&look->stack);
	}
	send_back(l, look);
}

/* What a job has come to is told when that is durable, like everything else. */
static void take_look(struct loop *l, struct inbox_msg *m)
{
	struct look *look = (struct look *)(void *)m;
	uint64_t     job = look->read->read.job;

	_Static_assert(offsetof(struct look, msg) == 0, "a look begins with its message");
	if (look->has_tasks && recover_defers(l, job, m))
		return;
	/* On a full disk that may take long: then the row is all there is to tell. */
	if (!loop_is_settled(l) && store_is_full(l->pool->store)) {
		send_back(l, look);
		return;
	}
	look->is_cut = look->has_tasks && recover_was_cut(l, job);
	look->is_live = engine_job_info(l->engine, job, &look->info);
	if (look->is_live && look->has_tasks)
		(void)engine_write_stack(l->engine, job, STACK_ROWS_MAX, &look->stack);
	look->item.release = release_look;
	if (loop_is_settled(l) || loop_when_durable(l, &look->item) != GD_OK)
		send_back(l, look);
}

static void take_job(struct loop *l, struct loop_read *read, void *ctx)
{
	struct look *look = ctx;
	struct loop *owner = pool_loop_of(look->desk->net->pool, read->read.job);

	if (read->read.outcome != GD_OK || !request_may(look->request, read->read.jobs[0].owner,
	                                                AUTH_OBSERVE_OWN, AUTH_OBSERVE_ANY)) {
		if (read->read.outcome == GD_OK || read->read.outcome == GD_NOT_FOUND)
			reply_not_found(look->request, read->read.job);
		else
			reply_why(look->request, &read->read.why);
		free_look(look);
	} else if (job_status_is_final(read->read.jobs[0].status)) {
		answer_look(look);
	} else {
		look->msg.run = take_look;
		if (owner == l)
			take_look(l, &look->msg);
		else
			loop_post_answer(owner, &look->msg); /* bounded by the requests in flight */
	}
}

static void look_at_job(struct request *r, uint64_t id, unsigned include, bool is_stack)
{
	struct look *look = calloc(1, sizeof *look);

	if (look == NULL || (look->read = loop_read_new(READ_JOB)) == NULL) {
		free(look);
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		return;
	}
	look->desk = r->desk;
	look->request = r;
	look->include = include;
	look->is_stack = is_stack;
	look->has_tasks = is_stack || (include & INCLUDE_TASKS) != 0;
	look->stack.cap = NET_LINE_BYTES_DEFAULT / 2;
	look->read->read.job = id;
	look->read->read.flags = (include & INCLUDE_SPEC ? READ_WITH_SPEC : 0) |
	                         (include & INCLUDE_RESULT ? READ_WITH_RESULT : 0);
	loop_read_start(r->desk->loop, look->read, take_job, look);
}

void method_job_get(struct request *r, struct rpc_params *p)
{
	static const char *const choices[] = { "spec", "tasks", "result", NULL };
	uint64_t                 id = 0;
	uint32_t                 include = INCLUDE_RESULT;
	struct gd_error          why;

	rpc_require(p, "id");
	(void)rpc_u64(p, "id", 1, INT64_MAX, &id);
	(void)rpc_choices(p, "include", choices, &include);
	if (rpc_params_end(p, &why) != GD_OK)
		reply_bad_params(r, p);
	else
		look_at_job(r, id, include, false);
}

void method_job_stack(struct request *r, struct rpc_params *p)
{
	uint64_t        id = 0;
	struct gd_error why;

	rpc_require(p, "id");
	(void)rpc_u64(p, "id", 1, INT64_MAX, &id);
	if (rpc_params_end(p, &why) != GD_OK)
		reply_bad_params(r, p);
	else
		look_at_job(r, id, 0, true);
}

/* --- job.list --- */

static void take_list(struct loop *l, struct loop_read *read, void *ctx)
{
	struct request  *r = ctx;
	uint64_t         next = read->read.next_after;
	size_t           line_max = request_line_max(r) - RENDER_LINE_SLACK;
	size_t           start;
	struct buf      *b;
	struct store_job shown;

	if (read->read.outcome != GD_OK) {
		reply_why(r, &read->read.why);
		store_read_free(&read->read);
		return;
	}
	b = reply_begin(r);
	start = b->bytes;
	buf_add_text(b, "{\"jobs\":[");
	for (uint32_t i = 0; i < read->read.job_count; i++) {
		if (i != 0)
			buf_add_byte(b, ',');
		shown = by_the_wall(l, read->read.jobs[i]);
		render_job_open(b, &shown);
		buf_add_byte(b, '}');
		if (b->bytes - start > line_max && i + 1 < read->read.job_count) {
			next = read->read.jobs[i].id; /* the line is full before the page is */
			break;
		}
	}
	buf_add_text(b, "],\"next\":");
	if (next != 0)
		buf_add_u64(b, next);
	else
		buf_add_text(b, "null");
	buf_add_byte(b, '}');
	reply_end(r);
	store_read_free(&read->read);
}

static struct text kept(struct arena *a, const char *at)
{
	size_t bytes = at == NULL ? 0 : strlen(at);

	return (struct text){ arena_copy(a, at, bytes), bytes };
}

void method_job_list(struct request *r, struct rpc_params *p)
{
	static const char *const statuses[] = { "queued", "running",   "completed",
		                                "failed", "cancelled", NULL };
	static const char *const orders[] = { "oldest", "newest", NULL };
	const struct principal  *who = request_who(r);
	struct loop_read        *read = loop_read_new(READ_JOBS);
	uint32_t                 status = 0, order = 1, limit = LIST_ROWS_DEFAULT;
	const char              *label = NULL, *title = NULL;
	struct gd_error          why;

	if (read == NULL) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		return;
	}
	(void)rpc_choices(p, "status", statuses, &status);
	(void)rpc_text(p, "label", NET_LABEL_BYTES_MAX, &label);
	(void)rpc_text(p, "title", NET_TITLE_BYTES_MAX, &title);
	(void)rpc_moment(p, "since", &read->read.since);
	(void)rpc_choice(p, "order", orders, &order);
	(void)rpc_u64(p, "after", 0, INT64_MAX, &read->read.after);
	(void)rpc_u32(p, "limit", 1, NET_PAGE_ROWS, &limit);
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		store_read_free(&read->read);
		return;
	}
	read->read.status_mask = status;
	read->read.is_newest_first = order == 1;
	read->read.limit = limit;
	read->read.label_filter = kept(&read->read.arena, label);
	read->read.title_filter = kept(&read->read.arena, title);
	if (!principal_may(who, AUTH_OBSERVE_ANY))
		read->read.owner_filter = kept(&read->read.arena, who->name);
	if (read->read.arena.failed) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		store_read_free(&read->read);
		return;
	}
	loop_read_start(r->desk->loop, read, take_list, r);
}

/* --- server.info --- */

/* Resident, as the kernel counts it; 0 when it does not say. */
static size_t resident_bytes(void)
{
	unsigned long pages = 0;
	FILE         *f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	(void)fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void take_info(struct loop *l, struct loop_read *read, void *ctx)
{
	struct request    *r = ctx;
	const struct pool *pool = r->desk->net->pool;
	struct buf        *b;

	if (read->read.outcome != GD_OK) {
		reply_why(r, &read->read.why);
		store_read_free(&read->read);
		return;
	}
	b = reply_begin(r);
	buf_add_text(b, "{\"version\":\"" PACKAGE_VERSION "\",\"uptime\":");
	apply_write_time(b, loop_now(l) - pool->started);
	buf_add_text(b, ",\"jobs\":{");
	for (int s = JOB_QUEUED; s <= JOB_CANCELLED; s++)
		buf_addf(b, "%s\"%s\":%llu", s == JOB_QUEUED ? "" : ",",
		         job_status_name((enum job_status)s),
		         (unsigned long long)read->read.jobs_by_status[s]);
	buf_add_text(b, "},\"loops\":[");
	for (uint32_t i = 0; i < pool->count; i++)
		buf_addf(b, "%s{\"jobs\":%u}", i == 0 ? "" : ",",
		         (unsigned)atomic_load(&pool->at[i].loop.job_count));
	buf_addf(
		b,
		"],\"recovering\":%llu,\"disk_full\":%s,\"connections\":%u,\"processes\":0,\"queue\":%llu,"
		"\"database_bytes\":%llu,\"wal_bytes\":%llu,\"output_bytes\":%llu,\"memory_bytes\":%zu,\"seq\":%llu}",
		(unsigned long long)recover_left(pool),
		store_is_full(pool->store) ? "true" : "false",
		(unsigned)atomic_load(&r->desk->net->connections),
		(unsigned long long)read->read.queue, (unsigned long long)read->read.database_bytes,
		(unsigned long long)read->read.wal_bytes,
		(unsigned long long)read->read.output_bytes, resident_bytes(),
		(unsigned long long)read->read.seq);
	reply_end(r);
	store_read_free(&read->read);
}

void method_server_info(struct request *r, struct rpc_params *p)
{
	struct gd_error   why;
	struct loop_read *read;

	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
	} else if ((read = loop_read_new(READ_INFO)) == NULL) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
	} else {
		loop_read_start(r->desk->loop, read, take_info, r);
	}
}
