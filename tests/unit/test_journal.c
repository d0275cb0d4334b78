#include "daemon/store/journal.h"
#include "daemon/store/journal_value.h"

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

static struct value said(struct value signal, const char *member)
{
	return value_dict_get(signal, member, strlen(member));
}

static void given_a_signal_when_encoded_then_the_bytes_are_those_of_version_1(void **state)
{
	struct bench       *b = *state;
	struct engine_in    in = { .kind = ENGINE_SIGNAL, .time = 1 };
	const unsigned char wanted[] = { 1, 8, 1, 0, 0, 0,   0,   0, 0, 0, /* key */
		                         1, 2, 0, 0, 0, 'k', 'y',          /* event */
		                         1, 2, 0, 0, 0, 'g', 'o',          /* value */
		                         2, 1, 0, 0, 0, 5 };

	in.message = value_dict_new(&b->heap, 3);
	in.message = value_dict_put(
		&b->heap, in.message, value_text_new(&b->heap, "value", 5),
		value_list_append(&b->heap, value_list_new(&b->heap, 1), value_bool(true)));
	in.message = value_dict_put(&b->heap, in.message, value_text_new(&b->heap, "event", 5),
	                            value_text_new(&b->heap, "go", 2));
	in.message = value_dict_put(&b->heap, in.message, value_text_new(&b->heap, "key", 3),
	                            value_text_new(&b->heap, "ky", 2));
	journal_encode(&b->bytes, &in);

	assert_int_equal(b->bytes.bytes, sizeof wanted);
	assert_memory_equal(b->bytes.at, wanted, sizeof wanted);
	for (size_t count = 0; count < sizeof wanted; count++)
		assert_int_equal(decode(b, wanted, count), GD_STORE);
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_OK);
	assert_int_equal(b->out.kind, ENGINE_SIGNAL);
	assert_true(value_is_same(b->out.message, in.message));
	value_release(&b->heap, in.message);
	value_release(&b->heap, b->out.message);
}

static void given_a_signal_without_a_key_when_decoded_then_it_has_none(void **state)
{
	struct bench       *b = *state;
	const unsigned char bytes[] = { 1, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 'a', 0 };

	assert_int_equal(decode(b, bytes, sizeof bytes), GD_OK);
	assert_string_equal(value_text(said(b->out.message, "event"))->at, "a");
	assert_true(value_is_null(said(b->out.message, "value")));
	assert_true(value_is_none(said(b->out.message, "key")));
	value_release(&b->heap, b->out.message);
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

/* --- of commands --- */

/* {"code": -1, "x": [null, true, false, 0.5, "ü"], "big": 2 ** 60, "in": {}} */
static struct value some_value(struct value_heap *h)
{
	struct value list = value_list_new(h, 5), dict = value_dict_new(h, 4);

	list = value_list_append(h, list, VALUE_NULL);
	list = value_list_append(h, list, value_bool(true));
	list = value_list_append(h, list, value_bool(false));
	list = value_list_append(h, list, value_float(0.5));
	list = value_list_append(h, list, value_text_new(h, "\xc3\xbc", 2));
	dict = value_dict_put(h, dict, value_text_new(h, "code", 4), value_int(h, -1));
	dict = value_dict_put(h, dict, value_text_new(h, "x", 1), list);
	dict = value_dict_put(h, dict, value_text_new(h, "big", 3), value_int(h, INT64_C(1) << 60));
	return value_dict_put(h, dict, value_text_new(h, "in", 2), value_dict_new(h, 0));
}

/* Encodes it with a message (taken) of its own, or VALUE_NULL. */
static void encode_command(struct bench *b, enum engine_in_kind kind, struct value message)
{
	struct engine_in in = { .kind = kind, .time = WHEN, .ticket = 7, .attempt = 3 };

	in.message = message;
	buf_clear(&b->bytes);
	journal_encode(&b->bytes, &in);
	assert_int_equal(b->bytes.failed, GD_OK);
	value_release(&b->heap, message);
}

static void given_an_end_of_a_command_when_decoded_then_it_is_the_same(void **state)
{
	struct bench *b = *state;
	struct value  wanted = some_value(&b->heap);

	encode_command(b, ENGINE_EXITED, some_value(&b->heap));
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_OK);

	assert_int_equal(b->out.kind, ENGINE_EXITED);
	assert_true(b->out.time == WHEN);
	assert_int_equal(b->out.ticket, 7);
	assert_int_equal(b->out.attempt, 3);
	assert_true(value_is_equal(b->out.message, wanted));
	assert_true(value_is_float(value_list(value_dict_get(b->out.message, "x", 1))->at[3]));
	value_release(&b->heap, b->out.message);
	value_release(&b->heap, wanted);
}

static void given_a_beginning_when_encoded_then_the_bytes_are_those_of_version_1(void **state)
{
	struct bench       *b = *state;
	struct engine_in    in = { .kind = ENGINE_BEGIN,
		                   .time = 1,
		                   .ticket = 2,
		                   .attempt = 3,
		                   .mark = 0x0807060504030201 };
	const unsigned char wanted[] = { 1, 4, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0,
		                         0, 3, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 };

	journal_encode(&b->bytes, &in);

	assert_int_equal(b->bytes.bytes, sizeof wanted);
	assert_memory_equal(b->bytes.at, wanted, sizeof wanted);
	assert_int_equal(decode(b, wanted, sizeof wanted), GD_OK);
	assert_int_equal(b->out.kind, ENGINE_BEGIN);
	assert_int_equal(b->out.attempt, 3);
	assert_int_equal(b->out.mark, in.mark);
}

static void given_an_end_when_encoded_then_the_bytes_are_those_of_version_1(void **state)
{
	struct bench *b = *state;
	struct value  message = value_dict_new(&b->heap, 1);

	message = value_dict_put(&b->heap, message, value_text_new(&b->heap, "code", 4),
	                         value_int(&b->heap, 9));
	encode_command(b, ENGINE_EXITED, message);
	/* version, kind, time, ticket, attempt | a dict of 1: "code", an int, 9 */
	assert_memory_equal(b->bytes.at + 10,
	                    "\7\0\0\0\3\0\0\0\3\1\0\0\0\4\0\0\0code\6\11\0\0\0\0\0\0\0", 30);
	assert_int_equal(b->bytes.bytes, 40);
	assert_int_equal(b->bytes.at[1], 5);
}

static void given_lines_and_a_word_when_decoded_then_they_are_the_same(void **state)
{
	struct bench *b = *state;
	struct value  list = value_list_append(&b->heap, value_list_new(&b->heap, 1),
	                                       value_text_new(&b->heap, "one", 3));

	encode_command(b, ENGINE_LINES, list);
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_OK);
	assert_int_equal(b->out.kind, ENGINE_LINES);
	assert_string_equal(value_text(value_list(b->out.message)->at[0])->at, "one");
	value_release(&b->heap, b->out.message);

	encode_command(b, ENGINE_RESUME, value_text_new(&b->heap, "retry", 5));
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_OK);
	assert_int_equal(b->out.kind, ENGINE_RESUME);
	assert_string_equal(value_text(b->out.message)->at, "retry");
	value_release(&b->heap, b->out.message);
}

static void given_a_part_or_a_changed_byte_of_an_end_when_decoded_then_nothing_is_left(void **state)
{
	struct bench *b = *state;

	encode_command(b, ENGINE_EXITED, some_value(&b->heap));
	for (size_t count = 0; count < b->bytes.bytes; count++)
		assert_int_equal(decode(b, b->bytes.at, count), GD_STORE);
	for (size_t i = 0; i < b->bytes.bytes; i++) {
		for (int byte = 0; byte < 256; byte++) {
			char was = b->bytes.at[i];

			b->bytes.at[i] = (char)byte;
			if (decode(b, b->bytes.at, b->bytes.bytes) == GD_OK)
				value_release(&b->heap, b->out.message);
			b->bytes.at[i] = was;
		}
	}
}

static void given_a_message_of_another_kind_when_decoded_then_it_is_refused(void **state)
{
	struct bench *b = *state;

	encode_command(b, ENGINE_EXITED, VALUE_NULL);
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_STORE);
	encode_command(b, ENGINE_LINES, value_dict_new(&b->heap, 0));
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_STORE);
	encode_command(b, ENGINE_RESUME, value_list_new(&b->heap, 0));
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_STORE);
	b->bytes.at[1] = 1; /* a cancel */
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_STORE);
}

static void given_a_number_that_is_not_finite_when_decoded_then_it_is_refused(void **state)
{
	static const uint16_t not_finite[] = { 0x7ff0, 0x7ff8, 0xfff0, 0xfffc };
	struct bench         *b = *state;
	size_t                at;

	encode_command(b, ENGINE_LINES,
	               value_list_append(&b->heap, value_list_new(&b->heap, 1), value_float(0.5)));
	at = b->bytes.bytes - 2;
	for (size_t i = 0; i < sizeof not_finite / sizeof not_finite[0]; i++) {
		b->bytes.at[at] = (char)(not_finite[i] & 0xff);
		b->bytes.at[at + 1] = (char)(not_finite[i] >> 8);
		assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_STORE);
	}
}

static void given_lists_deeper_than_any_end_when_decoded_then_they_are_refused(void **state)
{
	struct bench *b = *state;
	struct value  list = value_list_new(&b->heap, 0);

	for (int i = 0; i < JOURNAL_DEPTH_MAX; i++)
		list = value_list_append(&b->heap, value_list_new(&b->heap, 1), list);
	encode_command(b, ENGINE_LINES, list);
	assert_int_equal(decode(b, b->bytes.at, b->bytes.bytes), GD_STORE);
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
		JOURNAL_TEST(given_a_signal_when_encoded_then_the_bytes_are_those_of_version_1),
		JOURNAL_TEST(given_a_signal_without_a_key_when_decoded_then_it_has_none),
		JOURNAL_TEST(given_any_part_of_an_encoding_when_decoded_then_it_is_refused),
		JOURNAL_TEST(given_an_unknown_version_or_kind_when_decoded_then_it_is_refused),
		JOURNAL_TEST(given_a_message_that_is_not_utf8_when_decoded_then_it_is_refused),
		JOURNAL_TEST(given_an_end_of_a_command_when_decoded_then_it_is_the_same),
		JOURNAL_TEST(given_a_beginning_when_encoded_then_the_bytes_are_those_of_version_1),
		JOURNAL_TEST(given_an_end_when_encoded_then_the_bytes_are_those_of_version_1),
		JOURNAL_TEST(given_lines_and_a_word_when_decoded_then_they_are_the_same),
		JOURNAL_TEST(
			given_a_part_or_a_changed_byte_of_an_end_when_decoded_then_nothing_is_left),
		JOURNAL_TEST(given_a_message_of_another_kind_when_decoded_then_it_is_refused),
		JOURNAL_TEST(given_a_number_that_is_not_finite_when_decoded_then_it_is_refused),
		JOURNAL_TEST(given_lists_deeper_than_any_end_when_decoded_then_they_are_refused),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
