#include "daemon/engine/wall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void add(struct wall *w, gd_nsec at, gd_nsec ahead)
{
	assert_true(wall_reserve(w));
	wall_add(w, (struct gd_wall_step){ at, ahead });
}

/* Ahead by 0, from 100 on by 50, from 200 on by -30. */
static struct wall stepped(void)
{
	struct wall w = { 0 };

	add(&w, 0, 0);
	add(&w, 100, 50);
	add(&w, 200, -30);
	return w;
}

static void given_no_steps_then_the_wall_shows_the_time(void **state)
{
	struct wall w = { 0 };

	(void)state;
	assert_int_equal(wall_of(&w, 1234), 1234);
	assert_int_equal(wall_due(&w, 10, 1234), 1234);
	assert_int_equal(wall_due(&w, 2000, 1234), 2000);
	wall_close(&w);
}

static void given_steps_then_each_counts_from_its_moment_on(void **state)
{
	struct wall w = stepped();

	(void)state;
	assert_int_equal(wall_of(&w, -5), -5);
	assert_int_equal(wall_of(&w, 99), 99);
	assert_int_equal(wall_of(&w, 100), 150);
	assert_int_equal(wall_of(&w, 199), 249);
	assert_int_equal(wall_of(&w, 200), 170);
	wall_close(&w);
}

static void given_one_step_then_it_counts_for_all_before_as_well(void **state)
{
	struct wall w = { 0 };

	(void)state;
	add(&w, 100, 7);
	assert_int_equal(wall_of(&w, 3), 10);
	assert_int_equal(wall_due(&w, 3, 50), 43);
	wall_close(&w);
}

static void given_a_moment_then_it_is_due_when_the_wall_first_shows_it(void **state)
{
	struct wall w = stepped();

	(void)state;
	assert_int_equal(wall_due(&w, 0, 80), 80);     /* before any step */
	assert_int_equal(wall_due(&w, 0, 120), 100);   /* the step jumps over it */
	assert_int_equal(wall_due(&w, 0, 240), 190);   /* while it is ahead */
	assert_int_equal(wall_due(&w, 0, 250), 280);   /* not shown before the step back */
	assert_int_equal(wall_due(&w, 195, 240), 195); /* shown already */
	assert_int_equal(wall_due(&w, 200, 240), 270); /* no more */
	wall_close(&w);
}

/* What the function says is what looking at each moment says. */
static void given_any_moments_when_looked_at_one_by_one_then_it_is_the_same(void **state)
{
	struct wall w = stepped();

	(void)state;
	add(&w, 210, 20);
	add(&w, 211, -20);
	for (gd_nsec from = 0; from < 300; from += 3) {
		for (gd_nsec until = -10; until < 330; until++) {
			gd_nsec at = from;

			while (wall_of(&w, at) < until)
				at++;
			assert_int_equal(wall_due(&w, from, until), at);
		}
	}
	wall_close(&w);
}

static void given_moments_out_of_range_then_nothing_overflows(void **state)
{
	struct wall w = { 0 };

	(void)state;
	add(&w, 0, -100);
	assert_int_equal(wall_due(&w, 5, GD_NSEC_NEVER), GD_NSEC_NEVER);
	assert_int_equal(wall_due(&w, 5, GD_NSEC_NEVER - 1), GD_NSEC_NEVER);
	assert_int_equal(wall_of(&w, GD_NSEC_NEVER), GD_NSEC_NEVER);
	add(&w, 10, 100);
	assert_int_equal(wall_due(&w, 20, -GD_NSEC_NEVER), 20);
	assert_int_equal(wall_of(&w, GD_NSEC_NEVER - 1), GD_NSEC_NEVER - 1);
	wall_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_no_steps_then_the_wall_shows_the_time),
		cmocka_unit_test(given_steps_then_each_counts_from_its_moment_on),
		cmocka_unit_test(given_one_step_then_it_counts_for_all_before_as_well),
		cmocka_unit_test(given_a_moment_then_it_is_due_when_the_wall_first_shows_it),
		cmocka_unit_test(given_any_moments_when_looked_at_one_by_one_then_it_is_the_same),
		cmocka_unit_test(given_moments_out_of_range_then_nothing_overflows),
	};

	return cmocka_run_group_tests_name("wall", tests, NULL, NULL);
}
