#include "daemon/store/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define WHEN INT64_C(-1234567890123456789)

struct bench {
	struct value_heap heap;
	struct buf        bytes;
	struct engine_in  out;
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct bench));
	return *state == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	size_t        left = b->heap.bytes;

	buf_close(&b->bytes);
	free(b);
	return left == 0 ? 0 : -1;
}

static void encode_cancel(struct bench *b, const char *message)
{
	struct engine_in in = { .kind = ENGINE_CANCEL, .time = WHEN, .message = VALUE_NULL };

	if (message != NULL)
		in.message = value_text_new(&b->heap, message, strlen(message));
	journal_encode(&b->bytes, &in);
	value_release(&b->heap, in.message);
	assert_int_equal(b->bytes.failed, GD_OK);
}

static enum gd_err decode(struct bench *b, const void *bytes, size_t count)
{
	/* A copy of just that size, so that a sanitizer sees a read beyond it. */
	unsigned char *copy = malloc(count == 0 ? 1 : count);
	enum gd_err    rc;

	assert_non_null(copy);
	memcpy(copy, bytes, count);
	rc = journal_decode(&b->heap, copy, count, &b->out, NULL);
	free(copy);
	return rc;
}

static void given_a_cancel_with_a_message_when_decoded_then_it_is_the_same(void **state)
{
	struct bench *b = *state;

	encode_cancel(b, "gr\xc3\xbc\xc3\x9f\xf0\x9f\x98\x80");

	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_OK);

	assert_int_equal(b->out.kind, ENGINE_CANCEL);
	assert_true(b->out.time == WHEN);
	assert_true(value_is_type(b->out.message, VALUE_T_TEXT));
	assert_string_equal(value_text(b->out.message)->at, "gr\xc3\xbc\xc3\x9f\xf0\x9f\x98\x80");
	value_release(&b->heap, b->out.message);
}

static void given_a_cancel_without_a_message_when_decoded_then_it_is_null(void **state)
{
	struct bench *b = *state;

	encode_cancel(b, NULL);

	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_OK);

	assert_int_equal(b->out.kind, ENGINE_CANCEL);
	assert_true(value_is_null(b->out.message));
}

static void given_an_empty_message_when_decoded_then_it_is_not_null(void **state)
{
	struct bench *b = *state;

	encode_cancel(b, "");

	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_OK);

	assert_true(value_is_type(b->out.message, VALUE_T_TEXT));
	assert_int_equal(value_text(b->out.message)->bytes, 0);
	value_release(&b->heap, b->out.message);
}

static void given_now_when_encoded_then_the_bytes_are_those_of_version_1(void **state)
{
	struct bench       *b = *state;
	struct engine_in    in = { .kind = ENGINE_NOW, .time = 0x0102030405060708 };
	const unsigned char wanted[] = { 1, 2, 8, 7, 6, 5, 4, 3, 2, 1 };

	journal_encode(&b->bytes, &in);

	assert_int_equal(b->bytes.bytes, sizeof wanted);
	assert_memory_equal(b->bytes.at, wanted, sizeof wanted);
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_OK);
	assert_int_equal(b->out.kind, ENGINE_NOW);
	assert_true(b->out.time == 0x0102030405060708);
}

static void given_a_grant_when_encoded_then_the_bytes_are_those_of_version_1(void **state)
{
	struct bench       *b = *state;
	struct engine_in    in = { .kind = ENGINE_GRANT, .time = 1, .ticket = 0x0a0b0c0d };
	const unsigned char wanted[] = { 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0x0d, 0x0c, 0x0b, 0x0a };

	journal_encode(&b->bytes, &in);

	assert_int_equal(b->bytes.bytes, sizeof wanted);
	assert_memory_equal(b->bytes.at, wanted, sizeof wanted);
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_OK);
	assert_int_equal(b->out.kind, ENGINE_GRANT);
	assert_true(b->out.time == 1);
	assert_int_equal(b->out.ticket, 0x0a0b0c0d);
	for (size_t count = 0; count < sizeof wanted; count++)
		assert_int_equal(decode(b, wanted, count), GD_STORE);
	buf_add_byte(&b->bytes, 0);
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_STORE);
}

static void given_any_part_of_an_encoding_when_decoded_then_it_is_refused(void **state)
{
	struct bench *b = *state;

	encode_cancel(b, "stop");

	for (size_t count = 0; count < b->bytes.bytes; count++)
		assert_int_equal(decode(b, b->bytes.at, count), GD_STORE);
	buf_add_byte(&b->bytes, 'x');
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_STORE);
}

static void given_an_unknown_version_or_kind_when_decoded_then_it_is_refused(void **state)
{
	struct bench *b = *state;

	encode_cancel(b, NULL);
	b->bytes.at[0] = 2;
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_STORE);
	b->bytes.at[0] = 1;
	b->bytes.at[1] = 9;
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_STORE);
}

static void given_a_message_that_is_not_utf8_when_decoded_then_it_is_refused(void **state)
{
	static const char *const bad[] = {
		"\x80zzz",       "\xc0\xafzz",       "\xc3(zz",          "\xe0\x80\xafz",
		"\xed\xa0\x80z", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xf5zzz",
		"zzz\xc3",       "\xe2\x82(z",       "zz\xe2\x82",       "\xffzzz",
	};
	struct bench *b = *state;
	size_t        at;

	encode_cancel(b, "good");
	at = b->bytes.bytes - 4;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		memcpy(b->bytes.at + at, bad[i], 4);
		assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_STORE);
	}
}

#define JOURNAL_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOURNAL_TEST(given_a_cancel_with_a_message_when_decoded_then_it_is_the_same),
		JOURNAL_TEST(given_a_cancel_without_a_message_when_decoded_then_it_is_null),
		JOURNAL_TEST(given_an_empty_message_when_decoded_then_it_is_not_null),
		JOURNAL_TEST(given_now_when_encoded_then_the_bytes_are_those_of_version_1),
		JOURNAL_TEST(given_a_grant_when_encoded_then_the_bytes_are_those_of_version_1),
		JOURNAL_TEST(given_any_part_of_an_encoding_when_decoded_then_it_is_refused),
		JOURNAL_TEST(given_an_unknown_version_or_kind_when_decoded_then_it_is_refused),
		JOURNAL_TEST(given_a_message_that_is_not_utf8_when_decoded_then_it_is_refused),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
