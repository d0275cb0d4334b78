/*
 * The clock on the wall is set while jobs run: what goes by the wall goes with it, what goes by
 * lengths of time does not feel it. Times in brackets are the engine's.
 */
#include "tests/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEC GD_NSEC_PER_SEC
#define HOUR (3600 * SEC)

/* Waits until ten minutes after the start, by the wall. */
static const char WAIT[] = "[{\"sleep_until\": 1700000600}, {\"yield\": \"${now - 1700000000}\"}]";

static void given_a_wall_set_forward_over_the_time_when_waited_for_then_it_fires_at_once(
	void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(s, WAIT);
	sim_advance(s, 60 * SEC);
	sim_set_wall(s, HOUR);
	sim_run_until_idle(s);

	sim_expect(s, "[ 60000ms] job 1 yield 3660.0\n"
	              "[ 60000ms] job 1 job.completed null\n");
	sim_close(s);
}

static void given_a_wall_set_forward_a_little_when_waited_for_then_it_fires_when_it_shows_it(
	void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(s, WAIT);
	sim_advance(s, 60 * SEC);
	sim_set_wall(s, 100 * SEC);
	sim_run_until_idle(s);

	sim_expect(s, "[500000ms] job 1 yield 600.0\n[500000ms] job 1 job.completed null\n");
	sim_close(s);
}

static void given_a_wall_set_back_when_waited_for_then_it_fires_so_much_later(void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(s, WAIT);
	sim_advance(s, 60 * SEC);
	sim_set_wall(s, -HOUR);
	sim_run_until_idle(s);

	sim_expect(s, "[4200000ms] job 1 yield 600.0\n[4200000ms] job 1 job.completed null\n");
	sim_close(s);
}

static void given_a_wall_set_back_and_forward_again_when_waited_for_then_nothing_has_changed(
	void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(s, WAIT);
	sim_advance(s, 60 * SEC);
	sim_set_wall(s, -HOUR);
	sim_advance(s, 60 * SEC);
	sim_set_wall(s, HOUR);
	sim_run_until_idle(s);

	sim_expect(s, "[600000ms] job 1 yield 600.0\n[600000ms] job 1 job.completed null\n");
	sim_close(s);
}

static void given_a_time_that_was_on_the_wall_before_when_set_back_then_it_does_not_fire_twice(
	void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(s, "[{\"sleep_until\": 1700000010}, {\"yield\": 1}, {\"sleep\": 60},"
	                    " {\"sleep_until\": 1700000010}, {\"yield\": 2}]");
	sim_advance(s, 20 * SEC);
	sim_set_wall(s, -HOUR);
	sim_run_until_idle(s);

	/* The second wait begins when the wall shows less, so it waits. */
	sim_expect(s, "[ 10000ms] job 1 yield 1\n"
	              "[3610000ms] job 1 yield 2\n"
	              "[3610000ms] job 1 job.completed null\n");
	sim_close(s);
}

static void given_waits_for_the_same_time_when_the_wall_is_set_then_they_keep_their_order(
	void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(s, "{\"gather\": ["
	                    "[{\"sleep\": 40}, {\"yield\": \"a\"}],"
	                    "[{\"sleep_until\": 1700000100}, {\"yield\": \"b\"}],"
	                    "[{\"sleep\": 40}, {\"yield\": \"c\"}],"
	                    "[{\"sleep_until\": 1700000100}, {\"yield\": \"d\"}]]}");
	sim_advance(s, 10 * SEC);
	sim_set_wall(s, 60 * SEC);
	sim_run_until_idle(s);

	sim_expect(s, "[ 40000ms] job 1 yield \"a\"\n"
	              "[ 40000ms] job 1 yield \"b\"\n"
	              "[ 40000ms] job 1 yield \"c\"\n"
	              "[ 40000ms] job 1 yield \"d\"\n"
	              "[ 40000ms] job 1 job.completed [null,null,null,null]\n");
	sim_close(s);
}

static void given_sleeps_timeouts_and_pauses_when_the_wall_is_set_then_they_do_not_feel_it(
	void **state)
{
	struct sim *s = sim_open();

	(void)state;
	(void)sim_submit(
		s,
		"{\"gather\": ["
		"[{\"sleep\": 30}, {\"yield\": \"slept\"}],"
		"[{\"try\": {\"sleep\": 99, \"timeout\": 20}, \"except\": {\"TimeoutError\":"
		" {\"yield\": \"timed out\"}}}],"
		"{\"do\": [{\"yield\": \"${attempt}\"}, {\"value\": \"${1 // (attempt // 2)}\"}],"
		" \"retry\": {\"attempts\": 2, \"delay\": 10}}]}");
	sim_advance(s, 5 * SEC);
	sim_set_wall(s, HOUR);
	sim_advance(s, 7 * SEC);
	sim_set_wall(s, -2 * HOUR);
	sim_run_until_idle(s);

	sim_expect(s, "[     0ms] job 1 yield 1\n"
	              "[ 10000ms] job 1 yield 2\n"
	              "[ 20000ms] job 1 yield \"timed out\"\n"
	              "[ 30000ms] job 1 yield \"slept\"\n"
	              "[ 30000ms] job 1 job.completed [null,null,1]\n");
	sim_close(s);
}

static void given_a_start_at_when_the_wall_is_set_then_the_job_starts_by_the_wall(void **state)
{
	struct sim *s = sim_open();

	(void)state;
	s->has_job_lines = true;
	(void)sim_submit_at(s, "{\"sleep\": 1}", SIM_EPOCH + 600 * SEC);
	(void)sim_submit_at(s, "{\"sleep\": 1}", SIM_EPOCH + 9000 * SEC);
	sim_advance(s, 60 * SEC);
	sim_set_wall(s, HOUR);
	sim_run_until_idle(s);

	sim_expect(s, "[ 60000ms] job 1 job.started\n"
	              "[ 61000ms] job 1 job.completed null\n"
	              "[5400000ms] job 2 job.started\n"
	              "[5401000ms] job 2 job.completed null\n");
	sim_close(s);
}

static void given_a_start_at_when_cancelled_before_then_it_ends_at_that_moment(void **state)
{
	struct sim *s = sim_open();

	(void)state;
	uint64_t job = sim_submit_at(s, "{\"sleep\": 1}", SIM_EPOCH + 600 * SEC);

	sim_advance(s, 60 * SEC);
	sim_cancel(s, job, "");

	sim_expect(s, "[ 60000ms] job 1 job.cancelled {\"type\":\"CancelledError\",\"message\":"
	              "\"\",\"path\":\"\"}\n");
	sim_close(s);
}

static void given_a_wait_for_the_wall_when_its_stack_is_asked_for_then_it_shows_the_wall(
	void **state)
{
	struct sim *s = sim_open();
	struct buf  b = { 0 };

	(void)state;
	uint64_t job = sim_submit(s, WAIT);

	sim_set_wall(s, 100 * SEC);
	assert_true(engine_write_stack(s->engine, job, 1, &b, NULL, NULL));
	buf_add_byte(&b, '\0');

	assert_non_null(strstr(b.at, "\"until\":1700000600.0"));
	buf_close(&b);
	sim_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_a_wall_set_forward_over_the_time_when_waited_for_then_it_fires_at_once),
		cmocka_unit_test(
			given_a_wall_set_forward_a_little_when_waited_for_then_it_fires_when_it_shows_it),
		cmocka_unit_test(given_a_wall_set_back_when_waited_for_then_it_fires_so_much_later),
		cmocka_unit_test(
			given_a_wall_set_back_and_forward_again_when_waited_for_then_nothing_has_changed),
		cmocka_unit_test(
			given_a_time_that_was_on_the_wall_before_when_set_back_then_it_does_not_fire_twice),
		cmocka_unit_test(
			given_waits_for_the_same_time_when_the_wall_is_set_then_they_keep_their_order),
		cmocka_unit_test(
			given_sleeps_timeouts_and_pauses_when_the_wall_is_set_then_they_do_not_feel_it),
		cmocka_unit_test(
			given_a_start_at_when_the_wall_is_set_then_the_job_starts_by_the_wall),
		cmocka_unit_test(
			given_a_start_at_when_cancelled_before_then_it_ends_at_that_moment),
		cmocka_unit_test(
			given_a_wait_for_the_wall_when_its_stack_is_asked_for_then_it_shows_the_wall),
	};

	return cmocka_run_group_tests_name("wall", tests, NULL, NULL);
}
