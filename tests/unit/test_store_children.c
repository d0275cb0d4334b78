/* Children: rows that lean on their parent's, and the names of loops. */
#include "tests/lib/retention_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const struct store_retention an_hour = { .jobs_age = HOUR };

static struct store_job *add_child(struct store_group *g, uint64_t id, uint64_t parent,
                                   uint32_t ticket, enum job_status status)
{
	struct store_job   *j = fixture_add_whole_job(g, id, status);
	struct store_child *c = arena_alloc(&g->arena, sizeof *c);

	assert_non_null(c);
	*c = (struct store_child){ .parent = parent,
		                   .ticket = ticket,
		                   .code = fixture_text("/0/create_task"),
		                   .base = fixture_text("/0#3"),
		                   .captures = { "\0\1", 2 } };
	j->owner = j->spec = (struct text){ 0 };
	j->parent = parent;
	j->child = c;
	if (job_status_is_final(status))
		j->ended = fixture_now;
	return j;
}

/* Parent 1 with children 2 and 3; 4 is a child of 3. */
static void open_family(struct fixture *f, enum job_status parent, enum job_status others)
{
	struct store_group *g = store_group_new(0);
	struct store_job   *j = fixture_add_whole_job(g, 1, parent);

	j->spec = fixture_text("[\"of the root\"]");
	if (job_status_is_final(parent))
		j->ended = fixture_now;
	(void)add_child(g, 2, 1, 1, JOB_COMPLETED);
	(void)add_child(g, 3, 1, 5, others);
	(void)add_child(g, 4, 3, 1, others);
	fixture_open_bounded(f, &an_hour);
	(void)fixture_commit_here(f, g);
}

static enum gd_err try_delete(struct fixture *f, uint64_t job, uint64_t *needs_it)
{
	struct store_group *g = store_group_new(0);
	struct record      *r = store_group_add(g, RECORD_DELETE, job);

	assert_non_null(r);
	(void)fixture_commit_here(f, g);
	*needs_it = r->existing;
	return r->outcome;
}

static void given_a_child_when_read_then_owner_and_spec_are_those_of_its_root(void **state)
{
	struct fixture    *f = *state;
	struct store_read *r = fixture_ask(READ_JOB, 4);

	open_family(f, JOB_RUNNING, JOB_RUNNING);
	r->flags = READ_WITH_SPEC;
	read_answer(f->store, r);
	assert_int_equal(r->outcome, GD_OK);
	assert_int_equal(r->jobs[0].parent, 3);
	fixture_expect_text(r->jobs[0].owner, "uid:1");
	fixture_expect_text(r->jobs[0].spec, "[\"of the root\"]");
	store_read_free(r);
}

static void given_live_children_when_recovered_then_all_is_there_that_makes_them(void **state)
{
	struct fixture    *f = *state;
	struct store_read *r = fixture_ask(READ_LIVE, INT64_MAX);

	open_family(f, JOB_RUNNING, JOB_RUNNING);
	r->parts = 1;
	r->limit = 10;
	r->bytes_max = SIZE_MAX;
	read_answer(f->store, r);
	assert_int_equal(r->live_count, 3);
	assert_int_equal(r->live[0].last_ticket, 5);
	assert_null(r->live[0].job.child);
	assert_false(r->live[0].knows_no_children);
	assert_int_equal(r->live[2].job.child->parent, 3);
	assert_int_equal(r->live[2].job.child->ticket, 1);
	fixture_expect_text(r->live[2].job.child->code, "/0/create_task");
	fixture_expect_text(r->live[2].job.child->base, "/0#3");
	assert_int_equal(r->live[2].job.child->captures.bytes, 2);
	assert_memory_equal(r->live[2].job.child->captures.at, "\0\1", 2);
	fixture_expect_text(r->live[2].job.spec, "[\"of the root\"]");
	store_read_free(r);
}

static void given_a_parent_when_it_asks_for_tickets_then_it_hears_what_came_of_them(void **state)
{
	struct fixture      *f = *state;
	struct store_read   *r = fixture_ask(READ_OUTCOMES, 0);
	struct store_outcome o[] = { { .parent = 1, .ticket = 1 },
		                     { .parent = 1, .ticket = 2 },
		                     { .parent = 1, .ticket = 5 } };

	open_family(f, JOB_RUNNING, JOB_RUNNING);
	r->outcomes = o;
	r->outcome_count = 3;
	r->bytes_max = SIZE_MAX;
	read_answer(f->store, r);
	assert_int_equal(r->outcome, GD_OK);
	assert_int_equal(o[0].job, 2);
	assert_int_equal(o[0].status, JOB_COMPLETED);
	assert_true(o[1].is_known);
	assert_int_equal(o[1].job, 0);
	assert_int_equal(o[2].job, 3);
	assert_int_equal(o[2].status, JOB_RUNNING);
	store_read_free(r);
}

/* The ids of a page. */
static void expect_listed(struct fixture *f, struct store_read *r, const char *expected)
{
	char   said[128] = "";
	size_t used = 0;

	read_answer(f->store, r);
	assert_int_equal(r->outcome, GD_OK);
	for (uint32_t i = 0; i < r->job_count; i++)
		used += (size_t)snprintf(said + used, sizeof said - used, "%s%u", i == 0 ? "" : " ",
		                         (unsigned)r->jobs[i].id);
	assert_string_equal(said, expected);
	store_read_free(r);
}

static struct store_read *list(uint64_t parent, bool has_children, uint64_t after, bool is_newest)
{
	struct store_read *r = fixture_ask(READ_JOBS, 0);

	r->parent_filter = parent;
	r->has_children = has_children;
	r->after = after;
	r->limit = 10;
	r->is_newest_first = is_newest;
	return r;
}

static void given_children_when_listed_then_under_their_parent_or_when_asked_for(void **state)
{
	struct fixture *f = *state;

	open_family(f, JOB_RUNNING, JOB_RUNNING);
	expect_listed(f, list(0, false, 0, false), "1");
	expect_listed(f, list(0, true, 0, false), "1 2 3 4");
	expect_listed(f, list(1, false, 0, false), "2 3");
	expect_listed(f, list(1, false, 2, false), "3");
	expect_listed(f, list(1, false, 0, true), "3 2");
	expect_listed(f, list(1, false, 3, true), "2");
	expect_listed(f, list(2, false, 0, false), "");
}

static void given_a_live_parent_when_a_child_is_deleted_then_it_is_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t        needs_it;

	open_family(f, JOB_RUNNING, JOB_COMPLETED);
	assert_int_equal(try_delete(f, 2, &needs_it), GD_CONFLICT);
	assert_int_equal(needs_it, 1);
	assert_int_equal(try_delete(f, 4, &needs_it), GD_OK);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM children"), 2);
}

static void given_a_parent_that_left_a_live_child_when_deleted_then_it_is_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t        needs_it;

	open_family(f, JOB_FAILED, JOB_RUNNING);
	assert_int_equal(try_delete(f, 1, &needs_it), GD_CONFLICT);
	assert_int_equal(needs_it, 1);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM jobs"), 4);
}

static void given_a_family_that_is_over_when_deleted_then_all_of_it_leaves(void **state)
{
	struct fixture *f = *state;
	uint64_t        needs_it;

	open_family(f, JOB_COMPLETED, JOB_CANCELLED);
	assert_int_equal(try_delete(f, 1, &needs_it), GD_OK);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM jobs"), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM children"), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM event_chunks"), 0);
	fixture_open_again(f, &an_hour);
	assert_int_equal(fixture_number(f, "SELECT completed + cancelled FROM state"), 0);
}

static void given_children_when_an_hour_has_passed_then_they_leave_with_their_parent(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g;

	open_family(f, JOB_RUNNING, JOB_COMPLETED);
	fixture_now += 2 * HOUR;
	(void)fixture_settle(f);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM jobs"), 4);
	fixture_open_again(f, &an_hour); /* nor are they listed at a start */
	g = store_group_new(0);
	fixture_add_end(g, 1, JOB_COMPLETED)->u.change.time = fixture_now;
	(void)fixture_commit_here(f, g);
	fixture_now += HOUR / 2;
	(void)fixture_settle(f);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM jobs"), 4);
	fixture_now += HOUR;
	(void)fixture_settle(f);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM jobs"), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM children"), 0);
}

static void given_very_many_children_when_they_expire_then_in_more_than_one_slice(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);

	fixture_add_whole_job(g, 1, JOB_COMPLETED)->ended = fixture_now;
	for (uint32_t i = 1; i <= 1000; i++)
		(void)add_child(g, 1 + i, 1, i, JOB_COMPLETED);
	fixture_open_bounded(f, &an_hour);
	(void)fixture_commit_here(f, g);
	fixture_now += 2 * HOUR;
	assert_true(fixture_settle(f) > 1);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM jobs"), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM children"), 0);
}

/* --- names of loops --- */

static enum gd_err say_loop(void *ctx, struct text name, uint32_t index, struct gd_error *why)
{
	char  *said = ctx;
	size_t used = strlen(said);

	(void)why;
	(void)snprintf(said + used, 128 - used, "%.*s=%u ", (int)name.bytes, name.at,
	               (unsigned)index);
	return GD_OK;
}

static void given_names_of_loops_when_opened_again_then_the_first_record_counts(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	char                said[128] = "";

	for (uint32_t i = 0; i < 3; i++) {
		struct record *r = store_group_add(g, RECORD_LOOP, 0);

		assert_non_null(r);
		r->u.loop.name = fixture_text(i == 1 ? "b" : "a");
		r->u.loop.index = i;
	}
	fixture_open_bounded(f, &an_hour);
	(void)fixture_commit_here(f, g);
	fixture_open_again(f, &an_hour);
	assert_int_equal(store_each_loop(f->store, say_loop, said, NULL), GD_OK);
	assert_string_equal(said, "a=0 b=1 ");
}

#define STORE_TEST(test) \
	cmocka_unit_test_setup_teardown(test, fixture_setup_clock, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(given_a_child_when_read_then_owner_and_spec_are_those_of_its_root),
		STORE_TEST(given_live_children_when_recovered_then_all_is_there_that_makes_them),
		STORE_TEST(given_a_parent_when_it_asks_for_tickets_then_it_hears_what_came_of_them),
		STORE_TEST(given_children_when_listed_then_under_their_parent_or_when_asked_for),
		STORE_TEST(given_a_live_parent_when_a_child_is_deleted_then_it_is_refused),
		STORE_TEST(given_a_parent_that_left_a_live_child_when_deleted_then_it_is_refused),
		STORE_TEST(given_a_family_that_is_over_when_deleted_then_all_of_it_leaves),
		STORE_TEST(
			given_children_when_an_hour_has_passed_then_they_leave_with_their_parent),
		STORE_TEST(given_very_many_children_when_they_expire_then_in_more_than_one_slice),
		STORE_TEST(given_names_of_loops_when_opened_again_then_the_first_record_counts),
	};

	return cmocka_run_group_tests_name("store_children", tests, NULL, NULL);
}
