/*
 * A runner for which memory ends once, at every allocation in turn: what cannot be started has
 * FAILED, what runs goes on and its end is the true one, and the runner lives.
 */
#include "tests/lib/runner_fixture.h"
#include "tests/torture/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define GRACE (30 * GD_NSEC_PER_MSEC)
#define INPUT "what it reads\n"
#define EXIT_FAILED 71 /* of a runner that cannot start */

static const char *const secrets[] = { "SECRET=token", NULL };
static const char *const reader[] = { "sh", "-c", "cat; echo $SECRET >&2", NULL };
static const char *const leaver[] = {
	"sh", "-c",
	"(setsid sh -c 'sh -c \"echo \\$\\$ >left; exec sleep 1000\" & exit' >/dev/null 2>&1 &); exec sleep 1000",
	NULL
};
static const char *const waiter[] = { "sh", "-c", "until [ -s go ]; do sleep 0.005; done; exit 7",
	                              NULL };

static struct runner_fixture fixture;

static void write_file(const struct runner_fixture *f, const char *name, const char *text)
{
	char path[128];
	int  fd;

	(void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

enum job { WAITER = 1, READER, READER_AGAIN, LEAVER };

static void start(struct runner_fixture *f, uint64_t job)
{
	const char *const *argv = job == WAITER ? waiter : job == LEAVER ? leaver : reader;
	struct run_start   s = runner_command(f, job, argv);

	if (argv == reader) {
		s.input = INPUT;
		s.input_bytes = strlen(INPUT);
		s.secrets = secrets;
	}
	runner_start(f, &s);
}

/* Until it is told that the job runs or, `until_end`, has ended. A connection for which there was no
 * memory is opened anew; a START of which nobody knows then is sent again. */
static const struct run_state *hear_of(struct runner_fixture *f, uint64_t job, bool until_end)
{
	int64_t end = now_msec() + RUNNER_PATIENCE_MSEC;

	for (;;) {
		const struct run_state *s = runner_state(f, job);

		if (s != NULL && (!until_end || s->phase != RUN_RUNNING))
			return s;
		assert_true(now_msec() < end);
		if (runner_try_pump(f, 100))
			continue;
		runner_disconnect(f);
		runner_connect(f);
		if (runner_state(f, job) == NULL)
			start(f, job);
	}
}

/* True: it was started. */
static bool is_right(struct runner_fixture *f, uint64_t job, int code)
{
	const struct run_state *s = hear_of(f, job, true);

	if (s->phase == RUN_FAILED) {
		assert_int_equal(s->error, ENOMEM);
		return false;
	}
	assert_int_equal(s->phase, RUN_EXITED);
	assert_int_equal(s->exit.code, code);
	return true;
}

/* A process that left its session and its parent is dead before its end is told. */
static void terminate_tree(struct runner_fixture *f)
{
	struct run_ref          ref = runner_ref(LEAVER);
	const struct run_state *s;

	start(f, LEAVER);
	if (hear_of(f, LEAVER, false)->phase == RUN_FAILED)
		return;
	(void)runner_number(f, "left");
	do {
		/* It may be lost with the connection, and may be said again. */
		assert_int_equal(runner_link_terminate(f->link, &ref, GRACE, NULL), GD_OK);
		s = hear_of(f, LEAVER, false);
		if (s->phase == RUN_RUNNING && !runner_try_pump(f, 100)) {
			runner_disconnect(f);
			runner_connect(f);
		}
	} while (s->phase == RUN_RUNNING);
	assert_int_equal(s->phase, RUN_EXITED);
	assert_true(process_ends(runner_number(f, "left"), 0));
}

static void run_some(struct runner_fixture *f)
{
	bool runs;

	write_file(f, "token", "hidden");
	start(f, WAITER);
	runs = hear_of(f, WAITER, false)->phase == RUN_RUNNING;
	for (uint64_t job = READER; job <= READER_AGAIN; job++) {
		start(f, job);
		if (!is_right(f, job, 0))
			continue;
		assert_string_equal(runner_output(f, job, RUN_LOG_STDOUT), INPUT);
		assert_string_equal(runner_output(f, job, RUN_LOG_STDERR), "hidden\n");
	}
	terminate_tree(f);
	write_file(f, "go", "1\n");
	assert_true(is_right(f, WAITER, 7) == runs);
}

/* With a runner that has no memory for allocation `n`; how many it asked for. */
static uint64_t play(uint64_t n)
{
	struct runner_fixture *f = &fixture;
	char                   at[24];
	uint64_t               count;

	(void)snprintf(at, sizeof at, "%" PRIu64, n);
	assert_int_equal(setenv("GATHERD_HEAP_AT", at, 1), 0);
	assert_true(runner_fixture_make(f));
	runner_launch(f);
	assert_int_equal(unsetenv("GATHERD_HEAP_AT"), 0);
	if (!runner_try_connect(f)) {
		assert_int_equal(f->exit_status, EXIT_FAILED);
		runner_run_again(f); /* what it left is no obstacle */
	}
	run_some(f);
	assert_int_equal(runner_stop(f), 0);
	count = runner_logged(f, "allocations=");
	runner_fixture_close(f);
	return count;
}

static void memory_ends_once_at_every_place(void **state)
{
	uint64_t count;

	(void)state;
	if (!heap_is_possible())
		skip();
	count = play(0);
	assert_in_range(count, 20, 2000);
	for (uint64_t n = 1; n <= count; n++)
		(void)play(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(memory_ends_once_at_every_place) };
	const char             *dir = getenv("builddir");
	char                    path[4096];

	/* The fixture's runner is the one that can be short of memory. */
	(void)snprintf(path, sizeof path, "%s/tests/runner/short_runner", dir == NULL ? "." : dir);
	(void)setenv("GATHERD_RUNNER", path, 1);
	return cmocka_run_group_tests_name("runner_memory", tests, NULL, NULL);
}
