/* What try, timeout, retry, undo and generators are compiled to. */
#include "tests/lib/load_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- try, raise --- */

static void given_try_and_except_then_the_branches_are_asked_and_the_star_last(void **state)
{
	struct program *p = load_spec("{\"try\": {\"sleep\": 1}, \"except\": {\"*\": {\"value\":"
	                              " \"${error.type}\"}, \"E\": {\"raise\": null}}}");

	(void)state;
	load_expect_code(p, 0,
	                 "sleep 0 @0 | jump >9 | except 3 <1 E >5 | reraise <1 | jump >9 |"
	                 " except 3 <1 * >8 | eval 0 | jump >9 | reraise <1 | end 0"
	                 " [4 slots, 0 captured]");
	load_expect_handlers(p, "0 except 1 >2");
	load_expect_pointer(p, p->ops[3].node, "/except/E");
	program_release(p);
}

static void given_finally_then_it_runs_after_all_else_and_keeps_the_value(void **state)
{
	struct program *p = load_spec("{\"try\": {\"sleep\": 1}, \"except\": {\"E\": []},"
	                              " \"finally\": {\"sleep\": 2}}");

	(void)state;
	/* What `finally` gives goes to a slot of its own, 3, not over the value in 0. */
	load_expect_code(p, 0,
	                 "sleep 0 @1 | jump >6 @0 | except 5 <3 E >5 @0 | eval 0 @0 | jump >6 @0 |"
	                 " reraise <3 @0 | normal 1 | sleep 5 | leave <1 | end 0"
	                 " [6 slots, 0 captured]");
	load_expect_handlers(p, "0 finally 1 >7, 1 except 3 >2 in 0");
	program_release(p);
}

static void given_tries_in_each_other_then_a_raise_goes_to_the_nearest_except(void **state)
{
	struct program *p = load_spec(
		"{\"try\": {\"sleep\": 1}, \"except\": {\"A\": {\"try\": {\"raise\": \"X\"},"
		" \"finally\": {\"raise\": {}}}}}");

	(void)state;
	load_expect_code(p, 0,
	                 "sleep 0 @0 | jump >9 | except 3 <1 A >8 | raise @1 | normal 4 |"
	                 " reraise <1 | leave <4 | jump >9 | reraise <1 | end 0"
	                 " [7 slots, 0 captured]");
	load_expect_handlers(p, "0 except 1 >2, 1 finally 4 >5");
	program_release(p);
}

static void given_handlers_in_branches_then_they_belong_to_the_code_of_the_branch(void **state)
{
	struct program *p =
		load_spec("{\"try\": {\"gather\": [{\"try\": {\"sleep\": 1}, \"finally\": []}]},"
	                  " \"finally\": []}");

	(void)state;
	load_expect_code(p, 1, "sleep 0 @0 | normal 1 | leave <1 | end 0 [4 slots, 0 captured]");
	load_expect_code(p, 0, "join 0 @1 | normal 1 | leave <1 | end 0 [4 slots, 0 captured]");
	load_expect_handlers(p, "0 finally 1 >2, 1 finally 1 >2");
	assert_int_equal(p->handlers[0].code, 1);
	assert_int_equal(p->handlers[1].code, 0);
	program_release(p);
}

/* --- match --- */

static void given_match_then_one_case_runs_and_the_others_are_jumped_over(void **state)
{
	(void)state;
	load_expect_body("{\"match\": \"${now}\", \"case\": {\"_\": {\"sleep\": 2}, \"a\":"
	                 " {\"sleep\": 1}, \"b\": []}}",
	                 "match 1 | case <1 a >4 | sleep 0 | jump >8 | case <1 b >7 | eval 0 |"
	                 " jump >8 | sleep 0 | end 0 [2 slots, 0 captured]");
	load_expect_body("{\"match\": 1, \"case\": {\"1\": {\"sleep\": 1}}}",
	                 "match 1 | case <1 1 >4 | sleep 0 | jump >5 | eval 0 | end 0"
	                 " [2 slots, 0 captured]");
}

/* --- timeout, retry --- */

static void given_a_timeout_then_its_scope_is_left_whatever_happens(void **state)
{
	struct program *p = load_spec("{\"sleep\": 1, \"timeout\": 2}");

	(void)state;
	load_expect_code(p, 0,
	                 "timeout 1 | sleep 0 @0 | normal 2 | timeout_end 1 <2 | end 0"
	                 " [4 slots, 0 captured]");
	load_expect_handlers(p, "0 finally 2 >3");
	assert_true(p->counts_cancels);
	program_release(p);
}

static void given_an_operation_with_a_timeout_of_its_own_then_it_is_no_scope(void **state)
{
	struct program *p = load_spec(
		"[{\"create_task\": [], \"as\": \"t\"}, {\"wait\": [\"${t}\"], \"timeout\": 1,"
		" \"return_when\": \"FIRST_EXCEPTION\"}]");

	(void)state;
	load_expect_code(p, 0, "task 1 | wait 0 | end 0 [2 slots, 0 captured]");
	assert_int_equal(p->joins[0].kind, JOIN_WAIT);
	assert_int_equal(p->joins[0].flags, JOIN_FIRST_EXCEPTION);
	assert_int_not_equal(p->joins[0].timeout, PROGRAM_NONE);
	assert_int_not_equal(p->joins[0].in, PROGRAM_NONE);
	assert_false(p->counts_cancels);
	program_release(p);
}

static void given_a_name_that_is_bound_then_a_timeout_writes_it_only_at_its_end(void **state)
{
	(void)state;
	load_expect_body("[{\"value\": 1, \"as\": \"a\"}, {\"sleep\": 1, \"timeout\": 2,"
	                 " \"as\": \"a\"}]",
	                 "eval 1 | timeout 3 | sleep 2 @0 | normal 4 | timeout_end 3 <4 | eval 1 |"
	                 " eval 0 | end 0 [6 slots, 0 captured]");
}

static void given_a_retry_then_attempts_are_counted_and_failures_wait(void **state)
{
	struct program *p =
		load_spec("{\"value\": \"${attempt}\", \"retry\": {\"attempts\": 3, \"delay\":"
	                  " \"1s\", \"on\": [\"A\", \"B\"], \"timeout\": 5}, \"timeout\": 60}");

	(void)state;
	load_expect_code(p, 0,
	                 "eval 1 | timeout 2 | retry_begin 5 @0 | eval 6 @0 | eval 1 @0 |"
	                 " timeout 9 @1 | eval 0 @2 | normal 10 @1 | timeout_end 9 <10 @1 |"
	                 " jump >12 @0 | retry 5 <7 ~1 @0 | jump >4 @0 | normal 3 |"
	                 " timeout_end 2 <3 | end 0 [12 slots, 0 captured]");
	load_expect_handlers(p, "0 finally 3 >13, 1 except 7 >10 in 0, 2 finally 10 >8 in 1");
	/* The name `attempt` is the slot that counts, and the node's address shows it. */
	assert_int_equal(p->exprs[p->ops[6].a].slot, 1);
	assert_int_equal(p->nodes[0].attempt, 1);
	assert_int_equal(p->retry_count, 1);
	assert_int_equal(value_as_int(p->exprs[p->retries[0].attempts].constant), 3);
	assert_int_not_equal(p->retries[0].delay, PROGRAM_NONE);
	assert_int_equal(p->retries[0].backoff, PROGRAM_NONE);
	assert_int_equal(p->retries[0].on_count, 2);
	assert_string_equal(value_text(p->retry_on[p->retries[0].first_on + 1])->at, "B");
	program_release(p);
}

static void given_a_count_as_retry_then_it_is_the_attempts(void **state)
{
	struct program *p = load_spec("[{\"set\": {\"n\": 2}}, {\"sleep\": 1, \"retry\":"
	                              " \"${n}\"}]");

	(void)state;
	assert_int_equal(p->exprs[p->retries[0].attempts].slot, 1);
	assert_int_equal(p->retries[0].on_count, 0);
	program_release(p);
}

static void given_a_branch_in_a_retry_then_it_captures_the_attempt_it_reads(void **state)
{
	struct program *p =
		load_spec("{\"gather\": [{\"value\": \"${attempt}\"}, {\"set\": {\"attempt\": 1}}],"
	                  " \"retry\": 2}");

	(void)state;
	load_expect_code(p, 1, "eval 0 | end 0 [1 slots, 1 captured]");
	assert_int_equal(p->codes[1].captures[0], p->nodes[0].attempt);
	/* Assigning it binds another name: the count of a retry is nobody's to change. */
	load_expect_code(p, 2, "eval 1 | eval 0 | end 0 [2 slots, 0 captured]");
	program_release(p);
}

static void given_a_semaphore_then_its_permit_is_held_around_timeout_and_retry(void **state)
{
	struct program *p =
		load_spec("{\"sleep\": 1, \"timeout\": 2, \"with\": \"gpu\", \"retry\": 2}");

	(void)state;
	load_expect_code(p, 0,
	                 "eval 1 | with 2 | timeout 5 @0 | retry_begin 8 @1 | eval 1 @1 |"
	                 " sleep 0 @2 | jump >9 @1 | retry 8 <9 ~1 @1 | jump >4 @1 | normal 6 @0 |"
	                 " timeout_end 5 <6 @0 | normal 3 | with_end 2 <3 | end 0"
	                 " [11 slots, 0 captured]");
	load_expect_handlers(p, "0 finally 3 >12, 1 finally 6 >10 in 0, 2 except 9 >7 in 1");
	program_release(p);
}

/* --- undo --- */

static void given_an_undo_then_the_job_opens_a_scope_and_the_step_registers(void **state)
{
	struct program *p = load_spec("{\"sleep\": 1, \"as\": \"a\", \"undo\": {\"value\":"
	                              " \"${a}\"}}");

	(void)state;
	load_expect_code(p, 0,
	                 "undo_open 1 | sleep 4 @0 | undo_add <1 @0 | eval 0 @0 | normal 2 |"
	                 " undo_close 1 <2 | leave <2 | end 0 [5 slots, 0 captured]");
	load_expect_handlers(p, "0 finally 2 >5");
	load_expect_code(p, 1, "eval 0 | end 0 [1 slots, 1 captured]");
	assert_int_equal(p->codes[1].captures[0], 4);
	assert_int_equal(p->ops[p->codes[0].first_op + 2].a, 1);
	program_release(p);
}

static void given_undos_then_tries_and_attempts_open_scopes_in_the_one_around(void **state)
{
	struct program *p =
		load_spec("{\"try\": {\"sleep\": 1, \"retry\": 2, \"undo\": []}, \"finally\": []}");

	(void)state;
	load_expect_code(p, 0,
	                 "undo_open 1 | undo_open 6 <1 @1 | eval 9 @2 | retry_begin 10 @2 |"
	                 " eval 9 @2 | undo_open 13 <6 @3 | sleep 0 @4 | normal 14 @3 |"
	                 " undo_close 13 <14 @3 | leave <14 @3 | jump >13 @2 | retry 10 <11 ~9 @2 |"
	                 " jump >4 @2 | undo_add <6 @2 | normal 7 @1 | undo_close 6 <7 @1 |"
	                 " leave <7 @1 | normal 4 @0 | leave <4 @0 | normal 2 | undo_close 1 <2 |"
	                 " leave <2 | end 0 [16 slots, 0 captured]");
	program_release(p);
}

static void given_undos_then_branches_capture_the_scope_and_calls_pass_it(void **state)
{
	struct program *p = load_spec(
		"{\"def\": {\"f\": {\"params\": [\"n\"], \"do\": {\"sleep\": \"${n}\", \"undo\":"
		" []}}}, \"do\": {\"gather\": [{\"call\": \"f\", \"args\": [1]}, {\"sleep\": 1}]}}");
	const struct call *call = &p->calls[0];

	(void)state;
	/* The scope is one more parameter of the def, behind its own. */
	load_expect_code(p, 1, "sleep 2 | undo_add <1 | end 2 [3 slots, 2 captured]");
	assert_int_equal(call->arg_count, 2);
	assert_int_equal(p->exprs[p->args[call->first_arg + 1]].kind, EXPR_SLOT);
	assert_int_equal(p->exprs[p->args[call->first_arg + 1]].slot, 0);
	load_expect_code(p, 2, "call 0 | end 0 [1 slots, 1 captured]");
	assert_int_equal(p->codes[2].captures[0], 1);
	/* A branch that needs none captures none. */
	load_expect_code(p, 3, "sleep 0 | end 0 [1 slots, 0 captured]");
	program_release(p);
}

/* --- generators --- */

static void given_a_def_that_yields_then_async_for_goes_over_it_and_closes_it(void **state)
{
	struct program *p = load_spec(
		"{\"def\": {\"g\": {\"params\": [\"n\"], \"do\": [{\"yield\": \"${n}\"}]}},"
		" \"do\": {\"async_for\": {\"call\": \"g\", \"args\": [1]}, \"as\": \"x\","
		" \"do\": {\"sleep\": \"${x}\"}}}");

	(void)state;
	load_expect_code(p, 0,
	                 "gen 2 | list 1 | eval 5 | gennext 3 <2 >10 | eval 5 @0 | sleep 4 @0 |"
	                 " append 1 <4 @0 | jump >3 | genclose <2 | leave <6 | eval 0 | end 0"
	                 " [8 slots, 0 captured]");
	load_expect_handlers(p, "0 finally 6 >8");
	load_expect_code(p, 1, "yield 1 out | end 1 [2 slots, 1 captured]");
	assert_true(p->codes[1].is_generator);
	assert_false(p->codes[0].is_generator);
	program_release(p);
}

static void given_async_for_without_a_body_then_the_items_are_the_list(void **state)
{
	(void)state;
	load_expect_body("{\"def\": {\"g\": {\"do\": {\"yield\": 1}}}, \"do\": {\"async_for\":"
	                 " {\"call\": \"g\"}}}",
	                 "gen 1 | list 0 | gennext 2 <1 >7 | append 0 <2 @0 | jump >2 |"
	                 " genclose <1 | leave <3 | end 0 [5 slots, 0 captured]");
}

static void given_async_for_over_completions_then_it_is_as_completed(void **state)
{
	struct program *p = load_spec(
		"{\"async_for\": {\"as_completed\": {\"a\": {\"sleep\": 1}}, \"timeout\": 3},"
		" \"as\": \"c\", \"do\": {\"value\": \"${c.name}\"}}");

	(void)state;
	load_expect_code(p, 0,
	                 "join 2 | list 1 | eval 5 | joinnext 3 <2 >8 | eval 5 | eval 4 |"
	                 " append 1 <4 | jump >3 | eval 0 | end 0 [6 slots, 0 captured]");
	assert_int_equal(p->joins[0].kind, JOIN_AS_COMPLETED);
	assert_int_not_equal(p->joins[0].timeout, PROGRAM_NONE);
	load_expect_pointer(p, p->joins[0].node, "/async_for");
	assert_int_equal(p->handler_count, 0);
	program_release(p);
}

static void given_a_yield_in_the_body_of_an_async_for_then_its_def_is_a_generator(void **state)
{
	struct program *p = load_spec(
		"{\"def\": {\"outer\": {\"do\": {\"async_for\": {\"call\": \"inner\"}, \"do\":"
		" {\"yield\": 1}}}, \"inner\": {\"do\": {\"match\": 1, \"case\": {\"1\":"
		" {\"yield\": 1}}}}, \"none\": {\"do\": {\"sleep\": 1}}}, \"do\": []}");

	(void)state;
	assert_true(p->codes[1].is_generator);
	assert_true(p->codes[2].is_generator);
	assert_false(p->codes[3].is_generator);
	program_release(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_try_and_except_then_the_branches_are_asked_and_the_star_last),
		cmocka_unit_test(given_finally_then_it_runs_after_all_else_and_keeps_the_value),
		cmocka_unit_test(given_tries_in_each_other_then_a_raise_goes_to_the_nearest_except),
		cmocka_unit_test(
			given_handlers_in_branches_then_they_belong_to_the_code_of_the_branch),
		cmocka_unit_test(given_match_then_one_case_runs_and_the_others_are_jumped_over),
		cmocka_unit_test(given_a_timeout_then_its_scope_is_left_whatever_happens),
		cmocka_unit_test(given_an_operation_with_a_timeout_of_its_own_then_it_is_no_scope),
		cmocka_unit_test(
			given_a_name_that_is_bound_then_a_timeout_writes_it_only_at_its_end),
		cmocka_unit_test(given_a_retry_then_attempts_are_counted_and_failures_wait),
		cmocka_unit_test(given_a_count_as_retry_then_it_is_the_attempts),
		cmocka_unit_test(given_a_branch_in_a_retry_then_it_captures_the_attempt_it_reads),
		cmocka_unit_test(
			given_a_semaphore_then_its_permit_is_held_around_timeout_and_retry),
		cmocka_unit_test(given_an_undo_then_the_job_opens_a_scope_and_the_step_registers),
		cmocka_unit_test(given_undos_then_tries_and_attempts_open_scopes_in_the_one_around),
		cmocka_unit_test(given_undos_then_branches_capture_the_scope_and_calls_pass_it),
		cmocka_unit_test(given_a_def_that_yields_then_async_for_goes_over_it_and_closes_it),
		cmocka_unit_test(given_async_for_without_a_body_then_the_items_are_the_list),
		cmocka_unit_test(given_async_for_over_completions_then_it_is_as_completed),
		cmocka_unit_test(
			given_a_yield_in_the_body_of_an_async_for_then_its_def_is_a_generator),
	};

	return cmocka_run_group_tests_name("load_scopes", tests, NULL, NULL);
}
