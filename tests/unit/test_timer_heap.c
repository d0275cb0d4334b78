#include "daemon/engine/timer_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define NODES 1000

static void arm(struct timer_heap *h, struct timer_node *n, gd_nsec due)
{
	assert_true(timer_heap_reserve(h));
	timer_heap_arm(h, n, due);
}

static struct timer_node *take(struct timer_heap *h)
{
	struct timer_node *n = timer_heap_first(h)->node;

	timer_heap_disarm(h, n);
	return n;
}

static void given_deadlines_in_any_order_when_taken_then_soonest_first(void **state)
{
	struct timer_heap h = { 0 };
	struct timer_node n[NODES] = { 0 };
	gd_nsec           last = -1;

	(void)state;
	for (uint32_t i = 0; i < NODES; i++)
		arm(&h, &n[i], (i * 7919) % NODES);

	for (uint32_t i = 0; i < NODES; i++) {
		assert_true(timer_heap_first(&h)->due > last);
		last = timer_heap_first(&h)->due;
		(void)take(&h);
	}
	assert_null(timer_heap_first(&h));
	timer_heap_close(&h);
}

static void given_equal_deadlines_when_taken_then_the_order_of_arming(void **state)
{
	struct timer_heap h = { 0 };
	struct timer_node n[NODES] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < NODES; i++)
		arm(&h, &n[i], 5);

	for (uint32_t i = 0; i < NODES; i++)
		assert_ptr_equal(take(&h), &n[i]);
	timer_heap_close(&h);
}

static void given_nodes_disarmed_in_the_middle_when_taken_then_the_rest_is_in_order(void **state)
{
	struct timer_heap h = { 0 };
	struct timer_node n[NODES] = { 0 };
	uint32_t          left = 0;
	gd_nsec           last = -1;

	(void)state;
	for (uint32_t i = 0; i < NODES; i++)
		arm(&h, &n[i], (i * 31) % 97);
	for (uint32_t i = 0; i < NODES; i += 3)
		timer_heap_disarm(&h, &n[i]);

	while (timer_heap_first(&h) != NULL) {
		assert_true(timer_heap_first(&h)->due >= last);
		last = timer_heap_first(&h)->due;
		assert_int_equal(timer_heap_due(&h, timer_heap_first(&h)->node), last);
		assert_int_not_equal((take(&h) - n) % 3, 0);
		left++;
	}
	assert_int_equal(left, NODES - (NODES + 2) / 3);
	timer_heap_close(&h);
}

static void given_deadlines_of_the_wall_when_it_is_set_then_they_move_and_the_others_stay(
	void **state)
{
	struct timer_heap h = { 0 };
	struct timer_node n[NODES] = { 0 };
	gd_nsec           last = 0;

	(void)state;
	for (uint32_t i = 0; i < NODES; i++) {
		assert_true(timer_heap_reserve(&h));
		if (i % 2 == 0)
			timer_heap_arm_wall(&h, &n[i], (i * 7919) % NODES + 1);
		else
			timer_heap_arm(&h, &n[i], (i * 7919) % NODES + 1);
	}

	timer_heap_step_wall(&h, 100, 300);

	for (uint32_t i = 0; i < NODES; i++) {
		gd_nsec was = (i * 7919) % NODES + 1;
		gd_nsec moved = was < 100 ? was : was < 400 ? 100 : was - 300;

		assert_int_equal(timer_heap_due(&h, &n[i]), i % 2 == 0 ? moved : was);
	}
	for (uint32_t i = 0; i < NODES; i++) {
		assert_true(timer_heap_first(&h)->due >= last);
		last = timer_heap_first(&h)->due;
		(void)take(&h);
	}
	assert_int_equal(h.wall_count, 0);
	timer_heap_close(&h);
}

static void given_a_wall_set_there_and_back_when_taken_then_the_order_of_arming_is_kept(
	void **state)
{
	struct timer_heap h = { 0 };
	struct timer_node n[NODES] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < NODES; i++) {
		assert_true(timer_heap_reserve(&h));
		if (i % 3 == 0)
			timer_heap_arm_wall(&h, &n[i], 5000);
		else
			timer_heap_arm(&h, &n[i], 5000);
	}

	timer_heap_step_wall(&h, 10, -2000);
	timer_heap_step_wall(&h, 20, 2000);

	for (uint32_t i = 0; i < NODES; i++)
		assert_ptr_equal(take(&h), &n[i]);
	timer_heap_close(&h);
}

static void given_a_deadline_that_never_comes_when_the_wall_is_set_then_it_does_not_come(
	void **state)
{
	struct timer_heap h = { 0 };
	struct timer_node n[3] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		assert_true(timer_heap_reserve(&h));
	timer_heap_arm_wall(&h, &n[0], GD_NSEC_NEVER);
	timer_heap_arm_wall(&h, &n[1], GD_NSEC_NEVER - 5);
	timer_heap_arm_wall(&h, &n[2], 5);

	timer_heap_step_wall(&h, 1, -10);
	assert_int_equal(timer_heap_due(&h, &n[1]), GD_NSEC_NEVER);
	assert_int_equal(timer_heap_due(&h, &n[2]), 15);
	timer_heap_step_wall(&h, 2, INT64_MAX);

	assert_int_equal(timer_heap_due(&h, &n[0]), GD_NSEC_NEVER);
	assert_int_equal(timer_heap_due(&h, &n[2]), 2);
	timer_heap_close(&h);
}

static void given_a_burst_when_it_is_over_then_most_of_the_room_is_given_back(void **state)
{
	enum { BURST = 100000 };
	struct timer_heap  h = { 0 };
	struct timer_node *n = calloc(BURST, sizeof *n);

	(void)state;
	assert_non_null(n);
	for (uint32_t i = 0; i < BURST; i++)
		arm(&h, &n[i], i);
	assert_true(h.room >= BURST);

	for (uint32_t i = 0; i < BURST - 10; i++)
		(void)take(&h);

	assert_true(h.room < BURST / 10);
	assert_int_equal(timer_heap_first(&h)->due, BURST - 10);
	timer_heap_close(&h);
	free(n);
}

struct wish {
	const struct timer_node *nodes;
	uint32_t                 every; /* of them */
	uint32_t                *asked;
};

static bool is_wished(const struct timer_node *n, const void *ctx)
{
	const struct wish *w = ctx;

	++*w->asked;
	return (uint32_t)(n - w->nodes) % w->every == 0;
}

static void given_some_of_many_when_searched_then_the_soonest_of_them_is_found(void **state)
{
	enum { COUNT = 500 };
	struct timer_heap h = { 0 };
	struct timer_node n[COUNT] = { 0 };
	uint32_t          asked = 0;

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++)
		arm(&h, &n[i], (i * 7919u + 13u) % 100u);

	for (uint32_t every = 1; every < 300; every += 7) {
		const struct wish         w = { n, every, &asked };
		const struct timer_entry *best = NULL;

		for (uint32_t i = 0; i < COUNT; i += every) {
			const struct timer_entry *t = &h.at[n[i].pos - 1];

			if (t->due <= 60 && (best == NULL || t->due < best->due ||
			                     (t->due == best->due && t->seq < best->seq)))
				best = t;
		}
		assert_ptr_equal(timer_heap_find(&h, 60, is_wished, &w), best);
	}
	timer_heap_close(&h);
}

static void given_one_that_is_due_when_searched_then_nobody_asks_the_others(void **state)
{
	enum { COUNT = 10000 };
	struct timer_heap h = { 0 };
	struct timer_node n[COUNT] = { 0 };
	uint32_t          asked = 0;
	const struct wish w = { n, COUNT, &asked };

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++)
		arm(&h, &n[i], i == 5 ? 1 : 100 + i);

	assert_null(timer_heap_find(&h, 50, is_wished, &w));

	assert_int_equal(asked, 1);
	timer_heap_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_deadlines_in_any_order_when_taken_then_soonest_first),
		cmocka_unit_test(given_equal_deadlines_when_taken_then_the_order_of_arming),
		cmocka_unit_test(
			given_nodes_disarmed_in_the_middle_when_taken_then_the_rest_is_in_order),
		cmocka_unit_test(
			given_deadlines_of_the_wall_when_it_is_set_then_they_move_and_the_others_stay),
		cmocka_unit_test(
			given_a_wall_set_there_and_back_when_taken_then_the_order_of_arming_is_kept),
		cmocka_unit_test(
			given_a_deadline_that_never_comes_when_the_wall_is_set_then_it_does_not_come),
		cmocka_unit_test(
			given_some_of_many_when_searched_then_the_soonest_of_them_is_found),
		cmocka_unit_test(given_one_that_is_due_when_searched_then_nobody_asks_the_others),
		cmocka_unit_test(given_a_burst_when_it_is_over_then_most_of_the_room_is_given_back),
	};

	return cmocka_run_group_tests_name("timer_heap", tests, NULL, NULL);
}
