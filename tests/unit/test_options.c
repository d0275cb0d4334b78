#include "client/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#define ALL (OPTIONS_REACH | OPTIONS_JOB | OPTION_ARG | OPTION_TIMEOUT | OPTION_JSON | OPTION_LIMIT)

static struct options  options;
static struct gd_error why;
static uint32_t        used;

static int open_options(void **state)
{
	(void)state;
	return options_open(&options, 16, NULL) == GD_OK ? 0 : -1;
}

static int close_options(void **state)
{
	(void)state;
	options_close(&options);
	return 0;
}

/* Parses a list that ends with NULL. */
static enum gd_err parse(uint64_t allowed, bool stops, char **words)
{
	uint32_t count = 0;

	while (words[count] != NULL)
		count++;
	return options_parse(&options, words, count, allowed, stops, &used, &why);
}
#define WORDS(...) ((char *[]){ __VA_ARGS__, NULL })

static void given_a_value_behind_a_space_or_an_equals_then_both_are_read(void **state)
{
	(void)state;
	assert_int_equal(parse(ALL, false, WORDS("--title", "a", "--key=b")), GD_OK);
	assert_string_equal(options.title, "a");
	assert_string_equal(options.key, "b");
}

static void given_how_long_a_job_is_kept_then_the_daemon_reads_it(void **state)
{
	(void)state;
	assert_int_equal(parse(ALL, false, WORDS("--retain", "1h30m")), GD_OK);
	assert_string_equal(options.retain, "1h30m");
	assert_true(options_has(&options, OPTION_RETAIN));
}

static void given_operands_between_options_then_they_are_collected(void **state)
{
	(void)state;
	assert_int_equal(parse(ALL, false, WORDS("x", "--json", "-", "--", "--y")), GD_OK);
	assert_int_equal(options.operand_count, 3);
	assert_string_equal(options.operands[1], "-");
	assert_string_equal(options.operands[2], "--y");
	assert_true(options_has(&options, OPTION_JSON));
}

static void given_a_command_then_the_options_before_it_end_there(void **state)
{
	(void)state;
	assert_int_equal(parse(ALL, true, WORDS("--socket", "s", "run", "--json")), GD_OK);
	assert_int_equal(used, 2);
	assert_false(options_has(&options, OPTION_JSON));
}

static void given_arguments_of_a_job_then_json_is_json_and_the_rest_text(void **state)
{
	(void)state;
	assert_int_equal(parse(ALL, false, WORDS("--arg", "n=[1]", "--arg=t=a=b", "--arg", "e=")),
	                 GD_OK);
	assert_int_equal(json_array_size(json_object_get(options.args, "n")), 1);
	assert_string_equal(json_string_value(json_object_get(options.args, "t")), "a=b");
	assert_string_equal(json_string_value(json_object_get(options.args, "e")), "");
}

static void given_an_option_of_another_command_then_it_is_refused(void **state)
{
	(void)state;
	assert_int_equal(parse(OPTION_JSON, false, WORDS("--title", "x")), GD_INVALID_PARAMS);
	assert_string_equal(why.text, "--title does not belong here");
}

static void given_a_letter_then_it_is_the_option_that_has_it(void **state)
{
	(void)state;
	assert_int_equal(parse(OPTION_FOLLOW, false, WORDS("-f", "7")), GD_OK);
	assert_true(options_has(&options, OPTION_FOLLOW));
	assert_string_equal(options.operands[0], "7");
}

static void given_one_word_for_two_options_then_what_is_allowed_decides(void **state)
{
	(void)state;
	assert_int_equal(parse(OPTIONS_EXEC, false, WORDS("--timeout", "20m")), GD_OK);
	assert_string_equal(options.time_limit, "20m");
	assert_false(options_has(&options, OPTION_TIMEOUT));
	assert_int_equal(parse(OPTION_TIMEOUT, false, WORDS("--timeout", "2")), GD_OK);
	assert_true(options.timeout > 1.9 && options.timeout < 2.1);
}

static void given_two_dashes_then_they_are_found_where_they_are_no_value(void **state)
{
	(void)state;
	assert_int_equal(options_find_end(WORDS("--json", "--", "x"), 3), 1);
	assert_int_equal(options_find_end(WORDS("--title", "--", "x"), 3), 3);
	assert_int_equal(options_find_end(WORDS("--title=t", "--", "x"), 3), 1);
	assert_int_equal(options_find_end(WORDS("x", "--nope", "--"), 3), 2);
	assert_int_equal(options_find_end(WORDS("x"), 1), 1);
}

static void given_nonsense_then_the_words_say_what(void **state)
{
	static const struct {
		const char *word;
		const char *text;
	} cases[] = {
		{ "--nope", "no such option: --nope" },
		{ "-x", "no such option: -x" },
		{ "-f", "--follow does not belong here" },
		{ "-ff", "no such option: -ff" },
		{ "--priority=high", "--priority needs a whole number, not \"high\"" },
		{ "--title", "--title needs TEXT" },
		{ "--json=1", "--json takes no value" },
		{ "--timeout=soon", "--timeout needs a number of seconds, not \"soon\"" },
		{ "--timeout=-1", "--timeout needs a number of seconds, not \"-1\"" },
		{ "--timeout=nan", "--timeout needs a number of seconds, not \"nan\"" },
		{ "--limit=1.5", "--limit needs a whole number, not \"1.5\"" },
		{ "--arg=x", "--arg needs NAME=VALUE, not \"x\"" },
		{ "--arg==x", "--arg needs NAME=VALUE, not \"=x\"" },
		{ "--label=\xff", "--label: not UTF-8" },
		{ "--title=\xff", "--title: not UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char word[64];

		memcpy(word, cases[i].word, strlen(cases[i].word) + 1);
		assert_int_equal(parse(ALL, false, WORDS(word)), GD_INVALID_PARAMS);
		assert_string_equal(why.text, cases[i].text);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_options, close_options)
	const struct CMUnitTest tests[] = {
		TEST(given_a_value_behind_a_space_or_an_equals_then_both_are_read),
		TEST(given_how_long_a_job_is_kept_then_the_daemon_reads_it),
		TEST(given_operands_between_options_then_they_are_collected),
		TEST(given_a_command_then_the_options_before_it_end_there),
		TEST(given_arguments_of_a_job_then_json_is_json_and_the_rest_text),
		TEST(given_an_option_of_another_command_then_it_is_refused),
		TEST(given_a_letter_then_it_is_the_option_that_has_it),
		TEST(given_one_word_for_two_options_then_what_is_allowed_decides),
		TEST(given_two_dashes_then_they_are_found_where_they_are_no_value),
		TEST(given_nonsense_then_the_words_say_what),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
