#include "tests/fuzz/job_run.h"

#include "daemon/engine/engine.h"
#include "daemon/value/limits.h"
#include "daemon/load/load.h"
#include "proto/base/check.h"
#include "tests/fuzz/expect.h"

#include <stdlib.h>
#include <string.h>

#define EPOCH (INT64_C(1700000000) * GD_NSEC_PER_SEC)
#define JOB UINT64_C(1)
#define STACK_ROWS 20u
#define SAID_BYTES_MAX 2000u
#define TICKETS_MAX 64u /* more wait for ever */
#define REASON "enough, s'il te pla\xc3\xaet"

/* An input from outside, as the journal keeps it. */
struct kept {
	enum engine_in_kind kind;
	gd_nsec             time;
	bool                has_text; /* CANCEL: a reason; SIGNAL: a key */
	uint32_t            ticket;   /* GRANT; SIGNAL: its value */
};

struct run {
	struct engine     *engine;
	struct engine_outs outs;
	struct program    *program; /* borrowed */
	gd_nsec            now;
	gd_nsec            last_time; /* of an output */
	uint32_t           last_ordinal;
	uint32_t           steps_left;
	bool               has_ended;
	bool               is_replaying; /* the journal answers who wants to know the time */
	struct kept        journal[JOB_RUN_INPUTS_MAX];
	uint32_t           kept_count;
	uint32_t   waiting[TICKETS_MAX]; /* for a permit, in the order in which they asked */
	uint32_t   waiting_count;
	struct buf said; /* a line for each output */
};

/* --- outputs --- */

static bool is_end(enum engine_out_kind kind)
{
	return kind == ENGINE_JOB_COMPLETED || kind == ENGINE_JOB_FAILED ||
	       kind == ENGINE_JOB_CANCELLED;
}

/* A long one by its length and how it begins. */
static void say_data(struct run *r, struct value data)
{
	struct buf json;

	buf_init(&json, JOB_VALUE_BYTES_MAX);
	value_write_json(&json, data);
	CHECK(json.failed == GD_OK);
	json_decref(expect_json(json.at, json.bytes));
	buf_addf(&r->said, "%zu ", json.bytes);
	buf_add(&r->said, json.at, json.bytes < SAID_BYTES_MAX ? json.bytes : SAID_BYTES_MAX);
	buf_close(&json);
}

/* What the loop of a daemon does with those that want a permit, or no longer. */
static void note_ticket(struct run *r, const struct engine_out *o)
{
	uint32_t kept = 0;

	if (o->kind == ENGINE_ACQUIRE && r->waiting_count < TICKETS_MAX)
		r->waiting[r->waiting_count++] = o->ticket;
	if (o->kind != ENGINE_RELEASE)
		return;
	for (uint32_t i = 0; i < r->waiting_count; i++)
		if (r->waiting[i] != o->ticket)
			r->waiting[kept++] = r->waiting[i];
	r->waiting_count = kept;
}

static void take_out(struct run *r, const struct engine_out *o)
{
	bool is_for_permit = o->kind == ENGINE_ACQUIRE || o->kind == ENGINE_RELEASE;

	CHECK(o->job == JOB && !r->has_ended);
	CHECK(o->ordinal == (is_for_permit ? 0 : ++r->last_ordinal));
	note_ticket(r, o);
	CHECK(o->time >= r->last_time && o->time <= r->now);
	r->last_time = o->time;
	r->has_ended = is_end(o->kind);
	buf_addf(&r->said, "%lld %d ", (long long)(o->time - EPOCH), (int)o->kind);
	if (o->path != PROGRAM_NONE && o->path_bytes != 0) {
		CHECK(o->path + o->path_bytes <= r->outs.paths.bytes);
		expect_utf8(r->outs.paths.at + o->path, o->path_bytes);
		buf_add(&r->said, r->outs.paths.at + o->path, o->path_bytes);
	}
	if (!value_is_none(o->name)) {
		CHECK(value_is_type(o->name, VALUE_T_TEXT));
		say_data(r, o->name);
	}
	if (!value_is_none(o->data))
		say_data(r, o->data);
	buf_add_byte(&r->said, '\n');
}

/* Whether the job asked for the time. */
static bool take_outs(struct run *r)
{
	bool wants_now = false;

	for (uint32_t i = 0; i < r->outs.count; i++) {
		if (r->outs.at[i].kind == ENGINE_WANT_NOW)
			wants_now = true;
		else
			take_out(r, &r->outs.at[i]);
	}
	engine_outs_clear(r->engine, &r->outs);
	return wants_now;
}

/* --- inputs --- */

static void step(struct run *r, const struct engine_in *in);

/* False: the journal is full, and the input did not happen. */
static bool keep(struct run *r, enum engine_in_kind kind, bool has_text, uint32_t ticket)
{
	if (r->is_replaying)
		return true;
	if (r->kept_count == JOB_RUN_INPUTS_MAX)
		return false;
	r->journal[r->kept_count++] = (struct kept){ kind, r->now, has_text, ticket };
	return true;
}

static void feed_now(struct run *r, gd_nsec time)
{
	step(r, &(struct engine_in){ .kind = ENGINE_NOW, .time = time, .job = JOB });
}

static void step(struct run *r, const struct engine_in *in)
{
	struct gd_error why;

	if (r->steps_left > 0)
		r->steps_left--;
	CHECK(engine_step(r->engine, in, &r->outs, &why) == GD_OK);
	if (!take_outs(r) || r->is_replaying)
		return;
	if (keep(r, ENGINE_NOW, false, 0))
		feed_now(r, r->now);
	else
		r->steps_left = 0;
}

static void feed_start(struct run *r)
{
	struct value_heap   *h = engine_heap(r->engine);
	struct value        *args = calloc(r->program->job_arg_count + 1, sizeof *args);
	struct load_problems problems;

	CHECK(args != NULL);
	CHECK(load_args(h, r->program, NULL, args, &problems, NULL) == GD_OK);
	step(r, &(struct engine_in){ .kind = ENGINE_START,
	                             .time = EPOCH,
	                             .job = JOB,
	                             .program = r->program,
	                             .args = args,
	                             .title = r->program->title });
	for (uint32_t i = 0; i < r->program->job_arg_count; i++)
		value_release(h, args[i]);
	free(args);
}

static void feed_cancel(struct run *r, gd_nsec time, bool has_reason)
{
	struct value_heap *h = engine_heap(r->engine);
	struct value       message = VALUE_NULL;

	if (has_reason)
		message = value_text_new(h, REASON, sizeof REASON - 1);
	step(r, &(struct engine_in){
			.kind = ENGINE_CANCEL, .time = time, .job = JOB, .message = message });
	value_release(h, message);
}

static void feed_grant(struct run *r, gd_nsec time, uint32_t ticket)
{
	step(r, &(struct engine_in){
			.kind = ENGINE_GRANT, .time = time, .job = JOB, .ticket = ticket });
}

/* `item` is taken. */
static struct value with(struct value_heap *h, struct value dict, const char *name,
                         struct value item)
{
	return value_dict_put(h, dict, value_text_new(h, name, strlen(name)), item);
}

static struct value signal_of(struct value_heap *h, uint32_t number, bool has_key)
{
	struct value said = value_dict_new(h, 3);
	struct value list = value_list_append(h, value_list_new(h, 1), value_int(h, number));

	said = with(h, said, "event", value_text_new(h, "go", 2));
	said = with(h, said, "value", list);
	if (has_key)
		said = with(h, said, "key", value_text_new(h, "k", 1));
	return said;
}

static void feed_signal(struct run *r, gd_nsec time, uint32_t number, bool has_key)
{
	struct value_heap *h = engine_heap(r->engine);
	struct value       said = signal_of(h, number, has_key);

	step(r, &(struct engine_in){
			.kind = ENGINE_SIGNAL, .time = time, .job = JOB, .message = said });
	value_release(h, said);
}

static void do_what_is_due(struct run *r)
{
	do
		step(r, &(struct engine_in){ .kind = ENGINE_TIME, .time = r->now });
	while (r->steps_left > 0 && engine_is_behind(r->engine));
}

/* False: there is nothing left to wait for. */
static bool go_to_deadline(struct run *r)
{
	gd_nsec due;

	if (!engine_next_due(r->engine, &due) || due == GD_NSEC_NEVER)
		return false;
	if (due > r->now)
		r->now = due;
	do_what_is_due(r);
	return true;
}

/* --- the script --- */

/* A cancel goes in when all that is due before it is done, as a loop would have it. */
static void cancel(struct run *r, bool has_reason)
{
	do_what_is_due(r);
	if (r->steps_left == 0 || !keep(r, ENGINE_CANCEL, has_reason, 0))
		return;
	feed_cancel(r, r->now, has_reason);
}

/* The permit goes to whoever asked first. False: nobody waits for one. */
static bool grant(struct run *r)
{
	uint32_t ticket;

	do_what_is_due(r);
	if (r->steps_left == 0 || r->waiting_count == 0)
		return false;
	ticket = r->waiting[0];
	if (!keep(r, ENGINE_GRANT, false, ticket))
		return false;
	memmove(r->waiting, r->waiting + 1, --r->waiting_count * sizeof r->waiting[0]);
	feed_grant(r, r->now, ticket);
	return true;
}

/* A loop asks first whether a signal may be fed, and whether it knows it. */
static void send_signal(struct run *r, bool has_key)
{
	struct value_heap         *h = engine_heap(r->engine);
	uint32_t                   number = r->kept_count;
	size_t                     before = h->bytes;
	struct engine_signal_check check;
	struct value               said;

	do_what_is_due(r);
	if (r->steps_left == 0)
		return;
	said = signal_of(h, number, has_key);
	check = engine_check_signal(r->engine, JOB, said, h->bytes - before);
	value_release(h, said);
	CHECK(check.code != GD_NOT_FOUND || r->has_ended);
	if (check.code == GD_OK && !check.is_known && keep(r, ENGINE_SIGNAL, has_key, number))
		feed_signal(r, r->now, number, has_key);
}

static void look_at_stack(struct run *r)
{
	struct buf b = { 0 };
	json_t    *json;

	if (engine_write_stack(r->engine, JOB, STACK_ROWS, &b, NULL, NULL)) {
		CHECK(b.failed == GD_OK);
		json = expect_json(b.at, b.bytes);
		CHECK(json_is_array(json) && json_array_size(json) <= STACK_ROWS);
		json_decref(json);
	}
	buf_close(&b);
}

static void act(struct run *r, uint8_t what)
{
	switch (what) {
	case '.':
		step(r, &(struct engine_in){ .kind = ENGINE_TIME, .time = r->now });
		return;
	case '+':
		r->now += GD_NSEC_PER_MSEC;
		do_what_is_due(r);
		return;
	case '>':
		(void)go_to_deadline(r);
		return;
	case 'c':
	case 'C':
		cancel(r, what == 'c');
		return;
	case 'g':
		(void)grant(r);
		return;
	case 'e':
	case 'E':
		send_signal(r, what == 'E');
		return;
	case 's':
		look_at_stack(r);
		return;
	default:
		return;
	}
}

/* --- two runs --- */

/* Neither the budget nor the seed of the hashes may show in what a job says. */
static void open_run(struct run *r, struct program *p, uint32_t budget, uint64_t hash_seed)
{
	struct gd_error why;

	*r = (struct run){
		.program = p, .now = EPOCH, .last_time = EPOCH, .steps_left = JOB_RUN_STEPS
	};
	CHECK(engine_open(&r->engine, &why) == GD_OK);
	engine_set_budget(r->engine, budget);
	engine_heap(r->engine)->hash_seed = hash_seed;
}

static void close_run(struct run *r)
{
	struct engine_job_info info;

	CHECK(engine_job_info(r->engine, JOB, &info) == !r->has_ended);
	if (r->has_ended)
		CHECK(engine_heap(r->engine)->bytes == 0);
	engine_outs_close(r->engine, &r->outs);
	engine_close(r->engine);
	buf_close(&r->said);
}

static void run_original(struct run *r, const uint8_t *script, size_t count)
{
	feed_start(r);
	for (size_t i = 0; i < count && r->steps_left > 0 && !r->has_ended; i++)
		act(r, script[i]);
	do_what_is_due(r);
	while (r->steps_left > 0 && (grant(r) || go_to_deadline(r)))
		continue;
}

static void run_again(struct run *r, const struct run *of)
{
	r->now = of->now;
	r->is_replaying = true;
	feed_start(r);
	for (uint32_t i = 0; i < of->kept_count; i++) {
		if (of->journal[i].kind == ENGINE_CANCEL)
			feed_cancel(r, of->journal[i].time, of->journal[i].has_text);
		else if (of->journal[i].kind == ENGINE_GRANT)
			feed_grant(r, of->journal[i].time, of->journal[i].ticket);
		else if (of->journal[i].kind == ENGINE_SIGNAL)
			feed_signal(r, of->journal[i].time, of->journal[i].ticket,
			            of->journal[i].has_text);
		else
			feed_now(r, of->journal[i].time);
	}
	r->steps_left = of->steps_left == 0 ? 1 : UINT32_MAX;
	do_what_is_due(r);
}

/* A run that was cut short says the beginning of what the other one says. */
static void expect_same(const struct run *a, const struct run *b)
{
	bool   is_cut = a->steps_left == 0;
	size_t both = a->said.bytes < b->said.bytes ? a->said.bytes : b->said.bytes;

	CHECK(is_cut || a->said.bytes == b->said.bytes);
	CHECK(is_cut || a->has_ended == b->has_ended);
	CHECK(both == 0 || memcmp(a->said.at, b->said.at, both) == 0);
}

void job_run_twice(struct program *p, const uint8_t *script, size_t count)
{
	struct run first;
	struct run second;

	open_run(&first, p, JOB_RUN_BUDGET, 1);
	run_original(&first, script, count);
	open_run(&second, p, 40 * JOB_RUN_BUDGET, UINT64_C(0x9e3779b97f4a7c15));
	run_again(&second, &first);
	expect_same(&first, &second);
	close_run(&second);
	close_run(&first);
}
