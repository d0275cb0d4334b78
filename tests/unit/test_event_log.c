/* The log of events: what leaves, and what a cursor is told. */
#include "tests/lib/live_walk.h"
#include "tests/lib/retention_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define BODY_BYTES 60000u /* with this an event is nearly a chunk */

static const struct store_retention an_hour = { .jobs_age = HOUR };
static const struct store_retention events_an_hour = { .events_age = HOUR };

/* An event of a size that makes the next one begin another chunk. */
static void commit_large_event(struct fixture *f, uint64_t job, uint32_t ordinal)
{
	struct store_group *g = store_group_new(0);
	char               *body = malloc(BODY_BYTES + 1);

	assert_non_null(body);
	memset(body, 'x', BODY_BYTES);
	body[BODY_BYTES] = '\0';
	(void)fixture_add_event(g, job, ordinal, EVENT_YIELD, body);
	(void)fixture_commit_here(f, g);
	free(body);
}

static void given_an_expired_job_then_its_events_stay_in_the_log_for_everybody(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *r = fixture_ask(READ_EVENTS, 0);

	fixture_open_bounded(f, &an_hour);
	fixture_add_ended(g, 1, 0)->labels = fixture_text("[\"a\"]");
	(void)fixture_add_ended(g, 2, 0);
	(void)fixture_commit_here(f, g);
	fixture_now += HOUR;
	(void)fixture_settle(f);
	assert_false(fixture_is_there(f, 1));

	fixture_expect_events(f, 0, 0, false, 4);
	fixture_expect_events(f, 1, 0, false, 2);
	r->label_filter = fixture_text("a");
	r->owner_filter = fixture_text("uid:1");
	read_answer(f->store, r);
	assert_int_equal(r->event_count, 2);
	store_read_free(r);
}

static void given_the_owner_of_an_expired_job_then_its_events_are_still_for_nobody_else(
	void **state)
{
	struct fixture    *f = *state;
	struct store_read *r = fixture_ask(READ_EVENTS, 0);

	fixture_open_bounded(f, &an_hour);
	fixture_commit_ended(f, 1, 0);
	fixture_now += HOUR;
	(void)fixture_settle(f);

	r->owner_filter = fixture_text("uid:2");
	read_answer(f->store, r);

	assert_int_equal(r->event_count, 0);
	store_read_free(r);
}

static void given_old_events_when_their_time_has_come_then_a_cursor_before_them_is_expired(
	void **state)
{
	struct fixture    *f = *state;
	struct store_read *r;

	fixture_open_bounded(f, &events_an_hour);
	fixture_commit_ended(f, 1, 0); /* 1 and 2 */
	fixture_now += HOUR / 2;
	fixture_commit_ended(f, 2, 0); /* 3 and 4 */

	fixture_now += HOUR / 2 - 1;
	(void)fixture_settle(f);
	fixture_expect_events(f, 0, 0, false, 4);

	fixture_now += 1;
	(void)fixture_settle(f);
	fixture_expect_events(f, 0, 0, true, 0);
	fixture_expect_events(f, 0, 1, true, 0);
	fixture_expect_events(f, 0, 2, false, 2);
	r = fixture_read_here(f, 0, 0);
	assert_int_equal(r->oldest, 3);
	store_read_free(r);
	assert_true(fixture_is_there(f, 1));
}

/* The jobs 1 and 2; the events of the first, 1 and 2, have left the log. */
static void commit_an_hour_apart(struct fixture *f)
{
	fixture_open_bounded(f, &events_an_hour);
	fixture_commit_ended(f, 1, 0);
	fixture_now += HOUR;
	fixture_commit_ended(f, 2, 0);
	(void)fixture_settle(f);
}

static void given_a_restart_then_an_expired_cursor_is_expired_and_a_good_one_goes_on(void **state)
{
	struct fixture *f = *state;

	commit_an_hour_apart(f);

	fixture_open_again(f, &events_an_hour);
	fixture_expect_events(f, 0, 0, true, 0);
	fixture_expect_events(f, 0, 2, false, 2);

	fixture_now += HOUR;
	(void)fixture_settle(f);
	fixture_open_again(f, &events_an_hour);
	fixture_expect_events(f, 0, 3, true, 0);
	fixture_expect_events(f, 0, 4, false, 0);
	assert_int_equal(store_seq(f->store), 4);
}

static void given_one_job_is_asked_for_then_only_the_loss_of_its_own_events_counts(void **state)
{
	struct fixture *f = *state;

	commit_an_hour_apart(f);

	fixture_expect_events(f, 1, 0, true, 0);
	fixture_expect_events(f, 2, 0, false, 2);
}

static void given_a_clock_that_goes_back_then_no_event_leaves_early(void **state)
{
	struct fixture *f = *state;

	fixture_open_bounded(f, &events_an_hour);
	fixture_commit_ended(f, 1, 0);
	fixture_now -= HOUR / 2;
	fixture_commit_ended(f, 2, 0);

	fixture_now += HOUR + HOUR / 2 - 1;
	(void)fixture_settle(f);
	fixture_expect_events(f, 0, 0, false, 4);

	fixture_now += 1;
	(void)fixture_settle(f);
	fixture_expect_events(f, 0, 0, true, 0);
	fixture_expect_events(f, 0, 2, false, 2);
}

static void given_too_many_events_then_whole_chunks_leave_and_the_number_is_kept(void **state)
{
	struct fixture              *f = *state;
	const struct store_retention bounds = { .events_max = 5 };
	struct store_group          *g = store_group_new(0);

	fixture_open_bounded(f, &bounds);
	(void)fixture_add_whole_job(g, 1, JOB_RUNNING);
	(void)fixture_commit_here(f, g);
	for (uint32_t i = 1; i <= 9; i++)
		commit_large_event(f, 1, i);

	(void)fixture_settle(f);

	fixture_expect_events(f, 0, 4, true, 0);
	fixture_expect_events(f, 0, 5, false, 5);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM event_chunks"), 5);
}

static void given_a_long_log_when_it_leaves_then_a_slice_takes_a_part(void **state)
{
	struct fixture              *f = *state;
	const struct store_retention all = { 0 };
	const struct store_retention none = { .events_max = 1 };
	struct store_group          *g = store_group_new(0);

	fixture_open_bounded(f, &all);
	(void)fixture_add_whole_job(g, 1, JOB_RUNNING);
	(void)fixture_commit_here(f, g);
	for (uint32_t i = 1; i <= 25; i++)
		commit_large_event(f, 1, i);
	store_retain(f->store, &none);

	upkeep_when_idle(f->store);

	assert_in_range(fixture_number(f, "SELECT count(*) FROM event_chunks"), 10, 20);
	assert_in_range(fixture_settle(f), 1, 4);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM event_chunks"), 1);
}

struct found {
	uint64_t job;
	uint32_t ordinal;
	uint32_t count;
};

static enum gd_err on_live(void *ctx, const struct store_job *job, uint32_t last_ordinal,
                           const struct store_input *inputs, uint32_t input_count,
                           struct gd_error *why)
{
	struct found *found = ctx;

	(void)inputs;
	(void)input_count;
	(void)why;
	found->job = job->id;
	found->ordinal = last_ordinal;
	found->count++;
	return GD_OK;
}

static void given_a_live_job_whose_events_have_expired_then_a_restart_knows_the_last(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct found        found = { 0 };

	fixture_open_bounded(f, &events_an_hour);
	(void)fixture_add_whole_job(g, 1, JOB_RUNNING);
	(void)fixture_commit_here(f, g);
	for (uint32_t i = 1; i <= 7; i++)
		commit_large_event(f, 1, i);
	fixture_now += HOUR / 1000;
	(void)fixture_settle(f); /* also an idle daemon knows how old they are */
	fixture_now += HOUR;
	fixture_commit_ended(f, 2, 0);
	(void)fixture_settle(f);
	fixture_expect_events(f, 1, 0, true, 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM job_chunks"), 0);

	fixture_open_again(f, &events_an_hour);
	assert_int_equal(live_walk(f->store, on_live, &found, NULL), GD_OK);

	assert_int_equal(found.count, 1);
	assert_int_equal(found.job, 1);
	assert_int_equal(found.ordinal, 7);
}

static void given_a_job_that_lives_on_then_its_newer_events_count_after_a_restart(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct found        found = { 0 };

	fixture_open_bounded(f, &events_an_hour);
	(void)fixture_add_whole_job(g, 1, JOB_RUNNING);
	(void)fixture_commit_here(f, g);
	commit_large_event(f, 1, 1);
	fixture_now += HOUR;
	commit_large_event(f, 1, 2);
	(void)fixture_settle(f);

	fixture_open_again(f, &events_an_hour);
	assert_int_equal(live_walk(f->store, on_live, &found, NULL), GD_OK);
	assert_int_equal(found.ordinal, 2);
	fixture_expect_events(f, 1, 2, false, 1);
}

static void given_the_events_of_an_expired_job_leave_then_nothing_of_it_is_left(void **state)
{
	struct fixture              *f = *state;
	const struct store_retention bounds = { .jobs_age = HOUR, .events_age = 2 * HOUR };
	struct store_read           *r;

	fixture_open_bounded(f, &bounds);
	fixture_commit_ended(f, 1, 0);
	fixture_now += HOUR;
	(void)fixture_settle(f);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM ghosts"), 1);

	fixture_now += HOUR;
	(void)fixture_settle(f);

	assert_int_equal(fixture_number(f, "SELECT (SELECT count(*) FROM ghosts) +"
	                                   " (SELECT count(*) FROM event_chunks) +"
	                                   " (SELECT count(*) FROM event_marks)"),
	                 0);
	r = fixture_read_here(f, 1, 0);
	assert_int_equal(r->outcome, GD_NOT_FOUND);
	store_read_free(r);
}

static void given_a_job_is_deleted_after_its_first_events_expired_then_the_rest_goes(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);

	fixture_open_bounded(f, &events_an_hour);
	(void)fixture_add_whole_job(g, 1, JOB_RUNNING);
	(void)fixture_commit_here(f, g);
	fixture_now += HOUR;
	g = store_group_new(0);
	fixture_add_end(g, 1, JOB_COMPLETED)->u.change.time = fixture_now;
	(void)fixture_add_event(g, 1, 1, EVENT_JOB_COMPLETED, "ended");
	(void)fixture_commit_here(f, g);
	(void)fixture_settle(f);

	g = store_group_new(0);
	(void)store_group_add(g, RECORD_DELETE, 1);
	(void)fixture_commit_here(f, g);

	assert_false(fixture_is_there(f, 1));
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM event_chunks"), 0);
}

#define EVENT_LOG_TEST(test) \
	cmocka_unit_test_setup_teardown(test, fixture_setup_clock, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVENT_LOG_TEST(given_an_expired_job_then_its_events_stay_in_the_log_for_everybody),
		EVENT_LOG_TEST(
			given_the_owner_of_an_expired_job_then_its_events_are_still_for_nobody_else),
		EVENT_LOG_TEST(
			given_old_events_when_their_time_has_come_then_a_cursor_before_them_is_expired),
		EVENT_LOG_TEST(
			given_a_restart_then_an_expired_cursor_is_expired_and_a_good_one_goes_on),
		EVENT_LOG_TEST(
			given_one_job_is_asked_for_then_only_the_loss_of_its_own_events_counts),
		EVENT_LOG_TEST(given_a_clock_that_goes_back_then_no_event_leaves_early),
		EVENT_LOG_TEST(
			given_too_many_events_then_whole_chunks_leave_and_the_number_is_kept),
		EVENT_LOG_TEST(given_a_long_log_when_it_leaves_then_a_slice_takes_a_part),
		EVENT_LOG_TEST(
			given_a_live_job_whose_events_have_expired_then_a_restart_knows_the_last),
		EVENT_LOG_TEST(
			given_a_job_that_lives_on_then_its_newer_events_count_after_a_restart),
		EVENT_LOG_TEST(given_the_events_of_an_expired_job_leave_then_nothing_of_it_is_left),
		EVENT_LOG_TEST(
			given_a_job_is_deleted_after_its_first_events_expired_then_the_rest_goes),
	};

	return cmocka_run_group_tests_name("event_log", tests, NULL, NULL);
}
