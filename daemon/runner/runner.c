#include "daemon/runner/runner.h"

#include "daemon/log.h"
#include "proto/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGNALS_MAX 3 /* pending at once: those of watch_signals() */

/* --- signals --- */

static void reap(struct runner *r)
{
	struct rusage   usage;
	struct command *c;
	int             status;
	pid_t           pid;

	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		if ((c = table_by_pid(&r->table, pid)) != NULL)
			command_reaped(c, status, &usage);
		else
			runner_sweep_soon(
				r); /* an orphan; perhaps the last that a command waits for */
	}
}

/* What is under way is ended and lost: it must not go on unseen. The second signal waits less. */
static void stop(struct runner *r, uint32_t signal)
{
	gd_nsec grace = r->is_stopping ? 0 : RUNNER_STOP_GRACE;

	log_info("runner.stopping", "signal=%u", (unsigned)signal);
	r->is_stopping = true;
	for (struct ring *at = r->alive.next; at != &r->alive; at = at->next) {
		struct command *c = at->owner;

		c->is_lost = true;
		command_terminate(c, grace);
	}
}

static void on_signal(struct reactor_fd *f, uint32_t events)
{
	struct runner          *r = f->ctx;
	struct signalfd_siginfo info[SIGNALS_MAX];
	ssize_t                 got = read(f->fd, info, sizeof info);

	(void)events;
	for (size_t i = 0; got > 0 && i < (size_t)got / sizeof info[0]; i++) {
		if (info[i].ssi_signo == SIGCHLD)
			reap(r);
		else
			stop(r, info[i].ssi_signo);
	}
}

static enum gd_err watch_signals(struct runner *r, struct gd_error *why)
{
	sigset_t which;

	(void)sigemptyset(&which);
	(void)sigaddset(&which, SIGCHLD);
	(void)sigaddset(&which, SIGTERM);
	(void)sigaddset(&which, SIGINT);
	r->signals = (struct reactor_fd){ .ready = on_signal, .ctx = r };
	r->signals.fd = signalfd(-1, &which, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signals.fd < 0 || reactor_add(&r->reactor, &r->signals, EPOLLIN) != 0)
		return gd_fail_sys(why, errno, "signals");
	return GD_OK;
}

/* --- what is done between turns --- */

static int put_command(struct spool *s, struct command *c)
{
	struct spool_record record = { .kind = SPOOL_STARTED, .state = c->state, .key = c->key };

	record.born = c->born;
	if (c->step == COMMAND_ENDED) {
		record.kind = SPOOL_ENDED;
		record.key = NULL;
	}
	return spool_put(s, &record);
}

struct filling {
	struct spool *spool;
	int           failed;
};

static void fill_one(struct command *c, void *ctx)
{
	struct filling *f = ctx;

	if (f->failed == 0)
		f->failed = put_command(f->spool, c);
	if (f->failed == 0 && c->step == COMMAND_ENDED)
		c->is_written = true;
}

static int fill(struct spool *s, void *ctx)
{
	struct runner *r = ctx;
	struct filling f = { s, 0 };

	f.failed =
		spool_put(s, &(struct spool_record){ .kind = SPOOL_OPEN, .boot_id = r->boot_id });
	table_each(&r->table, fill_one, &f);
	return f.failed;
}

/* Ends are safe on the disk: output first, then the record. */
static void sync_ends(struct runner *r, gd_nsec now)
{
	int failed = 0;

	for (struct ring *at = r->unsynced.next; at != &r->unsynced; at = at->next) {
		struct command *c = at->owner;

		for (int i = 0; i < RUN_STREAMS; i++)
			(void)capture_sync(
				&c->capture[i]); /* the end counts more than its output */
		if (!c->is_written && !command_write_end(c))
			failed = ENOSPC;
	}
	if (failed == 0 && (failed = spool_sync(&r->spool)) != 0)
		log_error("runner.sync_failed", "errno=%d; tried again in a second", failed);
	r->sync_due = now + RUNNER_SYNC_DELAY;
	while (failed == 0 && !ring_is_empty(&r->unsynced)) {
		struct command *c = r->unsynced.next->owner;

		ring_leave(&c->unsynced);
		for (int i = 0; i < RUN_STREAMS; i++)
			capture_close(&c->capture[i]);
		c->has_files = true;
	}
}

/* Nobody there to take them: at once. Otherwise most are ACKed before it is worth it. */
static void keep_ends(struct runner *r, gd_nsec now)
{
	if (ring_is_empty(&r->unsynced)) {
		r->sync_due = GD_NSEC_NEVER;
		return;
	}
	if (r->sync_due == GD_NSEC_NEVER)
		r->sync_due = r->serve.daemon == NULL ? now : now + RUNNER_SYNC_DELAY;
	if (now >= r->sync_due)
		sync_ends(r, now);
}

static void tick_commands(struct runner *r, gd_nsec now)
{
	struct ring *next;

	for (struct ring *at = r->waiting.next; at != &r->waiting; at = next) {
		struct command *c = at->owner;

		next = at->next;
		if (command_due(c) <= now)
			command_tick(c, now);
	}
}

/* When the first of the young is to be told. */
static gd_nsec tell_due(const struct runner *r)
{
	const struct command *c = r->young.next->owner;

	return c == NULL ? GD_NSEC_NEVER : c->born + RUN_TELL_DELAY;
}

static void tell_running(struct runner *r, gd_nsec now)
{
	while (tell_due(r) <= now)
		command_tell(r->young.next->owner);
}

static void tell_output(struct runner *r)
{
	while (!ring_is_empty(&r->telling)) {
		struct command *c = r->telling.next->owner;

		if (!serve_output(&r->serve, c))
			return;
		ring_leave(&c->telling);
	}
}

void runner_sweep_soon(struct runner *r)
{
	if (r->sweep_due == GD_NSEC_NEVER)
		r->sweep_due = clock_read(CLOCK_BOOTTIME) + RUNNER_SWEEP_PAUSE;
}

static void look_at_idle(struct runner *r, gd_nsec now)
{
	if (r->idle == 0 || r->table.count > 0 || r->serve.daemon != NULL)
		r->idle_due = GD_NSEC_NEVER;
	else if (r->idle_due == GD_NSEC_NEVER)
		r->idle_due = now + r->idle;
	else if (now >= r->idle_due)
		r->is_over = true;
}

static void between_turns(struct runner *r)
{
	gd_nsec now = clock_read(CLOCK_BOOTTIME);
	int     failed;

	tick_commands(r, now);
	if (now >= r->sweep_due) {
		r->sweep_due = GD_NSEC_NEVER; /* what ends by it asks for another one */
		if (sweep_processes(r))
			runner_sweep_soon(r);
	}
	tell_running(r, now);
	tell_output(r);
	serve_flush(&r->serve);
	if ((failed = spool_flush(&r->spool)) != 0)
		log_error("runner.spool_failed", "errno=%d; some ends may be told again", failed);
	keep_ends(r, now);
	if (spool_is_long(&r->spool) && (failed = spool_rewrite(&r->spool, fill, r)) != 0)
		log_error("runner.spool_failed", "errno=%d; it is not written anew", failed);
	look_at_idle(r, now);
	if (r->is_stopping && ring_is_empty(&r->alive))
		r->is_over = true;
}

static int timeout_msec(const struct runner *r)
{
	const gd_nsec dues[] = { r->sync_due, r->sweep_due, r->idle_due, tell_due(r) };
	gd_nsec       due = GD_NSEC_NEVER, now;

	for (size_t i = 0; i < sizeof dues / sizeof dues[0]; i++)
		due = dues[i] < due ? dues[i] : due;
	for (const struct ring *at = r->waiting.next; at != &r->waiting; at = at->next) {
		gd_nsec one = command_due(at->owner);

		due = one < due ? one : due;
	}
	if (due == GD_NSEC_NEVER)
		return -1;
	now = clock_read(CLOCK_BOOTTIME);
	if (due <= now)
		return 0;
	due = (due - now + GD_NSEC_PER_MSEC - 1) / GD_NSEC_PER_MSEC;
	return due > 3600000 ? 3600000 : (int)due;
}

void runner_run(struct runner *r)
{
	between_turns(r); /* what was lost at the start is written before anybody asks */
	while (!r->is_over) {
		reactor_turn(&r->reactor, timeout_msec(r));
		between_turns(r);
	}
}

/* --- life --- */

static enum gd_err read_boot_id(struct runner *r, struct gd_error *why)
{
	int     fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, r->boot_id, BOOT_ID_CHARS);

	if (fd >= 0)
		(void)close(fd);
	if (got != BOOT_ID_CHARS)
		return gd_fail(why, GD_SYS, "cannot read the boot id of this system");
	if (getrandom(&r->instance, sizeof r->instance, 0) != sizeof r->instance)
		return gd_fail_sys(why, errno, "random numbers");
	return GD_OK;
}

static enum gd_err open_secrets(struct runner *r, const char *path, struct gd_error *why)
{
	if (path == NULL)
		return GD_OK;
	r->secrets_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r->secrets_fd >= 0 ? GD_OK : gd_fail_sys(why, errno, "credentials %s", path);
}

static enum gd_err open_socket(struct runner *r, const struct runner_config *config,
                               struct gd_error *why)
{
	char path[4096];

	(void)snprintf(path, sizeof path, "%s/runner/sock", config->state_dir);
	return serve_open(&r->serve, r, config->socket == NULL ? path : config->socket, why);
}

enum gd_err runner_open(struct runner *r, const struct runner_config *config, struct gd_error *why)
{
	enum gd_err rc;

	*r = (struct runner){ .dir_fd = -1,
		              .lock_fd = -1,
		              .secrets_fd = -1,
		              .reactor.epoll_fd = -1,
		              .spool.fd = -1,
		              .cgroups.dir_fd = -1,
		              .signals.fd = -1,
		              .idle = config->idle,
		              .sync_due = GD_NSEC_NEVER,
		              .sweep_due = GD_NSEC_NEVER,
		              .idle_due = GD_NSEC_NEVER };
	ring_init(&r->alive);
	ring_init(&r->waiting);
	ring_init(&r->young);
	ring_init(&r->telling);
	ring_init(&r->unsynced);
	if ((rc = home_open(r, config->state_dir, why)) != GD_OK ||
	    (rc = read_boot_id(r, why)) != GD_OK ||
	    (rc = open_secrets(r, config->secrets, why)) != GD_OK ||
	    (rc = reactor_open(&r->reactor, why)) != GD_OK ||
	    (rc = cgroups_open(&r->cgroups, config->cgroup, why)) != GD_OK ||
	    (rc = recover_commands(r, why)) != GD_OK || (rc = watch_signals(r, why)) != GD_OK ||
	    (rc = open_socket(r, config, why)) != GD_OK) {
		runner_close(r);
		return rc;
	}
	return GD_OK;
}

static void free_one(struct command *c, void *ctx)
{
	(void)ctx;
	command_free(c);
}

void runner_close(struct runner *r)
{
	const int fds[] = { r->secrets_fd, r->lock_fd, r->dir_fd };

	serve_close(&r->serve);
	table_each(&r->table, free_one, NULL);
	reactor_drop(&r->reactor, &r->signals);
	spool_close(&r->spool);
	cgroups_close(&r->cgroups);
	reactor_close(&r->reactor);
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
}
