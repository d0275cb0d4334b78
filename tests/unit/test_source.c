#include "client/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

/* What the daemon's problems look like in the job `text`. */
static void expect_problems(const char *text, const char *problems, const char *expected)
{
	struct source s;
	struct buf    b = { .cap = 0 };
	json_t       *list = json_loads(problems, 0, NULL);

	assert_non_null(list);
	assert_int_equal(source_read(&s, text, NULL), GD_OK);
	source_write_problems(&b, &s, list);
	buf_add_byte(&b, '\0');
	assert_string_equal(b.at, expected);
	buf_close(&b);
	json_decref(list);
	source_close(&s);
}

static void given_a_problem_then_the_caret_is_under_the_member(void **state)
{
	(void)state;
	expect_problems("[{\"sleep\": 1},\n {\"slep\": 3}]",
	                "[{\"pointer\": \"/1/slep\", \"message\": \"no known operation here\", "
	                "\"hint\": \"did you mean sleep?\"}]",
	                "argument:2:3: no known operation here; did you mean sleep?\n"
	                "     {\"slep\": 3}]\n"
	                "      ^~~~~~~~~\n");
}

static void given_tabs_before_it_then_the_caret_still_fits(void **state)
{
	(void)state;
	expect_problems("{\n\t\"x\": 1\n}", "[{\"pointer\": \"/x\", \"message\": \"no\"}]",
	                "argument:2:2: no\n"
	                "     \"x\": 1\n"
	                "     ^~~~~~\n");
}

static void given_a_member_of_many_lines_then_the_mark_ends_with_the_first(void **state)
{
	(void)state;
	expect_problems("{\"x\": [\n1\n]}", "[{\"pointer\": \"/x\", \"message\": \"no\"}]",
	                "argument:1:2: no\n"
	                "    {\"x\": [\n"
	                "     ^~~~~~\n");
}

static void given_a_long_line_then_a_window_around_the_fault_is_shown(void **state)
{
	char          text[1000];
	struct source s;
	struct buf    b = { .cap = 0 };
	json_t       *list = json_loads("[{\"pointer\": \"/1\", \"message\": \"no\"}]", 0, NULL);

	(void)state;
	memset(text, 'a', sizeof text);
	memcpy(text, "[\"", 2);
	memcpy(text + 800, "\",77,\"", 6);
	memcpy(text + sizeof text - 3, "\"]", 3);
	assert_int_equal(source_read(&s, text, NULL), GD_OK);
	source_write_problems(&b, &s, list);
	buf_add_byte(&b, '\0');

	assert_non_null(strstr(b.at, "argument:1:803: no\n"));
	assert_non_null(strstr(b.at, "a\",77,\"a"));
	assert_true(b.bytes < 300);
	buf_close(&b);
	json_decref(list);
	source_close(&s);
}

static void given_a_pointer_outside_the_text_then_it_is_named(void **state)
{
	(void)state;
	expect_problems("{}", "[{\"pointer\": \"/args/x\", \"message\": \"not an argument\"}]",
	                "argument: not an argument (/args/x)\n");
}

static void given_a_message_with_escapes_then_the_terminal_stays_as_it_is(void **state)
{
	(void)state;
	expect_problems("[1]", "[{\"pointer\": \"/0\", \"message\": \"a\\u001bb\"}]",
	                "argument:1:2: a\\u001bb\n"
	                "    [1]\n"
	                "     ^\n");
}

static void given_no_such_file_then_the_error_names_it(void **state)
{
	struct source   s;
	struct gd_error why;

	(void)state;
	assert_int_equal(source_read(&s, "no-such-file.json", &why), GD_SYS);
	assert_non_null(strstr(why.text, "no-such-file.json"));
	source_close(&s);
}

static void given_a_job_that_is_too_large_then_it_is_refused(void **state)
{
	struct source   s;
	struct gd_error why;

	(void)state;
	assert_int_equal(source_read(&s, "/dev/zero", &why), GD_LIMIT);
	source_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_problem_then_the_caret_is_under_the_member),
		cmocka_unit_test(given_tabs_before_it_then_the_caret_still_fits),
		cmocka_unit_test(given_a_member_of_many_lines_then_the_mark_ends_with_the_first),
		cmocka_unit_test(given_a_long_line_then_a_window_around_the_fault_is_shown),
		cmocka_unit_test(given_a_pointer_outside_the_text_then_it_is_named),
		cmocka_unit_test(given_a_message_with_escapes_then_the_terminal_stays_as_it_is),
		cmocka_unit_test(given_no_such_file_then_the_error_names_it),
		cmocka_unit_test(given_a_job_that_is_too_large_then_it_is_refused),
	};

	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
