/*
 * What a command finds when it starts, and what is told when it cannot: faults D1 to D6, D21 to D23.
 */
#include "tests/lib/runner_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void write_file(const struct runner_fixture *f, const char *name, const char *text,
                       mode_t mode)
{
	char path[256];
	int  fd;

	(void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

/* --- what it finds --- */

static void a_command_runs_and_its_status_and_output_are_told(void **state)
{
	struct runner_fixture *f = *state;
	const struct run_exit *e;

	runner_shell(f, 1, "echo out; echo err >&2; exit 7");

	e = runner_exit(f, 1);
	assert_int_equal(e->code, 7);
	assert_int_equal(e->signal, 0);
	assert_int_equal(e->bytes[RUN_STDOUT], 4);
	assert_int_equal(e->kept[RUN_STDERR], 4);
	assert_false(e->is_incomplete);
	assert_true(e->took > 0 && e->took < 20 * GD_NSEC_PER_SEC);
	assert_string_equal(runner_output(f, 1, RUN_LOG_STDOUT), "out\n");
	assert_string_equal(runner_output(f, 1, RUN_LOG_STDERR), "err\n");
}

static void a_command_has_exactly_the_descriptors_0_1_and_2(void **state)
{
	struct runner_fixture *f = *state;
	/* The shell reads the folder itself, so that nothing else opens one. */
	runner_shell(f, 1, "cd /proc/self/fd && echo *");
	(void)runner_exit(f, 1);

	/* 3 is the folder that is being read. */
	assert_string_equal(runner_output(f, 1, RUN_LOG_STDOUT), "0 1 2 3\n");
}

static void no_signal_is_blocked_or_ignored_in_a_command(void **state)
{
	struct runner_fixture *f = *state;
	const char *const      argv[] = { "sed", "-n", "/^Sig[BIC]/p", "/proc/self/status", NULL };
	struct run_start       s = runner_command(f, 1, argv);

	runner_start(f, &s);
	(void)runner_exit(f, 1);

	assert_string_equal(runner_output(f, 1, RUN_LOG_STDOUT), "SigBlk:\t0000000000000000\n"
	                                                         "SigIgn:\t0000000000000000\n"
	                                                         "SigCgt:\t0000000000000000\n");
}

static void the_environment_is_what_was_given_and_the_key(void **state)
{
	struct runner_fixture *f = *state;
	const char *const      argv[] = { "/usr/bin/env", NULL };
	const char *const      env[] = { "A=1", "GATHERD_ATTEMPT_KEY=false", "B=x y", NULL };
	struct run_start       s = runner_command(f, 1, argv);
	char                   wanted[256];

	s.env = env;
	runner_start(f, &s);
	(void)runner_exit(f, 1);

	(void)snprintf(wanted, sizeof wanted, "GATHERD_ATTEMPT_KEY=%s/1\nA=1\nB=x y\n", f->dir);
	assert_string_equal(runner_output(f, 1, RUN_LOG_STDOUT), wanted);
}

static void a_secret_comes_from_its_file(void **state)
{
	struct runner_fixture *f = *state;
	const char *const      argv[] = { "/usr/bin/printenv", "TOKEN", NULL };
	const char *const      env[] = { "TOKEN=overridden", NULL };
	const char *const      secrets[] = { "TOKEN=api", NULL };
	struct run_start       s = runner_command(f, 1, argv);

	write_file(f, "api", "s3cret\n", 0600);
	s.env = env;
	s.secrets = secrets;
	runner_start(f, &s);
	(void)runner_exit(f, 1);

	assert_string_equal(runner_output(f, 1, RUN_LOG_STDOUT), "s3cret\n");
}

static void session_umask_cwd_limits_and_nice_are_as_asked(void **state)
{
	struct runner_fixture  *f = *state;
	const struct run_rlimit limits[] = { { RLIMIT_NOFILE, 50, 60 }, { RLIMIT_CPU, 100, 100 } };
	const char *const       argv[] = { "sh", "-c",
		                           "umask; pwd; ulimit -n; ulimit -t; ulimit -c; nice;"
		                                 "cut -d' ' -f1,5,6,7 </proc/$$/stat | sed s/$$/P/g; tty",
		                           NULL };
	struct run_start        s = runner_command(f, 1, argv);
	char                    wanted[96];

	s.umask = 027;
	s.cwd = "/usr";
	s.nice = 5;
	s.rlimits = limits;
	s.rlimit_count = 2;
	runner_start(f, &s);
	(void)runner_exit(f, 1);

	/* On top of the runner's own, which is ours. */
	(void)snprintf(wanted, sizeof wanted, "0027\n/usr\n50\n100\n0\n%d\nP P P 0\nnot a tty\n",
	               nice(0) + 5);
	assert_string_equal(runner_output(f, 1, RUN_LOG_BOTH), wanted);
}

static void setuid_programs_gain_nothing(void **state)
{
	struct runner_fixture *f = *state;

	runner_shell(f, 1, "grep NoNewPrivs /proc/self/status");
	(void)runner_exit(f, 1);

	assert_string_equal(runner_output(f, 1, RUN_LOG_STDOUT), "NoNewPrivs:\t1\n");
}

static void root_can_start_it_as_somebody_else(void **state)
{
	struct runner_fixture *f = *state;
	const char *const      argv[] = { "sh", "-c", "id -u; id -g; id -G", NULL };
	struct run_start       s = runner_command(f, 1, argv);

	if (geteuid() != 0)
		skip();
	s.uid = 12345;
	s.gid = 23456;
	s.cwd = "/";
	runner_start(f, &s);
	(void)runner_exit(f, 1);

	assert_string_equal(runner_output(f, 1, RUN_LOG_STDOUT), "12345\n23456\n23456\n");
}

static void stdin_is_what_was_given_and_then_ends(void **state)
{
	struct runner_fixture *f = *state;
	const char *const      argv[] = { "cksum", NULL };
	struct run_start       s = runner_command(f, 1, argv);
	char                  *text = malloc(1 << 20);

	assert_non_null(text);
	memset(text, 'x', 1 << 20);
	s.input = text;
	s.input_bytes = 1 << 20;
	runner_start(f, &s);
	(void)runner_exit(f, 1);

	assert_string_equal(runner_output(f, 1, RUN_LOG_STDOUT), "2477837332 1048576\n");
	free(text);
}

static void a_program_that_does_not_read_its_stdin_ends_as_it_ends(void **state)
{
	struct runner_fixture *f = *state;
	const char *const      argv[] = { "true", NULL };
	struct run_start       s = runner_command(f, 1, argv);
	char                  *text = calloc(1, 1 << 20);

	assert_non_null(text);
	s.input = text;
	s.input_bytes = 1 << 20;
	runner_start(f, &s);

	assert_int_equal(runner_exit(f, 1)->code, 0);
	free(text);
}

static void without_stdin_there_is_the_end_of_file(void **state)
{
	struct runner_fixture *f = *state;

	runner_shell(f, 1, "readlink /proc/self/fd/0; cat");

	assert_int_equal(runner_exit(f, 1)->code, 0);
	assert_string_equal(runner_output(f, 1, RUN_LOG_STDOUT), "/dev/null\n");
}

static void a_signal_is_told_as_one_and_leaves_no_core(void **state)
{
	struct runner_fixture *f = *state;

	runner_shell(f, 1, "kill -SEGV $$");

	assert_int_equal(runner_exit(f, 1)->code, -1);
	assert_int_equal(runner_exit(f, 1)->signal, SIGSEGV);
	assert_false(runner_exit(f, 1)->has_core);
}

static void a_program_that_exits_127_did_run(void **state)
{
	struct runner_fixture *f = *state;

	runner_shell(f, 1, "exit 127");

	assert_int_equal(runner_exit(f, 1)->code, 127);
}

/* --- what cannot start --- */

static void expect_failure(struct runner_fixture *f, const struct run_start *s,
                           enum run_stage stage, int error)
{
	const struct run_state *told;

	runner_start(f, s);
	told = runner_wait(f, s->ref.job, RUN_FAILED);
	assert_int_equal(told->phase, RUN_FAILED);
	assert_string_equal(run_stage_name(told->stage), run_stage_name(stage));
	assert_int_equal(told->error, error);
}

static void expect_program_failure(struct runner_fixture *f, uint64_t job, const char *program,
                                   enum run_stage stage, int error)
{
	const char *const argv[] = { program, NULL };
	struct run_start  s = runner_command(f, job, argv);

	expect_failure(f, &s, stage, error);
}

static void a_program_that_cannot_run_is_told_with_stage_and_errno(void **state)
{
	struct runner_fixture *f = *state;
	char                   path[3][128];

	for (int i = 0; i < 3; i++)
		(void)snprintf(path[i], sizeof path[i], "%s/p%d", f->dir, i);
	write_file(f, "p0", "#!/no/such/interpreter\n", 0700);
	write_file(f, "p1", "echo hello\n", 0600);
	write_file(f, "p2", "echo hello\n", 0700);

	expect_program_failure(f, 1, "/no/such/program", RUN_STAGE_EXEC, ENOENT);
	expect_program_failure(f, 2, "no-such-program", RUN_STAGE_EXEC, ENOENT);
	expect_program_failure(f, 3, path[0], RUN_STAGE_INTERPRETER, ENOENT);
	expect_program_failure(f, 4, path[1], RUN_STAGE_EXEC, EACCES);
	expect_program_failure(f, 5, path[2], RUN_STAGE_EXEC, ENOEXEC);
	expect_program_failure(f, 6, "/usr", RUN_STAGE_EXEC, EACCES);
	expect_program_failure(f, 7, "/etc/passwd/x", RUN_STAGE_EXEC, ENOTDIR);
	expect_program_failure(f, 8, "", RUN_STAGE_ARGV, EINVAL);
}

static void the_path_of_its_own_environment_is_searched(void **state)
{
	struct runner_fixture *f = *state;
	char                   path[256];
	const char            *env[] = { path, NULL };
	const char *const      argv[] = { "tool", NULL };
	struct run_start       s = runner_command(f, 1, argv);

	(void)snprintf(path, sizeof path, "%s/a", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof path, "%s/b", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(f, "a/tool", "#!/bin/sh\necho a\n", 0600);
	(void)snprintf(path, sizeof path, "PATH=/no/such:%s/a:%s/b", f->dir, f->dir);
	s.env = env;
	expect_failure(f, &s, RUN_STAGE_EXEC, EACCES); /* there, but not to be run */

	write_file(f, "b/tool", "#!/bin/sh\necho b\n", 0700);
	s = runner_command(f, 2, argv);
	s.env = env;
	runner_start(f, &s);

	assert_int_equal(runner_exit(f, 2)->code, 0);
	assert_string_equal(runner_output(f, 2, RUN_LOG_STDOUT), "b\n");
}

static void a_cwd_a_limit_a_user_or_a_secret_that_is_not_to_be_had_is_told(void **state)
{
	struct runner_fixture  *f = *state;
	const char *const       argv[] = { "true", NULL };
	const char *const       missing[] = { "A=no-such", NULL };
	const char *const       outside[] = { "A=../log", NULL };
	const struct run_rlimit wrong = { RLIMIT_NOFILE, 20, 10 };
	struct run_start        s = runner_command(f, 1, argv);

	s.cwd = "/no/such/folder";
	expect_failure(f, &s, RUN_STAGE_CWD, ENOENT);
	s = runner_command(f, 2, argv);
	s.rlimits = &wrong;
	s.rlimit_count = 1;
	expect_failure(f, &s, RUN_STAGE_RLIMIT, EINVAL);
	s = runner_command(f, 3, argv);
	s.secrets = missing;
	expect_failure(f, &s, RUN_STAGE_SECRET, ENOENT);
	s = runner_command(f, 4, argv);
	s.secrets = outside;
	expect_failure(f, &s, RUN_STAGE_SECRET, ENOENT);
	if (geteuid() == 0)
		return;
	s = runner_command(f, 5, argv);
	s.uid = 0;
	expect_failure(f, &s, RUN_STAGE_USER, EPERM);
}

static void an_argument_that_is_too_large_is_told_and_not_sent_when_too_large_for_us(void **state)
{
	struct runner_fixture *f = *state;
	char                  *text = malloc(5 << 20);
	const char            *argv[] = { "true", text, NULL };
	struct run_start       s = runner_command(f, 1, argv);
	struct gd_error        why;

	assert_non_null(text);
	memset(text, 'x', 5 << 20);
	text[(5 << 20) - 1] = '\0';
	assert_int_equal(runner_link_start(f->link, &s, &why), GD_LIMIT);
	text[1 << 20] = '\0'; /* Linux takes 128 KiB in one argument */
	expect_failure(f, &s, RUN_STAGE_EXEC, E2BIG);
	free(text);
}

static void a_start_that_fails_leaves_nothing_open(void **state)
{
	struct runner_fixture *f = *state;
	const char *const      argv[] = { "/no/such", NULL };
	uint32_t               before = count_fds(f->pid);

	for (uint64_t job = 1; job <= 50; job++) {
		struct run_start s = runner_command(f, job, argv);

		s.input = "x";
		s.input_bytes = 1;
		expect_failure(f, &s, RUN_STAGE_EXEC, ENOENT);
		runner_ack(f, job);
	}

	assert_int_equal(count_fds(f->pid), before);
	assert_int_equal(count_children(f->pid), 0);
}

static void a_start_that_is_sent_twice_runs_once(void **state)
{
	struct runner_fixture *f = *state;

	runner_shell(f, 1, "echo $$ >>ran");
	runner_shell(f, 1, "echo again >>ran");
	(void)runner_exit(f, 1);
	runner_shell(f, 1, "echo again >>ran");
	runner_shell(f, 2, "wc -l <ran");
	(void)runner_exit(f, 2);

	assert_string_equal(runner_output(f, 2, RUN_LOG_STDOUT), "1\n");
}

static void one_that_ends_at_once_is_told_of_once_and_others_to_run(void **state)
{
	struct runner_fixture *f = *state;
	const char *const      argv[] = { "true", NULL };
	uint32_t               told = 0;

	for (uint64_t job = 1; job <= 50; job++) {
		struct run_start s = runner_command(f, job, argv);

		runner_start(f, &s);
		(void)runner_exit(f, job);
	}
	told = f->states_told;
	assert_in_range(told, 50, 90); /* all the same when this machine is busy */
	runner_shell(f, 51, "sleep 1000");
	assert_int_equal(runner_wait(f, 51, RUN_RUNNING)->phase, RUN_RUNNING);

	assert_int_equal(f->states_told, told + 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, runner_setup, runner_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_command_runs_and_its_status_and_output_are_told),
		CASE(a_command_has_exactly_the_descriptors_0_1_and_2),
		CASE(no_signal_is_blocked_or_ignored_in_a_command),
		CASE(the_environment_is_what_was_given_and_the_key),
		CASE(a_secret_comes_from_its_file),
		CASE(session_umask_cwd_limits_and_nice_are_as_asked),
		CASE(setuid_programs_gain_nothing),
		CASE(root_can_start_it_as_somebody_else),
		CASE(stdin_is_what_was_given_and_then_ends),
		CASE(a_program_that_does_not_read_its_stdin_ends_as_it_ends),
		CASE(without_stdin_there_is_the_end_of_file),
		CASE(a_signal_is_told_as_one_and_leaves_no_core),
		CASE(a_program_that_exits_127_did_run),
		CASE(a_program_that_cannot_run_is_told_with_stage_and_errno),
		CASE(the_path_of_its_own_environment_is_searched),
		CASE(a_cwd_a_limit_a_user_or_a_secret_that_is_not_to_be_had_is_told),
		CASE(an_argument_that_is_too_large_is_told_and_not_sent_when_too_large_for_us),
		CASE(a_start_that_fails_leaves_nothing_open),
		CASE(a_start_that_is_sent_twice_runs_once),
		CASE(one_that_ends_at_once_is_told_of_once_and_others_to_run),
	};

	return cmocka_run_group_tests_name("runner_start", tests, NULL, NULL);
}
