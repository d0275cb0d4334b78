#include "daemon/run/jobs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define STEP 3 /* ids of one loop of three */

static struct live_job *add(struct jobs *j, uint64_t id)
{
	struct gd_error why;

	assert_int_equal(jobs_reserve(j, &why), GD_OK);
	return jobs_add(j, id);
}

static void given_an_empty_table_when_asked_then_nothing_is_found(void **state)
{
	struct jobs j = { 0 };

	(void)state;
	assert_null(jobs_find(&j, 1));
	assert_null(jobs_find(&j, 0));
}

static void given_many_jobs_when_the_table_grows_then_every_row_is_kept(void **state)
{
	struct jobs j = { 0 };

	(void)state;
	for (uint64_t i = 1; i <= 5000; i++)
		add(&j, i * STEP)->inputs = (uint32_t)i;

	assert_int_equal(j.count, 5000);
	for (uint64_t i = 1; i <= 5000; i++) {
		assert_non_null(jobs_find(&j, i * STEP));
		assert_int_equal(jobs_find(&j, i * STEP)->inputs, i);
	}
	assert_null(jobs_find(&j, 1));
	jobs_close(&j);
}

static void given_removals_in_the_middle_of_chains_when_looked_up_then_the_others_are_found(
	void **state)
{
	struct jobs j = { 0 };

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		(void)add(&j, i * STEP);
	for (uint64_t i = 1; i <= 1000; i++)
		if (i % 3 != 0)
			jobs_remove(&j, jobs_find(&j, i * STEP));

	assert_int_equal(j.count, 333);
	for (uint64_t i = 1; i <= 1000; i++)
		assert_int_equal(jobs_find(&j, i * STEP) != NULL, i % 3 == 0);
	jobs_close(&j);
}

static void given_a_removed_job_when_added_again_then_its_row_is_fresh(void **state)
{
	struct jobs j = { 0 };

	(void)state;
	add(&j, 7)->inputs = 5;
	jobs_remove(&j, jobs_find(&j, 7));

	assert_int_equal(add(&j, 7)->inputs, 0);
	jobs_close(&j);
}

static void given_a_row_when_measured_then_a_million_jobs_stay_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct live_job) <= 48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_an_empty_table_when_asked_then_nothing_is_found),
		cmocka_unit_test(given_many_jobs_when_the_table_grows_then_every_row_is_kept),
		cmocka_unit_test(
			given_removals_in_the_middle_of_chains_when_looked_up_then_the_others_are_found),
		cmocka_unit_test(given_a_removed_job_when_added_again_then_its_row_is_fresh),
		cmocka_unit_test(given_a_row_when_measured_then_a_million_jobs_stay_small),
	};

	return cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}
