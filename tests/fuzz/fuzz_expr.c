/*
 * Any text as a value position that knows a few names. A text without ${...} is put inside one.
 *
 * It compiles, or every problem says so in good UTF-8. Evaluating gives the same each time, in
 * JSON that reads back as an equal value, and leaves no memory behind; and a constant is what the
 * compiler folds it to, however it is reached.
 */
#include "daemon/value/sayable.h"
#include "daemon/load/load.h"
#include "daemon/load/parse_expr.h"
#include "proto/base/check.h"
#include "tests/fuzz/expect.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

const uint32_t fuzz_rounds = 40000;

#define TEXT_BYTES_MAX 3000u

static const char NAMES[] =
	"{\"n\":7,\"f\":2.5,\"t\":\"h\xc3\xa9llo\",\"l\":[3,1,2],\"d\":{\"a\":1,\"b\":[1,2]},"
	"\"nil\":null,\"yes\":true,\"big\":4611686018427387904,"
	"\"rows\":[{\"id\":1,\"ok\":true},{\"id\":2,\"ok\":false}],"
	"\"task\":0,\"unset\":0}";

enum { SLOT_TASK = 9, SLOT_UNSET = 10, SLOT_COUNT_ALL = 11 };

/* One text, compiled; and the names that it may read. */
struct bench {
	struct value_heap   constants;
	struct value_heap   heap; /* of the evaluation */
	struct expr_builder builder;
	json_t             *names;
	struct value        slots[SLOT_COUNT_ALL];
	uint32_t            problems;
};

/* What came of it: a value, or else an error. */
struct outcome {
	struct value      value; /* VALUE_NONE: it raised */
	struct expr_error why;
};

/* --- what the compiler asks --- */

static bool find(void *ctx, const char *name, size_t bytes, uint32_t *slot)
{
	const struct bench *b = ctx;
	const char         *key;
	json_t             *item;

	*slot = 0;
	json_object_foreach (b->names, key, item) {
		if (strlen(key) == bytes && memcmp(key, name, bytes) == 0)
			return true;
		++*slot;
	}
	return false;
}

static const char *nearest(void *ctx, const char *name, size_t bytes)
{
	(void)ctx;
	(void)name;
	return bytes % 2 == 0 ? "rows" : NULL;
}

static void problem(void *ctx, const char *pointer, const char *message, const char *hint)
{
	struct bench *b = ctx;

	b->problems++;
	CHECK(pointer[0] == '\0'); /* the value is a text, with nothing deeper inside */
	CHECK(message[0] != '\0');
	expect_utf8(message, strlen(message));
	if (hint != NULL)
		expect_utf8(hint, strlen(hint));
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

	CHECK(obj != NULL);
	obj->refs = 1;
	obj->type = VALUE_T_TASK;
	return value_of_obj(obj);
}

static void bench_open(struct bench *b)
{
	const char *key;
	json_t     *item;
	uint32_t    slot = 0;

	*b = (struct bench){ .names = expect_json(NAMES, sizeof NAMES - 1) };
	b->builder.heap = &b->constants;
	b->heap.free_object = free_object;
	json_object_foreach (b->names, key, item)
		b->slots[slot++] = load_value(&b->heap, item);
	CHECK(slot == SLOT_COUNT_ALL);
	b->slots[SLOT_TASK] = task_new();
	b->slots[SLOT_UNSET] = VALUE_NONE;
}

static void bench_close(struct bench *b)
{
	for (uint32_t i = 0; i < SLOT_COUNT_ALL; i++)
		value_release(&b->heap, b->slots[i]);
	expr_builder_close(&b->builder);
	json_decref(b->names);
	CHECK(b->heap.bytes == 0 && b->constants.bytes == 0);
}

/* --- evaluating --- */

static struct outcome eval(struct bench *b, uint32_t x)
{
	struct expr_env env = { .slots = b->slots,
		                .now = INT64_C(1700000000250000000),
		                .job_id = 17,
		                .job_title = VALUE_NULL,
		                .job_attempt = 1,
		                .attempt = 3 };
	struct outcome  o = { .value = VALUE_NONE };
	uint32_t        fuel = EXPR_FUEL;

	if (expr_eval(&b->heap, &b->builder.code, &b->builder.exprs[x], &env, &fuel, &o.value,
	              &o.why)) {
		CHECK(!value_is_none(o.value));
		return o;
	}
	CHECK(!b->heap.failed);
	CHECK(o.why.type != NULL && o.why.message[0] != '\0');
	expect_utf8(o.why.message, strlen(o.why.message));
	o.value = VALUE_NONE;
	return o;
}

/* Whether `v` can leave the engine: no handle, no range. */
static bool is_data(struct value v)
{
	const char *why;
	size_t      bytes;

	return value_unsayable(v, &bytes, &why) == NULL;
}

static bool is_limit(const struct outcome *o)
{
	return value_is_none(o->value) && strcmp(o->why.type, "LimitError") == 0;
}

static void expect_same(const struct outcome *a, const struct outcome *b)
{
	if (value_is_none(a->value) || value_is_none(b->value)) {
		CHECK(value_is_none(a->value) && value_is_none(b->value));
		CHECK(strcmp(a->why.type, b->why.type) == 0);
		CHECK(strcmp(a->why.message, b->why.message) == 0);
	} else if (is_data(a->value)) {
		CHECK(value_type(a->value) == value_type(b->value));
		CHECK(value_is_equal(a->value, b->value));
	}
}

/* As JSON and back. */
static void expect_readable(struct bench *b, struct value v)
{
	struct buf   text = { 0 };
	struct value again;
	json_t      *json;

	value_write_json(&text, v);
	CHECK(text.failed == GD_OK);
	json = expect_json(text.at, text.bytes);
	again = load_value(&b->heap, json);
	CHECK(value_is_equal(v, again));
	value_release(&b->heap, again);
	json_decref(json);
	buf_close(&text);
}

/* --- compiling --- */

static uint32_t build(struct bench *b, const char *text, size_t bytes, unsigned flags)
{
	struct expr_scope scope = { b, find, nearest, problem };
	json_t           *json = json_stringn(text, bytes);
	uint32_t          x;

	CHECK(json != NULL);
	b->problems = 0;
	x = expr_build_value(&b->builder, &scope, json, 0, flags);
	CHECK(!b->builder.failed);
	CHECK((x == UINT32_MAX) == (b->problems > 0));
	json_decref(json);
	return x;
}

/* The expression as it is, and where the compiler cannot see that it is constant. */
static void expect_folded(struct bench *b, const char *source, size_t bytes, struct outcome *folded)
{
	char     text[TEXT_BYTES_MAX + 64];
	int      used = snprintf(text, sizeof text, "${(%.*s) if yes else n}", (int)bytes, source);
	uint32_t x;
	struct outcome o;

	CHECK(used > 0 && (size_t)used < sizeof text);
	x = build(b, text, (size_t)used, 0);
	if (x == UINT32_MAX)
		return; /* now it is too long, or too deep */
	o = eval(b, x);
	if (!is_limit(&o) && !is_limit(folded))
		expect_same(folded, &o);
	value_release(&b->heap, o.value);
}

static void evaluate(struct bench *b, uint32_t x, const char *source, size_t bytes)
{
	size_t         before = b->heap.bytes;
	struct outcome first = eval(b, x);
	struct outcome second = eval(b, x);

	expect_same(&first, &second);
	if (!value_is_none(first.value) && is_data(first.value))
		expect_readable(b, first.value);
	if (source != NULL)
		expect_folded(b, source, bytes, &first);
	value_release(&b->heap, first.value);
	value_release(&b->heap, second.value);
	CHECK(b->heap.bytes == before);
}

static void compile(const char *text, size_t bytes, unsigned flags, const char *source,
                    size_t source_bytes)
{
	struct bench b;
	uint32_t     x;

	bench_open(&b);
	x = build(&b, text, bytes, flags);
	if (x != UINT32_MAX)
		evaluate(&b, x, source, source_bytes);
	bench_close(&b);
}

static bool has_expression(const char *text, size_t bytes)
{
	return bytes >= 2 && memmem(text, bytes, "${", 2) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *source = (const char *)data;
	json_t     *json = json_stringn(source, size);
	char        text[TEXT_BYTES_MAX + 8];
	int         used;

	if (json == NULL || size > TEXT_BYTES_MAX || memchr(data, '\0', size) != NULL) {
		json_decref(json); /* such a text does not come through the JSON parser */
		return 0;
	}
	json_decref(json);
	if (has_expression(source, size)) {
		compile(source, size, 0, NULL, 0);
		return 0;
	}
	used = snprintf(text, sizeof text, "${%.*s}", (int)size, source);
	CHECK(used > 0 && (size_t)used < sizeof text);
	compile(text, (size_t)used, 0, source, size);
	compile(text, (size_t)used, EXPR_LAZY_RANGE, NULL, 0);
	return 0;
}
