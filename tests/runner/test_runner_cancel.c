/*
 * Commands that do what they can to stay (sessions and parents of their own, SIGTERM ignored, outputs
 * closed, exec and fork without end) are terminated at any moment, eight at a time. Two seconds after
 * the end of one was told no process with its key is alive; when all are over the runner has no
 * child.
 *
 *	test_runner_cancel [COUNT [SEED]]
 */
#include "tests/lib/runner_fixture.h"

#include <ctype.h>
#include <dirent.h>
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

#define AT_A_TIME 8
#define SETTLE_MSEC 2000 /* the promise; under load the fixture's patience is not what counts */
#define RUNNER_KILL_EVERY 50

/* The last has no key, so that only a runner that saw it start can find it. */
static const char *const scripts[] = {
	"exec sleep 1000",
	"setsid sleep 1000 & setsid -f sleep 1000; wait",
	"(setsid sh -c 'sh -c \"exec sleep 1000\" & exit' &); sleep 0.01",
	"trap '' TERM; (setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' &); while :; do sleep "
	"1; done",
	"trap '' TERM; exec <&- >&- 2>&-; while :; do sleep 1; done",
	"trap 'exit 3' TERM; setsid sleep 1000 >/dev/null 2>&1 & while :; do sleep 0.01; done",
	"(setsid sh -c 'exec sh loop 1' >/dev/null 2>&1 &); exec sleep 1000",
	"(setsid sh relay 1 >/dev/null 2>&1 &); exec sleep 1000",
	"kill -STOP $$; exit 4",
	"exit 5",
	"(env -i setsid sh -c 'sh -c \"exec sleep 1000\" & exit' >/dev/null 2>&1 &); exec sleep 1000",
};
#define SCRIPTS (sizeof scripts / sizeof scripts[0])

static uint64_t cycles = 100;
static unsigned seed = 7;

static struct runner_fixture fixture;

struct cycle {
	uint64_t job; /* 0: none */
	int64_t  terminate_at;
	int      grace_msec;
	bool     is_terminated;
	int64_t  gone_by; /* not 0: its end was told */
};

struct rig {
	struct runner_fixture *f;
	struct cycle           cycle[AT_A_TIME];
	uint64_t               started, over, lost, in_time; /* the last: ended by itself */
	size_t                 scripts;
};

static void write_text(const struct runner_fixture *f, const char *name, const char *text)
{
	char path[128];
	int  fd;

	(void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static int open_rig(void **state, bool wants_cgroup)
{
	struct runner_fixture *f = &fixture;

	*state = NULL;
	if (!runner_fixture_open(f, wants_cgroup))
		return 0;
	/* Without end, as far as a test can see. */
	write_text(f, "loop", "[ $1 -eq 30000 ] || exec sh loop $(($1 + 1))\n");
	write_text(f, "relay",
	           "[ $1 -eq 3000 ] && exit; sleep 0.01; sh relay $(($1 + 1)) & exit\n");
	*state = f;
	return 0;
}

static int open_walking(void **state)
{
	return open_rig(state, false);
}

static int open_grouped(void **state)
{
	return open_rig(state, true);
}

static int close_rig(void **state)
{
	if (*state != NULL)
		runner_fixture_close(*state);
	return 0;
}

/* --- who is alive --- */

/* The job whose key `pid` was started with; 0: none of ours. */
static uint64_t job_of(const struct runner_fixture *f, const char *pid)
{
	static char text[65536];

	char    path[300], key[128];
	int     fd, length;
	ssize_t got;

	(void)snprintf(path, sizeof path, "/proc/%s/environ", pid);
	length = snprintf(key, sizeof key, RUN_KEY_VARIABLE "=%s/", f->dir);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	got = read(fd, text, sizeof text - 1);
	(void)close(fd);
	text[got > 0 ? got : 0] = '\0';
	for (const char *at = text; got > 0 && at < text + got; at += strlen(at) + 1) {
		if (strncmp(at, key, (size_t)length) == 0)
			return strtoull(at + length, NULL, 10);
	}
	return 0;
}

/* Which of the ended ones has a process still. */
static void mark_alive(struct rig *r, bool is_alive[AT_A_TIME])
{
	DIR           *dir = opendir("/proc");
	struct dirent *e;
	uint64_t       job;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		if (!isdigit((unsigned char)e->d_name[0]) || (job = job_of(r->f, e->d_name)) == 0)
			continue;
		for (int i = 0; i < AT_A_TIME; i++)
			is_alive[i] = is_alive[i] || r->cycle[i].job == job;
	}
	(void)closedir(dir);
}

static void print_children(const struct runner_fixture *f)
{
	char command[64];

	(void)snprintf(command, sizeof command, "ps -o pid,ppid,sid,stat,etimes,args --ppid %d >&2",
	               (int)f->pid);
	if (system(command) != 0)
		print_message("# no ps here\n");
}

static void expect_no_child(struct runner_fixture *f)
{
	for (int64_t end = now_msec() + SETTLE_MSEC; count_children(f->pid) > 0;) {
		if (now_msec() > end) {
			print_children(f);
			fail_msg("the runner has children");
		}
		runner_pump(f, 5);
	}
}

/* --- cycles --- */

static int any(int below)
{
	return rand_r(&seed) % below;
}

static void begin(struct rig *r, struct cycle *c)
{
	*c = (struct cycle){ .job = ++r->started,
		             .terminate_at = now_msec() + any(40),
		             .grace_msec = any(3) * any(60) };
	runner_shell(r->f, c->job, scripts[(size_t)any((int)r->scripts)]);
}

/* Its end, if it was told. */
static void hear(struct rig *r, struct cycle *c)
{
	const struct run_state *s = runner_state(r->f, c->job);

	if (c->gone_by != 0 || s == NULL || s->phase == RUN_RUNNING)
		return;
	assert_true(s->phase == RUN_EXITED || s->phase == RUN_LOST);
	if (s->phase == RUN_EXITED)
		assert_false(s->exit.is_left_behind);
	r->lost += s->phase == RUN_LOST;
	r->in_time += s->phase == RUN_EXITED && s->exit.code >= 3;
	c->gone_by = now_msec() + SETTLE_MSEC;
	runner_ack(r->f, c->job);
}

static void push(struct rig *r, struct cycle *c)
{
	if (c->job == 0 && r->started < cycles)
		begin(r, c);
	if (c->job == 0)
		return;
	hear(r, c);
	if (c->gone_by == 0 && !c->is_terminated && now_msec() >= c->terminate_at) {
		runner_terminate(r->f, c->job, c->grace_msec);
		c->is_terminated = true;
	}
}

static void look(struct rig *r)
{
	bool is_alive[AT_A_TIME] = { false };

	mark_alive(r, is_alive);
	for (int i = 0; i < AT_A_TIME; i++) {
		struct cycle *c = &r->cycle[i];

		if (c->gone_by == 0)
			continue;
		if (is_alive[i] && now_msec() > c->gone_by)
			fail_msg("job %" PRIu64 " was told to be over and is alive", c->job);
		if (is_alive[i])
			continue;
		c->job = 0;
		c->gone_by = 0;
		r->over++;
	}
}

static bool is_under_way(const struct rig *r, uint64_t job)
{
	for (int i = 0; i < AT_A_TIME; i++) {
		if (r->cycle[i].job == job && r->cycle[i].gone_by == 0)
			return true;
	}
	return false;
}

/* A START that the killed runner never read was no START, and an ACK no ACK. */
static void kill_runner(struct rig *r)
{
	runner_kill(r->f);
	runner_run_again(r->f);
	for (int i = 0; i < AT_A_TIME; i++) {
		struct cycle *c = &r->cycle[i];

		if (c->job != 0 && c->gone_by == 0 && runner_state(r->f, c->job) == NULL)
			runner_shell(r->f, c->job, "exec sleep 1000");
		c->is_terminated = false;
	}
	for (uint32_t i = 0; i < r->f->state_count; i++) {
		if (!is_under_way(r, r->f->state[i].ref.job))
			runner_ack(r->f, r->f->state[i].ref.job);
	}
}

static void run_all(struct rig *r, bool with_kills)
{
	uint64_t kill_at = RUNNER_KILL_EVERY;

	while (r->over < cycles) {
		for (int i = 0; i < AT_A_TIME; i++)
			push(r, &r->cycle[i]);
		runner_pump(r->f, 5);
		look(r);
		if (with_kills && r->started >= kill_at && r->over < cycles) {
			kill_runner(r);
			kill_at = r->started + 1 + (uint64_t)any(2 * RUNNER_KILL_EVERY);
		}
	}
	print_message("# %" PRIu64 " cycles, %" PRIu64 " lost, %" PRIu64 " ended by themselves\n",
	              r->over, r->lost, r->in_time);
	expect_no_child(r->f);
}

static void what_is_cancelled_leaves_no_survivor(void **state)
{
	struct rig r = { .f = *state, .scripts = SCRIPTS };

	if (r.f == NULL)
		skip();
	run_all(&r, false);
	assert_int_equal(r.lost, 0);
}

static void nor_does_it_when_the_runner_is_killed_meanwhile(void **state)
{
	struct rig r = { .f = *state, .scripts = SCRIPTS };

	if (r.f == NULL)
		skip();
	if (r.f->cgroup[0] == '\0')
		r.scripts--;
	run_all(&r, true);
	assert_true(r.lost > 0);
}

int main(int argc, char **argv)
{
#define BOTH(name)                                                                 \
	{ "with /proc: " #name, name, open_walking, close_rig, NULL },             \
	{                                                                          \
		"with control groups: " #name, name, open_grouped, close_rig, NULL \
	}
	const struct CMUnitTest tests[] = {
		BOTH(what_is_cancelled_leaves_no_survivor),
		BOTH(nor_does_it_when_the_runner_is_killed_meanwhile),
	};

	if (argc > 1)
		cycles = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		seed = (unsigned)strtoul(argv[2], NULL, 10);
	return cmocka_run_group_tests_name("runner_cancel", tests, NULL, NULL);
}
