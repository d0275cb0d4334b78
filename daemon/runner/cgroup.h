/*
 * cgroup.h - a control group (version 2) for each command, so that none of its processes gets away.
 *
 * The runner is given a group of its own (systemd: Delegate=yes) and makes groups DIR/cmd-N in it.
 * Nobody else makes any there, so what is found at the start was left by a runner before, and is
 * killed. A group that is empty again is used for the next command: making one costs more than a
 * process does.
 *
 * Without a group of its own (`is_on` false) tree.h does what can be done by reading /proc.
 * Bounds: CGROUP_SPARE_MAX empty groups are kept. Threads: one.
 * Source: the kernel's Documentation/admin-guide/cgroup-v2.rst.
 */
#ifndef GATHERD_RUNNER_CGROUP_H
#define GATHERD_RUNNER_CGROUP_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define CGROUP_SPARE_MAX 64u

struct cgroup {
	struct cgroup *next;
	uint32_t       number;
	uint32_t       pids_max;
	int            procs_fd; /* owned, like the next two */
	int            kill_fd;
	int            events_fd;
};

struct cgroups {
	bool           is_on;
	bool           has_pids; /* pids.max works */
	int            dir_fd;   /* owned */
	uint32_t       made;
	uint32_t       spare_count;
	struct cgroup *spare;   /* empty */
	struct cgroup *leaving; /* their command is over, some process is not yet */
};

/* `dir`: a path, "own" for the group that this process is in, NULL for none. Kills and removes what
 * is left of an earlier runner. Errors: GD_SYS, GD_INVALID_PARAMS (no version 2 there). */
GD_NODISCARD enum gd_err cgroups_open(struct cgroups *g, const char *dir, struct gd_error *why);
/* Removes what is empty. */
void                     cgroups_close(struct cgroups *g);

/* An empty one; NULL with errno. */
struct cgroup   *cgroup_take(struct cgroups *g, uint32_t pids_max);
/* The process that calls becomes a member. 0 or errno. */
GD_NODISCARD int cgroup_join(const struct cgroup *c);
void             cgroup_kill(const struct cgroup *c);
bool             cgroup_is_empty(const struct cgroup *c);
/* Kills what is left in it and keeps it for another command. */
void             cgroup_release(struct cgroups *g, struct cgroup *c);
/* Looks after those that were not empty when they were released. True: some are not yet. */
bool             cgroups_sweep(struct cgroups *g);

#endif
