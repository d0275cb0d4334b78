/*
 * Nothing is left behind: faults D7 to D10, D12, D14. Every case is run twice, with the processes of
 * a command found by reading /proc and with a control group for each (skipped where there are none).
 */
#include "tests/lib/runner_fixture.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define SETTLE_MSEC 2000

static struct runner_fixture *get(void **state)
{
	if (*state == NULL)
		skip();
	return *state;
}

static void expect_gone(struct runner_fixture *f, const char *name)
{
	long pid = runner_number(f, name);

	if (!process_ends(pid, SETTLE_MSEC))
		fail_msg("process %ld of %s is alive", pid, name);
}

/* --- what a command leaves when it ends --- */

static void what_a_command_leaves_behind_is_killed(void **state)
{
	struct runner_fixture *f = get(state);

	runner_shell(
		f, 1,
		"sleep 1000 >/dev/null 2>&1 & echo $! >a;"
		"setsid sh -c 'echo $$ >b; exec sleep 1000' >/dev/null 2>&1 &"
		"(setsid sh -c 'sh -c \"echo \\$\\$ >c; exec sleep 1000\" & exit' &) >/dev/null 2>&1;"
		"until [ -s a ] && [ -s b ] && [ -s c ]; do :; done; exit 3");

	assert_int_equal(runner_exit(f, 1)->code, 3);
	assert_false(runner_exit(f, 1)->is_incomplete);
	expect_gone(f, "a");
	expect_gone(f, "b");
	expect_gone(f, "c");
}

static void what_it_leaves_is_killed_also_without_key_session_and_parent(void **state)
{
	struct runner_fixture *f = get(state);

	runner_shell(f, 1,
	             "(env -i setsid sh -c 'sh -c \"echo \\$\\$ >a; exec sleep 1000\" & exit' &)"
	             " >/dev/null 2>&1; until [ -s a ]; do :; done");

	assert_int_equal(runner_exit(f, 1)->code, 0);
	expect_gone(f, "a");
}

static void the_helpers_of_another_command_are_left_alone(void **state)
{
	struct runner_fixture *f = get(state);

	runner_shell(
		f, 1,
		"(setsid sh -c 'sh -c \"echo \\$\\$ >a; exec sleep 1000\" & exit' &) >/dev/null 2>&1;"
		"until [ -s stop ]; do sleep 0.01; done");
	(void)runner_number(f, "a");
	for (uint64_t job = 2; job < 20; job++)
		runner_shell(f, job, "(setsid sleep 1000 >/dev/null 2>&1 &)");
	for (uint64_t job = 2; job < 20; job++)
		(void)runner_exit(f, job);
	runner_pump(f, 50);

	assert_false(process_ends(runner_number(f, "a"), 100));
	runner_shell(f, 20, "echo 1 >stop");
	(void)runner_exit(f, 1);
	expect_gone(f, "a");
}

static void the_result_does_not_wait_for_who_holds_stdout(void **state)
{
	struct runner_fixture *f = get(state);
	int64_t                start = now_msec();

	runner_shell(f, 1, "echo before; setsid sleep 1000 & echo $! >a; exit 4");

	assert_int_equal(runner_exit(f, 1)->code, 4);
	assert_true(runner_exit(f, 1)->is_incomplete);
	assert_in_range(now_msec() - start, 400, 5000);
	assert_string_equal(runner_output(f, 1, RUN_LOG_STDOUT), "before\n");
	expect_gone(f, "a");
}

static void output_after_the_end_is_waited_for_a_moment(void **state)
{
	struct runner_fixture *f = get(state);

	runner_shell(f, 1, "(sleep 0.1; echo late) & exit 0");

	assert_int_equal(runner_exit(f, 1)->code, 0);
	assert_false(runner_exit(f, 1)->is_incomplete);
	assert_string_equal(runner_output(f, 1, RUN_LOG_STDOUT), "late\n");
}

static void a_command_that_closes_its_output_goes_on(void **state)
{
	struct runner_fixture *f = get(state);

	runner_shell(f, 1, "exec >&- 2>&- ; sleep 0.2; exit 5");

	assert_int_equal(runner_exit(f, 1)->code, 5);
	assert_true(runner_exit(f, 1)->took >= 200 * GD_NSEC_PER_MSEC);
	assert_false(runner_exit(f, 1)->is_incomplete);
}

/* --- what is terminated --- */

static void sigterm_comes_first_and_its_answer_is_the_status(void **state)
{
	struct runner_fixture *f = get(state);

	runner_shell(f, 1,
	             "trap 'echo bye; exit 9' TERM; echo 1 >ready; while :; do sleep 0.01; done");
	(void)runner_number(f, "ready");
	runner_terminate(f, 1, 10000);

	assert_int_equal(runner_exit(f, 1)->code, 9);
	assert_string_equal(runner_output(f, 1, RUN_LOG_STDOUT), "bye\n");
}

static void who_ignores_sigterm_is_killed_after_the_grace(void **state)
{
	struct runner_fixture *f = get(state);
	int64_t                start;

	runner_shell(f, 1, "trap '' TERM; echo 1 >ready; while :; do sleep 0.01; done");
	(void)runner_number(f, "ready");
	start = now_msec();
	runner_terminate(f, 1, 200);

	assert_int_equal(runner_exit(f, 1)->signal, SIGKILL);
	assert_in_range(now_msec() - start, 200, 1200);
	assert_false(runner_exit(f, 1)->is_left_behind);
}

static void a_tree_is_gone_when_its_end_is_told(void **state)
{
	struct runner_fixture *f = get(state);

	runner_shell(f, 1,
	             "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >a; while :; do sleep 1; done' &"
	             "setsid sh -c 'echo $$ >b; exec sleep 1000' &"
	             "(env -i setsid sh -c 'sh -c \"echo \\$\\$ >c; exec sleep 1000\" & exit' &);"
	             "while :; do sleep 0.01; done");
	(void)runner_number(f, "a");
	(void)runner_number(f, "b");
	(void)runner_number(f, "c");
	runner_terminate(f, 1, 50);

	assert_int_equal(runner_exit(f, 1)->signal, SIGKILL);
	assert_true(process_ends(runner_number(f, "a"), 0));
	assert_true(process_ends(runner_number(f, "b"), 0));
	expect_gone(f, "c");
}

/* For the time of an exec nobody can read what the environment is, and so whose a process is. */
static void one_that_execs_all_the_time_is_not_lost_sight_of(void **state)
{
	struct runner_fixture *f = get(state);
	char                   name[16], script[256];

	runner_shell(f, 1, "sleep 1000"); /* one to whom it could belong as well */
	for (uint64_t job = 2; job < 8; job++) {
		(void)snprintf(name, sizeof name, "a%d", (int)job);
		(void)snprintf(
			script, sizeof script,
			"echo '[ -s %s ] || echo $$ >%s; exec sh loop%s' >loop%s;"
			"(setsid sh -c 'sh loop%s & exit' >/dev/null 2>&1 &); exec sleep 1000",
			name, name, name, name, name);
		runner_shell(f, job, script);
		(void)runner_number(f, name);
		runner_terminate(f, job, 60);
		assert_int_equal(runner_exit(f, job)->signal, SIGTERM);
		assert_true(process_ends(runner_number(f, name), 0));
	}
}

static void helpers_may_use_the_grace_that_the_command_did_not_need(void **state)
{
	struct runner_fixture *f = get(state);

	runner_shell(f, 1,
	             "sh -c 'trap \"sleep 0.3; echo 1 >cleaned; exit\" TERM; echo 1 >ready;"
	             " while :; do sleep 0.01; done' >/dev/null 2>&1 & exec sleep 1000");
	(void)runner_number(f, "ready");
	runner_terminate(f, 1, 10000);

	assert_int_equal(runner_exit(f, 1)->signal, SIGTERM);
	assert_int_equal(runner_number(f, "cleaned"), 1);
}

static void a_stopped_command_is_terminated_all_the_same(void **state)
{
	struct runner_fixture *f = get(state);

	runner_shell(f, 1, "echo 1 >ready; kill -STOP $$; exit 0");
	(void)runner_number(f, "ready");
	runner_pump(f, 50);
	runner_terminate(f, 1, 10000);

	assert_int_equal(runner_exit(f, 1)->signal, SIGTERM);
}

static void a_stopped_command_that_ignores_sigterm_is_killed(void **state)
{
	struct runner_fixture *f = get(state);

	runner_shell(f, 1, "trap '' TERM; echo 1 >ready; while :; do kill -STOP $$; done");
	(void)runner_number(f, "ready");
	runner_pump(f, 50);
	runner_terminate(f, 1, 50);

	assert_int_equal(runner_exit(f, 1)->signal, SIGKILL);
}

/* Whatever comes first, there is one end, and a status that was collected is the one that is told. */
static void an_end_and_a_terminate_at_once_are_one_end(void **state)
{
	struct runner_fixture *f = get(state);
	uint32_t               by_itself = 0;

	for (uint64_t job = 1; job <= 200; job++) {
		const struct run_exit *e;

		runner_shell(f, job, "exit 7");
		runner_pump(f, (int)(job % 3));
		runner_terminate(f, job, job % 2 == 0 ? 0 : 1000);
		e = runner_exit(f, job);
		assert_true(e->code == 7 || e->signal == SIGTERM || e->signal == SIGKILL);
		by_itself += e->code == 7;
	}
	runner_shell(f, 201, "exit 0");
	(void)runner_exit(f, 201);

	assert_int_equal(f->ends_told, 201);
	assert_true(by_itself > 0);
}

static void a_signal_reaches_the_process_group(void **state)
{
	struct runner_fixture *f = get(state);
	struct run_ref         ref = runner_ref(1);

	runner_shell(f, 1, "trap 'exit 8' USR1; echo 1 >ready; while :; do sleep 0.01; done");
	(void)runner_number(f, "ready");
	assert_int_equal(runner_link_signal(f->link, &ref, SIGUSR1, NULL), GD_OK);

	assert_int_equal(runner_exit(f, 1)->code, 8);
}

static void a_terminate_after_the_end_changes_nothing(void **state)
{
	struct runner_fixture *f = get(state);

	runner_shell(f, 1, "exit 6");
	(void)runner_exit(f, 1);
	runner_terminate(f, 1, 0);
	runner_terminate(f, 99, 0);
	runner_shell(f, 2, "exit 0");
	(void)runner_exit(f, 2);

	assert_int_equal(runner_exit(f, 1)->code, 6);
	assert_int_equal(f->ends_told, 2);
}

/* --- many --- */

/* As many processes as it may have, and each goes on trying. */
static void a_fork_bomb_is_ended(void **state)
{
	struct runner_fixture  *f = get(state);
	const struct run_rlimit limit = { RLIMIT_NPROC, 150, 150 };
	const char *const       bomb = "import os\n"
				       "while True:\n"
				       "\ttry: os.fork()\n"
				       "\texcept OSError: pass\n";
	const char *const       argv[] = { "python3", "-c", bomb, NULL };
	struct run_start        s = runner_command(f, 1, argv);
	int64_t                 start = now_msec();

	if (geteuid() == 0) {
		/* RLIMIT_NPROC does not bound root, so as a user whom nobody else is. */
		s.uid = s.gid = 70000 + (uint32_t)getpid();
		s.cwd = "/";
	}
	s.rlimits = &limit;
	s.rlimit_count = 1;
	s.keep[RUN_STDOUT] = s.keep[RUN_STDERR] = 0;
	runner_start(f, &s);
	(void)runner_wait(f, 1, RUN_RUNNING);
	while (now_msec() < start + 500)
		runner_pump(f, 50);
	start = now_msec();
	runner_terminate(f, 1, 0);

	assert_int_equal(runner_exit(f, 1)->signal, SIGKILL);
	assert_in_range(now_msec() - start, 0, 3000);
	assert_false(runner_exit(f, 1)->is_left_behind);
}

static void quick_commands_by_the_thousand_leave_no_zombie_and_no_descriptor(void **state)
{
	struct runner_fixture *f = get(state);
	const char *const      argv[] = { "true", NULL };
	const uint64_t         count = f->cgroup[0] == '\0' ? 10000 : 2000;
	uint32_t               before = count_fds(f->pid);
	uint64_t               started = 0;

	for (uint64_t job = 1; job <= count; job++) {
		while (started < count && started < job + 8) {
			struct run_start s = runner_command(f, ++started, argv);

			runner_start(f, &s);
		}
		assert_int_equal(runner_exit(f, job)->code, 0);
		runner_ack(f, job);
	}
	/* The answer to one more says that the last ACK was obeyed. */
	runner_shell(f, count + 1, "exit 0");
	(void)runner_exit(f, count + 1);

	assert_int_equal(count_children(f->pid), 0);
	if (f->cgroup[0] == '\0')
		assert_int_equal(count_fds(f->pid), before);
	else
		assert_in_range(count_fds(f->pid), before, before + 64 * 3);
}

static void a_hundred_cancelled_trees_leave_no_survivor(void **state)
{
	struct runner_fixture *f = get(state);
	int64_t                start = now_msec();

	for (uint64_t job = 1; job <= 100; job++)
		runner_shell(f, job,
		             "setsid sh -c '(setsid sleep 1000 &); exec sleep 1000' &"
		             "trap '' TERM; while :; do sleep 0.05; done");
	for (uint64_t job = 1; job <= 100; job++) {
		(void)runner_wait(f, job, RUN_RUNNING);
		runner_terminate(f, job, 20);
	}
	for (uint64_t job = 1; job <= 100; job++) /* some before they could ignore SIGTERM */
		assert_int_not_equal(runner_exit(f, job)->signal, 0);

	for (int64_t end = now_msec() + SETTLE_MSEC; count_children(f->pid) > 0;) {
		assert_true(now_msec() < end);
		(void)poll(NULL, 0, 5);
	}
	assert_true(now_msec() - start < 15000);
}

int main(void)
{
#define BOTH(name)                                                                               \
	{ "with /proc: " #name, name, runner_setup, runner_teardown, NULL },                     \
	{                                                                                        \
		"with control groups: " #name, name, runner_setup_grouped, runner_teardown, NULL \
	}
	const struct CMUnitTest tests[] = {
		BOTH(what_a_command_leaves_behind_is_killed),
		BOTH(what_it_leaves_is_killed_also_without_key_session_and_parent),
		BOTH(the_helpers_of_another_command_are_left_alone),
		BOTH(the_result_does_not_wait_for_who_holds_stdout),
		BOTH(output_after_the_end_is_waited_for_a_moment),
		BOTH(a_command_that_closes_its_output_goes_on),
		BOTH(sigterm_comes_first_and_its_answer_is_the_status),
		BOTH(who_ignores_sigterm_is_killed_after_the_grace),
		BOTH(a_tree_is_gone_when_its_end_is_told),
		BOTH(one_that_execs_all_the_time_is_not_lost_sight_of),
		BOTH(helpers_may_use_the_grace_that_the_command_did_not_need),
		BOTH(a_stopped_command_is_terminated_all_the_same),
		BOTH(a_stopped_command_that_ignores_sigterm_is_killed),
		BOTH(an_end_and_a_terminate_at_once_are_one_end),
		BOTH(a_signal_reaches_the_process_group),
		BOTH(a_terminate_after_the_end_changes_nothing),
		BOTH(a_fork_bomb_is_ended),
		BOTH(quick_commands_by_the_thousand_leave_no_zombie_and_no_descriptor),
		BOTH(a_hundred_cancelled_trees_leave_no_survivor),
	};

	return cmocka_run_group_tests_name("runner_tree", tests, NULL, NULL);
}
