/*
 * The daemon dies, the runner dies, both do; nothing is run twice, no status is invented, every end
 * is told until it is acknowledged: faults D12, D15 to D18.
 */
#include "daemon/runner/spool.h"
#include "tests/lib/runner_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void write_text(const struct runner_fixture *f, const char *name, const char *text)
{
	char path[256];
	int  fd;

	(void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static bool is_there(const struct runner_fixture *f, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
	return access(path, F_OK) == 0;
}

/* --- the daemon is gone for a while --- */

static void a_command_outlives_the_daemon_and_its_end_is_told_to_the_next(void **state)
{
	struct runner_fixture *f = *state;

	runner_shell(f, 1, "until [ -s go ]; do sleep 0.01; done; echo late; exit 11");
	(void)runner_wait(f, 1, RUN_RUNNING);
	runner_disconnect(f);
	write_text(f, "go", "1\n");
	runner_connect(f);

	assert_int_equal(runner_exit(f, 1)->code, 11);
	assert_string_equal(runner_output(f, 1, RUN_LOG_BOTH), "late\n");
}

static void a_running_command_is_adopted(void **state)
{
	struct runner_fixture *f = *state;
	int32_t                pid;

	runner_shell(f, 1, "sleep 1000");
	pid = runner_wait(f, 1, RUN_RUNNING)->pid;
	runner_disconnect(f);
	runner_connect(f);

	assert_int_equal(runner_state(f, 1)->phase, RUN_RUNNING);
	assert_int_equal(runner_state(f, 1)->pid, pid);
	runner_terminate(f, 1, 1000);
	assert_int_equal(runner_exit(f, 1)->signal, SIGTERM);
}

static void an_end_is_told_until_it_is_acknowledged_and_then_no_more(void **state)
{
	struct runner_fixture *f = *state;

	runner_shell(f, 1, "echo x; exit 12");
	(void)runner_exit(f, 1);
	for (int i = 0; i < 3; i++) {
		runner_disconnect(f);
		runner_connect(f);
		assert_int_equal(runner_state(f, 1)->exit.code, 12);
	}
	assert_true(is_there(f, "runner/1-1-1.out"));
	runner_ack(f, 1);
	runner_ack(f, 1);
	runner_disconnect(f);
	runner_connect(f);

	assert_null(runner_state(f, 1));
	assert_false(is_there(f, "runner/1-1-1.out"));
}

static void an_ack_of_a_command_that_runs_is_ignored(void **state)
{
	struct runner_fixture *f = *state;

	runner_shell(f, 1, "until [ -s go ]; do sleep 0.01; done; exit 13");
	runner_ack(f, 1);
	write_text(f, "go", "1\n");

	assert_int_equal(runner_exit(f, 1)->code, 13);
}

static void a_new_daemon_takes_over_from_one_that_does_not_let_go(void **state)
{
	struct runner_fixture *f = *state;
	struct runner_link    *before = f->link;
	struct gd_error        why;
	int64_t                end = now_msec() + RUNNER_PATIENCE_MSEC;
	enum gd_err            rc = GD_OK;

	runner_shell(f, 1, "sleep 1000");
	(void)runner_wait(f, 1, RUN_RUNNING);
	runner_connect(f);

	assert_int_equal(runner_state(f, 1)->phase, RUN_RUNNING);
	while (rc == GD_OK && now_msec() < end)
		rc = runner_link_read(before, &why);
	assert_int_equal(rc, GD_UNAVAILABLE);
	runner_link_close(before);
}

/* Ten thousand ends that nobody heard of, and a few that run. */
static void ten_thousand_commands_are_adopted_within_a_second(void **state)
{
	struct runner_fixture *f = *state;
	const char *const      argv[] = { "/no/such", NULL };
	int64_t                start;
	uint32_t               told = 0;

	for (uint64_t job = 1; job <= 10000; job++) {
		struct run_start s = runner_command(f, job, argv);

		runner_start(f, &s);
		if (job % 100 == 0)
			(void)runner_wait(f, job, RUN_FAILED);
	}
	for (uint64_t job = 20001; job <= 20010; job++) {
		runner_shell(f, job, "sleep 1000");
		(void)runner_wait(f, job, RUN_RUNNING);
	}
	runner_disconnect(f);
	/* A link of its own: the fixture's search for refs would be what is measured. */
	start = now_msec();
	assert_int_equal(runner_link_open(f->socket, &f->link, NULL), GD_OK);
	for (bool has_all = false; !has_all;) {
		struct pollfd      look = { .fd = runner_link_fd(f->link), .events = POLLIN };
		struct run_message m;

		assert_int_equal(poll(&look, 1, RUNNER_PATIENCE_MSEC), 1);
		assert_int_equal(runner_link_read(f->link, NULL), GD_OK);
		while (runner_link_next(f->link, &m)) {
			told += m.kind == RUN_STATE;
			has_all = has_all || m.kind == RUN_STATE_END;
		}
	}

	assert_int_equal(told, 10010);
	assert_in_range(now_msec() - start, 0, 1000);
	f->state_count = 0;
}

/* --- the runner is gone --- */

static void what_ran_when_the_runner_was_killed_is_ended_and_lost(void **state)
{
	struct runner_fixture *f = *state;

	if (f == NULL)
		skip();
	runner_shell(f, 1,
	             "echo kept; echo $$ >a; setsid sh -c 'echo $$ >b; exec sleep 1000' &"
	             "(setsid sh -c 'sh -c \"echo \\$\\$ >c; exec sleep 1000\" & exit' &);"
	             "exec sleep 1000");
	for (int i = 0; i < 3; i++)
		(void)runner_number(f, (const char *[]){ "a", "b", "c" }[i]);
	runner_shell(f, 2, "exit 14");
	(void)runner_exit(f, 2);
	while (runner_output(f, 1, RUN_LOG_BOTH)[0] == '\0')
		runner_pump(f, 5);
	runner_kill(f);
	runner_run_again(f);

	assert_int_equal(runner_state(f, 1)->phase, RUN_LOST);
	assert_true(runner_state(f, 1)->started > 0);
	assert_int_equal(runner_state(f, 2)->phase, RUN_EXITED);
	assert_int_equal(runner_state(f, 2)->exit.code, 14);
	for (int i = 0; i < 3; i++)
		assert_true(
			process_ends(runner_number(f, (const char *[]){ "a", "b", "c" }[i]), 0));
	assert_string_equal(runner_output(f, 1, RUN_LOG_BOTH), "kept\n");
}

static gd_nsec boottime(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (gd_nsec)t.tv_sec * GD_NSEC_PER_SEC + t.tv_nsec;
}

static void take_nothing(void *ctx, const struct spool_record *record)
{
	(void)ctx;
	(void)record;
}

/* A spool as a runner that is gone leaves it: on a host with this boot id it wrote this record. */
static void leave_spool(struct runner_fixture *f, const char *boot_id,
                        const struct spool_record *record)
{
	const struct spool_record open_record = { .kind = SPOOL_OPEN, .boot_id = boot_id };
	char                      dir[128];
	uint64_t                  cut;
	struct spool              spool;
	int                       dir_fd;

	(void)snprintf(dir, sizeof dir, "%s/runner", f->dir);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(spool_open(&spool, dir_fd, take_nothing, NULL, &cut, NULL), GD_OK);
	assert_int_equal(spool_put(&spool, &open_record), 0);
	assert_int_equal(spool_put(&spool, record), 0);
	spool_close(&spool);
	(void)close(dir_fd);
}

/* What comes of a process of ours when a runner starts that has it in its spool like this. */
static bool survives(struct runner_fixture *f, const char *boot_id, gd_nsec born_before_now)
{
	struct spool_record started = { .kind = SPOOL_STARTED, .key = "nobody has it" };
	pid_t               child = fork();
	bool                is_alive;

	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	(void)poll(NULL, 0, 30); /* more than the 10 ms of which /proc knows */
	started.state =
		(struct run_state){ .ref = { 1, 1, 1 }, .phase = RUN_RUNNING, .pid = child };
	started.born = boottime() - born_before_now;
	runner_kill(f);
	leave_spool(f, boot_id, &started);
	runner_run_again(f);
	assert_int_equal(runner_state(f, 1)->phase, RUN_LOST);
	is_alive = waitpid(child, NULL, WNOHANG) == 0;
	(void)kill(child, SIGKILL);
	if (is_alive)
		(void)waitpid(child, NULL, 0);
	return is_alive;
}

static void a_survivor_is_known_by_its_pid_and_when_it_was_there(void **state)
{
	struct runner_fixture *f = *state;

	assert_false(survives(f, f->welcome.welcome.boot_id, 0));
}

static void another_process_with_the_same_pid_is_left_alone(void **state)
{
	struct runner_fixture *f = *state;

	assert_true(survives(f, f->welcome.welcome.boot_id, GD_NSEC_PER_SEC));
}

static void after_a_reboot_no_process_is_looked_for(void **state)
{
	assert_true(survives(*state, "00000000-0000-0000-0000-000000000000", 0));
}

static void the_time_of_an_end_counts_from_the_start_of_the_host(void **state)
{
	struct runner_fixture *f = *state;
	gd_nsec                before = boottime(), ended;

	runner_shell(f, 1, "exit 0");
	ended = runner_exit(f, 1)->ended_boot;
	assert_in_range(ended, before, boottime());
	runner_kill(f);
	runner_run_again(f);

	assert_int_equal(runner_exit(f, 1)->ended_boot, ended);
}

/* That clock began anew with the host, so it says nothing of an end before that. */
static void an_end_before_the_host_started_has_no_time_on_its_clock(void **state)
{
	struct runner_fixture *f = *state;
	struct spool_record    end = { .kind = SPOOL_ENDED };

	end.state = (struct run_state){ .ref = { 1, 1, 1 }, .phase = RUN_EXITED, .started = 5 };
	end.state.exit = (struct run_exit){ .code = 19, .ended = 6, .ended_boot = 7 };
	runner_kill(f);
	leave_spool(f, "00000000-0000-0000-0000-000000000000", &end);
	for (int i = 0; i < 2; i++) {
		runner_run_again(f);
		assert_int_equal(runner_exit(f, 1)->code, 19);
		assert_int_equal(runner_exit(f, 1)->ended, 6);
		assert_int_equal(runner_exit(f, 1)->ended_boot, 0);
		runner_kill(f);
	}
}

static void the_same_ref_is_not_started_again_by_the_next_runner(void **state)
{
	struct runner_fixture *f = *state;

	runner_shell(f, 1, "exit 15");
	(void)runner_exit(f, 1);
	runner_kill(f);
	runner_run_again(f);
	runner_shell(f, 1, "exit 16");

	assert_int_equal(runner_exit(f, 1)->code, 15);
}

static void another_runner_has_another_instance(void **state)
{
	struct runner_fixture *f = *state;
	uint64_t               before = f->welcome.welcome.instance;

	runner_disconnect(f);
	runner_connect(f);
	assert_int_equal(f->welcome.welcome.instance, before);
	runner_kill(f);
	runner_run_again(f);

	assert_int_not_equal(f->welcome.welcome.instance, before);
}

static void a_runner_that_is_stopped_ends_its_commands_as_lost(void **state)
{
	struct runner_fixture *f = *state;

	runner_shell(f, 1, "trap 'exit 0' TERM; echo $$ >a; while :; do sleep 0.01; done");
	(void)runner_number(f, "a");
	assert_int_equal(runner_stop(f), 0);
	runner_disconnect(f);
	assert_true(process_ends(runner_number(f, "a"), 0));
	runner_run_again(f);

	assert_int_equal(runner_state(f, 1)->phase, RUN_LOST);
}

static void a_second_runner_of_the_same_directory_exits_75(void **state)
{
	struct runner_fixture *f = *state;
	struct runner_fixture  second = *f;

	second.link = NULL;
	second.pid = fork();
	assert_true(second.pid >= 0);
	if (second.pid == 0) {
		(void)close(STDERR_FILENO);
		(void)execl(getenv("GATHERD_RUNNER") ? getenv("GATHERD_RUNNER")
		                                     : "./gatherd-runner",
		            "gatherd-runner", "--state-dir", f->dir, (char *)NULL);
		_exit(1);
	}
	int status;

	assert_int_equal(waitpid(second.pid, &status, 0), second.pid);
	assert_int_equal(WEXITSTATUS(status), 75);
	runner_shell(f, 1, "exit 0");
	assert_int_equal(runner_exit(f, 1)->code, 0);
}

/* A killed runner may leave a child that was about to become a command: for a moment that holds the
 * lock, which must not be taken for another runner's. */
static void a_lock_that_is_let_go_in_a_moment_is_waited_for(void **state)
{
	struct runner_fixture *f = *state;
	char                   path[128];
	int                    fd;
	pid_t                  holder;

	runner_kill(f);
	(void)snprintf(path, sizeof path, "%s/runner/lock", f->dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	holder = fork();
	if (holder == 0) {
		(void)poll(NULL, 0, 200);
		_exit(0);
	}
	(void)close(fd);
	runner_run_again(f);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	runner_shell(f, 1, "exit 0");

	assert_int_equal(runner_exit(f, 1)->code, 0);
}

static void the_library_starts_a_runner_that_outlives_its_parent(void **state)
{
	struct runner_fixture *f = *state;
	struct runner_spawn    how = { .state_dir = f->dir };
	char                  *program;
	struct gd_error        why;
	char                   lock[128];
	long                   pid;

	program = realpath(getenv("GATHERD_RUNNER") ? getenv("GATHERD_RUNNER") : "./gatherd-runner",
	                   NULL);
	assert_non_null(program);
	how.program = program;
	assert_int_equal(runner_stop(f), 0);
	runner_disconnect(f);
	if (runner_spawn(&how, &why) != GD_OK)
		fail_msg("%s", why.text);
	assert_int_equal(runner_spawn(&how, &why), GD_OK); /* the second one ends by itself */
	runner_connect(f);
	runner_shell(f, 1, "exit 17");
	assert_int_equal(runner_exit(f, 1)->code, 17);

	(void)snprintf(lock, sizeof lock, "runner/lock");
	pid = runner_number(f, lock);
	assert_int_equal(count_children(getpid()), 0); /* it is nobody's child */
	assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
	assert_true(process_ends(pid, RUNNER_PATIENCE_MSEC));
	how.program = "/no/such/program";
	assert_int_equal(runner_spawn(&how, &why), GD_SYS);
	assert_int_equal(why.sys, ENOENT);
	free(program);
}

static void an_idle_runner_ends(void **state)
{
	struct runner_fixture *f = *state;
	const char            *program = getenv("GATHERD_RUNNER");
	int                    status;
	int64_t                start = now_msec();

	assert_int_equal(runner_stop(f), 0);
	runner_disconnect(f);
	f->pid = fork();
	if (f->pid == 0) {
		(void)close(STDERR_FILENO);
		(void)execl(program == NULL ? "./gatherd-runner" : program, "gatherd-runner",
		            "--state-dir", f->dir, "--idle", "1", (char *)NULL);
		_exit(1);
	}

	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	assert_int_equal(status, 0);
	assert_true(now_msec() - start >= 1000);
	f->pid = 0;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, runner_setup, runner_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_command_outlives_the_daemon_and_its_end_is_told_to_the_next),
		CASE(a_running_command_is_adopted),
		CASE(an_end_is_told_until_it_is_acknowledged_and_then_no_more),
		CASE(an_ack_of_a_command_that_runs_is_ignored),
		CASE(a_new_daemon_takes_over_from_one_that_does_not_let_go),
		CASE(ten_thousand_commands_are_adopted_within_a_second),
		CASE(what_ran_when_the_runner_was_killed_is_ended_and_lost),
		{ "with control groups: what_ran_when_the_runner_was_killed_is_ended_and_lost",
		  what_ran_when_the_runner_was_killed_is_ended_and_lost, runner_setup_grouped,
		  runner_teardown, NULL },
		CASE(a_survivor_is_known_by_its_pid_and_when_it_was_there),
		CASE(another_process_with_the_same_pid_is_left_alone),
		CASE(after_a_reboot_no_process_is_looked_for),
		CASE(the_time_of_an_end_counts_from_the_start_of_the_host),
		CASE(an_end_before_the_host_started_has_no_time_on_its_clock),
		CASE(the_same_ref_is_not_started_again_by_the_next_runner),
		CASE(another_runner_has_another_instance),
		CASE(a_runner_that_is_stopped_ends_its_commands_as_lost),
		CASE(a_second_runner_of_the_same_directory_exits_75),
		CASE(a_lock_that_is_let_go_in_a_moment_is_waited_for),
		CASE(the_library_starts_a_runner_that_outlives_its_parent),
		CASE(an_idle_runner_ends),
	};

	return cmocka_run_group_tests_name("runner_life", tests, NULL, NULL);
}
