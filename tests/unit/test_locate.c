#include "client/locate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

/* The text that `pointer` leads to; fails the test when it leads nowhere. */
static void expect_span(const char *text, const char *pointer, const char *expected)
{
	struct locate_span span;

	assert_true(locate_pointer(text, strlen(text), pointer, &span));
	assert_int_equal(span.to - span.from, strlen(expected));
	assert_memory_equal(text + span.from, expected, strlen(expected));
}

static void given_the_empty_pointer_then_it_is_the_whole_value(void **state)
{
	(void)state;
	expect_span(" [1, 2] ", "", "[1, 2]");
}

static void given_a_member_then_the_span_goes_from_its_key_to_its_value(void **state)
{
	(void)state;
	expect_span("{\"a\": 1, \"b\" : {\"c\":[true]}}", "/b", "\"b\" : {\"c\":[true]}");
}

static void given_an_element_then_the_span_is_its_value(void **state)
{
	(void)state;
	expect_span("{\"a\": [\"x\", [3, 4], null]}", "/a/1/0", "3");
	expect_span("{\"a\": [\"x\", [3, 4], null]}", "/a/2", "null");
}

static void given_brackets_in_strings_then_they_do_not_count(void **state)
{
	(void)state;
	expect_span("{\"a\": \"]}\\\"{\", \"b\": 2}", "/b", "\"b\": 2");
}

static void given_an_escaped_key_then_it_is_compared_as_it_reads(void **state)
{
	(void)state;
	expect_span("{\"\\u0061/b~\": 1}", "/a~1b~0", "\"\\u0061/b~\": 1");
}

static void given_a_key_twice_in_different_depths_then_the_right_one_is_found(void **state)
{
	(void)state;
	expect_span("{\"x\": {\"a\": 1}, \"a\": 2}", "/a", "\"a\": 2");
}

static void given_a_pointer_to_nowhere_then_it_says_so(void **state)
{
	static const char *const bad[] = { "/b", "/a/3", "/a/x", "/a/0/0", "a", "/a/-1", "/a/" };
	const char              *text = "{\"a\": [1, 2, 3]}";
	struct locate_span       span;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(locate_pointer(text, strlen(text), bad[i], &span));
}

static void given_every_cut_of_a_text_then_the_scanner_stays_inside(void **state)
{
	const char *text = "{\"a\\\"\": [1, {\"b\": \"c\\\\\"}, -2.5e3], \"d\": {}}";

	(void)state;
	for (size_t bytes = 0; bytes < strlen(text); bytes++) {
		char               cut[64];
		struct locate_span span;

		memcpy(cut, text, bytes);
		memset(cut + bytes, '"', sizeof cut - bytes);
		if (locate_pointer(cut, bytes, "/d", &span))
			assert_true(span.from <= span.to && span.to <= bytes);
		if (locate_pointer(cut, bytes, "/a\"/1/b", &span))
			assert_true(span.from <= span.to && span.to <= bytes);
	}
}

static void given_an_offset_then_lines_and_characters_are_counted(void **state)
{
	const char         *text = "one\r\nt\xc3\xb6x = 2\nlast";
	struct locate_place place = locate_offset(text, strlen(text), 8);

	(void)state;
	assert_int_equal(place.line, 2);
	assert_int_equal(place.column, 3);
	assert_int_equal(place.line_from, 5);
	assert_int_equal(place.line_to, 13);
}

static void given_the_end_of_the_text_then_it_is_on_the_last_line(void **state)
{
	struct locate_place place = locate_offset("a\nb", 3, 3);

	(void)state;
	assert_int_equal(place.line, 2);
	assert_int_equal(place.column, 2);
	assert_int_equal(place.line_to, 3);
}

static void given_a_line_with_crlf_then_its_end_is_before_both(void **state)
{
	struct locate_place place = locate_offset("one\r\ntwo", 8, 1);

	(void)state;
	assert_int_equal(place.line_to, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_the_empty_pointer_then_it_is_the_whole_value),
		cmocka_unit_test(given_a_member_then_the_span_goes_from_its_key_to_its_value),
		cmocka_unit_test(given_an_element_then_the_span_is_its_value),
		cmocka_unit_test(given_brackets_in_strings_then_they_do_not_count),
		cmocka_unit_test(given_an_escaped_key_then_it_is_compared_as_it_reads),
		cmocka_unit_test(given_a_key_twice_in_different_depths_then_the_right_one_is_found),
		cmocka_unit_test(given_a_pointer_to_nowhere_then_it_says_so),
		cmocka_unit_test(given_every_cut_of_a_text_then_the_scanner_stays_inside),
		cmocka_unit_test(given_an_offset_then_lines_and_characters_are_counted),
		cmocka_unit_test(given_the_end_of_the_text_then_it_is_on_the_last_line),
		cmocka_unit_test(given_a_line_with_crlf_then_its_end_is_before_both),
	};

	return cmocka_run_group_tests_name("locate", tests, NULL, NULL);
}
