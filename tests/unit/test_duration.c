#include "daemon/expr/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEC GD_NSEC_PER_SEC

static void expect_text(bool (*read)(struct value, gd_nsec *, struct expr_error *),
                        const char *text, gd_nsec expected)
{
	struct value_heap h = { 0 };
	struct value      v = value_text_new(&h, text, strlen(text));
	struct expr_error why = { 0 };
	gd_nsec           out = 0;

	if (!read(v, &out, &why))
		fail_msg("%s: %s", text, why.message);
	assert_int_equal(out, expected);
	value_release(&h, v);
}

static void expect_refused(bool (*read)(struct value, gd_nsec *, struct expr_error *),
                           const char *text, const char *type)
{
	struct value_heap h = { 0 };
	struct value      v = value_text_new(&h, text, strlen(text));
	struct expr_error why = { 0 };
	gd_nsec           out = 0;

	if (read(v, &out, &why))
		fail_msg("\"%s\" was read as %lld", text, (long long)out);
	assert_string_equal(why.type, type);
	assert_non_null(strstr(why.message, text));
	value_release(&h, v);
}

static gd_nsec of_number(double seconds)
{
	struct expr_error why;
	gd_nsec           out = 0;

	assert_true(duration_of_value(value_float(seconds), &out, &why));
	return out;
}

static void given_text_with_units_then_they_add_up(void **state)
{
	(void)state;
	expect_text(duration_of_value, "250ms", 250 * GD_NSEC_PER_MSEC);
	expect_text(duration_of_value, "90s", 90 * SEC);
	expect_text(duration_of_value, "1h30m", 5400 * SEC);
	expect_text(duration_of_value, "3d", 3 * 86400 * SEC);
	expect_text(duration_of_value, "1d2h3m4s5ms6us7ns", 93784 * SEC + 5006007);
	expect_text(duration_of_value, "1.5h", 5400 * SEC);
	expect_text(duration_of_value, "0.1s", 100 * GD_NSEC_PER_MSEC);
	expect_text(duration_of_value, "0s", 0);
}

static void given_text_without_unit_or_below_zero_then_it_is_a_value_error(void **state)
{
	(void)state;
	expect_refused(duration_of_value, "5", "ValueError");
	expect_refused(duration_of_value, "-5s", "ValueError");
	expect_refused(duration_of_value, "1h30", "ValueError");
	expect_refused(duration_of_value, "1x", "ValueError");
	expect_refused(duration_of_value, "1.s", "ValueError");
	expect_refused(duration_of_value, ".5s", "ValueError");
	expect_refused(duration_of_value, "1 s", "ValueError");
	expect_refused(duration_of_value, "s", "ValueError");
	expect_refused(duration_of_value, "", "ValueError");
}

static void given_less_than_a_nanosecond_then_it_is_one(void **state)
{
	(void)state;
	expect_text(duration_of_value, "0.1ns", 1);
	expect_text(duration_of_value, "0.00000000000000000000000001s", 1);
	assert_int_equal(of_number(1e-12), 1);
	assert_int_equal(of_number(0), 0);
}

static void given_numbers_then_they_are_seconds_exactly(void **state)
{
	(void)state;
	assert_int_equal(of_number(0.1), 100 * GD_NSEC_PER_MSEC);
	assert_int_equal(of_number(-0.25), -250 * GD_NSEC_PER_MSEC);
	assert_int_equal(of_number(4.999), 4999 * GD_NSEC_PER_MSEC);
	assert_int_equal(of_number(123456789.5), 123456789 * SEC + SEC / 2);
}

static void given_what_is_too_long_then_it_never_comes(void **state)
{
	struct value_heap h = { 0 };
	struct value      v = value_int(&h, INT64_MIN);
	struct expr_error why;
	gd_nsec           out;

	(void)state;
	assert_int_equal(of_number(1e300), GD_NSEC_NEVER);
	assert_int_equal(of_number(-1e300), -GD_NSEC_NEVER);
	expect_text(duration_of_value, "999999999d", GD_NSEC_NEVER);
	expect_text(duration_of_value, "99999999999999999999999d", GD_NSEC_NEVER);
	expect_text(duration_of_value, "100000d100000d", GD_NSEC_NEVER);
	assert_true(duration_of_value(v, &out, &why));
	assert_int_equal(out, -GD_NSEC_NEVER);
	value_release(&h, v);
}

static void given_another_type_then_it_is_a_type_error(void **state)
{
	struct expr_error why;
	gd_nsec           out;

	(void)state;
	assert_false(duration_of_value(value_bool(true), &out, &why));
	assert_string_equal(why.type, "TypeError");
	assert_false(duration_of_value(VALUE_NULL, &out, &why));
	assert_string_equal(why.message, "a duration is a number or text: null");
	assert_false(time_of_value(value_bool(false), &out, &why));
	assert_string_equal(why.type, "TypeError");
}

static void given_rfc_3339_then_it_is_a_moment(void **state)
{
	(void)state;
	expect_text(time_of_value, "1970-01-01T00:00:00Z", 0);
	expect_text(time_of_value, "2026-11-22T10:20:30Z", 1795342830 * SEC);
	expect_text(time_of_value, "2026-11-22T12:20:30+02:00", 1795342830 * SEC);
	expect_text(time_of_value, "2026-11-22t04:50:30.25-05:30", 1795342830 * SEC + SEC / 4);
	expect_text(time_of_value, "2024-02-29T00:00:00z", 1709164800 * SEC);
	expect_text(time_of_value, "1969-12-31T23:59:59Z", -SEC);
	expect_text(time_of_value, "2016-12-31T23:59:60Z", 1483228800 * SEC);
	expect_text(time_of_value, "9999-12-31T23:59:59Z", GD_NSEC_NEVER);
}

static void given_a_moment_that_does_not_exist_then_it_is_a_value_error(void **state)
{
	(void)state;
	expect_refused(time_of_value, "2026-11-22T10:20:30", "ValueError");
	expect_refused(time_of_value, "2026-11-22", "ValueError");
	expect_refused(time_of_value, "2026-02-29T00:00:00Z", "ValueError");
	expect_refused(time_of_value, "2026-13-01T00:00:00Z", "ValueError");
	expect_refused(time_of_value, "2026-00-01T00:00:00Z", "ValueError");
	expect_refused(time_of_value, "2026-01-01T24:00:00Z", "ValueError");
	expect_refused(time_of_value, "2026-01-01T00:00:00.Z", "ValueError");
	expect_refused(time_of_value, "2026-01-01T00:00:00Zx", "ValueError");
	expect_refused(time_of_value, "2026-01-01T00:00:00+2:00", "ValueError");
	expect_refused(time_of_value, "now", "ValueError");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_text_with_units_then_they_add_up),
		cmocka_unit_test(given_text_without_unit_or_below_zero_then_it_is_a_value_error),
		cmocka_unit_test(given_less_than_a_nanosecond_then_it_is_one),
		cmocka_unit_test(given_numbers_then_they_are_seconds_exactly),
		cmocka_unit_test(given_what_is_too_long_then_it_never_comes),
		cmocka_unit_test(given_another_type_then_it_is_a_type_error),
		cmocka_unit_test(given_rfc_3339_then_it_is_a_moment),
		cmocka_unit_test(given_a_moment_that_does_not_exist_then_it_is_a_value_error),
	};

	return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
