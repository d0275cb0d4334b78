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

struct tree_process {
	pid_t   pid;
	pid_t   parent;
	pid_t   session;
	gd_nsec began; /* CLOCK_BOOTTIME, rounded down to 10 ms */
	bool    is_zombie;
	uint8_t verdict; /* inside */
};

enum tree_verdict {
	TREE_AS_PARENT, /* what its parent got; none above: it is left alone */
	TREE_LEAVE,
	TREE_KILL
};

/* What is to become of `p`; called for each process once a round. */
typedef enum tree_verdict (*tree_judge)(void *ctx, const struct tree_process *p);

/* SIGKILL to all that are judged so, and to their descendants. Returns how many were found alive in
 * the last round. */
uint32_t    tree_sweep(tree_judge judge, void *ctx);
/* The value of RUN_KEY_VARIABLE with which `pid` was started, in `room`; NULL: none, or hidden. */
const char *tree_key_of(pid_t pid, char *room, size_t room_bytes);
/* Whether this process has children that `is_known` does not know. */
bool        tree_has_orphans(bool (*is_known)(void *ctx, pid_t pid), void *ctx);

#endif
