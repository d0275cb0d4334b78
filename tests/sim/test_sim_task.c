#include "tests/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <malloc.h>

#define MSEC GD_NSEC_PER_MSEC

static void given_a_task_when_created_then_it_starts_at_the_makers_next_wait(void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(s,
	                 "[{\"create_task\": [{\"yield\": \"task\"}], \"as\": \"t\"}, {\"yield\": "
	                 "\"main\"}, {\"await\": \"${t}\"}, {\"yield\": \"after\"}]");
	sim_run_until_idle(s);

	sim_expect(s, "[     0ms] job 1 yield \"main\"\n"
	              "[     0ms] job 1 yield \"task\"\n"
	              "[     0ms] job 1 yield \"after\"\n"
	              "[     0ms] job 1 job.completed null\n");
	sim_close(s);
}

static void given_a_task_that_ended_when_awaited_twice_then_the_same_result(void **state)
{
	(void)state;
	sim_expect_result(
		"[{\"create_task\": {\"sleep\": 1, \"result\": 5}, \"as\": \"t\"}, {\"await\": "
		"\"${t}\", \"as\": \"a\"}, {\"await\": \"${t}\", \"as\": \"b\"}, {\"value\": "
		"\"${a + b}\"}]",
		"10");
}

static void given_a_list_of_handles_when_awaited_then_a_list_of_results(void **state)
{
	(void)state;
	sim_expect_result(
		"[{\"do\": {\"create_task\": {\"sleep\": \"${i}\", \"result\": \"${i}\"}}, "
		"\"for\": \"i\", \"in\": [2, 0, 1], \"as\": \"ts\"}, {\"await\": \"${ts}\"}]",
		"[2,0,1]");
}

static void given_a_task_still_running_when_the_job_ends_then_it_is_cancelled(void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(s,
	                 "[{\"create_task\": [{\"sleep\": 100}, {\"yield\": \"never\"}], \"name\": "
	                 "\"bg\"}, {\"sleep\": 1}, {\"return\": \"end\"}]");
	sim_run_until_idle(s);

	sim_expect(s,
	           "[     0ms] job 1 task.started /0/create_task\n"
	           "[  1000ms] job 1 task.failed /0/create_task "
	           "{\"type\":\"CancelledError\",\"message\":\"\",\"path\":\"/0/create_task/0\"}\n"
	           "[  1000ms] job 1 job.completed \"end\"\n");
	sim_close(s);
}

static void given_a_cancel_when_the_task_sleeps_then_it_is_cancelled_once(void **state)
{
	(void)state;
	sim_expect_result(
		"[{\"create_task\": {\"sleep\": 100}, \"as\": \"t\"}, {\"sleep\": 1}, "
		"{\"cancel\": \"${t}\", \"as\": \"a\"}, {\"gather\": [{\"await\": \"${t}\"}], "
		"\"return_exceptions\": true, \"as\": \"r\"}, {\"cancel\": \"${t}\", \"as\": "
		"\"b\"}, {\"value\": [\"${a}\", \"${b}\", \"${r[0].type}\"]}]",
		"[true,false,\"CancelledError\"]");
}

static void given_a_cancelled_task_when_awaited_then_its_message_comes_through(void **state)
{
	(void)state;
	sim_expect_error("[{\"create_task\": {\"sleep\": 100}, \"as\": \"t\"}, {\"sleep\": 1}, "
	                 "{\"cancel\": \"${t}\", \"message\": \"enough\"}, {\"await\": \"${t}\"}]",
	                 "CancelledError", "enough");
}

static void given_a_task_cancelled_before_its_first_step_when_awaited_then_its_body_never_ran(
	void **state)
{
	(void)state;
	sim_expect_error(
		"[{\"create_task\": [{\"yield\": \"never\"}], \"as\": \"t\"}, {\"cancel\": "
		"\"${t}\", \"message\": \"first\"}, {\"cancel\": \"${t}\", \"message\": "
		"\"last\"}, {\"await\": \"${t}\"}]",
		"CancelledError", "last");
}

static void given_a_cancel_of_a_task_that_awaits_another_then_the_other_is_cancelled_too(
	void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(
		s,
		"[{\"create_task\": [{\"sleep\": 10}, {\"yield\": \"never\"}], \"as\": "
		"\"inner\"}, {\"create_task\": {\"await\": \"${inner}\"}, \"as\": \"outer\"}, "
		"{\"sleep\": 1}, {\"cancel\": \"${outer}\"}, {\"gather\": [{\"await\": "
		"\"${inner}\"}, {\"await\": \"${outer}\"}], \"return_exceptions\": true, \"as\": "
		"\"r\"}, {\"yield\": \"${[r[0].type, r[1].type]}\"}]");
	sim_run_until_idle(s);

	sim_expect(s, "[  1000ms] job 1 yield [\"CancelledError\",\"CancelledError\"]\n"
	              "[  1000ms] job 1 job.completed null\n");
	sim_close(s);
}

static void given_a_cancel_of_a_gather_when_children_sleep_then_they_are_cancelled(void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(
		s, "[{\"create_task\": {\"gather\": [{\"sleep\": 5}, {\"sleep\": 6}]}, \"as\": "
		   "\"g\"}, {\"sleep\": 1}, {\"cancel\": \"${g}\"}, {\"gather\": [{\"await\": "
		   "\"${g}\"}], \"return_exceptions\": true, \"as\": \"r\"}, {\"yield\": "
		   "\"${r[0].type}\"}]");
	sim_run_until_idle(s);

	sim_expect(s, "[  1000ms] job 1 yield \"CancelledError\"\n"
	              "[  1000ms] job 1 job.completed null\n");
	sim_close(s);
}

static void given_a_job_cancel_when_it_sleeps_then_it_ends_cancelled_with_the_message(void **state)
{
	(void)state;
	struct sim *s = sim_open();
	uint64_t    job;

	job = sim_submit(s, "{\"gather\": [{\"sleep\": 10}, {\"sleep\": 20}]}");
	sim_advance(s, 3000 * MSEC);
	sim_cancel(s, job, "stop");

	sim_expect(s,
	           "[  3000ms] job 1 job.cancelled "
	           "{\"type\":\"CancelledError\",\"message\":\"stop\",\"path\":\"/gather/0\"}\n");
	sim_close(s);
}

static void
given_a_body_that_ends_with_a_cancelled_error_when_nobody_cancelled_the_job_then_it_failed(
	void **state)
{
	(void)state;
	sim_expect_error(
		"[{\"create_task\": {\"sleep\": 9}, \"as\": \"t\"}, {\"cancel\": \"${t}\"}, "
		"{\"await\": \"${t}\"}]",
		"CancelledError", "");
}

static void given_a_handle_as_the_result_when_the_job_ends_then_a_type_error(void **state)
{
	(void)state;
	sim_expect_error("{\"create_task\": {\"value\": 1}}", "TypeError",
	                 "the result of the job holds a task handle");
}

static void given_a_value_that_is_no_handle_when_awaited_then_a_type_error(void **state)
{
	(void)state;
	sim_expect_error("[{\"set\": {\"x\": 1}}, {\"await\": \"${x}\"}]", "TypeError",
	                 "\\\"await\\\" wants a task handle or a list of them");
}

static void given_lists_left_in_scratch_slots_when_one_handle_is_awaited_then_its_result_alone(
	void **state)
{
	(void)state;
	sim_expect_result(
		"{\"def\":{\"f\":{\"params\":[\"n\"],\"do\":[{\"sleep\":\"${n}\"},{\"sleep\":0},{\"retur"
		"n\":\"${n * 2}\"}]}},\"do\":[[{\"create_task\":{\"as_completed\":{\"yield\":\"${n "
		"+ "
		"1}\"},\"for\":\"n\",\"in\":\"${range(1)}\",\"limit\":3,\"as\":\"c3\",\"do\":[{\"yield\""
		":\"${c3}\"},{\"value\":\"${c3.result}\"}]},\"as\":\"t0\"},{\"as_completed\":[],\"as"
		"\":\"c2\",\"do\":[{\"yield\":\"${c2}\"},{\"value\":\"${c2.result}\"}]},{\"create_tas"
		"k\":{\"yield\":1},\"as\":\"t1\"},{\"value\":1}],[{\"call\":\"f\",\"args\":[4]},[[{\"yi"
		"eld\":2},{\"sleep\":3,\"result\":3},[{\"sleep\":0,\"result\":0},{\"sleep\":2,\"res"
		"ult\":2},{\"value\":1}],[{\"sleep\":1,\"result\":3},{\"value\":1}],{\"value\":1}]"
		",{\"value\":1}],{\"create_task\":{\"sleep\":1,\"result\":2},\"as\":\"t0\"},{\"await"
		"\":\"${t0}\"},{\"value\":1}],{\"value\":1}]}",
		"1");
}

/* Each task's result holds the last handle of the one before. */
static void given_a_long_chain_of_handles_when_its_end_is_dropped_then_all_goes(void **state)
{
	(void)state;
	sim_expect_result(
		"[{\"create_task\": {\"value\": 1}, \"as\": \"t\"}, {\"do\": "
		"[{\"create_task\": {\"value\": [\"${t}\"]}, \"as\": \"n\"}, {\"sleep\": 0}, "
		"{\"set\": {\"t\": \"${n}\"}}], \"for\": \"i\", \"in\": "
		"\"${range(200000)}\"}, {\"set\": {\"t\": 0}}, {\"value\": 1}]",
		"1");
}

/* Each is freed in the step that ends it, and with the last one of a page the page. */
static void given_very_many_tasks_that_nobody_holds_then_the_end_of_the_job_frees_them(void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)mallopt(M_PERTURB, 0xff); /* what is freed is not what it was */
	(void)sim_submit(s, "[{\"do\": {\"create_task\": {\"sleep\": 3600}}, \"for\": \"i\", "
	                    "\"in\": \"${range(20000)}\"}, {\"sleep\": 1}, {\"value\": 7}]");
	sim_run_until_idle(s);
	sim_expect(s, "[  1000ms] job 1 job.completed 7\n");
	sim_close(s);
	(void)mallopt(M_PERTURB, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_task_when_created_then_it_starts_at_the_makers_next_wait),
		cmocka_unit_test(given_a_task_that_ended_when_awaited_twice_then_the_same_result),
		cmocka_unit_test(given_a_list_of_handles_when_awaited_then_a_list_of_results),
		cmocka_unit_test(given_a_task_still_running_when_the_job_ends_then_it_is_cancelled),
		cmocka_unit_test(given_a_cancel_when_the_task_sleeps_then_it_is_cancelled_once),
		cmocka_unit_test(
			given_a_cancelled_task_when_awaited_then_its_message_comes_through),
		cmocka_unit_test(
			given_a_task_cancelled_before_its_first_step_when_awaited_then_its_body_never_ran),
		cmocka_unit_test(
			given_a_cancel_of_a_task_that_awaits_another_then_the_other_is_cancelled_too),
		cmocka_unit_test(
			given_a_cancel_of_a_gather_when_children_sleep_then_they_are_cancelled),
		cmocka_unit_test(
			given_a_job_cancel_when_it_sleeps_then_it_ends_cancelled_with_the_message),
		cmocka_unit_test(
			given_a_body_that_ends_with_a_cancelled_error_when_nobody_cancelled_the_job_then_it_failed),
		cmocka_unit_test(given_a_handle_as_the_result_when_the_job_ends_then_a_type_error),
		cmocka_unit_test(given_a_value_that_is_no_handle_when_awaited_then_a_type_error),
		cmocka_unit_test(
			given_lists_left_in_scratch_slots_when_one_handle_is_awaited_then_its_result_alone),
		cmocka_unit_test(
			given_a_long_chain_of_handles_when_its_end_is_dropped_then_all_goes),
		cmocka_unit_test(
			given_very_many_tasks_that_nobody_holds_then_the_end_of_the_job_frees_them),
	};

	return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
