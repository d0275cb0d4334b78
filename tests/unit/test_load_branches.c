/* Combinators with a meaning of their own for their branches: race, task_group, shield, and `after`
 * between siblings. */
#include "tests/lib/load_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct branch *branch_of(const struct program *p, uint32_t index)
{
	return &p->branches[p->joins[0].first_branch + index];
}

/* "0->1 2->-": the siblings that a branch waits for and the slots of their results; then who waits
 * for it. */
static void expect_after(const struct program *p, uint32_t index, const char *expected)
{
	const struct branch *b = branch_of(p, index);
	struct buf           text = { 0 };

	for (uint32_t i = 0; i < b->after_count; i++) {
		const struct after *after = &p->afters[b->first_after + i];

		buf_addf(&text, "%u->", after->branch);
		if (after->slot == PROGRAM_NONE)
			buf_add_text(&text, "- ");
		else
			buf_addf(&text, "%u ", after->slot);
	}
	buf_add_byte(&text, '<');
	for (uint32_t i = 0; i < b->dependent_count; i++)
		buf_addf(&text, " %u", p->dependents[b->first_dependent + i]);
	buf_add_byte(&text, '\0');
	assert_string_equal(text.at, expected);
	buf_close(&text);
}

/* --- kinds --- */

static void given_a_race_then_its_flags_say_what_decides_it(void **state)
{
	struct program *p = load_spec("{\"race\": {\"a\": {\"sleep\": 1}, \"b\": {\"await\":"
	                              " \"${job}\"}}, \"until\": \"success\", \"limit\": 2}");

	(void)state;
	load_expect_code(p, 0, "join 0 | end 0 [1 slots, 0 captured]");
	assert_int_equal(p->joins[0].kind, JOIN_RACE);
	assert_int_equal(p->joins[0].flags, JOIN_OBJECT | JOIN_EVENTS | JOIN_UNTIL_SUCCESS);
	assert_int_not_equal(p->joins[0].limit, PROGRAM_NONE);
	assert_int_not_equal(branch_of(p, 1)->await, PROGRAM_NONE);
	assert_false(p->counts_cancels);
	program_release(p);
}

static void given_a_race_over_items_then_there_is_one_body(void **state)
{
	struct program *p =
		load_spec("{\"race\": {\"sleep\": \"${n}\"}, \"for\": \"n\", \"in\": [1, 2]}");

	(void)state;
	assert_int_equal(p->joins[0].flags, JOIN_EVENTS);
	assert_int_equal(p->joins[0].branch_count, 1);
	assert_true(p->nodes[p->codes[1].node].is_branch);
	program_release(p);
}

static void given_a_task_group_then_cancels_are_counted(void **state)
{
	struct program *p =
		load_spec("{\"events\": \"job\", \"task_group\": [{\"sleep\": 1}, []]}");

	(void)state;
	load_expect_code(p, 0, "join 0 | end 0 [1 slots, 0 captured]");
	assert_int_equal(p->joins[0].kind, JOIN_TASK_GROUP);
	assert_int_equal(p->joins[0].flags, 0);
	assert_true(p->counts_cancels);
	program_release(p);
}

static void given_a_shield_then_its_node_is_the_one_branch(void **state)
{
	struct program *p = load_spec("[{\"create_task\": [], \"as\": \"t\"}, {\"shield\":"
	                              " {\"await\": \"${t}\"}}]");

	(void)state;
	load_expect_code(p, 0, "task 1 | join 0 | end 0 [2 slots, 0 captured]");
	assert_int_equal(p->joins[0].kind, JOIN_SHIELD);
	assert_int_equal(p->joins[0].branch_count, 1);
	assert_int_equal(p->exprs[branch_of(p, 0)->await].slot, 1);
	load_expect_pointer(p, p->codes[branch_of(p, 0)->code].node, "/1/shield");
	program_release(p);
}

/* --- after --- */

static void given_after_then_siblings_know_each_other_both_ways(void **state)
{
	struct program *p = load_spec(
		"{\"gather\": {\"gen\": {\"value\": 1}, \"lib\": {\"value\": \"${gen}\","
		" \"after\": [\"gen\"]}, \"pack\": {\"value\": \"${lib}\", \"after\": [\"gen\","
		" \"lib\"]}, \"doc\": []}}");

	(void)state;
	assert_int_equal(p->joins[0].flags, JOIN_OBJECT | JOIN_HAS_AFTER);
	expect_after(p, 0, "< 1 2");
	expect_after(p, 1, "0->0 < 2");
	expect_after(p, 2, "0->- 1->0 <");
	expect_after(p, 3, "<");
	program_release(p);
}

static void given_after_then_results_lie_behind_the_captures(void **state)
{
	struct program *p = load_spec(
		"[{\"set\": {\"x\": 1, \"a\": 2}}, {\"as_completed\": {\"a\": {\"sleep\": 1},"
		" \"b\": {\"value\": [\"${x}\", \"${a}\"], \"after\": [\"a\"]}}}]");
	const struct code *b = &p->codes[branch_of(p, 1)->code];

	(void)state;
	/* The sibling hides the maker's name: its capture, in slot 1, is dropped. */
	expect_after(p, 1, "0->2 <");
	assert_int_equal(b->capture_count, 1);
	assert_int_equal(b->captures[0], 1);
	assert_int_equal(b->slot_count, 3);
	program_release(p);
}

static void given_a_sibling_whose_name_is_no_name_then_it_is_only_waited_for(void **state)
{
	struct program *p = load_spec("{\"gather\": {\"a-b\": [], \"c\": {\"value\": \"${[]}\","
	                              " \"after\": [\"a-b\"]}}}");

	(void)state;
	expect_after(p, 1, "0->- <");
	program_release(p);
}

static void given_a_branch_within_a_waiting_one_then_it_captures_the_result(void **state)
{
	struct program *p = load_spec(
		"{\"task_group\": {\"a\": [], \"b\": {\"gather\": [{\"value\": \"${a}\"}],"
		" \"after\": [\"a\"]}}}");

	(void)state;
	/* The inner join is finished first. */
	assert_int_equal(p->joins[0].kind, JOIN_GATHER);
	assert_int_equal(p->joins[1].kind, JOIN_TASK_GROUP);
	assert_int_equal(p->afters[0].slot, 0);
	assert_int_equal(p->codes[branch_of(p, 0)->code].captures[0], 0);
	program_release(p);
}

static void given_after_that_names_nobody_then_siblings_are_hinted_at(void **state)
{
	(void)state;
	load_expect_problems(
		"{\"gather\": {\"first\": {\"sleep\": 1}, \"b\": {\"sleep\": 1, \"after\":"
		" [\"frist\", 5, \"first\", \"first\"]}, \"c\": {\"sleep\": 1, \"after\":"
		" \"first\"}, \"d\": {\"sleep\": 1, \"after\": []}}}",
		"/gather/b/after/0: no sibling \"frist\"; did you mean \"first\"?\n"
		"/gather/b/after/1: \"after\" names siblings by text, not by a number\n"
		"/gather/b/after/3: \"first\" is named twice\n"
		"/gather/c/after: \"after\" is an array of names of siblings, not text\n");
}

static void given_after_in_a_circle_then_it_is_shown_from_its_first_branch(void **state)
{
	(void)state;
	load_expect_problems(
		"{\"race\": {\"z\": {\"sleep\": 1, \"after\": [\"a\"]}, \"a\": {\"sleep\": 1,"
		" \"after\": [\"b\"]}, \"free\": {\"sleep\": 1}, \"b\": {\"sleep\": 1, \"after\":"
		" [\"free\", \"c\"]}, \"c\": {\"sleep\": 1, \"after\": [\"a\"]}}}",
		"/race/a/after: \"after\" goes in a circle: a, b, c, a\n");
	load_expect_problems("{\"gather\": {\"a\": {\"sleep\": 1, \"after\": [\"a\"]}}}",
	                     "/gather/a/after: \"after\" goes in a circle: a, a\n");
}

static void given_a_long_circle_then_the_message_stays_short(void **state)
{
	struct buf spec = { 0 };

	(void)state;
	buf_add_text(&spec, "{\"gather\": {");
	for (unsigned i = 0; i < 100; i++)
		buf_addf(&spec, "%s\"b%u\": {\"sleep\": 1, \"after\": [\"b%u\"]}",
		         i == 0 ? "" : ", ", i, (i + 1) % 100);
	buf_add_text(&spec, "}}");
	buf_add_byte(&spec, '\0');
	load_expect_problems(spec.at, "/gather/b0/after: \"after\" goes in a circle: b0, b1, b2, "
	                              "b3, b4, b5, b6, b7, ...\n");
	buf_close(&spec);
}

static void given_after_where_there_are_no_siblings_then_it_is_refused(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"sleep\": 1, \"after\": [\"x\"]}, {\"gather\": [{\"sleep\": 1, \"after\": []}]},"
		" {\"gather\": {\"sleep\": 1, \"after\": []}, \"for\": \"n\", \"in\": [1]},"
		" {\"gather\": {\"a\": [], \"b\": [{\"sleep\": 1, \"after\": [\"a\"]}]}},"
		" {\"shield\": {\"sleep\": 1, \"after\": []}},"
		" {\"gather\": {\"a\": [], \"b\": {\"create_task\": {\"sleep\": 1, \"after\":"
		" [\"a\"]}, \"after\": [\"a\"]}}}]",
		"/0/after: \"after\" names siblings, and this node is no branch of an object\n"
		"/1/gather/0/after: \"after\" names siblings, and this node is no branch of an "
		"object\n"
		"/2/gather/after: \"after\" names siblings, and this node is no branch of an object\n"
		"/3/gather/b/0/after: \"after\" names siblings, and this node is no branch of an "
		"object\n"
		"/4/shield/after: \"after\" names siblings, and this node is no branch of an object\n"
		"/5/gather/b/create_task/after: \"after\" names siblings, and this node is no branch "
		"of an object\n");
}

static void given_a_race_of_nobody_then_it_is_refused(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"race\": []}, {\"race\": {}}, {\"race\": {\"sleep\": 1}, \"for\": \"n\","
		" \"in\": []}, {\"task_group\": []}]",
		"/0/race: a \"race\" without branches has no winner\n"
		"/1/race: a \"race\" without branches has no winner\n"
		"/2/in: a \"race\" without branches has no winner\n");
}

static void given_words_that_are_no_choices_then_the_choices_are_named(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"race\": [[]], \"until\": \"succes\"}, {\"race\": [[]], \"until\": 1},"
		" {\"create_task\": [], \"as\": \"t\"},"
		" {\"wait\": [\"${t}\"], \"return_when\": \"FIRST\"}]",
		"/0/until: \"until\" is \"success\", not \"succes\"; did you mean \"success\"?\n"
		"/1/until: \"until\" is \"success\", not a number\n"
		"/3/return_when: \"return_when\" is \"ALL_COMPLETED\", \"FIRST_COMPLETED\" or "
		"\"FIRST_EXCEPTION\", not \"FIRST\"\n");
}

static void given_a_wait_for_a_constant_then_it_is_refused(void **state)
{
	(void)state;
	load_expect_problems("[{\"wait\": []}, {\"wait\": 5}]",
	                     "/0/wait: \"wait\" wants handles of tasks, and a constant holds none; "
	                     "bind one with \"as\" beside \"create_task\"\n"
	                     "/1/wait: \"wait\" wants handles of tasks, and a constant holds none; "
	                     "bind one with \"as\" beside \"create_task\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_race_then_its_flags_say_what_decides_it),
		cmocka_unit_test(given_a_race_over_items_then_there_is_one_body),
		cmocka_unit_test(given_a_task_group_then_cancels_are_counted),
		cmocka_unit_test(given_a_shield_then_its_node_is_the_one_branch),
		cmocka_unit_test(given_after_then_siblings_know_each_other_both_ways),
		cmocka_unit_test(given_after_then_results_lie_behind_the_captures),
		cmocka_unit_test(given_a_sibling_whose_name_is_no_name_then_it_is_only_waited_for),
		cmocka_unit_test(given_a_branch_within_a_waiting_one_then_it_captures_the_result),
		cmocka_unit_test(given_after_that_names_nobody_then_siblings_are_hinted_at),
		cmocka_unit_test(given_after_in_a_circle_then_it_is_shown_from_its_first_branch),
		cmocka_unit_test(given_a_long_circle_then_the_message_stays_short),
		cmocka_unit_test(given_after_where_there_are_no_siblings_then_it_is_refused),
		cmocka_unit_test(given_a_race_of_nobody_then_it_is_refused),
		cmocka_unit_test(given_words_that_are_no_choices_then_the_choices_are_named),
		cmocka_unit_test(given_a_wait_for_a_constant_then_it_is_refused),
	};

	return cmocka_run_group_tests_name("load_branches", tests, NULL, NULL);
}
