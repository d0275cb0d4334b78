#include "tests/lib/load_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void given_a_misspelt_operation_then_the_nearest_one_is_named(void **state)
{
	(void)state;
	load_expect_problems("{\"do\": [{\"gather\": {\"x\": {\"slep\": 1}}}]}",
	                     "/do/0/gather/x/slep: no known operation here: \"slep\";"
	                     " did you mean \"sleep\"?\n");
	load_expect_problems(
		"{\"zzzzzz\": 1, \"gahter\": []}",
		"/gahter: no known operation here: \"gahter\"; did you mean \"gather\"?\n");
	load_expect_problems("[{\"qqqqqq\": 1}]",
	                     "/0/qqqqqq: no known operation here: \"qqqqqq\"\n");
}

static void given_no_operation_then_the_node_is_pointed_to(void **state)
{
	(void)state;
	load_expect_problems("[{\"as\": \"x\"}, {}]",
	                     "/0: no operation here\n/1: no operation here\n");
	load_expect_problems("{\"title\": \"nothing else\"}", ": no operation here\n");
}

static void given_two_operations_then_both_are_named(void **state)
{
	(void)state;
	load_expect_problems(
		"[1, {\"sleep\": 1, \"exec\": [\"a\"]}]",
		"/0: a node is an object or an array of nodes, not a number\n"
		"/1: two operations here: sleep, exec; wrap them in {\"do\": [...]}\n");
	load_expect_problems(
		"{\"value\": 1, \"sleep\": 1, \"yield\": 2}",
		": 3 operations here: value, sleep, yield; wrap them in {\"do\": [...]}\n");
}

static void given_an_unknown_key_then_the_nearest_key_of_that_operation_is_named(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"sleep\": 1, \"afterr\": []}, {\"sleep\": 1, \"resutl\": 2}]",
		"/0/afterr: \"afterr\" is not a key of \"sleep\"; did you mean \"after\"?\n"
		"/1/resutl: \"resutl\" is not a key of \"sleep\"; did you mean \"result\"?\n");
	load_expect_problems(
		"{\"titel\": \"t\", \"sleep\": 1}",
		"/titel: \"titel\" is not a key of \"sleep\"; did you mean \"title\"?\n");
	load_expect_problems("[{\"sleep\": 1, \"title\": \"t\"}]",
	                     "/0/title: \"title\" is not a key of \"sleep\"\n");
	load_expect_problems("{\"sleep\": 1, \"for\": \"n\", \"in\": []}",
	                     "/for: \"for\" is not a key of \"sleep\"; "
	                     "write {\"do\": {\"sleep\": ...}, \"for\": ...}\n"
	                     "/in: \"in\" is not a key of \"sleep\"\n");
}

static void given_an_unknown_name_then_it_is_an_error_at_once(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"value\": \"${HOME}\"}]",
		"/0/value: unknown name \"HOME\"; write $${...} for a literal ${...}\n");
}

static void given_a_misspelt_name_then_the_nearest_visible_one_is_the_hint(void **state)
{
	struct load_problems problems;
	struct program      *program = NULL;
	json_t              *spec = json_loads("[{\"sleep\": 1, \"as\": \"first\"}, {\"gather\": ["
	                                                    "{\"value\": {\"a\": [1,"
	                                                    " \"${frist}\"]}}]}]",
	                                       0, NULL);

	(void)state;
	assert_int_equal(load_program(spec, &program, &problems, NULL), GD_INVALID_SPEC);
	assert_int_equal(problems.count, 1);
	assert_string_equal(problems.at[0].pointer, "/1/gather/0/value/a/1");
	assert_string_equal(problems.at[0].hint, "did you mean \"first\"?");
	load_problems_close(&problems);
	json_decref(spec);
}

static void given_a_name_bound_inside_a_body_then_it_is_unknown_after_it(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"do\": {\"value\": 1, \"as\": \"x\"}, \"if\": true}, {\"value\": \"${x}\"}]",
		"/1/value: unknown name \"x\"; write $${...} for a literal ${...}\n");
	load_expect_problems("[{\"set\": {\"x\": 1}, \"if\": true}, {\"value\": \"${x}\"}]",
	                     "/1/value: unknown name \"x\"; write $${...} for a literal ${...}\n");
	load_expect_problems(
		"[{\"do\": {\"value\": 1, \"as\": \"x\"}, \"for\": \"i\", \"in\": [1]},"
		" {\"value\": \"${x}\"}, {\"value\": \"${i}\"}]",
		"/1/value: unknown name \"x\"; write $${...} for a literal ${...}\n"
		"/2/value: unknown name \"i\"; write $${...} for a literal ${...}\n");
	load_expect_problems("[{\"do\": [{\"value\": 1, \"as\": \"x\"}], \"while\": \"${x}\"}]",
	                     "/0/while: unknown name \"x\"; write $${...} for a literal ${...}\n");
	load_expect_problems("[{\"value\": 1, \"as\": \"x\", \"if\": true}, {\"value\": \"${x}\"}]",
	                     "ok\n");
	load_expect_problems("[{\"do\": {\"value\": 1, \"as\": \"x\"}}, {\"value\": \"${x}\"}]",
	                     "ok\n");
}

static void given_the_variable_of_an_as_completed_then_its_do_does_not_see_it(void **state)
{
	(void)state;
	load_expect_problems(
		"{\"as_completed\": {\"value\": \"${n}\"}, \"for\": \"n\", \"in\": [1],"
		" \"as\": \"c\", \"do\": {\"value\": [\"${c.index}\", \"${n}\"]}}",
		"/do/value/1: unknown name \"n\"; write $${...} for a literal ${...}\n");
}

static void given_a_def_then_it_sees_nothing_but_its_params(void **state)
{
	(void)state;
	load_expect_problems(
		"{\"args\": {\"outer\": 1}, \"def\": {\"f\": {\"params\": [\"a\"],"
		" \"do\": {\"value\": \"${a + outer}\"}}}, \"do\": []}",
		"/def/f/do/value: unknown name \"outer\"; write $${...} for a literal ${...}\n");
}

static void given_an_outer_name_assigned_in_a_branch_then_it_is_refused(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"set\": {\"x\": 1}}, {\"gather\": [{\"set\": {\"x\": 2}}, {\"sleep\": 1,"
		" \"as\": \"x\"}]},"
		" {\"create_task\": {\"set\": {\"x\": 2, \"y\": 3}}}]",
		"/1/gather/0/set/x: \"x\" belongs to the coroutine that makes this branch; "
		"a branch sees a snapshot of outer names; bind another name here\n"
		"/1/gather/1/as: \"x\" belongs to the coroutine that makes this branch; "
		"a branch sees a snapshot of outer names; bind another name here\n"
		"/2/create_task/set/x: \"x\" belongs to the coroutine that makes this branch; "
		"a branch sees a snapshot of outer names; bind another name here\n");
	load_expect_problems(
		"[{\"gather\": [[{\"value\": 1, \"as\": \"x\"}, {\"set\": {\"x\": 2}}]]}]", "ok\n");
}

static void given_a_return_in_a_branch_or_task_then_it_is_refused(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"gather\": [[{\"return\": 1}]]}, {\"create_task\": {\"return\": 2}},"
		" {\"return\": 3}]",
		"/0/gather/0/0/return: \"return\" in a concurrent branch; "
		"its value is what its last step gives\n"
		"/1/create_task/return: \"return\" in a concurrent branch; "
		"its value is what its last step gives\n");
}

static void given_calls_that_do_not_fit_then_the_parameters_are_shown(void **state)
{
	(void)state;
	load_expect_problems(
		"{\"def\": {\"future\": {\"params\": [\"a\", \"b\"], \"do\": []}}, \"do\": ["
		" {\"call\": \"futur\"}, {\"call\": \"future\", \"args\": [1]},"
		" {\"call\": \"future\", \"args\": {\"a\": 1, \"c\": 2}}, {\"call\": \"future\"},"
		" {\"call\": \"future\", \"args\": {\"b\": 1, \"a\": 2}}, {\"call\": 5}]}",
		"/do/0/call: no def \"futur\"; did you mean \"future\"?\n"
		"/do/1/args: 1 args for \"future\"; \"future\" takes (a, b)\n"
		"/do/2: no arg \"b\" for \"future\"; \"future\" takes (a, b)\n"
		"/do/2/args/c: \"future\" has no parameter \"c\"; \"future\" takes (a, b)\n"
		"/do/3: no arg \"a\" for \"future\"; \"future\" takes (a, b)\n"
		"/do/5/call: \"call\" wants the name of a def, not a number\n");
}

static void given_bad_constants_then_they_are_found_before_the_job_runs(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"sleep\": \"5\"}, {\"sleep\": \"-1s\"}, {\"sleep\": true}, {\"sleep\": -5},"
		" {\"sleep\": \"1h30m\"}, {\"sleep_until\": \"tomorrow\"}]",
		"/0/sleep: not a duration: \"5\"; "
		"write a number of seconds, or text like \"250ms\" or \"1h30m\"\n"
		"/1/sleep: not a duration: \"-1s\"; "
		"write a number of seconds, or text like \"250ms\" or \"1h30m\"\n"
		"/2/sleep: a duration is a number or text: true; "
		"write a number of seconds, or text like \"250ms\" or \"1h30m\"\n"
		"/5/sleep_until: not an RFC 3339 time with an offset: \"tomorrow\"; "
		"write \"2030-01-31T08:00:00Z\", or seconds since the epoch\n");
	load_expect_problems(
		"{\"gather\": {\"value\": 1}, \"for\": \"n\", \"in\": 5, \"limit\": 0}",
		"/in: \"in\" wants a list or an object, not a number\n"
		"/limit: \"limit\" wants an integer from 1\n");
	load_expect_problems(
		"[{\"value\": 1, \"if\": \"x > 1\"}, {\"do\": [], \"while\": \"$${x}\"}]",
		"/0/if: \"if\" wants an expression: write \"${...}\"\n"
		"/1/while: \"while\" wants an expression: write \"${...}\"\n");
	load_expect_problems(
		"[{\"create_task\": [], \"loop\": -1}, {\"create_task\": [], \"loop\": \"a\"},"
		" {\"gather\": [], \"return_exceptions\": 1}]",
		"/0/loop: \"loop\" is the name of an event loop, 1 to 200 bytes, or its number\n"
		"/2/return_exceptions: \"return_exceptions\" is true or false\n");
}

static void given_a_loop_with_contradictions_then_the_node_is_pointed_to(void **state)
{
	(void)state;
	load_expect_problems("[{\"do\": [], \"for\": \"x\"}, {\"gather\": [], \"in\": []},"
	                     " {\"do\": [], \"for\": \"x\", \"in\": [], \"while\": true},"
	                     " {\"do\": [], \"for\": \"x\", \"in\": [], \"limit\": 2}, {\"do\": [],"
	                     " \"else\": []}]",
	                     "/0: \"for\" needs \"in\"\n"
	                     "/1: \"in\" needs \"for\"\n"
	                     "/2: \"for\" and \"while\" in one loop\n"
	                     "/3/limit: \"limit\" is not a key of \"do\": a loop is sequential; "
	                     "\"gather\" runs its branches at the same time\n"
	                     "/4: \"else\" needs \"if\"\n");
}

static void given_words_that_are_no_names_then_they_are_refused(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"sleep\": 1, \"as\": \"a-b\"}, {\"set\": {\"1\": 1}}, {\"value\": 1,"
		" \"as\": \"not\"},"
		" {\"value\": 1, \"as\": 7}]",
		"/0/as: not a name: \"a-b\"; "
		"letters, digits and _, no digit first, and no word of expressions\n"
		"/1/set/1: not a name: \"1\"\n"
		"/2/as: not a name: \"not\"; "
		"letters, digits and _, no digit first, and no word of expressions\n"
		"/3/as: a name is text, not a number\n");
}

static void given_a_label_on_a_node_that_makes_no_task_then_it_is_refused(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"sleep\": 1, \"name\": \"x\"}, {\"gather\": [{\"sleep\": 1, \"name\": \"y\"}]},"
		" {\"create_task\": {\"sleep\": 1}, \"name\": \"z\"}]",
		"/0/name: \"name\" labels a task, and this node makes none; "
		"put it on a branch or on \"create_task\"\n");
}

static void given_a_bad_header_then_each_key_is_pointed_to(void **state)
{
	(void)state;
	load_expect_problems(
		"{\"gatherd\": 2, \"title\": 5, \"args\": {\"a b\": 1}, \"loop\": -1,"
		" \"events\": \"some\","
		" \"def\": {\"f\": {\"param\": [], \"do\": []}, \"g\": {\"params\": [\"a\","
		" \"a\"]}},"
		" \"do\": []}",
		"/gatherd: \"gatherd\" is 1 in this version\n"
		"/title: \"title\" is text, not a number\n"
		"/args/a b: not a name: \"a b\"\n"
		"/loop: \"loop\" is the name of an event loop, 1 to 200 bytes, or its number\n"
		"/events: \"events\" is \"all\" or \"job\"\n"
		"/def/f/param: \"param\" is not a key of a def; did you mean \"params\"?\n"
		"/def/g: a def needs \"do\"\n"
		"/def/g/params/1: two parameters named \"a\"\n");
	load_expect_problems("\"sleep\"", ": a job is an object or an array of nodes, not text\n");
}

static void given_keys_with_slashes_then_pointers_escape_them(void **state)
{
	(void)state;
	load_expect_problems("{\"gather\": {\"a/b~c\": {\"slep\": 1}}}",
	                     "/gather/a~1b~0c/slep: no known operation here: \"slep\";"
	                     " did you mean \"sleep\"?\n");
}

static void given_options_before_the_body_then_problems_stay_in_document_order(void **state)
{
	(void)state;
	load_expect_problems("{\"do\": {\"value\": \"${a1}\"}, \"for\": \"n\", \"in\": \"${b1}\","
	                     " \"if\": \"${c1}\"}",
	                     "/do/value: unknown name \"a1\"; write $${...} for a literal ${...}\n"
	                     "/in: unknown name \"b1\"; write $${...} for a literal ${...}\n"
	                     "/if: unknown name \"c1\"; write $${...} for a literal ${...}\n");
}

static void given_more_problems_than_fit_then_the_first_ones_are_kept(void **state)
{
	struct buf b = { 0 };
	json_t    *steps = json_array();
	json_t    *spec;

	(void)state;
	for (int i = 0; i < 30; i++)
		json_array_append_new(steps, json_pack("{s:i}", "slep", i));
	/* The condition is compiled before the body, but stands behind it. */
	spec = json_pack("{s:o, s:s}", "do", steps, "if", "never");
	load_problems_of(spec, &b);
	buf_add_byte(&b, '\0');

	assert_ptr_equal(strstr(b.at, "/do/0/slep"), b.at);
	assert_non_null(strstr(b.at, "/do/19/slep"));
	assert_null(strstr(b.at, "/do/20/slep"));
	assert_null(strstr(b.at, "/if"));
	assert_non_null(strstr(b.at, "and more"));
	buf_close(&b);
	json_decref(spec);
}

static json_t *nested(uint32_t depth)
{
	json_t *spec = json_array();

	while (--depth > 0)
		spec = json_pack("[o]", spec);
	return spec;
}

static void given_a_spec_at_the_limits_then_one_more_is_too_much(void **state)
{
	struct buf b = { 0 };
	json_t    *deep = nested(SPEC_DEPTH_MAX), *deeper = nested(SPEC_DEPTH_MAX + 1);
	json_t    *large = json_array();

	(void)state;
	load_problems_of(deep, &b);
	load_problems_of(deeper, &b);
	for (int i = 1; i < SPEC_NODES_MAX; i++)
		json_array_append_new(large, json_array());
	load_problems_of(large, &b);
	json_array_append_new(large, json_array());
	load_problems_of(large, &b);
	buf_add_byte(&b, '\0');
	assert_string_equal(b.at,
	                    "ok\n: deeper than 60 arrays and objects in each other\nok\n"
	                    "/7999: more than 8000 nodes; a comprehension (\"for\", \"in\") makes "
	                    "any number of tasks from one\n");
	buf_close(&b);
	json_decref(deep);
	json_decref(deeper);
	json_decref(large);
}

static void given_very_long_names_then_messages_stay_short_and_whole(void **state)
{
	struct buf b = { 0 };
	char       key[1001];
	json_t    *spec;

	(void)state;
	for (size_t i = 0; i < 1000; i += 2)
		memcpy(key + i, "\xc3\xa4", 2);
	key[1000] = '\0';
	spec = json_pack("{s:i, s:i}", "sleep", 1, key, 2);
	load_problems_of(spec, &b);
	assert_int_equal(b.failed, GD_OK);
	assert_true(b.bytes < 1200);
	/* What came out is valid UTF-8: jansson would refuse half a character. */
	json_decref(spec);
	spec = json_stringn(b.at, b.bytes);
	assert_non_null(spec);
	json_decref(spec);
	buf_close(&b);
}

static void given_problems_when_written_as_json_then_a_hint_is_optional(void **state)
{
	struct load_problems problems;
	struct program      *program = NULL;
	struct buf           b = { 0 };
	json_t              *spec = json_pack("[{s:i}, {}]", "slep", 1);

	(void)state;
	assert_int_equal(load_program(spec, &program, &problems, NULL), GD_INVALID_SPEC);
	load_problems_write_json(&b, &problems);
	buf_add_byte(&b, '\0');
	assert_string_equal(b.at,
	                    "[{\"pointer\":\"/0/slep\",\"message\":\"no known operation here: "
	                    "\\\"slep\\\"\",\"hint\":\"did you mean \\\"sleep\\\"?\"},"
	                    "{\"pointer\":\"/1\",\"message\":\"no operation here\"}]");
	buf_close(&b);
	load_problems_close(&problems);
	json_decref(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_misspelt_operation_then_the_nearest_one_is_named),
		cmocka_unit_test(given_no_operation_then_the_node_is_pointed_to),
		cmocka_unit_test(given_two_operations_then_both_are_named),
		cmocka_unit_test(
			given_an_unknown_key_then_the_nearest_key_of_that_operation_is_named),
		cmocka_unit_test(given_an_unknown_name_then_it_is_an_error_at_once),
		cmocka_unit_test(given_a_misspelt_name_then_the_nearest_visible_one_is_the_hint),
		cmocka_unit_test(given_a_name_bound_inside_a_body_then_it_is_unknown_after_it),
		cmocka_unit_test(given_the_variable_of_an_as_completed_then_its_do_does_not_see_it),
		cmocka_unit_test(given_a_def_then_it_sees_nothing_but_its_params),
		cmocka_unit_test(given_an_outer_name_assigned_in_a_branch_then_it_is_refused),
		cmocka_unit_test(given_a_return_in_a_branch_or_task_then_it_is_refused),
		cmocka_unit_test(given_calls_that_do_not_fit_then_the_parameters_are_shown),
		cmocka_unit_test(given_bad_constants_then_they_are_found_before_the_job_runs),
		cmocka_unit_test(given_a_loop_with_contradictions_then_the_node_is_pointed_to),
		cmocka_unit_test(given_words_that_are_no_names_then_they_are_refused),
		cmocka_unit_test(given_a_label_on_a_node_that_makes_no_task_then_it_is_refused),
		cmocka_unit_test(given_a_bad_header_then_each_key_is_pointed_to),
		cmocka_unit_test(given_keys_with_slashes_then_pointers_escape_them),
		cmocka_unit_test(
			given_options_before_the_body_then_problems_stay_in_document_order),
		cmocka_unit_test(given_more_problems_than_fit_then_the_first_ones_are_kept),
		cmocka_unit_test(given_a_spec_at_the_limits_then_one_more_is_too_much),
		cmocka_unit_test(given_very_long_names_then_messages_stay_short_and_whole),
		cmocka_unit_test(given_problems_when_written_as_json_then_a_hint_is_optional),
	};

	return cmocka_run_group_tests_name("load_problems", tests, NULL, NULL);
}
