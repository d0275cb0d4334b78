#include "tests/lib/expr_bench.h"

#include "daemon/load/load.h"
#include "tests/lib/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* It uses the headers above and includes none. */
#include <cmocka.h>

static const char NAMES[] =
	"{\"n\":7,\"f\":2.5,\"t\":\"h\xc3\xa9llo\",\"u\":\"abc\",\"l\":[3,1,2],"
	"\"d\":{\"a\":1,\"b\":[1,2]},\"e\":{},\"nil\":null,\"yes\":true,"
	"\"big\":4611686018427387904,"
	"\"rows\":[{\"id\":1,\"ok\":true},{\"id\":2,\"ok\":false},{\"id\":3,\"ok\":true}],"
	"\"task\":0,\"tasks\":0,\"unset\":0}";

#define SLOTS_USED 14
#define SLOT_TASK 11
#define SLOT_TASKS 12
#define SLOT_UNSET 13

struct bench {
	struct value_heap   heap;      /* of the evaluation */
	struct value_heap   load_heap; /* of the constants */
	struct value        slots[SLOTS_USED];
	json_t             *names;
	struct expr_builder builder;
	struct value        result; /* VALUE_NONE when there is none */
	char                out[BENCH_TEXT_BYTES];
	size_t              used;
	enum expr_kind      kind;
};

static struct bench bench;

static void say(const char *fmt, ...) GD_PRINTF(1, 2);

static void say(const char *fmt, ...)
{
	va_list args;
	int     used;

	va_start(args, fmt);
	used = vsnprintf(bench.out + bench.used, sizeof bench.out - bench.used, fmt, args);
	va_end(args);
	assert_true(used >= 0 && (size_t)used < sizeof bench.out - bench.used);
	bench.used += (size_t)used;
}

/* --- what a loader answers --- */

static bool find(void *ctx, const char *name, size_t bytes, uint32_t *slot)
{
	const char *key;
	json_t     *item;

	(void)ctx;
	*slot = 0;
	json_object_foreach (bench.names, key, item) {
		if (strlen(key) == bytes && memcmp(key, name, bytes) == 0)
			return true;
		++*slot;
	}
	return false;
}

static const char *nearest(void *ctx, const char *name, size_t bytes)
{
	(void)ctx;
	return bytes == 4 && memcmp(name, "rosw", 4) == 0 ? "rows" : NULL;
}

static void problem(void *ctx, const char *pointer, const char *message, const char *hint)
{
	(void)ctx;
	say("%s%s %s%s%s", bench.used > 0 ? "\n" : "", pointer, message, hint == NULL ? "" : "; ",
	    hint == NULL ? "" : hint);
}

/* --- names --- */

static void free_object(struct value_heap *h, struct vobj *obj)
{
	(void)h;
	free(obj);
}

static struct value task_new(void)
{
	struct vobj *obj = calloc(1, sizeof *obj);

	assert_non_null(obj);
	obj->refs = 1;
	obj->type = VALUE_T_TASK;
	return value_of_obj(obj);
}

static void fill_slots(void)
{
	const char *key;
	json_t     *item;
	uint32_t    slot = 0;

	bench.heap.free_object = free_object;
	bench.names = json_loads(NAMES, 0, NULL);
	assert_non_null(bench.names);
	json_object_foreach (bench.names, key, item)
		bench.slots[slot++] = load_value(&bench.heap, item);
	assert_int_equal(slot, SLOTS_USED);
	bench.slots[SLOT_TASK] = task_new();
	bench.slots[SLOT_TASKS] =
		value_list_append(&bench.heap, value_list_new(&bench.heap, 2), task_new());
	bench.slots[SLOT_TASKS] =
		value_list_append(&bench.heap, bench.slots[SLOT_TASKS], task_new());
	bench.slots[SLOT_UNSET] = VALUE_NONE;
}

static void empty_slots(void)
{
	for (uint32_t i = 0; i < SLOTS_USED; i++)
		value_release(&bench.heap, bench.slots[i]);
	json_decref(bench.names);
	assert_int_equal(bench.heap.bytes, 0);
	assert_int_equal(bench.load_heap.bytes, 0);
}

/* --- */

static void tell_value(struct value v)
{
	struct buf b = { .cap = 0 };

	if (value_is_type(v, VALUE_T_TASK)) {
		say("<task>");
	} else if (value_is_type(v, VALUE_T_RANGE)) {
		say("range from %lld, %u by %lld", (long long)value_range(v)->first,
		    value_range(v)->count, (long long)value_range(v)->step);
	} else {
		value_write_json(&b, v);
		if (b.failed == GD_OK)
			say("%.*s", (int)b.bytes, b.at);
		else
			say("[<tasks>]");
	}
	buf_close(&b);
}

static void run(uint32_t x)
{
	static const struct expr_env surroundings = { .now = INT64_C(1700000000250000000),
		                                      .job_id = 17,
		                                      .job_title = { VALUE_TAG_NULL },
		                                      .job_attempt = 1,
		                                      .attempt = 3 };
	struct expr_env              env = surroundings;
	struct expr_error            why;
	uint32_t                     fuel = EXPR_FUEL;

	env.slots = bench.slots;
	bench.kind = bench.builder.exprs[x].kind;
	if (expr_eval(&bench.heap, &bench.builder.code, &bench.builder.exprs[x], &env, &fuel,
	              &bench.result, &why))
		return;
	bench.result = VALUE_NONE;
	if (bench.heap.failed)
		say("memory");
	else
		say("%s: %s", why.type, why.message);
}

static void build_and_run(const json_t *json, unsigned flags)
{
	static const struct expr_scope scope = { NULL, find, nearest, problem };
	uint32_t                       x;

	x = expr_build_value(&bench.builder, &scope, json, 0, flags);
	if (x != UINT32_MAX)
		run(x);
	else if (bench.builder.failed)
		say("memory");
}

static void start(void)
{
	memset(&bench, 0, sizeof bench);
	fill_slots();
	bench.builder = (struct expr_builder){ .heap = &bench.load_heap };
	bench.result = VALUE_NONE;
}

static const char *finish(json_t *json)
{
	if (!value_is_none(bench.result))
		tell_value(bench.result);
	assert_true(bench.used > 0);
	value_release(&bench.heap, bench.result);
	expr_builder_close(&bench.builder);
	empty_slots();
	json_decref(json);
	return bench.out;
}

static const char *eval(json_t *json, unsigned flags)
{
	assert_non_null(json);
	start();
	build_and_run(json, flags);
	return finish(json);
}

const char *bench_starved(const char *text, size_t count, bool *has_ended)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(json);
	start();
	fault_arm(count);
	build_and_run(json, 0);
	*has_ended = fault_disarm();
	return finish(json);
}

const char *bench_value(const char *json, unsigned flags)
{
	return eval(json_loads(json, JSON_DECODE_ANY, NULL), flags);
}

const char *bench_eval(const char *source)
{
	return eval(json_sprintf("${%s}", source), 0);
}

enum expr_kind bench_kind(void)
{
	return bench.kind;
}

void bench_expect_all(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *got = bench_eval(examples[i].source);

		if (strcmp(got, examples[i].expected) != 0)
			fail_msg("%s\n  gives    %s\n  expected %s", examples[i].source, got,
			         examples[i].expected);
	}
}
