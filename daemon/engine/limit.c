/* The permits of a `limit`: asyncio's Semaphore, first come first served. Who waits stands in a
 * queue through the link that the ready queue and the timers do not use meanwhile. */
#include "daemon/engine/join.h"

bool join_acquire(struct join_run *jr, struct task *t)
{
	if (jr->permits == UINT32_MAX)
		return true;
	if (jr->permits > 0) {
		jr->permits--;
		t->sched.obj.flags |= TASK_HAS_PERMIT;
		return true;
	}
	t->sched.obj.state = TASK_LIMITED;
	t->sched.at.next = NULL;
	if (jr->limited_last != NULL)
		jr->limited_last->sched.at.next = &t->sched;
	else
		jr->limited_first = t;
	jr->limited_last = t;
	return false;
}

static struct task *behind(const struct task *t)
{
	return (struct task *)(void *)t->sched.at.next;
}

void join_release_permit(struct job *j, struct join_run *jr)
{
	struct task *t = jr->limited_first;

	if (t == NULL) {
		jr->permits++;
		return;
	}
	join_leave_queue(jr, t);
	t->sched.obj.flags |= TASK_HAS_PERMIT;
	task_wake(j, t);
}

/* Cancels come in the order of the queue as a rule, so that the walk is short. */
void join_leave_queue(struct join_run *jr, struct task *t)
{
	struct task *before = NULL;

	if (jr->limited_first != t)
		for (before = jr->limited_first; behind(before) != t; before = behind(before))
			;
	if (before != NULL)
		before->sched.at.next = t->sched.at.next;
	else
		jr->limited_first = behind(t);
	if (jr->limited_last == t)
		jr->limited_last = before;
}
