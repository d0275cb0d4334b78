/* What was seen of a job, in words and data. */
#include "daemon/net/explain.h"
#include "daemon/run/apply.h"
#include "proto/base/check.h"
#include "proto/base/moment.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

/* --- data --- */

static const char *kind_name(enum engine_wait_kind kind)
{
	switch (kind) {
	case ENGINE_WAIT_NOTHING:
		return "ready";
	case ENGINE_WAIT_TIME:
		return "time";
	case ENGINE_WAIT_TASK:
		return "task";
	case ENGINE_WAIT_BRANCHES:
		return "branches";
	case ENGINE_WAIT_LIMIT:
		return "limit";
	case ENGINE_WAIT_SIBLINGS:
		return "after";
	case ENGINE_WAIT_PERMIT:
		return "semaphore";
	case ENGINE_WAIT_EVENT:
		return "event";
	case ENGINE_WAIT_TURN:
		return "pool";
	case ENGINE_WAIT_COMMAND:
		return "command";
	case ENGINE_WAIT_STOP:
		return "stopping";
	case ENGINE_WAIT_RESUME:
		return "held";
	case ENGINE_WAIT_CALL:
		return "call";
	case ENGINE_WAIT_CHILD:
		return "child";
	}
	CHECK_NEVER("kind_name: unknown kind");
}

static void write_member(struct buf *b, const char *name, struct text json)
{
	if (json.at == NULL)
		return;
	buf_addf(b, ",\"%s\":", name);
	buf_add(b, json.at, json.bytes);
}

static void write_time(struct buf *b, const char *name, gd_nsec time)
{
	buf_addf(b, ",\"%s\":", name);
	apply_write_time(b, time);
}

static void write_pool_name(struct buf *b, const struct explain_wait *w)
{
	if (w->name.at == NULL)
		buf_add_text(b, "\"" COMMANDS_POOL_USUAL "\"");
	else
		buf_add(b, w->name.at, w->name.bytes);
}

static void write_line(struct buf *b, const struct explain_line *line)
{
	uint32_t shown = 0;

	if (!line->is_known)
		return;
	write_time(b, "since", line->since);
	buf_addf(b, ",\"permits\":%u,\"held\":%u,\"waiting\":%u,\"before\":%u",
	         (unsigned)line->permits, (unsigned)line->held, (unsigned)line->waiting,
	         (unsigned)line->before);
	if (line->is_more)
		buf_add_text(b, ",\"at_least\":true");
	buf_add_text(b, ",\"holders\":[");
	for (uint32_t i = 0; i < line->holder_count; i++) {
		if (line->holders[i].is_hidden)
			continue;
		buf_addf(b, "%s{\"job\":%" PRIu64, shown++ == 0 ? "" : ",", line->holders[i].job);
		write_time(b, "since", line->holders[i].since);
		buf_add_byte(b, '}');
	}
	buf_addf(b, "],\"more_holders\":%u",
	         (unsigned)(line->held > shown ? line->held - shown : 0));
}

static void write_command(struct buf *b, const struct explain_wait *w)
{
	write_member(b, w->kind == ENGINE_WAIT_CALL ? "call" : "command", w->program);
	buf_addf(b, ",\"attempt\":%u", (unsigned)w->attempt);
	if (w->begun != 0)
		write_time(b, "since", w->begun);
	if (w->pid != 0)
		buf_addf(b, ",\"pid\":%d", (int)w->pid);
	if (w->kind == ENGINE_WAIT_STOP)
		write_time(b, "grace", w->grace);
}

static void write_wait(struct buf *b, const struct explain_wait *w)
{
	buf_add_text(b, "{\"address\":");
	buf_add_json_string(b, w->address.at, w->address.bytes);
	if (w->op != NULL) {
		buf_add_text(b, ",\"op\":");
		buf_add_json_string(b, w->op, strlen(w->op));
	}
	write_member(b, "label", w->label);
	buf_addf(b, ",\"kind\":\"%s\"", kind_name(w->kind));
	if (w->kind == ENGINE_WAIT_TASK) {
		buf_add_text(b, ",\"on\":");
		buf_add_json_string(b, w->on.at, w->on.bytes);
	} else if (w->kind == ENGINE_WAIT_BRANCHES) {
		buf_addf(b, ",\"left\":%u,\"count\":%u", (unsigned)w->left, (unsigned)w->count);
	} else if (w->kind == ENGINE_WAIT_PERMIT || w->kind == ENGINE_WAIT_TURN) {
		buf_add_text(b, ",\"name\":");
		write_pool_name(b, w);
		write_line(b, &w->line);
	}
	if (w->kind == ENGINE_WAIT_TURN) {
		write_member(b, "command", w->program);
		buf_addf(b, ",\"attempt\":%u", (unsigned)w->attempt);
	} else if (w->attempt != 0) {
		write_command(b, w);
	} else if (w->kind == ENGINE_WAIT_EVENT) {
		write_member(b, "name", w->name);
	}
	if (w->child != 0)
		buf_addf(b, ",\"child\":%" PRIu64 ",\"loop\":%u", w->child, (unsigned)w->loop);
	if (w->until != GD_NSEC_NEVER)
		write_time(b, "until", w->until);
	buf_add_byte(b, '}');
}

/* --- words: each a JSON string --- */

struct words {
	struct buf *b;
	struct buf  line; /* the sentence at hand */
	uint64_t    job;
	uint32_t    count;
};

static void say(struct words *w)
{
	if (w->count++ != 0)
		buf_add_byte(w->b, ',');
	if (w->line.failed != GD_OK)
		w->b->failed = w->line.failed;
	buf_add_json_string(w->b, w->line.at, w->line.bytes);
	buf_clear(&w->line);
}

static void add_moment(struct buf *b, gd_nsec time)
{
	char text[MOMENT_TEXT_BYTES];

	moment_write(time, text);
	buf_add_text(b, text);
}

static void add_holders(struct buf *b, const struct explain_line *line)
{
	uint32_t shown = 0;

	for (uint32_t i = 0; i < line->holder_count; i++) {
		if (line->holders[i].is_hidden)
			continue;
		buf_addf(b, "%s job %" PRIu64 " since ", shown++ == 0 ? ", held by" : ",",
		         line->holders[i].job);
		add_moment(b, line->holders[i].since);
	}
	if (shown == 0 && line->held != 0)
		buf_addf(b, ", held by %u that you may not see", (unsigned)line->held);
	else if (line->held > shown)
		buf_addf(b, " and %u more", (unsigned)(line->held - shown));
}

static void add_line(struct buf *b, const struct explain_wait *w, const char *what)
{
	const struct explain_line *line = &w->line;

	buf_addf(b, "waits for %s ", what);
	write_pool_name(b, w);
	if (!line->is_known) {
		buf_add_text(b, ", and has just asked for it");
		return;
	}
	buf_addf(b, " (%u of %u held%s)", (unsigned)line->held, (unsigned)line->permits,
	         line->permits == 0 ? ": it is paused" : "");
	if (line->before == 0)
		buf_add_text(b, ", is next");
	else
		buf_addf(b, ", behind %s%u", line->is_more ? "at least " : "",
		         (unsigned)line->before);
	add_holders(b, line);
}

static void add_running(struct buf *b, const struct explain_wait *w)
{
	buf_add_text(b, "waits for the end of ");
	buf_add(b, w->program.at, w->program.bytes);
	if (w->pid != 0)
		buf_addf(b, ", process %d", (int)w->pid);
	if (w->begun != 0) {
		buf_add_text(b, w->pid != 0 ? ", which runs since " : ", which began ");
		add_moment(b, w->begun);
	}
	if (w->attempt > 1)
		buf_addf(b, ", attempt %u", (unsigned)w->attempt);
	if (w->kind == ENGINE_WAIT_STOP)
		buf_addf(b, ", which is being stopped: TERM, and KILL after %" PRId64 " s",
		         w->grace / GD_NSEC_PER_SEC);
}

/* With the command that sends it, where a shell takes its name as it is. */
static void add_event(struct buf *b, struct text name, uint64_t job)
{
	static const char PLAIN[] = "%+,-./:=@_0123456789"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char       *at = name.at + 1; /* behind the quote */
	size_t            bytes = name.bytes - 2;

	buf_add_text(b, "waits for the event ");
	buf_add(b, name.at, name.bytes);
	if (*at != '-' && strspn(at, PLAIN) >= bytes)
		buf_addf(b, ": gatherctl signal %" PRIu64 " %.*s", job, (int)bytes, at);
}

static void add_wait(struct buf *b, const struct explain_wait *w, uint64_t job)
{
	switch (w->kind) {
	case ENGINE_WAIT_NOTHING:
		buf_add_text(b, "is about to go on");
		return;
	case ENGINE_WAIT_TIME:
		buf_add_text(b, "waits");
		return;
	case ENGINE_WAIT_TASK:
		buf_add_text(b, "waits for the task at ");
		buf_add_json_string(b, w->on.at, w->on.bytes);
		return;
	case ENGINE_WAIT_BRANCHES:
		buf_addf(b, "waits for %u of its %u branches", (unsigned)w->left,
		         (unsigned)w->count);
		return;
	case ENGINE_WAIT_LIMIT:
		buf_add_text(b, "waits until its limit lets one more in");
		return;
	case ENGINE_WAIT_SIBLINGS:
		buf_add_text(b, "waits for those named in its \"after\"");
		return;
	case ENGINE_WAIT_PERMIT:
		add_line(b, w, "the semaphore");
		return;
	case ENGINE_WAIT_EVENT:
		add_event(b, w->name, job);
		return;
	case ENGINE_WAIT_TURN:
		add_line(b, w, "its turn in the pool");
		return;
	case ENGINE_WAIT_COMMAND:
	case ENGINE_WAIT_STOP:
		add_running(b, w);
		return;
	case ENGINE_WAIT_CALL:
		buf_add_text(b, "waits for the outcome of ");
		buf_add(b, w->program.at, w->program.bytes);
		return;
	case ENGINE_WAIT_CHILD:
		if (w->child == 0)
			buf_add_text(b, "waits for a job of its own, which is on its way");
		else
			buf_addf(b, "waits for job %" PRIu64 " on loop %u", w->child,
			         (unsigned)w->loop);
		if (w->is_stopping)
			buf_add_text(b, ", which is being cancelled");
		return;
	case ENGINE_WAIT_RESUME:
		buf_add(b, w->program.at, w->program.bytes);
		buf_addf(b,
		         " was interrupted in attempt %u, and nobody knows how it ended; it is "
		         "held until job.resume says \"retry\" or \"fail\"",
		         (unsigned)w->attempt);
		return;
	}
	CHECK_NEVER("add_wait: unknown kind");
}

static void say_wait(struct words *to, const struct explain_wait *w)
{
	if (w->address.bytes == 0)
		buf_add_text(&to->line, "the job");
	else
		buf_add(&to->line, w->address.at, w->address.bytes);
	buf_add_byte(&to->line, ' ');
	add_wait(&to->line, w, to->job);
	if (w->until != GD_NSEC_NEVER) {
		buf_add_text(&to->line,
		             w->kind == ENGINE_WAIT_TIME ? " until " : ", at most until ");
		add_moment(&to->line, w->until);
	}
	say(to);
}

/* Whoever waits for other tasks of the job is not the reason: they are. */
static bool is_reason(const struct explain_wait *w)
{
	return w->kind != ENGINE_WAIT_TASK && w->kind != ENGINE_WAIT_BRANCHES &&
	       w->kind != ENGINE_WAIT_LIMIT && w->kind != ENGINE_WAIT_SIBLINGS;
}

static void say_waits(struct words *to, const struct explanation *x, size_t end)
{
	uint32_t reasons = 0, more = x->more;

	for (uint32_t i = 0; i < x->count; i++)
		reasons += is_reason(&x->at[i]);
	for (uint32_t i = 0; i < x->count; i++) {
		if (reasons != 0 && !is_reason(&x->at[i]))
			continue;
		if (to->b->bytes < end)
			say_wait(to, &x->at[i]);
		else
			more++;
	}
	if (more != 0) {
		buf_addf(&to->line, "%u more tasks are not shown here", (unsigned)more);
		say(to);
	}
}

static void say_circumstances(struct words *to, const struct explanation *x)
{
	if (x->recovering != 0) {
		buf_addf(&to->line,
		         "the daemon is recovering: %" PRIu64
		         " jobs of an earlier life are still to be "
		         "replayed%s; until then no timer fires and nobody gets a permit",
		         x->recovering, x->is_missing ? ", this one among them" : "");
		say(to);
	}
	if (x->is_full) {
		buf_add_text(&to->line, "the disk is full: jobs rest until there is room");
		say(to);
	}
	if (x->is_unsaved) {
		buf_add_text(&to->line, "it begins when its record is on the disk");
		say(to);
	}
}

/* "ValueError: no number at /do", as far as the stored error goes. */
static void add_error(struct buf *b, struct text error)
{
	json_t     *e = error.at == NULL ? NULL : json_loadb(error.at, error.bytes, 0, NULL);
	const char *type = NULL, *message = NULL, *path = NULL;

	if (json_unpack(e, "{s:s, s:s, s?s}", "type", &type, "message", &message, "path", &path) ==
	    0) {
		buf_addf(b, ": %s: %.500s", type, message);
		if (path != NULL && path[0] != '\0')
			buf_addf(b, " at %s", path);
	}
	json_decref(e);
}

static void say_end(struct words *to, const struct store_job *job)
{
	buf_addf(&to->line, "it has ended: %s ", job_status_name(job->status));
	add_moment(&to->line, job->ended);
	if (job->status != JOB_COMPLETED)
		add_error(&to->line, job->error);
	say(to);
}

static void write_why(struct buf *b, const struct explanation *x, const struct store_job *job,
                      bool is_early, size_t bytes_max)
{
	struct words words = { .b = b, .job = job->id };

	buf_add_text(b, ",\"why\":[");
	if (job_status_is_final(job->status))
		say_end(&words, job);
	else
		say_circumstances(&words, x);
	if (is_early) {
		buf_add_text(&words.line, "it does not begin before ");
		add_moment(&words.line, job->started);
		say(&words);
	} else {
		say_waits(&words, x, b->bytes + bytes_max);
	}
	if (words.count == 0) {
		buf_add_text(&words.line, "it is about to go on");
		say(&words);
	}
	buf_add_byte(b, ']');
	buf_close(&words.line);
}

void explain_write(struct buf *b, const struct explanation *x, const struct store_job *job,
                   size_t bytes_max)
{
	bool     is_early = job->status == JOB_QUEUED && job->started != 0;
	uint32_t count = is_early ? 0 : x->count, shown = 0;
	size_t   end;

	write_why(b, x, job, is_early, bytes_max);
	buf_add_text(b, ",\"waits\":[");
	end = b->bytes + bytes_max;
	for (; shown < count && b->bytes < end; shown++) {
		if (shown != 0)
			buf_add_byte(b, ',');
		write_wait(b, &x->at[shown]);
	}
	buf_add_byte(b, ']');
	if (is_early)
		write_time(b, "start_at", job->started);
	if (count - shown + x->more != 0)
		buf_addf(b, ",\"more\":%u", (unsigned)(count - shown + x->more));
}
