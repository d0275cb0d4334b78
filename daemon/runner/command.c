#include "daemon/runner/command.h"

#include "daemon/log.h"
#include "daemon/runner/environment.h"
#include "daemon/runner/runner.h"
#include "daemon/runner/spawn.h"
#include "proto/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PACE_SLACK (UINT64_C(2) << 20) /* what may still be in the pipe at the end */

/* --- life --- */

static struct command *command_new(struct runner *r, const struct run_ref *ref, const char *key)
{
	struct command *c = calloc(1, sizeof *c);

	if (c == NULL || (c->key = strdup(key)) == NULL) {
		free(c);
		return NULL;
	}
	c->runner = r;
	c->state.ref = *ref;
	c->drain_due = c->kill_due = c->patience_due = GD_NSEC_NEVER;
	c->input.fd = -1;
	for (int i = 0; i < RUN_STREAMS; i++) {
		c->output[i].fd = -1;
		capture_init(&c->capture[i], r->dir_fd, ref, (enum run_stream)i, 0);
	}
	return c;
}

void command_free(struct command *c)
{
	table_remove(&c->runner->table, c);
	ring_leave(&c->alive);
	ring_leave(&c->waiting);
	ring_leave(&c->young);
	ring_leave(&c->telling);
	ring_leave(&c->unsynced);
	streams_close(c);
	for (int i = 0; i < RUN_STREAMS; i++)
		capture_close(&c->capture[i]);
	free(c->key);
	free(c);
}

gd_nsec command_due(const struct command *c)
{
	gd_nsec due = c->drain_due < c->kill_due ? c->drain_due : c->kill_due;

	return due < c->patience_due ? due : c->patience_due;
}

/* After one of its times changed. */
static void keep_waiting(struct command *c)
{
	if (command_due(c) == GD_NSEC_NEVER)
		ring_leave(&c->waiting);
	else if (c->waiting.next == NULL)
		ring_join(&c->runner->waiting, &c->waiting, c);
}

bool command_write_end(struct command *c)
{
	const struct spool_record record = { .kind = SPOOL_ENDED, .state = c->state };
	int                       failed = spool_put(&c->runner->spool, &record);

	if (failed != 0)
		log_error("runner.spool_failed", "errno=%d; tried again in a second", failed);
	c->is_written = failed == 0;
	return c->is_written;
}

void command_tell(struct command *c)
{
	ring_leave(&c->young);
	serve_state(&c->runner->serve, &c->state);
}

/* `state` says how. */
static void end(struct command *c)
{
	struct runner *r = c->runner;

	CHECK(c->step != COMMAND_ENDED);
	c->step = COMMAND_ENDED;
	c->drain_due = c->kill_due = c->patience_due = GD_NSEC_NEVER;
	keep_waiting(c);
	ring_leave(&c->alive);
	ring_leave(&c->telling);
	streams_close(c);
	if (c->cgroup != NULL)
		cgroup_release(&r->cgroups, c->cgroup);
	c->cgroup = NULL;
	runner_sweep_soon(r);
	(void)command_write_end(c);
	ring_join(&r->unsynced, &c->unsynced, c);
	command_tell(c);
}

/* --- start --- */

static int admit(void *ctx, pid_t pid)
{
	struct command     *c = ctx;
	struct spool_record record = { .kind = SPOOL_STARTED, .key = c->key };

	c->state.phase = RUN_RUNNING;
	c->state.pid = pid;
	c->state.started = clock_read(CLOCK_REALTIME);
	c->born = clock_read(CLOCK_BOOTTIME);
	record.state = c->state;
	record.born = c->born;
	return spool_put(&c->runner->spool, &record);
}

struct pipes {
	int ours[3]; /* -1: /dev/null, as below */
	int theirs[3];
};

static void close_ends(const int ends[3])
{
	for (int i = 0; i < 3; i++) {
		if (ends[i] >= 0)
			(void)close(ends[i]);
	}
}

/* 0 or errno; nothing is open then. */
static int make_pipes(const struct run_start *s, struct pipes *p)
{
	const bool wanted[3] = { s->input != NULL, s->keep[RUN_STDOUT] > 0,
		                 s->keep[RUN_STDERR] > 0 };
	int        ends[2], ours, failed;

	*p = (struct pipes){ { -1, -1, -1 }, { SPAWN_NULL, SPAWN_NULL, SPAWN_NULL } };
	for (int i = 0; i < 3; i++) {
		if (!wanted[i])
			continue;
		if (pipe2(ends, O_CLOEXEC) != 0)
			goto close_all;
		ours = i == 0 ? 1 : 0;
		p->ours[i] = ends[ours];
		p->theirs[i] = ends[1 - ours];
		if (fcntl(ends[ours], F_SETFL, O_NONBLOCK) != 0)
			goto close_all;
	}
	return 0;
close_all:
	failed = errno;
	close_ends(p->theirs);
	close_ends(p->ours);
	return failed;
}

static struct spawned failure(enum run_stage stage, int error)
{
	return (struct spawned){ .stage = stage, .error = error };
}

/* With its pipes and its group; what was made for it is undone if it does not start. */
static struct spawned spawn_with(struct command *c, const struct run_start *s, char *const *env)
{
	struct runner *r = c->runner;
	struct pipes   p;
	struct spawned out;
	struct spawn   how = { .start = s, .env = env, .admit = admit, .ctx = c };
	int            failed = make_pipes(s, &p);

	if (failed != 0)
		return failure(RUN_STAGE_PIPE, failed);
	if (r->cgroups.is_on && (c->cgroup = cgroup_take(&r->cgroups, s->pids_max)) == NULL) {
		out = failure(RUN_STAGE_CGROUP, errno);
	} else {
		how.cgroup = c->cgroup;
		memcpy(how.stdio, p.theirs, sizeof how.stdio);
		out = spawn_run(&how);
	}
	close_ends(p.theirs);
	if (out.stage != RUN_STAGE_NONE) {
		close_ends(p.ours);
		return out;
	}
	if ((failed = streams_watch(c, p.ours[0], p.ours + 1)) == 0)
		return out;
	/* It runs already: it must not go on unseen. */
	(void)kill(out.pid, SIGKILL);
	(void)waitpid(out.pid, NULL, 0);
	return failure(RUN_STAGE_PIPE, failed);
}

static struct spawned try_start(struct command *c, const struct run_start *s)
{
	struct runner     *r = c->runner;
	struct environment e;
	struct spawned     out;
	int                failed;
	enum run_stage     stage;

	if (r->is_stopping)
		return failure(RUN_STAGE_STOPPING, ECANCELED);
	if (s->argv[0] == NULL || s->argv[0][0] == '\0' || s->has_nul)
		return failure(RUN_STAGE_ARGV, EINVAL);
	if (s->input_bytes > 0) {
		if ((c->text = malloc(s->input_bytes)) == NULL)
			return failure(RUN_STAGE_LIMIT, ENOMEM);
		memcpy(c->text, s->input, s->input_bytes);
		c->text_bytes = s->input_bytes;
	}
	stage = environment_build(&e, s, r->secrets_fd, &failed);
	if (stage != RUN_STAGE_NONE)
		return failure(stage, failed);
	out = spawn_with(c, s, e.list);
	environment_close(&e);
	return out;
}

static void refuse(struct runner *r, const struct run_ref *ref, int error)
{
	serve_state(&r->serve, &(struct run_state){ .ref = *ref,
	                                            .phase = RUN_FAILED,
	                                            .stage = RUN_STAGE_LIMIT,
	                                            .error = error });
}

void command_start(struct runner *r, const struct run_start *s)
{
	struct command *c = table_by_ref(&r->table, &s->ref);
	struct spawned  got;

	if (c != NULL) {
		command_tell(c);
		return;
	}
	if (r->table.count >= RUN_COMMANDS_MAX) {
		refuse(r, &s->ref, EAGAIN);
		return;
	}
	if ((c = command_new(r, &s->ref, s->key)) == NULL) {
		refuse(r, &s->ref, ENOMEM);
		return;
	}
	for (int i = 0; i < RUN_STREAMS; i++) {
		c->capture[i].keep = s->keep[i] + (s->is_paced ? PACE_SLACK : 0);
		c->pace = s->is_paced ? s->keep[i] : 0;
	}
	c->tells_output = s->tells_output;
	got = try_start(c, s);
	if (got.stage != RUN_STAGE_NONE) {
		c->state.phase = RUN_FAILED;
		c->state.stage = got.stage;
		c->state.error = got.error;
		c->is_reaped = true;
	}
	table_add(&r->table, c);
	ring_join(&r->alive, &c->alive, c);
	if (got.stage != RUN_STAGE_NONE)
		end(c);
	else
		ring_join(&r->young, &c->young, c);
}

/* --- the end --- */

void command_signal(struct command *c, int number)
{
	/* The group exists for as long as its leader was not reaped: the number is nobody else's. */
	if (!c->is_reaped && number > 0 && number < NSIG)
		(void)kill(-c->state.pid, number);
}

static void kill_tree(struct command *c, gd_nsec now)
{
	c->kill_due = GD_NSEC_NEVER;
	c->patience_due = now + RUN_KILL_PATIENCE;
	c->is_killing = true;
	keep_waiting(c);
	command_signal(c, SIGKILL);
	if (c->cgroup != NULL)
		cgroup_kill(c->cgroup);
	c->runner->sweep_due = 0;
}

void command_terminate(struct command *c, gd_nsec grace)
{
	gd_nsec now = clock_read(CLOCK_BOOTTIME);
	gd_nsec due;

	if (c->step == COMMAND_ENDED || c->is_killing)
		return;
	if (grace <= 0) {
		c->is_terminating = true;
		kill_tree(c, now);
		return;
	}
	if (!c->is_terminating) {
		command_signal(c, SIGTERM);
		command_signal(c, SIGCONT); /* one that is stopped would not see it */
	}
	c->is_terminating = true;
	due = grace > GD_NSEC_NEVER - now ? GD_NSEC_NEVER - 1 : now + grace;
	if (due < c->kill_due)
		c->kill_due = due;
	keep_waiting(c);
}

static gd_nsec nsec_of(struct timeval t)
{
	return (gd_nsec)t.tv_sec * GD_NSEC_PER_SEC + (gd_nsec)t.tv_usec * 1000;
}

void command_reaped(struct command *c, int status, const struct rusage *usage)
{
	struct run_exit *e = &c->state.exit;
	gd_nsec          now = clock_read(CLOCK_BOOTTIME);

	c->is_reaped = true;
	*e = (struct run_exit){ .code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		                .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		                .has_core = WIFSIGNALED(status) && WCOREDUMP(status),
		                .ended = clock_read(CLOCK_REALTIME),
		                .ended_boot = now,
		                .took = now - c->born,
		                .user = nsec_of(usage->ru_utime),
		                .system = nsec_of(usage->ru_stime),
		                .peak_bytes = (uint64_t)usage->ru_maxrss * 1024 };
	c->step = COMMAND_DRAINING;
	streams_read_rest(c);
	if (streams_are_over(c)) {
		command_drained(c);
		return;
	}
	c->drain_due = now + RUN_DRAIN;
	keep_waiting(c);
}

static void tell_exit(struct command *c)
{
	struct run_exit *e = &c->state.exit;

	c->state.phase = c->is_lost ? RUN_LOST : RUN_EXITED;
	for (int i = 0; i < RUN_STREAMS; i++) {
		e->bytes[i] = c->capture[i].bytes;
		e->kept[i] = capture_kept(&c->capture[i]);
	}
	end(c);
}

void command_drained(struct command *c)
{
	c->drain_due = GD_NSEC_NEVER;
	keep_waiting(c);
	streams_close(c);
	if (!c->is_terminating) {
		tell_exit(c);
		return;
	}
	c->step = COMMAND_LEAVING;
	c->runner->sweep_due = 0;
}

void command_left(struct command *c)
{
	CHECK(c->step == COMMAND_LEAVING);
	tell_exit(c);
}

void command_tick(struct command *c, gd_nsec now)
{
	if (now >= c->drain_due) {
		streams_read_rest(c);
		c->state.exit.is_incomplete = !streams_are_over(c);
		command_drained(c);
		return;
	}
	if (now >= c->kill_due)
		kill_tree(c, now);
	if (now < c->patience_due)
		return;
	c->patience_due = GD_NSEC_NEVER;
	keep_waiting(c);
	if (c->step != COMMAND_LEAVING)
		return; /* its main process hangs in the kernel: there is no status to tell */
	c->state.exit.is_left_behind = true;
	tell_exit(c);
}

void command_taken(struct command *c, const uint64_t bytes[RUN_STREAMS])
{
	for (int i = 0; i < RUN_STREAMS; i++) {
		if (bytes[i] > c->taken[i] && bytes[i] <= c->capture[i].bytes)
			c->taken[i] = bytes[i];
	}
	streams_resume(c);
}

void command_forget(struct command *c)
{
	struct runner            *r = c->runner;
	const struct spool_record record = { .kind = SPOOL_FORGOT, .state = c->state };
	int                       failed;

	if (c->step != COMMAND_ENDED)
		return;
	/* Not written, it would only be told once more. */
	if (c->is_written && (failed = spool_put_later(&r->spool, &record)) != 0)
		log_error("runner.spool_failed",
		          "errno=%d; the end of a command will be told again", failed);
	for (int i = 0; i < RUN_STREAMS; i++) {
		if (c->has_files || c->capture[i].fd >= 0)
			capture_remove(&c->capture[i]);
	}
	command_free(c);
}

/* --- what an earlier runner wrote --- */

struct command *command_restore(struct runner *r, const struct spool_record *record)
{
	struct command *c =
		command_new(r, &record->state.ref, record->key == NULL ? "" : record->key);

	if (c == NULL)
		return NULL;
	c->state = record->state;
	c->born = record->born;
	c->is_reaped = c->has_files = true;
	c->step = record->kind == SPOOL_ENDED ? COMMAND_ENDED : COMMAND_LEAVING;
	c->is_written = record->kind == SPOOL_ENDED;
	table_add(&r->table, c);
	return c;
}

void command_lose(struct command *c)
{
	c->state.phase = RUN_LOST;
	end(c);
}
