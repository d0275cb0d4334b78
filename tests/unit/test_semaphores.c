#include "daemon/run/semaphores.h"
#include "tests/lib/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was granted since the last look: "7.1 8.1", jobs with their tickets. */
struct bench {
	struct semaphores *table;
	char               granted[256];
	gd_nsec            time; /* of the last grant */
};

static void note(void *ctx, uint64_t job, uint32_t ticket, gd_nsec time)
{
	struct bench *b = ctx;
	size_t        used = strlen(b->granted);

	(void)snprintf(b->granted + used, sizeof b->granted - used, "%s%" PRIu64 ".%u",
	               used == 0 ? "" : " ", job, (unsigned)ticket);
	b->time = time;
}

static int setup_with(void **state, uint32_t usual)
{
	struct bench *b = calloc(1, sizeof *b);

	*state = b;
	return b != NULL && semaphores_open(usual, note, b, &b->table, NULL) == GD_OK ? 0 : -1;
}

static int setup_rebuilding(void **state)
{
	return setup_with(state, 1);
}

static int setup_of_four(void **state)
{
	return setup_with(state, 4) == 0 &&
	                       semaphores_start(((struct bench *)*state)->table, NULL) == GD_OK
	               ? 0
	               : -1;
}

static int setup(void **state)
{
	return setup_rebuilding(state) == 0 &&
	                       semaphores_start(((struct bench *)*state)->table, NULL) == GD_OK
	               ? 0
	               : -1;
}

static int teardown(void **state)
{
	semaphores_close(((struct bench *)*state)->table);
	free(*state);
	return 0;
}

static struct text text(const char *name)
{
	return (struct text){ name, strlen(name) };
}

static void acquire_at(struct bench *b, uint64_t job, uint32_t ticket, gd_nsec time)
{
	assert_int_equal(semaphores_acquire(b->table, job, ticket, text("db"), 0, time), GD_OK);
}

static void acquire(struct bench *b, uint64_t job)
{
	acquire_at(b, job, 1, 0);
}

static void release(struct bench *b, uint64_t job)
{
	semaphores_release(b->table, job, 1, 0);
}

static struct semaphore_state put_as(struct bench *b, uint32_t permits, uint64_t serial)
{
	struct semaphore_state s;

	semaphores_put(b->table, text("db"), permits, serial, &s);
	return s;
}

static struct semaphore_state put(struct bench *b, uint32_t permits)
{
	assert_int_equal(semaphores_begin_put(b->table, text("db"), permits, NULL), GD_OK);
	return put_as(b, permits, 1);
}

static void assert_granted(struct bench *b, const char *wanted)
{
	assert_string_equal(b->granted, wanted);
	b->granted[0] = '\0';
}

/* "db 1 1 2, x 0 0 0": name, permits, held, waiting. */
struct listing {
	char     text[512];
	uint32_t left;
};

static bool list_one(void *ctx, const struct semaphore_state *s)
{
	struct listing *l = ctx;
	size_t          used = strlen(l->text);

	(void)snprintf(l->text + used, sizeof l->text - used, "%s%s %u %u %u",
	               used == 0 ? "" : ", ", s->name.at, (unsigned)s->permits, (unsigned)s->held,
	               (unsigned)s->waiting);
	return --l->left > 0;
}

static void assert_listed(struct bench *b, const char *after, uint32_t limit, const char *wanted)
{
	struct listing l = { .left = limit };

	semaphores_each(b->table, after == NULL ? (struct text){ 0 } : text(after), list_one, &l);
	assert_string_equal(l.text, wanted);
}

/* --- who comes first --- */

static void given_one_permit_then_it_goes_round_in_the_order_of_asking(void **state)
{
	struct bench *b = *state;

	acquire(b, 9);
	acquire(b, 3);
	acquire(b, 7);
	assert_granted(b, "9.1");
	assert_listed(b, NULL, 9, "db 1 1 2");

	release(b, 9);
	assert_granted(b, "3.1");
	release(b, 3);
	assert_granted(b, "7.1");
	release(b, 7);
	assert_granted(b, "");
	assert_listed(b, NULL, 9, "");
}

static void given_two_tickets_of_one_job_then_each_is_a_claim_of_its_own(void **state)
{
	struct bench *b = *state;

	acquire_at(b, 1, 1, 0);
	acquire_at(b, 1, 2, 0);
	assert_granted(b, "1.1");

	semaphores_release(b->table, 1, 1, 0);

	assert_granted(b, "1.2");
}

static void given_two_names_then_one_does_not_wait_for_the_other(void **state)
{
	struct bench *b = *state;

	acquire(b, 1);
	assert_int_equal(semaphores_acquire(b->table, 2, 1, text("x"), 0, 0), GD_OK);

	assert_granted(b, "1.1 2.1");
	assert_listed(b, NULL, 9, "db 1 1 0, x 1 1 0");
}

static void given_one_who_waits_no_more_then_the_line_goes_on_without_it(void **state)
{
	struct bench *b = *state;

	for (uint64_t job = 1; job <= 5; job++)
		acquire(b, job);
	release(b, 2); /* the first in line */
	release(b, 4); /* in the middle */
	release(b, 5); /* the last */
	assert_granted(b, "1.1");
	assert_listed(b, NULL, 9, "db 1 1 1");

	acquire(b, 6);
	release(b, 1);
	assert_granted(b, "3.1");
	release(b, 3);
	assert_granted(b, "6.1");
}

static void given_an_unknown_claim_when_released_then_nothing_happens(void **state)
{
	struct bench *b = *state;

	acquire(b, 1);
	acquire(b, 2);
	assert_granted(b, "1.1");

	semaphores_release(b->table, 1, 2, 0);
	semaphores_release(b->table, 3, 1, 0);

	assert_granted(b, "");
	assert_listed(b, NULL, 9, "db 1 1 1");
}

static void given_thousands_of_claims_then_each_is_found(void **state)
{
	struct bench *b = *state;

	(void)put(b, 0);
	for (uint32_t i = 1; i <= 5000; i++)
		acquire_at(b, 1 + i % 7, i, 0);
	for (uint32_t i = 1; i < 5000; i++)
		semaphores_release(b->table, 1 + i % 7, i, 0);
	assert_listed(b, NULL, 9, "db 0 0 1");

	(void)put(b, 1);

	assert_granted(b, "3.5000");
}

static void given_who_gave_back_then_the_next_is_told_when_that_was(void **state)
{
	struct bench *b = *state;

	acquire_at(b, 1, 1, 10);
	assert_int_equal(b->time, 10);
	acquire_at(b, 2, 1, 20);

	semaphores_release(b->table, 1, 1, 15);
	assert_int_equal(b->time, 20); /* its own asking was later */
	acquire_at(b, 3, 1, 21);
	semaphores_release(b->table, 2, 1, 99);

	assert_int_equal(b->time, 99);
}

/* --- priorities --- */

static void acquire_as(struct bench *b, uint64_t job, int priority, gd_nsec time)
{
	assert_int_equal(semaphores_acquire(b->table, job, 1, text("db"), priority, time), GD_OK);
}

static void given_priorities_then_the_higher_goes_first_and_within_one_who_came_first(void **state)
{
	struct bench *b = *state;

	acquire_as(b, 1, -JOB_PRIORITY_MAX, 0);
	assert_granted(b, "1.1"); /* nobody else was there */
	acquire_as(b, 2, 0, 0);
	acquire_as(b, 3, 5, 0);
	acquire_as(b, 4, -JOB_PRIORITY_MAX, 0);
	acquire_as(b, 5, 5, 0);
	acquire_as(b, 6, 0, 0);
	acquire_as(b, 7, JOB_PRIORITY_MAX, 0);

	(void)put(b, 7);

	assert_granted(b, "7.1 3.1 5.1 2.1 6.1 4.1");
}

static void given_the_last_of_its_priority_who_waits_no_more_then_the_others_are_not_disturbed(
	void **state)
{
	struct bench *b = *state;

	acquire(b, 1);
	acquire_as(b, 2, 1, 0);
	acquire_as(b, 3, 3, 0);
	acquire_as(b, 4, 2, 0);
	release(b, 4); /* in the middle */
	release(b, 3); /* in front */
	acquire_as(b, 5, 2, 0);
	assert_granted(b, "1.1");

	(void)put(b, 3);

	assert_granted(b, "5.1 2.1");
}

static void given_many_permits_as_usual_then_as_many_go_in(void **state)
{
	struct bench *b = *state;

	for (uint64_t job = 1; job <= 5; job++)
		acquire(b, job);
	assert_granted(b, "1.1 2.1 3.1 4.1");
	assert_listed(b, NULL, 9, "db 4 4 1");
	for (uint64_t job = 1; job <= 5; job++)
		release(b, job);
	assert_listed(b, NULL, 9, "");

	(void)put(b, 4); /* a number of its own, though it is the usual one now */
	assert_listed(b, NULL, 9, "db 4 0 0");
	(void)put(b, SEMAPHORE_PERMITS_USUAL);
	assert_listed(b, NULL, 9, "");
}

/* --- who holds, who waits --- */

/* "1.1 since 5, 2.1 waits since 6": in the order in which they are told. */
static bool who_one(void *ctx, const struct semaphore_claim *c)
{
	struct listing *l = ctx;
	size_t          used = strlen(l->text);

	(void)snprintf(l->text + used, sizeof l->text - used, "%s%" PRIu64 ".%u %s %" PRId64 " %d",
	               used == 0 ? "" : ", ", c->job, (unsigned)c->ticket,
	               c->is_held ? "since" : "waits since", c->since, c->priority);
	return --l->left > 0;
}

static void assert_who(struct bench *b, uint32_t limit, const char *wanted)
{
	struct listing l = { .left = limit };

	assert_int_equal(semaphores_who(b->table, text("db"), who_one, &l), wanted[0] != '\0');
	assert_string_equal(l.text, wanted);
}

static void given_holders_and_a_line_then_both_are_told_in_order(void **state)
{
	struct bench *b = *state;

	assert_who(b, 9, "");
	(void)put(b, 2);
	acquire_as(b, 1, 0, 10);
	acquire_as(b, 2, 7, 20);
	acquire_as(b, 3, 0, 30);
	acquire_as(b, 4, 1, 40);

	assert_who(b, 9,
	           "1.1 since 10 0, 2.1 since 20 7, 4.1 waits since 40 1, "
	           "3.1 waits since 30 0");
	assert_who(b, 2, "1.1 since 10 0, 2.1 since 20 7");
	assert_who(b, 3, "1.1 since 10 0, 2.1 since 20 7, 4.1 waits since 40 1");

	semaphores_release(b->table, 1, 1, 50);
	assert_who(b, 9, "2.1 since 20 7, 4.1 since 50 1, 3.1 waits since 30 0");
}

static void given_a_claim_then_its_place_is_how_many_go_before_it(void **state)
{
	struct bench          *b = *state;
	struct semaphore_place place;

	acquire_as(b, 1, 0, 10);
	acquire_as(b, 2, 0, 20);
	acquire_as(b, 3, 0, 30);
	acquire_as(b, 4, 9, 40);
	acquire_as(b, 5, -9, 50);

	assert_true(semaphores_place(b->table, 3, 1, &place));
	assert_false(place.claim.is_held);
	assert_int_equal(place.claim.since, 30);
	assert_int_equal(place.before, 2); /* 4 and 2 */
	assert_int_equal(place.state.permits, 1);
	assert_int_equal(place.state.held, 1);
	assert_int_equal(place.state.waiting, 4);
	assert_true(semaphores_place(b->table, 5, 1, &place));
	assert_int_equal(place.before, 3);
	assert_false(place.is_more);
	assert_true(semaphores_place(b->table, 1, 1, &place));
	assert_true(place.claim.is_held);
	assert_int_equal(place.before, 0);
	assert_false(semaphores_place(b->table, 1, 2, &place));
}

static void given_a_very_long_line_then_it_is_not_counted_to_the_end(void **state)
{
	struct bench          *b = *state;
	struct semaphore_place place;

	(void)put(b, 0);
	for (uint64_t job = 1; job <= SEMAPHORES_BEFORE_MAX + 2; job++)
		acquire(b, job);
	acquire_as(b, 99999, 1, 0);

	assert_true(semaphores_place(b->table, SEMAPHORES_BEFORE_MAX + 1, 1, &place));
	assert_int_equal(place.before, SEMAPHORES_BEFORE_MAX + 1);
	assert_false(place.is_more);
	assert_true(semaphores_place(b->table, SEMAPHORES_BEFORE_MAX + 2, 1, &place));
	assert_int_equal(place.before, SEMAPHORES_BEFORE_MAX + 1);
	assert_true(place.is_more);
}

/* --- permits --- */

static void given_more_permits_then_the_first_in_line_go_in_at_once(void **state)
{
	struct bench          *b = *state;
	struct semaphore_state s;

	for (uint64_t job = 1; job <= 4; job++)
		acquire(b, job);
	assert_granted(b, "1.1");

	s = put(b, 3);

	assert_granted(b, "2.1 3.1");
	assert_int_equal(s.permits, 3);
	assert_int_equal(s.held, 3);
	assert_int_equal(s.waiting, 1);
}

static void given_fewer_permits_than_are_held_then_they_hold_as_permits_come_back(void **state)
{
	struct bench *b = *state;

	(void)put(b, 3);
	for (uint64_t job = 1; job <= 4; job++)
		acquire(b, job);
	assert_granted(b, "1.1 2.1 3.1");

	(void)put(b, 1);
	release(b, 1);
	release(b, 2);
	assert_granted(b, "");
	release(b, 3);
	assert_granted(b, "4.1");
}

static void given_no_permits_then_everybody_waits_until_there_are_some(void **state)
{
	struct bench *b = *state;

	(void)put(b, 0);
	acquire(b, 1);
	acquire(b, 2);
	assert_granted(b, "");

	(void)put(b, SEMAPHORE_PERMITS_MAX);

	assert_granted(b, "1.1 2.1");
}

static void given_puts_that_are_told_out_of_order_then_the_later_one_counts(void **state)
{
	struct bench *b = *state;

	assert_int_equal(semaphores_begin_put(b->table, text("db"), 5, NULL), GD_OK);
	assert_int_equal(semaphores_begin_put(b->table, text("db"), SEMAPHORE_PERMITS_USUAL, NULL),
	                 GD_OK);

	assert_int_equal(put_as(b, SEMAPHORE_PERMITS_USUAL, 2).permits, 1);
	assert_int_equal(put_as(b, 5, 1).permits, 1);

	assert_listed(b, NULL, 9, "");
}

static void given_a_put_on_its_way_then_it_changes_nothing_yet(void **state)
{
	struct bench *b = *state;

	assert_int_equal(semaphores_begin_put(b->table, text("db"), 2, NULL), GD_OK);
	acquire(b, 1);
	acquire(b, 2);
	assert_granted(b, "1.1");

	(void)put_as(b, 2, 1);

	assert_granted(b, "2.1");
}

static void given_one_permit_again_then_an_idle_semaphore_is_forgotten(void **state)
{
	struct bench *b = *state;

	(void)put(b, 2);
	assert_listed(b, NULL, 9, "db 2 0 0");

	(void)put(b, SEMAPHORE_PERMITS_USUAL);

	assert_listed(b, NULL, 9, "");
}

static void given_as_many_puts_as_may_be_then_one_more_is_refused_until_one_is_taken_back(
	void **state)
{
	struct bench   *b = *state;
	char            name[16];
	struct gd_error why;

	for (uint32_t i = 0; i < SEMAPHORES_PUT_MAX; i++) {
		(void)snprintf(name, sizeof name, "s%u", (unsigned)i);
		assert_int_equal(semaphores_begin_put(b->table, text(name), 2, NULL), GD_OK);
		semaphores_put(b->table, text(name), 2, 1, NULL);
	}
	assert_int_equal(semaphores_begin_put(b->table, text("db"), 2, &why), GD_LIMIT);
	assert_int_equal(semaphores_begin_put(b->table, text("s7"), 3, NULL), GD_OK);
	semaphores_put(b->table, text("s7"), 3, 2, NULL);
	acquire(b, 1); /* the usual permit has no limit */
	assert_granted(b, "1.1");

	assert_int_equal(semaphores_begin_put(b->table, text("s7"), SEMAPHORE_PERMITS_USUAL, NULL),
	                 GD_OK);
	semaphores_put(b->table, text("s7"), SEMAPHORE_PERMITS_USUAL, 3, NULL);

	assert_int_equal(put(b, 2).held, 1);
}

static void given_several_names_then_they_are_listed_in_order_from_any_place(void **state)
{
	struct bench *b = *state;

	assert_int_equal(semaphores_acquire(b->table, 1, 1, text("b"), 0, 0), GD_OK);
	assert_int_equal(semaphores_acquire(b->table, 2, 1, text("a"), 0, 0), GD_OK);
	assert_int_equal(semaphores_acquire(b->table, 3, 1, text("c"), 0, 0), GD_OK);

	assert_listed(b, NULL, 2, "a 1 1 0, b 1 1 0");
	assert_listed(b, "b", 2, "c 1 1 0");
	assert_listed(b, "aa", 1, "b 1 1 0");
}

/* --- after a restart --- */

static void given_a_restart_then_who_held_holds_and_who_asked_first_is_first(void **state)
{
	struct bench *b = *state;

	/* Job by job, as recovery does; the journal knows of the grant of 5. */
	acquire_at(b, 2, 1, 30);
	acquire_at(b, 3, 1, 20);
	acquire_at(b, 5, 1, 10);
	semaphores_hold(b->table, 5, 1, 12);
	acquire_at(b, 7, 2, 20);
	acquire_at(b, 7, 1, 20);
	assert_granted(b, "");

	assert_int_equal(semaphores_start(b->table, NULL), GD_OK);
	assert_granted(b, "");
	assert_listed(b, NULL, 9, "db 1 1 4");

	semaphores_release(b->table, 5, 1, 40);
	assert_granted(b, "3.1");
	semaphores_release(b->table, 3, 1, 50);
	assert_granted(b, "7.1");
	semaphores_release(b->table, 7, 1, 50);
	assert_granted(b, "7.2");
	semaphores_release(b->table, 7, 2, 50);
	assert_granted(b, "2.1");
}

static void given_a_grant_that_was_not_journaled_then_it_is_decided_again(void **state)
{
	struct bench *b = *state;

	acquire_at(b, 1, 1, 5);
	acquire_at(b, 2, 1, 6);

	assert_int_equal(semaphores_start(b->table, NULL), GD_OK);

	assert_granted(b, "1.1");
}

static void given_a_grant_whose_permit_came_back_then_it_holds_nothing(void **state)
{
	struct bench *b = *state;

	acquire_at(b, 1, 1, 5);
	semaphores_release(b->table, 1, 1, 6);
	semaphores_hold(b->table, 1, 1, 5);
	acquire_at(b, 2, 1, 6);

	assert_int_equal(semaphores_start(b->table, NULL), GD_OK);

	assert_granted(b, "2.1");
	assert_listed(b, NULL, 9, "db 1 1 0");
}

static void given_more_holders_than_permits_then_all_of_them_hold(void **state)
{
	struct bench *b = *state;

	(void)put(b, 1);
	for (uint64_t job = 1; job <= 3; job++) {
		acquire(b, job);
		semaphores_hold(b->table, job, 1, 0);
	}
	acquire(b, 4);

	assert_int_equal(semaphores_start(b->table, NULL), GD_OK);
	assert_listed(b, NULL, 9, "db 1 3 1");

	release(b, 1);
	release(b, 2);
	assert_granted(b, "");
	release(b, 3);
	assert_granted(b, "4.1");
}

static void given_a_restart_then_each_priority_is_in_the_order_of_asking_again(void **state)
{
	struct bench *b = *state;

	(void)put(b, 2);
	acquire_as(b, 1, 0, 30);
	acquire_as(b, 2, 4, 25);
	acquire_as(b, 3, 0, 20);
	acquire_as(b, 4, 4, 15);
	acquire_as(b, 5, 0, 10);
	semaphores_hold(b->table, 5, 1, 18);
	acquire_as(b, 6, 4, 5);
	semaphores_hold(b->table, 6, 1, 6);

	assert_int_equal(semaphores_start(b->table, NULL), GD_OK);

	assert_who(b, 9,
	           "6.1 since 6 4, 5.1 since 18 0, 4.1 waits since 15 4, 2.1 waits since 25 4, "
	           "3.1 waits since 20 0, 1.1 waits since 30 0");
}

/* --- without memory --- */

/* One asks for `name` where another holds "db", until there is memory; how often there was none. */
static size_t acquire_without_memory(struct bench *b, const char *name, int priority)
{
	size_t      failures = 0;
	enum gd_err rc;

	for (;; failures++) {
		fault_arm(failures);
		rc = semaphores_acquire(b->table, 2, 1, text(name), priority, 0);
		if (!fault_disarm())
			break;
		assert_int_equal(rc, GD_NOMEM);
		assert_listed(b, NULL, 9, "db 1 1 0");
	}
	assert_int_equal(rc, GD_OK);
	return failures;
}

static void given_no_memory_then_an_asking_is_refused_and_nothing_has_changed(void **state)
{
	struct bench *b = *state;

	if (!fault_is_possible())
		skip();
	acquire(b, 1);

	assert_int_equal(acquire_without_memory(b, "x", 0), 2); /* the claim, the semaphore */
	assert_granted(b, "1.1 2.1");
}

static void given_no_memory_for_a_line_then_nobody_stands_in_it(void **state)
{
	struct bench *b = *state;

	if (!fault_is_possible())
		skip();
	acquire(b, 1);

	assert_int_equal(acquire_without_memory(b, "db", 3), 2); /* the claim, the line */
	release(b, 1);
	assert_granted(b, "1.1 2.1");
}

#define TABLE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define RESTART_TEST(test) cmocka_unit_test_setup_teardown(test, setup_rebuilding, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(given_one_permit_then_it_goes_round_in_the_order_of_asking),
		TABLE_TEST(given_two_tickets_of_one_job_then_each_is_a_claim_of_its_own),
		TABLE_TEST(given_two_names_then_one_does_not_wait_for_the_other),
		TABLE_TEST(given_one_who_waits_no_more_then_the_line_goes_on_without_it),
		TABLE_TEST(given_an_unknown_claim_when_released_then_nothing_happens),
		TABLE_TEST(given_thousands_of_claims_then_each_is_found),
		TABLE_TEST(given_who_gave_back_then_the_next_is_told_when_that_was),
		TABLE_TEST(
			given_priorities_then_the_higher_goes_first_and_within_one_who_came_first),
		TABLE_TEST(
			given_the_last_of_its_priority_who_waits_no_more_then_the_others_are_not_disturbed),
		cmocka_unit_test_setup_teardown(given_many_permits_as_usual_then_as_many_go_in,
		                                setup_of_four, teardown),
		TABLE_TEST(given_holders_and_a_line_then_both_are_told_in_order),
		TABLE_TEST(given_a_claim_then_its_place_is_how_many_go_before_it),
		TABLE_TEST(given_a_very_long_line_then_it_is_not_counted_to_the_end),
		TABLE_TEST(given_more_permits_then_the_first_in_line_go_in_at_once),
		TABLE_TEST(given_fewer_permits_than_are_held_then_they_hold_as_permits_come_back),
		TABLE_TEST(given_no_permits_then_everybody_waits_until_there_are_some),
		TABLE_TEST(given_puts_that_are_told_out_of_order_then_the_later_one_counts),
		TABLE_TEST(given_a_put_on_its_way_then_it_changes_nothing_yet),
		TABLE_TEST(given_one_permit_again_then_an_idle_semaphore_is_forgotten),
		TABLE_TEST(
			given_as_many_puts_as_may_be_then_one_more_is_refused_until_one_is_taken_back),
		TABLE_TEST(given_several_names_then_they_are_listed_in_order_from_any_place),
		RESTART_TEST(given_a_restart_then_who_held_holds_and_who_asked_first_is_first),
		RESTART_TEST(given_a_grant_that_was_not_journaled_then_it_is_decided_again),
		RESTART_TEST(given_a_grant_whose_permit_came_back_then_it_holds_nothing),
		RESTART_TEST(given_more_holders_than_permits_then_all_of_them_hold),
		RESTART_TEST(given_a_restart_then_each_priority_is_in_the_order_of_asking_again),
		TABLE_TEST(given_no_memory_then_an_asking_is_refused_and_nothing_has_changed),
		TABLE_TEST(given_no_memory_for_a_line_then_nobody_stands_in_it),
	};

	return cmocka_run_group_tests_name("semaphores", tests, NULL, NULL);
}
