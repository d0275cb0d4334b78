/* An engine from its opening to its end, and what can be asked of it. */
#include "daemon/engine/coro.h"

#include <stdlib.h>

#define BUDGET_DEFAULT 50000

enum gd_err engine_open(struct engine **out, struct gd_error *why)
{
	struct engine *e = calloc(1, sizeof *e);

	if (e == NULL || !members_open(e) || !job_table_open(e)) {
		if (e != NULL)
			members_close(e);
		free(e);
		return gd_fail(why, GD_NOMEM, "engine: no memory");
	}
	e->heap.free_object = engine_free_object;
	e->budget = BUDGET_DEFAULT;
	*out = e;
	return GD_OK;
}

void engine_close(struct engine *e)
{
	job_table_close(e);
	members_close(e);
	timer_heap_close(&e->timers);
	wall_close(&e->wall);
	slab_close(&e->slab);
	buf_close(&e->scratch);
	free(e);
}

void engine_set_budget(struct engine *e, uint32_t steps)
{
	e->budget = steps;
}

uint32_t engine_budget_left(const struct engine *e)
{
	return e->left > 0 ? (uint32_t)e->left : 0;
}

bool engine_is_behind(const struct engine *e)
{
	return e->is_behind;
}

bool engine_next_due(const struct engine *e, gd_nsec *due)
{
	const struct timer_entry *first = timer_heap_first(&e->timers);

	if (first == NULL)
		return false;
	*due = first->due;
	return true;
}

enum gd_err engine_step_wall(struct engine *e, struct gd_wall_step step, struct gd_error *why)
{
	gd_nsec by = step.ahead - e->wall.last.ahead;

	if (!wall_reserve(&e->wall))
		return gd_fail(why, GD_NOMEM, "engine: no memory for a step of the clock");
	wall_add(&e->wall, step);
	timer_heap_step_wall(&e->timers, step.at, by);
	return GD_OK;
}

gd_nsec engine_wall(const struct engine *e, gd_nsec time)
{
	return wall_of(&e->wall, time);
}

struct value_heap *engine_heap(struct engine *e)
{
	return &e->heap;
}

void engine_drop(struct engine *e, uint64_t id)
{
	struct job *j = job_find(e, id);

	if (j != NULL)
		job_drop(e, j);
}

bool engine_job_info(const struct engine *e, uint64_t id, struct engine_job_info *out)
{
	const struct job *j = job_find(e, id);

	if (j == NULL)
		return false;
	*out = (struct engine_job_info){ .tasks_live = j->tasks_live,
		                         .tasks_done = j->tasks_done,
		                         .parent_cancels = j->parent_cancels,
		                         .ordinal = j->ordinal,
		                         .tickets = j->ticket_serial,
		                         .now = j->now,
		                         .wants_now = j->wants_now,
		                         .is_busy = j->is_active };
	return true;
}
