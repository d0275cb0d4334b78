/* The ready queue of a job: what runs in this iteration of asyncio's loop, and in the next. */
#include "daemon/engine/coro.h"

void ready_push(struct job *j, struct sched *s)
{
	s->at.next = NULL;
	if (j->ready_last != NULL)
		j->ready_last->at.next = s;
	else
		j->ready_first = s;
	j->ready_last = s;
}

void due_push(struct job *j, struct sched *s)
{
	s->at.next = NULL;
	if (j->due_last != NULL)
		j->due_last->at.next = s;
	else
		j->due_first = s;
	j->due_last = s;
}

/* asyncio queues a timer that is due already behind what is ready, when the next iteration
 * begins. */
void due_to_ready(struct job *j)
{
	if (j->due_first == NULL)
		return;
	if (j->ready_last != NULL)
		j->ready_last->at.next = j->due_first;
	else
		j->ready_first = j->due_first;
	j->ready_last = j->due_last;
	j->due_first = j->due_last = NULL;
}

struct sched *ready_pop(struct job *j)
{
	struct sched *s = j->ready_first;

	j->ready_first = s->at.next;
	if (j->ready_first == NULL)
		j->ready_last = NULL;
	s->at.timer.pos = 0;
	s->at.next = NULL;
	return s;
}

/* --- jobs that have something to do --- */

void engine_activate(struct engine *e, struct job *j)
{
	if (j->is_active || j->wants_now)
		return;
	j->is_active = true;
	j->active_next = NULL;
	if (e->active_last != NULL)
		e->active_last->active_next = j;
	else
		e->active_first = j;
	e->active_last = j;
}

void engine_deactivate(struct engine *e, struct job *j)
{
	struct job *before = NULL;

	if (!j->is_active)
		return;
	if (e->active_first != j)
		for (before = e->active_first; before->active_next != j;
		     before = before->active_next)
			;
	if (before != NULL)
		before->active_next = j->active_next;
	else
		e->active_first = j->active_next;
	if (e->active_last == j)
		e->active_last = before;
	j->is_active = false;
}
