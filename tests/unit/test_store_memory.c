#include "daemon/store/store.h"
#include "tests/lib/fault.h"
#include "tests/lib/live_walk.h"
#include "tests/lib/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ALLOCATIONS_MAX 500

static enum gd_err count_inputs(void *ctx, const struct store_job *job, uint32_t last_ordinal,
                                const struct store_input *inputs, uint32_t input_count,
                                struct gd_error *why)
{
	uint32_t *count = ctx;

	(void)job;
	(void)last_ordinal;
	(void)inputs;
	(void)why;
	*count = input_count;
	return GD_OK;
}

/* A cancel that is left out of a replay would be one that was accepted and lost. */
static void given_no_memory_at_any_point_when_walked_then_never_fewer_inputs(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g;
	struct gd_error     why;
	bool                has_failed = true;

	if (!fault_is_possible())
		skip();
	fixture_open(f);
	g = store_group_new(0);
	(void)fixture_add_whole_job(g, 1, JOB_RUNNING);
	(void)fixture_add_input(g, 1, 1, "one");
	(void)fixture_commit(f, g);
	fixture_close(f);
	assert_int_equal(fixture_try_open(f, &why), GD_OK);

	for (size_t n = 0; has_failed; n++) {
		uint32_t    count = UINT32_MAX;
		enum gd_err rc;

		assert_true(n < ALLOCATIONS_MAX);
		fault_arm(n);
		rc = live_walk(f->store, count_inputs, &count, &why);
		has_failed = fault_disarm();
		if (rc == GD_OK)
			assert_int_equal(count, 1);
		else
			assert_true(has_failed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			given_no_memory_at_any_point_when_walked_then_never_fewer_inputs,
			fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("store_memory", tests, NULL, NULL);
}
