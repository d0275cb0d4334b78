#include "daemon/run/loop_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static struct text text(const char *at)
{
	return (struct text){ at, strlen(at) };
}

static struct loop_names *names(void)
{
	struct loop_names *t;

	assert_int_equal(loop_names_open(&t, NULL), GD_OK);
	return t;
}

static uint32_t use(struct loop_names *t, const char *name, uint32_t count)
{
	uint32_t index;

	assert_int_equal(loop_names_use(t, text(name), count, &index, NULL), GD_OK);
	return index;
}

static void given_new_names_then_each_gets_the_loop_with_the_fewest(void **state)
{
	struct loop_names *t = names();

	(void)state;
	assert_int_equal(use(t, "a", 3), 0);
	assert_int_equal(use(t, "b", 3), 1);
	assert_int_equal(use(t, "a", 3), 0);
	assert_int_equal(use(t, "c", 3), 2);
	assert_int_equal(use(t, "d", 3), 0);
	assert_int_equal(use(t, "e", 3), 1);
	loop_names_close(t);
}

static void given_stored_names_then_they_keep_their_loop_as_long_as_it_is_there(void **state)
{
	struct loop_names *t = names();

	(void)state;
	assert_int_equal(loop_names_add(t, text("x"), 2, NULL), GD_OK);
	assert_int_equal(loop_names_add(t, text("y"), 5, NULL), GD_OK);
	assert_int_equal(use(t, "x", 3), 2);
	assert_int_equal(use(t, "y", 3), 2);
	assert_int_equal(use(t, "z", 3), 0);
	assert_int_equal(use(t, "x", 2), 0);
	assert_int_equal(use(t, "y", 6), 5);
	loop_names_close(t);
}

static void given_a_name_too_many_then_it_is_refused_and_the_others_stay(void **state)
{
	struct loop_names *t = names();
	struct gd_error    why;
	uint32_t           index;
	char               name[16];

	(void)state;
	for (uint32_t i = 0; i < LOOP_NAMES_MAX; i++) {
		(void)snprintf(name, sizeof name, "n%u", (unsigned)i);
		(void)use(t, name, 2);
	}
	assert_int_equal(loop_names_use(t, text("more"), 2, &index, &why), GD_LIMIT);
	assert_int_equal(use(t, "n1", 2), 1);
	loop_names_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_new_names_then_each_gets_the_loop_with_the_fewest),
		cmocka_unit_test(
			given_stored_names_then_they_keep_their_loop_as_long_as_it_is_there),
		cmocka_unit_test(given_a_name_too_many_then_it_is_refused_and_the_others_stay),
	};

	return cmocka_run_group_tests_name("loop_names", tests, NULL, NULL);
}
