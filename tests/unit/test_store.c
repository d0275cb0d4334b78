#include "tests/lib/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static enum job_status status_of(struct fixture *f, uint64_t id)
{
	struct store_read *r = fixture_read_job(f, id);
	enum job_status    status;

	assert_int_equal(r->outcome, GD_OK);
	status = r->jobs[0].status;
	store_read_free(r);
	return status;
}

static enum gd_err outcome_of(struct fixture *f, uint64_t id)
{
	struct store_read *r = fixture_read_job(f, id);
	enum gd_err        outcome = r->outcome;

	store_read_free(r);
	return outcome;
}

/* --- jobs --- */

static void given_a_job_with_everything_when_read_then_it_is_the_same(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(3);
	struct store_job   *j = fixture_add_whole_job(g, 7, JOB_FAILED);
	struct store_read  *r;

	j->key = fixture_text("k");
	j->title = fixture_text("");
	j->labels = fixture_text("[\"a\",\"b\"]");
	j->args = fixture_text("{\"n\":1}");
	j->error = fixture_text("{\"type\":\"X\"}");
	j->loop = 3;
	j->started = FIXTURE_T0 + 5;
	fixture_open(f);
	(void)fixture_commit(f, g);

	r = fixture_read_job(f, 7);

	assert_int_equal(r->outcome, GD_OK);
	assert_int_equal(r->job_count, 1);
	j = &r->jobs[0];
	assert_int_equal(j->id, 7);
	assert_int_equal(j->status, JOB_FAILED);
	assert_int_equal(j->loop, 3);
	assert_int_equal(j->submitted, FIXTURE_T0);
	assert_int_equal(j->started, FIXTURE_T0 + 5);
	assert_int_equal(j->ended, FIXTURE_T0 + 1);
	assert_int_equal(j->seq, 1);
	assert_int_equal(j->end_seq, 2);
	fixture_expect_text(j->owner, "uid:1");
	fixture_expect_text(j->key, "k");
	fixture_expect_text(j->title, "");
	fixture_expect_text(j->labels, "[\"a\",\"b\"]");
	fixture_expect_text(j->args, "{\"n\":1}");
	fixture_expect_text(j->spec, "{}");
	fixture_expect_text(j->result, NULL);
	fixture_expect_text(j->error, "{\"type\":\"X\"}");
	assert_int_equal(r->seq, 2);
	store_read_free(r);
}

static void given_a_job_when_it_starts_and_ends_then_each_step_is_stored(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g;
	struct store_read  *r;
	struct record      *change;

	fixture_open(f);
	fixture_commit_job(f, 1, JOB_QUEUED);
	g = store_group_new(0);
	change = store_group_add(g, RECORD_STARTED, 1);
	change->u.change.time = FIXTURE_T0 + 9;
	(void)fixture_commit(f, g);
	assert_int_equal(status_of(f, 1), JOB_RUNNING);
	g = store_group_new(0);
	change = fixture_add_end(g, 1, JOB_COMPLETED);
	change->u.change.result = fixture_text("42");
	(void)fixture_add_event(g, 1, 5, EVENT_JOB_COMPLETED, "x");

	(void)fixture_commit(f, g);

	r = fixture_read_job(f, 1);
	assert_int_equal(r->jobs[0].status, JOB_COMPLETED);
	assert_int_equal(r->jobs[0].started, FIXTURE_T0 + 9);
	assert_int_equal(r->jobs[0].ended, FIXTURE_T0 + 2);
	assert_int_equal(r->jobs[0].end_seq, 2);
	fixture_expect_text(r->jobs[0].result, "42");
	store_read_free(r);
}

static void given_a_job_that_ended_when_it_ends_again_then_the_first_end_stays(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct record      *again;

	fixture_open(f);
	fixture_commit_job(f, 1, JOB_COMPLETED);
	again = fixture_add_end(g, 1, JOB_CANCELLED);

	(void)fixture_commit(f, g);

	assert_int_equal(again->outcome, GD_NOT_FOUND);
	assert_int_equal(status_of(f, 1), JOB_COMPLETED);
}

static void given_no_such_job_when_read_then_it_is_not_found(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);

	assert_int_equal(outcome_of(f, 99), GD_NOT_FOUND);
}

/* --- keys --- */

static struct record *add_keyed(struct store_group *g, uint64_t id, const char *key,
                                const char *spec)
{
	struct store_job *j = fixture_add_job(g, id, JOB_QUEUED);
	struct record    *r = g->last;

	j->key = fixture_text(key);
	j->spec = fixture_text(spec);
	(void)fixture_add_event(g, id, 0, EVENT_JOB_QUEUED, "queued");
	return r;
}

static void given_a_key_when_it_comes_again_then_the_first_job_is_named(void **state)
{
	struct fixture      *f = *state;
	struct store_group  *g = store_group_new(0);
	struct store_commit *c;
	struct record       *again;

	fixture_open(f);
	(void)add_keyed(g, 10, "k", "{}");
	(void)fixture_commit(f, g);
	g = store_group_new(0);
	again = add_keyed(g, 11, "k", "{}");

	c = fixture_commit(f, g);

	assert_int_equal(again->outcome, GD_OK);
	assert_int_equal(again->existing, 10);
	assert_int_equal(again->existing_seq, 1);
	assert_true(c->first_seq > c->last_seq);
	assert_int_equal(outcome_of(f, 11), GD_NOT_FOUND);
}

static void given_a_key_when_spec_or_args_differ_then_it_is_a_conflict(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct record      *other_spec;
	struct record      *other_args;

	fixture_open(f);
	(void)add_keyed(g, 10, "k", "{}");
	(void)fixture_commit(f, g);
	g = store_group_new(0);
	other_spec = add_keyed(g, 11, "k", "{ }");
	other_args = add_keyed(g, 12, "k", "{}");
	other_args->u.submit->args = fixture_text("{}");

	(void)fixture_commit(f, g);

	assert_int_equal(other_spec->outcome, GD_CONFLICT);
	assert_int_equal(other_spec->existing, 10);
	assert_int_equal(other_args->outcome, GD_CONFLICT);
	assert_int_equal(other_args->existing, 10);
}

static void given_one_key_twice_in_a_group_when_committed_then_the_first_counts(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct record      *first = add_keyed(g, 1, "k", "{}");
	struct record      *second = add_keyed(g, 2, "k", "{}");
	struct record      *third = add_keyed(g, 3, "k", "[]");

	fixture_open(f);
	(void)fixture_commit(f, g);

	assert_int_equal(first->existing, 0);
	assert_int_equal(second->outcome, GD_OK);
	assert_int_equal(second->existing, 1);
	assert_int_equal(second->existing_seq, 1);
	assert_int_equal(third->outcome, GD_CONFLICT);
	assert_int_equal(third->existing, 1);
}

static void given_two_owners_when_they_use_one_key_then_both_jobs_are_new(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct record      *second;

	(void)add_keyed(g, 1, "k", "{}");
	second = add_keyed(g, 2, "k", "{}");
	second->u.submit->owner = fixture_text("uid:2");
	fixture_open(f);

	(void)fixture_commit(f, g);

	assert_int_equal(second->existing, 0);
	assert_int_equal(status_of(f, 2), JOB_QUEUED);
}

static void given_a_known_key_when_more_of_that_job_comes_then_it_is_skipped(void **state)
{
	struct fixture      *f = *state;
	struct store_group  *g = store_group_new(0);
	struct store_commit *c;
	struct store_read   *r;

	fixture_open(f);
	(void)add_keyed(g, 1, "k", "{}");
	(void)fixture_commit(f, g);
	g = store_group_new(0);
	(void)add_keyed(g, 2, "k", "{}");
	(void)fixture_add_input(g, 2, 1, "in");
	(void)fixture_commit(f, g);
	g = store_group_new(0);
	(void)fixture_add_event(g, 2, 1, EVENT_YIELD, "late");
	(void)fixture_add_input(g, 2, 2, "in");
	(void)fixture_add_end(g, 2, JOB_COMPLETED);
	(void)fixture_add_event(g, 1, 1, EVENT_YIELD, "kept");

	c = fixture_commit(f, g);

	assert_int_equal(c->first_seq, 2);
	assert_int_equal(c->last_seq, 2);
	r = fixture_read_events(f, 0, 100);
	assert_int_equal(r->event_count, 2);
	fixture_expect_text(r->events[1].body, "kept");
	assert_int_equal(status_of(f, 1), JOB_QUEUED);
	store_read_free(r);
}

static void given_a_deleted_job_when_its_key_comes_again_then_the_job_is_new(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct record      *again;

	fixture_open(f);
	fixture_add_whole_job(g, 1, JOB_COMPLETED)->key = fixture_text("k");
	(void)fixture_commit(f, g);
	g = store_group_new(0);
	(void)store_group_add(g, RECORD_DELETE, 1);
	(void)fixture_commit(f, g);
	g = store_group_new(0);
	again = add_keyed(g, 2, "k", "{}");

	(void)fixture_commit(f, g);

	assert_int_equal(again->existing, 0);
	assert_int_equal(status_of(f, 2), JOB_QUEUED);
}

/* --- deletion --- */

static void given_a_live_or_unknown_job_when_deleted_then_the_outcome_says_so(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct record      *live;
	struct record      *unknown;

	fixture_open(f);
	fixture_commit_job(f, 1, JOB_RUNNING);
	live = store_group_add(g, RECORD_DELETE, 1);
	unknown = store_group_add(g, RECORD_DELETE, 2);

	(void)fixture_commit(f, g);

	assert_int_equal(live->outcome, GD_CONFLICT);
	assert_int_equal(unknown->outcome, GD_NOT_FOUND);
	assert_int_equal(status_of(f, 1), JOB_RUNNING);
}

static void given_shared_chunks_when_a_job_is_deleted_then_only_its_events_go(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *r;

	fixture_open(f);
	fixture_fill_events(f, 20, 5);
	(void)fixture_add_end(g, 1, JOB_COMPLETED);
	(void)fixture_add_event(g, 1, 10, EVENT_JOB_COMPLETED, "end");
	(void)fixture_commit(f, g);
	g = store_group_new(0);
	(void)store_group_add(g, RECORD_DELETE, 1);

	(void)fixture_commit(f, g);

	assert_int_equal(outcome_of(f, 1), GD_NOT_FOUND);
	r = fixture_new_read(READ_INFO);
	fixture_read(f, r);
	assert_int_equal(r->jobs_by_status[JOB_QUEUED], 1);
	assert_int_equal(r->jobs_by_status[JOB_COMPLETED], 0);
	store_read_free(r);
	r = fixture_read_events(f, 0, 100);
	assert_int_equal(r->event_count, 10);
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(r->events[i].job, 2);
		assert_int_equal(r->events[i].ordinal, i);
		assert_int_equal(r->events[i].seq, 2 * (i + 1));
	}
	assert_int_equal(r->oldest, 2);
	assert_int_equal(r->next_after, 21);
	store_read_free(r);
}

static void given_everything_deleted_when_reopened_then_no_number_comes_twice(void **state)
{
	struct fixture      *f = *state;
	struct store_group  *g = store_group_new(0);
	struct store_commit *c;
	struct store_read   *r;

	fixture_open(f);
	(void)fixture_add_whole_job(g, 41, JOB_COMPLETED);
	(void)store_group_add(g, RECORD_DELETE, 41);
	(void)fixture_commit(f, g);
	fixture_reopen(f);

	assert_int_equal(outcome_of(f, 41), GD_NOT_FOUND);
	assert_int_equal(store_next_job_id(f->store), 42);
	assert_int_equal(store_seq(f->store), 2);
	r = fixture_read_events(f, 0, 10);
	assert_int_equal(r->event_count, 0);
	assert_int_equal(r->oldest, 3);
	store_read_free(r);
	g = store_group_new(0);
	(void)fixture_add_whole_job(g, 42, JOB_QUEUED);
	c = fixture_commit(f, g);
	assert_int_equal(c->first_seq, 3);
}

/* --- the writer --- */

static void given_groups_without_records_when_handed_in_then_they_are_reported(void **state)
{
	struct fixture      *f = *state;
	struct store_group  *g = store_group_new(0);
	struct store_commit *c;

	g->outbox = f;
	fixture_open(f);

	c = fixture_commit(f, g);

	assert_ptr_equal(c->groups, g);
	assert_ptr_equal(c->groups->outbox, f);
	assert_int_equal(c->first_seq, 1);
	assert_int_equal(c->last_seq, 0);
}

static void given_work_in_the_queue_when_stopped_then_all_of_it_is_durable(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g;

	fixture_open(f);
	for (uint64_t id = 1; id <= 20; id++) {
		g = store_group_new(0);
		(void)fixture_add_whole_job(g, id, JOB_QUEUED);
		store_submit(f->store, g);
	}

	fixture_reopen(f);

	assert_int_equal(store_queued(f->store), 0);
	assert_int_equal(store_next_job_id(f->store), 21);
	assert_int_equal(status_of(f, 20), JOB_QUEUED);
}

static void given_a_flood_when_committed_then_it_comes_in_pieces(void **state)
{
	struct fixture      *f = *state;
	struct store_group  *g;
	struct store_commit *c;
	uint64_t             seq = 0;
	uint32_t             groups = 0;
	uint32_t             records;

	fixture_open(f);
	for (uint64_t id = 1; id <= 10; id++) {
		g = store_group_new(0);
		(void)fixture_add_whole_job(g, id, JOB_QUEUED);
		for (uint32_t i = 1; i < 1500; i++)
			(void)fixture_add_event(g, id, i, EVENT_YIELD, "y");
		store_submit(f->store, g);
	}

	while (groups < 10) {
		c = fixture_take(f);
		assert_int_equal(c->outcome, GD_OK);
		assert_int_equal(c->first_seq, seq + 1);
		seq = c->last_seq;
		records = 0;
		for (g = c->groups; g != NULL; g = g->next) {
			records += g->count;
			groups++;
		}
		assert_in_range(records, 1, 4096);
	}
	assert_int_equal(seq, 15000);
}

static void given_many_duplicates_when_more_of_them_comes_then_it_is_skipped(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct store_read  *r;

	fixture_open(f);
	(void)add_keyed(g, 1, "k", "{}");
	for (uint64_t id = 2; id < 40000; id++)
		(void)add_keyed(g, id, "k", "{}");
	(void)fixture_commit(f, g);
	g = store_group_new(0);
	(void)fixture_add_event(g, 20000, 1, EVENT_YIELD, "skipped");
	(void)fixture_add_event(g, 39999, 1, EVENT_YIELD, "skipped");

	(void)fixture_commit(f, g);

	r = fixture_read_events(f, 0, 10);
	assert_int_equal(r->event_count, 1);
	store_read_free(r);
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(given_a_job_with_everything_when_read_then_it_is_the_same),
		STORE_TEST(given_a_job_when_it_starts_and_ends_then_each_step_is_stored),
		STORE_TEST(given_a_job_that_ended_when_it_ends_again_then_the_first_end_stays),
		STORE_TEST(given_no_such_job_when_read_then_it_is_not_found),
		STORE_TEST(given_a_key_when_it_comes_again_then_the_first_job_is_named),
		STORE_TEST(given_a_key_when_spec_or_args_differ_then_it_is_a_conflict),
		STORE_TEST(given_one_key_twice_in_a_group_when_committed_then_the_first_counts),
		STORE_TEST(given_two_owners_when_they_use_one_key_then_both_jobs_are_new),
		STORE_TEST(given_a_known_key_when_more_of_that_job_comes_then_it_is_skipped),
		STORE_TEST(given_a_deleted_job_when_its_key_comes_again_then_the_job_is_new),
		STORE_TEST(given_a_live_or_unknown_job_when_deleted_then_the_outcome_says_so),
		STORE_TEST(given_shared_chunks_when_a_job_is_deleted_then_only_its_events_go),
		STORE_TEST(given_everything_deleted_when_reopened_then_no_number_comes_twice),
		STORE_TEST(given_groups_without_records_when_handed_in_then_they_are_reported),
		STORE_TEST(given_work_in_the_queue_when_stopped_then_all_of_it_is_durable),
		STORE_TEST(given_a_flood_when_committed_then_it_comes_in_pieces),
		STORE_TEST(given_many_duplicates_when_more_of_them_comes_then_it_is_skipped),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
