#include "tests/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MSEC GD_NSEC_PER_MSEC

static void given_two_sleeps_in_a_row_when_run_then_their_times_add_up(void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(s, "[{\"sleep\": 3}, {\"sleep\": 2}]");
	sim_run_until_idle(s);

	sim_expect(s, "[  5000ms] job 1 job.completed null\n");
	sim_close(s);
}

static void given_a_sleep_with_a_result_when_it_ends_then_it_gives_that(void **state)
{
	(void)state;
	sim_expect_result("{\"sleep\": 1, \"result\": \"x\"}", "\"x\"");
}

static void given_a_negative_sleep_when_run_then_no_time_passes(void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(s, "{\"sleep\": -5, \"result\": \"Get to the past\"}");
	sim_run_until_idle(s);

	sim_expect(s, "[     0ms] job 1 job.completed \"Get to the past\"\n");
	sim_close(s);
}

static void given_texts_as_durations_when_run_then_units_count(void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(s,
	                 "[{\"sleep\": \"250ms\"}, {\"sleep\": \"1m\"}, {\"sleep\": \"1h30m\"}]");
	sim_run_until_idle(s);

	sim_expect(s, "[5460250ms] job 1 job.completed null\n");
	sim_close(s);
}

static void given_a_late_clock_when_timers_fire_then_logical_times_are_the_deadlines(void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(
		s, "[{\"sleep\": 1}, {\"yield\": \"${now}\"}, {\"sleep\": 1}, {\"yield\": \"b\"}]");
	sim_advance(s, 60000 * MSEC);

	sim_expect(s, "[  1000ms] job 1 yield 1700000001.0\n"
	              "[  2000ms] job 1 yield \"b\"\n"
	              "[  2000ms] job 1 job.completed null\n");
	sim_close(s);
}

static void given_sleep_until_a_time_ahead_when_run_then_it_ends_at_that_time(void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(
		s,
		"[{\"sleep_until\": \"2023-11-14T22:13:25Z\"}, {\"yield\": 1}, {\"sleep_until\": "
		"\"2001-01-01T00:00:00Z\"}]");
	sim_run_until_idle(s);

	sim_expect(s, "[  5000ms] job 1 yield 1\n[  5000ms] job 1 job.completed null\n");
	sim_close(s);
}

static void given_equal_deadlines_when_they_fire_then_the_first_armed_is_first(void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(s,
	                 "{\"as_completed\": {\"sleep\": 1, \"result\": \"${i}\"}, \"for\": \"i\", "
	                 "\"in\": [3, 1, 2], \"as\": \"c\", \"do\": {\"yield\": \"${c.result}\"}}");
	sim_run_until_idle(s);

	sim_expect(s, "[     0ms] job 1 task.started /as_completed#0\n"
	              "[     0ms] job 1 task.started /as_completed#1\n"
	              "[     0ms] job 1 task.started /as_completed#2\n"
	              "[  1000ms] job 1 task.completed /as_completed#0 3\n"
	              "[  1000ms] job 1 task.completed /as_completed#1 1\n"
	              "[  1000ms] job 1 task.completed /as_completed#2 2\n"
	              "[  1000ms] job 1 yield 3\n"
	              "[  1000ms] job 1 yield 1\n"
	              "[  1000ms] job 1 yield 2\n"
	              "[  1000ms] job 1 job.completed [null,null,null]\n");
	sim_close(s);
}

static void given_a_loop_of_yields_when_it_spins_then_the_clock_still_moves(void **state)
{
	(void)state;
	struct sim *s = sim_open();

	(void)sim_submit(
		s,
		"[{\"gather\": [{\"sleep\": 1}, {\"do\": {\"sleep\": 0}, \"for\": \"i\", \"in\": "
		"\"${range(30000)}\"}]}, {\"value\": \"done\"}]");
	/* Three times 10,000 ticks and a little: the journal holds the start and that many times. */
	sim_run_until_idle(s);

	assert_int_equal(s->input_count, 4);
	sim_expect(s, "[  1000ms] job 1 job.completed \"done\"\n");
	sim_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_two_sleeps_in_a_row_when_run_then_their_times_add_up),
		cmocka_unit_test(given_a_sleep_with_a_result_when_it_ends_then_it_gives_that),
		cmocka_unit_test(given_a_negative_sleep_when_run_then_no_time_passes),
		cmocka_unit_test(given_texts_as_durations_when_run_then_units_count),
		cmocka_unit_test(
			given_a_late_clock_when_timers_fire_then_logical_times_are_the_deadlines),
		cmocka_unit_test(given_sleep_until_a_time_ahead_when_run_then_it_ends_at_that_time),
		cmocka_unit_test(
			given_equal_deadlines_when_they_fire_then_the_first_armed_is_first),
		cmocka_unit_test(given_a_loop_of_yields_when_it_spins_then_the_clock_still_moves),
	};

	return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
