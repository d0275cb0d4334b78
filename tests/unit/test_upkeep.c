/* The store's own upkeep, without its thread: quiet moments come when the test says so. */
#include "daemon/store/inside.h"
#include "tests/lib/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define BODY_BYTES (1u << 20)
#define MIB (1u << 20)

static void open_only(struct fixture *f)
{
	struct gd_error why = { 0 };

	if (fixture_try_open(f, &why) != GD_OK)
		fail_msg("%s", why.text);
}

static void commit_here(struct fixture *f, struct store_group *g)
{
	struct store_commit *c = group_commit(g);

	commit_groups(f->store, c);
	if (c->outcome != GD_OK)
		fail_msg("%s", c->why.text);
	atomic_init(&c->refs, 1);
	store_commit_release(c);
}

/* A job that has ended, with about a MiB of events. */
static void commit_large_job(struct fixture *f, uint64_t id)
{
	struct store_group *g = store_group_new(0);
	char               *body = malloc(BODY_BYTES + 1);

	assert_non_null(body);
	memset(body, 'x', BODY_BYTES);
	body[BODY_BYTES] = '\0';
	(void)fixture_add_whole_job(g, id, JOB_COMPLETED);
	(void)fixture_add_event(g, id, 2, EVENT_YIELD, body);
	commit_here(f, g);
	free(body);
}

static void given_a_small_log_when_idle_then_it_is_left_alone(void **state)
{
	struct fixture *f = *state;
	uint64_t        before;

	open_only(f);
	commit_large_job(f, 1);
	before = f->store->db.wal_pages;
	assert_true(before > 0);
	assert_false(upkeep_is_due(f->store));

	upkeep_when_idle(f->store);

	assert_int_equal(f->store->db.wal_pages, before);
}

static void given_a_larger_log_when_idle_then_it_is_moved_over_and_its_file_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t        file_bytes;

	open_only(f);
	for (uint64_t id = 1; id <= 6; id++)
		commit_large_job(f, id);
	assert_true(upkeep_is_due(f->store));
	file_bytes = state_dir_bytes(f->store->dir.wal);

	upkeep_when_idle(f->store);

	assert_false(upkeep_is_due(f->store));
	assert_int_equal(state_dir_bytes(f->store->dir.wal), file_bytes);
	assert_true(state_dir_bytes(f->store->dir.database) > 6 * MIB);
	commit_large_job(f, 7);
	assert_int_equal(state_dir_bytes(f->store->dir.wal), file_bytes);
}

static void given_a_writer_that_is_never_idle_when_it_goes_on_then_the_log_has_a_bound(void **state)
{
	struct fixture *f = *state;

	open_only(f);

	for (uint64_t id = 1; id <= 80; id++) {
		commit_large_job(f, id);
		upkeep_when_busy(f->store, 3, BODY_BYTES);
	}

	assert_in_range(state_dir_bytes(f->store->dir.wal), 16 * MIB, 40 * MIB);
}

static void given_a_very_large_log_when_idle_then_its_file_is_cut(void **state)
{
	struct fixture *f = *state;

	open_only(f);
	for (uint64_t id = 1; id <= 70; id++)
		commit_large_job(f, id);
	assert_true(state_dir_bytes(f->store->dir.wal) > 64 * MIB);

	upkeep_when_idle(f->store);

	assert_int_equal(state_dir_bytes(f->store->dir.wal), 0);
}

static void given_deleted_jobs_when_idle_then_the_database_gets_smaller(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	uint64_t            before;
	uint32_t            moments = 0;

	open_only(f);
	for (uint64_t id = 1; id <= 20; id++)
		commit_large_job(f, id);
	upkeep_when_idle(f->store);
	before = state_dir_bytes(f->store->dir.database);
	for (uint64_t id = 1; id <= 20; id++)
		(void)store_group_add(g, RECORD_DELETE, id);
	commit_here(f, g);

	while (upkeep_is_due(f->store) && moments++ < 100)
		upkeep_when_idle(f->store);

	assert_in_range(moments, 2, 99);
	fixture_reopen(f);
	assert_true(state_dir_bytes(f->store->dir.database) < before / 2);
}

/* A commit that appends takes twice as long to sync. */
static void given_small_commits_when_the_log_grows_then_its_file_is_ahead_of_it(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g;
	uint64_t            file_bytes = 0;
	uint32_t            appended = 0;

	open_only(f);
	for (uint64_t id = 1; id <= 200; id++) {
		g = store_group_new(0);
		(void)fixture_add_whole_job(g, id, JOB_COMPLETED);
		commit_here(f, g);
		appended += state_dir_bytes(f->store->dir.wal) != file_bytes;
		upkeep_when_busy(f->store, 3, 1000);
		file_bytes = state_dir_bytes(f->store->dir.wal);
	}

	assert_int_equal(appended, 1); /* the first one */
	assert_in_range(file_bytes, f->store->db.wal_pages * WAL_FRAME_BYTES, 8 * MIB);
	fixture_reopen(f);
	assert_int_equal(store_next_job_id(f->store), 201);
}

#define UPKEEP_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UPKEEP_TEST(given_a_small_log_when_idle_then_it_is_left_alone),
		UPKEEP_TEST(given_a_larger_log_when_idle_then_it_is_moved_over_and_its_file_kept),
		UPKEEP_TEST(
			given_a_writer_that_is_never_idle_when_it_goes_on_then_the_log_has_a_bound),
		UPKEEP_TEST(given_a_very_large_log_when_idle_then_its_file_is_cut),
		UPKEEP_TEST(given_small_commits_when_the_log_grows_then_its_file_is_ahead_of_it),
		UPKEEP_TEST(given_deleted_jobs_when_idle_then_the_database_gets_smaller),
	};

	return cmocka_run_group_tests_name("upkeep", tests, NULL, NULL);
}
