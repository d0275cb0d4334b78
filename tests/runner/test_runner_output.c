/*
 * Output of commands through the runner: floods, bounds, order, following, pace; faults B12, D25.
 */
#include "tests/lib/runner_fixture.h"

#include <fcntl.h>
#include <inttypes.h>
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

#define MIB (UINT64_C(1) << 20)

static uint64_t peak_kib(pid_t pid)
{
	char     path[64], line[256];
	uint64_t kib = 0;
	FILE    *file;

	(void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL)
		(void)sscanf(line, "VmHWM: %" SCNu64, &kib);
	(void)fclose(file);
	return kib;
}

/* ThreadSanitizer keeps notes of all memory that is touched: its growth says nothing of the runner. */
static bool has_grown(const struct runner_fixture *f, uint64_t before_kib, uint64_t max_kib)
{
#ifdef __SANITIZE_THREAD__
	(void)f, (void)before_kib, (void)max_kib;
	return false;
#else
	return peak_kib(f->pid) >= before_kib + max_kib;
#endif
}

static uint64_t disk_bytes(const struct runner_fixture *f, const char *name)
{
	char        path[256];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s/runner/%s", f->dir, name);
	return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static void a_flood_is_counted_exactly_and_its_tail_kept(void **state)
{
	struct runner_fixture *f = *state;
	uint64_t               before = peak_kib(f->pid);
	const struct run_exit *e;
	const char            *tail;

	runner_shell(f, 1, "head -c 300000000 /dev/zero | tr '\\0' 'x'; echo; echo last");
	e = runner_exit(f, 1);

	assert_int_equal(e->bytes[RUN_STDOUT], 300000006);
	assert_in_range(e->kept[RUN_STDOUT], MIB, 2 * MIB);
	tail = runner_output(f, 1, RUN_LOG_STDOUT);
	assert_int_equal(strlen(tail), e->kept[RUN_STDOUT]);
	assert_string_equal(tail + strlen(tail) - 7, "x\nlast\n");
	assert_true(disk_bytes(f, "1-1-1.out") < 2 * MIB + (512 << 10));
	assert_false(has_grown(f, before, 4096));
}

/* Five seconds' worth of the fastest that is promised. */
static void a_gigabyte_passes_and_the_runner_does_not_grow(void **state)
{
	struct runner_fixture *f = *state;
	const char *const      argv[] = { "head", "-c", "1000000000", "/dev/zero", NULL };
	struct run_start       s = runner_command(f, 1, argv);
	uint64_t               before = peak_kib(f->pid);

	s.tells_output = true;
	runner_start(f, &s);

	assert_int_equal(runner_exit(f, 1)->bytes[RUN_STDOUT], 1000000000);
	assert_false(has_grown(f, before, 1024));
	assert_true(disk_bytes(f, "1-1-1.out") < 2 * MIB + (512 << 10));
}

static void a_flood_on_stdout_leaves_stderr_alone(void **state)
{
	struct runner_fixture *f = *state;

	runner_shell(f, 1, "echo important >&2; head -c 20000000 /dev/zero");
	(void)runner_exit(f, 1);

	assert_string_equal(runner_output(f, 1, RUN_LOG_STDERR), "important\n");
}

static void both_streams_come_in_the_order_in_which_they_were_written(void **state)
{
	struct runner_fixture *f = *state;

	runner_shell(f, 1,
	             "for i in 1 2 3; do echo o$i; sleep 0.05; echo e$i >&2; sleep 0.05; done");
	(void)runner_exit(f, 1);

	assert_string_equal(runner_output(f, 1, RUN_LOG_BOTH), "o1\ne1\no2\ne2\no3\ne3\n");
}

static void what_is_not_to_be_kept_goes_nowhere(void **state)
{
	struct runner_fixture *f = *state;
	const char *const argv[] = { "sh", "-c", "exec 3>&1; readlink /proc/self/fd/3 >&2", NULL };
	struct run_start  s = runner_command(f, 1, argv);

	s.keep[RUN_STDOUT] = 0;
	runner_start(f, &s);

	assert_int_equal(runner_exit(f, 1)->bytes[RUN_STDOUT], 0);
	assert_string_equal(runner_output(f, 1, RUN_LOG_STDERR), "/dev/null\n");
}

static void a_follower_gets_every_byte_while_it_is_written(void **state)
{
	struct runner_fixture  *f = *state;
	const char *const       argv[] = { "seq", "1", "20000", NULL };
	struct run_start        s = runner_command(f, 1, argv);
	struct run_log          log;
	struct run_chunk        chunk;
	struct run_ref          ref = runner_ref(1);
	char                    dir[128], *all = calloc(1, 1 << 20);
	size_t                  bytes = 0;
	const struct run_state *told = NULL;

	assert_non_null(all);
	(void)snprintf(dir, sizeof dir, "%s/runner", f->dir);
	assert_int_equal(run_log_open(&log, dir, &ref, RUN_LOG_STDOUT, 0, NULL), GD_OK);
	s.tells_output = true;
	runner_start(f, &s);
	do {
		runner_pump(f, 100);
		told = runner_state(f, 1);
		do {
			assert_int_equal(run_log_read(&log, all + bytes, 1000, &chunk, NULL),
			                 GD_OK);
			assert_int_equal(chunk.skipped, 0);
			bytes += chunk.bytes;
		} while (chunk.bytes > 0);
	} while (told == NULL || told->phase == RUN_RUNNING);
	run_log_close(&log);

	assert_int_equal(bytes, told->exit.bytes[RUN_STDOUT]);
	assert_memory_equal(all, "1\n2\n3\n", 6);
	assert_string_equal(all + bytes - 6, "20000\n");
	assert_true(f->output_count > 0);
	free(all);
}

static void output_is_told_only_when_somebody_wants_to_know(void **state)
{
	struct runner_fixture *f = *state;
	struct run_ref         ref = runner_ref(1);

	runner_shell(f, 1, "echo a; until [ -s go ]; do sleep 0.01; done; echo b; sleep 0.05");
	(void)runner_wait(f, 1, RUN_RUNNING);
	runner_pump(f, 50);
	assert_int_equal(f->output_count, 0);
	assert_int_equal(runner_link_watch(f->link, &ref, true, NULL), GD_OK);
	/* What is there already is told at once: perhaps nothing more comes for a long time. */
	for (int i = 0; i < 100 && f->output_count == 0; i++)
		runner_pump(f, 50);
	assert_int_equal(f->told[RUN_STDOUT], 2);
	runner_shell(f, 2, "echo 1 >go");
	(void)runner_exit(f, 1);

	assert_true(f->output_count > 0);
	assert_int_equal(f->told[RUN_STDOUT], 4);
}

/* One that must not lose a line waits for its reader, and everything comes. */
static void a_paced_command_waits_for_its_reader_and_loses_nothing(void **state)
{
	struct runner_fixture  *f = *state;
	const char *const       argv[] = { "sh", "-c", "head -c 8000000 /dev/zero; echo 1 >written",
		                           NULL };
	struct run_start        s = runner_command(f, 1, argv);
	struct run_log          log;
	struct run_chunk        chunk;
	struct run_ref          ref = runner_ref(1);
	char                    dir[128], *room = malloc(65536);
	uint64_t                taken[RUN_STREAMS] = { 0, 0 };
	const struct run_state *told;

	assert_non_null(room);
	(void)snprintf(dir, sizeof dir, "%s/runner", f->dir);
	s.keep[RUN_STDOUT] = 100000;
	s.is_paced = s.tells_output = true;
	runner_start(f, &s);
	runner_pump(f, 300);
	runner_pump(f, 300);
	(void)snprintf(dir, sizeof dir, "%s/written", f->dir);
	assert_int_not_equal(access(dir, F_OK), 0); /* held up */
	(void)snprintf(dir, sizeof dir, "%s/runner", f->dir);

	assert_int_equal(run_log_open(&log, dir, &ref, RUN_LOG_STDOUT, 0, NULL), GD_OK);
	for (;;) {
		assert_int_equal(run_log_read(&log, room, 65536, &chunk, NULL), GD_OK);
		assert_int_equal(chunk.skipped, 0);
		taken[RUN_STDOUT] += chunk.bytes;
		if (chunk.bytes > 0) {
			assert_int_equal(runner_link_taken(f->link, &ref, taken, NULL), GD_OK);
			continue;
		}
		told = runner_state(f, 1);
		if (told != NULL && told->phase != RUN_RUNNING)
			break;
		runner_pump(f, 100);
	}
	run_log_close(&log);

	assert_int_equal(taken[RUN_STDOUT], 8000000);
	assert_int_equal(runner_exit(f, 1)->bytes[RUN_STDOUT], 8000000);
	assert_int_equal(runner_exit(f, 1)->code, 0);
	free(room);
}

/* Nobody takes what it prints, so it stands still; its end does not wait for that. */
static void a_paced_command_without_a_reader_is_terminated_all_the_same(void **state)
{
	struct runner_fixture *f = *state;
	const char *const argv[] = { "sh", "-c", "trap '' TERM; echo 1 >ready; exec cat /dev/zero",
		                     NULL };
	struct run_start  s = runner_command(f, 1, argv);

	s.keep[RUN_STDOUT] = 100000;
	s.is_paced = true;
	runner_start(f, &s);
	(void)runner_number(f, "ready");
	runner_pump(f, 100);
	runner_terminate(f, 1, 50);

	assert_int_equal(runner_exit(f, 1)->signal, SIGKILL);
	assert_false(runner_exit(f, 1)->is_left_behind);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, runner_setup, runner_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_flood_is_counted_exactly_and_its_tail_kept),
		CASE(a_gigabyte_passes_and_the_runner_does_not_grow),
		CASE(a_flood_on_stdout_leaves_stderr_alone),
		CASE(both_streams_come_in_the_order_in_which_they_were_written),
		CASE(what_is_not_to_be_kept_goes_nowhere),
		CASE(a_follower_gets_every_byte_while_it_is_written),
		CASE(output_is_told_only_when_somebody_wants_to_know),
		CASE(a_paced_command_waits_for_its_reader_and_loses_nothing),
		CASE(a_paced_command_without_a_reader_is_terminated_all_the_same),
	};

	return cmocka_run_group_tests_name("runner_output", tests, NULL, NULL);
}
