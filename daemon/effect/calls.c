#include "daemon/effect/calls_inside.h"

#include "daemon/run/inputs.h"
#include "proto/base/check.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Made in one turn of the loop: a millisecond of it. */
#define AT_ONCE 256u

_Noreturn void calls_out_of_memory(void)
{
	struct gd_error why;

	(void)gd_fail(&why, GD_NOMEM, "no memory for a call");
	pool_die("loop.no_memory", &why);
}

/* --- states --- */

static bool is_out(enum call_state state)
{
	return state == CALL_BEGUN || state == CALL_RUNNING;
}

static void set_state(struct calls *cs, struct pending *c, enum call_state state)
{
	struct pending_line *line = &cs->lines[c->kind];

	if (c->state == CALL_IN_LINE)
		pending_line_remove(line, c);
	if (state == CALL_IN_LINE)
		pending_line_add(line, c);
	cs->out[c->kind] += (uint32_t)is_out(state) - is_out(c->state);
	c->state = state;
	cs->running[c->kind] = cs->out[c->kind];
	cs->waiting[c->kind] = line->count;
}

/* Whoever carries it out hears that nobody waits. */
static void let_go(struct calls *cs, struct pending *c)
{
	if (c->thread != NULL)
		calls_drop_thread(cs, c);
	if (c->transfer != NULL)
		calls_drop_http(cs, c);
}

static void forget_call(struct calls *cs, struct pending *c)
{
	let_go(cs, c);
	set_state(cs, c, CALL_HELD); /* which is counted nowhere */
	pending_remove(&cs->table, c);
}

/* --- inputs of the engine --- */

/* `message` is taken. The call may be gone then. */
static void feed(struct calls *cs, const struct pending *c, enum engine_in_kind kind,
                 struct value message)
{
	struct value_heap *heap = engine_heap(cs->loop->engine);
	struct engine_in   in = { .kind = kind,
		                  .time = loop_now(cs->loop),
		                  .job = c->entry.job,
		                  .message = message,
		                  .ticket = c->entry.ticket,
		                  .attempt = c->attempt };

	if (heap->failed || value_is_none(message))
		calls_out_of_memory();
	inputs_feed(cs->loop, &in);
	value_release(heap, message);
}

static struct value put(struct value_heap *h, struct value dict, const char *name, struct value v)
{
	return value_dict_put(h, dict, value_text_new(h, name, strlen(name)), v);
}

struct value calls_result(struct value_heap *h, struct value v)
{
	return put(h, value_dict_new(h, 1), "result", v);
}

struct value calls_error(struct value_heap *h, const char *type, const char *message,
                         struct value data)
{
	struct value error = value_dict_new(h, 3);

	error = put(h, error, "type", value_text_new(h, type, strlen(type)));
	error = put(h, error, "message", value_text_new(h, message, strlen(message)));
	if (!value_is_none(data))
		error = put(h, error, "data", data);
	return put(h, value_dict_new(h, 1), "error", error);
}

static void interrupt(struct calls *cs, struct pending *c)
{
	static const char  why[] = "gatherd ended while it was made";
	struct value_heap *h = engine_heap(cs->loop->engine);

	feed(cs, c, ENGINE_EXITED,
	     put(h, value_dict_new(h, 1), "interrupted", value_text_new(h, why, strlen(why))));
}

/* --- what waits until it is durable --- */

/* In the arena of its group. */
struct note {
	struct outbox_item item;
	struct calls      *cs;
	struct run_ref     ref;
};

static void pump_later(struct calls *cs);
static void start(struct calls *cs, struct pending *c);

static void release_note(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	const struct note *n = (const struct note *)(const void *)item;
	struct pending    *c;

	_Static_assert(offsetof(struct note, item) == 0, "a note begins with its item");
	if (outcome != GD_OK || l->is_stopping)
		return;
	c = pending_find(&n->cs->table, n->ref.job, n->ref.exec);
	if (c == NULL || c->attempt != n->ref.attempt)
		return;
	if (c->state == CALL_ASKED) {
		set_state(n->cs, c, CALL_IN_LINE);
		pump_later(n->cs); /* thousands may come with one commit */
	} else if (c->state == CALL_BEGUN) {
		start(n->cs, c);
	}
}

/* Goes on when all that has happened here so far is durable. */
static void when_durable(struct calls *cs, const struct pending *c)
{
	struct store_group *g = loop_group(cs->loop);
	struct note        *n = g == NULL ? NULL : arena_alloc(&g->arena, sizeof *n);

	if (n == NULL)
		calls_out_of_memory();
	*n = (struct note){ .item.release = release_note, .cs = cs, .ref = pending_ref(c) };
	outbox_add(g->outbox, &n->item);
}

/* --- the line --- */

static void start(struct calls *cs, struct pending *c)
{
	struct value request = engine_request(cs->loop->engine, c->entry.job, c->entry.ticket);
	struct value outcome;

	CHECK(!value_is_none(request));
	set_state(cs, c, CALL_RUNNING);
	if (c->kind == CALL_THREAD)
		calls_start_thread(cs, c, request);
	else if (!calls_start_http(cs, c, request, &outcome))
		calls_end(cs, c, outcome);
}

static bool has_room(const struct calls *cs, const struct pending *c)
{
	return cs->out[c->kind] < (c->needs_begin ? cs->room_begun : cs->room)[c->kind];
}

/* The first of a line: it begins, or is made. */
static void serve(struct calls *cs, struct pending *c)
{
	if (!c->needs_begin) {
		start(cs, c);
		return;
	}
	feed(cs, c, ENGINE_BEGIN, VALUE_NULL);
}

static void pump(struct calls *cs);

static void take_pump(struct loop *l, struct inbox_msg *m)
{
	struct calls *cs = (struct calls *)(void *)((char *)m - offsetof(struct calls, pump));

	(void)l;
	cs->is_pumping = false;
	pump(cs);
}

/* In the next turn. */
static void pump_later(struct calls *cs)
{
	if (cs->is_pumping)
		return;
	cs->is_pumping = true;
	cs->pump.run = take_pump;
	loop_post_answer(cs->loop, &cs->pump);
}

/* Not within a step of the engine. */
static void pump(struct calls *cs)
{
	if (cs->loop->recovery != NULL || cs->loop->is_stopping)
		return;
	for (int kind = 0; kind < CALL_KINDS; kind++) {
		struct pending *c = cs->lines[kind].first;
		uint32_t        left = AT_ONCE;

		for (; left > 0 && c != NULL && has_room(cs, c); c = cs->lines[kind].first, left--)
			serve(cs, c);
		if (c != NULL && has_room(cs, c))
			pump_later(cs);
	}
}

void calls_end(struct calls *cs, struct pending *c, struct value outcome)
{
	feed(cs, c, ENGINE_EXITED, outcome);
	pump_later(cs);
}

/* --- outputs of the engine --- */

bool calls_has(const struct calls *cs, uint64_t job, uint32_t ticket)
{
	return pending_find(&cs->table, job, ticket) != NULL;
}

static struct value member(struct value dict, const char *name)
{
	return value_dict_get(dict, name, strlen(name));
}

static void obey_call(struct calls *cs, const struct engine_out *out)
{
	struct pending *c = pending_find(&cs->table, out->job, out->ticket);
	struct value    then = member(out->data, "on_interrupt");

	if (c == NULL)
		c = pending_add(&cs->table, out->job, out->ticket,
		                cs->loop->outs.paths.at + out->path, out->path_bytes);
	else
		set_state(cs, c, CALL_ASKED); /* another attempt */
	if (c == NULL)
		calls_out_of_memory();
	c->calls = cs;
	c->thread = NULL;
	c->transfer = NULL;
	c->attempt = out->attempt;
	c->kind = value_is_none(member(out->data, "function")) ? CALL_HTTP : CALL_THREAD;
	c->needs_begin = !value_is_none(then);
	c->is_to_hold = c->needs_begin && strcmp(value_text(then)->at, "hold") == 0;
	/* What is replayed rests on what is stored. */
	if (c->entry.job == cs->loop->replay_job)
		set_state(cs, c, CALL_IN_LINE);
	else
		when_durable(cs, c);
}

void calls_obey(struct calls *cs, const struct engine_out *out)
{
	struct pending *c;

	if (out->kind == ENGINE_CALL) {
		obey_call(cs, out);
		return;
	}
	c = pending_find(&cs->table, out->job, out->ticket);
	CHECK(out->kind == ENGINE_RECALL && c != NULL && c->attempt == out->attempt);
	forget_call(cs, c);
	pump_later(cs);
}

/* --- inputs that were taken --- */

static void took_begin(struct calls *cs, struct pending *c)
{
	set_state(cs, c, CALL_BEGUN);
	if (c->entry.job != cs->loop->replay_job)
		when_durable(cs, c);
}

void calls_took(struct calls *cs, const struct engine_in *in)
{
	struct pending *c = pending_find(&cs->table, in->job, in->ticket);

	if (c == NULL || c->attempt != in->attempt)
		return; /* it waits for another attempt already */
	if (in->kind == ENGINE_BEGIN)
		took_begin(cs, c);
	else if (in->kind == ENGINE_EXITED && c->is_to_hold &&
	         !value_is_none(member(in->message, "interrupted")))
		set_state(cs, c, CALL_HELD);
	else
		forget_call(cs, c);
}

void calls_forget(struct calls *cs, uint64_t job)
{
	for (struct pending *c = pending_next(&cs->table, NULL), *next; c != NULL; c = next) {
		next = pending_next(&cs->table, c);
		if (c->entry.job == job)
			forget_call(cs, c);
	}
	pump_later(cs);
}

/* --- after a restart --- */

void calls_recovered(struct calls *cs)
{
	uint32_t        count = cs->out[CALL_THREAD] + cs->out[CALL_HTTP], i = 0;
	struct run_ref *begun = malloc((count + 1) * sizeof *begun);

	if (begun == NULL)
		calls_out_of_memory();
	for (struct pending *c = pending_next(&cs->table, NULL); c != NULL;
	     c = pending_next(&cs->table, c))
		if (c->state == CALL_BEGUN)
			begun[i++] = pending_ref(c);
	CHECK(i == count);
	/* A step may take others of them away. */
	for (i = 0; i < count; i++) {
		struct pending *c = pending_find(&cs->table, begun[i].job, begun[i].exec);

		if (c != NULL && c->state == CALL_BEGUN)
			interrupt(cs, c);
	}
	free(begun);
	pump_later(cs);
}

uint32_t calls_resume(struct calls *cs, uint64_t job, const char *path, const char *what)
{
	struct value_heap *heap = engine_heap(cs->loop->engine);
	uint32_t           count = 0;

	for (struct pending *c = pending_next(&cs->table, NULL); c != NULL;) {
		if (c->entry.job != job || c->state != CALL_HELD ||
		    (path != NULL && strcmp(c->path, path) != 0)) {
			c = pending_next(&cs->table, c);
			continue;
		}
		feed(cs, c, ENGINE_RESUME, value_text_new(heap, what, strlen(what)));
		count++;
		c = pending_next(&cs->table, NULL);
	}
	return count;
}

/* --- life --- */

void calls_hurry(struct calls *cs)
{
	for (struct pending *c = pending_next(&cs->table, NULL); c != NULL;
	     c = pending_next(&cs->table, c)) {
		if (c->thread != NULL)
			calls_hurry_thread(c);
	}
}

void calls_close(struct calls *cs)
{
	for (struct pending *c = pending_next(&cs->table, NULL); c != NULL;
	     c = pending_next(&cs->table, c))
		let_go(cs, c);
	pending_table_close(&cs->table);
}
