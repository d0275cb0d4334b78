#include "daemon/net/log_call.h"

#include "daemon/net/log_chunks.h"
#include "daemon/net/render.h"
#include "daemon/run/recover.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void start_reading(struct log_call *call);
static void visit_owner(struct log_call *call);

/* --- life --- */

static void drop_page(struct log_call *call)
{
	if (call->read != NULL)
		store_read_free(&call->read->read);
	call->read = NULL;
}

static void free_call(struct log_call *call)
{
	drop_page(call);
	free(call->path);
	free(call);
}

static struct commands *commands_of(const struct log_call *call)
{
	return effects_commands(call->desk->net->effects, call->owner);
}

static struct log_call *call_of(struct inbox_msg *m, size_t offset)
{
	return (struct log_call *)(void *)((char *)m - offset);
}

static void take_stopped(struct loop *l, struct inbox_msg *m)
{
	struct log_call *call = call_of(m, offsetof(struct log_call, stop));

	(void)l;
	free_call(call);
}

/* On the owner's loop. */
static void take_stop(struct loop *l, struct inbox_msg *m)
{
	struct log_call *call = call_of(m, offsetof(struct log_call, stop));

	(void)l;
	commands_unwatch(commands_of(call), &call->command_watch);
	call->stop.run = take_stopped;
	loop_post_answer(call->desk->loop, &call->stop); /* behind any `told` */
}

/* Nobody waits for an answer any more. Freed when nothing is on its way. */
static void end_if_idle(struct log_call *call)
{
	if (call->request != NULL || call->stage != LOG_WAITING || call->is_stopping)
		return;
	if (call->is_watched && call->owner != call->desk->loop && !call->desk->net->is_closing) {
		call->is_stopping = true;
		call->stop.run = take_stop;
		loop_post_answer(call->owner, &call->stop);
		return;
	}
	/* When all loops have ended nobody is told any more. */
	if (call->is_watched && !call->desk->net->is_closing)
		commands_unwatch(commands_of(call), &call->command_watch);
	call->is_watched = false;
	if (!atomic_load(&call->is_told))
		free_call(call);
}

static void forget(struct log_call *call)
{
	call->request = NULL;
	desk_unwatch(call->desk, &call->watch);
	end_if_idle(call);
}

static void let_log_go(struct request *r, bool is_cancelled)
{
	(void)is_cancelled;
	forget(r->work);
}

/* The request was answered. */
static void rest(struct log_call *call)
{
	call->stage = LOG_WAITING;
	forget(call);
}

static void fail(struct log_call *call, const struct gd_error *why)
{
	call->request->let_go = NULL;
	if (why->code == GD_NOT_FOUND)
		reply_not_found(call->request, call->job);
	else
		reply_why(call->request, why);
	rest(call);
}

/* --- the answer --- */

/* "BEGUN-TICKET-ATTEMPT-OFFSET" */
static void write_end(struct log_call *call, struct buf *b, bool is_eof)
{
	buf_addf(b, "],\"next\":\"%" PRId64 "-%" PRIu32 "-%" PRIu32 "-%" PRIu64 "\",\"eof\":%s}",
	         (int64_t)call->at.begun, call->at.ticket, call->at.attempt, call->offset,
	         is_eof ? "true" : "false");
}

static void answer(struct log_call *call, const struct buf *chunks, bool is_eof)
{
	struct buf *b;

	call->request->let_go = NULL;
	b = reply_begin(call->request);
	buf_add_text(b, "{\"chunks\":[");
	buf_add(b, chunks->at, chunks->bytes);
	write_end(call, b, is_eof);
	reply_end(call->request);
	rest(call);
}

static bool is_same(const struct store_command *a, const struct store_command *b)
{
	return a->begun == b->begun && a->ticket == b->ticket && a->attempt == b->attempt;
}

/* One command of the page. *is_last: the page ends here, because it is full or since this one goes
 * on. */
static enum gd_err add_command(struct log_call *call, struct log_page *p, uint32_t i, bool *is_last,
                               struct gd_error *why)
{
	const struct store_command *c = &call->read->read.commands[i];
	bool                        is_over = call->is_over || call->is_gone[i];
	bool                        is_all;
	enum gd_err                 rc = GD_OK;

	if (call->at.attempt != 0 && !is_same(c, &call->at))
		call->offset = 0;
	call->at = *c;
	call->at.path = (struct text){ 0 };
	if (call->has_tail) {
		rc = log_tail(p->store, call->job, c, call->which, call->tail, &call->offset, why);
		p->is_tail = true;
	}
	call->has_tail = false;
	if (rc == GD_OK)
		rc = log_page_add(p, call->job, c, is_over, &call->offset, &is_all, why);
	*is_last = rc != GD_OK || !is_all || !is_over;
	return rc;
}

/* Nothing more can come: the job is over; or the command that was asked for is, with all its
 * attempts. */
static bool is_eof(const struct log_call *call)
{
	const struct store_read *r = &call->read->read;

	return call->is_over ||
	       (call->path != NULL && r->command_count != 0 && call->is_gone[r->command_count - 1]);
}

static void wait_or_look_again(struct log_call *call)
{
	drop_page(call);
	call->stage = LOG_WAITING;
	if (call->is_stale)
		start_reading(call);
}

/* The page at hand, with what is known of its commands. */
static void serve(struct log_call *call)
{
	struct store_read *r = &call->read->read;
	struct buf         chunks = { 0 };
	struct log_page    page = { .store = call->desk->net->pool->store,
		                    .chunks = &chunks,
		                    .bytes_max =
		                            request_line_max(call->request) - RENDER_LINE_SLACK / 4,
		                    .which = call->which };
	struct gd_error    why;
	bool               is_last = false;
	bool               has_ended;
	enum gd_err        rc = GD_OK;

	for (uint32_t i = 0; i < r->command_count && !is_last && rc == GD_OK; i++)
		rc = add_command(call, &page, i, &is_last, &why);
	if (chunks.failed != GD_OK && rc == GD_OK)
		rc = gd_fail(&why, chunks.failed, "no memory for a reply");
	has_ended = !is_last && !r->has_more_commands && is_eof(call);
	if (rc == GD_OK && !is_last && r->has_more_commands && page.count == 0) {
		call->at = r->next_command;
		call->offset = UINT64_MAX >> 1; /* behind all of it */
		drop_page(call);
		start_reading(call);
	} else if (rc != GD_OK) {
		fail(call, &why);
	} else if (page.count != 0 || has_ended || !call->follows) {
		answer(call, &chunks, has_ended);
	} else {
		wait_or_look_again(call);
	}
	buf_close(&chunks);
}

/* --- the owner's loop --- */

static uint64_t bytes_of(const struct command *c)
{
	return c->bytes[RUN_STDOUT] + c->bytes[RUN_STDERR];
}

static struct command *find(const struct log_call *call, const struct store_command *c)
{
	return command_find(&commands_of(call)->table, call->job, c->ticket);
}

static void take_told(struct loop *l, struct inbox_msg *m)
{
	struct log_call *call = call_of(m, offsetof(struct log_call, told));

	(void)l;
	atomic_store(&call->is_told, false);
	call->is_stale = true;
	if (call->request == NULL)
		end_if_idle(call);
	else if (call->stage == LOG_WAITING)
		start_reading(call);
}

/* Only what concerns the command at which the page has ended is passed on, and once. */
static void on_told(struct command_watch *w)
{
	struct log_call *call =
		(struct log_call *)(void *)((char *)w - offsetof(struct log_call, command_watch));
	const struct command *c = find(call, &call->noted);

	if (!call->has_noted ||
	    (c != NULL && c->attempt == call->noted.attempt && bytes_of(c) == call->noted_bytes))
		return;
	if (atomic_exchange(&call->is_told, true))
		return;
	call->told.run = take_told;
	loop_post_answer(call->desk->loop, &call->told);
}

static void note_command(struct log_call *call, const struct store_command *c,
                         const struct command *live)
{
	call->has_noted = true;
	call->noted = *c;
	call->noted_bytes = live->attempt == c->attempt ? bytes_of(live) : 0;
}

/* On the owner's loop: which ones of the page are under way, and from now on a word of the first. */
static void ask_owner(struct log_call *call)
{
	const struct store_read *r = &call->read->read;

	call->has_noted = false;
	for (uint32_t i = 0; i < r->command_count; i++) {
		const struct command *c = find(call, &r->commands[i]);

		/* Another attempt under the same ticket may be on its way. */
		call->is_gone[i] =
			c == NULL || (c->attempt != r->commands[i].attempt &&
		                      (i + 1 < r->command_count || r->has_more_commands));
		if (c != NULL && !call->is_gone[i] && !call->has_noted)
			note_command(call, &r->commands[i], c);
	}
	if (call->follows && call->command_watch.told == NULL) {
		call->command_watch.job = call->job;
		call->command_watch.told = on_told;
		commands_watch(commands_of(call), &call->command_watch);
	}
}

static void take_visit_back(struct loop *l, struct inbox_msg *m)
{
	struct log_call *call = call_of(m, offsetof(struct log_call, visit));

	(void)l;
	call->is_watched = call->command_watch.told != NULL;
	if (call->request != NULL) {
		serve(call);
	} else {
		call->stage = LOG_WAITING;
		end_if_idle(call);
	}
}

static void take_visit(struct loop *l, struct inbox_msg *m)
{
	struct log_call *call = call_of(m, offsetof(struct log_call, visit));

	if (recover_defers(l, call->job, m))
		return;
	if (!recover_was_cut(l, call->job))
		ask_owner(call);
	if (l == call->desk->loop) {
		take_visit_back(l, m);
		return;
	}
	call->visit.run = take_visit_back;
	loop_post_answer(call->desk->loop, &call->visit);
}

static void visit_owner(struct log_call *call)
{
	call->stage = LOG_VISITING;
	memset(call->is_gone, 0, sizeof call->is_gone);
	call->visit.run = take_visit;
	if (call->owner == call->desk->loop)
		take_visit(call->owner, &call->visit);
	else
		loop_post_answer(call->owner, &call->visit); /* bounded by the requests in flight */
}

/* --- what is known of the job --- */

static void on_record(struct watch *w, const struct record *r)
{
	struct log_call *call =
		(struct log_call *)(void *)((char *)w - offsetof(struct log_call, watch));

	if (r->kind != RECORD_COMMAND && r->kind != RECORD_ENDED && r->kind != RECORD_DELETE)
		return;
	call->is_stale = true;
	if (call->stage == LOG_WAITING)
		start_reading(call);
}

static void take_page(struct loop *l, struct loop_read *read, void *ctx)
{
	struct log_call   *call = ctx;
	struct store_read *r = &read->read;
	struct gd_error    why = r->why;

	(void)l;
	call->read = read;
	if (call->request == NULL) {
		call->stage = LOG_WAITING;
		end_if_idle(call);
		return;
	}
	if (r->outcome == GD_OK &&
	    !request_may(call->request, r->jobs[0].owner, AUTH_OBSERVE_OWN, AUTH_OBSERVE_ANY))
		(void)gd_fail(&why, GD_NOT_FOUND, "no such job");
	if (r->outcome != GD_OK || why.code == GD_NOT_FOUND) {
		fail(call, &why);
		return;
	}
	if (call->has_tail && r->command_count != 0)
		r->has_more_commands = false; /* those were before it */
	call->is_over = job_status_is_final(r->jobs[0].status);
	if (call->is_over)
		serve(call);
	else
		visit_owner(call);
}

static bool copy_path(struct store_read *r, const char *path)
{
	if (path == NULL)
		return true;
	r->path_filter.bytes = strlen(path);
	r->path_filter.at = arena_copy(&r->arena, path, r->path_filter.bytes);
	return r->path_filter.at != NULL;
}

static void start_reading(struct log_call *call)
{
	struct loop_read *read = loop_read_new(READ_COMMANDS);
	struct gd_error   why;

	call->is_stale = false;
	if (read == NULL || !copy_path(&read->read, call->path)) {
		if (read != NULL)
			store_read_free(&read->read);
		(void)gd_fail(&why, GD_NOMEM, "no memory for a request");
		fail(call, &why);
		return;
	}
	call->stage = LOG_READING;
	read->read.job = call->job;
	read->read.limit = LOG_PAGE_COMMANDS;
	read->read.is_newest_first = call->has_tail;
	read->read.after_command = call->at;
	if (call->has_tail)
		read->read.limit = 1;
	else if (call->at.attempt != 0)
		read->read.after_command.attempt--; /* from this one on */
	loop_read_start(call->desk->loop, read, take_page, call);
}

void log_call_start(struct log_call *call)
{
	struct request *r = call->request;

	call->desk = r->desk;
	call->owner = pool_loop_of(r->desk->net->pool, call->job);
	call->watch.on_record = on_record;
	if (call->follows && desk_watch(call->desk, &call->watch, call->job) != GD_OK) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		free_call(call);
		return;
	}
	r->work = call;
	r->let_go = let_log_go;
	start_reading(call);
}
