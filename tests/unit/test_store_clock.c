/* How the scale of time is kept in the store. */
#include "tests/lib/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MSEC GD_NSEC_PER_MSEC

static void open_only(struct fixture *f)
{
	struct gd_error why = { 0 };

	if (fixture_try_open(f, &why) != GD_OK)
		fail_msg("%s", why.text);
}

static void commit_at(struct fixture *f, uint64_t job, gd_nsec latest)
{
	struct store_group *g = store_group_new(0);

	(void)fixture_add_whole_job(g, job, JOB_RUNNING);
	g->latest = latest;
	(void)fixture_commit(f, g);
}

static void commit_step(struct fixture *f, gd_nsec at, gd_nsec ahead)
{
	struct store_group *g = store_group_new(0);
	struct record      *r = store_group_add(g, RECORD_CLOCK_STEP, 0);

	assert_non_null(r);
	r->u.clock_step = (struct gd_wall_step){ at, ahead };
	(void)fixture_commit(f, g);
}

static void given_a_new_database_then_its_wall_is_not_ahead_and_no_boot_is_known(void **state)
{
	struct fixture           *f = *state;
	const struct store_clock *c;

	open_only(f);
	c = store_clock(f->store);

	assert_string_equal(c->boot, "");
	assert_int_equal(c->horizon, 0);
	assert_int_equal(c->step_count, 1);
	assert_int_equal(c->steps[0].at, 0);
	assert_int_equal(c->steps[0].ahead, 0);
}

static void given_a_clock_that_was_put_when_opened_again_then_it_is_there(void **state)
{
	struct fixture           *f = *state;
	struct gd_wall_step       steps[2] = { { 0, 0 }, { 7, -5 } };
	struct store_clock        next = { .boot = "00000000-0000-4000-8000-000000000001",
		                           .offset = -42,
		                           .steps = steps,
		                           .step_count = 2 };
	const struct store_clock *c;

	open_only(f);
	assert_int_equal(store_put_clock(f->store, &next, NULL), GD_OK);
	fixture_close(f);
	open_only(f);
	c = store_clock(f->store);

	assert_string_equal(c->boot, next.boot);
	assert_int_equal(c->offset, -42);
	assert_int_equal(c->step_count, 2);
	assert_memory_equal(c->steps, steps, sizeof steps);
}

static void given_commits_when_opened_again_then_none_is_behind_the_horizon(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	for (uint64_t i = 1; i <= 5; i++)
		commit_at(f, i, FIXTURE_T0 + (gd_nsec)i * 40 * MSEC);
	fixture_reopen(f);

	/* 40 ms put it to 140, 160 to 260. */
	assert_int_equal(store_clock(f->store)->horizon,
	                 FIXTURE_T0 + 160 * MSEC + STORE_HORIZON_NSEC);
}

static void given_the_same_step_from_two_loops_then_it_is_there_once(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	commit_step(f, FIXTURE_T0 + 5, 1000);
	commit_step(f, FIXTURE_T0 + 5, 1000);
	commit_step(f, FIXTURE_T0 + 9, -1000);
	fixture_reopen(f);

	assert_int_equal(store_clock(f->store)->step_count, 3);
	assert_int_equal(store_clock(f->store)->steps[1].ahead, 1000);
	assert_int_equal(store_clock(f->store)->steps[2].at, FIXTURE_T0 + 9);
}

static void commit_many_steps(struct fixture *f, gd_nsec from, uint32_t count)
{
	for (uint32_t i = 0; i < count;) {
		struct store_group *g = store_group_new(0);

		for (uint32_t n = 0; n < 10; n++, i++) {
			struct record *r = store_group_add(g, RECORD_CLOCK_STEP, 0);

			assert_non_null(r);
			r->u.clock_step = (struct gd_wall_step){ from + i, i };
		}
		(void)fixture_commit(f, g);
	}
}

static void given_many_steps_older_than_every_job_when_opened_then_one_stands_for_them(void **state)
{
	struct fixture            *f = *state;
	struct store_group        *g = store_group_new(0);
	const struct gd_wall_step *steps;

	fixture_open(f);
	commit_many_steps(f, FIXTURE_T0 - 50, 100);
	fixture_add_whole_job(g, 1, JOB_RUNNING)->submitted = FIXTURE_T0;
	(void)fixture_commit(f, g);
	fixture_reopen(f);

	/* Those at T0 - 50 to T0 - 1 are gone; that at T0 counts for them. */
	steps = store_clock(f->store)->steps;
	assert_int_equal(store_clock(f->store)->step_count, 50);
	assert_int_equal(steps[0].at, FIXTURE_T0);
	assert_int_equal(steps[0].ahead, 50);
}

static void given_many_steps_and_no_job_when_opened_then_the_last_one_is_left(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	commit_many_steps(f, FIXTURE_T0, 90);
	fixture_reopen(f);

	assert_int_equal(store_clock(f->store)->step_count, 1);
	assert_int_equal(store_clock(f->store)->steps[0].ahead, 89);
}

#define FIXTURE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(given_a_new_database_then_its_wall_is_not_ahead_and_no_boot_is_known),
		FIXTURE_TEST(given_a_clock_that_was_put_when_opened_again_then_it_is_there),
		FIXTURE_TEST(given_commits_when_opened_again_then_none_is_behind_the_horizon),
		FIXTURE_TEST(given_the_same_step_from_two_loops_then_it_is_there_once),
		FIXTURE_TEST(
			given_many_steps_older_than_every_job_when_opened_then_one_stands_for_them),
		FIXTURE_TEST(given_many_steps_and_no_job_when_opened_then_the_last_one_is_left),
	};

	return cmocka_run_group_tests_name("store_clock", tests, NULL, NULL);
}
