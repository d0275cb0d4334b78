#include "tests/lib/load_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- blocks --- */

static void given_a_single_sleep_then_one_slot_is_enough(void **state)
{
	(void)state;
	load_expect_body("{\"sleep\": 1, \"result\": \"x\"}",
	                 "sleep 0 | end 0 [1 slots, 0 captured]");
	load_expect_body("[{\"sleep\": 1}, {\"value\": 2}]",
	                 "sleep 0 | eval 0 | end 0 [1 slots, 0 captured]");
	load_expect_body("[]", "eval 0 | end 0 [1 slots, 0 captured]");
}

static void given_as_then_the_name_has_a_slot_of_its_own(void **state)
{
	(void)state;
	load_expect_body("[{\"sleep\": 1, \"as\": \"a\"}, {\"value\": 2, \"as\": \"b\"},"
	                 " {\"value\": \"${a}\"}]",
	                 "sleep 1 | eval 2 | eval 0 | end 0 [3 slots, 0 captured]");
	/* Bound again: the same slot. */
	load_expect_body("[{\"value\": 1, \"as\": \"a\"}, {\"value\": \"${a + 1}\", \"as\": \"a\"},"
	                 " {\"yield\": \"${a}\"}]",
	                 "eval 1 | eval 1 | yield 0 | end 0 [2 slots, 0 captured]");
}

static void given_a_block_that_ends_when_another_begins_then_slots_are_used_again(void **state)
{
	(void)state;
	load_expect_body("[{\"do\": [{\"value\": 1, \"as\": \"a\"}]}, {\"do\": [{\"value\": 1,"
	                 " \"as\": \"b\"}]}, []]",
	                 "eval 1 | eval 1 | eval 0 | end 0 [2 slots, 0 captured]");
}

static void given_a_block_that_binds_a_name_it_reads_then_it_is_written_last(void **state)
{
	(void)state;
	load_expect_body(
		"[{\"value\": 1, \"as\": \"a\"}, {\"do\": [{\"sleep\": 1}, {\"value\": \"${a}\"}],"
		" \"as\": \"a\"},"
		" {\"return\": \"${a}\"}]",
		"eval 1 | sleep 2 | eval 2 | eval 1 | return | end 0 [3 slots, 0 captured]");
}

static void given_if_and_else_then_one_of_them_gives_the_value(void **state)
{
	(void)state;
	load_expect_body("{\"value\": 1, \"if\": \"${1 < 2}\", \"else\": {\"sleep\": 1}}",
	                 "unless >3 | eval 0 | jump >4 | sleep 0 | end 0 [1 slots, 0 captured]");
	/* Without `else` null comes; nobody asks for it where the value goes nowhere. */
	load_expect_body("{\"value\": 1, \"if\": false}",
	                 "unless >3 | eval 0 | jump >4 | eval 0 | end 0 [1 slots, 0 captured]");
	load_expect_body("[{\"sleep\": 1, \"if\": false}, {\"value\": 2}]",
	                 "unless >2 | sleep 0 | eval 0 | end 0 [1 slots, 0 captured]");
}

static void given_set_then_all_values_are_evaluated_before_the_first_is_assigned(void **state)
{
	(void)state;
	load_expect_body(
		"[{\"set\": {\"a\": 1, \"b\": 2}}, {\"set\": {\"a\": \"${b}\", \"b\": \"${a}\"}},"
		" {\"value\": \"${a}\"}]",
		"eval 1 | eval 2 | eval 3 | eval 4 | eval 1 | eval 2 | eval 0 | end 0"
		" [5 slots, 0 captured]");
	load_expect_body("[{\"set\": {\"a\": 1}}, {\"set\": {\"a\": 2}}]",
	                 "eval 1 | eval 1 | eval 0 | end 0 [2 slots, 0 captured]");
}

/* --- loops --- */

static void given_for_then_a_list_grows_round_by_round(void **state)
{
	(void)state;
	load_expect_body("{\"do\": {\"value\": \"${n}\"}, \"for\": \"n\", \"in\": [1, 2]}",
	                 "list 0 | iter 1 | next 3 <1 >6 | eval 4 | append 0 <4 | jump >2 | end 0"
	                 " [5 slots, 0 captured]");
}

static void given_for_whose_value_nobody_wants_then_no_list_is_made(void **state)
{
	(void)state;
	load_expect_body(
		"[{\"do\": {\"sleep\": \"${n}\"}, \"for\": \"n\", \"in\": [1]}, {\"value\": 1}]",
		"iter 1 | next 3 <1 >4 | sleep 4 | jump >1 | eval 0 | end 0 [5 slots, 0 captured]");
}

static void given_while_then_rounds_are_counted_and_the_last_value_stays(void **state)
{
	(void)state;
	load_expect_body(
		"[{\"set\": {\"n\": 3}}, {\"do\": {\"set\": {\"n\": \"${n - 1}\"}},"
		" \"while\": \"${n > 0}\"}]",
		"eval 1 | eval 2 | eval 0 | unless >8 | eval 2 | eval 1 | eval 0 | jump >3 | end 0"
		" [3 slots, 0 captured]");
}

static void given_loops_then_their_bodies_know_the_slot_that_counts(void **state)
{
	struct program *p = load_spec(
		"[{\"do\": [], \"for\": \"n\", \"in\": [1]}, {\"do\": [], \"while\": false}]");
	uint32_t found = 0;

	(void)state;
	for (uint32_t i = 0; i < p->node_count; i++) {
		if (p->nodes[i].counter == PROGRAM_NONE)
			continue;
		load_expect_pointer(p, i, found == 0 ? "/0/do" : "/1/do");
		assert_int_equal(p->nodes[i].counter, found == 0 ? 2 : 1);
		found++;
	}
	assert_int_equal(found, 2);
	program_release(p);
}

static void given_a_program_that_is_ready_then_it_keeps_no_room_that_it_does_not_use(void **state)
{
	struct program *p = load_spec("{\"sleep\": 1}");

	(void)state;
	/* A million programs differ by a number only: each byte here is a megabyte then. */
	assert_null(p->expr_code.ops);
	assert_null(p->expr_code.consts);
	assert_null(p->handlers);
	assert_null(p->joins);
	program_release(p);
}

/* --- branches --- */

static void given_the_bench_then_a_branch_needs_one_slot(void **state)
{
	struct program *p = load_spec(
		"[{\"gather\": {\"sleep\": \"${n * 7919 % 5000 / 1000}\"}, \"for\": \"n\","
		" \"in\": \"${range(1000000)}\", \"as\": \"r\"}, {\"return\": \"${len(r)}\"}]");

	(void)state;
	load_expect_code(p, 0, "join 1 | return | end 0 [3 slots, 0 captured]");
	load_expect_code(p, 1, "sleep 0 | end 0 [1 slots, 1 captured]");
	assert_int_equal(p->join_count, 1);
	assert_int_equal(p->joins[0].kind, JOIN_GATHER);
	assert_int_equal(p->joins[0].flags, 0);
	assert_int_equal(p->joins[0].branch_count, 1);
	assert_int_not_equal(p->joins[0].in, PROGRAM_NONE);
	assert_int_equal(p->codes[1].captures[0], p->joins[0].var);
	load_expect_pointer(p, p->codes[1].node, "/0/gather");
	assert_true(p->nodes[p->codes[1].node].is_branch);
	assert_string_equal(p->nodes[p->codes[1].node].op, "sleep");
	program_release(p);
}

static void given_branches_then_they_capture_what_they_read_and_no_more(void **state)
{
	struct program *p = load_spec(
		"[{\"set\": {\"a\": 1, \"b\": 2, \"c\": 3}},"
		" {\"gather\": [{\"value\": \"${len('a') + c}\"}, {\"value\": \"a b c\"}]}]");

	(void)state;
	load_expect_code(p, 1, "eval 0 | end 0 [2 slots, 2 captured]");
	/* "a" is only a text there: its slot holds "c" once more, and keeps nothing alive. */
	assert_int_equal(p->codes[1].captures[0], 3);
	assert_int_equal(p->codes[1].captures[1], 3);
	load_expect_code(p, 2, "eval 0 | end 0 [1 slots, 0 captured]");
	assert_null(p->codes[2].captures);
	program_release(p);
}

static void given_nested_branches_then_the_outer_one_captures_for_the_inner_one(void **state)
{
	struct program *p =
		load_spec("[{\"value\": 1, \"as\": \"x\"},"
	                  " {\"gather\": {\"o\": {\"gather\": {\"i\": {\"value\": \"${x}\"}}}}}]");

	(void)state;
	assert_int_equal(p->code_count, 3);
	assert_int_equal(p->codes[1].capture_count, 1);
	assert_int_equal(p->codes[1].captures[0], 1);
	assert_int_equal(p->codes[2].capture_count, 1);
	assert_int_equal(p->codes[2].captures[0], 0);
	load_expect_pointer(p, p->codes[2].node, "/1/gather/o/gather/i");
	program_release(p);
}

static void given_named_branches_then_their_names_and_labels_are_kept(void **state)
{
	struct program *p =
		load_spec("{\"gather\": {\"a\": {\"sleep\": 1, \"name\": \"first\"}, \"b\": []},"
	                  " \"return_exceptions\": true, \"limit\": 1}");
	const struct join   *j = &p->joins[0];
	const struct branch *a = &p->branches[j->first_branch];

	(void)state;
	assert_int_equal(j->flags, JOIN_OBJECT | JOIN_RETURN_EXCEPTIONS);
	assert_int_equal(j->branch_count, 2);
	assert_int_not_equal(j->limit, PROGRAM_NONE);
	assert_string_equal(value_text(a[0].name)->at, "a");
	assert_string_equal(value_text(p->exprs[a[0].label].constant)->at, "first");
	assert_string_equal(value_text(a[1].name)->at, "b");
	assert_int_equal(a[1].label, PROGRAM_NONE);
	program_release(p);
}

static void given_a_branch_that_is_exactly_an_await_then_its_handle_can_be_the_branch(void **state)
{
	struct program *p =
		load_spec("[{\"create_task\": {\"sleep\": 1}, \"name\": \"t\", \"as\": \"t\"},"
	                  " {\"gather\": [{\"await\": \"${t}\"}, [{\"await\": \"${t}\"}]]}]");
	const struct branch *b = &p->branches[p->joins[0].first_branch];

	(void)state;
	load_expect_code(p, 0, "task 1 | join 0 | end 0 [2 slots, 0 captured]");
	assert_int_equal(p->exprs[b[0].await].kind, EXPR_SLOT);
	assert_int_equal(p->exprs[b[0].await].slot, 1);
	load_expect_code(p, b[0].code, "await 0 ~1 | end 0 [4 slots, 1 captured]");
	assert_int_equal(b[1].await, PROGRAM_NONE);
	program_release(p);
}

static void given_as_completed_with_a_body_then_it_runs_for_each_completion(void **state)
{
	struct program *p = load_spec(
		"[{\"as_completed\": {\"a\": {\"sleep\": 1}}, \"as\": \"c\", \"timeout\": \"1s\","
		" \"do\": {\"value\": \"${c.name}\"}}, {\"return\": \"${c}\"}]");

	(void)state;
	load_expect_code(
		p, 0,
		"join 2 | list 1 | eval 5 | joinnext 3 <2 >8 | eval 5 | eval 4 | append 1 <4 |"
		" jump >3 | return | end 0 [6 slots, 0 captured]");
	assert_int_equal(p->joins[0].kind, JOIN_AS_COMPLETED);
	assert_int_equal(p->joins[0].flags, JOIN_OBJECT | JOIN_EVENTS);
	assert_int_not_equal(p->joins[0].timeout, PROGRAM_NONE);
	program_release(p);
}

static void given_as_completed_without_a_body_then_the_results_are_the_value(void **state)
{
	struct program *p = load_spec("{\"events\": \"job\", \"as_completed\": [{\"sleep\": 1}]}");

	(void)state;
	load_expect_code(p, 0,
	                 "join 1 | list 0 | joinresult 2 <1 >5 | append 0 <2 | jump >2 | end 0"
	                 " [3 slots, 0 captured]");
	assert_int_equal(p->joins[0].flags, 0);
	assert_true(p->only_job_events);
	program_release(p);
}

/* --- defs and the header --- */

static void given_defs_that_call_each_other_then_args_come_in_their_order(void **state)
{
	struct program *p =
		load_spec("{\"def\": {\"f\": {\"params\": [\"a\", \"b\"],"
	                  "   \"do\": {\"call\": \"g\", \"args\": {\"y\": 7, \"x\": \"${b}\"}}},"
	                  "  \"g\": {\"params\": [\"x\", \"y\"], \"do\": {\"call\": \"f\","
	                  " \"args\": [1, 2]}}},"
	                  " \"do\": [{\"call\": \"f\", \"args\": [3, 4]}]}");
	const struct call *of_f;

	(void)state;
	load_expect_code(p, 0, "call 0 | end 0 [1 slots, 0 captured]");
	load_expect_code(p, 1, "call 0 | end 0 [2 slots, 2 captured]");
	load_expect_pointer(p, p->codes[1].node, "/def/f/do");
	assert_null(p->codes[1].captures);
	of_f = &p->calls[p->ops[p->codes[1].first_op].a];
	assert_int_equal(of_f->code, 2);
	assert_int_equal(of_f->arg_count, 2);
	assert_int_equal(p->exprs[p->args[of_f->first_arg]].slot, 1);
	assert_int_equal(value_as_int(p->exprs[p->args[of_f->first_arg + 1]].constant), 7);
	program_release(p);
}

static void given_a_header_then_the_program_carries_it(void **state)
{
	struct program *p = load_spec(
		"{\"gatherd\": 1, \"title\": \"t\", \"loop\": \"l1\", \"events\": \"all\","
		" \"args\": {\"n\": 3, \"text\": \"${literal}\"}, \"value\": \"${n}\"}");

	(void)state;
	load_expect_code(p, 0, "eval 0 | end 0 [2 slots, 2 captured]");
	assert_string_equal(value_text(p->title)->at, "t");
	assert_string_equal(value_text(p->loop)->at, "l1");
	assert_false(p->only_job_events);
	assert_int_equal(p->job_arg_count, 2);
	assert_string_equal(value_text(p->arg_names[1])->at, "text");
	assert_int_equal(value_as_int(p->arg_defaults[0]), 3);
	assert_string_equal(value_text(p->arg_defaults[1])->at, "${literal}");
	assert_int_equal(p->exprs[p->ops[0].a].slot, 0);
	program_release(p);
}

static void given_submitted_args_then_they_replace_the_defaults(void **state)
{
	struct value_heap    h = { 0 };
	struct program      *p = load_spec("{\"args\": {\"a\": 1, \"b\": [2]}, \"do\": []}");
	struct value         args[2];
	struct load_problems problems;
	json_t              *given = json_pack("{s:s}", "a", "${x}");

	(void)state;
	assert_int_equal(load_args(&h, p, given, args, &problems, NULL), GD_OK);
	assert_string_equal(value_text(args[0])->at, "${x}");
	assert_true(value_is_equal(args[1], p->arg_defaults[1]));
	value_release(&h, args[0]);
	value_release(&h, args[1]);
	assert_int_equal(load_args(&h, p, NULL, args, &problems, NULL), GD_OK);
	assert_int_equal(value_as_int(args[0]), 1);
	assert_int_equal(h.bytes, 0);
	json_decref(given);
	program_release(p);
}

static void given_an_arg_that_the_job_does_not_have_then_it_is_a_problem(void **state)
{
	struct value_heap    h = { 0 };
	struct program      *p = load_spec("{\"args\": {\"count\": 1}, \"do\": []}");
	struct value         args[1];
	struct load_problems problems;
	json_t              *given = json_pack("{s:i}", "cuont", 2);
	json_t              *list = json_pack("[i]", 2);

	(void)state;
	assert_int_equal(load_args(&h, p, given, args, &problems, NULL), GD_INVALID_SPEC);
	assert_int_equal(problems.count, 1);
	assert_string_equal(problems.at[0].pointer, "/cuont");
	assert_string_equal(problems.at[0].message, "the job has no arg \"cuont\"");
	assert_string_equal(problems.at[0].hint, "did you mean \"count\"?");
	load_problems_close(&problems);
	assert_int_equal(load_args(&h, p, list, args, &problems, NULL), GD_INVALID_SPEC);
	assert_string_equal(problems.at[0].message,
	                    "\"args\" is an object of names and values, not an array");
	load_problems_close(&problems);
	json_decref(given);
	json_decref(list);
	program_release(p);
}

static void given_keys_with_slashes_then_the_pointer_escapes_them(void **state)
{
	struct program *p = load_spec("{\"gather\": {\"a/b~c\": {\"sleep\": 1}}}");

	(void)state;
	load_expect_pointer(p, p->codes[1].node, "/gather/a~1b~0c");
	load_expect_pointer(p, p->codes[0].node, "");
	program_release(p);
}

static void given_the_loops_example_then_it_compiles(void **state)
{
	struct program *p = load_spec(
		"{\"title\": \"loops, gather and as_completed\","
		" \"def\": {\"future\": {\"params\": [], \"do\": {\"sleep\": 3,"
		" \"result\": \"Awaited\"}},"
		"  \"past\": {\"params\": [], \"do\": {\"sleep\": -3,"
		" \"result\": \"Get to the past\"}}},"
		" \"do\": [{\"do\": {\"create_task\": {\"call\": \"future\"},"
		" \"loop\": \"loop1\"}, \"for\": \"i\","
		"  \"in\": \"${range(4)}\", \"as\": \"tasks1\"},"
		" {\"create_task\": {\"call\": \"past\"}, \"as\": \"a2\"},"
		" {\"call\": \"future\", \"as\": \"r\"}, {\"yield\": \"single_task: ${r}\"},"
		" {\"create_task\": {\"call\": \"past\"}, \"as\": \"t\"}, {\"await\": \"${t}\","
		" \"as\": \"r\"},"
		" {\"gather\": {\"await\": \"${task}\"}, \"for\": \"task\", \"in\": \"${tasks1}\","
		" \"as\": \"results1\"},"
		" {\"as_completed\": {\"await\": \"${task}\"}, \"for\": \"task\","
		" \"in\": [\"${a2}\"], \"as\": \"c\","
		"  \"do\": [{\"yield\": \"Results2 item: ${c.result}\"},"
		" {\"value\": \"${c.result}\"}]},"
		" {\"set\": {\"results2\": \"${c}\"}}, {\"return\": [\"${results1}\","
		" \"${results2}\"]}]}");

	(void)state;
	assert_true(p->bytes > 0);
	program_release(program_retain(p));
	program_release(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_single_sleep_then_one_slot_is_enough),
		cmocka_unit_test(given_as_then_the_name_has_a_slot_of_its_own),
		cmocka_unit_test(
			given_a_block_that_ends_when_another_begins_then_slots_are_used_again),
		cmocka_unit_test(given_a_block_that_binds_a_name_it_reads_then_it_is_written_last),
		cmocka_unit_test(given_if_and_else_then_one_of_them_gives_the_value),
		cmocka_unit_test(
			given_set_then_all_values_are_evaluated_before_the_first_is_assigned),
		cmocka_unit_test(given_for_then_a_list_grows_round_by_round),
		cmocka_unit_test(given_for_whose_value_nobody_wants_then_no_list_is_made),
		cmocka_unit_test(given_while_then_rounds_are_counted_and_the_last_value_stays),
		cmocka_unit_test(given_loops_then_their_bodies_know_the_slot_that_counts),
		cmocka_unit_test(given_the_bench_then_a_branch_needs_one_slot),
		cmocka_unit_test(given_branches_then_they_capture_what_they_read_and_no_more),
		cmocka_unit_test(
			given_nested_branches_then_the_outer_one_captures_for_the_inner_one),
		cmocka_unit_test(given_named_branches_then_their_names_and_labels_are_kept),
		cmocka_unit_test(
			given_a_branch_that_is_exactly_an_await_then_its_handle_can_be_the_branch),
		cmocka_unit_test(given_as_completed_with_a_body_then_it_runs_for_each_completion),
		cmocka_unit_test(given_as_completed_without_a_body_then_the_results_are_the_value),
		cmocka_unit_test(given_defs_that_call_each_other_then_args_come_in_their_order),
		cmocka_unit_test(given_a_header_then_the_program_carries_it),
		cmocka_unit_test(given_submitted_args_then_they_replace_the_defaults),
		cmocka_unit_test(given_an_arg_that_the_job_does_not_have_then_it_is_a_problem),
		cmocka_unit_test(given_keys_with_slashes_then_the_pointer_escapes_them),
		cmocka_unit_test(
			given_a_program_that_is_ready_then_it_keeps_no_room_that_it_does_not_use),
		cmocka_unit_test(given_the_loops_example_then_it_compiles),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
