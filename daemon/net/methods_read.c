#include "daemon/net/look.h"
#include "daemon/net/methods.h"
#include "daemon/net/render.h"
#include "daemon/run/apply.h"
#include "daemon/run/children.h"
#include "daemon/run/recover.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STACK_ROWS_MAX 1000u
#define LIST_ROWS_DEFAULT 100u

/* --- job.get, job.stack --- */

struct job_look {
	struct look            look;      /* first */
	bool                   has_tasks; /* asked for */
	bool                   is_stack;  /* job.stack, not job.get */
	unsigned               include;
	struct engine_job_info info;
	struct buf             stack;
};

static struct job_look *job_look_of(struct look *k)
{
	_Static_assert(offsetof(struct job_look, look) == 0, "it begins with its look");
	return (struct job_look *)(void *)k;
}

static void drop_look(struct look *k)
{
	look_close(k);
	buf_close(&job_look_of(k)->stack);
	free(k);
}

#define INCLUDE_SPEC 1u
#define INCLUDE_TASKS 2u
#define INCLUDE_RESULT 4u

static void write_stack(struct buf *b, const struct job_look *look)
{
	if (look->look.is_live && look->stack.bytes != 0)
		buf_add(b, look->stack.at, look->stack.bytes);
	else
		buf_add_text(b, "[]");
}

static void write_job(struct buf *b, const struct job_look *look, size_t room)
{
	const struct store_job *job = look_job(&look->look);
	const struct store_job  shown = look_by_the_wall(look->look.desk->loop, *job);

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
	if (look->look.is_live)
		buf_addf(b, ",\"progress\":{\"tasks_live\":%u,\"tasks_done\":%u}",
		         (unsigned)look->info.tasks_live, (unsigned)look->info.tasks_done);
	if (look->include & INCLUDE_TASKS) {
		buf_add_text(b, ",\"tasks\":");
		write_stack(b, look);
	}
	buf_add_byte(b, '}');
}

static void answer_look(struct look *k)
{
	struct job_look *look = job_look_of(k);
	struct buf      *b = reply_begin(k->request);

	if (look->is_stack) {
		const uint64_t id = look_job(k)->id;

		buf_addf(b, "{\"id\":%llu,\"status\":\"%s\",\"loop\":%u,\"stack\":",
		         (unsigned long long)id, job_status_name(look_job(k)->status),
		         (unsigned)pool_loop_of(k->desk->net->pool, id)->index);
		write_stack(b, look);
		buf_add_byte(b, '}');
	} else {
		write_job(b, look, request_line_max(k->request) - RENDER_LINE_SLACK);
	}
	reply_end(k->request);
	drop_look(k);
}

struct family {
	const struct loop *loop;
	uint64_t           job;
};

/* Where a task is a job of its own. */
static void add_child(void *ctx, const struct engine_wait *w, struct buf *b)
{
	const struct family *f = ctx;
	uint64_t             child;

	if (w->kind == ENGINE_WAIT_CHILD && children_find(f->loop, f->job, w->ticket, &child))
		buf_addf(b, ",\"child\":%llu,\"loop\":%u", (unsigned long long)child,
		         (unsigned)pool_loop_of(f->loop->pool, child)->index);
}

static void see_job(struct look *k, struct loop *l)
{
	struct job_look *look = job_look_of(k);
	uint64_t         job = k->read->read.job;
	struct family    family = { l, job };

	k->is_live = engine_job_info(l->engine, job, &look->info);
	if (k->is_live && look->has_tasks)
		(void)engine_write_stack(l->engine, job, STACK_ROWS_MAX, &look->stack, add_child,
		                         &family);
}

static void look_at_job(struct request *r, uint64_t id, unsigned include, bool is_stack)
{
	struct job_look *look = calloc(1, sizeof *look);
	unsigned         flags = (include & INCLUDE_SPEC ? READ_WITH_SPEC : 0) |
	                 (include & INCLUDE_RESULT ? READ_WITH_RESULT : 0);

	if (look != NULL) {
		look->include = include;
		look->is_stack = is_stack;
		look->has_tasks = is_stack || (include & INCLUDE_TASKS) != 0;
		look->stack.cap = NET_LINE_BYTES_DEFAULT / 2;
		look->look.see = see_job;
		look->look.own = AUTH_OBSERVE_OWN;
		look->look.any = AUTH_OBSERVE_ANY;
		look->look.answer = answer_look;
		look->look.drop = drop_look;
		look->look.waits_for_job = look->has_tasks;
		if (look_start(&look->look, r, id, flags))
			return;
	}
	free(look);
	reply_error(r, GD_NOMEM, "no memory for a request", NULL);
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
		shown = look_by_the_wall(l, read->read.jobs[i]);
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
	(void)rpc_u64(p, "parent", 1, INT64_MAX, &read->read.parent_filter);
	(void)rpc_bool(p, "children", &read->read.has_children);
	if (read->read.parent_filter != 0 && label != NULL)
		rpc_fault(p, "/label", "children have no labels");
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

static void write_loop(struct buf *b, const struct loop *l)
{
	struct stopwatch_lap longest = stopwatch_longest_lap(&l->watch);

	buf_addf(b, "{\"jobs\":%u,\"longest_turn\":", (unsigned)atomic_load(&l->job_count));
	apply_write_time(b, stopwatch_longest_turn(&l->watch));
	buf_addf(b, ",\"longest\":{\"in\":\"%s\",\"seconds\":", doing_name(longest.what));
	apply_write_time(b, longest.took);
	buf_add_text(b, "}}");
}

static void take_info(struct loop *l, struct loop_read *read, void *ctx)
{
	struct request       *r = ctx;
	const struct pool    *pool = r->desk->net->pool;
	struct effects_counts counts;
	struct buf           *b;

	if (read->read.outcome != GD_OK) {
		reply_why(r, &read->read.why);
		store_read_free(&read->read);
		return;
	}
	counts = effects_count(r->desk->net->effects);
	b = reply_begin(r);
	buf_add_text(b, "{\"version\":\"" PACKAGE_VERSION "\",\"uptime\":");
	apply_write_time(b, loop_now(l) - pool->started);
	buf_add_text(b, ",\"jobs\":{");
	for (int s = JOB_QUEUED; s <= JOB_CANCELLED; s++)
		buf_addf(b, "%s\"%s\":%llu", s == JOB_QUEUED ? "" : ",",
		         job_status_name((enum job_status)s),
		         (unsigned long long)read->read.jobs_by_status[s]);
	buf_add_text(b, "},\"loops\":[");
	for (uint32_t i = 0; i < pool->count; i++) {
		if (i != 0)
			buf_add_byte(b, ',');
		write_loop(b, &pool->at[i].loop);
	}
	buf_addf(
		b,
		"],\"recovering\":%llu,\"disk_full\":%s,\"connections\":%u,"
		"\"processes\":{\"running\":%u,\"waiting\":%u},"
		"\"threads\":{\"running\":%u,\"waiting\":%u},"
		"\"http\":{\"running\":%u,\"waiting\":%u},\"queue\":%llu,"
		"\"database_bytes\":%llu,\"wal_bytes\":%llu,\"output_bytes\":%llu,\"memory_bytes\":%zu,\"seq\":%llu}",
		(unsigned long long)recover_left(pool),
		store_is_full(pool->store) ? "true" : "false",
		(unsigned)atomic_load(&r->desk->net->connections),
		(unsigned)counts.commands_running, (unsigned)counts.commands_waiting,
		(unsigned)counts.running[CALL_THREAD], (unsigned)counts.waiting[CALL_THREAD],
		(unsigned)counts.running[CALL_HTTP], (unsigned)counts.waiting[CALL_HTTP],
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
