#include "daemon/value/limits.h"
#include "tests/lib/expr_bench.h"
#include "tests/lib/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* It uses the headers above and includes none. */
#include <cmocka.h>

static void expect_source(const char *source, const char *expected)
{
	const char *got = bench_eval(source);

	if (strcmp(got, expected) != 0)
		fail_msg("%s\n  gives    %s\n  expected %s", source, got, expected);
}

static void expect_kind(const char *json, enum expr_kind kind, const char *expected)
{
	const char *got = bench_value(json, 0);

	if (strcmp(got, expected) != 0)
		fail_msg("%s\n  gives    %s\n  expected %s", json, got, expected);
	assert_int_equal(bench_kind(), kind);
}

/* `head`, then `count` times `middle`, then `tail`. Freed by the caller. */
static char *repeated(const char *head, const char *middle, size_t count, const char *tail)
{
	struct buf b = { .cap = 0 };

	buf_add_text(&b, head);
	for (size_t i = 0; i < count; i++)
		buf_add_text(&b, middle);
	buf_add_text(&b, tail);
	buf_add_byte(&b, '\0');
	assert_int_equal(b.failed, GD_OK);
	return b.at;
}

static void expect_repeated(const char *head, const char *middle, size_t count, const char *tail,
                            const char *expected)
{
	char *source = repeated(head, middle, count, tail);

	expect_source(source, expected);
	free(source);
}

static void given_json_without_expressions_then_it_is_one_constant(void **state)
{
	(void)state;
	expect_kind("{\"a\":[1,2.5,null,true,\"x\"],\"b\":{},\"c\":[]}", EXPR_CONST,
	            "{\"a\":[1,2.5,null,true,\"x\"],\"b\":{},\"c\":[]}");
	expect_kind("\"cost: $5 {x} }\"", EXPR_CONST, "\"cost: $5 {x} }\"");
	expect_kind("\"\"", EXPR_CONST, "\"\"");
	expect_kind("9223372036854775807", EXPR_CONST, "9223372036854775807");
}

static void given_exactly_one_expression_then_the_type_stays(void **state)
{
	(void)state;
	expect_kind("\"${n}\"", EXPR_SLOT, "7");
	expect_kind("\"${ d }\"", EXPR_SLOT, "{\"a\":1,\"b\":[1,2]}");
	expect_kind("\"${n + 1}\"", EXPR_CODE, "8");
	expect_kind("\"${'}' + \\\"}\\\"}\"", EXPR_CONST, "\"}}\"");
	expect_kind("\"${{'a': {}}}\"", EXPR_CONST, "{\"a\":{}}");
	expect_kind("\"${task}\"", EXPR_SLOT, "<task>");
}

static void given_an_expression_inside_a_text_then_it_becomes_text(void **state)
{
	(void)state;
	expect_kind("\"n=${n}, t=${t}, d=${d}, ${nil} ${1.0}\"", EXPR_CODE,
	            "\"n=7, t=h\xc3\xa9llo, d={\\\"a\\\":1,\\\"b\\\":[1,2]}, null 1.0\"");
	expect_kind("\" ${n}\"", EXPR_CODE, "\" 7\"");
	expect_kind("\"${n}${n}\"", EXPR_CODE, "\"77\"");
	expect_kind("\"${1}${'a'}\"", EXPR_CONST, "\"1a\"");
	expect_kind("\"x ${task}\"", EXPR_CODE,
	            "TypeError: a task handle cannot be part of a text");
}

static void given_an_escaped_marker_then_it_stands_for_itself(void **state)
{
	(void)state;
	expect_kind("\"$${HOME}\"", EXPR_CONST, "\"${HOME}\"");
	expect_kind("\"a $${n} ${n}\"", EXPR_CODE, "\"a ${n} 7\"");
	expect_kind("\"$$${n}\"", EXPR_CONST, "\"$${n}\"");
	expect_kind("\"$$ $\"", EXPR_CONST, "\"$$ $\"");
	expect_kind("\"${'$' + '{n}'}\"", EXPR_CONST, "\"${n}\"");
}

static void given_texts_deep_inside_then_keys_are_not_scanned(void **state)
{
	(void)state;
	expect_kind("{\"${n}\":[\"${n}\",{\"k\":\"a${l}\"}]}", EXPR_CODE,
	            "{\"${n}\":[7,{\"k\":\"a[3,1,2]\"}]}");
	expect_kind("[\"${1 + 1}\",[\"${'a'}\"],3]", EXPR_CONST, "[2,[\"a\"],3]");
	expect_kind("[\"${task}\"]", EXPR_CODE, "[<tasks>]");
}

static void given_constant_parts_then_they_are_computed_at_once(void **state)
{
	(void)state;
	expect_kind("\"${[x * 2 for x in range(3)]}\"", EXPR_CONST, "[0,2,4]");
	expect_kind("\"${1 < 2 < 3 and len('abc') or 4}\"", EXPR_CONST, "3");
	expect_kind("\"${default({}['a'], 2)}\"", EXPR_CODE, "2");
	expect_kind("\"${[[1] * 2, 'a'] * 2}\"", EXPR_CONST, "[[1,1],\"a\",[1,1],\"a\"]");
	expect_kind("\"${n and 1 + 2}\"", EXPR_CODE, "3");
	expect_kind("\"${len('a' * 100000)}\"", EXPR_CODE, "100000"); /* too much for the loader */
}

static void given_what_can_only_fail_then_that_is_a_problem_unless_it_may_not_run(void **state)
{
	(void)state;
	expect_source("1 / 0", " this can only fail: ZeroDivisionError: division by zero");
	expect_source("n + {}.a", " this can only fail: KeyError: 'a'");
	expect_source("9223372036854775807 + 1",
	              " this can only fail: OverflowError: "
	              "9223372036854775807 + 1 is more than a 64-bit integer");
	expect_source("n or 1 / 0", "7");
	expect_source("[x for x in [] if 1 / 0]", "[]");
	expect_source("1 if n else 1 / 0", "1");
	expect_source("default([][0], n)", "7");
}

static void given_a_lazy_range_then_only_the_whole_value_is_one(void **state)
{
	(void)state;
	assert_string_equal(bench_value("\"${range(1000000)}\"", EXPR_LAZY_RANGE),
	                    "range from 0, 1000000 by 1");
	assert_string_equal(bench_value("\"${range(n, 1, -2)}\"", EXPR_LAZY_RANGE),
	                    "range from 7, 3 by -2");
	assert_string_equal(bench_value("\"${len(range(n))}\"", EXPR_LAZY_RANGE), "7");
	assert_string_equal(bench_value("[\"${range(2)}\"]", EXPR_LAZY_RANGE), "[[0,1]]");
	assert_string_equal(bench_value("\"${range(2)} \"", EXPR_LAZY_RANGE), "\"[0,1] \"");
	assert_string_equal(
		bench_value("\"${range(2, 'a')}\"", EXPR_LAZY_RANGE),
		" this can only fail: TypeError: 'str' object cannot be interpreted as an "
		"integer");
	assert_string_equal(bench_value("\"${range(n * 1000000)}\"", EXPR_LAZY_RANGE),
	                    "LimitError: range() of 7000000 numbers, more than 1048576");
}

static void given_an_unknown_name_then_the_nearest_one_is_offered(void **state)
{
	(void)state;
	expect_source("HOME", " unknown name \"HOME\"; write $${...} for a literal ${...}");
	expect_source("len(rosw)", " unknown name \"rosw\"; write $${...} for a literal ${...}; "
	                           "did you mean \"rows\"?");
	expect_source("[x for y in l]", " unknown name \"x\"; write $${...} for a literal ${...}");
	expect_source("[x for x in x]", " unknown name \"x\"; write $${...} for a literal ${...}");
}

static void given_a_call_that_cannot_be_then_the_message_says_why(void **state)
{
	(void)state;
	expect_source("lenn(l)", " unknown function \"lenn\"; did you mean \"len\"?");
	expect_source("defualt(l, 1)", " unknown function \"defualt\"; did you mean \"default\"?");
	expect_source("frobnicate()", " unknown function \"frobnicate\"");
	expect_source("len()", " len() takes 1 argument, not 0");
	expect_source("default(1)", " default() takes 2 arguments, not 1");
	expect_source("range()", " range() takes 1 to 3 arguments, not 0");
	expect_source("min()", " min() takes at least 1 arguments, not 0");
	expect_source("u.upper()",
	              " in ${u.upper()}: there are no methods; functions are called as f(x)");
	expect_source("l[0](1)", " in ${l[0](1)}: only a function can be called, by its name");
}

static void given_bad_grammar_then_the_message_says_what_was_expected_where(void **state)
{
	(void)state;
	expect_source("n +", " in ${n +}: expected a value after \"+\"");
	expect_source("", " in ${}: expected a value");
	expect_source("(n", " in ${(n}: expected \")\" after \"n\"");
	expect_source("[1, 2", " in ${[1, 2}: expected \",\" or \"]\" after \"2\"");
	expect_source("l[]", " in ${l[]}: expected a value after \"[\"");
	expect_source("l[1", " in ${l[1}: expected \"]\" after \"1\"");
	expect_source("{'a'}", " in ${{'a'}: expected \":\" after 'a'");
	expect_source("1 if 2", " in ${1 if 2}: expected \"else\" after \"2\"");
	expect_source("n n", " in ${n n}: \"n\" is not expected here");
	expect_source("n = 1", " in ${n = 1}: \"=\" assigns nothing here; == compares");
	expect_source("n && 1", " in ${n && 1}: \"&\" means nothing here");
	expect_source("2 ** 3", " in ${2 ** 3}: expected a value after \"*\"");
	expect_source("n not 3", " in ${n not 3}: expected \"in\" after \"not\"");
	expect_source("'abc", " in ${'abc}: \"'\" opens a text that is not closed");
	expect_source("'\\ud800'",
	              " in ${'\\ud800'}: the text '\\ud800' has an escape for what is no "
	              "character of a text");
	expect_source("1.2.3", " in ${1.2.3}: \".3\" is not expected here");
	expect_source("12ab", " in ${12ab}: \"12ab\" is not a number");
	expect_source("007", " in ${007}: \"007\" is not a number: it begins with 0");
	expect_source(
		"9223372036854775808",
		" in ${9223372036854775808}: \"9223372036854775808\" is more than a 64-bit integer");
	expect_source("1e400", " in ${1e400}: \"1e400\" is too large for a float");
	expect_source("[1 for x in l for y in l]",
	              " in ${[1 for x in l for y in l]}: a comprehension has one \"for\" "
	              "and at most one \"if\"");
	expect_source("[[y for y in l] for x in l]",
	              " in ${[[y for y in l] for x in l]}: a comprehension "
	              "cannot use another one for each item");
	expect_source("lambda: 1", " in ${lambda: 1}: expected a value");
	assert_string_equal(bench_value("\"a ${n\"", 0), " in ${n: the closing } is missing");
}

static void given_several_bad_texts_then_each_is_reported_in_order(void **state)
{
	(void)state;
	assert_string_equal(
		bench_value("{\"a\":[\"${n}\",\"${x}\"],\"b/~c\":\"${n +}\",\"d\":\"${1/0}\"}", 0),
		"/a/1 unknown name \"x\"; write $${...} for a literal ${...}\n"
		"/b~1~0c in ${n +}: expected a value after \"+\"\n"
		"/d this can only fail: ZeroDivisionError: division by zero");
}

static void given_a_long_expression_then_its_length_has_a_limit(void **state)
{
	(void)state;
	expect_repeated("n", "+1", (EXPR_SOURCE_CHARS_MAX - 1) / 2, "", "1006");
	expect_repeated("", " ", EXPR_SOURCE_CHARS_MAX - 1, "n", "7");
	expect_repeated("len('", "\xc3\xa9", EXPR_SOURCE_CHARS_MAX - 7, "')", "1993");
	expect_repeated("", " ", EXPR_SOURCE_CHARS_MAX, "n",
	                " in ${                                                            ...: an "
	                "expression has at most 2000 characters");
	expect_repeated("n", "+1", 50000, "",
	                " in ${n+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+...: an "
	                "expression has at most 2000 characters");
}

static void given_a_deep_expression_then_its_depth_has_a_limit(void **state)
{
	(void)state;
	expect_repeated("", "(", 60,
	                "n))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))", "7");
	expect_repeated("", "[", 70, "",
	                " in ${[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
	                "[...: nested more than 64 deep");
	expect_repeated("", "-", 70, "n",
	                " in ${------------------------------------------------------"
	                "------...: nested more than 64 deep");
	expect_repeated("", "default(e.a, ", 60,
	                "n))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))", "7");
	expect_repeated("n", " if yes else n", 60, "", "7");
	expect_repeated("tasks", "[:]", 600, "", "[<tasks>]");
}

static void given_many_expressions_in_one_text_then_all_count(void **state)
{
	char       *json = repeated("\"", "${n},", 1000, "\"");
	const char *got = bench_value(json, 0);

	(void)state;
	assert_int_equal(strlen(got), 2002);
	assert_memory_equal(got, "\"7,7,7,", 7);
	free(json);
}

static void given_no_memory_at_any_point_then_it_is_said_and_nothing_leaks(void **state)
{
	static const char json[] =
		"{\"a\":[\"${[x + f for x in l if x]}\",\"${1 + 1}\",{\"b\":\"c\"}],"
		"\"d\":\"n ${upper(t)} ${json(d)}\",\"e\":\"${sorted(l)}\","
		"\"f\":\"${default(d.x, parse_json('[1,{\\\"a\\\":2}]'))}\"}";
	static const char expected[] = "{\"a\":[[5.5,3.5,4.5],2,{\"b\":\"c\"}],"
				       "\"d\":\"n H\xc3\x89LLO {\\\"a\\\":1,\\\"b\\\":[1,2]}\","
				       "\"e\":[1,2,3],\"f\":[1,{\"a\":2}]}";
	bool              has_failed = true;

	(void)state;
	assert_string_equal(bench_value(json, 0), expected);
	if (!fault_is_possible())
		skip();
	for (size_t i = 0; has_failed; i++) {
		const char *got = bench_starved(json, i, &has_failed);

		assert_string_equal(got, has_failed ? "memory" : expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_json_without_expressions_then_it_is_one_constant),
		cmocka_unit_test(given_exactly_one_expression_then_the_type_stays),
		cmocka_unit_test(given_an_expression_inside_a_text_then_it_becomes_text),
		cmocka_unit_test(given_an_escaped_marker_then_it_stands_for_itself),
		cmocka_unit_test(given_texts_deep_inside_then_keys_are_not_scanned),
		cmocka_unit_test(given_constant_parts_then_they_are_computed_at_once),
		cmocka_unit_test(
			given_what_can_only_fail_then_that_is_a_problem_unless_it_may_not_run),
		cmocka_unit_test(given_a_lazy_range_then_only_the_whole_value_is_one),
		cmocka_unit_test(given_an_unknown_name_then_the_nearest_one_is_offered),
		cmocka_unit_test(given_a_call_that_cannot_be_then_the_message_says_why),
		cmocka_unit_test(given_bad_grammar_then_the_message_says_what_was_expected_where),
		cmocka_unit_test(given_several_bad_texts_then_each_is_reported_in_order),
		cmocka_unit_test(given_a_long_expression_then_its_length_has_a_limit),
		cmocka_unit_test(given_a_deep_expression_then_its_depth_has_a_limit),
		cmocka_unit_test(given_many_expressions_in_one_text_then_all_count),
		cmocka_unit_test(given_no_memory_at_any_point_then_it_is_said_and_nothing_leaks),
	};

	return cmocka_run_group_tests_name("parse_expr", tests, NULL, NULL);
}
