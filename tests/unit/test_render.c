#include "client/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void expect_text(struct buf *b, const char *expected)
{
	buf_add_byte(b, '\0');
	assert_int_equal(b->failed, GD_OK);
	assert_string_equal(b->at, expected);
	buf_close(b);
}

static void expect_json(const char *text, unsigned indent, const char *expected)
{
	struct buf b = { .cap = 0 };
	json_t    *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	assert_non_null(value);
	render_json(&b, value, indent);
	json_decref(value);
	expect_text(&b, expected);
}

static void expect_event(const char *text, double start, bool is_coloured, const char *expected)
{
	struct buf b = { .cap = 0 };
	json_t    *event = json_loads(text, 0, NULL);

	assert_non_null(event);
	render_event(&b, event, start, is_coloured);
	json_decref(event);
	expect_text(&b, expected);
}

static void given_numbers_then_they_are_as_short_as_they_read_back(void **state)
{
	(void)state;
	expect_json("[0.1, 1e300, 1.0, -0.0, 0.30000000000000004, 9007199254740993]", 0,
	            "[0.1,1e+300,1.0,-0.0,0.30000000000000004,9007199254740993]");
}

static void given_words_and_containers_then_compact_has_no_space(void **state)
{
	(void)state;
	expect_json("{\"b\": [null, true, false], \"a\": {}, \"c\": []}", 0,
	            "{\"b\":[null,true,false],\"a\":{},\"c\":[]}");
}

static void given_an_indent_then_each_level_has_its_own_lines(void **state)
{
	(void)state;
	expect_json("{\"a\": [1, {}]}", 2, "{\n  \"a\": [\n    1,\n    {}\n  ]\n}");
}

static void given_control_characters_in_json_then_they_leave_as_escapes(void **state)
{
	(void)state;
	expect_json("\"a\\\"\\\\\\n\\t\\u0000\\u001b[31m\\u007f\\u009b\\u00e4\"", 0,
	            "\"a\\\"\\\\\\n\\t\\u0000\\u001b[31m\\u007f\\u009b\xc3\xa4\"");
}

static void given_control_characters_in_text_then_no_terminal_obeys_them(void **state)
{
	struct buf b = { .cap = 0 };

	(void)state;
	render_text(&b, "a\033]0;x\a\xc2\x9b\xc3\xa4\n");

	expect_text(&b, "a\\u001b]0;x\\u0007\\u009b\xc3\xa4\\u000a");
}

static void expect_output(const char *text, size_t bytes, const char *expected)
{
	struct buf b = { .cap = 0 };

	render_output(&b, text, bytes);
	expect_text(&b, expected);
}

static void given_output_then_a_terminal_gets_colours_and_lines_but_no_commands(void **state)
{
	(void)state;
	expect_output("a\tb\nc", 5, "a\tb\nc");
	expect_output("\033[1;31mred\033[m", 13, "\033[1;31mred\033[m");
	expect_output("\033[2J", 4, "\\u001b[2J");
	expect_output("\033]0;x\a", 6, "\\u001b]0;x\\u0007");
	expect_output("\033[31", 4, "\\u001b[31");
	expect_output("\033", 1, "\\u001b");
	expect_output("a\0b", 3, "a\\u0000b");
	expect_output("\xc2\x9b"
	              "2J",
	              4, "\\u009b2J");
	expect_output("\xc3\xa9\xc2", 3, "\xc3\xa9\xc2");
}

static void given_a_yield_then_the_line_has_offset_kind_and_data(void **state)
{
	(void)state;
	expect_event("{\"time\": 13.0, \"kind\": \"yield\", \"data\": \"x\"}", 10, false,
	             "   +3.000s  yield           \"x\"\n");
}

static void given_a_name_then_it_stands_for_the_path(void **state)
{
	(void)state;
	expect_event(
		"{\"time\": 10.5, \"kind\": \"task.completed\", \"name\": \"n\", \"path\": \"/p\", "
		"\"data\": 1}",
		10, false, "   +0.500s  task.completed  n  1\n");
}

static void given_only_a_path_then_it_is_shown(void **state)
{
	(void)state;
	expect_event("{\"time\": 10, \"kind\": \"task.started\", \"path\": \"/gather/0\"}", 10,
	             false, "   +0.000s  task.started    /gather/0\n");
}

static void given_nothing_but_a_kind_then_the_line_ends_there(void **state)
{
	(void)state;
	expect_event("{\"time\": 9.75, \"kind\": \"job.queued\"}", 10, false,
	             "   -0.250s  job.queued\n");
}

static void given_colour_then_only_the_kind_has_it(void **state)
{
	(void)state;
	expect_event("{\"time\": 10, \"kind\": \"job.failed\", \"data\": 1}", 10, true,
	             "   +0.000s  \033[31mjob.failed    \033[0m  1\n");
}

static void given_seconds_then_a_time_is_local_and_whole(void **state)
{
	struct buf b = { .cap = 0 };
	json_t    *when = json_real(86399.9);

	(void)state;
	render_time(&b, when);
	json_decref(when);

	expect_text(&b, "1970-01-01 23:59:59");
}

static void given_no_number_then_a_time_is_a_dash(void **state)
{
	struct buf b = { .cap = 0 };

	(void)state;
	render_time(&b, NULL);

	expect_text(&b, "-");
}

static void given_two_moments_then_the_span_suits_its_size(void **state)
{
	static const struct {
		double      seconds;
		const char *text;
	} cases[] = { { 0.25, "0.250s" }, { 123, "2m03s" }, { 7260, "2h01m" } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf b = { .cap = 0 };
		json_t    *from = json_real(1000), *to = json_real(1000 + cases[i].seconds);

		render_span(&b, from, to);
		json_decref(from);
		json_decref(to);
		expect_text(&b, cases[i].text);
	}
}

static void given_cells_then_the_columns_stand_below_each_other(void **state)
{
	static const char *const titles[] = { "ID", "TITLE", "X" };
	struct render_table      t;
	struct buf               b = { .cap = 0 };

	(void)state;
	render_table_init(&t, 3, titles);
	render_table_add(&t, "1000");
	render_table_add(&t, "\xc3\xa4\xc3\xb6");
	render_table_add(&t, "y");
	render_table_add(&t, "1");
	render_table_add(&t, NULL);
	render_table_add(&t, "z\033");
	render_table_write(&b, &t);
	render_table_close(&t);

	expect_text(&b, "ID    TITLE  X\n"
	                "1000  \xc3\xa4\xc3\xb6     y\n"
	                "1            z\\u001b\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_numbers_then_they_are_as_short_as_they_read_back),
		cmocka_unit_test(given_words_and_containers_then_compact_has_no_space),
		cmocka_unit_test(given_an_indent_then_each_level_has_its_own_lines),
		cmocka_unit_test(given_control_characters_in_json_then_they_leave_as_escapes),
		cmocka_unit_test(given_control_characters_in_text_then_no_terminal_obeys_them),
		cmocka_unit_test(
			given_output_then_a_terminal_gets_colours_and_lines_but_no_commands),
		cmocka_unit_test(given_a_yield_then_the_line_has_offset_kind_and_data),
		cmocka_unit_test(given_a_name_then_it_stands_for_the_path),
		cmocka_unit_test(given_only_a_path_then_it_is_shown),
		cmocka_unit_test(given_nothing_but_a_kind_then_the_line_ends_there),
		cmocka_unit_test(given_colour_then_only_the_kind_has_it),
		cmocka_unit_test(given_seconds_then_a_time_is_local_and_whole),
		cmocka_unit_test(given_no_number_then_a_time_is_a_dash),
		cmocka_unit_test(given_two_moments_then_the_span_suits_its_size),
		cmocka_unit_test(given_cells_then_the_columns_stand_below_each_other),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
