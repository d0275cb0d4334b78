/*
 * sweep.c - processes of commands that are over, or are to be killed. Part of runner.h.
 *
 * With control groups that is a look into a few files. Without, tree.h finds the processes and here
 * is decided whose they are:
 *
 *	a child that the runner started    its command's
 *	an orphan with a key               of the command with that key; unknown: one that was ACKed
 *	an orphan in a command's session   that command's
 *	another orphan                     of any command that is older than it: killed with the last of
 *	                                   those (it has cleared its environment, left its session
 *	                                   and lost its parent)
 */
#include "daemon/runner/runner.h"
#include "daemon/runner/tree.h"

#include <unistd.h>

#define MOVING_SWEEPS_MAX 50 /* one that hangs in its exec is not waited for any longer */

/* Whether it may belong to a command that goes on. Those that are to be killed wait for it. */
static bool may_be_needed(struct runner *r, const struct tree_process *p)
{
	bool is_needed = false;

	for (const struct ring *at = r->alive.next; at != &r->alive; at = at->next) {
		struct command *c = at->owner;

		if (c->born / TREE_TICK * TREE_TICK > p->began)
			continue;
		if (c->is_killing)
			c->left++;
		else
			is_needed = true;
	}
	return is_needed;
}

/* A child of ours that we did not start. */
static enum tree_verdict judge_orphan(struct runner *r, const struct tree_process *p)
{
	char            key[RUN_KEY_BYTES_MAX + 1];
	enum tree_key   found = tree_read_key(p, key, sizeof key);
	struct command *c = found == TREE_KEY_FOUND ? table_by_key(&r->table, key)
	                                            : table_by_session(&r->table, p->session);

	if (c != NULL) {
		c->left++;
		return c->is_killing || c->step == COMMAND_ENDED ? TREE_KILL : TREE_LEAVE;
	}
	if (found == TREE_KEY_UNSURE)
		return TREE_UNSURE;
	return found == TREE_KEY_FOUND || !may_be_needed(r, p) ? TREE_KILL : TREE_LEAVE;
}

static enum tree_verdict judge(void *ctx, const struct tree_process *p)
{
	struct runner        *r = ctx;
	const struct command *c;

	if (p->parent != getpid())
		return TREE_AS_PARENT;
	if ((c = table_by_pid(&r->table, p->pid)) != NULL)
		return c->is_killing ? TREE_KILL : TREE_LEAVE;
	return p->is_zombie ? TREE_LEAVE : judge_orphan(r, p);
}

static bool is_main(void *ctx, pid_t pid)
{
	const struct runner  *r = ctx;
	const struct command *c = table_by_pid(&r->table, pid);

	return c != NULL && !c->is_killing;
}

/* Tells of those whose tree is gone. True: some is not. */
static bool tell_gone(struct runner *r)
{
	struct ring *next;
	bool         is_any = false;

	for (struct ring *at = r->alive.next; at != &r->alive; at = next) {
		struct command *c = at->owner;

		next = at->next;
		if (c->step != COMMAND_LEAVING)
			continue;
		if (c->left == 0)
			command_left(c);
		else
			is_any = true;
	}
	return is_any;
}

/* How much is left of each that is leaving; so far nothing where it takes a sweep to know. */
static void count_left(struct runner *r)
{
	for (struct ring *at = r->alive.next; at != &r->alive; at = at->next) {
		struct command *c = at->owner;

		c->left = c->cgroup != NULL && c->step == COMMAND_LEAVING &&
		          !cgroup_is_empty(c->cgroup);
	}
}

bool sweep_processes(struct runner *r)
{
	enum tree_seen seen = TREE_SEEN_CLEAN;
	bool           is_busy;

	count_left(r);
	if (!r->cgroups.is_on && tree_has_orphans(is_main, r))
		seen = tree_sweep(judge, r);
	if (seen != TREE_SEEN_MOVING)
		r->moving_sweeps = 0;
	/* Nobody is told to be gone by that. */
	if (seen == TREE_SEEN_PARTLY ||
	    (seen == TREE_SEEN_MOVING && ++r->moving_sweeps <= MOVING_SWEEPS_MAX))
		return true;
	is_busy = r->cgroups.is_on ? cgroups_sweep(&r->cgroups) : seen == TREE_SEEN_BUSY;
	return tell_gone(r) || is_busy;
}
