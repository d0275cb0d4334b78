#include "daemon/run/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static struct outbox_item *released[8];
static enum gd_err         outcomes[8];
static int                 released_count;

static void note(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	(void)l;
	outcomes[released_count] = outcome;
	released[released_count++] = item;
}

static void free_it(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	note(l, item, outcome);
	free(item);
}

static int start(void **state)
{
	(void)state;
	released_count = 0;
	return 0;
}

static void given_items_when_released_then_they_leave_in_order_and_once(void **state)
{
	struct outbox      o = { 0 };
	struct outbox_item a = { .release = note }, b = { .release = note };

	(void)state;
	outbox_add(&o, &a);
	outbox_add(&o, &b);

	outbox_release(&o, NULL, GD_OK);
	outbox_release(&o, NULL, GD_OK);

	assert_int_equal(released_count, 2);
	assert_ptr_equal(released[0], &a);
	assert_ptr_equal(released[1], &b);
}

static void given_an_unknown_commit_when_released_then_every_item_hears_of_it(void **state)
{
	struct outbox      o = { 0 };
	struct outbox_item a = { .release = note }, b = { .release = note };

	(void)state;
	outbox_add(&o, &a);
	outbox_add(&o, &b);

	outbox_release(&o, NULL, GD_DURABILITY_UNKNOWN);

	assert_int_equal(outcomes[0], GD_DURABILITY_UNKNOWN);
	assert_int_equal(outcomes[1], GD_DURABILITY_UNKNOWN);
}

static void given_items_that_free_themselves_when_released_then_the_next_is_still_found(
	void **state)
{
	struct outbox o = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct outbox_item *item = calloc(1, sizeof *item);

		assert_non_null(item);
		item->release = free_it;
		outbox_add(&o, item);
	}

	outbox_release(&o, NULL, GD_OK);

	assert_int_equal(released_count, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(given_items_when_released_then_they_leave_in_order_and_once,
		                       start),
		cmocka_unit_test_setup(
			given_an_unknown_commit_when_released_then_every_item_hears_of_it, start),
		cmocka_unit_test_setup(
			given_items_that_free_themselves_when_released_then_the_next_is_still_found,
			start),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
