/* daemon/load: the arguments of to_thread, by name and in a list. */
#include "tests/lib/load_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CALL(function, args) "[{\"to_thread\": \"" function "\", \"args\": " args "}]"
#define READ "\"read_file\" takes (path, offset?, length?, encoding?)"

static void given_too_few_or_too_many_arguments_then_what_it_takes_is_told(void **state)
{
	(void)state;
	load_expect_problems("[{\"to_thread\": \"read_file\"}]",
	                     "/0: no arg \"path\" for \"read_file\"; " READ "\n");
	load_expect_problems(CALL("read_file", "[]"),
	                     "/0: no arg \"path\" for \"read_file\"; " READ "\n");
	load_expect_problems(CALL("read_file", "{\"offset\": 1}"),
	                     "/0: no arg \"path\" for \"read_file\"; " READ "\n");
	load_expect_problems(CALL("write_file", "[\"/a\"]"),
	                     "/0: no arg \"content\" for \"write_file\"; "
	                     "\"write_file\" takes (path, content, mode?)\n");
	load_expect_problems(CALL("stat", "[\"/a\", 1, 2]"),
	                     "/0/args: 3 args for \"stat\"; \"stat\" takes (path)\n");
	load_expect_problems(CALL("stat", "\"/a\""),
	                     "/0/args: \"args\" is an array or an object, not text\n");
}

static void given_a_name_that_is_no_parameter_then_the_nearest_is_told(void **state)
{
	(void)state;
	load_expect_problems(CALL("read_file", "{\"path\": \"/a\", \"ofset\": 1}"),
	                     "/0/args/ofset: \"read_file\" has no parameter \"ofset\"; "
	                     "did you mean \"offset\"?\n");
	load_expect_problems(CALL("read_file", "{\"path\": \"/a\", \"xyz\": 1}"),
	                     "/0/args/xyz: \"read_file\" has no parameter \"xyz\"; " READ "\n");
}

static void given_constants_of_wrong_types_then_they_are_problems(void **state)
{
	(void)state;
	load_expect_problems(
		CALL("read_file",
	             "{\"path\": 5, \"offset\": -1, \"length\": 1.5, \"encoding\": 1}"),
		"/0/args/path: \"path\" wants text, not a number\n"
		"/0/args/offset: \"offset\" wants an integer from 0\n"
		"/0/args/length: \"length\" wants an integer from 0\n"
		"/0/args/encoding: \"encoding\" wants text, not a number\n");
	load_expect_problems(CALL("read_file", "[\"\", \"x\"]"),
	                     "/0/args/0: element 0 is empty\n"
	                     "/0/args/1: element 1 wants an integer from 0\n");
	load_expect_problems(
		CALL("write_file", "{\"path\": \"/a\", \"content\": {\"base64\": \"?\"}}"),
		"/0/args/content: \"content\" is not base64: \"?\"; "
		"four characters for three bytes, = at the end\n");
	load_expect_problems(
		CALL("write_file", "{\"path\": \"/a\", \"content\": null}"),
		"/0/args/content: \"content\" wants text or {\"base64\": text}, not null\n");
}

static void given_no_such_function_then_only_that_is_told(void **state)
{
	(void)state;
	load_expect_problems(CALL("read_flie", "{\"pth\": \"${x}\"}"),
	                     "/0/to_thread: \"to_thread\" is \"list_dir\", \"read_file\", "
	                     "\"resolve\", \"sha256\", \"stat\", \"sqlite_query\" or "
	                     "\"write_file\", not \"read_flie\"; did you mean \"read_file\"?\n"
	                     "/0/args/pth: unknown name \"x\"; write $${...} for a literal "
	                     "${...}\n");
}

static void expect_none(const char *spec)
{
	program_release(load_spec(spec));
}

static void given_arguments_that_are_right_then_there_is_no_problem(void **state)
{
	(void)state;
	expect_none(CALL("read_file", "[\"/a\", null, 0, \"text\"]"));
	expect_none(CALL("read_file", "{\"length\": null, \"path\": \"/a\"}"));
	expect_none(CALL("resolve", "[\"localhost\", 80]"));
	expect_none(CALL("sqlite_query", "[\"/a\", \"SELECT 1\", [1, {\"base64\": \"\"}]]"));
	expect_none("[{\"value\": \"/a\", \"as\": \"p\"},"
	            " {\"to_thread\": \"write_file\","
	            " \"args\": {\"path\": \"${p}\", \"content\": \"${p}\"}}]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_too_few_or_too_many_arguments_then_what_it_takes_is_told),
		cmocka_unit_test(given_a_name_that_is_no_parameter_then_the_nearest_is_told),
		cmocka_unit_test(given_constants_of_wrong_types_then_they_are_problems),
		cmocka_unit_test(given_no_such_function_then_only_that_is_told),
		cmocka_unit_test(given_arguments_that_are_right_then_there_is_no_problem),
	};

	return cmocka_run_group_tests_name("load_to_thread", tests, NULL, NULL);
}
