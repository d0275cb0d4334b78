#include "daemon/run/kin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MANY 1000u

static struct child_row *add_row(struct kin_table *t, struct kin *k, uint32_t ticket)
{
	struct child_row *row = kin_add_row(t, k, ticket);

	assert_non_null(row);
	return row;
}

static struct kin *add(struct kin_table *t, uint64_t job)
{
	struct kin *k = kin_add(t, job);

	assert_non_null(k);
	return k;
}

static void given_kins_and_rows_then_each_is_found_by_job_and_ticket(void **state)
{
	struct kin_table t = { 0 };
	uint32_t         seen = 0;

	(void)state;
	assert_null(kin_find(&t, 1));
	assert_null(kin_next(&t, NULL));
	for (uint64_t job = 1; job <= MANY; job++) {
		struct kin *k = add(&t, job);

		for (uint32_t ticket = 1; ticket <= job % 3; ticket++)
			(void)add_row(&t, k, ticket);
	}
	for (uint64_t job = 1; job <= MANY; job++) {
		assert_int_equal(kin_find(&t, job)->key.job, job);
		for (uint32_t ticket = 1; ticket <= 3; ticket++)
			assert_true((kin_find_row(&t, job, ticket) != NULL) == (ticket <= job % 3));
	}
	for (struct kin *k = kin_next(&t, NULL); k != NULL; k = kin_next(&t, k))
		seen++;
	assert_int_equal(seen, MANY);
	assert_null(kin_find_row(&t, 1, 0));

	for (struct kin *k = kin_next(&t, NULL); k != NULL; k = kin_next(&t, NULL)) {
		while (k->rows != NULL)
			kin_remove_row(&t, k->rows);
		kin_remove(&t, k);
	}
	assert_int_equal(t.count, 0);
	kin_table_close(&t);
}

static void given_a_row_that_leaves_the_middle_then_the_others_stay_in_the_list(void **state)
{
	struct kin_table t = { 0 };
	struct kin      *k = add(&t, 5);
	uint32_t         left = 0;

	(void)state;
	for (uint32_t ticket = 1; ticket <= 3; ticket++)
		(void)add_row(&t, k, ticket);
	kin_remove_row(&t, kin_find_row(&t, 5, 2));
	assert_null(kin_find_row(&t, 5, 2));
	for (struct child_row *row = k->rows; row != NULL; row = row->next)
		left += row->key.ticket;
	assert_int_equal(left, 4);
	kin_remove_row(&t, kin_find_row(&t, 5, 3));
	kin_remove_row(&t, kin_find_row(&t, 5, 1));
	assert_null(k->rows);
	kin_remove(&t, k);
	kin_table_close(&t);
}

static void given_one_in_a_list_when_removed_then_it_is_found_no_more_and_not_freed(void **state)
{
	struct kin_table  t = { 0 };
	struct kin       *k = add(&t, 5);
	struct child_row *row = add_row(&t, k, 1);

	(void)state;
	row->is_listed = true;
	kin_remove_row(&t, row);
	assert_null(kin_find_row(&t, 5, 1));
	assert_true(row->is_gone);
	(void)add_row(&t, k, 1); /* another one under the same ticket */
	kin_row_free(row);
	kin_remove_row(&t, kin_find_row(&t, 5, 1));
	kin_remove(&t, k);
	kin_table_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_kins_and_rows_then_each_is_found_by_job_and_ticket),
		cmocka_unit_test(
			given_a_row_that_leaves_the_middle_then_the_others_stay_in_the_list),
		cmocka_unit_test(
			given_one_in_a_list_when_removed_then_it_is_found_no_more_and_not_freed),
	};

	return cmocka_run_group_tests_name("kin", tests, NULL, NULL);
}
