/*
 * spawn.h - one process: from a START to a program that runs, or the stage where that failed.
 *
 * The child shares the runner's memory until its exec (CLONE_VM | CLONE_VFORK), as posix_spawn does
 * it: nothing is copied, so it costs the same whatever the runner holds, and what failed is simply
 * written to a variable. It also shares the table of descriptors (CLONE_FILES) until it leaves it
 * with a copy of the first six (CLOSE_RANGE_UNSHARE): ten thousand open pipes cost it nothing
 * either.
 *
 * Then, in this order: its start is written down, its control group, a session of its own, stdin,
 * stdout and stderr, no other descriptor, limits, priority, user, no new privileges, the end with
 * the runner (PR_SET_PDEATHSIG), umask, working directory, signals as on the first day, exec.
 *
 * Signals need no resetting one by one: the runner blocks all of them and ignores none, so that it
 * is enough to unblock them.
 *
 * Threads: one, and the process must have only that one. Source: clone(2), vfork(2),
 * close_range(2); glibc's posix_spawn.
 */
#ifndef GATHERD_RUNNER_SPAWN_H
#define GATHERD_RUNNER_SPAWN_H

#include "daemon/runner/run.h"
#include "proto/base/err.h"

#include <sys/types.h>

#define SPAWN_NULL (-1) /* /dev/null */

struct cgroup;

struct spawn {
	const struct run_start *start;
	char *const            *env;      /* all of it */
	int                     stdio[3]; /* of the child; stay the caller's; or SPAWN_NULL */
	const struct cgroup    *cgroup;   /* NULL: none */
	/* Called in the child, first: writes down that `pid` is about to run. 0 or errno. */
	int (*admit)(void *ctx, pid_t pid);
	void *ctx;
};

struct spawned {
	pid_t          pid;   /* 0: nothing was started, or it is gone and reaped */
	enum run_stage stage; /* RUN_STAGE_NONE: it runs */
	int            error; /* errno of that stage */
};

/* Once, before anything else is opened: closes what was inherited, keeps the low descriptors free
 * for spawn_run(), makes signals what is said above, and this process a subreaper.
 * Errors: GD_SYS. */
GD_NODISCARD enum gd_err spawn_prepare(struct gd_error *why);
/* Returns when the program runs or is known not to. */
struct spawned           spawn_run(const struct spawn *s);

#endif
