/* Child jobs, as the engines of parents and children see each other. */
#include "tests/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ON(loop, body) "{\"create_task\": " body ", \"loop\": " loop ", \"as\": \"t\"}"
#define HOUR "{\"sleep\": 3600}"

static void given_a_child_then_its_task_gives_what_it_gives(void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(
		s, "[{\"value\": 20, \"as\": \"x\"}, {\"sleep\": 1}, " ON(
			   "1",
			   "[{\"sleep\": 2}, {\"value\": \"${x + 1}\"}]") ", "
									  "{\"await\": \"${t}\"}]");
	sim_run_until_idle(s);
	sim_expect(s, "[  1000ms] job 1 spawn 1 /2/create_task\n"
	              "[  3000ms] job 1 job.completed 21\n");
	sim_forget(s);
	sim_close(s);
}

static void given_a_child_that_fails_then_its_task_raises_that(void **state)
{
	(void)state;
	sim_expect_error("[" ON("\"a\"", "[{\"sleep\": 1}, {\"raise\": {\"type\": \"Bad\", "
	                                 "\"message\": \"no\"}}]") ", {\"await\": \"${t}\"}]",
	                 "Bad", "no");
	sim_expect_result(
		"{\"try\": [" ON(
			"0",
			"{\"raise\": \"Bad\"}") ", {\"await\": "
						"\"${t}\"}], \"except\": {\"Bad\": {\"value\": \"${error.path}\"}}}",
		"\"/try/0/create_task\"");
}

static void given_a_child_made_in_a_round_then_its_addresses_say_so(void **state)
{
	(void)state;
	sim_expect_result(
		"{\"do\": {\"try\": [" ON(
			"0",
			"[{\"raise\": \"Bad\"}]") ", "
						  "{\"await\": \"${t}\"}], \"except\": {\"Bad\": {\"value\": "
						  "\"${error.path}\"}}}, \"for\": \"i\", \"in\": [1, 2]}",
		"[\"/do#0/try/0/create_task/0\",\"/do#1/try/0/create_task/0\"]");
}

static void given_a_cancel_then_it_goes_to_the_child_once_and_its_end_is_awaited(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job;

	(void)state;
	job = sim_submit(s,
	                 "[" ON("1", "{\"try\": " HOUR
	                             ", \"finally\": {\"sleep\": 5}}") ", {\"await\": \"${t}\"}]");
	sim_advance(s, GD_NSEC_PER_SEC);
	sim_cancel(s, job, "enough");
	sim_run_until_idle(s);
	sim_expect(s, "[     0ms] job 1 spawn 1 /0/create_task\n"
	              "[  1000ms] job 1 spawn.stop 1 \"enough\"\n"
	              "[  6000ms] job 1 job.cancelled {\"type\":\"CancelledError\",\"message\":"
	              "\"enough\",\"path\":\"/0/create_task/try\"}\n");
	sim_forget(s);
	sim_close(s);
}

static void given_a_second_cancel_then_the_child_hears_that_too(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job;

	(void)state;
	job = sim_submit(s, "[" ON("1", "{\"try\": " HOUR ", \"finally\": " HOUR
	                                "}") ", {\"await\": \"${t}\"}]");
	sim_advance(s, GD_NSEC_PER_SEC);
	sim_cancel(s, job, "");
	sim_advance(s, GD_NSEC_PER_SEC);
	sim_cancel(s, job, "");
	sim_cancel(s, job, "");
	sim_run_until_idle(s);
	sim_expect(s, "[     0ms] job 1 spawn 1 /0/create_task\n"
	              "[  1000ms] job 1 spawn.stop 1 null\n"
	              "[  2000ms] job 1 spawn.kill 1\n"
	              "[  2000ms] job 1 job.cancelled {\"type\":\"CancelledError\",\"message\":"
	              "\"\",\"path\":\"/0/create_task/finally\"}\n");
	sim_close(s);
}

static void given_a_child_that_refuses_the_cancel_then_its_result_counts(void **state)
{
	(void)state;
	sim_expect_result(
		"[" ON("1",
	               "{\"try\": " HOUR ", \"except\": {\"CancelledError\": "
	               "{\"value\": \"${error.message}\"}}}") ", {\"sleep\": 1}, "
							      "{\"cancel\": \"${t}\", \"message\": \"please\"}, {\"await\": \"${t}\"}]",
		"\"please\"");
	sim_expect_result("[" ON("1",
	                         "{\"try\": " HOUR ", \"except\": {\"CancelledError\": "
	                         "{\"value\": 7}}}") ", {\"await\": \"${t}\", \"timeout\": 1}]",
	                  "7");
}

static void given_a_timeout_then_the_child_is_cancelled_and_it_is_a_timeout(void **state)
{
	(void)state;
	sim_expect_result(
		"{\"try\": [" ON("1",
	                         HOUR) ", {\"await\": \"${t}\", \"timeout\": 1}], "
				       "\"except\": {\"TimeoutError\": {\"value\": \"late\"}}}",
		"\"late\"");
}

static void given_a_task_cancelled_before_it_begins_then_no_child_is_asked_for(void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(s, "[" ON("1", HOUR) ", {\"cancel\": \"${t}\"}, {\"value\": 1}]");
	sim_run_until_idle(s);
	sim_expect(s, "[     0ms] job 1 job.completed 1\n");
	sim_close(s);
}

static void given_a_body_that_is_over_then_its_children_are_cancelled_and_awaited(void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(
		s,
		"[" ON("1",
	               "{\"try\": " HOUR
	               ", \"finally\": {\"sleep\": 3}}") ", {\"sleep\": 1}, {\"value\": \"over\"}]");
	sim_run_until_idle(s);
	sim_expect(s, "[     0ms] job 1 spawn 1 /0/create_task\n"
	              "[  1000ms] job 1 spawn.stop 1 null\n"
	              "[  4000ms] job 1 job.completed \"over\"\n");
	sim_forget(s);
	sim_close(s);
}

static void given_what_is_no_data_then_the_child_is_not_made(void **state)
{
	(void)state;
	sim_expect_error("[{\"create_task\": " HOUR
	                 ", \"as\": \"mine\"}, " ON("1", "{\"await\": \"${mine}\"}") "]",
	                 "TypeError",
	                 "what the task on another loop sees holds a task: one of this loop "
	                 "cannot be awaited on another one");
	sim_expect_error("[{\"set\": {\"x\": -1}}, " ON("\"${x}\"", "[]") "]", "ValueError",
	                 "\\\"loop\\\" wants a name of 1 to 200 bytes or a number from 0 on");
	sim_expect_error("[{\"set\": {\"x\": 1.5}}, " ON("\"${x}\"", "[]") "]", "TypeError",
	                 "\\\"loop\\\" wants a name or a number, not float");
	sim_expect_result("[{\"create_task\": " HOUR ", \"as\": \"mine\"}, {\"value\": 1, \"as\": "
	                  "\"x\"}, " ON("1", "{\"value\": \"${x}\"}") ", {\"await\": \"${t}\"}]",
	                  "1");
}

static void given_undos_in_and_around_a_child_then_they_do_not_mix(void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(
		s,
		"{\"try\": [{\"value\": 1, \"undo\": {\"yield\": \"outer\"}}, " ON(
			"1",
			"[{\"value\": 1, \"undo\": {\"yield\": \"inner\"}}, "
			"{\"try\": {\"raise\": \"A\"}, \"except\": {\"A\": "
			"{\"value\": 5}}}]") ", {\"await\": \"${t}\", \"as\": \"r\"}, "
					     "{\"raise\": \"B\"}], \"except\": {\"B\": {\"value\": 6}}}");
	sim_run_until_idle(s);
	sim_expect(s, "[     0ms] job 1 spawn 1 /try/1/create_task\n"
	              "[     0ms] job 1 yield \"outer\"\n"
	              "[     0ms] job 1 job.completed 6\n");
	sim_close(s);
}

static void given_an_end_that_comes_twice_or_for_nobody_then_it_is_ignored(void **state)
{
	struct sim        *s = sim_open();
	struct value_heap *h = engine_heap(s->engine);
	struct engine_in   in = { .kind = ENGINE_CHILD_ENDED, .job = 1, .ticket = 2 };

	(void)state;
	s->is_replaying = true; /* nobody else plays */
	(void)sim_submit(s, "[" ON("1", HOUR) ", {\"await\": \"${t}\"}, {\"sleep\": 1}]");
	in.time = s->now;
	in.message =
		value_dict_put(h, value_dict_new(h, 1), value_text_new(h, "result", 6), VALUE_NULL);
	assert_int_equal(engine_step(s->engine, &in, &s->outs, NULL), GD_OK);
	assert_int_equal(s->outs.count, 0);
	in.ticket = 1;
	assert_int_equal(engine_step(s->engine, &in, &s->outs, NULL), GD_OK);
	assert_int_equal(engine_step(s->engine, &in, &s->outs, NULL), GD_OK);
	value_release(h, in.message);
	sim_advance(s, GD_NSEC_PER_SEC);
	sim_expect(s, "[     0ms] job 1 spawn 1 /0/create_task\n"
	              "[  1000ms] job 1 job.completed null\n");
	sim_close(s);
}

static void given_one_job_of_two_then_its_first_deadlines_fire_alone(void **state)
{
	struct sim      *s = sim_open();
	struct engine_in in = { .kind = ENGINE_TIME,
		                .job = 2,
		                .time = SIM_EPOCH + 9 * GD_NSEC_PER_SEC };
	gd_nsec          due;

	(void)state;
	(void)sim_submit(s, "{\"sleep\": 1}");
	(void)sim_submit(s, "[{\"sleep\": 2}, {\"sleep\": 3}, {\"value\": 4}]");
	assert_true(engine_next_due_of(s->engine, 2, in.time, &due));
	assert_int_equal(due, SIM_EPOCH + 2 * GD_NSEC_PER_SEC);
	assert_int_equal(engine_step(s->engine, &in, &s->outs, NULL), GD_OK);
	assert_int_equal(s->outs.count, 0);
	assert_true(engine_next_due_of(s->engine, 2, in.time, &due));
	assert_int_equal(due, SIM_EPOCH + 5 * GD_NSEC_PER_SEC);
	assert_false(engine_next_due_of(s->engine, 2, due - 1, &due));
	assert_int_equal(engine_step(s->engine, &in, &s->outs, NULL), GD_OK);
	assert_int_equal(s->outs.count, 1);
	assert_int_equal(s->outs.at[0].time, SIM_EPOCH + 5 * GD_NSEC_PER_SEC);
	assert_true(engine_next_due(s->engine, &due));
	assert_int_equal(due, SIM_EPOCH + GD_NSEC_PER_SEC);
	sim_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_child_then_its_task_gives_what_it_gives),
		cmocka_unit_test(given_a_child_that_fails_then_its_task_raises_that),
		cmocka_unit_test(given_a_child_made_in_a_round_then_its_addresses_say_so),
		cmocka_unit_test(
			given_a_cancel_then_it_goes_to_the_child_once_and_its_end_is_awaited),
		cmocka_unit_test(given_a_second_cancel_then_the_child_hears_that_too),
		cmocka_unit_test(given_a_child_that_refuses_the_cancel_then_its_result_counts),
		cmocka_unit_test(given_a_timeout_then_the_child_is_cancelled_and_it_is_a_timeout),
		cmocka_unit_test(
			given_a_task_cancelled_before_it_begins_then_no_child_is_asked_for),
		cmocka_unit_test(
			given_a_body_that_is_over_then_its_children_are_cancelled_and_awaited),
		cmocka_unit_test(given_what_is_no_data_then_the_child_is_not_made),
		cmocka_unit_test(given_undos_in_and_around_a_child_then_they_do_not_mix),
		cmocka_unit_test(given_an_end_that_comes_twice_or_for_nobody_then_it_is_ignored),
		cmocka_unit_test(given_one_job_of_two_then_its_first_deadlines_fire_alone),
	};

	return cmocka_run_group_tests_name("sim_child", tests, NULL, NULL);
}
