#include "daemon/store/inside.h"
#include "tests/lib/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define JOBS 40 /* more than there are chunks that are kept */

static struct store_read *read_page(struct fixture *f, uint32_t part, uint32_t parts,
                                    uint64_t after, uint32_t limit)
{
	struct store_read *r = fixture_new_read(READ_LIVE);

	r->part = part;
	r->parts = parts;
	r->after = after;
	r->job = JOBS + 1;
	r->limit = limit;
	r->bytes_max = SIZE_MAX;
	fixture_read(f, r);
	assert_int_equal(r->outcome, GD_OK);
	return r;
}

/* Each in a commit, and so in a chunk, of its own; job n has n events after its first. */
static void fill(struct fixture *f)
{
	fixture_open(f);
	for (uint32_t id = 1; id <= JOBS; id++) {
		struct store_group *g = store_group_new(0);

		(void)fixture_add_whole_job(g, id, JOB_RUNNING);
		for (uint32_t i = 1; i <= id; i++)
			(void)fixture_add_event(g, id, i, EVENT_YIELD,
			                        "\"time\":1,\"job\":1,\"kind\":\"yield\"");
		(void)fixture_commit(f, g);
	}
}

static void given_jobs_of_two_loops_when_read_in_turn_then_each_gets_its_own(void **state)
{
	struct fixture *f = *state;
	uint64_t        after[2] = { 0, 0 };
	uint32_t        found = 0;

	fill(f);
	for (uint32_t turn = 0; turn < JOBS; turn++) {
		uint32_t           part = turn % 2;
		struct store_read *r = read_page(f, part, 2, after[part], 3);

		for (uint32_t i = 0; i < r->live_count; i++) {
			uint64_t id = r->live[i].job.id;

			assert_int_equal(id % 2, part);
			assert_true(id > after[part]);
			assert_int_equal(r->live[i].last_ordinal, id);
			after[part] = id;
			found++;
		}
		store_read_free(r);
	}
	assert_int_equal(found, JOBS);
}

static void given_a_page_that_is_full_when_read_then_it_says_where_to_go_on(void **state)
{
	struct fixture    *f = *state;
	struct store_read *r;

	fill(f);
	r = read_page(f, 0, 1, 0, JOBS - 1);
	assert_int_equal(r->live_count, JOBS - 1);
	assert_int_equal(r->next_after, JOBS - 1);
	store_read_free(r);

	r = read_page(f, 0, 1, JOBS - 1, JOBS);

	assert_int_equal(r->live_count, 1);
	assert_int_equal(r->next_after, 0);
	store_read_free(r);
}

static void given_jobs_that_came_later_when_read_then_they_are_left_out(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *r;

	fill(f);
	(void)fixture_add_whole_job(g, JOBS + 1, JOB_RUNNING);
	(void)fixture_commit(f, g);

	r = read_page(f, 0, 1, JOBS - 1, 10);

	assert_int_equal(r->live_count, 1);
	assert_int_equal(r->live[0].job.id, JOBS);
	store_read_free(r);
}

static void given_little_room_when_read_then_one_job_comes_at_least(void **state)
{
	struct fixture    *f = *state;
	struct store_read *r = fixture_new_read(READ_LIVE);

	fill(f);
	r->parts = 1;
	r->job = INT64_MAX;
	r->limit = 10;
	r->bytes_max = 1;
	fixture_read(f, r);

	assert_int_equal(r->live_count, 1);
	assert_int_equal(r->next_after, 1);
	store_read_free(r);
}

static void take_nothing(struct store_read *r)
{
	(void)r;
}

static void given_a_store_that_has_failed_when_read_then_it_is_no_damage(void **state)
{
	struct fixture   *f = *state;
	struct store_read r = {
		.kind = READ_LIVE, .done = take_nothing, .job = INT64_MAX, .parts = 1, .limit = 1
	};

	assert_int_equal(fixture_try_open(f, NULL), GD_OK);
	(void)gd_fail(&f->store->failure, GD_STORE, "a sync failed");

	read_answer(f->store, &r);

	assert_int_equal(r.outcome, GD_UNAVAILABLE);
	arena_close(&r.arena);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_jobs_of_two_loops_when_read_in_turn_then_each_gets_its_own),
		TEST(given_a_page_that_is_full_when_read_then_it_says_where_to_go_on),
		TEST(given_jobs_that_came_later_when_read_then_they_are_left_out),
		TEST(given_a_store_that_has_failed_when_read_then_it_is_no_damage),
		TEST(given_little_room_when_read_then_one_job_comes_at_least),
	};

	return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
