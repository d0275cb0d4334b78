#include "tests/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MSEC GD_NSEC_PER_MSEC

static void given_a_gather_when_children_end_in_another_order_then_results_are_in_argument_order(
	void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(s, "{\"gather\": [{\"sleep\": 0.03, \"result\": \"a\"}, {\"sleep\": 0.01, "
	                    "\"result\": \"b\"}]}");
	sim_run_until_idle(s);

	sim_expect(s, "[    30ms] job 1 job.completed [\"a\",\"b\"]\n");
	sim_close(s);
}

static void given_an_empty_gather_when_run_then_an_empty_list(void **state)
{
	(void)state;
	sim_expect_result("{\"gather\": []}", "[]");
}

static void given_a_gather_of_names_when_run_then_an_object(void **state)
{
	(void)state;
	sim_expect_result(
		"{\"gather\": {\"x\": {\"sleep\": 2, \"result\": 1}, \"y\": {\"value\": 2}}}",
		"{\"x\":1,\"y\":2}");
}

static void given_return_exceptions_when_one_fails_then_its_error_is_in_its_place(void **state)
{
	(void)state;
	sim_expect_result(
		"[{\"set\": {\"z\": 0}}, {\"gather\": [{\"value\": \"${1 // z}\"}, {\"value\": "
		"2}], \"return_exceptions\": true, \"as\": \"r\"}, {\"value\": "
		"[\"${r[0].type}\", \"${r[1]}\"]}]",
		"[\"ZeroDivisionError\",2]");
}

static void given_a_limit_when_gathering_then_only_so_many_run_at_a_time(void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(
		s,
		"{\"gather\": {\"do\": [{\"sleep\": 1}, {\"yield\": \"${n}\"}]}, \"for\": \"n\", "
		"\"in\": \"${range(5)}\", \"limit\": 2}");
	sim_run_until_idle(s);

	sim_expect(s, "[  1000ms] job 1 yield 0\n"
	              "[  1000ms] job 1 yield 1\n"
	              "[  2000ms] job 1 yield 2\n"
	              "[  2000ms] job 1 yield 3\n"
	              "[  3000ms] job 1 yield 4\n"
	              "[  3000ms] job 1 job.completed [null,null,null,null,null]\n");
	sim_close(s);
}

static void given_as_completed_when_branches_end_then_completion_order(void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(
		s, "{\"as_completed\": {\"slow\": {\"sleep\": 3, \"result\": \"c\"}, \"quick\": "
		   "{\"sleep\": 1, \"result\": \"a\"}, \"past\": {\"sleep\": -1, \"result\": "
		   "\"z\"}}}");
	sim_run_until_idle(s);

	sim_expect(s, "[     0ms] job 1 task.started /as_completed/slow\n"
	              "[     0ms] job 1 task.started /as_completed/quick\n"
	              "[     0ms] job 1 task.started /as_completed/past\n"
	              "[     0ms] job 1 task.completed /as_completed/past \"z\"\n"
	              "[  1000ms] job 1 task.completed /as_completed/quick \"a\"\n"
	              "[  3000ms] job 1 task.completed /as_completed/slow \"c\"\n"
	              "[  3000ms] job 1 job.completed [\"z\",\"a\",\"c\"]\n");
	sim_close(s);
}

static void given_as_completed_with_do_when_branches_end_then_do_runs_for_each(void **state)
{
	(void)state;
	sim_expect_result(
		"{\"as_completed\": {\"a\": {\"sleep\": 2}, \"b\": {\"sleep\": 1}}, \"as\": "
		"\"c\", \"do\": {\"value\": \"${c.name}\"}}",
		"[\"b\",\"a\"]");
}

static void given_as_completed_of_nothing_when_run_then_an_empty_list(void **state)
{
	(void)state;
	sim_expect_result("{\"as_completed\": []}", "[]");
}

static void given_the_same_handle_twice_when_as_completed_then_one_completion(void **state)
{
	(void)state;
	sim_expect_result("[{\"create_task\": {\"sleep\": 1, \"result\": \"t\"}, \"as\": \"t\"}, "
	                  "{\"as_completed\": [{\"await\": \"${t}\"}, {\"await\": \"${t}\"}]}]",
	                  "[\"t\"]");
}

static void given_the_same_handle_twice_when_gathered_then_its_result_twice(void **state)
{
	(void)state;
	sim_expect_result("[{\"create_task\": {\"sleep\": 1, \"result\": \"t\"}, \"as\": \"t\"}, "
	                  "{\"gather\": [{\"await\": \"${t}\"}, {\"await\": \"${t}\"}]}]",
	                  "[\"t\",\"t\"]");
}

static void given_as_completed_with_a_timeout_when_it_passes_then_the_consumer_gets_a_timeout_error(
	void **state)
{
	(void)state;
	sim_expect_error("{\"as_completed\": [{\"sleep\": 1}, {\"sleep\": 5}], \"timeout\": 2}",
	                 "TimeoutError", "1 of 2 branches were not done in time");
}

static void given_a_timeout_of_zero_when_branches_do_not_wait_then_they_are_too_late_all_the_same(
	void **state)
{
	(void)state;
	sim_expect_error("{\"as_completed\": [{\"value\": 1}], \"timeout\": 0}", "TimeoutError",
	                 "1 of 1 branches were not done in time");
}

static void given_many_children_when_gathered_then_all_results_are_there(void **state)
{
	(void)state;
	sim_expect_result("[{\"gather\": {\"sleep\": \"${n % 5}\"}, \"for\": \"n\", \"in\": "
	                  "\"${range(100000)}\", \"as\": \"r\"}, {\"return\": \"${len(r)}\"}]",
	                  "100000");
}

static void given_a_limit_of_zero_when_run_then_a_value_error(void **state)
{
	(void)state;
	sim_expect_error(
		"[{\"set\": {\"l\": 0}}, {\"gather\": {\"value\": 1}, \"for\": \"n\", \"in\": "
		"[1], \"limit\": \"${l}\"}]",
		"ValueError", "\\\"limit\\\" wants a whole number of at least 1");
}

static void given_a_task_that_has_ended_among_the_branches_when_begun_then_the_others_step_first(
	void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(
		s,
		"{\"events\": \"job\", \"do\": [{\"create_task\": {\"value\": 0}, \"as\": \"t\"},"
		" {\"sleep\": 1}, {\"as_completed\": [{\"await\": \"${t}\"}, [{\"sleep\": 0}, {\"yield\": \"step\"}]],"
		" \"as\": \"c\", \"do\": {\"yield\": \"${c.index}\"}}]}");
	sim_run_until_idle(s);

	sim_expect(s, "[  1000ms] job 1 yield \"step\"\n"
	              "[  1000ms] job 1 yield 0\n"
	              "[  1000ms] job 1 yield 1\n"
	              "[  1000ms] job 1 job.completed [null,null]\n");
	sim_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_a_gather_when_children_end_in_another_order_then_results_are_in_argument_order),
		cmocka_unit_test(given_an_empty_gather_when_run_then_an_empty_list),
		cmocka_unit_test(given_a_gather_of_names_when_run_then_an_object),
		cmocka_unit_test(
			given_return_exceptions_when_one_fails_then_its_error_is_in_its_place),
		cmocka_unit_test(given_a_limit_when_gathering_then_only_so_many_run_at_a_time),
		cmocka_unit_test(given_as_completed_when_branches_end_then_completion_order),
		cmocka_unit_test(
			given_as_completed_with_do_when_branches_end_then_do_runs_for_each),
		cmocka_unit_test(given_as_completed_of_nothing_when_run_then_an_empty_list),
		cmocka_unit_test(given_the_same_handle_twice_when_as_completed_then_one_completion),
		cmocka_unit_test(given_the_same_handle_twice_when_gathered_then_its_result_twice),
		cmocka_unit_test(
			given_as_completed_with_a_timeout_when_it_passes_then_the_consumer_gets_a_timeout_error),
		cmocka_unit_test(
			given_a_timeout_of_zero_when_branches_do_not_wait_then_they_are_too_late_all_the_same),
		cmocka_unit_test(given_many_children_when_gathered_then_all_results_are_there),
		cmocka_unit_test(given_a_limit_of_zero_when_run_then_a_value_error),
		cmocka_unit_test(
			given_a_task_that_has_ended_among_the_branches_when_begun_then_the_others_step_first),
	};

	return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
