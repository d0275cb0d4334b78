#include "daemon/effect/outcome.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct value of(struct value_heap *h, enum run_phase phase, enum run_stage stage)
{
	const struct run_state state = { .phase = phase, .stage = stage, .error = ENOENT };

	return outcome_of_state(h, "/nowhere", &state, OUTCOME_APART);
}

static bool has(struct value dict, const char *name)
{
	return !value_is_none(value_dict_get(dict, name, strlen(name)));
}

static void given_a_start_that_failed_then_its_stage_is_told(void **state)
{
	struct value_heap heap = { 0 };
	struct value      v = of(&heap, RUN_FAILED, RUN_STAGE_CWD);
	struct value      error = value_dict_get(v, "error", 5);

	(void)state;
	assert_string_equal(value_text(value_dict_get(error, "stage", 5))->at, "cwd");
	assert_int_equal(value_as_int(value_dict_get(error, "errno", 5)), ENOENT);
	assert_false(has(v, "interrupted"));
	value_release(&heap, v);
	assert_int_equal(heap.bytes, 0);
}

static void given_a_runner_that_ended_while_it_ran_then_it_was_interrupted(void **state)
{
	struct value_heap heap = { 0 };
	struct value      v = of(&heap, RUN_LOST, RUN_STAGE_NONE);

	(void)state;
	assert_true(has(v, "interrupted"));
	value_release(&heap, v);
}

/* It is no fault of the command, and the next runner would start it. */
static void given_a_runner_that_is_being_stopped_then_the_policy_for_interruptions_decides(
	void **state)
{
	struct value_heap heap = { 0 };
	struct value      v = of(&heap, RUN_FAILED, RUN_STAGE_STOPPING);

	(void)state;
	assert_true(has(v, "interrupted"));
	assert_false(has(v, "error"));
	value_release(&heap, v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_start_that_failed_then_its_stage_is_told),
		cmocka_unit_test(given_a_runner_that_ended_while_it_ran_then_it_was_interrupted),
		cmocka_unit_test(
			given_a_runner_that_is_being_stopped_then_the_policy_for_interruptions_decides),
	};

	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
