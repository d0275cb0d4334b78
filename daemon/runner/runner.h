/*
 * runner.h - what gatherd-runner is made of: its commands, its spool, its one connection to the
 * daemon, its clock.
 *
 * Lives in DIR/runner (0700): lock (held for life), sock, spool, JOB-EXEC-ATTEMPT.out and .err.
 *
 * Threads: one.
 */
#ifndef GATHERD_RUNNER_RUNNER_H
#define GATHERD_RUNNER_RUNNER_H

#include "daemon/runner/cgroup.h"
#include "daemon/runner/command.h"
#include "daemon/runner/reactor.h"
#include "daemon/runner/serve.h"
#include "daemon/runner/spool.h"
#include "daemon/runner/table.h"

#define RUNNER_SYNC_DELAY GD_NSEC_PER_SEC          /* for an end that nobody ACKs */
#define RUNNER_SWEEP_PAUSE (10 * GD_NSEC_PER_MSEC) /* between two looks at the processes */
#define RUNNER_STOP_GRACE (5 * GD_NSEC_PER_SEC)    /* for commands when the runner is stopped */

struct runner_config {
	const char *state_dir;
	const char *socket;  /* NULL: DIR/runner/sock */
	const char *cgroup;  /* cgroups_open() */
	const char *secrets; /* credential directory; NULL: none */
	gd_nsec     idle;    /* ends after so long without commands and daemon; 0: never */
};

struct runner {
	struct reactor    reactor;
	struct table      table;
	struct spool      spool;
	struct cgroups    cgroups;
	struct serve      serve;
	struct reactor_fd signals;
	int               dir_fd; /* owned, as the next two */
	int               lock_fd;
	int               secrets_fd; /* -1: none */
	uint64_t          instance;
	char              boot_id[BOOT_ID_CHARS + 1];
	gd_nsec           idle;
	struct ring       alive;
	struct ring       waiting;
	struct ring       young; /* in the order of their starts */
	struct ring       telling;
	struct ring       unsynced;
	gd_nsec  sync_due; /* CLOCK_BOOTTIME; GD_NSEC_NEVER: nothing to do. As the next two */
	gd_nsec  sweep_due;
	gd_nsec  idle_due;
	uint32_t moving_sweeps; /* one behind the other that could not know all */
	uint32_t lost;          /* found at the start */
	bool     is_stopping;
	bool     is_over;
};

/* Opens everything, ends what an earlier runner left, reads its spool. Errors: GD_CONFLICT (another
 * one runs here), GD_SYS, GD_INVALID_PARAMS, GD_NOMEM; `r` is closed then. */
GD_NODISCARD enum gd_err runner_open(struct runner *r, const struct runner_config *config,
                                     struct gd_error *why);
/* Until a signal, or until it is idle for too long. */
void                     runner_run(struct runner *r);
void                     runner_close(struct runner *r);

/* Soon: looks for processes that should not be there. */
void runner_sweep_soon(struct runner *r);

/* recover.c: the commands in the spool; those that still ran are ended and lost. */
GD_NODISCARD enum gd_err recover_commands(struct runner *r, struct gd_error *why);
/* home.c: DIR/runner and its lock. */
GD_NODISCARD enum gd_err home_open(struct runner *r, const char *state_dir, struct gd_error *why);
/* sweep.c: the processes of commands that are over or are to be killed. True: look again soon. */
bool                     sweep_processes(struct runner *r);

#endif
