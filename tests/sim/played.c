#include "tests/sim/played.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINES_AT_ONCE 3
#define HELD_FOR (2 * GD_NSEC_PER_SEC)
#define ATTEMPTS_HELD 3

void played_close(struct played *p)
{
	free(p->at);
	*p = (struct played){ 0 };
}

static bool is_program(const struct played_command *c, const char *name)
{
	return strcmp(c->program, name) == 0;
}

static gd_nsec seconds(double s)
{
	return (gd_nsec)(s * 1e9);
}

/* --- the list --- */

static struct played_command *find(struct played *p, uint64_t job, uint32_t ticket)
{
	for (uint32_t i = 0; i < p->count; i++)
		if (p->at[i].job == job && p->at[i].ticket == ticket)
			return &p->at[i];
	return NULL;
}

static void remove_command(struct played *p, struct played_command *c)
{
	p->count--;
	memmove(c, c + 1, (size_t)(p->at + p->count - c) * sizeof *c);
}

static const char *text_of(struct value v)
{
	return value_is_type(v, VALUE_T_TEXT) ? value_text(v)->at : "";
}

static struct value member(struct value dict, const char *name)
{
	return value_dict_get(dict, name, strlen(name));
}

/* "sleep 3 done", or with slashes. */
static void read_words(struct played_command *c, const char *text, const char *between)
{
	char     copy[80], *rest = NULL, *end;
	bool     has_number;
	uint32_t numbers = 0;

	(void)snprintf(copy, sizeof copy, "%s", text);
	(void)snprintf(c->program, sizeof c->program, "%s", strtok_r(copy, between, &rest));
	has_number = !is_program(c, "ok");
	for (const char *word; (word = strtok_r(NULL, between, &rest)) != NULL;) {
		double number = has_number && numbers < 2 ? strtod(word, &end) : 0;

		if (has_number && numbers < 2 && *end == '\0')
			c->numbers[numbers++] = number;
		else
			(void)snprintf(c->words, sizeof c->words, "%s", word);
	}
}

static void read_call(struct played_command *c, struct value request)
{
	static const char HOST[] = "http://test/";
	const char       *url = text_of(member(request, "url"));

	c->is_call = true;
	c->is_http = value_is_none(member(request, "function"));
	if (!c->is_http) {
		read_words(c, text_of(member(member(request, "args"), "path")), " ");
		return;
	}
	assert_memory_equal(url, HOST, strlen(HOST));
	read_words(c, url + strlen(HOST), "/");
}

static void read_argv(struct played_command *c, const struct vlist *argv)
{
	bool     has_number = strcmp(text_of(argv->at[0]), "ok") != 0;
	uint32_t numbers = 0;

	(void)snprintf(c->program, sizeof c->program, "%s", text_of(argv->at[0]));
	for (uint32_t i = 1; i < argv->count; i++) {
		const char *word = text_of(argv->at[i]);
		char       *end = NULL;
		double      number = has_number && numbers < 2 ? strtod(word, &end) : 0;

		if (end != NULL && *end == '\0' && end != word)
			c->numbers[numbers++] = number;
		else
			(void)snprintf(c->words, sizeof c->words, "%s", word);
	}
}

static void note_exec(struct played *p, const struct engine_out *o)
{
	struct played_command *before = find(p, o->job, o->ticket);
	struct played_command  c = { .job = o->job,
		                     .ticket = o->ticket,
		                     .attempt = o->attempt,
		                     .wanted = 1,
		                     .begun = PLAYED_NEVER,
		                     .stopped = PLAYED_NEVER,
		                     .killed = PLAYED_NEVER,
		                     .held = PLAYED_NEVER };

	if (before != NULL) {
		assert_int_equal(before->attempt + 1, o->attempt);
		remove_command(p, before);
	}
	if (o->kind == ENGINE_CALL)
		read_call(&c, o->data);
	else
		read_argv(&c, value_list(member(o->data, "argv")));
	(void)snprintf(c.pool, sizeof c.pool, "%s", text_of(member(o->data, "pool")));
	if (!c.is_call)
		c.grace = seconds(value_as_float(member(o->data, "grace")));
	else if (value_is_none(member(o->data, "on_interrupt")))
		c.begun = o->time;
	c.is_held_when_lost = strcmp(text_of(member(o->data, "on_interrupt")), "hold") == 0;
	c.gives_lines = !value_is_none(member(o->data, "yield"));
	if (p->count == p->room) {
		p->room = p->room == 0 ? 16 : 2 * p->room;
		p->at = realloc(p->at, p->room * sizeof *p->at);
		assert_non_null(p->at);
	}
	p->at[p->count++] = c;
}

void played_note_out(struct played *p, const struct engine_out *o)
{
	struct played_command *c;

	if (o->kind == ENGINE_EXEC || o->kind == ENGINE_CALL) {
		note_exec(p, o);
		return;
	}
	if (o->kind != ENGINE_RECALL && o->kind != ENGINE_STOP && o->kind != ENGINE_KILL &&
	    o->kind != ENGINE_MORE)
		return;
	c = find(p, o->job, o->ticket);
	assert_non_null(c);
	assert_int_equal(c->attempt, o->attempt);
	if (o->kind == ENGINE_MORE) {
		c->wanted++;
	} else if (o->kind == ENGINE_KILL) {
		assert_true(c->stopped != PLAYED_NEVER && c->killed == PLAYED_NEVER);
		c->killed = o->time;
	} else if (o->kind == ENGINE_RECALL) {
		assert_true(c->is_call || c->begun == PLAYED_NEVER || c->held != PLAYED_NEVER);
		remove_command(p, c);
	} else {
		assert_true(c->stopped == PLAYED_NEVER);
		c->stopped = o->time;
	}
}

void played_note_in(struct played *p, const struct engine_in *in)
{
	struct played_command *c;

	if (in->kind != ENGINE_BEGIN && in->kind != ENGINE_EXITED && in->kind != ENGINE_LINES &&
	    in->kind != ENGINE_RESUME)
		return;
	c = find(p, in->job, in->ticket);
	if (c == NULL || c->attempt != in->attempt)
		return; /* it has begun again */
	if (in->kind == ENGINE_BEGIN) {
		c->begun = in->time;
	} else if (in->kind == ENGINE_LINES) {
		c->wanted--;
		c->given += value_list(in->message)->count;
	} else if (in->kind == ENGINE_EXITED && c->is_held_when_lost &&
	           c->stopped == PLAYED_NEVER &&
	           !value_is_none(member(in->message, "interrupted"))) {
		c->held = in->time;
	} else {
		remove_command(p, c);
	}
}

bool played_is_same(const struct played *a, const struct played *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		const struct played_command *x = &a->at[i], *y = &b->at[i];

		if (x->job != y->job || x->ticket != y->ticket || x->attempt != y->attempt ||
		    strcmp(x->program, y->program) != 0 || strcmp(x->words, y->words) != 0 ||
		    x->wanted != y->wanted || x->given != y->given || x->begun != y->begun ||
		    x->stopped != y->stopped || x->killed != y->killed || x->held != y->held)
			return false;
	}
	return true;
}

/* --- what the programs do --- */

static bool is_lost(const struct played_command *c)
{
	return is_program(c, "gone") || (is_program(c, "flaky") && c->attempt <= c->numbers[0]);
}

static uint32_t line_count(const struct played_command *c)
{
	return c->gives_lines && is_program(c, "lines") ? (uint32_t)c->numbers[0] : 0;
}

static gd_nsec own_end(const struct played_command *c)
{
	if (is_program(c, "lines"))
		return c->begun + seconds(c->numbers[0] * c->numbers[1]);
	if (is_program(c, "flaky"))
		return c->begun + seconds(c->numbers[1]);
	if (is_program(c, "sleep") || is_program(c, "deaf") || is_program(c, "tidy") ||
	    is_program(c, "gone"))
		return c->begun + seconds(c->numbers[0]);
	return c->begun;
}

/* When it ends, and by which signal; 0: by itself. */
static gd_nsec end_of(const struct played_command *c, int *signal)
{
	gd_nsec end = own_end(c), by_kill;

	*signal = 0;
	if (c->stopped == PLAYED_NEVER)
		return end;
	by_kill = c->stopped + c->grace;
	if (c->killed < by_kill)
		by_kill = c->killed;
	if (is_program(c, "tidy"))
		end = c->stopped + seconds(c->numbers[1]);
	if (is_program(c, "tidy") || is_program(c, "deaf")) {
		*signal = end <= by_kill ? 0 : SIGKILL;
		return end <= by_kill ? end : by_kill;
	}
	*signal = SIGTERM;
	return c->stopped;
}

/* --- what it tells the engine --- */

static struct value put(struct value_heap *h, struct value dict, const char *name, struct value v)
{
	return value_dict_put(h, dict, value_text_new(h, name, strlen(name)), v);
}

static struct value put_text(struct value_heap *h, struct value dict, const char *name,
                             const char *text)
{
	return put(h, dict, name, engine_bytes(h, text, strlen(text), false));
}

static struct value outcome_of_call(const struct played_command *c, struct value_heap *h)
{
	struct value dict = value_dict_new(h, 2), inner = value_dict_new(h, 2);
	bool         has_failed = is_program(c, "fail");

	if (is_lost(c)) {
		value_release(h, inner);
		return put_text(h, dict, "interrupted", "gatherd ended");
	}
	if (c->is_http && !is_program(c, "missing")) {
		inner = put(h, inner, "status",
		            value_int(h, has_failed ? (int)c->numbers[0] : 200));
		return put(h, dict, "result", put_text(h, inner, "body", c->words));
	}
	if (has_failed || is_program(c, "missing")) {
		inner = put_text(h, inner, "type", has_failed ? "OSError" : "FileNotFoundError");
		return put(h, dict, "error", put_text(h, inner, "message", c->words));
	}
	value_release(h, inner);
	return put_text(h, dict, "result", c->words);
}

static struct value outcome_of(const struct played_command *c, struct value_heap *h)
{
	struct value dict, error;
	bool         has_failed = is_program(c, "fail");
	int          signal;

	if (c->is_call)
		return outcome_of_call(c, h);
	(void)end_of(c, &signal);
	dict = value_dict_new(h, 4);
	if (is_program(c, "missing")) {
		error = put_text(h, value_dict_new(h, 3), "stage", "exec");
		error = put(h, error, "errno", value_int(h, 2));
		error = put_text(h, error, "message", "No such file or directory");
		return put(h, dict, "error", error);
	}
	if (signal == 0 && is_lost(c))
		return put_text(h, dict, "interrupted", "the runner ended");
	dict = put(h, dict, "code",
	           signal != 0 ? VALUE_NULL : value_int(h, has_failed ? (int)c->numbers[0] : 0));
	dict = put(h, dict, "signal", signal == 0 ? VALUE_NULL : value_int(h, signal));
	dict = put_text(h, dict, "stdout", has_failed || signal != 0 ? "" : c->words);
	return put_text(h, dict, "stderr", has_failed ? c->words : "");
}

static gd_nsec line_due(const struct played_command *c, uint32_t line)
{
	return c->begun + seconds((line + 1) * c->numbers[1]);
}

static struct value lines_of(const struct played_command *c, gd_nsec now, struct value_heap *h)
{
	struct value list = value_list_new(h, LINES_AT_ONCE);
	char         text[12];

	for (uint32_t i = c->given; i < line_count(c) && i < c->given + LINES_AT_ONCE; i++) {
		if (line_due(c, i) > now)
			break;
		(void)snprintf(text, sizeof text, "%u", (unsigned)i + 1);
		list = value_list_append(h, list, value_text_new(h, text, strlen(text)));
	}
	return list;
}

static bool has_turn(const struct played *p, const struct played_command *c)
{
	for (uint32_t i = 0; c->pool[0] != '\0' && i < p->count; i++) {
		const struct played_command *other = &p->at[i];

		if (other != c && other->begun != PLAYED_NEVER && other->held == PLAYED_NEVER &&
		    strcmp(other->pool, c->pool) == 0)
			return false;
	}
	return true;
}

/* What a command does next, and when. */
static gd_nsec next_of(const struct played *p, const struct played_command *c, gd_nsec now,
                       enum engine_in_kind *kind)
{
	gd_nsec end;
	int     signal;

	if (c->begun == PLAYED_NEVER) {
		*kind = ENGINE_BEGIN;
		return has_turn(p, c) ? now : PLAYED_NEVER;
	}
	if (c->held != PLAYED_NEVER) {
		*kind = ENGINE_RESUME;
		return c->held + HELD_FOR;
	}
	if (c->stopped == PLAYED_NEVER && c->given < line_count(c)) {
		*kind = ENGINE_LINES;
		return c->wanted > 0 ? line_due(c, c->given) : PLAYED_NEVER;
	}
	*kind = ENGINE_EXITED;
	end = end_of(c, &signal);
	return end < now ? now : end;
}

gd_nsec played_next_due(const struct played *p, gd_nsec now)
{
	gd_nsec soonest = PLAYED_NEVER;

	for (uint32_t i = 0; i < p->count; i++) {
		enum engine_in_kind kind;
		gd_nsec             due = next_of(p, &p->at[i], now, &kind);

		if (due < soonest)
			soonest = due;
	}
	return soonest < now ? now : soonest;
}

static struct value message_of(const struct played_command *c, enum engine_in_kind kind,
                               gd_nsec now, struct value_heap *h)
{
	const char *how = c->attempt < ATTEMPTS_HELD ? "retry" : "fail";

	if (kind == ENGINE_EXITED)
		return outcome_of(c, h);
	if (kind == ENGINE_LINES)
		return lines_of(c, now, h);
	return kind == ENGINE_RESUME ? value_text_new(h, how, strlen(how)) : VALUE_NULL;
}

bool played_next(const struct played *p, gd_nsec now, struct value_heap *h, struct engine_in *in)
{
	for (uint32_t i = 0; i < p->count; i++) {
		const struct played_command *c = &p->at[i];
		enum engine_in_kind          kind;

		if (next_of(p, c, now, &kind) > now)
			continue;
		*in = (struct engine_in){ .kind = kind,
			                  .time = now,
			                  .job = c->job,
			                  .message = message_of(c, kind, now, h),
			                  .ticket = c->ticket,
			                  .attempt = c->attempt };
		return true;
	}
	return false;
}
