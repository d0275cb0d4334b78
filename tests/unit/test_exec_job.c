#include "client/exec_job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALL (OPTIONS_JOB | OPTIONS_EXEC)

static struct options  options;
static struct gd_error why;
static json_t         *spec;

/* An environment and a directory that no machine changes. Only exec_job_make() sees them: cmocka
 * wants variables of its own. */
static char  *surroundings[8];
static size_t variables;

static void set_variable(char *text)
{
	surroundings[variables++] = text;
}

static int open_options(void **state)
{
	(void)state;
	spec = NULL;
	variables = 0;
	memset(surroundings, 0, sizeof surroundings);
	set_variable("PATH=/bin");
	set_variable("LC_ALL=C");
	set_variable("PASSWORD=hush");
	set_variable("GATHERD_SOCKET=/s");
	if (chdir("/") != 0)
		return -1;
	return options_open(&options, 64, NULL) == GD_OK ? 0 : -1;
}

static int close_options(void **state)
{
	(void)state;
	json_decref(spec);
	options_close(&options);
	return 0;
}

/* Makes the job of a command line, as main.c does: options, then "--", then the command. */
static enum gd_err make(char **words)
{
	char      **kept = environ;
	uint32_t    count = 0, used, end;
	enum gd_err rc;

	while (words[count] != NULL)
		count++;
	end = options_find_end(words, count);
	assert_true(end < count);
	assert_int_equal(options_parse(&options, words, end, ALL, true, &used, &why), GD_OK);
	assert_int_equal(used, end);
	for (uint32_t i = end + 1; i < count; i++)
		options.operands[options.operand_count++] = words[i];
	environ = surroundings;
	rc = exec_job_make(&options, &spec, &why);
	environ = kept;
	return rc;
}
#define MAKE(...) make((char *[]){ __VA_ARGS__, NULL })

static void expect_spec(const char *expected)
{
	char *text = json_dumps(spec, 0);

	assert_string_equal(text, expected);
	free(text);
}

static const char *text_at(const char *member, size_t index)
{
	return json_string_value(json_array_get(json_object_get(spec, member), index));
}

static const char *variable(const char *name)
{
	return json_string_value(json_object_get(json_object_get(spec, "env"), name));
}

static void given_a_command_then_the_job_is_what_one_would_write(void **state)
{
	(void)state;
	assert_int_equal(MAKE("--", "make", "-j4", "all"), GD_OK);
	expect_spec("{\"title\": \"make -j4 all\", \"exec\": [\"make\", \"-j4\", \"all\"], "
	            "\"cwd\": \"/\", \"env\": {\"PATH\": \"/bin\", \"LC_ALL\": \"C\"}}");
}

static void given_options_then_each_is_an_option_of_exec(void **state)
{
	(void)state;
	assert_int_equal(MAKE("--timeout", "20m", "--grace=2.5", "--retry", "3", "--delay", "1s",
	                      "--pool", "build", "--on-interrupt", "hold", "--title", "t", "--cwd",
	                      "/tmp", "--", "x"),
	                 GD_OK);
	expect_spec(
		"{\"title\": \"t\", \"exec\": [\"x\"], \"cwd\": \"/tmp\", \"env\": {\"PATH\": "
		"\"/bin\", \"LC_ALL\": \"C\"}, \"timeout\": \"20m\", \"grace\": 2.5, \"pool\": "
		"\"build\", \"on_interrupt\": \"hold\", \"retry\": {\"attempts\": 3, \"delay\": "
		"\"1s\", \"on\": [\"ExecError\", \"TimeoutError\"]}}");
}

static void given_a_dollar_and_a_brace_then_they_stay_what_they_are(void **state)
{
	(void)state;
	assert_int_equal(MAKE("--env", "A=${x}", "--cwd", "/a${b}", "--pool", "${p}", "--", "${0}",
	                      "a${b}${c}", "$${d}", "$", "${"),
	                 GD_OK);
	assert_string_equal(text_at("exec", 0), "$${0}");
	assert_string_equal(text_at("exec", 1), "a$${b}$${c}");
	assert_string_equal(text_at("exec", 2), "$$${d}");
	assert_string_equal(text_at("exec", 3), "$");
	assert_string_equal(text_at("exec", 4), "$${");
	assert_string_equal(variable("A"), "$${x}");
	assert_string_equal(json_string_value(json_object_get(spec, "cwd")), "/a$${b}");
	assert_string_equal(json_string_value(json_object_get(spec, "pool")), "$${p}");
}

static void given_words_of_all_kinds_then_the_title_reads_as_a_command_line(void **state)
{
	(void)state;
	assert_int_equal(MAKE("--", "sh", "-c", "echo it's ${x}", "", "a\"b", "--", "k=v"), GD_OK);
	assert_string_equal(json_string_value(json_object_get(spec, "title")),
	                    "sh -c 'echo it'\\''s ${x}' '' 'a\"b' -- k=v");
}

static void given_a_long_command_then_the_title_is_cut_between_characters(void **state)
{
	char        word[201] = "";
	const char *title;

	(void)state;
	for (size_t i = 0; i < 100; i++)
		memcpy(word + 2 * i, "\xc3\xa9", 3);
	assert_int_equal(MAKE("--", "e", word), GD_OK);
	title = json_string_value(json_object_get(spec, "title"));
	assert_true(strlen(title) <= EXEC_JOB_TITLE_BYTES_MAX);
	assert_string_equal(title + strlen(title) - 5, "\xc3\xa9...");
}

static void given_the_environment_then_only_what_was_named_is_taken_along(void **state)
{
	(void)state;
	set_variable("TOKEN=t");
	assert_int_equal(MAKE("--env", "TOKEN", "--env", "PATH=/x:/y", "--env=E=", "--env",
	                      "DB=secret:db", "--", "x"),
	                 GD_OK);
	assert_string_equal(variable("TOKEN"), "t");
	assert_string_equal(variable("PATH"), "/x:/y");
	assert_string_equal(variable("E"), "");
	assert_string_equal(variable("DB"), "secret:db");
	assert_null(variable("PASSWORD"));
	assert_null(variable("GATHERD_SOCKET"));
}

static void given_env_all_then_all_of_it_but_the_daemons_own(void **state)
{
	(void)state;
	assert_int_equal(MAKE("--env-all", "--", "x"), GD_OK);
	assert_string_equal(variable("PASSWORD"), "hush");
	assert_null(variable("GATHERD_SOCKET"));
}

static void given_a_profile_then_nothing_is_taken_along_by_itself(void **state)
{
	(void)state;
	assert_int_equal(MAKE("--profile", "backup", "--env", "A=1", "--", "daily"), GD_OK);
	expect_spec("{\"title\": \"daily\", \"exec\": [\"daily\"], \"env\": {\"A\": \"1\"}, "
	            "\"profile\": \"backup\"}");
}

static void given_a_relative_directory_then_it_is_below_the_present_one(void **state)
{
	(void)state;
	assert_int_equal(chdir("/usr"), 0);
	assert_int_equal(MAKE("--cwd", "bin", "--", "x"), GD_OK);
	assert_string_equal(json_string_value(json_object_get(spec, "cwd")), "/usr/bin");
}

static void given_standard_input_then_it_is_an_argument_of_the_job(void **state)
{
	(void)state;
	assert_int_equal(MAKE("--stdin", "--", "cat"), GD_OK);
	assert_string_equal(json_string_value(json_object_get(spec, "stdin")), "${stdin}");
	assert_true(json_is_null(json_object_get(json_object_get(spec, "args"), "stdin")));
}

/* What becomes of `bytes` that come through a pipe. */
static json_t *input_of(const char *at, size_t bytes)
{
	json_t *input = NULL;
	int     ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], at, bytes), bytes);
	close(ends[1]);
	assert_int_equal(exec_job_read_input(ends[0], &input, &why), GD_OK);
	close(ends[0]);
	return input;
}

static void given_input_then_text_is_text_and_the_rest_is_coded(void **state)
{
	static const struct {
		const char *at;
		size_t      bytes;
		const char *json;
	} cases[] = {
		{ "", 0, "\"\"" },
		{ "a${b}\n", 6, "\"a${b}\\n\"" },
		{ "\xff", 1, "{\"base64\": \"/w==\"}" },
		{ "a\0b", 3, "{\"base64\": \"YQBi\"}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		json_t *input = input_of(cases[i].at, cases[i].bytes);
		char   *text = json_dumps(input, JSON_ENCODE_ANY);

		assert_string_equal(text, cases[i].json);
		free(text);
		json_decref(input);
	}
}

static void given_too_much_input_then_it_is_refused(void **state)
{
	json_t *input = NULL;
	FILE   *file = tmpfile();

	(void)state;
	assert_non_null(file);
	assert_int_equal(ftruncate(fileno(file), EXEC_JOB_INPUT_MAX + 1), 0);
	assert_int_equal(exec_job_read_input(fileno(file), &input, &why), GD_LIMIT);
	assert_null(input);
	(void)fclose(file);
}

static void given_what_no_job_can_hold_then_the_words_say_what(void **state)
{
	(void)state;
	assert_int_equal(MAKE("--", "\xff"), GD_INVALID_PARAMS);
	assert_string_equal(why.text, "the name of the program is not UTF-8");
	options.operand_count = 0;
	assert_int_equal(MAKE("--", "x", "a", "\xff"), GD_INVALID_PARAMS);
	assert_string_equal(why.text, "argument 2 is not UTF-8");
	options.operand_count = 0;
	assert_int_equal(MAKE("--env", "NOWHERE", "--", "x"), GD_INVALID_PARAMS);
	assert_string_equal(why.text, "--env: NOWHERE is not set here");
}

static void given_a_variable_that_is_no_text_then_it_is_named(void **state)
{
	(void)state;
	set_variable("LC_TIME=\xff");
	assert_int_equal(MAKE("--", "x"), GD_INVALID_PARAMS);
	assert_string_equal(why.text, "the variable LC_TIME is not UTF-8");
}

static void given_a_delay_without_retries_then_it_is_refused(void **state)
{
	(void)state;
	assert_int_equal(MAKE("--delay", "1s", "--", "x"), GD_INVALID_PARAMS);
	assert_string_equal(why.text, "--delay belongs to --retry");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_options, close_options)
	const struct CMUnitTest tests[] = {
		TEST(given_a_command_then_the_job_is_what_one_would_write),
		TEST(given_options_then_each_is_an_option_of_exec),
		TEST(given_a_dollar_and_a_brace_then_they_stay_what_they_are),
		TEST(given_words_of_all_kinds_then_the_title_reads_as_a_command_line),
		TEST(given_a_long_command_then_the_title_is_cut_between_characters),
		TEST(given_the_environment_then_only_what_was_named_is_taken_along),
		TEST(given_env_all_then_all_of_it_but_the_daemons_own),
		TEST(given_a_profile_then_nothing_is_taken_along_by_itself),
		TEST(given_a_relative_directory_then_it_is_below_the_present_one),
		TEST(given_standard_input_then_it_is_an_argument_of_the_job),
		TEST(given_input_then_text_is_text_and_the_rest_is_coded),
		TEST(given_too_much_input_then_it_is_refused),
		TEST(given_what_no_job_can_hold_then_the_words_say_what),
		TEST(given_a_variable_that_is_no_text_then_it_is_named),
		TEST(given_a_delay_without_retries_then_it_is_refused),
	};

	return cmocka_run_group_tests_name("exec_job", tests, NULL, NULL);
}
