/* The few numbers that every commit leaves behind, and what a start makes of them. */
#include "tests/lib/retention_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct store_retention an_hour = { .jobs_age = HOUR };

static void commit_and_forget(struct fixture *f, struct store_group *g)
{
	struct store_commit *c = group_commit(g);

	commit_groups(f->store, c);
	if (c->outcome != GD_OK)
		fail_msg("%s", c->why.text);
	atomic_init(&c->refs, 1);
	store_commit_release(c);
}

static void commit_ended(struct fixture *f, uint64_t id, gd_nsec retain)
{
	struct store_group *g = store_group_new(0);

	(void)fixture_add_ended(g, id, retain);
	commit_and_forget(f, g);
}

static void commit_delete(struct fixture *f, uint64_t id)
{
	struct store_group *g = store_group_new(0);

	(void)store_group_add(g, RECORD_DELETE, id);
	commit_and_forget(f, g);
}

static void commit_running(struct fixture *f, uint64_t id)
{
	struct store_group *g = store_group_new(0);

	(void)fixture_add_whole_job(g, id, JOB_RUNNING);
	commit_and_forget(f, g);
}

/* A child does it and is gone without a word. */
static void crash_after(struct fixture *f, void (*life)(struct fixture *f))
{
	int   status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fixture_open_bounded(f, &an_hour);
		life(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void given_small_commits_when_written_then_each_costs_two_pages(void **state)
{
	struct fixture *f = *state;
	uint32_t        pages;

	fixture_open_bounded(f, &an_hour);
	commit_ended(f, 1, 0);
	commit_ended(f, 2, 0);
	pages = f->store->db.wal_pages;

	commit_ended(f, 3, 0);

	assert_int_equal(f->store->db.wal_pages - pages, 2);
}

static void some_of_each(struct fixture *f)
{
	for (uint64_t id = 1; id <= 40; id++)
		commit_ended(f, id, 0);
	for (uint64_t id = 41; id <= 43; id++)
		commit_running(f, id);
}

static void given_a_crash_between_two_rows_when_opened_then_no_number_is_behind(void **state)
{
	struct fixture *f = *state;

	crash_after(f, some_of_each);

	fixture_open_bounded(f, &an_hour);

	assert_int_equal(store_next_job_id(f->store), 44);
	assert_int_equal(store_seq(f->store), 40 * 2 + 3);
	assert_int_equal(f->store->row.jobs[JOB_COMPLETED], 40);
	assert_int_equal(f->store->row.jobs[JOB_RUNNING], 3);
}

static void given_a_crash_before_jobs_were_listed_when_opened_then_they_expire_in_time(void **state)
{
	struct fixture *f = *state;

	crash_after(f, some_of_each);
	fixture_open_bounded(f, &an_hour);
	assert_true(fixture_is_there(f, 1));
	assert_true(fixture_is_there(f, 40));

	assert_true(upkeep_is_due(f->store));
	upkeep_when_idle(f->store);
	fixture_now += HOUR;
	(void)fixture_settle(f);

	assert_int_equal(f->store->row.jobs[JOB_COMPLETED], 0);
	assert_int_equal(f->store->row.jobs[JOB_RUNNING], 3);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM expiry"), 0);
}

static void many(struct fixture *f)
{
	for (uint64_t id = 1; id <= 300; id++)
		commit_ended(f, id, 0);
}

static void given_many_commits_when_counted_then_a_start_has_few_to_look_through(void **state)
{
	struct fixture *f = *state;

	fixture_open_bounded(f, &an_hour);

	many(f);

	assert_in_range(f->store->row.seq - (uint64_t)fixture_number(f, "SELECT listed FROM state"),
	                0, 2 * 64);
	assert_in_range(fixture_number(f, "SELECT count(*) FROM expiry"), 4, 8);
}

static void delete_the_newest(struct fixture *f)
{
	commit_ended(f, 1, 0);
	commit_ended(f, 2, 0);
	commit_delete(f, 2);
}

static void given_a_crash_after_the_newest_job_was_deleted_then_its_id_is_not_given_out(
	void **state)
{
	struct fixture *f = *state;

	crash_after(f, delete_the_newest);

	fixture_open_bounded(f, &an_hour);

	assert_int_equal(store_next_job_id(f->store), 3);
	assert_int_equal(store_seq(f->store), 4);
	assert_int_equal(f->store->row.jobs[JOB_COMPLETED], 1);
}

static void given_jobs_that_end_seldom_when_one_is_due_then_it_does_not_wait_for_the_others(
	void **state)
{
	struct fixture *f = *state;

	fixture_open_bounded(f, &an_hour);
	for (uint64_t id = 1; id <= 3; id++) {
		commit_ended(f, id, 0);
		fixture_now += HOUR / 3;
	}

	(void)fixture_settle(f);

	assert_false(fixture_is_there(f, 1));
	assert_true(fixture_is_there(f, 2));
}

static void given_a_clean_end_when_opened_then_nothing_is_left_to_be_listed(void **state)
{
	struct fixture *f = *state;
	uint64_t        commits;

	fixture_open_bounded(f, &an_hour);
	some_of_each(f);
	store_close(f->store);
	fixture_open_bounded(f, &an_hour);
	commits = f->store->row.commits;

	assert_int_equal(f->store->row.listed, f->store->row.seq);
	assert_int_equal(fixture_number(f, "SELECT commits FROM state"), (int64_t)commits);
	assert_int_equal(fixture_number(f, "SELECT completed FROM state"), 40);
}

#define STATE_TEST(test) \
	cmocka_unit_test_setup_teardown(test, fixture_setup_clock, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(given_small_commits_when_written_then_each_costs_two_pages),
		STATE_TEST(given_a_crash_between_two_rows_when_opened_then_no_number_is_behind),
		STATE_TEST(
			given_a_crash_before_jobs_were_listed_when_opened_then_they_expire_in_time),
		STATE_TEST(given_many_commits_when_counted_then_a_start_has_few_to_look_through),
		STATE_TEST(
			given_a_crash_after_the_newest_job_was_deleted_then_its_id_is_not_given_out),
		STATE_TEST(
			given_jobs_that_end_seldom_when_one_is_due_then_it_does_not_wait_for_the_others),
		STATE_TEST(given_a_clean_end_when_opened_then_nothing_is_left_to_be_listed),
	};

	return cmocka_run_group_tests_name("state_row", tests, NULL, NULL);
}
