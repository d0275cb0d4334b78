/* daemon/profile: what a job may execute, from the keys of a section to the checks. */
#include "daemon/profile/profile_table.h"
#include "daemon/profile/trusted_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* --- sections --- */

/* Sets "key = value" lines of the profile "p". The outcome of the first that fails, or of the end. */
static enum gd_err fill(struct profile_table *t, const char *const *lines, struct gd_error *why)
{
	enum gd_err rc = GD_OK;
	int         line = 0;

	for (; *lines != NULL && rc == GD_OK; lines++) {
		char  copy[300];
		char *value;

		(void)snprintf(copy, sizeof copy, "%s", *lines);
		value = strstr(copy, " = ");
		assert_non_null(value);
		*value = '\0';
		rc = profile_table_set(t, "p", copy, value + 3, ++line, why);
	}
	return rc == GD_OK ? profile_table_finish(t, &line, why) : rc;
}

static struct profile_table *made(const char *const *lines)
{
	struct profile_table *t;
	struct gd_error       why = { 0 };

	assert_int_equal(profile_table_new(&t, NULL), GD_OK);
	if (fill(t, lines, &why) != GD_OK)
		fail_msg("%s", why.text);
	return t;
}
#define MADE(...) made((const char *const[]){ "program = /bin/true", __VA_ARGS__, NULL })

static void expect_refused(const char *said, const char *const *lines)
{
	struct profile_table *t;
	struct gd_error       why = { 0 };

	assert_int_equal(profile_table_new(&t, NULL), GD_OK);
	assert_int_not_equal(fill(t, lines, &why), GD_OK);
	if (strstr(why.text, said) == NULL)
		assert_string_equal(why.text, said);
	profile_table_release(t);
}
#define REFUSED(said, ...) expect_refused(said, (const char *const[]){ __VA_ARGS__, NULL })

static void given_a_section_then_all_of_it_is_in_the_profile(void **state)
{
	struct profile_table *t =
		MADE("prefix = -q", "prefix = two words", "arg = any", "rest = one-of a b",
	             "max-args = 3", "env = A=b=c", "env = B", "env = T=secret:tok", "cwd = /srv",
	             "umask = 027", "nice = 5", "limit-cpu = 10", "limit-as-mib = 2",
	             "processes = 50", "stdin = yes", "keep-kib = 4", "timeout = 60", "pool = disk",
	             "on-interrupt = retry, hold", "allow = uid:7, token:ci");
	const struct profile *p = profile_table_find(t, "p");

	(void)state;
	assert_null(profile_table_find(t, "q"));
	assert_string_equal(p->program, "/bin/true");
	assert_int_equal(p->prefix_count, 2);
	assert_string_equal(p->prefix[1], "two words");
	assert_int_equal(p->args_min, 1);
	assert_int_equal(p->args_max, 3);
	assert_int_equal(p->env_count, 3);
	assert_string_equal(p->env[0].value, "b=c");
	assert_null(p->env[1].value);
	assert_string_equal(p->cwd, "/srv");
	assert_int_equal(p->umask, 027);
	assert_int_equal(p->nice, 5);
	assert_int_equal(p->rlimit_count, 2);
	assert_int_equal(p->rlimits[1].resource, RLIMIT_AS);
	assert_int_equal(p->rlimits[1].hard, 2u << 20);
	assert_int_equal(p->pids_max, 50);
	assert_true(p->takes_input);
	assert_int_equal(p->keep, 4096);
	assert_true(p->timeout == 60 * GD_NSEC_PER_SEC);
	assert_string_equal(p->pool, "disk");
	assert_int_equal(p->interrupts, PROFILE_INTERRUPT_RETRY | PROFILE_INTERRUPT_HOLD);
	assert_true(profile_allows(p, "uid:7") && profile_allows(p, "token:ci"));
	assert_false(profile_allows(p, "uid:70"));
	profile_table_release(t);
}

static void given_a_section_that_says_little_then_it_allows_little(void **state)
{
	struct profile_table *t = MADE("nice = 0");
	const struct profile *p = profile_table_find(t, "p");

	(void)state;
	assert_int_equal(p->args_max, 0);
	assert_false(p->takes_input);
	assert_int_equal(p->umask, 077);
	assert_int_equal(p->uid, RUN_ID_NONE);
	assert_int_equal(p->allow_count, 0);
	assert_int_equal(profile_check_count(p, 1, NULL), GD_FORBIDDEN);
	assert_int_equal(profile_check_variable(p, "A", NULL), GD_FORBIDDEN);
	assert_int_equal(profile_check_cwd(p, "/", NULL), GD_FORBIDDEN);
	assert_int_equal(profile_check_input(p, NULL), GD_FORBIDDEN);
	assert_int_equal(profile_check_timeout(p, GD_NSEC_NEVER, NULL), GD_OK);
	profile_table_release(t);
}

static void given_mistakes_in_a_section_then_each_is_told(void **state)
{
	(void)state;
	REFUSED("program: it is not said which", "nice = 1");
	REFUSED("program: \"true\" is not an absolute path", "program = true");
	REFUSED("programm: there is no such key of a profile", "programm = /bin/true");
	REFUSED("nice: said twice", "nice = 1", "nice = 2");
	REFUSED("nice: 20 is not between 0 and 19", "nice = 20");
	REFUSED("limit-cpu: 0 is not between 1 and", "limit-cpu = 0");
	REFUSED("umask: 888 is not an octal number", "umask = 888");
	REFUSED("stdin: maybe is not yes or no", "stdin = maybe");
	REFUSED("arg: \"[a-z+\": Unmatched", "arg = match [a-z+");
	REFUSED("arg: \"(a)\\1\" refers back", "arg = match (a)\\1");
	REFUSED("arg: \"[a-z]+\" is not any, match EXPRESSION", "arg = [a-z]+");
	REFUSED("arg: \"match:0 a\" is not any,", "arg = match:0 a");
	REFUSED("arg: match needs an expression", "arg = match");
	REFUSED("arg: one-of needs words", "arg = one-of");
	REFUSED("arg: nothing can stand behind any", "arg = any thing");
	REFUSED("max-args: 2, but only 1 have a rule", "program = /bin/true", "arg = any",
	        "max-args = 2");
	REFUSED("min-args: 1 is more than max-args, 0", "program = /bin/true", "arg = any",
	        "max-args = 0", "min-args = 1");
	REFUSED("env: A is said twice", "env = A", "env = A=1");
	REFUSED("env: names that begin with GATHERD_", "env = GATHERD_JOB=1");
	REFUSED("env: wants NAME=VALUE", "env = =1");
	REFUSED("env: no name of a secret: \"../x\"", "env = A=secret:../x");
	REFUSED("env: no name of a secret: \"\"", "env = A=secret:");
	REFUSED("cwd and cwd-below: only one of them", "program = /bin/true", "cwd = /a",
	        "cwd-below = /b");
	REFUSED("cwd-below: \"/a/\" wants", "cwd-below = /a/");
	REFUSED("cwd-below: \"/a/../b\" wants", "cwd-below = /a/../b");
	REFUSED("on-interrupt: rety is not fail, retry or hold", "on-interrupt = rety");
	REFUSED("allow: root is not uid:NUMBER, token:ID or role:NAME", "allow = root");
	REFUSED("allow: uid:07 is not", "allow = uid:07");
	REFUSED("allow: role:boss is not", "allow = role:boss");
	REFUSED("user: there is no user no-such-user", "user = no-such-user");
	REFUSED("group: wants a user as well", "program = /bin/true", "group = 0");
}

static void given_two_sections_of_one_name_then_the_second_is_refused(void **state)
{
	struct profile_table *t;
	struct gd_error       why;

	(void)state;
	assert_int_equal(profile_table_new(&t, NULL), GD_OK);
	assert_int_equal(profile_table_set(t, "a", "nice", "1", 1, NULL), GD_OK);
	assert_int_equal(profile_table_set(t, "b", "nice", "1", 3, NULL), GD_OK);
	assert_int_equal(profile_table_set(t, "a", "umask", "1", 5, &why), GD_INVALID_PARAMS);
	assert_string_equal(why.text, "there are two sections [exec a]");
	assert_int_equal(profile_table_set(t, "a b", "nice", "1", 7, &why), GD_INVALID_PARAMS);
	profile_table_release(t);
}

/* --- checks --- */

static void expect_arg(const struct profile *p, uint32_t number, const char *text, const char *said)
{
	struct gd_error why = { 0 };
	enum gd_err     rc = profile_check_arg(p, number, text, strlen(text), &why);

	assert_int_equal(rc, said == NULL ? GD_OK : GD_FORBIDDEN);
	assert_string_equal(why.text, said == NULL ? "" : said);
}

static void given_rules_then_whole_arguments_fit_or_the_rule_is_named(void **state)
{
	struct profile_table *t = MADE("arg = match [a-z]+", "arg = match ab|abc|x.z",
	                               "arg = any:3", "rest = one-of daily a.b");
	const struct profile *p = profile_table_find(t, "p");

	(void)state;
	expect_arg(p, 1, "abc", NULL);
	expect_arg(p, 1, "", "argument 1 \"\" does not match [a-z]+ of profile p");
	expect_arg(p, 1, "../x", "argument 1 \"../x\" does not match [a-z]+ of profile p");
	expect_arg(p, 1, "abc\n", "argument 1 \"abc\n\" does not match [a-z]+ of profile p");
	expect_arg(p, 1, "a\nb", "argument 1 \"a\nb\" does not match [a-z]+ of profile p");
	expect_arg(p, 2, "ab", NULL);
	expect_arg(p, 2, "abc", NULL);
	expect_arg(p, 2, "x\xffz", NULL);
	expect_arg(p, 2, "abcd", "argument 2 \"abcd\" does not match ab|abc|x.z of profile p");
	expect_arg(p, 2, "xab", "argument 2 \"xab\" does not match ab|abc|x.z of profile p");
	expect_arg(p, 3, "abc", NULL);
	expect_arg(p, 3, "abcd", "argument 3 \"abcd\" has more than 3 bytes of profile p");
	expect_arg(p, 4, "a.b", NULL);
	expect_arg(p, 9, "daily", NULL);
	expect_arg(p, 9, "axb", "argument 9 \"axb\" is not one of daily a.b of profile p");
	profile_table_release(t);
}

/* The expression is set between anchors; nothing in it may get out of them. */
static void given_an_expression_that_closes_a_bracket_then_it_lets_nothing_more_in(void **state)
{
	struct profile_table *t = MADE("arg = match a)|(b", "arg = match a$|^b");
	const struct profile *p = profile_table_find(t, "p");

	(void)state;
	expect_arg(p, 1, "a", NULL);
	expect_arg(p, 1, "b", NULL);
	assert_int_equal(profile_check_arg(p, 1, "ax", 2, NULL), GD_FORBIDDEN);
	assert_int_equal(profile_check_arg(p, 1, "xb", 2, NULL), GD_FORBIDDEN);
	assert_int_equal(profile_check_arg(p, 2, "xa", 2, NULL), GD_FORBIDDEN);
	assert_int_equal(profile_check_arg(p, 2, "bx", 2, NULL), GD_FORBIDDEN);
	profile_table_release(t);
}

static void given_counts_then_too_few_and_too_many_are_refused(void **state)
{
	struct profile_table *t = MADE("arg = any", "arg = any", "min-args = 1");
	const struct profile *p = profile_table_find(t, "p");
	struct gd_error       why;

	(void)state;
	assert_int_equal(profile_check_count(p, 0, &why), GD_FORBIDDEN);
	assert_string_equal(why.text, "profile p wants at least 1 arguments, not 0");
	assert_int_equal(profile_check_count(p, 1, NULL), GD_OK);
	assert_int_equal(profile_check_count(p, 3, &why), GD_FORBIDDEN);
	assert_string_equal(why.text, "profile p takes at most 2 arguments, not 3");
	assert_int_equal(profile_check_arg(p, 3, "x", 1, NULL), GD_FORBIDDEN);
	profile_table_release(t);
}

static void given_variables_then_only_free_ones_are_taken(void **state)
{
	struct profile_table *t = MADE("env = FIXED=1", "env = FREE", "env = LEVEL one-of a b");
	const struct profile *p = profile_table_find(t, "p");
	struct gd_error       why;

	(void)state;
	assert_int_equal(profile_check_value(p, "FREE", "x y", 3, NULL), GD_OK);
	assert_int_equal(profile_check_value(p, "LEVEL", "b", 1, NULL), GD_OK);
	assert_int_equal(profile_check_value(p, "LEVEL", "c", 1, &why), GD_FORBIDDEN);
	assert_string_equal(why.text, "variable LEVEL \"c\" is not one of a b of profile p");
	assert_int_equal(profile_check_value(p, "FIXED", "1", 1, &why), GD_FORBIDDEN);
	assert_string_equal(why.text, "profile p says itself what FIXED is");
	assert_int_equal(profile_check_value(p, "LD_PRELOAD", "x", 1, &why), GD_FORBIDDEN);
	assert_string_equal(why.text, "profile p takes no variable LD_PRELOAD");
	assert_int_equal(profile_check_secret(p, "FREE", NULL), GD_FORBIDDEN);
	profile_table_release(t);
}

static void given_a_top_directory_then_only_what_is_below_is_taken(void **state)
{
	static const char *const BAD[] = { "/srv", "/srv/wwwx",   "srv/www",
		                           "/",    "/srv/www/..", "/srv/www/a/../b" };
	static const char *const GOOD[] = { "/srv/www", "/srv/www/", "/srv/www/a/..b/c" };
	struct profile_table    *t = MADE("cwd-below = /srv/www");
	struct profile_table    *any = MADE("cwd-below = /");
	struct profile_table    *one = MADE("cwd = /srv");

	(void)state;
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
		assert_int_equal(profile_check_cwd(profile_table_at(t, 0), BAD[i], NULL),
		                 GD_FORBIDDEN);
	for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++)
		assert_int_equal(profile_check_cwd(profile_table_at(t, 0), GOOD[i], NULL), GD_OK);
	assert_int_equal(profile_check_cwd(profile_table_at(any, 0), "/x", NULL), GD_OK);
	assert_int_equal(profile_check_cwd(profile_table_at(one, 0), "/srv", NULL), GD_OK);
	assert_int_equal(profile_check_cwd(profile_table_at(one, 0), "/srv/a", NULL), GD_FORBIDDEN);
	profile_table_release(t);
	profile_table_release(any);
	profile_table_release(one);
}

static void given_options_then_those_of_the_profile_count(void **state)
{
	struct profile_table *t = MADE("timeout = 60", "pool = disk", "on-interrupt = fail");
	const struct profile *p = profile_table_find(t, "p");
	struct gd_error       why;

	(void)state;
	assert_int_equal(profile_check_timeout(p, 60 * GD_NSEC_PER_SEC, NULL), GD_OK);
	assert_int_equal(profile_check_timeout(p, 60 * GD_NSEC_PER_SEC + 1, &why), GD_FORBIDDEN);
	assert_string_equal(why.text, "profile p wants a timeout of at most 60 s");
	assert_int_equal(profile_check_timeout(p, GD_NSEC_NEVER, NULL), GD_FORBIDDEN);
	assert_int_equal(profile_check_pool(p, "disk", NULL), GD_OK);
	assert_int_equal(profile_check_pool(p, "cpu", NULL), GD_FORBIDDEN);
	assert_int_equal(profile_check_interrupt(p, PROFILE_INTERRUPT_FAIL, NULL), GD_OK);
	assert_int_equal(profile_check_interrupt(p, PROFILE_INTERRUPT_RETRY, NULL), GD_FORBIDDEN);
	profile_table_release(t);
}

/* --- who else could change the program --- */

struct places {
	char top[64];
	char program[128];
	char link[128];
};

static void put_path(char out[128], const struct places *at, const char *name)
{
	(void)snprintf(out, 128, "%s/%s", at->top, name);
}

static int make_places(void **state)
{
	struct places *at = calloc(1, sizeof *at);
	FILE          *file;

	if (at == NULL)
		return -1;
	strcpy(at->top, "/tmp/test_profile.XXXXXX"); /* itself in a sticky directory */
	if (mkdtemp(at->top) == NULL)
		return -1;
	put_path(at->program, at, "bin/program");
	put_path(at->link, at, "bin");
	if (mkdir(at->link, 0755) != 0 || (file = fopen(at->program, "w")) == NULL)
		return -1;
	(void)fclose(file);
	put_path(at->link, at, "link");
	*state = at;
	return chmod(at->program, 0755) != 0 || symlink("bin/../bin/program", at->link) != 0;
}

static int remove_places(void **state)
{
	struct places *at = *state;
	char           bin[128];

	put_path(bin, at, "bin");
	(void)unlink(at->program);
	(void)unlink(at->link);
	(void)rmdir(bin);
	(void)rmdir(at->top);
	free(at);
	return 0;
}

static void expect_untrusted(const char *path, enum gd_err expected, const char *said)
{
	struct gd_error why = { 0 };

	assert_int_equal(trusted_path_check(path, &why), expected);
	if (strstr(why.text, said) == NULL)
		assert_string_equal(why.text, said);
}

static void given_a_program_of_ours_then_it_is_trusted_by_each_way_to_it(void **state)
{
	const struct places *at = *state;
	struct gd_error      why = { 0 };

	if (trusted_path_check(at->program, &why) != GD_OK)
		fail_msg("%s", why.text);
	assert_int_equal(trusted_path_check(at->link, NULL), GD_OK);
	assert_int_equal(trusted_path_check("/bin/sh", NULL), GD_OK);
	assert_int_equal(trusted_path_check("/bin/../bin/./sh", NULL), GD_OK);
}

static void given_others_that_may_write_then_it_is_not_trusted(void **state)
{
	const struct places *at = *state;
	char                 bin[128];

	put_path(bin, at, "bin");
	assert_int_equal(chmod(bin, 0775), 0);
	expect_untrusted(at->program, GD_FORBIDDEN, "bin (mode 775)");
	expect_untrusted(at->link, GD_FORBIDDEN, "bin (mode 775)");
	assert_int_equal(chmod(bin, 0755), 0);
	assert_int_equal(chmod(at->program, 0757), 0);
	expect_untrusted(at->program, GD_FORBIDDEN, "others may write to ");
	expect_untrusted(at->link, GD_FORBIDDEN, "bin/program (mode 757)");
}

static void given_a_program_of_somebody_else_then_it_is_not_trusted(void **state)
{
	const struct places *at = *state;

	if (geteuid() != 0)
		skip();
	assert_int_equal(lchown(at->link, 12345, 0), 0);
	expect_untrusted(at->link, GD_FORBIDDEN, "link belongs to user 12345");
	assert_int_equal(trusted_path_check(at->program, NULL), GD_OK);
	assert_int_equal(chown(at->program, 12345, 0), 0);
	expect_untrusted(at->program, GD_FORBIDDEN, "program belongs to user 12345");
}

static void given_what_cannot_be_executed_then_it_is_no_program(void **state)
{
	const struct places *at = *state;
	char                 other[128];

	expect_untrusted(at->top, GD_FORBIDDEN, "is no program");
	assert_int_equal(chmod(at->program, 0644), 0);
	expect_untrusted(at->program, GD_FORBIDDEN, "is no program");
	put_path(other, at, "nothing");
	expect_untrusted(other, GD_SYS, "No such file");
	put_path(other, at, "bin/program/x");
	expect_untrusted(other, GD_SYS, "Not a directory");
	assert_int_equal(unlink(at->link), 0);
	assert_int_equal(symlink(at->link, at->link), 0);
	expect_untrusted(at->link, GD_SYS, "symbolic links");
}

/* --- the book --- */

static void given_another_table_then_who_took_the_old_one_keeps_it(void **state)
{
	struct profile_table *first = MADE("nice = 1"), *second = MADE("nice = 2"), *taken;
	struct profile_book  *book;

	(void)state;
	assert_int_equal(profile_book_open(&book, NULL), GD_OK);
	profile_book_put(book, first);
	profile_table_release(first);
	taken = profile_book_take(book);
	profile_book_put(book, second);
	profile_table_release(second);
	assert_int_equal(profile_table_at(taken, 0)->nice, 1);
	profile_table_release(taken);
	taken = profile_book_take(book);
	assert_int_equal(profile_table_at(taken, 0)->nice, 2);
	profile_table_release(taken);
	profile_book_close(book);
}

#define IN_PLACES(name) cmocka_unit_test_setup_teardown(name, make_places, remove_places)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_section_then_all_of_it_is_in_the_profile),
		cmocka_unit_test(given_a_section_that_says_little_then_it_allows_little),
		cmocka_unit_test(given_mistakes_in_a_section_then_each_is_told),
		cmocka_unit_test(given_two_sections_of_one_name_then_the_second_is_refused),
		cmocka_unit_test(given_rules_then_whole_arguments_fit_or_the_rule_is_named),
		cmocka_unit_test(
			given_an_expression_that_closes_a_bracket_then_it_lets_nothing_more_in),
		cmocka_unit_test(given_counts_then_too_few_and_too_many_are_refused),
		cmocka_unit_test(given_variables_then_only_free_ones_are_taken),
		cmocka_unit_test(given_a_top_directory_then_only_what_is_below_is_taken),
		cmocka_unit_test(given_options_then_those_of_the_profile_count),
		IN_PLACES(given_a_program_of_ours_then_it_is_trusted_by_each_way_to_it),
		IN_PLACES(given_others_that_may_write_then_it_is_not_trusted),
		IN_PLACES(given_a_program_of_somebody_else_then_it_is_not_trusted),
		IN_PLACES(given_what_cannot_be_executed_then_it_is_no_program),
		cmocka_unit_test(given_another_table_then_who_took_the_old_one_keeps_it),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
