#include "tests/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MSEC GD_NSEC_PER_MSEC

static void given_a_sequence_when_run_then_its_value_is_the_last(void **state)
{
	(void)state;
	sim_expect_result("[{\"value\": 1}, {\"value\": 2}]", "2");
}

static void given_an_empty_sequence_when_run_then_null(void **state)
{
	(void)state;
	sim_expect_result("[]", "null");
}

static void given_as_when_bound_then_what_follows_sees_it(void **state)
{
	(void)state;
	sim_expect_result("[{\"value\": 20, \"as\": \"a\"}, {\"value\": \"${a + 1}\"}]", "21");
}

static void given_set_when_it_assigns_then_all_values_are_of_before(void **state)
{
	(void)state;
	sim_expect_result("[{\"set\": {\"a\": 1, \"b\": 2}}, {\"set\": {\"a\": \"${b}\", \"b\": "
	                  "\"${a}\"}}, {\"value\": \"${[a, b]}\"}]",
	                  "[2,1]");
}

static void given_if_that_is_false_when_there_is_else_then_else_runs(void **state)
{
	(void)state;
	sim_expect_result(
		"[{\"value\": 1, \"if\": \"${1 > 2}\", \"else\": {\"value\": 7}, \"as\": \"x\"}, "
		"{\"value\": \"${x}\"}]",
		"7");
}

static void given_if_that_is_false_when_there_is_no_else_then_null(void **state)
{
	(void)state;
	sim_expect_result("{\"value\": 1, \"if\": \"${false}\"}", "null");
}

static void given_do_with_for_when_run_then_a_list_of_the_values(void **state)
{
	(void)state;
	sim_expect_result(
		"{\"do\": {\"value\": \"${i * i}\"}, \"for\": \"i\", \"in\": \"${range(4)}\"}",
		"[0,1,4,9]");
}

static void given_for_over_an_object_when_run_then_its_keys(void **state)
{
	(void)state;
	sim_expect_result(
		"{\"do\": {\"value\": \"${k}\"}, \"for\": \"k\", \"in\": {\"b\": 1, \"a\": 2}}",
		"[\"b\",\"a\"]");
}

static void given_for_over_text_when_run_then_a_type_error(void **state)
{
	(void)state;
	sim_expect_error(
		"[{\"set\": {\"t\": \"abc\"}}, {\"do\": {\"value\": 1}, \"for\": \"k\", \"in\": "
		"\"${t}\"}]",
		"TypeError", "\\\"in\\\" wants a list or an object, not str");
}

static void given_do_with_while_when_run_then_the_value_of_the_last_round(void **state)
{
	(void)state;
	sim_expect_result(
		"[{\"set\": {\"n\": 0}}, {\"do\": [{\"set\": {\"n\": \"${n + 1}\"}}, {\"value\": "
		"\"${n * 10}\"}], \"while\": \"${n < 3}\"}]",
		"30");
}

static void given_a_def_when_called_then_it_gives_what_it_returns(void **state)
{
	(void)state;
	sim_expect_result(
		"{\"def\": {\"twice\": {\"params\": [\"x\"], \"do\": [{\"return\": \"${x * "
		"2}\"}, {\"value\": 0}]}}, \"do\": {\"call\": \"twice\", \"args\": [21]}}",
		"42");
}

static void given_a_recursive_def_when_called_then_it_recurses(void **state)
{
	(void)state;
	sim_expect_result(
		"{\"def\": {\"fac\": {\"params\": [\"n\"], \"do\": [{\"return\": 1, \"if\": "
		"\"${n < 2}\"}, {\"call\": \"fac\", \"args\": {\"n\": \"${n - 1}\"}, \"as\": "
		"\"r\"}, {\"return\": \"${n * r}\"}]}}, \"do\": {\"call\": \"fac\", \"args\": "
		"[10]}}",
		"3628800");
}

static void given_calls_without_end_when_run_then_the_depth_is_limited(void **state)
{
	(void)state;
	sim_expect_error("{\"def\": {\"f\": {\"params\": [], \"do\": {\"call\": \"f\"}}}, \"do\": "
	                 "{\"call\": \"f\"}}",
	                 "LimitError", "calls are nested deeper than 256");
}

static void given_args_with_defaults_when_run_then_the_defaults_count(void **state)
{
	(void)state;
	sim_expect_result("{\"args\": {\"n\": 5}, \"do\": {\"value\": \"${n + 1}\"}}", "6");
}

static void given_yields_when_run_then_they_go_to_the_stream(void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(
		s, "[{\"yield\": 1}, {\"gather\": [{\"yield\": 2}, [{\"sleep\": 1}, {\"yield\": "
		   "3}]]}, {\"return\": \"x\"}]");
	sim_run_until_idle(s);

	sim_expect(s, "[     0ms] job 1 yield 1\n"
	              "[     0ms] job 1 yield 2\n"
	              "[  1000ms] job 1 yield 3\n"
	              "[  1000ms] job 1 job.completed \"x\"\n");
	sim_close(s);
}

static void given_a_division_by_zero_when_it_runs_then_the_job_fails_with_it(void **state)
{
	(void)state;
	sim_expect_error("[{\"set\": {\"n\": 0}}, {\"value\": \"${1 / n}\"}]", "ZeroDivisionError",
	                 "division by zero");
}

static void given_a_loop_that_never_waits_when_it_runs_then_it_is_stopped(void **state)
{
	(void)state;
	sim_expect_error("{\"do\": {\"value\": 1}, \"while\": \"${now > 0}\"}", "LimitError",
	                 "10000000 steps without waiting for anything");
}

static void given_a_permit_in_a_loop_that_never_waits_when_stopped_then_the_next_has_it(
	void **state)
{
	(void)state;
	sim_expect_result(
		"[{\"gather\": [{\"do\": {\"do\": {\"value\": 1}, \"while\": "
		"\"${now > 0}\"}, \"with\": \"door\"}, {\"value\": 2, \"with\": \"door\"}], "
		"\"return_exceptions\": true, \"as\": \"r\"}, "
		"{\"value\": [\"${r[0].type}\", \"${r[1]}\"]}]",
		"[\"LimitError\",2]");
}

static void given_an_undo_and_a_loop_that_never_waits_when_stopped_then_it_is_undone(void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(s, "[{\"value\": 1, \"undo\": {\"yield\": \"undone\"}}, {\"do\": "
	                    "{\"value\": 1}, \"while\": \"${now > 0}\"}]");
	sim_run_until_idle(s);

	sim_expect(s, "[     0ms] job 1 yield \"undone\"\n"
	              "[     0ms] job 1 job.failed {\"type\":\"LimitError\",\"message\":\"10000000 "
	              "steps without waiting for anything\",\"path\":\"/1\"}\n");
	sim_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_sequence_when_run_then_its_value_is_the_last),
		cmocka_unit_test(given_an_empty_sequence_when_run_then_null),
		cmocka_unit_test(given_as_when_bound_then_what_follows_sees_it),
		cmocka_unit_test(given_set_when_it_assigns_then_all_values_are_of_before),
		cmocka_unit_test(given_if_that_is_false_when_there_is_else_then_else_runs),
		cmocka_unit_test(given_if_that_is_false_when_there_is_no_else_then_null),
		cmocka_unit_test(given_do_with_for_when_run_then_a_list_of_the_values),
		cmocka_unit_test(given_for_over_an_object_when_run_then_its_keys),
		cmocka_unit_test(given_for_over_text_when_run_then_a_type_error),
		cmocka_unit_test(given_do_with_while_when_run_then_the_value_of_the_last_round),
		cmocka_unit_test(given_a_def_when_called_then_it_gives_what_it_returns),
		cmocka_unit_test(given_a_recursive_def_when_called_then_it_recurses),
		cmocka_unit_test(given_calls_without_end_when_run_then_the_depth_is_limited),
		cmocka_unit_test(given_args_with_defaults_when_run_then_the_defaults_count),
		cmocka_unit_test(given_yields_when_run_then_they_go_to_the_stream),
		cmocka_unit_test(given_a_division_by_zero_when_it_runs_then_the_job_fails_with_it),
		cmocka_unit_test(given_a_loop_that_never_waits_when_it_runs_then_it_is_stopped),
		cmocka_unit_test(
			given_a_permit_in_a_loop_that_never_waits_when_stopped_then_the_next_has_it),
		cmocka_unit_test(
			given_an_undo_and_a_loop_that_never_waits_when_stopped_then_it_is_undone),
	};

	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
