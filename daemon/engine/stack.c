#include "daemon/engine/exec.h"
#include "daemon/engine/join.h"

#include <stdlib.h>

static const char *exec_state_name(const struct exec_run *x)
{
	switch ((enum exec_state)x->claim.sched.obj.state) {
	case EXEC_WAITING:
		return "waiting";
	case EXEC_RUNNING:
		return "running";
	case EXEC_STOPPING:
		return "stopping";
	case EXEC_HELD:
		return "held";
	case EXEC_ENDED: /* it goes on in this step */
		return "ready";
	}
	CHECK_NEVER("exec_state_name: unknown state");
}

static const char *state_name(const struct task *t)
{
	switch ((enum task_state)t->sched.obj.state) {
	case TASK_READY:
	case TASK_RUNNING:
	case TASK_THROWN:
		return "ready";
	case TASK_SLEEPING:
		return "sleeping";
	case TASK_AWAITING:
		return "awaiting";
	case TASK_JOINING:
		return "joining";
	case TASK_LIMITED:
		return "limited";
	case TASK_HELD:
		return "held";
	case TASK_ACQUIRING:
		return "acquiring";
	case TASK_EXECUTING:
		return exec_state_name(exec_awaited(t));
	case TASK_DONE:
		break;
	}
	CHECK_NEVER("a task that has ended is not in the tree");
}

/* Of an armed timer. */
static void write_until(struct buf *b, const struct engine *e, const struct sched *s)
{
	gd_nsec due = timer_heap_due(&e->timers, &s->at.timer);

	buf_add_text(b, ",\"until\":");
	value_write_float(b, (double)wall_of(&e->wall, due) / 1e9);
}

/* Its turn in a pool, its end until its deadline, or somebody who says how it goes on. */
static void write_command(struct buf *b, const struct engine *e, const struct exec_run *x)
{
	const struct vtext *program = exec_program(x);
	struct value        pool = value_dict_get(x->request, "pool", 4);

	buf_add_text(b, ",\"waiting_for\":");
	if (x->claim.sched.obj.state != EXEC_WAITING)
		buf_add_json_string(b, program->at, program->bytes);
	else if (value_is_none(pool))
		buf_add_text(b, "\"a turn in the default pool\"");
	else
		value_write_json(b, pool);
	if (x->claim.sched.obj.flags & EXEC_ARMED)
		write_until(b, e, &x->claim.sched);
}

static void write_waiting(struct buf *b, const struct engine *e, const struct job *j,
                          const struct task *t)
{
	const struct join_run *jr;

	if (t->sched.obj.state == TASK_SLEEPING) {
		write_until(b, e, &t->sched);
	} else if (t->sched.obj.state == TASK_AWAITING) {
		struct buf address = { 0 };

		address_write(&address, j,
		              ((const struct waiter *)(const void *)t->waiting_on)->on);
		buf_add_text(b, ",\"waiting_for\":");
		buf_add_json_string(b, address.at == NULL ? "" : address.at, address.bytes);
		buf_close(&address);
	} else if (t->sched.obj.state == TASK_ACQUIRING) {
		uint32_t slot = j->program->ops[t->top->pc].dst;

		buf_add_text(b, ",\"waiting_for\":");
		value_write_json(b,
		                 ((struct permit *)(void *)value_obj(t->top->slots[slot]))->name);
	} else if (t->sched.obj.state == TASK_EXECUTING) {
		write_command(b, e, exec_awaited(t));
	} else if (t->sched.obj.state == TASK_JOINING) {
		jr = join_of(t->waiting_on);
		buf_addf(b, ",\"waiting_for\":\"%u of %u branches\"", jr->expected - jr->done,
		         jr->expected);
	}
}

static void write_task(struct buf *b, const struct engine *e, const struct job *j,
                       const struct task *t)
{
	const struct program *p = j->program;
	bool                  is_inside = (t->sched.obj.flags & TASK_STARTED) != 0;
	uint32_t   node = is_inside ? p->ops[t->top->pc].node : p->codes[t->top->code].node;
	struct buf address = { 0 };

	address_write(&address, j, t);
	buf_add_text(b, "{\"address\":");
	buf_add_json_string(b, address.at == NULL ? "" : address.at, address.bytes);
	buf_close(&address);
	if (p->nodes[node].op != NULL) {
		buf_add_text(b, ",\"op\":");
		buf_add_json_string(b, p->nodes[node].op, strlen(p->nodes[node].op));
	}
	buf_addf(b, ",\"state\":\"%s\"", state_name(t));
	write_waiting(b, e, j, t);
	if (t->extra != NULL && !value_is_none(t->extra->name)) {
		buf_add_text(b, ",\"name\":");
		value_write_json(b, t->extra->name);
	}
	buf_add_byte(b, '}');
}

bool engine_write_stack(const struct engine *e, uint64_t id, uint32_t limit, struct buf *b)
{
	const struct job *j = job_find(e, id);
	struct task     **all;
	uint32_t          count;

	if (j == NULL)
		return false;
	all = malloc((size_t)(j->tasks_live + 1) * sizeof *all);
	if (all == NULL) {
		b->failed = GD_NOMEM;
		return true;
	}
	count = job_live_tasks(j, all);
	buf_add_byte(b, '[');
	for (uint32_t i = 0; i < count && i < limit; i++) {
		if (i > 0)
			buf_add_byte(b, ',');
		write_task(b, e, j, all[i]);
	}
	buf_add_byte(b, ']');
	free(all);
	return true;
}
