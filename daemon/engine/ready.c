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
