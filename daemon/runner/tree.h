/*
 * tree.h - the processes of a command by reading /proc, where there is no control group for it.
 *
 * The runner is a child subreaper, so that a process whose parent ended becomes a child of the
 * runner and cannot get out of its sight: every process of every command descends from a child of
 * the runner. Such a child is either the process that the runner started, or an orphan. An orphan
 * is known by RUN_KEY_VARIABLE in its environment, or by its session.
 *
 * A process may fork while the list is read, so a sweep reads it again until it finds nothing new,
 * at most TREE_ROUNDS times; killing is by pidfd, after a look whether it is still the same
 * process.
 *
 * Cost: a sweep opens one file for each process of the machine, 5 us each; tree_has_orphans() reads
 * one file. Threads: one. Source: proc(5), prctl(2) PR_SET_CHILD_SUBREAPER.
 */
#ifndef GATHERD_RUNNER_TREE_H
#define GATHERD_RUNNER_TREE_H

#include "proto/base/clock.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TREE_ROUNDS 16
#define TREE_TICK (10 * GD_NSEC_PER_MSEC) /* what `began` is rounded down to */

enum tree_verdict {
	TREE_AS_PARENT, /* what its parent got; none above: it is left alone */
	TREE_LEAVE,
	TREE_UNSURE, /* left alone for now */
	TREE_KILL
};

struct tree_process {
	pid_t             pid;
	pid_t             parent;
	pid_t             session;
	gd_nsec           began; /* CLOCK_BOOTTIME, in whole TREE_TICKs */
	bool              is_zombie;
	enum tree_verdict verdict; /* inside */
};

/* What is to become of `p`; called for each process once a round. */
typedef enum tree_verdict (*tree_judge)(void *ctx, const struct tree_process *p);

enum tree_seen {
	TREE_SEEN_CLEAN,
	TREE_SEEN_BUSY,   /* there still are some that are judged TREE_KILL */
	TREE_SEEN_MOVING, /* whose some are cannot be known at this moment */
	TREE_SEEN_PARTLY /* no memory or descriptor to look at all: there may be more of any kind */
};

/* SIGKILL to all that are judged so, and to their descendants; what the last round saw. */
enum tree_seen tree_sweep(tree_judge judge, void *ctx);

enum tree_key {
	TREE_KEY_NONE, /* or hidden */
	TREE_KEY_FOUND,
	TREE_KEY_UNSURE /* it is in the middle of its exec, or of its end */
};

/* The value of RUN_KEY_VARIABLE with which `p` was started, in `room`. */
enum tree_key tree_read_key(const struct tree_process *p, char *room, size_t room_bytes);
/* Whether this process has children that `is_known` does not know. */
bool          tree_has_orphans(bool (*is_known)(void *ctx, pid_t pid), void *ctx);

#endif
