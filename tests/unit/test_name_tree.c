#include "daemon/run/name_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES 512

struct bench {
	struct name_tree tree;
	struct name_node at[NODES];
	char             names[NODES][8];
	bool             is_in[NODES];
	uint32_t         random;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	if (b == NULL)
		return -1;
	b->tree.random = 1;
	b->random = 1;
	for (uint32_t i = 0; i < NODES; i++) {
		(void)snprintf(b->names[i], sizeof b->names[i], "n%04u", (unsigned)i);
		b->at[i].name = (struct text){ b->names[i], strlen(b->names[i]) };
	}
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void toggle(struct bench *b, uint32_t i)
{
	if (b->is_in[i])
		name_tree_remove(&b->tree, &b->at[i]);
	else
		name_tree_add(&b->tree, &b->at[i]);
	b->is_in[i] = !b->is_in[i];
}

static uint32_t depth_of(const struct name_node *n)
{
	uint32_t left, right;

	if (n == NULL)
		return 0;
	left = depth_of(n->left);
	right = depth_of(n->right);
	return 1 + (left > right ? left : right);
}

/* Names are in the order of the indexes: the walk meets exactly those that are in, each once. */
static void assert_walk(const struct bench *b)
{
	struct text             after = { 0 };
	const struct name_node *node;

	for (uint32_t i = 0; i < NODES; i++) {
		assert_ptr_equal(name_tree_find(&b->tree, b->at[i].name),
		                 b->is_in[i] ? &b->at[i] : NULL);
		if (!b->is_in[i])
			continue;
		node = name_tree_after(&b->tree, after);
		assert_ptr_equal(node, &b->at[i]);
		after = node->name;
	}
	assert_null(name_tree_after(&b->tree, after.at != NULL ? after : b->at[NODES - 1].name));
}

static void given_nodes_that_come_and_go_then_the_walk_meets_those_that_are_in(void **state)
{
	struct bench *b = *state;

	for (uint32_t round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < NODES / 2; i++) {
			b->random = b->random * 1664525u + 1013904223u;
			toggle(b, b->random >> 16 & (NODES - 1));
		}
		assert_walk(b);
	}
}

static void given_names_that_come_in_order_then_the_tree_is_not_deep(void **state)
{
	struct bench *b = *state;

	for (uint32_t i = 0; i < NODES; i++)
		toggle(b, i);

	assert_walk(b);
	assert_in_range(depth_of(b->tree.root), 9, 40);
}

static void given_a_name_that_is_not_there_then_the_walk_goes_on_behind_it(void **state)
{
	struct bench *b = *state;

	toggle(b, 1);
	toggle(b, 3);

	assert_ptr_equal(name_tree_after(&b->tree, b->at[2].name), &b->at[3]);
	assert_ptr_equal(name_tree_after(&b->tree, b->at[0].name), &b->at[1]);
	assert_null(name_tree_after(&b->tree, b->at[4].name));
}

static void given_a_name_that_begins_another_then_it_comes_first(void **state)
{
	struct name_tree tree = { .random = 1 };
	struct name_node shorter = { .name = { "ab", 2 } }, longer = { .name = { "ab\x01", 3 } };

	(void)state;
	name_tree_add(&tree, &longer);
	name_tree_add(&tree, &shorter);

	assert_ptr_equal(name_tree_after(&tree, (struct text){ 0 }), &shorter);
	assert_ptr_equal(name_tree_after(&tree, shorter.name), &longer);
	assert_ptr_equal(name_tree_find(&tree, (struct text){ "ab", 2 }), &shorter);
	assert_null(name_tree_find(&tree, (struct text){ "a", 1 }));
}

#define TREE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(given_nodes_that_come_and_go_then_the_walk_meets_those_that_are_in),
		TREE_TEST(given_names_that_come_in_order_then_the_tree_is_not_deep),
		TREE_TEST(given_a_name_that_is_not_there_then_the_walk_goes_on_behind_it),
		cmocka_unit_test(given_a_name_that_begins_another_then_it_comes_first),
	};

	return cmocka_run_group_tests_name("name_tree", tests, NULL, NULL);
}
