/*
 * Everything dies at random, and everybody says anything: nothing is run twice, no status is invented,
 * and the runner goes on: faults D19, D20, D25.
 */
#include "daemon/runner/spool.h"
#include "tests/lib/runner_fixture.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* --- everything at random --- */

#define CHAOS_JOBS 400

/* What the daemon of this test would have in its journal. */
struct ledger {
	bool     is_started[CHAOS_JOBS + 1];
	bool     is_ended[CHAOS_JOBS + 1];   /* and acknowledged */
	bool     was_killed[CHAOS_JOBS + 1]; /* the runner, after the start */
	uint32_t lost, exited;
};

static void record_ends(struct runner_fixture *f, struct ledger *l)
{
	for (uint64_t job = 1; job <= CHAOS_JOBS; job++) {
		const struct run_state *s = l->is_started[job] ? runner_state(f, job) : NULL;

		/* An end may be told again: it is known by its ref. */
		if (s == NULL || s->phase == RUN_RUNNING || l->is_ended[job])
			continue;
		l->is_ended[job] = true;
		if (s->phase == RUN_LOST) {
			assert_true(l->was_killed[job]);
			l->lost++;
		} else {
			assert_int_equal(s->phase, RUN_EXITED);
			assert_int_equal(s->exit.code, job % 100);
			l->exited++;
		}
		runner_ack(f, job);
	}
}

/* What was started and is told by nobody: the answer was lost before the runner had the START, so it
 * is sent again. */
static void send_again(struct runner_fixture *f, struct ledger *l, uint64_t job)
{
	char script[128];

	(void)snprintf(script, sizeof script, "echo %d >>ran; sleep 0.0%d; exit %d", (int)job,
	               (int)(job % 9), (int)(job % 100));
	runner_shell(f, job, script);
	l->is_started[job] = true;
}

static void count_runs(struct runner_fixture *f, uint32_t runs[CHAOS_JOBS + 1])
{
	char  path[128];
	int   job;
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/ran", f->dir);
	file = fopen(path, "re");
	while (file != NULL && fscanf(file, "%d", &job) == 1)
		runs[job]++;
	if (file != NULL)
		(void)fclose(file);
}

/* Connections are cut and runners killed at random moments; each command is run at most once, its
 * status is the true one, and only those that a killed runner had are lost. */
static void whatever_dies_nothing_is_run_twice_and_no_status_is_wrong(void **state)
{
	static struct ledger l;

	struct runner_fixture *f = *state;
	uint32_t               runs[CHAOS_JOBS + 1] = { 0 };
	unsigned               seed = 20301;
	uint64_t               next = 1, first = 1;
	int64_t                end = now_msec() + 60000;

	l = (struct ledger){ 0 };
	while (first <= CHAOS_JOBS) {
		int what = rand_r(&seed) % 100;

		assert_true(now_msec() < end);
		if (next <= CHAOS_JOBS && next < first + 12)
			send_again(f, &l, next++);
		if (what < 6) {
			runner_disconnect(f); /* perhaps with a START on the way */
			runner_connect(f);
		} else if (what < 7) {
			for (uint64_t job = first; job < next; job++)
				l.was_killed[job] = true;
			runner_kill(f);
			runner_run_again(f);
		} else {
			runner_pump(f, what % 4);
		}
		if (what < 7)
			for (uint64_t job = first; job < next; job++)
				if (!l.is_ended[job] && runner_state(f, job) == NULL)
					send_again(f, &l, job);
		record_ends(f, &l);
		while (first <= CHAOS_JOBS && l.is_ended[first])
			first++;
	}
	count_runs(f, runs);

	assert_int_equal(l.lost + l.exited, CHAOS_JOBS);
	assert_true(l.exited > 0);
	for (int job = 1; job <= CHAOS_JOBS; job++)
		assert_in_range(runs[job], 0, 1);
}

/* --- bad words on the socket --- */

/* What it answers to these bytes until it closes, as the text of REFUSED. */
static void expect_refused(struct runner_fixture *f, const void *bytes, size_t count,
                           const char *words)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char               room[1024];
	size_t             got = 0, used;
	struct run_message m;
	int                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(to.sun_path, sizeof to.sun_path, "%s", f->socket);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(send(fd, bytes, count, MSG_NOSIGNAL), count);
	for (;;) {
		struct pollfd look = { .fd = fd, .events = POLLIN };
		ssize_t       more;

		assert_int_equal(poll(&look, 1, RUNNER_PATIENCE_MSEC), 1);
		if ((more = recv(fd, room + got, sizeof room - got, 0)) <= 0)
			break;
		got += (size_t)more;
	}
	(void)close(fd);
	assert_int_equal(run_message_get(room, got, &m, &used), WIRE_MESSAGE);
	assert_int_equal(m.kind, RUN_REFUSED);
	assert_non_null(strstr(m.words, words));
}

static void expect_message_refused(struct runner_fixture *f, const struct run_message *m,
                                   const char *words)
{
	struct buf b = { 0 };

	run_message_put(&b, m);
	expect_refused(f, b.at, b.bytes, words);
	buf_close(&b);
}

static void garbage_ends_its_connection_and_nothing_else(void **state)
{
	struct runner_fixture *f = *state;

	expect_refused(f, "\0\0\0\0", 4, "malformed");
	expect_refused(f, "\xff\xff\xff\xff", 4, "malformed");
	expect_refused(f, "\1\0\0\0\x63", 5, "malformed");
	expect_refused(f, "GET / HTTP/1.1\r\n\r\n", 18, "malformed");
	expect_message_refused(f, &(struct run_message){ .kind = RUN_LIST }, "HELLO");
	expect_message_refused(f, &(struct run_message){ .kind = RUN_HELLO, .version = 99 },
	                       "version 1 and not 99");
	runner_shell(f, 1, "exit 18");

	assert_int_equal(runner_exit(f, 1)->code, 18);
}

/* More questions than answers are taken: those that wait are answered when it reads again. */
static void questions_are_answered_as_fast_as_the_answers_are_read(void **state)
{
	struct runner_fixture *f = *state;
	uint32_t               asked = 150000, answered = 0;
	int64_t                end = now_msec() + RUNNER_PATIENCE_MSEC;

	runner_shell(f, 1, "exit 0");
	(void)runner_exit(f, 1);
	for (uint32_t i = 0; i < asked; i++)
		assert_int_equal(runner_link_list(f->link, NULL), GD_OK);
	/* All that the runner takes, before a word of it is heard. */
	while (runner_link_wants_to_write(f->link) &&
	       now_msec() < end - RUNNER_PATIENCE_MSEC + 1000)
		assert_int_equal(runner_link_flush(f->link, NULL), GD_OK);
	while (answered < asked) {
		struct pollfd      look = { .fd = runner_link_fd(f->link), .events = POLLIN };
		struct run_message m;

		assert_true(now_msec() < end);
		(void)poll(&look, 1, 100);
		assert_int_equal(runner_link_read(f->link, NULL), GD_OK);
		while (runner_link_next(f->link, &m))
			answered += m.kind == RUN_STATE_END;
	}

	assert_int_equal(answered, asked);
}

static void a_daemon_that_stands_still_costs_the_runner_no_memory(void **state)
{
	struct runner_fixture *f = *state;
	const char *const      argv[] = { "sh", "-c", "head -c 30000000 /dev/zero; echo end >done",
		                          NULL };
	struct run_start       s = runner_command(f, 1, argv);

	s.tells_output = true;
	runner_start(f, &s);
	(void)runner_number(f, "done"); /* and nothing was read meanwhile */

	assert_int_equal(runner_exit(f, 1)->bytes[RUN_STDOUT], 30000000);
	assert_true(f->output_count > 0 && f->output_count < 8000);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, runner_setup, runner_teardown)
	const struct CMUnitTest tests[] = {
		CASE(whatever_dies_nothing_is_run_twice_and_no_status_is_wrong),
		CASE(garbage_ends_its_connection_and_nothing_else),
		CASE(questions_are_answered_as_fast_as_the_answers_are_read),
		CASE(a_daemon_that_stands_still_costs_the_runner_no_memory),
	};

	return cmocka_run_group_tests_name("runner_chaos", tests, NULL, NULL);
}
