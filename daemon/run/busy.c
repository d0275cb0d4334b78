#include "daemon/run/busy.h"

#include "daemon/run/pool.h"

bool busy_defers(struct loop *l, uint64_t job, struct inbox_msg *m)
{
	struct live_job       *live = jobs_find(&l->jobs, job);
	struct engine_job_info info;

	if (live == NULL || l->is_stopping || store_is_full(l->pool->store))
		return false;
	if (live->awaited != l->busy_round &&
	    !(engine_job_info(l->engine, job, &info) && info.is_busy))
		return false;
	live->awaited = l->busy_round;
	m->next = NULL;
	if (l->for_busy != NULL)
		l->for_busy_last->next = m;
	else
		l->for_busy = m;
	l->for_busy_last = m;
	return true;
}

void busy_serve(struct loop *l)
{
	struct inbox_msg *m = l->for_busy;

	/* Every one of these jobs is asked afresh; what has to wait again does so in its order. */
	l->for_busy = NULL;
	l->busy_round++;
	while (m != NULL) {
		struct inbox_msg *next = m->next;

		stopwatch_begin(&l->watch, DOING_MESSAGE);
		m->run(l, m);
		m = next;
	}
}
