#include "tests/lib/live_walk.h"
#include "tests/lib/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that commits some jobs, one by one, and is gone without a word. */
static void crash_after_commits(struct fixture *f, uint64_t first, uint64_t count)
{
	struct store_group *g;
	int                 status;
	pid_t               pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fixture_open(f);
		for (uint64_t id = first; id < first + count; id++) {
			g = store_group_new(0);
			(void)fixture_add_whole_job(g, id, JOB_QUEUED);
			(void)fixture_commit(f, g);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Counts; the ids have no gap. */
static enum gd_err count_live(void *ctx, const struct store_job *job, uint32_t last_ordinal,
                              const struct store_input *inputs, uint32_t input_count,
                              struct gd_error *why)
{
	uint64_t *last = ctx;

	(void)last_ordinal;
	(void)inputs;
	(void)input_count;
	(void)why;
	assert_int_equal(job->id, *last + 1);
	*last = job->id;
	return GD_OK;
}

/* Opens, and says how many jobs, from 1 on, are there. */
static uint64_t open_and_count(struct fixture *f)
{
	struct gd_error why = { 0 };
	uint64_t        last = 0;

	if (fixture_try_open(f, &why) != GD_OK ||
	    live_walk(f->store, count_live, &last, &why) != GD_OK)
		fail_msg("%s", why.text);
	return last;
}

static void given_a_crash_after_a_commit_when_reopened_then_the_job_is_there(void **state)
{
	struct fixture *f = *state;

	crash_after_commits(f, 1, 1);
	crash_after_commits(f, 2, 1);

	assert_int_equal(open_and_count(f), 2);

	assert_int_equal(store_seq(f->store), 2);
	assert_int_equal(store_next_job_id(f->store), 3);
}

static void given_a_start_that_was_killed_half_way_when_opened_then_it_begins_again(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->dir, 0700), 0);
	fixture_write_file(f, "gatherd.db.new", "SQLite format 3, half", 21);
	fixture_write_file(f, "gatherd.db.new-journal", "rest", 4);

	fixture_open(f);

	assert_int_equal(store_seq(f->store), 0);
	assert_false(fixture_is_file(f, "gatherd.db.new"));
	assert_false(fixture_is_file(f, "gatherd.db.new-journal"));
}

static void given_a_disk_that_refuses_writes_when_committing_then_it_stops(void **state)
{
	struct fixture      *f = *state;
	struct store_group  *g = store_group_new(0);
	struct rlimit        before;
	struct rlimit        none;
	struct store_commit *c;
	struct store_read   *r;

	fixture_open(f);
	(void)fixture_add_whole_job(g, 1, JOB_QUEUED);
	(void)fixture_commit(f, g);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = (struct rlimit){ 100, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	g = store_group_new(0);
	(void)fixture_add_whole_job(g, 2, JOB_QUEUED);
	store_submit(f->store, g);
	c = fixture_take(f);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(c->outcome, GD_DURABILITY_UNKNOWN);
	assert_true(c->why.text[0] != '\0');
	assert_true(c->first_seq > c->last_seq);

	g = store_group_new(0);
	(void)fixture_add_whole_job(g, 3, JOB_QUEUED);
	store_submit(f->store, g);
	c = fixture_take(f);

	assert_int_equal(c->outcome, GD_DURABILITY_UNKNOWN);
	r = fixture_read_job(f, 1);
	assert_int_equal(r->outcome, GD_DURABILITY_UNKNOWN);
	store_read_free(r);
	fixture_close(f);
	assert_int_equal(open_and_count(f), 1);
}

/* Overwrites the beginning of every page from the third on. */
static void damage_pages(struct fixture *f)
{
	size_t count;
	char  *bytes = fixture_read_file(f, "gatherd.db", &count);

	for (size_t at = 2 * 4096; at + 4096 <= count; at += 4096)
		memset(bytes + at, 0xff, 64);
	fixture_write_file(f, "gatherd.db", bytes, count);
	free(bytes);
}

static void given_damaged_pages_after_a_crash_when_opened_then_it_is_refused(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	fixture_fill_events(f, 100, 10);
	fixture_close(f);
	crash_after_commits(f, 1000, 1);
	damage_pages(f);

	fixture_assert_refused(f, "");
}

/* --- the log --- */

#define WAL_HEADER 32
#define WAL_FRAME (4096 + 24)

/* Flips one bit of the log. */
static void flip(struct fixture *f, size_t at)
{
	size_t count;
	char  *bytes = fixture_read_file(f, "gatherd.db-wal", &count);

	assert_true(at < count);
	bytes[at] = (char)(bytes[at] ^ 4);
	fixture_write_file(f, "gatherd.db-wal", bytes, count);
	free(bytes);
}

static void given_a_flipped_bit_in_the_log_when_opened_then_the_loss_is_not_hidden(void **state)
{
	struct fixture *f = *state;
	const size_t    third = WAL_HEADER + 2 * WAL_FRAME;

	crash_after_commits(f, 1, 10);

	/* Anywhere in a frame's header, in its page, and anywhere in the header of the log. */
	for (size_t i = 0; i < 24; i++) {
		flip(f, third + i);
		fixture_assert_refused(f, "damaged at byte 8272");
		flip(f, third + i);
	}
	flip(f, third + 1000);
	fixture_assert_refused(f, "truncate -s 8272");
	flip(f, third + 1000);
	for (size_t i = 0; i < WAL_HEADER; i++) {
		flip(f, i);
		fixture_assert_refused(f, "damaged at byte 0");
		flip(f, i);
	}

	assert_int_equal(open_and_count(f), 10);
}

static void given_a_log_cut_at_any_place_when_accepted_then_whole_commits_are_there(void **state)
{
	struct fixture *f = *state;
	size_t          count;
	char           *bytes;
	uint64_t        jobs;
	uint64_t        before = 5;

	crash_after_commits(f, 1, 5);
	f->accepts_rollback = true;
	fixture_cut_log(f);
	bytes = fixture_read_file(f, "gatherd.db-wal", &count);

	for (size_t left = count; left > 1500; left -= 1500) {
		size_t database_bytes;
		char  *database = fixture_read_file(f, "gatherd.db", &database_bytes);

		fixture_write_file(f, "gatherd.db-wal", bytes, left);
		jobs = open_and_count(f);
		assert_in_range(jobs, 0, before);
		before = jobs;
		store_close(f->store);
		f->store = NULL;
		fixture_write_file(f, "gatherd.db", database, database_bytes);
		free(database);
	}

	assert_int_equal(before, 0);
	free(bytes);
}

static void given_a_torn_last_commit_when_accepted_then_the_ones_before_it_are_there(void **state)
{
	struct fixture *f = *state;
	size_t          count;
	char           *bytes;

	crash_after_commits(f, 1, 10);
	fixture_cut_log(f);
	bytes = fixture_read_file(f, "gatherd.db-wal", &count);
	memset(bytes + count - 512, 0x5a, 512);
	fixture_write_file(f, "gatherd.db-wal", bytes, count);
	free(bytes);
	fixture_assert_refused(f, "10 were acknowledged");
	f->accepts_rollback = true;

	assert_int_equal(open_and_count(f), 9);
}

static void given_a_flipped_bit_in_the_last_commit_when_opened_then_it_is_refused(void **state)
{
	struct fixture *f = *state;
	size_t          count;

	crash_after_commits(f, 1, 10);
	fixture_cut_log(f);
	free(fixture_read_file(f, "gatherd.db-wal", &count));
	flip(f, count - 100);

	fixture_assert_refused(f, "were acknowledged");
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(given_a_crash_after_a_commit_when_reopened_then_the_job_is_there),
		STORE_TEST(given_a_start_that_was_killed_half_way_when_opened_then_it_begins_again),
		STORE_TEST(given_a_disk_that_refuses_writes_when_committing_then_it_stops),
		STORE_TEST(given_damaged_pages_after_a_crash_when_opened_then_it_is_refused),
		STORE_TEST(given_a_flipped_bit_in_the_log_when_opened_then_the_loss_is_not_hidden),
		STORE_TEST(given_a_log_cut_at_any_place_when_accepted_then_whole_commits_are_there),
		STORE_TEST(
			given_a_torn_last_commit_when_accepted_then_the_ones_before_it_are_there),
		STORE_TEST(given_a_flipped_bit_in_the_last_commit_when_opened_then_it_is_refused),
	};

	return cmocka_run_group_tests_name("store_crash", tests, NULL, NULL);
}
