/* proto/frame: where a message ends, and what must not reach the parser. */
#include "proto/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRANSCRIPT_BYTES 4096

static const char *name_of(enum frame_result found)
{
	switch (found) {
	case FRAME_MORE:
		return "more";
	case FRAME_MESSAGE:
		return "message";
	case FRAME_MALFORMED:
		return "malformed";
	case FRAME_TOO_LONG:
		return "too long";
	case FRAME_TOO_DEEP:
		return "too deep";
	case FRAME_TOO_MANY:
		return "too many";
	case FRAME_NOT_JSON:
		return "not json";
	}
	return "?";
}

/* Feeds `text` in pieces of at most `piece` bytes and writes down what was found: messages with
 * their bytes, the rest by name, "; " between them. */
static void scan_all(struct frame_scanner *s, const char *text, size_t bytes, size_t piece,
                     char transcript[TRANSCRIPT_BYTES])
{
	size_t at = 0;
	size_t used;
	size_t written = 0;

	transcript[0] = '\0';
	while (at < bytes) {
		size_t            count = bytes - at < piece ? bytes - at : piece;
		enum frame_result found = frame_scan(s, text + at, count, &used);

		assert_true(used <= count);
		at += used;
		assert_true(s->bytes <= at);
		if (found == FRAME_MORE) {
			assert_int_equal(used, count);
			continue;
		}
		if (found == FRAME_MESSAGE)
			written +=
				(size_t)snprintf(transcript + written, TRANSCRIPT_BYTES - written,
			                         "%.*s; ", (int)s->bytes, text + at - s->bytes);
		else
			written +=
				(size_t)snprintf(transcript + written, TRANSCRIPT_BYTES - written,
			                         "%s; ", name_of(found));
		assert_true(written < TRANSCRIPT_BYTES);
		if (found > FRAME_MALFORMED)
			return;
	}
}

/* Whole, and cut at every place: the transcript is the same. */
static void expect(const char *text, const char *transcript)
{
	struct frame_scanner s;
	char                 got[TRANSCRIPT_BYTES];

	for (size_t piece = strlen(text); piece > 0; piece--) {
		frame_init(&s, FRAME_BYTES_MAX);
		scan_all(&s, text, strlen(text), piece, got);
		assert_string_equal(got, transcript);
	}
}

static void given_lines_when_scanned_then_each_is_a_message(void **state)
{
	(void)state;
	expect("{\"a\":1}\n{\"b\":2}\r\n\r\n\n[3]\n", "{\"a\":1}; {\"b\":2}; [3]; ");
}

static void given_messages_without_lf_when_scanned_then_each_is_a_message(void **state)
{
	(void)state;
	expect("{}{\"a\":[{},[]]}[1,2] [3]", "{}; {\"a\":[{},[]]}; [1,2]; [3]; ");
}

static void given_a_pretty_printed_message_when_scanned_then_it_is_one(void **state)
{
	(void)state;
	expect("{\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ]\n}\n",
	       "{\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ]\n}; ");
}

static void given_brackets_and_escapes_in_texts_when_scanned_then_they_do_not_count(void **state)
{
	(void)state;
	expect("{\"}]\":\"[{\\\"}\\\\\"}\n[\"\\u0041\\n\"]",
	       "{\"}]\":\"[{\\\"}\\\\\"}; [\"\\u0041\\n\"]; ");
}

static void given_http_when_scanned_then_nothing_in_it_runs(void **state)
{
	(void)state;
	expect("POST / HTTP/1.1\r\n\r\n{\"method\":\"job.submit\"}\n", "not json; ");
	expect("\r\n GET / HTTP/1.1\r\n\r\n{}\n", "not json; ");
	expect("\x16\x03\x01{}", "not json; ");
	expect("\xef\xbb\xbf{}", "not json; ");
}

static void given_a_stuck_scanner_when_fed_then_it_takes_nothing(void **state)
{
	struct frame_scanner s;
	size_t               used;

	(void)state;
	frame_init(&s, FRAME_BYTES_MAX);
	assert_int_equal(frame_scan(&s, "x", 1, &used), FRAME_NOT_JSON);

	assert_int_equal(frame_scan(&s, "{}", 2, &used), FRAME_NOT_JSON);
	assert_int_equal(used, 0);
}

static void given_noise_after_a_message_when_scanned_then_the_next_line_is_good(void **state)
{
	(void)state;
	expect("{}\nnoise {\"a\":1} more\n[1]\n", "{}; malformed; [1]; ");
	expect("{}}{}\n[1]\n", "{}; malformed; [1]; ");
}

static void given_a_wrong_bracket_when_scanned_then_the_next_line_is_good(void **state)
{
	(void)state;
	expect("[1}{\"lost\":1}\n{\"a\":1}\n", "malformed; {\"a\":1}; ");
	expect("{\"a\":1]\n{\"a\":1}\n", "malformed; {\"a\":1}; ");
}

static void given_a_text_that_does_not_end_when_scanned_then_its_line_is_lost(void **state)
{
	(void)state;
	expect("{\"a\":\"oops}\n{\"b\":1}\n", "malformed; {\"b\":1}; ");
	expect("{\"a\":\"oops\\\n{\"b\":1}\n", "malformed; {\"b\":1}; ");
	expect("{\"a\":\"\t\"}{\"lost\":1}\n{\"b\":1}\n", "malformed; {\"b\":1}; ");
}

static void given_a_message_cut_off_when_another_follows_then_only_the_first_is_lost(void **state)
{
	(void)state;
	expect("{\"a\":1\n{\"b\":2}\n", "malformed; {\"b\":2}; ");
	expect("{\"a\":{\n  {\"b\":2}\n", "malformed; {\"b\":2}; ");
	expect("{\"a\"\n{\"b\":2}\n", "malformed; {\"b\":2}; ");
}

static void given_control_bytes_when_scanned_then_malformed(void **state)
{
	struct frame_scanner s;
	char                 got[TRANSCRIPT_BYTES];

	(void)state;
	frame_init(&s, FRAME_BYTES_MAX);
	scan_all(&s, "[\0]\n[1]", 7, 7, got);
	assert_string_equal(got, "malformed; [1]; ");

	frame_init(&s, FRAME_BYTES_MAX);
	scan_all(&s, "[\"\0\"]\n[1]", 9, 9, got);
	assert_string_equal(got, "malformed; [1]; ");
}

static void given_grammar_that_a_parser_would_refuse_when_scanned_then_malformed(void **state)
{
	(void)state;
	expect("[1,,2]\n", "malformed; ");
	expect("[\"a\" \"b\"]\n", "malformed; ");
	expect("{\"a\"::1}\n", "malformed; ");
	expect("[1[2]]\n", "malformed; ");
	expect("{[1]:2}\n", "malformed; ");
}

static void given_a_message_of_the_limit_when_scanned_then_it_is_good(void **state)
{
	struct frame_scanner s;
	char                 got[TRANSCRIPT_BYTES];

	(void)state;
	for (size_t piece = 1; piece <= 10; piece++) {
		frame_init(&s, 10);
		scan_all(&s, "[\"234567\"]\n[1]", 14, piece, got);
		assert_string_equal(got, "[\"234567\"]; [1]; ");
	}
}

static void given_a_message_over_the_limit_when_scanned_then_what_follows_is_not_read(void **state)
{
	struct frame_scanner s;
	char                 got[TRANSCRIPT_BYTES];

	(void)state;
	for (size_t piece = 1; piece <= 20; piece++) {
		frame_init(&s, 10);
		scan_all(&s, "[\"2345678\"]\n{\"smuggled\":1}\n", 27, piece, got);
		assert_string_equal(got, "too long; ");
		assert_true(s.bytes <= 10);
	}
}

static void given_white_space_without_end_when_scanned_then_nothing_is_kept(void **state)
{
	struct frame_scanner s;
	char                 spaces[512];
	size_t               used;

	(void)state;
	memset(spaces, '\n', sizeof spaces);
	frame_init(&s, 10);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(frame_scan(&s, spaces, sizeof spaces, &used), FRAME_MORE);
		assert_int_equal(s.bytes, 0);
	}
	assert_int_equal(frame_scan(&s, "{}", 2, &used), FRAME_MESSAGE);
}

static void given_a_raised_limit_when_scanned_then_the_same_message_fits(void **state)
{
	struct frame_scanner s;
	size_t               used;

	(void)state;
	frame_init(&s, 4);
	assert_int_equal(frame_scan(&s, "[1, ", 4, &used), FRAME_MORE);

	frame_set_bytes_max(&s, 64);
	assert_int_equal(frame_scan(&s, "2]", 2, &used), FRAME_MESSAGE);
	assert_int_equal(s.bytes, 6);
}

static void given_a_refused_message_when_resynchronised_then_its_line_is_skipped(void **state)
{
	struct frame_scanner s;
	static const char    text[] = "{\"a\":tru}{\"lost\":1}\n[1]";
	char                 got[TRANSCRIPT_BYTES];
	size_t               used;

	(void)state;
	frame_init(&s, FRAME_BYTES_MAX);
	assert_int_equal(frame_scan(&s, text, sizeof text - 1, &used), FRAME_MESSAGE);

	frame_resync(&s);
	scan_all(&s, text + used, sizeof text - 1 - used, 3, got);
	assert_string_equal(got, "[1]; ");
}

/* `count` times `unit`. */
static char *repeat(const char *unit, size_t count, const char *tail)
{
	size_t bytes = strlen(unit);
	char  *text = malloc(bytes * count + strlen(tail) + 1);

	assert_non_null(text);
	for (size_t i = 0; i < count; i++)
		memcpy(text + i * bytes, unit, bytes);
	memcpy(text + count * bytes, tail, strlen(tail) + 1);
	return text;
}

static enum frame_result scan_one(const char *text)
{
	struct frame_scanner s;
	size_t               used;

	frame_init(&s, FRAME_BYTES_MAX);
	return frame_scan(&s, text, strlen(text), &used);
}

static void given_depth_64_when_scanned_then_good_and_65_too_deep(void **state)
{
	char *open = repeat("[", FRAME_DEPTH_MAX, "");
	char *good = repeat("]", FRAME_DEPTH_MAX, "");
	char  text[2 * FRAME_DEPTH_MAX + 3];

	(void)state;
	(void)snprintf(text, sizeof text, "%s%s", open, good);
	assert_int_equal(scan_one(text), FRAME_MESSAGE);

	(void)snprintf(text, sizeof text, "%s[]%s", open, good);
	assert_int_equal(scan_one(text), FRAME_TOO_DEEP);
	free(open);
	free(good);
}

static void given_a_bomb_of_values_when_scanned_then_too_many(void **state)
{
	char *bomb = repeat("{},", 300000, "{}]");
	char *good;

	(void)state;
	bomb[0] = '[';
	bomb[1] = '1';
	assert_int_equal(scan_one(bomb), FRAME_TOO_MANY);
	free(bomb);

	/* the list itself, and a value behind each of its commas */
	good = repeat("1,", FRAME_VALUES_MAX - 2, "1]");
	good[0] = '[';
	good[1] = ' ';
	good[2] = '1';
	assert_int_equal(scan_one(good), FRAME_MESSAGE);
	free(good);
}

static void given_objects_after_lists_when_scanned_then_kinds_do_not_leak(void **state)
{
	(void)state;
	expect("[{\"a\":[{\"b\":[]}]},[[]],{\"c\":{}}]",
	       "[{\"a\":[{\"b\":[]}]},[[]],{\"c\":{}}]; ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_lines_when_scanned_then_each_is_a_message),
		cmocka_unit_test(given_messages_without_lf_when_scanned_then_each_is_a_message),
		cmocka_unit_test(given_a_pretty_printed_message_when_scanned_then_it_is_one),
		cmocka_unit_test(
			given_brackets_and_escapes_in_texts_when_scanned_then_they_do_not_count),
		cmocka_unit_test(given_http_when_scanned_then_nothing_in_it_runs),
		cmocka_unit_test(given_a_stuck_scanner_when_fed_then_it_takes_nothing),
		cmocka_unit_test(
			given_noise_after_a_message_when_scanned_then_the_next_line_is_good),
		cmocka_unit_test(given_a_wrong_bracket_when_scanned_then_the_next_line_is_good),
		cmocka_unit_test(given_a_text_that_does_not_end_when_scanned_then_its_line_is_lost),
		cmocka_unit_test(
			given_a_message_cut_off_when_another_follows_then_only_the_first_is_lost),
		cmocka_unit_test(given_control_bytes_when_scanned_then_malformed),
		cmocka_unit_test(
			given_grammar_that_a_parser_would_refuse_when_scanned_then_malformed),
		cmocka_unit_test(given_a_message_of_the_limit_when_scanned_then_it_is_good),
		cmocka_unit_test(
			given_a_message_over_the_limit_when_scanned_then_what_follows_is_not_read),
		cmocka_unit_test(given_white_space_without_end_when_scanned_then_nothing_is_kept),
		cmocka_unit_test(given_a_raised_limit_when_scanned_then_the_same_message_fits),
		cmocka_unit_test(
			given_a_refused_message_when_resynchronised_then_its_line_is_skipped),
		cmocka_unit_test(given_depth_64_when_scanned_then_good_and_65_too_deep),
		cmocka_unit_test(given_a_bomb_of_values_when_scanned_then_too_many),
		cmocka_unit_test(given_objects_after_lists_when_scanned_then_kinds_do_not_leak),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
