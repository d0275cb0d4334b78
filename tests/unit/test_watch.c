#include "daemon/net/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct watches table;
static struct watch  *told[64];
static uint32_t       told_count;

struct meddler {
	struct watch  watch;
	struct watch *ends;   /* when told */
	struct watch *begins; /* when told, for job 2 */
};

static void note(struct watch *w, const struct record *r)
{
	(void)r;
	told[told_count++] = w;
}

static void meddle(struct watch *w, const struct record *r)
{
	struct meddler *m = (struct meddler *)(void *)w;

	note(w, r);
	if (m->ends != NULL)
		watch_end(&table, m->ends);
	if (m->begins != NULL)
		assert_int_equal(watch_begin(&table, m->begins, 2), GD_OK);
}

static int start(void **state)
{
	(void)state;
	table = (struct watches){ 0 };
	told_count = 0;
	return 0;
}

static void tell(uint64_t job)
{
	const struct record r = { .kind = RECORD_EVENT, .job = job };

	watches_tell(&table, &r);
}

static void given_watches_of_one_job_when_told_then_the_first_that_came_hears_first(void **state)
{
	struct watch a = { .on_record = note }, b = { .on_record = note },
		     other = { .on_record = note };

	(void)state;
	assert_int_equal(watch_begin(&table, &a, 1), GD_OK);
	assert_int_equal(watch_begin(&table, &other, 2), GD_OK);
	assert_int_equal(watch_begin(&table, &b, 1), GD_OK);

	tell(1);

	assert_int_equal(told_count, 2);
	assert_ptr_equal(told[0], &a);
	assert_ptr_equal(told[1], &b);
	watch_end(&table, &a);
	watch_end(&table, &b);
	watch_end(&table, &other);
	watches_close(&table);
}

static void given_a_watch_that_ends_the_next_one_when_told_then_that_hears_nothing(void **state)
{
	struct watch   b = { .on_record = note }, c = { .on_record = note };
	struct meddler a = { .watch.on_record = meddle, .ends = &b };

	(void)state;
	assert_int_equal(watch_begin(&table, &a.watch, 1), GD_OK);
	assert_int_equal(watch_begin(&table, &b, 1), GD_OK);
	assert_int_equal(watch_begin(&table, &c, 1), GD_OK);

	tell(1);

	assert_int_equal(told_count, 2);
	assert_ptr_equal(told[1], &c);
	watch_end(&table, &a.watch);
	watch_end(&table, &b); /* a second time: nothing happens */
	watch_end(&table, &c);
	watches_close(&table);
}

static void given_a_watch_that_moves_to_another_job_when_told_then_it_hears_of_that_one(
	void **state)
{
	struct watch   moved = { .on_record = note };
	struct meddler a = { .watch.on_record = meddle, .begins = &moved };

	(void)state;
	assert_int_equal(watch_begin(&table, &a.watch, 1), GD_OK);

	tell(1);
	tell(2);

	assert_int_equal(told_count, 2);
	assert_ptr_equal(told[1], &moved);
	watch_end(&table, &a.watch);
	watch_end(&table, &moved);
	watches_close(&table);
}

static void given_more_watches_than_chains_when_told_then_each_hears_of_its_job_only(void **state)
{
	static struct watch many[1000];

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		many[i] = (struct watch){ .on_record = note };
		assert_int_equal(watch_begin(&table, &many[i], i + 1), GD_OK);
	}

	tell(500);

	assert_int_equal(told_count, 1);
	assert_ptr_equal(told[0], &many[499]);
	for (uint32_t i = 0; i < 1000; i++)
		watch_end(&table, &many[i]);
	watches_close(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			given_watches_of_one_job_when_told_then_the_first_that_came_hears_first,
			start),
		cmocka_unit_test_setup(
			given_a_watch_that_ends_the_next_one_when_told_then_that_hears_nothing,
			start),
		cmocka_unit_test_setup(
			given_a_watch_that_moves_to_another_job_when_told_then_it_hears_of_that_one,
			start),
		cmocka_unit_test_setup(
			given_more_watches_than_chains_when_told_then_each_hears_of_its_job_only,
			start),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
