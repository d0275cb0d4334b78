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

#define TICK (10 * GD_NSEC_PER_MSEC) /* of tree_process.began */

/* Whether it may belong to a command that goes on. Those that are to be killed wait for it. */
static bool may_be_needed(struct runner *r, const struct tree_process *p)
{
	bool is_needed = false;

	for (const struct ring *at = r->alive.next; at != &r->alive; at = at->next) {
		struct command *c = at->owner;

		if (c->born / TICK * TICK > p->began)
			continue;
		if (c->is_killing)
			c->left++;
		else
			is_needed = true;
	}
	return is_needed;
}

static struct command *owner_of(const struct runner *r, const struct tree_process *p, bool *has_key)
{
	char        room[RUN_KEY_BYTES_MAX + 1];
	const char *key = tree_key_of(p->pid, room, sizeof room);

	*has_key = key != NULL;
	return *has_key ? table_by_key(&r->table, key) : table_by_session(&r->table, p->session);
}

static enum tree_verdict judge(void *ctx, const struct tree_process *p)
{
	struct runner  *r = ctx;
	struct command *c;
	bool            has_key;

	if (p->parent != getpid())
		return TREE_AS_PARENT;
	if ((c = table_by_pid(&r->table, p->pid)) != NULL)
		return c->is_killing ? TREE_KILL : TREE_LEAVE;
	if (p->is_zombie)
		return TREE_LEAVE;
	if ((c = owner_of(r, p, &has_key)) == NULL)
		return has_key || !may_be_needed(r, p) ? TREE_KILL : TREE_LEAVE;
	c->left++;
	return c->is_killing || c->step == COMMAND_ENDED ? TREE_KILL : TREE_LEAVE;
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
	bool is_busy = false;

	count_left(r);
	if (r->cgroups.is_on)
		is_busy = cgroups_sweep(&r->cgroups);
	else if (tree_has_orphans(is_main, r))
		is_busy = tree_sweep(judge, r) > 0;
	return tell_gone(r) || is_busy;
}
