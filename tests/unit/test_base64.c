#include "proto/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void assert_both_ways(const char *bytes, const char *text)
{
	struct buf b = { 0 };

	base64_write(&b, bytes, strlen(bytes));
	assert_int_equal(b.bytes, strlen(text));
	assert_memory_equal(b.at, text, b.bytes);
	buf_clear(&b);
	assert_true(base64_read(&b, text, strlen(text)));
	assert_int_equal(b.bytes, strlen(bytes));
	assert_memory_equal(b.at, bytes, b.bytes);
	buf_close(&b);
}

/* RFC 4648, section 10, but for the empty one, which has no bytes to point at. */
static void given_the_vectors_of_the_standard_when_written_and_read_then_they_agree(void **state)
{
	(void)state;

	assert_both_ways("f", "Zg==");
	assert_both_ways("fo", "Zm8=");
	assert_both_ways("foo", "Zm9v");
	assert_both_ways("foob", "Zm9vYg==");
	assert_both_ways("fooba", "Zm9vYmE=");
	assert_both_ways("foobar", "Zm9vYmFy");
}

static void given_nothing_when_written_and_read_then_it_stays_nothing(void **state)
{
	struct buf b = { 0 };

	(void)state;

	base64_write(&b, NULL, 0);

	assert_int_equal(b.bytes, 0);
	assert_true(base64_read(&b, "", 0));
	assert_int_equal(b.bytes, 0);
	assert_int_equal(b.failed, GD_OK);
	buf_close(&b);
}

static void given_every_byte_when_written_and_read_then_it_comes_back(void **state)
{
	unsigned char bytes[256];
	struct buf    text = { 0 };
	struct buf    back = { 0 };

	(void)state;
	for (int i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;

	base64_write(&text, bytes, sizeof bytes);

	assert_true(base64_read(&back, text.at, text.bytes));
	assert_int_equal(back.bytes, sizeof bytes);
	assert_memory_equal(back.at, bytes, sizeof bytes);
	buf_close(&text);
	buf_close(&back);
}

static void given_text_that_is_none_when_read_then_nothing_is_appended(void **state)
{
	static const char *const bad[] = { "Zg=",   "Zg",   "Z===", "====", "Zm9v\n",
		                           " Zm9v", "Zm-v", "Zm_v", "Z=9v", "Zg==Zg==" };
	struct buf               b = { 0 };

	(void)state;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(base64_read(&b, bad[i], strlen(bad[i])));

	assert_int_equal(b.bytes, 0);
	buf_close(&b);
}

static void given_a_full_buffer_when_used_then_the_failure_sticks(void **state)
{
	struct buf b = { .cap = 4 };

	(void)state;

	base64_write(&b, "foobar", 6);

	assert_int_equal(b.failed, GD_LIMIT);
	buf_clear(&b);
	(void)base64_read(&b, "Zm9vYmFy", 8);
	assert_int_equal(b.failed, GD_LIMIT);
	buf_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_the_vectors_of_the_standard_when_written_and_read_then_they_agree),
		cmocka_unit_test(given_nothing_when_written_and_read_then_it_stays_nothing),
		cmocka_unit_test(given_every_byte_when_written_and_read_then_it_comes_back),
		cmocka_unit_test(given_text_that_is_none_when_read_then_nothing_is_appended),
		cmocka_unit_test(given_a_full_buffer_when_used_then_the_failure_sticks),
	};

	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
