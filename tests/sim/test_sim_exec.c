/* Commands: what the engine asks for, what it takes, and what the job sees. */
#include "tests/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void run(const char *spec, const char *transcript)
{
	struct sim *s = sim_open();

	(void)sim_submit(s, spec);
	sim_run_until_idle(s);
	sim_expect(s, transcript);
	sim_close(s);
}

/* The same with cancels from outside, each so long after the one before; 0: no more. */
static void run_cancelled(const char *spec, gd_nsec first, gd_nsec second, const char *transcript)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(s, spec);

	sim_advance(s, first);
	sim_cancel(s, job, "enough");
	if (second != 0) {
		sim_advance(s, second);
		sim_cancel(s, job, "now");
	}
	sim_run_until_idle(s);
	sim_expect(s, transcript);
	sim_close(s);
}

/* --- results --- */

static void given_a_command_when_it_ends_then_its_outcome_is_the_result(void **state)
{
	(void)state;
	run("{\"exec\": [\"sleep\", \"5\", \"done\"]}",
	    "[     0ms] job 1 exec 1@1 [\"sleep\",\"5\",\"done\"]\n"
	    "[     0ms] job 1 task.started \n"
	    "[  5000ms] job 1 task.completed  {\"code\":0,\"signal\":null}\n"
	    "[  5000ms] job 1 job.completed "
	    "{\"code\":0,\"signal\":null,\"stdout\":\"done\",\"stderr\":\"\"}\n");
}

static void given_a_code_that_is_not_0_then_an_exec_error_with_the_last_words(void **state)
{
	(void)state;
	sim_expect_error("{\"exec\": [\"fail\", \"3\", \"one\\ntwo \\n\\n\"]}", "ExecError",
	                 "fail exited with 3: two\",\"path\":\"\",\"data\":{\"code\":3,"
	                 "\"signal\":null,\"stdout\":\"\",\"stderr\":\"one\\ntwo \\n\\n");
	sim_expect_error("{\"exec\": [\"fail\", \"3\"]}", "ExecError", "fail exited with 3");
}

static void given_check_false_then_any_end_is_a_result(void **state)
{
	(void)state;
	sim_expect_result("{\"exec\": [\"fail\", \"3\", \"x\"], \"check\": false}",
	                  "{\"code\":3,\"signal\":null,\"stdout\":\"\",\"stderr\":\"x\"}");
}

static void given_a_program_that_is_not_there_then_an_exec_error_with_its_stage(void **state)
{
	(void)state;
	sim_expect_error("{\"exec\": [\"missing\"], \"check\": false}", "ExecError",
	                 "cannot start missing: No such file or directory (exec)\",\"path\":\"\","
	                 "\"data\":{\"stage\":\"exec\",\"errno\":2,");
}

/* --- stopping --- */

static void given_a_timeout_then_it_is_stopped_and_what_it_said_so_far_is_told(void **state)
{
	(void)state;
	run("{\"exec\": [\"deaf\", \"50\"], \"timeout\": 2, \"grace\": 3}",
	    "[     0ms] job 1 exec 1@1 [\"deaf\",\"50\"]\n"
	    "[     0ms] job 1 task.started \n"
	    "[  2000ms] job 1 stop 1@1\n"
	    "[  5000ms] job 1 task.failed  {\"type\":\"TimeoutError\",\"message\":\"deaf was not "
	    "done within 2 s\",\"path\":\"\",\"data\":{\"code\":null,\"signal\":9,\"stdout\":\"\","
	    "\"stderr\":\"\"}}\n"
	    "[  5000ms] job 1 job.failed {\"type\":\"TimeoutError\",\"message\":\"deaf was not "
	    "done within 2 s\",\"path\":\"\",\"data\":{\"code\":null,\"signal\":9,\"stdout\":\"\","
	    "\"stderr\":\"\"}}\n");
}

static void given_a_timeout_of_the_node_around_then_it_waits_for_the_end_as_well(void **state)
{
	(void)state;
	sim_expect_error("{\"do\": {\"exec\": [\"tidy\", \"50\", \"2\"]}, \"timeout\": 3}",
	                 "TimeoutError", "not done within 3 s");
	sim_expect_result("[{\"value\": \"${now}\", \"as\": \"a\"}, {\"try\": {\"do\": {\"exec\": "
	                  "[\"tidy\", \"50\", \"2\"]}, \"timeout\": 3}, \"except\": {\"*\": []}}, "
	                  "{\"value\": \"${now - a}\"}]",
	                  "5.0");
}

static void given_a_cancel_then_it_is_met_when_the_command_has_ended(void **state)
{
	(void)state;
	run_cancelled("{\"try\": {\"exec\": [\"tidy\", \"50\", \"2\"]}, \"finally\": {\"yield\": "
	              "\"${now - 1700000000}\"}}",
	              GD_NSEC_PER_SEC, 0,
	              "[     0ms] job 1 exec 1@1 [\"tidy\",\"50\",\"2\"]\n"
	              "[     0ms] job 1 task.started /try\n"
	              "[  1000ms] job 1 stop 1@1\n"
	              "[  3000ms] job 1 task.failed /try {\"type\":\"CancelledError\",\"message\":"
	              "\"enough\",\"path\":\"/try\"}\n"
	              "[  3000ms] job 1 yield 3.0\n"
	              "[  3000ms] job 1 job.cancelled {\"type\":\"CancelledError\",\"message\":"
	              "\"enough\",\"path\":\"/try\"}\n");
}

static void given_a_second_cancel_of_the_job_then_what_is_being_stopped_is_killed(void **state)
{
	(void)state;
	run_cancelled("{\"exec\": [\"deaf\", \"50\"]}", GD_NSEC_PER_SEC, GD_NSEC_PER_SEC,
	              "[     0ms] job 1 exec 1@1 [\"deaf\",\"50\"]\n"
	              "[     0ms] job 1 task.started \n"
	              "[  1000ms] job 1 stop 1@1\n"
	              "[  2000ms] job 1 kill 1@1\n"
	              "[  2000ms] job 1 task.failed  {\"type\":\"CancelledError\",\"message\":"
	              "\"enough\",\"path\":\"\"}\n"
	              "[  2000ms] job 1 job.cancelled {\"type\":\"CancelledError\",\"message\":"
	              "\"enough\",\"path\":\"\"}\n");
}

static void given_a_cancel_while_it_waits_for_its_turn_then_it_never_begins(void **state)
{
	(void)state;
	run("{\"race\": {\"a\": {\"exec\": [\"sleep\", \"3\"], \"pool\": \"p\"}, \"b\": {\"exec\": "
	    "[\"ok\"], \"pool\": \"p\"}, \"c\": {\"sleep\": 1}}, \"as\": \"r\"}",
	    "[     0ms] job 1 task.started /race/a\n"
	    "[     0ms] job 1 exec 1@1 [\"sleep\",\"3\"]\n"
	    "[     0ms] job 1 task.started /race/b\n"
	    "[     0ms] job 1 exec 2@1 [\"ok\"]\n"
	    "[     0ms] job 1 task.started /race/c\n"
	    "[  1000ms] job 1 task.completed /race/c null\n"
	    "[  1000ms] job 1 stop 1@1\n"
	    "[  1000ms] job 1 recall 2@1\n"
	    "[  1000ms] job 1 task.failed /race/b {\"type\":\"CancelledError\",\"message\":\"\","
	    "\"path\":\"/race/b\"}\n"
	    "[  1000ms] job 1 task.failed /race/a {\"type\":\"CancelledError\",\"message\":\"\","
	    "\"path\":\"/race/a\"}\n"
	    "[  1000ms] job 1 job.completed {\"name\":\"c\",\"result\":null}\n");
}

static void given_the_end_of_the_body_then_commands_of_its_tasks_are_stopped_first(void **state)
{
	(void)state;
	run("[{\"create_task\": {\"exec\": [\"tidy\", \"50\", \"2\"]}}, {\"sleep\": 1}]",
	    "[     0ms] job 1 exec 1@1 [\"tidy\",\"50\",\"2\"]\n"
	    "[     0ms] job 1 task.started /0/create_task\n"
	    "[  1000ms] job 1 stop 1@1\n"
	    "[  3000ms] job 1 task.failed /0/create_task {\"type\":\"CancelledError\",\"message\":"
	    "\"\",\"path\":\"/0/create_task\"}\n"
	    "[  3000ms] job 1 job.completed null\n");
}

/* --- attempts --- */

static void given_an_interruption_then_the_step_fails_with_that(void **state)
{
	(void)state;
	sim_expect_error("{\"exec\": [\"gone\", \"1\"], \"check\": false}", "InterruptedError",
	                 "gone was interrupted, and how it ended is not known: the runner ended");
}

static void given_retry_then_it_begins_again_until_it_is_not_interrupted(void **state)
{
	(void)state;
	run("{\"exec\": [\"flaky\", \"1\", \"2\"], \"on_interrupt\": \"retry\", \"timeout\": 3}",
	    "[     0ms] job 1 exec 1@1 [\"flaky\",\"1\",\"2\"]\n"
	    "[     0ms] job 1 task.started \n"
	    "[  2000ms] job 1 exec 1@2 [\"flaky\",\"1\",\"2\"]\n"
	    "[  4000ms] job 1 task.completed  {\"code\":0,\"signal\":null}\n"
	    "[  4000ms] job 1 job.completed "
	    "{\"code\":0,\"signal\":null,\"stdout\":\"\",\"stderr\":\"\"}\n");
}

static void given_retry_of_what_is_always_interrupted_then_ten_attempts_are_made(void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(s, "{\"exec\": [\"gone\", \"1\"], \"on_interrupt\": \"retry\"}");
	sim_run_until_idle(s);

	assert_true(s->now == SIM_EPOCH + EXEC_ATTEMPTS_MAX * GD_NSEC_PER_SEC);
	sim_close(s);
}

static void given_hold_then_it_waits_for_somebody(void **state)
{
	(void)state;
	run("{\"exec\": [\"flaky\", \"1\", \"1\"], \"on_interrupt\": \"hold\"}",
	    "[     0ms] job 1 exec 1@1 [\"flaky\",\"1\",\"1\"]\n"
	    "[     0ms] job 1 task.started \n"
	    "[  3000ms] job 1 exec 1@2 [\"flaky\",\"1\",\"1\"]\n"
	    "[  4000ms] job 1 task.completed  {\"code\":0,\"signal\":null}\n"
	    "[  4000ms] job 1 job.completed "
	    "{\"code\":0,\"signal\":null,\"stdout\":\"\",\"stderr\":\"\"}\n");
}

static void given_a_cancel_while_it_is_held_then_at_once(void **state)
{
	(void)state;
	run_cancelled("{\"exec\": [\"gone\", \"1\"], \"on_interrupt\": \"hold\"}",
	              2 * GD_NSEC_PER_SEC, 0,
	              "[     0ms] job 1 exec 1@1 [\"gone\",\"1\"]\n"
	              "[     0ms] job 1 task.started \n"
	              "[  2000ms] job 1 recall 1@1\n"
	              "[  2000ms] job 1 task.failed  {\"type\":\"CancelledError\",\"message\":"
	              "\"enough\",\"path\":\"\"}\n"
	              "[  2000ms] job 1 job.cancelled {\"type\":\"CancelledError\",\"message\":"
	              "\"enough\",\"path\":\"\"}\n");
}

/* --- lines --- */

#define OVER_LINES(count, step, body)                                                      \
	"{\"async_for\": {\"exec\": [\"lines\", \"" count "\", \"" step "\"], \"yield\": " \
	"\"lines\"}, \"as\": \"l\", \"do\": " body "}"

static void given_lines_then_each_is_an_item_when_it_comes(void **state)
{
	(void)state;
	run(OVER_LINES("2", "1", "[{\"yield\": \"${l}\"}, {\"value\": \"${l}!\"}]"),
	    "[     0ms] job 1 exec 1@1 [\"lines\",\"2\",\"1\"]\n"
	    "[     0ms] job 1 task.started /async_for\n"
	    "[  1000ms] job 1 more 1@1\n"
	    "[  1000ms] job 1 yield \"1\"\n"
	    "[  2000ms] job 1 more 1@1\n"
	    "[  2000ms] job 1 yield \"2\"\n"
	    "[  2000ms] job 1 task.completed /async_for {\"code\":0,\"signal\":null}\n"
	    "[  2000ms] job 1 job.completed [\"1!\",\"2!\"]\n");
}

static void given_a_slow_consumer_then_more_is_asked_for_when_all_is_taken(void **state)
{
	(void)state;
	run(OVER_LINES("5", "0", "{\"sleep\": 1}"),
	    "[     0ms] job 1 exec 1@1 [\"lines\",\"5\",\"0\"]\n"
	    "[     0ms] job 1 task.started /async_for\n"
	    "[  2000ms] job 1 more 1@1\n"
	    "[  5000ms] job 1 task.completed /async_for {\"code\":0,\"signal\":null}\n"
	    "[  5000ms] job 1 job.completed [null,null,null,null,null]\n");
}

static void given_a_consumer_that_breaks_off_then_the_command_is_stopped_first(void **state)
{
	(void)state;
	run("{\"try\": {\"async_for\": {\"exec\": [\"tidy\", \"50\", \"2\"], \"yield\": \"lines\"}, "
	    "\"timeout\": 1}, \"except\": {\"TimeoutError\": {\"yield\": \"late\"}}}",
	    "[     0ms] job 1 exec 1@1 [\"tidy\",\"50\",\"2\"]\n"
	    "[     0ms] job 1 task.started /try/async_for\n"
	    "[  1000ms] job 1 stop 1@1\n"
	    "[  3000ms] job 1 task.failed /try/async_for {\"type\":\"CancelledError\",\"message\":"
	    "\"\",\"path\":\"/try/async_for\"}\n"
	    "[  3000ms] job 1 yield \"late\"\n"
	    "[  3000ms] job 1 job.completed null\n");
	run("[" OVER_LINES("9", "1", "[{\"return\": \"${l}\"}]") "]",
	    "[     0ms] job 1 exec 1@1 [\"lines\",\"9\",\"1\"]\n"
	    "[     0ms] job 1 task.started /0/async_for\n"
	    "[  1000ms] job 1 more 1@1\n"
	    "[  1000ms] job 1 stop 1@1\n"
	    "[  1000ms] job 1 task.completed /0/async_for {\"code\":null,\"signal\":15}\n"
	    "[  1000ms] job 1 job.completed \"1\"\n");
}

static void given_lines_of_a_command_that_fails_then_the_error_comes_after_them(void **state)
{
	(void)state;
	sim_expect_error("{\"async_for\": {\"exec\": [\"fail\", \"2\"], \"yield\": \"lines\"}}",
	                 "ExecError", "fail exited with 2");
	sim_expect_result("{\"async_for\": {\"exec\": [\"fail\", \"2\"], \"yield\": \"lines\", "
	                  "\"check\": false}}",
	                  "[]");
}

static void given_a_generator_that_goes_over_lines_and_does_not_end_then_they_end(void **state)
{
	(void)state;
	run("{\"def\": {\"g\": {\"do\": {\"async_for\": {\"exec\": [\"lines\", \"9\", \"1\"], "
	    "\"yield\": \"lines\"}, \"as\": \"l\", \"do\": {\"try\": {\"yield\": \"${l}\"}, "
	    "\"finally\": {\"yield\": \"not yet\"}}}}}, \"do\": {\"try\": {\"async_for\": "
	    "{\"call\": \"g\"}, \"do\": {\"raise\": \"Stop\"}}, \"except\": {\"RuntimeError\": "
	    "{\"value\": \"left\"}}}}",
	    "[     0ms] job 1 exec 1@1 [\"lines\",\"9\",\"1\"]\n"
	    "[     0ms] job 1 task.started /def/g/do/async_for\n"
	    "[  1000ms] job 1 more 1@1\n"
	    "[  1000ms] job 1 stop 1@1\n"
	    "[  1000ms] job 1 job.completed \"left\"\n");
}

static void given_a_body_that_never_waits_then_the_command_is_stopped_all_the_same(void **state)
{
	(void)state;
	run("[{\"gather\": [" OVER_LINES(
		    "9", "1",
		    "{\"do\": {\"value\": 1}, \"while\": \"${now > 0}\"}") ", {\"sleep\": 5}], \"return_exceptions\": true, \"as\": \"r\"}, "
	                                                                   "{\"value\": \"${r[0].type}\"}]",
	    "[     0ms] job 1 exec 1@1 [\"lines\",\"9\",\"1\"]\n"
	    "[     0ms] job 1 task.started /0/gather/0/async_for\n"
	    "[  1000ms] job 1 more 1@1\n"
	    "[  1000ms] job 1 stop 1@1\n"
	    "[  1000ms] job 1 task.completed /0/gather/0/async_for {\"code\":null,\"signal\":15}\n"
	    "[  5000ms] job 1 job.completed \"LimitError\"\n");
}

static void given_a_consumer_that_never_waits_then_the_command_of_its_generator_is_stopped(
	void **state)
{
	(void)state;
	run("{\"def\": {\"g\": {\"do\": " OVER_LINES(
		    "9", "1",
		    "{\"yield\": \"${l}\"}") "}}, \"do\": [{\"gather\": "
	                                     "[{\"async_for\": {\"call\": \"g\"}, \"do\": {\"do\": {\"value\": 1}, \"while\": "
	                                     "\"${now > 0}\"}}, {\"sleep\": 5}], \"return_exceptions\": true, \"as\": \"r\"}, "
	                                     "{\"value\": \"${r[0].type}\"}]}",
	    "[     0ms] job 1 exec 1@1 [\"lines\",\"9\",\"1\"]\n"
	    "[     0ms] job 1 task.started /def/g/do/async_for\n"
	    "[  1000ms] job 1 more 1@1\n"
	    "[  1000ms] job 1 stop 1@1\n"
	    "[  1000ms] job 1 task.completed /def/g/do/async_for {\"code\":null,\"signal\":15}\n"
	    "[  5000ms] job 1 job.completed \"LimitError\"\n");
}

/* --- job.stack --- */

static void expect_stack(struct sim *s, const char *rows)
{
	struct buf b = { 0 };

	assert_true(engine_write_stack(s->engine, 1, 10, &b, NULL, NULL));
	buf_add_byte(&b, '\0');
	assert_string_equal(b.at, rows);
	buf_close(&b);
}

static void given_commands_then_the_stack_says_what_they_wait_for(void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(s, "[{\"create_task\": {\"exec\": [\"deaf\", \"9\"], \"pool\": \"p\", "
	                    "\"timeout\": 1}}, {\"create_task\": {\"exec\": [\"ok\"], \"pool\": "
	                    "\"p\"}}, {\"exec\": [\"gone\", \"1\"], \"on_interrupt\": \"hold\"}]");
	expect_stack(s, "[{\"address\":\"/2\",\"op\":\"exec\",\"state\":\"running\","
	                "\"waiting_for\":\"gone\"},"
	                "{\"address\":\"/0/create_task\",\"op\":\"exec\",\"state\":\"running\","
	                "\"waiting_for\":\"deaf\",\"until\":1700000001.0},"
	                "{\"address\":\"/1/create_task\",\"op\":\"exec\",\"state\":\"waiting\","
	                "\"waiting_for\":\"p\"}]");
	sim_advance(s, GD_NSEC_PER_SEC);
	expect_stack(s, "[{\"address\":\"/2\",\"op\":\"exec\",\"state\":\"held\","
	                "\"waiting_for\":\"gone\"},"
	                "{\"address\":\"/0/create_task\",\"op\":\"exec\",\"state\":\"stopping\","
	                "\"waiting_for\":\"deaf\"},"
	                "{\"address\":\"/1/create_task\",\"op\":\"exec\",\"state\":\"waiting\","
	                "\"waiting_for\":\"p\"}]");
	sim_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_command_when_it_ends_then_its_outcome_is_the_result),
		cmocka_unit_test(given_a_code_that_is_not_0_then_an_exec_error_with_the_last_words),
		cmocka_unit_test(given_check_false_then_any_end_is_a_result),
		cmocka_unit_test(
			given_a_program_that_is_not_there_then_an_exec_error_with_its_stage),
		cmocka_unit_test(
			given_a_timeout_then_it_is_stopped_and_what_it_said_so_far_is_told),
		cmocka_unit_test(
			given_a_timeout_of_the_node_around_then_it_waits_for_the_end_as_well),
		cmocka_unit_test(given_a_cancel_then_it_is_met_when_the_command_has_ended),
		cmocka_unit_test(
			given_a_second_cancel_of_the_job_then_what_is_being_stopped_is_killed),
		cmocka_unit_test(given_a_cancel_while_it_waits_for_its_turn_then_it_never_begins),
		cmocka_unit_test(
			given_the_end_of_the_body_then_commands_of_its_tasks_are_stopped_first),
		cmocka_unit_test(given_an_interruption_then_the_step_fails_with_that),
		cmocka_unit_test(given_retry_then_it_begins_again_until_it_is_not_interrupted),
		cmocka_unit_test(
			given_retry_of_what_is_always_interrupted_then_ten_attempts_are_made),
		cmocka_unit_test(given_hold_then_it_waits_for_somebody),
		cmocka_unit_test(given_a_cancel_while_it_is_held_then_at_once),
		cmocka_unit_test(given_lines_then_each_is_an_item_when_it_comes),
		cmocka_unit_test(given_a_slow_consumer_then_more_is_asked_for_when_all_is_taken),
		cmocka_unit_test(
			given_a_consumer_that_breaks_off_then_the_command_is_stopped_first),
		cmocka_unit_test(
			given_lines_of_a_command_that_fails_then_the_error_comes_after_them),
		cmocka_unit_test(
			given_a_generator_that_goes_over_lines_and_does_not_end_then_they_end),
		cmocka_unit_test(
			given_a_body_that_never_waits_then_the_command_is_stopped_all_the_same),
		cmocka_unit_test(
			given_a_consumer_that_never_waits_then_the_command_of_its_generator_is_stopped),
		cmocka_unit_test(given_commands_then_the_stack_says_what_they_wait_for),
	};

	return cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}
