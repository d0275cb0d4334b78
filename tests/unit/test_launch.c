/* daemon/effect/launch: from a request to what the runner is told. */
#include "daemon/effect/launch.h"

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

static const struct run_ref REF = { .job = 4711, .exec = 2, .attempt = 3 };

/* --- requests --- */

static struct value_heap heap;

static struct value text(const char *at)
{
	return value_text_new(&heap, at, strlen(at));
}

static struct value put(struct value dict, const char *name, struct value v)
{
	return value_dict_put(&heap, dict, text(name), v);
}

static struct value secret(const char *name)
{
	return put(value_dict_new(&heap, 1), "secret", text(name));
}

static struct value request_of(const char *const *argv)
{
	struct value list = value_list_new(&heap, 8);

	for (; *argv != NULL; argv++)
		list = value_list_append(&heap, list, text(*argv));
	return put(put(value_dict_new(&heap, 8), "argv", list), "grace", value_float(10));
}
#define REQUEST(...) request_of((const char *const[]){ __VA_ARGS__, NULL })

/* --- profiles --- */

static struct profile_book *book;

static void put_profiles(const char *const *lines)
{
	struct profile_table *t;
	int                   line = 0;

	assert_int_equal(profile_table_new(&t, NULL), GD_OK);
	for (; *lines != NULL; lines += 2)
		assert_int_equal(profile_table_set(t, "p", lines[0], lines[1], ++line, NULL),
		                 GD_OK);
	assert_int_equal(profile_table_finish(t, &line, NULL), GD_OK);
	profile_book_put(book, t);
	profile_table_release(t);
}
#define PROFILE(...) put_profiles((const char *const[]){ __VA_ARGS__, NULL })

static int setup(void **state)
{
	(void)state;
	heap = (struct value_heap){ .bytes = 0 };
	return profile_book_open(&book, NULL) == GD_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	profile_book_close(book);
	assert_int_equal(heap.bytes, 0);
	return 0;
}

/* --- launches --- */

static struct launch built(struct value request)
{
	struct launch   l;
	enum run_stage  stage;
	struct gd_error why = { 0 };

	if (launch_build(book, REF, request, &l, &stage, &why) != GD_OK)
		fail_msg("%s: %s", run_stage_name(stage), why.text);
	value_release(&heap, request);
	return l;
}

static void expect_refused(struct value request, const char *said)
{
	struct launch   l;
	enum run_stage  stage = RUN_STAGE_NONE;
	struct gd_error why = { 0 };

	assert_int_not_equal(launch_build(book, REF, request, &l, &stage, &why), GD_OK);
	assert_int_equal(stage, RUN_STAGE_PROFILE);
	if (strstr(why.text, said) == NULL)
		assert_string_equal(why.text, said);
	value_release(&heap, request);
}

/* What a list has for NAME; NULL: nothing. It must not be there twice. */
static const char *of(const char *const *list, const char *name)
{
	const char *found = NULL;
	size_t      chars = strlen(name);

	for (; *list != NULL; list++) {
		if (strncmp(*list, name, chars) != 0 || (*list)[chars] != '=')
			continue;
		assert_null(found);
		found = *list + chars + 1;
	}
	return found;
}

static size_t count(const char *const *list)
{
	size_t n = 0;

	while (list[n] != NULL)
		n++;
	return n;
}

static void given_a_raw_command_then_its_surroundings_are_built(void **state)
{
	struct launch l;

	(void)state;
	assert_int_equal(setenv("LD_PRELOAD", "evil.so", 1), 0);
	l = built(REQUEST("ls", "-l", ""));
	assert_int_equal(unsetenv("LD_PRELOAD"), 0);
	assert_true(run_ref_equal(&l.start.ref, &REF));
	assert_int_equal(count(l.start.argv), 3);
	assert_string_equal(l.start.argv[1], "-l");
	assert_string_equal(of(l.start.env, "LANG"), "C.UTF-8");
	assert_string_equal(of(l.start.env, "GATHERD_JOB"), "4711");
	assert_non_null(strstr(of(l.start.env, "PATH"), "/usr/bin"));
	assert_null(of(l.start.env, "LD_PRELOAD"));
	assert_true(count(l.start.env) <= 7);
	assert_int_equal(count(l.start.secrets), 0);
	assert_int_equal(l.start.umask, 077);
	assert_int_equal(l.start.uid, RUN_ID_NONE);
	assert_true(l.start.keep[RUN_STDOUT] == RUN_KEEP_DEFAULT);
	assert_null(l.start.input);
	launch_close(&l);
}

static void given_variables_then_the_job_s_word_goes_before_ours(void **state)
{
	struct value  env = put(value_dict_new(&heap, 3), "PATH", text("/opt"));
	struct launch l;

	(void)state;
	env = put(put(put(env, "A", text("secret:x")), "TOKEN", secret("tok")), "HOME",
	          secret("h"));
	l = built(put(REQUEST("a"), "env", env));
	assert_string_equal(of(l.start.env, "PATH"), "/opt");
	assert_string_equal(of(l.start.env, "A"), "secret:x");
	assert_null(of(l.start.env, "TOKEN"));
	assert_null(of(l.start.env, "HOME"));
	assert_int_equal(count(l.start.secrets), 2);
	assert_string_equal(of(l.start.secrets, "TOKEN"), "tok");
	assert_string_equal(of(l.start.secrets, "HOME"), "h");
	launch_close(&l);
}

static void given_input_and_streams_then_they_are_as_the_job_says(void **state)
{
	struct value  coded = put(value_dict_new(&heap, 1), "base64", text("AAH/"));
	struct launch l =
		built(put(put(put(put(REQUEST("a"), "stdin", coded), "stdout", text("DEVNULL")),
	                      "cwd", text("/srv")),
	                  "yield", text("lines")));

	(void)state;
	assert_int_equal(l.start.input_bytes, 3);
	assert_memory_equal(l.start.input, "\0\1\377", 3);
	assert_int_equal(l.start.keep[RUN_STDOUT], 0);
	assert_int_equal(l.start.keep[RUN_STDERR], RUN_KEEP_DEFAULT);
	assert_true(l.start.is_paced);
	assert_string_equal(l.start.cwd, "/srv");
	launch_close(&l);

	l = built(put(REQUEST("a"), "stdin", text("")));
	assert_non_null(l.start.input); /* which is not /dev/null: nothing was said, by somebody */
	assert_int_equal(l.start.input_bytes, 0);
	launch_close(&l);
}

static void given_a_profile_then_it_says_all_but_what_the_job_may(void **state)
{
	struct launch l;

	(void)state;
	PROFILE("program", "/bin/sh", "prefix", "-c", "prefix", "exit 0", "arg", "any", "env",
	        "MODE=quiet", "env", "T=secret:t", "env", "FREE", "env", "PATH=/bin", "cwd", "/",
	        "umask", "027", "nice", "3", "limit-cpu", "9", "processes", "4", "keep-kib", "2",
	        "pool", "disk");
	l = built(put(put(REQUEST("x y"), "profile", text("p")), "env",
	              put(value_dict_new(&heap, 1), "FREE", text("f"))));
	assert_int_equal(count(l.start.argv), 4);
	assert_string_equal(l.start.argv[0], "/bin/sh");
	assert_string_equal(l.start.argv[2], "exit 0");
	assert_string_equal(l.start.argv[3], "x y");
	assert_string_equal(of(l.start.env, "MODE"), "quiet");
	assert_string_equal(of(l.start.env, "FREE"), "f");
	assert_string_equal(of(l.start.env, "PATH"), "/bin");
	assert_null(of(l.start.env, "T"));
	assert_string_equal(of(l.start.secrets, "T"), "t");
	assert_string_equal(l.start.cwd, "/");
	assert_int_equal(l.start.umask, 027);
	assert_int_equal(l.start.nice, 3);
	assert_int_equal(l.start.rlimit_count, 1);
	assert_int_equal(l.start.rlimits[0].soft, 9);
	assert_int_equal(l.start.pids_max, 4);
	assert_int_equal(l.start.keep[RUN_STDERR], 2048);
	launch_close(&l);
}

static void given_a_profile_and_root_then_it_runs_as_its_user(void **state)
{
	struct launch l;

	(void)state;
	if (geteuid() != 0)
		skip();
	PROFILE("program", "/bin/sh", "user", "daemon");
	l = built(put(put(value_dict_new(&heap, 2), "argv", value_list_new(&heap, 1)), "profile",
	              text("p")));
	assert_int_equal(l.start.uid, 1);
	assert_int_equal(l.start.gid, 1);
	assert_string_equal(of(l.start.env, "USER"), "daemon");
	assert_null(l.start.cwd);
	launch_close(&l);
}

static struct value of_profile(struct value request)
{
	return put(request, "profile", text("p"));
}

static void given_computed_values_that_break_rules_then_the_rule_is_named(void **state)
{
	struct value env;

	(void)state;
	PROFILE("program", "/bin/sh", "arg", "match [a-z]+", "rest", "one-of a b", "max-args", "2",
	        "env", "FREE one-of x", "env", "FIXED=1", "cwd-below", "/usr", "timeout", "60",
	        "pool", "disk", "on-interrupt", "fail");
	expect_refused(of_profile(REQUEST("../x")), "argument 1 \"../x\" does not match [a-z]+");
	expect_refused(of_profile(REQUEST("a", "b", "a")), "takes at most 2 arguments, not 3");
	expect_refused(of_profile(REQUEST("a")), "wants a timeout of at most 60 s");
#define TIMED(...) put(of_profile(REQUEST(__VA_ARGS__)), "timeout", value_float(60))
	env = put(value_dict_new(&heap, 1), "FREE", text("y"));
	expect_refused(put(TIMED("a"), "env", env), "variable FREE \"y\" is not one of x");
	env = put(value_dict_new(&heap, 1), "FREE", secret("x"));
	expect_refused(put(TIMED("a"), "env", env), "says itself which secrets it has");
	env = put(value_dict_new(&heap, 1), "FIXED", text("2"));
	expect_refused(put(TIMED("a"), "env", env), "profile p says itself what FIXED is");
	expect_refused(put(TIMED("a"), "cwd", text("/etc")), "cwd \"/etc\" is not /usr");
	expect_refused(put(TIMED("a"), "stdin", text("")), "takes no stdin");
	expect_refused(put(TIMED("a"), "pool", text("cpu")), "pool \"cpu\" is not disk");
	expect_refused(put(TIMED("a"), "on_interrupt", text("hold")), "this on_interrupt");
	expect_refused(put(REQUEST("a"), "profile", text("q")),
	               "there is no exec profile q any more");
}

static void given_a_program_that_others_can_change_by_now_then_it_is_not_started(void **state)
{
	char          path[] = "/tmp/test_launch.XXXXXX";
	int           fd = mkstemp(path);
	struct launch l;

	(void)state;
	assert_true(fd >= 0 && close(fd) == 0 && chmod(path, 0755) == 0);
	PROFILE("program", path);
	l = built(of_profile(put(value_dict_new(&heap, 1), "argv", value_list_new(&heap, 1))));
	launch_close(&l);
	assert_int_equal(chmod(path, 0777), 0);
	expect_refused(of_profile(put(value_dict_new(&heap, 1), "argv", value_list_new(&heap, 1))),
	               "others may write to /tmp/test_launch.");
	assert_int_equal(unlink(path), 0);
}

static void given_a_link_that_leads_elsewhere_then_it_is_not_below(void **state)
{
	char          top[] = "/tmp/test_launch.XXXXXX", inside[64], outside[64];
	struct launch l;

	(void)state;
	assert_non_null(mkdtemp(top));
	(void)snprintf(inside, sizeof inside, "%s/in", top);
	(void)snprintf(outside, sizeof outside, "%s/out", top);
	assert_true(symlink(".", inside) == 0 && symlink("/", outside) == 0);
	PROFILE("program", "/bin/sh", "cwd-below", top, "arg", "any");
	l = built(put(of_profile(REQUEST("a")), "cwd", text(inside)));
	assert_string_equal(l.start.cwd, inside);
	launch_close(&l);
	expect_refused(put(of_profile(REQUEST("a")), "cwd", text(outside)), "leads to /,");
	assert_true(unlink(inside) == 0 && unlink(outside) == 0 && rmdir(top) == 0);
}

static void given_a_pool_of_the_profile_then_the_command_waits_there(void **state)
{
	char         pool[LAUNCH_POOL_BYTES] = "";
	struct value request = of_profile(REQUEST("a")), raw = REQUEST("a");

	(void)state;
	PROFILE("program", "/bin/sh", "pool", "disk");
	assert_true(launch_pool(book, request, pool));
	assert_string_equal(pool, "disk");
	assert_false(launch_pool(book, raw, pool));
	PROFILE("program", "/bin/sh");
	assert_false(launch_pool(book, request, pool));
	value_release(&heap, request);
	value_release(&heap, raw);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_a_raw_command_then_its_surroundings_are_built),
		TEST(given_variables_then_the_job_s_word_goes_before_ours),
		TEST(given_input_and_streams_then_they_are_as_the_job_says),
		TEST(given_a_profile_then_it_says_all_but_what_the_job_may),
		TEST(given_a_profile_and_root_then_it_runs_as_its_user),
		TEST(given_computed_values_that_break_rules_then_the_rule_is_named),
		TEST(given_a_program_that_others_can_change_by_now_then_it_is_not_started),
		TEST(given_a_link_that_leads_elsewhere_then_it_is_not_below),
		TEST(given_a_pool_of_the_profile_then_the_command_waits_there),
	};

	return cmocka_run_group_tests_name("launch", tests, NULL, NULL);
}
