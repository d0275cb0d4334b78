/* Jobs that have ended, and when they leave. */
#include "tests/lib/fault_vfs.h"
#include "tests/lib/retention_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const struct store_retention an_hour = { .jobs_age = HOUR };

static void given_an_ended_job_when_its_time_has_come_then_it_is_gone_and_not_before(void **state)
{
	struct fixture *f = *state;

	fixture_open_bounded(f, &an_hour);
	fixture_commit_ended(f, 1, 0);

	fixture_now += HOUR - 1;
	assert_int_equal(fixture_settle(f), 0);
	assert_true(fixture_is_there(f, 1));

	fixture_now += 1;
	assert_int_equal(fixture_settle(f), 1);
	assert_false(fixture_is_there(f, 1));
	assert_int_equal(f->store->row.jobs[JOB_COMPLETED], 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM expiry"), 0);
}

static void given_jobs_that_asked_for_a_time_when_it_passes_then_each_has_its_own(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);

	fixture_open_bounded(f, &an_hour);
	(void)fixture_add_ended(g, 1, 2 * HOUR);
	(void)fixture_add_ended(g, 2, 0);
	(void)fixture_add_ended(g, 3, SECOND);
	(void)fixture_commit_here(f, g);

	fixture_now += SECOND;
	(void)fixture_settle(f);
	assert_false(fixture_is_there(f, 3));
	assert_true(fixture_is_there(f, 2));

	fixture_now += HOUR - SECOND;
	(void)fixture_settle(f);
	assert_false(fixture_is_there(f, 2));
	assert_true(fixture_is_there(f, 1));

	fixture_now += HOUR;
	(void)fixture_settle(f);
	assert_false(fixture_is_there(f, 1));
}

static void given_a_job_that_ends_in_a_later_commit_then_its_wish_is_remembered(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);

	fixture_open_bounded(f, &an_hour);
	fixture_add_whole_job(g, 1, JOB_RUNNING)->retain = SECOND;
	(void)fixture_add_whole_job(g, 2, JOB_QUEUED);
	(void)fixture_commit_here(f, g);
	fixture_open_again(f, &an_hour);
	g = store_group_new(0);
	fixture_add_end(g, 1, JOB_FAILED)->u.change.time = fixture_now;
	fixture_add_end(g, 2, JOB_CANCELLED)->u.change.time = fixture_now;
	(void)fixture_commit_here(f, g);

	fixture_now += SECOND;
	(void)fixture_settle(f);

	assert_false(fixture_is_there(f, 1));
	assert_true(fixture_is_there(f, 2));
}

static void given_a_live_job_when_any_time_passes_then_it_is_not_touched(void **state)
{
	struct fixture              *f = *state;
	const struct store_retention tight = { .jobs_age = 1, .jobs_max = 1, .bytes_max = 1 };
	struct store_group          *g = store_group_new(0);

	fixture_open_bounded(f, &tight);
	(void)fixture_add_whole_job(g, 1, JOB_RUNNING);
	(void)fixture_add_whole_job(g, 2, JOB_QUEUED);
	(void)fixture_add_ended(g, 3, 0);
	(void)fixture_commit_here(f, g);

	fixture_now += 1000 * HOUR;
	(void)fixture_settle(f);

	assert_true(fixture_is_there(f, 1));
	assert_true(fixture_is_there(f, 2));
	assert_false(fixture_is_there(f, 3));
}

static void given_jobs_that_ended_one_after_the_other_in_a_commit_then_none_leaves_early(
	void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);

	fixture_open_bounded(f, &an_hour);
	(void)fixture_add_ended(g, 1, 0);
	fixture_now += SECOND;
	(void)fixture_add_ended(g, 2, 0);
	fixture_now -= SECOND / 2;
	(void)fixture_add_ended(g, 3, 0);
	(void)fixture_commit_here(f, g);

	fixture_now += HOUR + SECOND / 2 - 1;
	(void)fixture_settle(f);
	assert_true(fixture_is_there(f, 2));

	fixture_now += 1;
	(void)fixture_settle(f);
	assert_int_equal(f->store->row.jobs[JOB_COMPLETED], 0);
}

static void given_a_list_that_names_a_live_job_then_the_job_stays(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);

	fixture_open_bounded(f, &an_hour);
	(void)fixture_add_whole_job(g, 1, JOB_RUNNING);
	(void)fixture_add_ended(g, 2, SECOND);
	(void)fixture_commit_here(f, g);
	assert_int_equal(db_exec(&f->store->db, "UPDATE expiry SET jobs = '1 77 2 x'", NULL),
	                 GD_OK);

	fixture_now += SECOND;
	(void)fixture_settle(f);

	assert_true(fixture_is_there(f, 1));
	assert_false(fixture_is_there(f, 2));
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM expiry"), 0);
}

static void given_an_expired_job_then_its_key_labels_and_inputs_have_gone_with_it(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_job   *j = fixture_add_ended(g, 1, 0);

	fixture_open_bounded(f, &an_hour);
	j->key = fixture_text("k");
	j->labels = fixture_text("[\"a\",\"b\"]");
	(void)fixture_add_input(g, 1, 1, "input");
	(void)fixture_commit_here(f, g);

	fixture_now += HOUR;
	(void)fixture_settle(f);

	assert_int_equal(fixture_number(f, "SELECT (SELECT count(*) FROM jobs) +"
	                                   " (SELECT count(*) FROM job_keys) +"
	                                   " (SELECT count(*) FROM job_labels) +"
	                                   " (SELECT count(*) FROM inputs) +"
	                                   " (SELECT count(*) FROM job_chunks)"),
	                 0);
	g = store_group_new(0);
	fixture_add_ended(g, 2, 0)->key = fixture_text("k");
	(void)fixture_commit_here(f, g);
	assert_true(fixture_is_there(f, 2));
}

static void given_a_key_until_its_job_expires_then_it_leads_to_that_job(void **state)
{
	struct fixture      *f = *state;
	struct store_group  *g = store_group_new(0);
	struct store_commit *c;

	fixture_open_bounded(f, &an_hour);
	fixture_add_ended(g, 1, 0)->key = fixture_text("k");
	(void)fixture_commit_here(f, g);
	fixture_now += HOUR - 1;
	(void)fixture_settle(f);

	g = store_group_new(0);
	fixture_add_ended(g, 2, 0)->key = fixture_text("k");
	c = fixture_commit_here(f, g);

	assert_int_equal(c->groups->first->existing, 1);
	assert_false(fixture_is_there(f, 2));
}

static void given_a_restart_then_what_was_due_is_still_due(void **state)
{
	struct fixture *f = *state;

	fixture_open_bounded(f, &an_hour);
	fixture_commit_ended(f, 1, 0);
	fixture_commit_ended(f, 2, 10 * HOUR);
	fixture_now += HOUR;

	fixture_open_again(f, &an_hour);

	assert_int_equal(fixture_settle(f), 1);
	assert_false(fixture_is_there(f, 1));
	assert_true(fixture_is_there(f, 2));
	assert_int_equal(retention_wait(f->store), 9 * HOUR);
}

static void given_a_deleted_job_when_its_list_is_due_then_it_is_passed_over(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);

	fixture_open_bounded(f, &an_hour);
	(void)fixture_add_ended(g, 1, 0);
	(void)fixture_add_ended(g, 2, 0);
	(void)fixture_commit_here(f, g);
	g = store_group_new(0);
	(void)store_group_add(g, RECORD_DELETE, 1);
	(void)fixture_commit_here(f, g);

	fixture_now += HOUR;
	(void)fixture_settle(f);

	assert_false(fixture_is_there(f, 2));
	assert_int_equal(f->store->row.jobs[JOB_COMPLETED], 0);
}

static void given_many_jobs_when_they_expire_then_no_slice_takes_more_than_its_share(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	const uint32_t      count = 3 * EXPIRY_LIST_MAX + 1;
	uint64_t            before = count;

	fixture_open_bounded(f, &an_hour);
	for (uint64_t id = 1; id <= count; id++)
		(void)fixture_add_ended(g, id, 0);
	(void)fixture_commit_here(f, g);
	fixture_now += HOUR;

	for (uint32_t slices = 0; slices < 4; slices++) {
		upkeep_when_idle(f->store);
		assert_true(before - f->store->row.jobs[JOB_COMPLETED] <= EXPIRY_LIST_MAX);
		before = f->store->row.jobs[JOB_COMPLETED];
	}

	assert_int_equal(before, 0);
}

static void given_a_job_with_very_many_rows_when_it_expires_then_it_takes_several_slices(
	void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);

	fixture_open_bounded(f, &an_hour);
	(void)fixture_add_ended(g, 1, 0);
	for (uint32_t i = 1; i <= 10000; i++)
		(void)fixture_add_input(g, 1, i, "i");
	(void)fixture_commit_here(f, g);
	fixture_now += HOUR;

	upkeep_when_idle(f->store);
	assert_in_range(fixture_number(f, "SELECT count(*) FROM inputs"), 1, 9999);
	assert_true(fixture_is_there(f, 1));

	assert_in_range(fixture_settle(f), 1, 5);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM inputs"), 0);
	assert_false(fixture_is_there(f, 1));
}

static void given_a_writer_that_is_never_idle_then_expiry_keeps_up_with_it(void **state)
{
	struct fixture              *f = *state;
	const struct store_retention few = { .jobs_max = 100 };

	fixture_open_bounded(f, &few);
	for (uint64_t turn = 0; turn < 40; turn++) {
		struct store_group *g = store_group_new(0);

		for (uint64_t i = 1; i <= 100; i++)
			(void)fixture_add_ended(g, turn * 100 + i, 0);
		(void)fixture_commit_here(f, g);
		upkeep_when_busy(f->store, 300, 0);
	}

	assert_in_range(f->store->row.jobs[JOB_COMPLETED], 100, 400);
	assert_true(fixture_is_there(f, 4000));
	assert_false(fixture_is_there(f, 1));
}

static void given_a_full_disk_when_jobs_expire_then_they_stay_until_there_is_room(void **state)
{
	struct fixture              *f = *state;
	const struct store_retention bounds = { .jobs_age = HOUR, .events_age = HOUR };
	struct store_group          *g = store_group_new(0);

	fixture_open_bounded(f, &bounds);
	for (uint64_t id = 1; id <= 100; id++)
		(void)fixture_add_ended(g, id, 0);
	(void)fixture_commit_here(f, g);
	fixture_now += HOUR;
	fault_vfs_set_room(0);

	for (uint32_t i = 0; i < 3; i++) {
		upkeep_when_idle(f->store);
		assert_int_equal(f->store->failure.code, GD_OK);
		assert_true(retention_is_due(f->store));
		assert_int_equal(f->store->row.jobs[JOB_COMPLETED], 100);
		assert_true(fixture_is_there(f, 1));
		fixture_expect_events(f, 0, 0, false, 200);
	}

	fault_vfs_disarm();
	(void)fixture_settle(f);
	assert_false(fixture_is_there(f, 1));
	assert_int_equal(f->store->row.jobs[JOB_COMPLETED], 0);
	fixture_expect_events(f, 0, 0, true, 0);
	fixture_expect_events(f, 0, 200, false, 0);
}

static void given_a_sync_that_fails_when_jobs_expire_then_nothing_more_is_written(void **state)
{
	struct fixture         *f = *state;
	const struct fault_plan plan = { .op = FAULT_SYNC, .nth = 1 };

	fixture_open_bounded(f, &an_hour);
	fixture_commit_ended(f, 1, 0);
	fixture_now += HOUR;
	fault_vfs_arm(&plan);

	upkeep_when_idle(f->store);

	assert_true(fault_vfs_has_struck());
	assert_int_equal(f->store->failure.code, GD_STORE);
	assert_false(upkeep_is_due(f->store));
	fault_vfs_disarm();
	store_close(f->store);
	fixture_open_bounded(f, &an_hour);
	(void)fixture_settle(f);
	assert_false(fixture_is_there(f, 1));
}

static void given_too_many_ended_jobs_then_those_whose_time_is_nearest_leave(void **state)
{
	struct fixture              *f = *state;
	const struct store_retention three = { .jobs_age = HOUR, .jobs_max = 3 };
	struct store_group          *g = store_group_new(0);

	fixture_open_bounded(f, &three);
	for (uint64_t id = 1; id <= 4; id++)
		(void)fixture_add_ended(g, id, 0);
	(void)fixture_add_ended(g, 5, SECOND);
	(void)fixture_commit_here(f, g);

	(void)fixture_settle(f);

	assert_false(fixture_is_there(f, 5));
	assert_false(fixture_is_there(f, 1));
	for (uint64_t id = 2; id <= 4; id++)
		assert_true(fixture_is_there(f, id));
}

static void given_a_database_that_is_too_large_then_jobs_leave_until_it_fits(void **state)
{
	struct fixture              *f = *state;
	const struct store_retention small = { .bytes_max = 2u << 20 };
	char                        *result = malloc(100001);

	assert_non_null(result);
	memset(result, '7', 100000);
	result[100000] = '\0';
	fixture_open_bounded(f, &small);
	for (uint64_t id = 1; id <= 40; id++) {
		struct store_group *g = store_group_new(0);

		fixture_add_ended(g, id, 0)->result = fixture_text(result);
		(void)fixture_commit_here(f, g);
	}

	(void)fixture_settle(f);

	assert_false(fixture_is_there(f, 1));
	assert_true(fixture_is_there(f, 40));
	assert_in_range(f->store->row.jobs[JOB_COMPLETED], 5, 20);
	free(result);
}

static void given_expired_jobs_then_the_file_shrinks_again_and_the_log_has_a_bound(void **state)
{
	struct fixture *f = *state;
	uint64_t        before;
	char           *result = malloc(1000001);

	assert_non_null(result);
	memset(result, '7', 1000000);
	result[1000000] = '\0';
	fixture_open_bounded(f, &an_hour);
	for (uint64_t id = 1; id <= 30; id++) {
		struct store_group *g = store_group_new(0);

		fixture_add_ended(g, id, 0)->result = fixture_text(result);
		(void)fixture_commit_here(f, g);
		upkeep_when_busy(f->store, 4, 1000000);
	}
	free(result);
	upkeep_when_idle(f->store);
	before = state_dir_bytes(f->store->dir.database);
	fixture_now += HOUR;

	for (uint32_t moments = 0; upkeep_is_due(f->store) && moments < 1000; moments++) {
		upkeep_when_idle(f->store);
		assert_in_range(state_dir_bytes(f->store->dir.wal), 0, 64u << 20);
	}

	fixture_open_again(f, &an_hour);
	assert_true(before > 20u << 20);
	assert_in_range(state_dir_bytes(f->store->dir.database), 1, 6u << 20);
}

static void given_nothing_is_due_then_the_wait_is_that_for_the_next_thing(void **state)
{
	struct fixture              *f = *state;
	const struct store_retention bounds = { .jobs_age = HOUR, .events_age = 2 * HOUR };

	fixture_open_bounded(f, &bounds);
	assert_int_equal(upkeep_wait_msec(f->store), 1000);

	fixture_commit_ended(f, 1, 5 * GD_NSEC_PER_MSEC);
	assert_in_range(upkeep_wait_msec(f->store), 5, 6);

	fixture_now += 5 * GD_NSEC_PER_MSEC;
	(void)fixture_settle(f);
	assert_false(fixture_is_there(f, 1));
	assert_int_equal(retention_wait(f->store), 2 * HOUR - 5 * GD_NSEC_PER_MSEC);
}

#define EXPIRY_TEST(test) \
	cmocka_unit_test_setup_teardown(test, fixture_setup_clock, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EXPIRY_TEST(
			given_an_ended_job_when_its_time_has_come_then_it_is_gone_and_not_before),
		EXPIRY_TEST(given_jobs_that_asked_for_a_time_when_it_passes_then_each_has_its_own),
		EXPIRY_TEST(given_a_job_that_ends_in_a_later_commit_then_its_wish_is_remembered),
		EXPIRY_TEST(given_a_live_job_when_any_time_passes_then_it_is_not_touched),
		EXPIRY_TEST(
			given_jobs_that_ended_one_after_the_other_in_a_commit_then_none_leaves_early),
		EXPIRY_TEST(given_a_list_that_names_a_live_job_then_the_job_stays),
		EXPIRY_TEST(given_an_expired_job_then_its_key_labels_and_inputs_have_gone_with_it),
		EXPIRY_TEST(given_a_key_until_its_job_expires_then_it_leads_to_that_job),
		EXPIRY_TEST(given_a_restart_then_what_was_due_is_still_due),
		EXPIRY_TEST(given_a_deleted_job_when_its_list_is_due_then_it_is_passed_over),
		EXPIRY_TEST(
			given_many_jobs_when_they_expire_then_no_slice_takes_more_than_its_share),
		EXPIRY_TEST(
			given_a_job_with_very_many_rows_when_it_expires_then_it_takes_several_slices),
		EXPIRY_TEST(given_a_writer_that_is_never_idle_then_expiry_keeps_up_with_it),
		EXPIRY_TEST(given_a_full_disk_when_jobs_expire_then_they_stay_until_there_is_room),
		EXPIRY_TEST(given_a_sync_that_fails_when_jobs_expire_then_nothing_more_is_written),
		EXPIRY_TEST(given_too_many_ended_jobs_then_those_whose_time_is_nearest_leave),
		EXPIRY_TEST(given_a_database_that_is_too_large_then_jobs_leave_until_it_fits),
		EXPIRY_TEST(given_expired_jobs_then_the_file_shrinks_again_and_the_log_has_a_bound),
		EXPIRY_TEST(given_nothing_is_due_then_the_wait_is_that_for_the_next_thing),
	};

	fault_vfs_install();
	return cmocka_run_group_tests_name("expiry", tests, NULL, NULL);
}
