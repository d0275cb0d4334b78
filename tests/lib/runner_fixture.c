#include "tests/lib/runner_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define PAUSE_MSEC 2
#define OUTPUT_ROOM (4u << 20)

int64_t now_msec(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the runner --- */

static const char *program(void)
{
	const char *path = getenv("GATHERD_RUNNER");

	return path == NULL ? "./gatherd-runner" : path;
}

/* Whether the runner has ended; it is reaped then. */
static bool has_ended(struct runner_fixture *f)
{
	int status;

	if (f->pid <= 0 || waitpid(f->pid, &status, WNOHANG) != f->pid)
		return false;
	f->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	f->pid = 0;
	return true;
}

static FILE *open_log(const struct runner_fixture *f)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/log", f->dir);
	return fopen(path, "re");
}

static void print_log(struct runner_fixture *f)
{
	char  line[1024];
	FILE *log = open_log(f);

	while (log != NULL && fgets(line, sizeof line, log) != NULL)
		print_message("# runner: %s", line);
	if (log != NULL)
		(void)fclose(log);
	if (has_ended(f))
		print_message("# the runner has ended: %d\n", f->exit_status);
}

uint64_t runner_logged(struct runner_fixture *f, const char *word)
{
	char        line[1024];
	const char *at;
	bool        is_there = false;
	uint64_t    number = 0;
	FILE       *log = open_log(f);

	while (log != NULL && fgets(line, sizeof line, log) != NULL) {
		if ((at = strstr(line, word)) == NULL)
			continue;
		is_there = true;
		number = strtoull(at + strlen(word), NULL, 10);
	}
	if (log != NULL)
		(void)fclose(log);
	assert_true(is_there);
	return number;
}

void runner_give_up(struct runner_fixture *f, const char *what)
{
	print_log(f);
	fail_msg("waited in vain for %s", what);
}

/* A parent may leave anything behind: signals that are ignored or blocked, also those two that glibc
 * keeps for itself (32 and 33). */
static void spoil_signals(void)
{
	static const unsigned long ignored[8] = { 1 };

	const int      numbers[] = { SIGHUP, SIGPIPE, 32, 33, 64 };
	const uint64_t blocked = UINT64_MAX;

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		(void)syscall(SYS_rt_sigaction, numbers[i], ignored, NULL, sizeof blocked);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, NULL, sizeof blocked);
}

void runner_launch(struct runner_fixture *f)
{
	char log[128];

	(void)snprintf(log, sizeof log, "%s/log", f->dir);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid > 0)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	spoil_signals();
	(void)dup2(open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
	if (f->cgroup[0] != '\0')
		(void)execl(program(), "gatherd-runner", "--state-dir", f->dir, "--idle", "0",
		            "--cgroup", f->cgroup, "--credentials", f->dir, (char *)NULL);
	else
		(void)execl(program(), "gatherd-runner", "--state-dir", f->dir, "--idle", "0",
		            "--credentials", f->dir, (char *)NULL);
	_exit(127);
}

void runner_run_again(struct runner_fixture *f)
{
	runner_launch(f);
	runner_connect(f);
}

static int wait_for_end(struct runner_fixture *f)
{
	for (int64_t end = now_msec() + RUNNER_PATIENCE_MSEC; !has_ended(f);) {
		if (now_msec() > end)
			runner_give_up(f, "the end of the runner");
		(void)poll(NULL, 0, PAUSE_MSEC);
	}
	return f->exit_status;
}

void runner_kill(struct runner_fixture *f)
{
	(void)kill(f->pid, SIGKILL);
	(void)wait_for_end(f);
	runner_disconnect(f);
}

int runner_stop(struct runner_fixture *f)
{
	(void)kill(f->pid, SIGTERM);
	return wait_for_end(f);
}

static bool find_cgroup(struct runner_fixture *f)
{
	char  line[1024], mount[128];
	FILE *mounts = fopen("/proc/self/mounts", "re");
	bool  is_found = false;

	while (!is_found && mounts != NULL && fgets(line, sizeof line, mounts) != NULL)
		is_found =
			strstr(line, " cgroup2 ") != NULL && sscanf(line, "%*s %127s", mount) == 1;
	if (mounts != NULL)
		(void)fclose(mounts);
	if (!is_found)
		return false;
	(void)snprintf(f->cgroup, sizeof f->cgroup, "%s/%s", mount, strrchr(f->dir, '/') + 1);
	if (mkdir(f->cgroup, 0755) == 0)
		return true;
	f->cgroup[0] = '\0';
	return false;
}

bool runner_fixture_make(struct runner_fixture *f)
{
	*f = (struct runner_fixture){ .dir = "/tmp/gd-run-XXXXXX" };
	f->state = calloc(RUNNER_STATES_MAX, sizeof *f->state);
	assert_non_null(f->state);
	if (mkdtemp(f->dir) == NULL)
		return false;
	(void)snprintf(f->socket, sizeof f->socket, "%s/runner/sock", f->dir);
	return true;
}

bool runner_fixture_open(struct runner_fixture *f, bool wants_cgroup)
{
	assert_true(runner_fixture_make(f));
	if (wants_cgroup && !find_cgroup(f)) {
		runner_fixture_close(f);
		return false;
	}
	runner_run_again(f);
	return true;
}

static void remove_all(const char *path)
{
	DIR           *dir = opendir(path);
	struct dirent *e;
	char           inner[512];

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		(void)snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
		if (unlink(inner) != 0)
			remove_all(inner);
	}
	if (dir != NULL)
		(void)closedir(dir);
	(void)rmdir(path);
}

void runner_fixture_close(struct runner_fixture *f)
{
	runner_disconnect(f);
	if (f->pid > 0) {
		(void)kill(f->pid, SIGTERM);
		(void)kill(f->pid, SIGTERM); /* at once */
		(void)wait_for_end(f);
	}
	if (f->cgroup[0] != '\0')
		remove_all(f->cgroup);
	remove_all(f->dir);
	free(f->state);
	f->state = NULL;
}

/* --- for cmocka --- */

static struct runner_fixture fixture;

int runner_setup(void **state)
{
	*state = &fixture;
	return runner_fixture_open(&fixture, false) ? 0 : -1;
}

int runner_setup_grouped(void **state)
{
	*state = runner_fixture_open(&fixture, true) ? &fixture : NULL;
	return 0;
}

int runner_teardown(void **state)
{
	if (*state != NULL)
		runner_fixture_close(*state);
	return 0;
}

/* --- the daemon's end --- */

struct run_ref runner_ref(uint64_t job)
{
	return (struct run_ref){ job, 1, 1 };
}

static void take(struct runner_fixture *f, const struct run_message *m)
{
	uint32_t i = 0;

	if (m->kind == RUN_WELCOME)
		f->welcome = *m;
	if (m->kind == RUN_STATE_END)
		f->has_all = true;
	if (m->kind == RUN_OUTPUT) {
		f->output_count++;
		memcpy(f->told, m->bytes, sizeof f->told);
	}
	if (m->kind != RUN_STATE)
		return;
	f->states_told++;
	f->ends_told += m->state.phase != RUN_RUNNING;
	/* The newest are asked for most. */
	for (i = f->state_count; i > 0 && !run_ref_equal(&f->state[i - 1].ref, &m->state.ref); i--)
		;
	if (i == 0) {
		assert_true(f->state_count < RUNNER_STATES_MAX);
		i = ++f->state_count;
	}
	f->state[i - 1] = m->state;
}

/* GD_OK, or why the connection is over. */
static enum gd_err pump(struct runner_fixture *f, int msec, struct gd_error *why)
{
	struct pollfd      look = { .fd = runner_link_fd(f->link), .events = POLLIN };
	struct run_message m;
	enum gd_err        rc;

	rc = runner_link_flush(f->link, why);
	if (runner_link_wants_to_write(f->link))
		look.events |= POLLOUT;
	if (rc == GD_OK && poll(&look, 1, msec) > 0)
		rc = runner_link_read(f->link, why);
	while (runner_link_next(f->link, &m))
		take(f, &m);
	return rc;
}

void runner_pump(struct runner_fixture *f, int msec)
{
	struct gd_error why;

	if (pump(f, msec, &why) == GD_OK)
		return;
	print_log(f);
	fail_msg("the runner: %s", why.text);
}

bool runner_try_pump(struct runner_fixture *f, int msec)
{
	return pump(f, msec, NULL) == GD_OK;
}

/* A killed runner's socket may take connections for as long as a child of it is on its way to exec:
 * such a one ends before anything was told, and another is opened. */
bool runner_try_connect(struct runner_fixture *f)
{
	int64_t end = now_msec() + RUNNER_PATIENCE_MSEC;

	f->link = NULL;
	f->has_all = false;
	while (!f->has_all) {
		if (now_msec() > end)
			runner_give_up(f, "the state of all");
		if (f->link != NULL && pump(f, 100, NULL) != GD_OK)
			runner_disconnect(f);
		if (f->link != NULL)
			continue;
		if (has_ended(f))
			return false;
		f->state_count = f->states_told = f->ends_told = f->output_count = 0;
		if (runner_link_open(f->socket, &f->link, NULL) != GD_OK)
			(void)poll(NULL, 0, PAUSE_MSEC);
	}
	return true;
}

void runner_connect(struct runner_fixture *f)
{
	if (runner_try_connect(f))
		return;
	print_log(f);
	fail_msg("the runner has ended: %d", f->exit_status);
}

void runner_disconnect(struct runner_fixture *f)
{
	runner_link_close(f->link);
	f->link = NULL;
}

struct run_start runner_command(struct runner_fixture *f, uint64_t job, const char *const *argv)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
	static char              key[128];

	(void)snprintf(key, sizeof key, "%s/%" PRIu64, f->dir, job);
	return (struct run_start){ .ref = runner_ref(job),
		                   .key = key,
		                   .argv = argv,
		                   .env = env,
		                   .cwd = f->dir,
		                   .keep = { RUN_KEEP_DEFAULT, RUN_KEEP_DEFAULT },
		                   .umask = 077,
		                   .uid = RUN_ID_NONE,
		                   .gid = RUN_ID_NONE };
}

void runner_start(struct runner_fixture *f, const struct run_start *s)
{
	struct gd_error why;

	if (runner_link_start(f->link, s, &why) != GD_OK ||
	    runner_link_flush(f->link, &why) != GD_OK)
		fail_msg("%s", why.text);
}

void runner_shell(struct runner_fixture *f, uint64_t job, const char *script)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct run_start  s = runner_command(f, job, argv);

	runner_start(f, &s);
}

const struct run_state *runner_state(struct runner_fixture *f, uint64_t job)
{
	struct run_ref ref = runner_ref(job);

	for (uint32_t i = f->state_count; i > 0; i--) {
		if (run_ref_equal(&f->state[i - 1].ref, &ref))
			return &f->state[i - 1];
	}
	return NULL;
}

const struct run_state *runner_wait(struct runner_fixture *f, uint64_t job, enum run_phase phase)
{
	int64_t end = now_msec() + RUNNER_PATIENCE_MSEC;

	for (;;) {
		const struct run_state *s = runner_state(f, job);

		if (s != NULL && (s->phase == phase || s->phase != RUN_RUNNING))
			return s;
		if (now_msec() > end)
			runner_give_up(f, "a command's state");
		runner_pump(f, 100);
	}
}

const struct run_exit *runner_exit(struct runner_fixture *f, uint64_t job)
{
	const struct run_state *s = runner_wait(f, job, RUN_EXITED);

	if (s->phase != RUN_EXITED)
		fail_msg("job %" PRIu64 ": phase %d, stage %s, errno %d", job, (int)s->phase,
		         run_stage_name(s->stage), (int)s->error);
	return &s->exit;
}

void runner_ack(struct runner_fixture *f, uint64_t job)
{
	struct run_ref  ref = runner_ref(job);
	struct gd_error why;

	assert_int_equal(runner_link_ack(f->link, &ref, &why), GD_OK);
	assert_int_equal(runner_link_flush(f->link, &why), GD_OK);
}

void runner_terminate(struct runner_fixture *f, uint64_t job, int grace_msec)
{
	struct run_ref  ref = runner_ref(job);
	struct gd_error why;

	assert_int_equal(runner_link_terminate(f->link, &ref, grace_msec * GD_NSEC_PER_MSEC, &why),
	                 GD_OK);
	assert_int_equal(runner_link_flush(f->link, &why), GD_OK);
}

const char *runner_output(struct runner_fixture *f, uint64_t job, enum run_log_which which)
{
	static char room[OUTPUT_ROOM + 1];

	char             dir[128];
	struct run_log   log;
	struct run_chunk chunk;
	struct run_ref   ref = runner_ref(job);
	size_t           bytes = 0;
	struct gd_error  why;

	(void)snprintf(dir, sizeof dir, "%s/runner", f->dir);
	assert_int_equal(run_log_open(&log, dir, &ref, which, 0, &why), GD_OK);
	do {
		assert_int_equal(
			run_log_read(&log, room + bytes, OUTPUT_ROOM - bytes, &chunk, &why), GD_OK);
		bytes += chunk.bytes;
	} while (chunk.bytes > 0 && bytes < OUTPUT_ROOM);
	run_log_close(&log);
	room[bytes] = '\0';
	return room;
}
