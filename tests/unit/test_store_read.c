#include "tests/lib/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void given_no_flags_when_a_job_is_read_then_its_long_texts_stay_away(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *r = fixture_new_read(READ_JOB);

	fixture_add_whole_job(g, 1, JOB_COMPLETED)->result = fixture_text("1");
	fixture_open(f);
	(void)fixture_commit(f, g);
	r->job = 1;
	r->flags = 0;

	fixture_read(f, r);

	assert_int_equal(r->outcome, GD_OK);
	fixture_expect_text(r->jobs[0].spec, NULL);
	fixture_expect_text(r->jobs[0].result, NULL);
	store_read_free(r);
}

static void given_jobs_in_every_status_when_asked_for_info_then_they_are_counted(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *r = fixture_new_read(READ_INFO);

	for (uint64_t id = 1; id <= 5; id++)
		(void)fixture_add_whole_job(g, id, (enum job_status)(id - 1));
	(void)fixture_add_whole_job(g, 6, JOB_QUEUED);
	(void)fixture_add_end(g, 6, JOB_CANCELLED);
	fixture_open(f);
	(void)fixture_commit(f, g);
	fixture_reopen(f);

	fixture_read(f, r);

	assert_int_equal(r->jobs_by_status[JOB_QUEUED], 1);
	assert_int_equal(r->jobs_by_status[JOB_RUNNING], 1);
	assert_int_equal(r->jobs_by_status[JOB_COMPLETED], 1);
	assert_int_equal(r->jobs_by_status[JOB_FAILED], 1);
	assert_int_equal(r->jobs_by_status[JOB_CANCELLED], 2);
	assert_true(r->database_bytes > 0);
	assert_int_equal(r->queue, 0);
	store_read_free(r);
}

/* --- events --- */

static void given_two_groups_when_read_then_events_have_the_order_of_commits(void **state)
{
	struct fixture      *f = *state;
	struct store_group  *g = store_group_new(0);
	struct store_commit *first;
	struct store_commit *second;
	struct store_read   *r;

	fixture_open(f);
	(void)fixture_add_whole_job(g, 2, JOB_QUEUED);
	(void)fixture_add_event(g, 2, 1, EVENT_YIELD, "a");
	first = fixture_commit(f, g);
	g = store_group_new(1);
	(void)fixture_add_whole_job(g, 1, JOB_QUEUED);
	(void)fixture_add_event(g, 2, 2, EVENT_YIELD, "b");
	second = fixture_commit(f, g);

	r = fixture_read_events(f, 0, 100);

	assert_int_equal(first->first_seq, 1);
	assert_int_equal(first->last_seq, 2);
	assert_int_equal(second->first_seq, 3);
	assert_int_equal(second->last_seq, 4);
	assert_int_equal(second->groups->first->next->u.event.seq, 3);
	assert_int_equal(r->event_count, 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(r->events[i].seq, i + 1);
	assert_int_equal(r->events[3].job, 2);
	assert_int_equal(r->events[3].ordinal, 2);
	assert_int_equal(r->events[3].kind, EVENT_YIELD);
	fixture_expect_text(r->events[3].body, "b");
	assert_int_equal(r->next_after, 4);
	assert_int_equal(r->oldest, 1);
	store_read_free(r);
}

static void given_many_events_when_paged_then_none_is_lost_and_none_comes_twice(void **state)
{
	struct fixture    *f = *state;
	struct store_read *r;
	uint64_t           after = 0;
	uint64_t           seen = 0;

	fixture_open(f);
	fixture_fill_events(f, 100, 10);

	while (after < 100) {
		r = fixture_read_events(f, after, 7);
		assert_int_equal(r->outcome, GD_OK);
		for (uint32_t i = 0; i < r->event_count; i++)
			assert_int_equal(r->events[i].seq, ++seen);
		assert_true(r->next_after > after);
		after = r->next_after;
		store_read_free(r);
	}

	assert_int_equal(seen, 100);
}

static void given_one_job_when_its_events_are_paged_then_only_they_come_in_order(void **state)
{
	struct fixture    *f = *state;
	struct store_read *r;
	uint64_t           after = 0;
	uint32_t           ordinal = 0;

	fixture_open(f);
	fixture_fill_events(f, 100, 10);

	while (after < 100) {
		r = fixture_new_read(READ_EVENTS);
		r->job = 2;
		r->after = after;
		r->limit = 3;
		fixture_read(f, r);
		assert_int_equal(r->outcome, GD_OK);
		for (uint32_t i = 0; i < r->event_count; i++) {
			assert_int_equal(r->events[i].job, 2);
			assert_int_equal(r->events[i].ordinal, ordinal++);
		}
		after = r->next_after;
		store_read_free(r);
	}

	assert_int_equal(ordinal, 50);
}

static void given_an_unknown_job_when_its_events_are_read_then_it_is_not_found(void **state)
{
	struct fixture    *f = *state;
	struct store_read *r = fixture_new_read(READ_EVENTS);

	fixture_open(f);
	fixture_commit_job(f, 1, JOB_QUEUED);
	r->job = 5;

	fixture_read(f, r);

	assert_int_equal(r->outcome, GD_NOT_FOUND);
	store_read_free(r);
}

static void given_filters_when_events_are_read_then_only_matching_ones_come(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *r;

	fixture_open(f);
	fixture_add_whole_job(g, 1, JOB_COMPLETED)->owner = fixture_text("uid:2");
	fixture_add_whole_job(g, 2, JOB_COMPLETED)->labels = fixture_text("[\"x\",\"y\"]");
	(void)fixture_add_whole_job(g, 3, JOB_COMPLETED);
	(void)fixture_commit(f, g);

	r = fixture_new_read(READ_EVENTS);
	r->kinds_mask = UINT64_C(1) << EVENT_JOB_COMPLETED;
	fixture_read(f, r);
	assert_int_equal(r->event_count, 3);
	assert_int_equal(r->events[2].seq, 6);
	store_read_free(r);
	r = fixture_new_read(READ_EVENTS);
	r->owner_filter = fixture_text("uid:2");
	fixture_read(f, r);
	assert_int_equal(r->event_count, 2);
	assert_int_equal(r->events[1].job, 1);
	assert_int_equal(r->next_after, 6);
	store_read_free(r);
	r = fixture_new_read(READ_EVENTS);
	r->owner_filter = fixture_text("uid:1");
	r->label_filter = fixture_text("y");
	fixture_read(f, r);
	assert_int_equal(r->event_count, 2);
	assert_int_equal(r->events[0].job, 2);
	store_read_free(r);
}

static char *long_text(size_t bytes)
{
	char *text = malloc(bytes + 1);

	assert_non_null(text);
	memset(text, 'x', bytes);
	text[bytes] = '\0';
	return text;
}

static void given_large_events_when_read_with_a_byte_limit_then_one_comes_at_a_time(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *r;
	char               *body = long_text(200000);

	fixture_open(f);
	(void)fixture_add_whole_job(g, 1, JOB_QUEUED);
	(void)fixture_add_event(g, 1, 1, EVENT_YIELD, body);
	(void)fixture_add_event(g, 1, 2, EVENT_YIELD, body);
	(void)fixture_add_event(g, 1, 3, EVENT_YIELD, "small");
	(void)fixture_commit(f, g);

	r = fixture_new_read(READ_EVENTS);
	r->after = 1;
	r->bytes_max = 1000;
	fixture_read(f, r);

	assert_int_equal(r->event_count, 1);
	assert_int_equal(r->next_after, 2);
	fixture_expect_text(r->events[0].body, body);
	store_read_free(r);
	r = fixture_new_read(READ_EVENTS);
	r->job = 1;
	fixture_read(f, r);
	assert_int_equal(r->event_count, 4);
	fixture_expect_text(r->events[3].body, "small");
	store_read_free(r);
	free(body);
}

static void given_much_that_does_not_match_when_read_then_the_page_ends_and_goes_on(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *r;
	char               *body = long_text(60000);
	uint64_t            after;

	fixture_open(f);
	(void)fixture_add_whole_job(g, 1, JOB_QUEUED);
	for (uint32_t i = 1; i <= 100; i++)
		(void)fixture_add_event(g, 1, i, EVENT_LOG, body);
	(void)fixture_add_event(g, 1, 101, EVENT_YIELD, "found");
	(void)fixture_commit(f, g);

	r = fixture_new_read(READ_EVENTS);
	r->kinds_mask = UINT64_C(1) << EVENT_YIELD;
	fixture_read(f, r);

	assert_int_equal(r->outcome, GD_OK);
	assert_int_equal(r->event_count, 0);
	after = r->next_after;
	assert_in_range(after, 2, 101);
	store_read_free(r);
	r = fixture_new_read(READ_EVENTS);
	r->kinds_mask = UINT64_C(1) << EVENT_YIELD;
	r->after = after;
	fixture_read(f, r);
	assert_int_equal(r->event_count, 1);
	fixture_expect_text(r->events[0].body, "found");
	store_read_free(r);
	free(body);
}

static void given_a_cursor_at_the_end_when_read_then_nothing_comes_and_it_stays(void **state)
{
	struct fixture    *f = *state;
	struct store_read *r;

	fixture_open(f);
	fixture_commit_job(f, 1, JOB_QUEUED);

	r = fixture_read_events(f, 1, 10);

	assert_int_equal(r->event_count, 0);
	assert_int_equal(r->next_after, 1);
	store_read_free(r);
}

/* --- lists --- */

static void fill_list(struct fixture *f)
{
	struct store_group *g = store_group_new(0);
	struct store_job   *j;

	for (uint64_t id = 1; id <= 10; id++) {
		j = fixture_add_whole_job(g, id, id % 2 == 0 ? JOB_COMPLETED : JOB_RUNNING);
		j->owner = fixture_text(id <= 5 ? "uid:1" : "uid:2");
		j->title = fixture_text(id % 3 == 0 ? "third" : NULL);
		j->labels = fixture_text(id == 4 || id == 8 ? "[\"four\"]" : NULL);
		j->submitted = FIXTURE_T0 + (gd_nsec)id;
	}
	(void)fixture_commit(f, g);
}

/* The ids of a page as text, and the cursor behind a slash. Takes the read. */
static void assert_page(struct fixture *f, struct store_read *r, const char *wanted)
{
	char   is[256] = "";
	size_t used = 0;

	fixture_read(f, r);
	assert_int_equal(r->outcome, GD_OK);
	for (uint32_t i = 0; i < r->job_count; i++)
		used += (size_t)snprintf(is + used, sizeof is - used, "%llu ",
		                         (unsigned long long)r->jobs[i].id);
	(void)snprintf(is + used, sizeof is - used, "/%llu", (unsigned long long)r->next_after);
	assert_string_equal(is, wanted);
	store_read_free(r);
}

static void given_jobs_when_listed_then_pages_follow_each_other(void **state)
{
	struct fixture    *f = *state;
	struct store_read *r = fixture_new_read(READ_JOBS);

	fixture_open(f);
	fill_list(f);

	r->limit = 6;
	assert_page(f, r, "1 2 3 4 5 6 /6");
	r = fixture_new_read(READ_JOBS);
	r->after = 6;
	assert_page(f, r, "7 8 9 10 /0");
}

static void given_newest_first_when_listed_then_pages_go_down(void **state)
{
	struct fixture    *f = *state;
	struct store_read *r = fixture_new_read(READ_JOBS);

	fixture_open(f);
	fill_list(f);

	r->is_newest_first = true;
	r->limit = 3;
	assert_page(f, r, "10 9 8 /8");
	r = fixture_new_read(READ_JOBS);
	r->is_newest_first = true;
	r->after = 8;
	r->status_mask = 1u << JOB_RUNNING;
	assert_page(f, r, "7 5 3 1 /0");
}

static void given_filters_when_listed_then_only_matching_jobs_come(void **state)
{
	struct fixture    *f = *state;
	struct store_read *r = fixture_new_read(READ_JOBS);

	fixture_open(f);
	fill_list(f);

	r->status_mask = 1u << JOB_COMPLETED;
	assert_page(f, r, "2 4 6 8 10 /0");
	r = fixture_new_read(READ_JOBS);
	r->status_mask = 1u << JOB_RUNNING | 1u << JOB_QUEUED;
	assert_page(f, r, "1 3 5 7 9 /0");
	r = fixture_new_read(READ_JOBS);
	r->owner_filter = fixture_text("uid:2");
	assert_page(f, r, "6 7 8 9 10 /0");
	r = fixture_new_read(READ_JOBS);
	r->title_filter = fixture_text("third");
	assert_page(f, r, "3 6 9 /0");
	r = fixture_new_read(READ_JOBS);
	r->label_filter = fixture_text("four");
	assert_page(f, r, "4 8 /0");
	r = fixture_new_read(READ_JOBS);
	r->label_filter = fixture_text("four");
	r->is_newest_first = true;
	r->limit = 1;
	assert_page(f, r, "8 /8");
	r = fixture_new_read(READ_JOBS);
	r->since = FIXTURE_T0 + 9;
	assert_page(f, r, "9 10 /0");
}

/* --- signals --- */

#define SIGNAL_HEAD "\1\10........" /* its time, which is read from the row */

static struct record *add_input_bytes(struct store_group *g, uint64_t job, uint32_t number,
                                      const char *at, size_t bytes)
{
	struct record *r = fixture_add_input(g, job, number, "");

	r->u.input.bytes = (struct text){ arena_copy(&g->arena, at, bytes), bytes };
	return r;
}

static void expect_signal(struct fixture *f, const char *key, uint32_t number)
{
	struct store_read *r = fixture_new_read(READ_SIGNAL);

	r->job = 1;
	r->signal_key = fixture_text(key);
	fixture_read(f, r);
	assert_int_equal(r->outcome, GD_OK);
	assert_int_equal(r->jobs[0].status, JOB_COMPLETED);
	assert_int_equal(r->signal.number, number);
	if (number == 0)
		assert_null(r->signal.bytes.at);
	else
		assert_true(r->signal.time == FIXTURE_T0 + number);
	store_read_free(r);
}

static void given_an_ended_job_then_the_signal_under_a_key_is_found_among_its_inputs(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	const char          with_key[] = SIGNAL_HEAD "\1\2\0\0\0k1\1\2\0\0\0go\0";
	const char          without[] = SIGNAL_HEAD "\0\1\2\0\0\0k1\0";
	const char          cancel[] = "\1\1........\1\2\0\0\0k1";

	fixture_open(f);
	(void)fixture_add_whole_job(g, 1, JOB_COMPLETED);
	(void)add_input_bytes(g, 1, 1, without, sizeof without - 1);
	(void)add_input_bytes(g, 1, 2, with_key, sizeof with_key - 1);
	(void)add_input_bytes(g, 1, 3, cancel, sizeof cancel - 1);
	(void)fixture_add_whole_job(g, 2, JOB_COMPLETED);
	(void)fixture_commit(f, g);

	expect_signal(f, "k1", 2);
	expect_signal(f, "k", 0);
	expect_signal(f, "go", 0);
}

static void given_very_many_later_inputs_then_a_signal_is_forgotten_instead_of_searched_for(
	void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	const char          with_key[] = SIGNAL_HEAD "\1\2\0\0\0k1\1\2\0\0\0go\0";

	fixture_open(f);
	(void)fixture_add_whole_job(g, 1, JOB_COMPLETED);
	(void)add_input_bytes(g, 1, 1, with_key, sizeof with_key - 1);
	(void)add_input_bytes(g, 1, 2, with_key, sizeof with_key - 1);
	for (uint32_t number = 3; number <= 1001; number++)
		(void)fixture_add_input(g, 1, number, "later");
	(void)fixture_commit(f, g);
	expect_signal(f, "k1", 2);

	g = store_group_new(0);
	(void)fixture_add_input(g, 1, 1002, "later");
	(void)fixture_commit(f, g);
	expect_signal(f, "k1", 0);
}

static void given_no_job_then_it_has_no_signal(void **state)
{
	struct fixture    *f = *state;
	struct store_read *r = fixture_new_read(READ_SIGNAL);

	fixture_open(f);
	r->job = 5;
	r->signal_key = fixture_text("k");
	fixture_read(f, r);
	assert_int_equal(r->outcome, GD_NOT_FOUND);
	store_read_free(r);
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(given_no_flags_when_a_job_is_read_then_its_long_texts_stay_away),
		STORE_TEST(given_jobs_in_every_status_when_asked_for_info_then_they_are_counted),
		STORE_TEST(given_two_groups_when_read_then_events_have_the_order_of_commits),
		STORE_TEST(given_many_events_when_paged_then_none_is_lost_and_none_comes_twice),
		STORE_TEST(given_one_job_when_its_events_are_paged_then_only_they_come_in_order),
		STORE_TEST(given_an_unknown_job_when_its_events_are_read_then_it_is_not_found),
		STORE_TEST(given_filters_when_events_are_read_then_only_matching_ones_come),
		STORE_TEST(given_large_events_when_read_with_a_byte_limit_then_one_comes_at_a_time),
		STORE_TEST(given_much_that_does_not_match_when_read_then_the_page_ends_and_goes_on),
		STORE_TEST(given_a_cursor_at_the_end_when_read_then_nothing_comes_and_it_stays),
		STORE_TEST(given_jobs_when_listed_then_pages_follow_each_other),
		STORE_TEST(given_newest_first_when_listed_then_pages_go_down),
		STORE_TEST(given_filters_when_listed_then_only_matching_jobs_come),
		STORE_TEST(
			given_an_ended_job_then_the_signal_under_a_key_is_found_among_its_inputs),
		STORE_TEST(
			given_very_many_later_inputs_then_a_signal_is_forgotten_instead_of_searched_for),
		STORE_TEST(given_no_job_then_it_has_no_signal),
	};

	return cmocka_run_group_tests_name("store_read", tests, NULL, NULL);
}
