/* What a job has run, as it is kept. */
#include "tests/lib/retention_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const struct store_retention an_hour = { .jobs_age = HOUR };

static struct record *add_command(struct store_group *g, uint64_t job, gd_nsec begun,
                                  uint32_t ticket, const char *path)
{
	struct record *r = store_group_add(g, RECORD_COMMAND, job);

	assert_non_null(r);
	r->u.command = (struct store_command){
		.begun = begun, .ticket = ticket, .attempt = 1, .path = fixture_text(path)
	};
	return r;
}

/* "ticket path, ..." of a page, then " and more". */
static void expect_page(struct fixture *f, struct store_read *r, const char *expected)
{
	char   said[256] = "";
	size_t used = 0;

	read_answer(f->store, r);
	assert_int_equal(r->outcome, GD_OK);
	for (uint32_t i = 0; i < r->command_count; i++)
		used += (size_t)snprintf(said + used, sizeof said - used, "%s%u %s",
		                         i == 0 ? "" : ", ", (unsigned)r->commands[i].ticket,
		                         r->commands[i].path.at);
	(void)snprintf(said + used, sizeof said - used, "%s",
	               r->has_more_commands ? " and more" : "");
	assert_string_equal(said, expected);
}

static struct store_read *ask_after(uint64_t job, const struct store_read *before, uint32_t limit)
{
	struct store_read *r = fixture_ask(READ_COMMANDS, job);

	r->limit = limit;
	if (before != NULL)
		r->after_command = before->next_command;
	return r;
}

static void given_commands_when_paged_then_they_come_in_the_order_in_which_they_began(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *first, *second;

	(void)fixture_add_whole_job(g, 1, JOB_RUNNING);
	(void)fixture_add_whole_job(g, 2, JOB_RUNNING);
	(void)add_command(g, 1, 20, 1, "/b");
	(void)add_command(g, 1, 10, 2, "/a");
	(void)add_command(g, 1, 20, 3, "/c");
	(void)add_command(g, 2, 15, 4, "/other");
	fixture_open_bounded(f, &an_hour);
	(void)fixture_commit_here(f, g);
	fixture_open_again(f, &an_hour);

	first = ask_after(1, NULL, 2);
	expect_page(f, first, "2 /a, 1 /b and more");
	second = ask_after(1, first, 2);
	expect_page(f, second, "3 /c");

	assert_int_equal(second->jobs[0].id, 1);
	assert_int_equal(second->commands[0].begun, 20);
	store_read_free(first);
	store_read_free(second);
}

static void given_commands_when_paged_from_the_last_on_then_the_order_is_the_other_way(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *first, *second;

	(void)fixture_add_whole_job(g, 1, JOB_RUNNING);
	for (uint32_t i = 1; i <= 3; i++)
		(void)add_command(g, 1, 10, i, "/a");
	fixture_open_bounded(f, &an_hour);
	(void)fixture_commit_here(f, g);

	first = ask_after(1, NULL, 2);
	first->is_newest_first = true;
	expect_page(f, first, "3 /a, 2 /a and more");
	second = ask_after(1, first, 2);
	second->is_newest_first = true;
	expect_page(f, second, "1 /a");

	store_read_free(first);
	store_read_free(second);
}

static void given_a_path_when_asked_for_then_only_its_attempts_come(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *r = fixture_ask(READ_COMMANDS, 1);

	(void)fixture_add_whole_job(g, 1, JOB_RUNNING);
	for (uint32_t i = 1; i <= 4; i++)
		add_command(g, 1, i, 1 + i % 2, i % 2 == 0 ? "/even" : "/odd")->u.command.attempt =
			i;
	fixture_open_bounded(f, &an_hour);
	(void)fixture_commit_here(f, g);
	r->path_filter = fixture_text("/odd");

	expect_page(f, r, "2 /odd, 2 /odd");

	assert_int_equal(r->commands[1].attempt, 3);
	store_read_free(r);
}

static void given_more_rows_than_one_look_takes_when_filtered_then_the_page_says_where_to_go_on(
	void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *first, *second;

	(void)fixture_add_whole_job(g, 1, JOB_RUNNING);
	for (uint32_t i = 1; i <= SCAN_ROWS_MAX + 1; i++)
		(void)add_command(g, 1, i, i, i <= SCAN_ROWS_MAX ? "/many" : "/last");
	fixture_open_bounded(f, &an_hour);
	(void)fixture_commit_here(f, g);

	first = ask_after(1, NULL, 10);
	first->path_filter = fixture_text("/last");
	expect_page(f, first, " and more");
	second = ask_after(1, first, 10);
	second->path_filter = fixture_text("/last");
	expect_page(f, second, "8193 /last");

	store_read_free(first);
	store_read_free(second);
}

static void given_no_such_job_when_a_command_begins_then_nothing_is_kept(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct record      *record = add_command(g, 7, 1, 1, "/a");
	struct store_read  *r = fixture_ask(READ_COMMANDS, 7);

	fixture_open_bounded(f, &an_hour);
	(void)fixture_commit_here(f, g);
	assert_int_equal(record->outcome, GD_NOT_FOUND);

	read_answer(f->store, r);

	assert_int_equal(r->outcome, GD_NOT_FOUND);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM commands"), 0);
	store_read_free(r);
}

static void given_a_job_that_was_there_already_when_its_commands_come_then_they_are_skipped(
	void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);

	fixture_add_whole_job(g, 1, JOB_RUNNING)->key = fixture_text("k");
	fixture_add_whole_job(g, 2, JOB_RUNNING)->key = fixture_text("k");
	(void)add_command(g, 2, 1, 1, "/a");
	fixture_open_bounded(f, &an_hour);
	(void)fixture_commit_here(f, g);

	assert_int_equal(fixture_number(f, "SELECT count(*) FROM commands"), 0);
}

static void given_a_job_that_leaves_then_its_commands_leave_and_no_others(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);

	for (uint64_t id = 1; id <= 3; id++) {
		(void)fixture_add_ended(g, id, id == 2 ? SECOND : 0);
		(void)add_command(g, id, 1, 1, "/a");
		(void)add_command(g, id, 2, 2, "/b");
	}
	fixture_open_bounded(f, &an_hour);
	(void)fixture_commit_here(f, g);
	g = store_group_new(0);
	assert_non_null(store_group_add(g, RECORD_DELETE, 1));
	(void)fixture_commit_here(f, g);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM commands"), 4);

	fixture_now += SECOND;
	(void)fixture_settle(f);

	assert_int_equal(fixture_number(f, "SELECT count(*) FROM commands"), 2);
	assert_int_equal(fixture_number(f, "SELECT min(job) FROM commands"), 3);
}

static void given_very_many_commands_when_their_job_expires_then_they_leave_in_slices(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);

	(void)fixture_add_ended(g, 1, SECOND);
	for (uint32_t i = 1; i <= 10000; i++)
		(void)add_command(g, 1, i / 7, i, "/a");
	fixture_open_bounded(f, &an_hour);
	(void)fixture_commit_here(f, g);

	fixture_now += SECOND;

	assert_true(fixture_settle(f) > 1);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM commands"), 0);
	assert_false(fixture_is_there(f, 1));
}

static void given_a_priority_when_the_job_is_read_then_it_is_there(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *one = fixture_ask(READ_JOB, 1);
	struct store_read  *live = fixture_ask(READ_LIVE, 3);

	fixture_add_whole_job(g, 1, JOB_RUNNING)->priority = -JOB_PRIORITY_MAX;
	fixture_add_whole_job(g, 2, JOB_RUNNING)->priority = JOB_PRIORITY_MAX;
	fixture_open_bounded(f, &an_hour);
	(void)fixture_commit_here(f, g);
	live->parts = 1;
	live->limit = 10;
	live->bytes_max = 100000;

	read_answer(f->store, one);
	read_answer(f->store, live);

	assert_int_equal(one->jobs[0].priority, -JOB_PRIORITY_MAX);
	assert_int_equal(live->live_count, 2);
	assert_int_equal(live->live[0].job.priority, -JOB_PRIORITY_MAX);
	assert_int_equal(live->live[1].job.priority, JOB_PRIORITY_MAX);
	store_read_free(one);
	store_read_free(live);
}

#define COMMAND_TEST(test) \
	cmocka_unit_test_setup_teardown(test, fixture_setup_clock, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		COMMAND_TEST(
			given_commands_when_paged_then_they_come_in_the_order_in_which_they_began),
		COMMAND_TEST(
			given_commands_when_paged_from_the_last_on_then_the_order_is_the_other_way),
		COMMAND_TEST(given_a_path_when_asked_for_then_only_its_attempts_come),
		COMMAND_TEST(
			given_more_rows_than_one_look_takes_when_filtered_then_the_page_says_where_to_go_on),
		COMMAND_TEST(given_no_such_job_when_a_command_begins_then_nothing_is_kept),
		COMMAND_TEST(
			given_a_job_that_was_there_already_when_its_commands_come_then_they_are_skipped),
		COMMAND_TEST(given_a_job_that_leaves_then_its_commands_leave_and_no_others),
		COMMAND_TEST(
			given_very_many_commands_when_their_job_expires_then_they_leave_in_slices),
		COMMAND_TEST(given_a_priority_when_the_job_is_read_then_it_is_there),
	};

	return cmocka_run_group_tests_name("store_commands", tests, NULL, NULL);
}
