/* The stopwatch of a loop: what it keeps of the laps and the turns. */
#include "daemon/run/stopwatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <time.h>

#define MSEC (GD_NSEC_PER_SEC / 1000)

/* Uses the processor for so long. */
static void work(gd_nsec nsec)
{
	struct timespec t;
	gd_nsec         now, end = 0;

	do {
		assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
		now = (gd_nsec)t.tv_sec * GD_NSEC_PER_SEC + t.tv_nsec;
		end = end == 0 ? now + nsec : end;
	} while (now < end);
}

static void given_no_turn_then_there_is_no_longest(void **state)
{
	struct stopwatch w = { 0 };

	(void)state;
	stopwatch_end(&w); /* a turn in which nothing was done */

	assert_int_equal(stopwatch_longest_lap(&w).what, DOING_NOTHING);
	assert_int_equal(stopwatch_longest_lap(&w).took, 0);
	assert_int_equal(stopwatch_longest_turn(&w), 0);
}

static void given_laps_then_the_longest_is_told_with_its_name(void **state)
{
	struct stopwatch     w = { 0 };
	struct stopwatch_lap longest;

	(void)state;
	stopwatch_begin(&w, DOING_SOCKET);
	work(MSEC);
	stopwatch_begin(&w, DOING_ENGINE);
	work(8 * MSEC);
	stopwatch_begin(&w, DOING_REPLIES);
	stopwatch_end(&w);
	stopwatch_begin(&w, DOING_MESSAGE);
	work(MSEC);
	stopwatch_end(&w);

	longest = stopwatch_longest_lap(&w);
	assert_int_equal(longest.what, DOING_ENGINE);
	assert_true(longest.took >= 8 * MSEC);
	assert_true(stopwatch_longest_turn(&w) >= 9 * MSEC);
}

static void given_a_wait_between_turns_then_it_belongs_to_none(void **state)
{
	struct stopwatch w = { 0 };

	(void)state;
	stopwatch_begin(&w, DOING_TIMER);
	stopwatch_end(&w);
	work(8 * MSEC);
	stopwatch_begin(&w, DOING_RUNNER);
	stopwatch_end(&w);

	assert_true(stopwatch_longest_lap(&w).took < 8 * MSEC);
	assert_true(stopwatch_longest_lap(&w).took <= stopwatch_longest_turn(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_no_turn_then_there_is_no_longest),
		cmocka_unit_test(given_laps_then_the_longest_is_told_with_its_name),
		cmocka_unit_test(given_a_wait_between_turns_then_it_belongs_to_none),
	};

	return cmocka_run_group_tests_name("stopwatch", tests, NULL, NULL);
}
