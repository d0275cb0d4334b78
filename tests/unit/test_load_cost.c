/* What it costs to load a spec of the largest size, good or hostile, measured against what jansson
 * takes to parse its text: that is linear, and nobody gets around it. */
#include "tests/lib/load_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Loading takes one to six times as long as parsing; something quadratic in 256 KiB would take
 * hundreds of times as long. Sanitizers slow down our code, and not jansson. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RATIO_MAX 250.0
#else
#define RATIO_MAX 25.0
#endif
/* What disturbs a measurement only makes it longer: it counts if it stays. */
#define ROUNDS 5

/* A spec: `head`, `open` and a comma so many times, as many items as fit or `items`, `close` so many
 * times, `tail`. A # is the number of the item or of the level. */
struct shape {
	const char *what;
	const char *head;
	const char *item;
	const char *comma;
	const char *tail;
	unsigned    items; /* 0: as many as fit */
	unsigned    depth;
	const char *open;
	const char *close;
};

/* More than a spec can hold: what is refused must not cost more either. */
static const struct shape REFUSED[] = {
	{ "unknown operations", "{", "\"gather#\":1", ",", "}", 0, 0, "", "" },
	{ "unknown operations in nodes", "[", "{\"slep\":1}", ",", "]", 0, 0, "", "" },
	{ "unknown keys", "{\"sleep\":1,", "\"timeut#\":1", ",", "}", 0, 0, "", "" },
	{ "unknown keys in nodes", "[", "{\"sleep\":1,\"timeut\":1}", ",", "]", 0, 0, "", "" },
	{ "unknown names in a value", "{\"value\":[", "\"${n#}\"", ",", "]}", 0, 0, "", "" },
	{ "unknown names in nodes", "[", "{\"value\":\"${n#}\"}", ",", "]", 0, 0, "", "" },
	{ "unknown names beside many", "[{\"set\":{", "\"m#\":1", ",",
	  "}},{\"value\":[\"${m99999}\",\"${mm0001}\",\"${x}\"]}]", 0, 0, "", "" },
	{ "unknown functions", "{\"value\":[", "\"${leen(1)}\"", ",", "]}", 0, 0, "", "" },
	{ "bad grammar", "{\"value\":[", "\"${+}\"", ",", "]}", 0, 0, "", "" },
	{ "constants that fail", "{\"value\":[", "\"${1/0}\"", ",", "]}", 0, 0, "", "" },
	{ "words that are no names", "{\"set\":{", "\"-#\":1", ",", "}}", 0, 0, "", "" },
	{ "too many nodes", "[", "[]", ",", "]", 0, 0, "", "" },
	{ "after: unknown", "{\"gather\":{\"a\":{\"sleep\":1,\"after\":[", "\"b#\"", ",", "]}}}", 0,
	  0, "", "" },
	{ "after: itself", "{\"gather\":{", "\"b#\":{\"sleep\":1,\"after\":[\"b#\"]}", ",", "}}",
	  7000, 0, "", "" },
	{ "after: one circle", "{\"gather\":{\"a\":{\"sleep\":1,\"after\":[\"z\"]},",
	  "\"b#\":{\"sleep\":1,\"after\":[\"a\"]}", ",", ",\"z\":{\"sleep\":1,\"after\":[\"a\"]}}}",
	  7000, 0, "", "" },
	{ "except: no nodes", "{\"try\":{\"sleep\":1},\"except\":{", "\"#\":0", ",", "}}", 0, 0, "",
	  "" },
	{ "cases that are no nodes", "{\"match\":1,\"case\":{", "\"#\":0", ",", "}}", 0, 0, "",
	  "" },
	{ "defs that are none", "{\"do\":[],\"def\":{", "\"f#\":0", ",", "}}", 0, 0, "", "" },
	{ "calls of no def", "{\"def\":{\"f\":{\"do\":[]}},\"do\":[", "{\"call\":\"ff\"}", ",",
	  "]}", 0, 0, "", "" },
	{ "params that are the same", "{\"do\":[],\"def\":{\"f\":{\"do\":[],\"params\":[", "\"p\"",
	  ",", "]}}}", 0, 0, "", "" },
	{ "args for nothing", "{\"def\":{\"f\":{\"do\":[]}},\"do\":{\"call\":\"f\",\"args\":{",
	  "\"p#\":1", ",", "}}}", 0, 0, "", "" },
	{ "unknown parts of a retry", "{\"sleep\":1,\"retry\":{", "\"attempt#\":1", ",", "}}", 0, 0,
	  "", "" },
	{ "variables with bad names", "{\"exec\":[\"a\"],\"env\":{", "\"A=#\":1", ",", "}}", 0, 0,
	  "", "" },
	{ "problems from the inside out", "[",
	  "{\"do\":{\"do\":{\"value\":\"${a}\"},\"if\":\"${b}\"},\"if\":\"${c}\"}", ",", "]", 0, 0,
	  "", "" },
};

static const struct shape GOOD[] = {
	{ "nodes", "[", "{\"sleep\":1, \"result\":\"${now}\"}", ",", "]", 7900, 0, "", "" },
	{ "empty nodes", "[", "[]", ",", "]", 7900, 0, "", "" },
	{ "names", "{\"set\":{", "\"n#\":1", ",", "}}", 0, 0, "", "" },
	{ "one long text", "{\"value\":\"", "${now}", "", "\"}", 0, 0, "", "" },
	{ "one long literal", "{\"value\":\"", "$${", "", "\"}", 0, 0, "", "" },
	{ "sums", "{\"value\":[", "\"${now+now+now+now+now+now+now+now+now+now+now+now+now}\"", ",",
	  "]}", 0, 0, "", "" },
	{ "brackets", "{\"value\":[", "\"${((((((((((((((((((((now))))))))))))))))))))}\"", ",",
	  "]}", 0, 0, "", "" },
	{ "comprehensions", "{\"value\":[", "\"${[x for x in [now,1] if x]}\"", ",", "]}", 0, 0, "",
	  "" },
	{ "lists", "{\"value\":[", "[]", ",", "]}", 0, 0, "", "" },
	{ "deep lists", "{\"value\":", "[2]", ",", "}", 0, 50, "[1,", "]" },
	{ "small constants to fold", "{\"value\":[", "\"${1+1}\"", ",", "]}", 0, 0, "", "" },
	{ "loops to fold", "{\"value\":[", "\"${sum(range(480))}\"", ",", "]}", 0, 0, "", "" },
	{ "texts to fold", "{\"value\":[", "\"${'x'*500}\"", ",", "]}", 0, 0, "", "" },
	{ "lists too large to fold", "{\"value\":[", "\"${range(999)}\"", ",", "]}", 0, 0, "", "" },
	{ "branches", "{\"gather\":{", "\"b#\":{\"sleep\":1}", ",", "}}", 7900, 0, "", "" },
	{ "a nest of branches", "", "{\"value\":\"${now+now+now+now+now+now+now+now+now+now}\"}",
	  ",", "", 3900, 27, "{\"gather\":[", "]}" },
	{ "a nest of retries", "", "{\"value\":\"${attempt+attempt+attempt+attempt}\"}", ",", "",
	  3900, 27, "{\"retry\":2,\"gather\":[", "]}" },
	{ "a nest of tries", "", "{\"try\":{\"sleep\":1},\"finally\":[]}", ",", "", 2600, 27,
	  "{\"except\":{\"*\":[]},\"try\":[", "]}" },
	{ "tries", "[", "{\"try\":{\"sleep\":1},\"except\":{\"*\":[]},\"finally\":[]}", ",", "]",
	  1900, 0, "", "" },
	{ "retries and undos", "[",
	  "{\"sleep\":1,\"retry\":{\"attempts\":2,\"timeout\":1},\"timeout\":3,\"as\":\"a\","
	  "\"undo\":{\"value\":\"${a}\"}}",
	  ",", "]", 2600, 0, "", "" },
	{ "types of a retry", "{\"sleep\":1,\"retry\":{\"attempts\":1,\"on\":[", "\"E\"", ",",
	  "]}}", 0, 0, "", "" },
	{ "except branches", "{\"try\":{\"sleep\":1},\"except\":{", "\"E#\":[]", ",", "}}", 7900, 0,
	  "", "" },
	{ "cases", "{\"match\":1,\"case\":{", "\"#\":[]", ",", "}}", 7900, 0, "", "" },
	{ "all after one", "{\"gather\":{\"a\":[],", "\"b#\":{\"sleep\":1,\"after\":[\"a\"]}", ",",
	  "}}", 7000, 0, "", "" },
	{ "defs", "{\"do\":[],\"def\":{", "\"f#\":{\"do\":[]}", ",", "}}", 7900, 0, "", "" },
	{ "params", "{\"do\":[],\"def\":{\"f\":{\"do\":[],\"params\":[", "\"p#\"", ",", "]}}}", 0,
	  0, "", "" },
	{ "args of the job", "{\"do\":[],\"args\":{", "\"p#\":1", ",", "}}", 0, 0, "", "" },
	{ "generators", "{\"def\":{\"g\":{\"do\":{\"yield\":1}}},\"do\":[",
	  "{\"async_for\":{\"call\":\"g\"},\"as\":\"x\",\"do\":{\"value\":\"${x}\"}}", ",", "]}",
	  2600, 0, "", "" },
	{ "races", "[", "{\"race\":[{\"sleep\":1}]}", ",", "]", 3900, 0, "", "" },
};

static double cpu_ms(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void measure(const struct buf *text, double *parse, double *load, enum gd_err *rc)
{
	struct load_problems problems;
	struct program      *program = NULL;
	json_error_t         error;
	double               start = cpu_ms();
	json_t *spec = json_loadb(text->at, text->bytes, JSON_REJECT_DUPLICATES, &error);

	*parse = cpu_ms() - start;
	if (spec == NULL)
		fail_msg("%s at %d", error.text, error.position);
	start = cpu_ms();
	*rc = load_program(spec, &program, &problems, NULL);
	*load = cpu_ms() - start;
	if (*rc == GD_OK)
		program_release(program);
	load_problems_close(&problems);
	json_decref(spec);
}

static void expect_cost(const char *what, const struct buf *text, enum gd_err expected)
{
	double      parse, load;
	enum gd_err rc;
	int         round = 0;

	assert_int_equal(text->failed, GD_OK);
	assert_true(text->bytes <= SPEC_BYTES_MAX);
	do {
		measure(text, &parse, &load, &rc);
	} while (load > RATIO_MAX * parse && ++round < ROUNDS);
	print_message("# %-30s %6zu bytes: %5.1f ms to parse, %5.1f ms to load\n", what,
	              text->bytes, parse, load);
	if (rc != expected)
		fail_msg("%s: error %d", what, (int)rc);
	if (round == ROUNDS)
		fail_msg("%s: %.1f ms to parse, %.1f ms to load", what, parse, load);
}

static void add_numbered(struct buf *b, const char *text, unsigned number)
{
	for (; *text != '\0'; text++) {
		if (*text == '#')
			buf_addf(b, "%05u", number);
		else
			buf_add_byte(b, *text);
	}
}

static void write_shape(struct buf *b, const struct shape *s)
{
	/* A number has four characters more than its #; no item has more than eight of them. */
	size_t end = SPEC_BYTES_MAX - strlen(s->tail) - s->depth * strlen(s->close) -
	             strlen(s->item) - strlen(s->comma) - 8 * 4;

	buf_add_text(b, s->head);
	for (unsigned i = 0; i < s->depth; i++)
		add_numbered(b, s->open, i);
	for (unsigned i = 0; b->bytes < end && (s->items == 0 || i < s->items); i++) {
		if (i > 0)
			buf_add_text(b, s->comma);
		add_numbered(b, s->item, i);
	}
	for (unsigned i = 0; i < s->depth; i++)
		buf_add_text(b, s->close);
	buf_add_text(b, s->tail);
}

static void expect_costs(const struct shape *shapes, size_t count, enum gd_err expected)
{
	for (size_t i = 0; i < count; i++) {
		struct buf b = { 0 };

		write_shape(&b, &shapes[i]);
		expect_cost(shapes[i].what, &b, expected);
		buf_close(&b);
	}
}

static void given_large_specs_then_loading_is_linear(void **state)
{
	(void)state;
	expect_costs(GOOD, sizeof GOOD / sizeof GOOD[0], GD_OK);
}

static void given_large_specs_full_of_mistakes_then_refusing_is_linear(void **state)
{
	(void)state;
	expect_costs(REFUSED, sizeof REFUSED / sizeof REFUSED[0], GD_INVALID_SPEC);
}

/* What has to be written grows with both: every branch of a nest captures every name. */
static void given_names_that_a_deep_nest_captures_then_it_is_still_cheap(void **state)
{
	struct buf b = { 0 };
	unsigned   count = 0;

	(void)state;
	buf_add_text(&b, "[{\"set\":{\"n00000\":1");
	while (b.bytes < 120000)
		buf_addf(&b, ",\"n%05u\":1", ++count);
	buf_add_text(&b, "}},");
	for (unsigned i = 0; i < 27; i++)
		buf_add_text(&b, "{\"gather\":[");
	buf_add_text(&b, "{\"value\":\"${n00000}");
	for (unsigned i = 1; i <= count; i++)
		buf_addf(&b, "${n%05u}", i);
	buf_add_text(&b, "\"}");
	for (unsigned i = 0; i < 27; i++)
		buf_add_text(&b, "]}");
	buf_add_byte(&b, ']');
	expect_cost("captures through a nest", &b, GD_OK);
	buf_close(&b);
}

/* A branch that waits for all, and all the way round. */
static void given_a_long_list_of_siblings_in_a_circle_then_it_is_found_at_once(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_add_text(&b, "{\"gather\":{");
	for (unsigned i = 0; i < 7000; i++)
		buf_addf(&b, "\"b%05u\":[],", i);
	buf_add_text(&b, "\"a\":{\"sleep\":1,\"after\":[");
	for (unsigned i = 0; i < 7000; i++)
		buf_addf(&b, "\"b%05u\",", i);
	buf_add_text(&b, "\"z\"]},\"z\":{\"sleep\":1,\"after\":[\"a\"]}}}");
	expect_cost("a circle behind a long list", &b, GD_INVALID_SPEC);
	buf_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_large_specs_then_loading_is_linear),
		cmocka_unit_test(given_large_specs_full_of_mistakes_then_refusing_is_linear),
		cmocka_unit_test(given_names_that_a_deep_nest_captures_then_it_is_still_cheap),
		cmocka_unit_test(
			given_a_long_list_of_siblings_in_a_circle_then_it_is_found_at_once),
	};

	return cmocka_run_group_tests_name("load_cost", tests, NULL, NULL);
}
