/* proto/base/buf: bytes up to a cap, and JSON texts. */
#include "proto/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(struct buf *b, const char *text)
{
	assert_int_equal(b->failed, GD_OK);
	assert_int_equal(b->bytes, strlen(text));
	assert_memory_equal(b->at, text, b->bytes);
	buf_clear(b);
}

static void given_appends_when_done_then_they_follow_each_other(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_add(&b, "a\0b", 3);
	buf_add_byte(&b, 'c');
	buf_add_text(&b, "");
	buf_add_text(&b, "de");
	buf_addf(&b, "%d-%s", 7, "f");
	assert_int_equal(b.bytes, 9);
	assert_memory_equal(b.at, "a\0bcde7-f", 9);
	buf_close(&b);
	assert_null(b.at);
}

static void given_numbers_when_added_then_every_digit_is_there(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_add_u64(&b, 0);
	buf_add_byte(&b, ' ');
	buf_add_u64(&b, UINT64_MAX);
	buf_add_byte(&b, ' ');
	buf_add_i64(&b, INT64_MIN);
	buf_add_byte(&b, ' ');
	buf_add_i64(&b, -1);
	buf_add_byte(&b, ' ');
	buf_add_i64(&b, INT64_MAX);
	expect(&b, "0 18446744073709551615 -9223372036854775808 -1 9223372036854775807");
	buf_close(&b);
}

static void given_text_when_added_as_json_then_only_what_must_be_is_escaped(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_add_json_string(&b, "", 0);
	expect(&b, "\"\"");
	buf_add_json_string(&b, "q\"b\\s/\n\r\t\b\f\x01\x1f\x7f\xc3\xa9", 16);
	expect(&b, "\"q\\\"b\\\\s/\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\xc3\xa9\"");
	buf_add_json_string(&b, "a\0b", 3);
	expect(&b, "\"a\\u0000b\"");
	buf_close(&b);
}

static void given_a_cap_when_passed_then_the_failure_sticks_and_nothing_is_added(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_add_text(&b, "abcd");
	expect(&b, "abcd");

	buf_add_text(&b, "abc");
	buf_add_text(&b, "de");
	assert_int_equal(b.failed, GD_LIMIT);
	buf_add_text(&b, "f");
	assert_int_equal(b.bytes, 3);
	assert_null(buf_reserve(&b, 1));

	buf_clear(&b);
	buf_add_text(&b, "xy");
	expect(&b, "xy");
	buf_close(&b);
	assert_int_equal(b.cap, 4);
}

static void given_room_reserved_when_written_then_the_caller_counts(void **state)
{
	struct buf b = { 0 };
	char      *at;

	(void)state;
	buf_add_text(&b, "head ");
	at = buf_reserve(&b, 1000);
	assert_non_null(at);
	memset(at, 'x', 1000);
	assert_int_equal(b.bytes, 5);
	b.bytes += 1000;
	assert_memory_equal(b.at, "head xx", 7);
	buf_close(&b);
}

static void given_an_absurd_amount_when_reserved_then_a_limit_not_an_overflow(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_add_text(&b, "x");
	assert_null(buf_reserve(&b, SIZE_MAX - 1));
	assert_int_equal(b.failed, GD_LIMIT);
	assert_int_equal(b.bytes, 1);
	buf_close(&b);
}

static void given_many_bytes_when_added_then_the_memory_doubles(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		buf_add_byte(&b, (char)('a' + i % 26));
	assert_int_equal(b.failed, GD_OK);
	assert_int_equal(b.bytes, 100000);
	assert_true(b.room >= b.bytes && b.room <= 2 * b.bytes);
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(b.at[i], (char)('a' + i % 26));
	buf_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_appends_when_done_then_they_follow_each_other),
		cmocka_unit_test(given_numbers_when_added_then_every_digit_is_there),
		cmocka_unit_test(given_text_when_added_as_json_then_only_what_must_be_is_escaped),
		cmocka_unit_test(
			given_a_cap_when_passed_then_the_failure_sticks_and_nothing_is_added),
		cmocka_unit_test(given_room_reserved_when_written_then_the_caller_counts),
		cmocka_unit_test(given_an_absurd_amount_when_reserved_then_a_limit_not_an_overflow),
		cmocka_unit_test(given_many_bytes_when_added_then_the_memory_doubles),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
