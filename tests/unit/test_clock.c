/*
 * The time scale, with clocks that the tests turn. E1 to E7 are the faults of that name: a step
 * while up, forward and back; a wall that is wrong at boot; one that jumps while the host is down;
 * a suspend; a leap second and a slew.
 */
#include "daemon/run/clock.h"

#include "daemon/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC GD_NSEC_PER_SEC
#define HOUR (3600 * SEC)
#define YEAR (365 * 24 * HOUR)
#define T0 (INT64_C(1700000000) * SEC) /* on the wall, at first */

/* A host: its clocks stand still unless a test turns them. */
struct host {
	gd_nsec             boot;
	gd_nsec             wall;
	gd_nsec             late; /* so long is each reading interrupted before it reads the wall */
	const char         *boot_id;
	struct clock       *clock; /* of the daemon that runs */
	struct clock_hand   hand[2];
	struct store_clock  stored;
	struct gd_wall_step steps[8];
};

static gd_nsec host_boot(void *ctx)
{
	return ((struct host *)ctx)->boot;
}

static gd_nsec host_wall(void *ctx)
{
	struct host *h = ctx;

	h->boot += h->late;
	h->wall += h->late;
	h->late = 0;
	return h->wall;
}

static void host_boot_id(void *ctx, char out[STORE_BOOT_CHARS + 1])
{
	(void)snprintf(out, STORE_BOOT_CHARS + 1, "%s", ((struct host *)ctx)->boot_id);
}

static void pass(struct host *h, gd_nsec time)
{
	h->boot += time;
	h->wall += time;
}

static gd_nsec now(struct host *h, uint32_t hand)
{
	return clock_now(h->clock, &h->hand[hand]);
}

/* What the daemon believes that the wall shows. */
static gd_nsec believed(struct host *h)
{
	gd_nsec  time = now(h, 0);
	gd_nsec  ahead = clock_step(h->clock, 0).ahead;
	uint32_t count = clock_step_count(h->clock);

	for (uint32_t i = 0; i < count && clock_step(h->clock, i).at <= time; i++)
		ahead = clock_step(h->clock, i).ahead;
	return time + ahead;
}

static struct gd_wall_step last_step(struct host *h)
{
	return clock_step(h->clock, clock_step_count(h->clock) - 1);
}

static void start(struct host *h)
{
	const struct clock_source source = { host_boot, host_wall, host_boot_id, h };
	struct store_clock        next;

	assert_int_equal(clock_open(&source, &h->clock, NULL), GD_OK);
	for (uint32_t i = 0; i < 2; i++) {
		h->hand[i] = (struct clock_hand){ 0 };
		clock_add_hand(h->clock, &h->hand[i]);
	}
	assert_int_equal(clock_start(h->clock, &h->stored, &next, NULL), GD_OK);
	assert_true(next.step_count <= sizeof h->steps / sizeof h->steps[0]);
	memcpy(h->steps, next.steps, next.step_count * sizeof *next.steps);
	h->stored = next;
	h->stored.steps = h->steps;
}

/* The daemon ends; its last commit was now. */
static void stop(struct host *h)
{
	gd_nsec latest = now(h, 0);

	h->stored.step_count = clock_step_count(h->clock);
	for (uint32_t i = 0; i < h->stored.step_count; i++)
		h->steps[i] = clock_step(h->clock, i);
	if (latest > h->stored.horizon)
		h->stored.horizon = latest + STORE_HORIZON_NSEC;
	clock_close(h->clock);
}

/* Of the host; the wall goes on by its own clock. */
static void reboot(struct host *h, gd_nsec down)
{
	h->boot = 5 * SEC;
	h->wall += down;
	h->boot_id = "00000000-0000-4000-8000-000000000002";
}

static int setup(void **state)
{
	struct host *h = calloc(1, sizeof *h);

	if (h == NULL)
		return -1;
	*h = (struct host){ .boot = 100 * SEC,
		            .wall = T0,
		            .boot_id = "00000000-0000-4000-8000-000000000001" };
	h->steps[0] = (struct gd_wall_step){ 0, 0 };
	h->stored.steps = h->steps;
	h->stored.step_count = 1;
	start(h);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	clock_close(((struct host *)*state)->clock);
	free(*state);
	return 0;
}

static void given_a_new_database_when_started_then_the_scale_begins_as_the_wall(void **state)
{
	struct host *h = *state;

	assert_int_equal(now(h, 0), T0);
	pass(h, SEC);
	assert_int_equal(now(h, 1), T0 + SEC);
	assert_int_equal(clock_step_count(h->clock), 1);
}

static void E1_given_a_step_forward_while_up_then_only_the_wall_goes_with_it(void **state)
{
	struct host *h = *state;

	assert_int_equal(now(h, 0), T0);
	pass(h, SEC);
	h->wall += HOUR;

	assert_int_equal(now(h, 0), T0 + SEC);
	assert_int_equal(clock_step_count(h->clock), 2);
	assert_int_equal(believed(h), T0 + SEC + HOUR);
	assert_int_equal(now(h, 1), T0 + SEC);
	assert_int_equal(clock_step_count(h->clock), 2);
}

static void E2_given_a_step_back_while_up_then_only_the_wall_goes_with_it(void **state)
{
	struct host *h = *state;

	assert_int_equal(now(h, 0), T0);
	pass(h, SEC);
	h->wall -= HOUR;

	assert_int_equal(now(h, 0), T0 + SEC);
	assert_int_equal(believed(h), T0 + SEC - HOUR);
}

static void given_two_loops_when_the_wall_is_set_then_the_step_is_after_all_they_were_given(
	void **state)
{
	struct host *h = *state;

	assert_int_equal(now(h, 0), T0);
	pass(h, SEC);
	assert_int_equal(now(h, 1), T0 + SEC);
	pass(h, HOUR);
	h->wall -= HOUR;

	(void)now(h, 0);

	/* Nobody has looked for an hour: what was due in it goes by the new wall. */
	assert_int_equal(last_step(h).at, T0 + SEC + 1);
	assert_int_equal(last_step(h).ahead, -HOUR);
}

static void given_steps_one_upon_the_other_then_each_is_later_than_the_one_before(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 5; i++) {
		h->wall += SEC;
		(void)now(h, 0);
	}

	assert_int_equal(clock_step_count(h->clock), 6);
	for (uint32_t i = 1; i < 6; i++)
		assert_true(clock_step(h->clock, i).at > clock_step(h->clock, i - 1).at);
	assert_int_equal(last_step(h).ahead, 5 * SEC);
}

static void E3_given_1970_at_boot_when_it_is_put_right_then_no_sleep_became_longer_than_it_was(
	void **state)
{
	struct host *h = *state;
	gd_nsec      due = now(h, 0) + HOUR;

	pass(h, 600 * SEC);
	stop(h);
	reboot(h, 60 * SEC);
	h->wall = 30 * SEC; /* no battery */
	start(h);

	assert_true(now(h, 0) > h->stored.horizon);
	assert_true(due - now(h, 0) <= HOUR - 600 * SEC);
	/* After a second NTP puts it right. */
	pass(h, SEC);
	h->wall = T0 + 661 * SEC;
	assert_int_equal(believed(h), T0 + 661 * SEC);
	assert_true(due - now(h, 0) <= HOUR - 601 * SEC);
}

static void E4_given_ten_years_while_the_host_was_down_then_they_count(void **state)
{
	struct host *h = *state;
	gd_nsec      before = now(h, 0);

	stop(h);
	reboot(h, 10 * YEAR);
	start(h);

	assert_int_equal(now(h, 0), before + 10 * YEAR);
	assert_int_equal(believed(h), T0 + 10 * YEAR);
}

static void E5_given_a_suspend_then_its_time_counts(void **state)
{
	struct host *h = *state;
	gd_nsec      before = now(h, 0);

	pass(h, 8 * HOUR);

	assert_int_equal(now(h, 0), before + 8 * HOUR);
	assert_int_equal(clock_step_count(h->clock), 1);
}

static void E7_given_a_leap_second_then_it_is_a_step_like_others(void **state)
{
	struct host *h = *state;
	gd_nsec      before = now(h, 0);

	pass(h, SEC);
	h->wall -= SEC;

	assert_int_equal(now(h, 0), before + SEC);
	assert_int_equal(believed(h), T0);
}

static void E7_given_a_slew_then_both_clocks_go_with_it(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 1000; i++) {
		pass(h, SEC + SEC / 2000); /* 500 ppm */
		(void)now(h, 0);
	}

	assert_int_equal(clock_step_count(h->clock), 1);
}

static void given_a_reading_that_is_interrupted_then_the_wall_was_not_set(void **state)
{
	struct host *h = *state;

	h->late = SEC;
	(void)now(h, 0);
	h->late = SEC;
	(void)now(h, 1);

	assert_int_equal(clock_step_count(h->clock), 1);
}

static void given_a_restart_in_the_same_boot_then_the_scale_goes_on_as_if_nothing_had_been(
	void **state)
{
	struct host *h = *state;

	pass(h, SEC);
	stop(h);
	pass(h, 5 * SEC);
	start(h);

	assert_int_equal(now(h, 0), T0 + 6 * SEC);
	assert_int_equal(clock_step_count(h->clock), 1);
}

static void given_a_step_while_the_daemon_was_down_then_the_scale_does_not_feel_it(void **state)
{
	struct host *h = *state;

	pass(h, SEC);
	stop(h);
	pass(h, 5 * SEC);
	h->wall += HOUR;
	start(h);

	assert_int_equal(now(h, 0), T0 + 6 * SEC);
	assert_int_equal(believed(h), T0 + 6 * SEC + HOUR);
	/* It counts from the first moment that is certainly not stored. */
	assert_int_equal(last_step(h).at, T0 + SEC + STORE_HORIZON_NSEC + 1);
}

static void given_a_quick_restart_and_a_step_then_it_counts_from_the_start(void **state)
{
	struct host *h = *state;

	(void)now(h, 0);
	stop(h);
	pass(h, 1000);
	h->wall -= HOUR;
	start(h);

	assert_int_equal(last_step(h).at, T0 + 1000);
	assert_int_equal(now(h, 0), T0 + 1000);
	assert_int_equal(believed(h), T0 + 1000 - HOUR);
}

static void given_a_reboot_then_the_time_in_between_counts_by_the_wall(void **state)
{
	struct host *h = *state;

	(void)now(h, 0);
	h->wall += HOUR; /* set before, so that the wall is ahead */
	pass(h, SEC);
	stop(h);
	reboot(h, 90 * SEC);
	start(h);

	assert_int_equal(now(h, 0), T0 + 91 * SEC);
	assert_int_equal(believed(h), T0 + 91 * SEC + HOUR);
	assert_int_equal(clock_step_count(h->clock), 2);
}

static void given_a_wall_that_went_back_over_a_reboot_then_time_goes_on_from_what_is_stored(
	void **state)
{
	struct host *h = *state;

	pass(h, SEC);
	stop(h);
	reboot(h, -HOUR);
	start(h);

	assert_int_equal(now(h, 0), T0 + SEC + STORE_HORIZON_NSEC + 1);
	pass(h, SEC);
	assert_int_equal(now(h, 0), T0 + 2 * SEC + STORE_HORIZON_NSEC + 1);
	assert_int_equal(believed(h), T0 + 2 * SEC - HOUR);
}

static void given_a_boot_clock_that_is_behind_what_is_stored_then_it_counts_as_another_boot(
	void **state)
{
	struct host *h = *state;

	pass(h, HOUR);
	stop(h);
	h->boot -= HOUR / 2; /* another namespace, with the same boot */
	start(h);

	assert_true(now(h, 0) >= T0 + HOUR);
}

static void given_a_host_that_does_not_say_which_boot_it_is_then_each_start_is_a_reboot(
	void **state)
{
	struct host *h = *state;

	stop(h);
	h->boot_id = "";
	h->stored.boot[0] = '\0';
	pass(h, SEC);
	h->wall += HOUR;
	start(h);

	assert_int_equal(now(h, 0), T0 + SEC + HOUR);
	assert_int_equal(clock_step_count(h->clock), 1);
}

static void given_a_moment_of_another_loop_then_this_one_goes_there(void **state)
{
	struct host *h = *state;

	(void)now(h, 0);

	clock_reach(&h->hand[0], T0 + 50);

	assert_int_equal(now(h, 0), T0 + 50);
	pass(h, 51);
	assert_int_equal(now(h, 0), T0 + 51);
}

static void given_as_many_steps_as_there_may_be_then_the_wall_is_followed_no_more(void **state)
{
	struct host *h = *state;

	for (uint32_t i = 0; i < CLOCK_STEPS_MAX + 10; i++) {
		pass(h, SEC);
		h->wall += SEC;
		(void)now(h, 0);
	}

	assert_int_equal(clock_step_count(h->clock), CLOCK_STEPS_MAX);
	assert_int_equal(now(h, 0), T0 + (CLOCK_STEPS_MAX + 10) * SEC);
}

#define CLOCK_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLOCK_TEST(given_a_new_database_when_started_then_the_scale_begins_as_the_wall),
		CLOCK_TEST(E1_given_a_step_forward_while_up_then_only_the_wall_goes_with_it),
		CLOCK_TEST(E2_given_a_step_back_while_up_then_only_the_wall_goes_with_it),
		CLOCK_TEST(
			given_two_loops_when_the_wall_is_set_then_the_step_is_after_all_they_were_given),
		CLOCK_TEST(given_steps_one_upon_the_other_then_each_is_later_than_the_one_before),
		CLOCK_TEST(
			E3_given_1970_at_boot_when_it_is_put_right_then_no_sleep_became_longer_than_it_was),
		CLOCK_TEST(E4_given_ten_years_while_the_host_was_down_then_they_count),
		CLOCK_TEST(E5_given_a_suspend_then_its_time_counts),
		CLOCK_TEST(E7_given_a_leap_second_then_it_is_a_step_like_others),
		CLOCK_TEST(E7_given_a_slew_then_both_clocks_go_with_it),
		CLOCK_TEST(given_a_reading_that_is_interrupted_then_the_wall_was_not_set),
		CLOCK_TEST(
			given_a_restart_in_the_same_boot_then_the_scale_goes_on_as_if_nothing_had_been),
		CLOCK_TEST(given_a_step_while_the_daemon_was_down_then_the_scale_does_not_feel_it),
		CLOCK_TEST(given_a_quick_restart_and_a_step_then_it_counts_from_the_start),
		CLOCK_TEST(given_a_reboot_then_the_time_in_between_counts_by_the_wall),
		CLOCK_TEST(
			given_a_wall_that_went_back_over_a_reboot_then_time_goes_on_from_what_is_stored),
		CLOCK_TEST(
			given_a_boot_clock_that_is_behind_what_is_stored_then_it_counts_as_another_boot),
		CLOCK_TEST(
			given_a_host_that_does_not_say_which_boot_it_is_then_each_start_is_a_reboot),
		CLOCK_TEST(given_a_moment_of_another_loop_then_this_one_goes_there),
		CLOCK_TEST(given_as_many_steps_as_there_may_be_then_the_wall_is_followed_no_more),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
