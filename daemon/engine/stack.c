/* What the tasks of a job wait for; and the same as JSON, for people. */
#include "daemon/engine/child.h"
#include "daemon/engine/exec.h"
#include "daemon/engine/job_event.h"
#include "daemon/engine/join.h"

#include <stdlib.h>

/* --- one task --- */

static enum engine_wait_kind command_kind(const struct exec_run *x)
{
	switch ((enum exec_state)x->claim.sched.obj.state) {
	case EXEC_WAITING:
		return x->kind == EXEC_CALL ? ENGINE_WAIT_CALL : ENGINE_WAIT_TURN;
	case EXEC_RUNNING:
		return x->kind == EXEC_CALL ? ENGINE_WAIT_CALL : ENGINE_WAIT_COMMAND;
	case EXEC_STOPPING:
		return ENGINE_WAIT_STOP;
	case EXEC_HELD:
		return ENGINE_WAIT_RESUME;
	case EXEC_ENDED: /* it goes on in this step */
		return ENGINE_WAIT_NOTHING;
	}
	CHECK_NEVER("command_kind: unknown state");
}

static enum engine_wait_kind kind_of(const struct task *t)
{
	switch ((enum task_state)t->sched.obj.state) {
	case TASK_READY:
	case TASK_RUNNING:
	case TASK_THROWN:
		return ENGINE_WAIT_NOTHING;
	case TASK_SLEEPING:
		return ENGINE_WAIT_TIME;
	case TASK_AWAITING:
		return ENGINE_WAIT_TASK;
	case TASK_JOINING:
		return ENGINE_WAIT_BRANCHES;
	case TASK_LIMITED:
		return ENGINE_WAIT_LIMIT;
	case TASK_HELD:
		return ENGINE_WAIT_SIBLINGS;
	case TASK_ACQUIRING:
		return ENGINE_WAIT_PERMIT;
	case TASK_LISTENING:
		return ENGINE_WAIT_EVENT;
	case TASK_EXECUTING:
		return command_kind(exec_awaited(t));
	case TASK_PARENTING:
		return ENGINE_WAIT_CHILD;
	case TASK_DONE:
		break;
	}
	CHECK_NEVER("a task that has ended is not in the tree");
}

/* Of an armed timer. */
static gd_nsec deadline(const struct engine *e, const struct sched *s)
{
	return wall_of(&e->wall, timer_heap_due(&e->timers, &s->at.timer));
}

static void describe_command(const struct engine *e, const struct task *t, struct engine_wait *w)
{
	const struct exec_run *x = exec_awaited(t);

	w->ticket = x->claim.ticket;
	w->attempt = x->attempt;
	w->name = value_dict_get(x->request, "pool", 4);
	if (x->kind == EXEC_CALL)
		w->program = value_of_obj(outcall_name(x));
	else
		w->program = value_list(value_dict_get(x->request, "argv", 4))->at[0];
	if (x->claim.sched.obj.flags & EXEC_ARMED)
		w->until = deadline(e, &x->claim.sched);
}

static void describe_wait(const struct engine *e, const struct job *j, const struct task *t,
                          struct engine_wait *w)
{
	const struct permit   *permit;
	const struct join_run *jr;

	switch ((enum task_state)t->sched.obj.state) {
	case TASK_SLEEPING:
		w->until = deadline(e, &t->sched);
		return;
	case TASK_AWAITING:
		address_write(&w->on, j, ((const struct waiter *)(const void *)t->waiting_on)->on);
		return;
	case TASK_JOINING:
		jr = join_of(t->waiting_on);
		w->left = jr->expected - jr->done;
		w->count = jr->expected;
		return;
	case TASK_ACQUIRING:
		permit = (const struct permit *)(const void *)value_obj(
			t->top->slots[j->program->ops[t->top->pc].dst]);
		w->name = permit->name;
		w->ticket = permit->claim.ticket;
		return;
	case TASK_LISTENING:
		w->name = job_event_awaited(t)->name;
		return;
	case TASK_EXECUTING:
		describe_command(e, t, w);
		return;
	case TASK_PARENTING:
		w->ticket = child_awaited(t)->claim.ticket;
		w->is_stopping = child_awaited(t)->claim.sched.obj.state == CHILD_STOPPING;
		return;
	case TASK_READY:
	case TASK_RUNNING:
	case TASK_THROWN:
	case TASK_LIMITED:
	case TASK_HELD:
	case TASK_DONE:
		return;
	}
	CHECK_NEVER("describe_wait: unknown state");
}

static void describe(const struct engine *e, const struct job *j, const struct task *t,
                     struct engine_wait *w)
{
	const struct program *p = j->program;
	bool                  is_inside = (t->sched.obj.flags & TASK_STARTED) != 0;
	uint32_t node = is_inside ? p->ops[t->top->pc].node : p->codes[t->top->code].node;

	*w = (struct engine_wait){ .kind = kind_of(t),
		                   .until = GD_NSEC_NEVER,
		                   .op = p->nodes[node].op,
		                   .label = t->extra != NULL ? t->extra->name : VALUE_NONE,
		                   .name = VALUE_NONE,
		                   .program = VALUE_NONE };
	address_write(&w->address, j, t);
	describe_wait(e, j, t, w);
}

enum gd_err engine_each_wait(const struct engine *e, uint64_t id, engine_wait_fn *fn, void *ctx)
{
	const struct job *j = job_find(e, id);
	enum gd_err       rc = GD_OK;
	bool              is_wanted = true;
	struct task     **all;
	uint32_t          count;

	if (j == NULL)
		return GD_NOT_FOUND;
	all = malloc((size_t)(j->tasks_live + 1) * sizeof *all);
	if (all == NULL)
		return GD_NOMEM;
	count = job_live_tasks(j, all);
	for (uint32_t i = 0; i < count && is_wanted && rc == GD_OK; i++) {
		struct engine_wait w;

		describe(e, j, all[i], &w);
		if (w.address.failed != GD_OK || w.on.failed != GD_OK)
			rc = GD_NOMEM;
		else
			is_wanted = fn(ctx, &w);
		buf_close(&w.address);
		buf_close(&w.on);
	}
	free(all);
	return rc;
}

/* --- for people --- */

static const char *state_name(enum engine_wait_kind kind)
{
	switch (kind) {
	case ENGINE_WAIT_NOTHING:
		return "ready";
	case ENGINE_WAIT_TIME:
		return "sleeping";
	case ENGINE_WAIT_TASK:
		return "awaiting";
	case ENGINE_WAIT_BRANCHES:
		return "joining";
	case ENGINE_WAIT_LIMIT:
		return "limited";
	case ENGINE_WAIT_SIBLINGS:
	case ENGINE_WAIT_RESUME:
		return "held";
	case ENGINE_WAIT_PERMIT:
		return "acquiring";
	case ENGINE_WAIT_EVENT:
	case ENGINE_WAIT_TURN:
		return "waiting";
	case ENGINE_WAIT_COMMAND:
	case ENGINE_WAIT_CALL:
		return "running";
	case ENGINE_WAIT_STOP:
		return "stopping";
	case ENGINE_WAIT_CHILD:
		return "parenting";
	}
	CHECK_NEVER("state_name: unknown kind");
}

/* Its turn in a pool, its end until its deadline, or somebody who says how it goes on. */
static void write_waiting_for(struct buf *b, const struct engine_wait *w)
{
	buf_add_text(b, ",\"waiting_for\":");
	if (w->kind == ENGINE_WAIT_TASK)
		buf_add_json_string(b, w->on.at == NULL ? "" : w->on.at, w->on.bytes);
	else if (w->kind == ENGINE_WAIT_BRANCHES)
		buf_addf(b, "\"%u of %u branches\"", (unsigned)w->left, (unsigned)w->count);
	else if (w->kind == ENGINE_WAIT_TURN && value_is_none(w->name))
		buf_add_text(b, "\"a turn in the default pool\"");
	else if (w->kind == ENGINE_WAIT_TURN || w->kind == ENGINE_WAIT_PERMIT ||
	         w->kind == ENGINE_WAIT_EVENT)
		value_write_json(b, w->name);
	else
		value_write_json(b, w->program);
}

static bool has_waiting_for(enum engine_wait_kind kind)
{
	return kind != ENGINE_WAIT_NOTHING && kind != ENGINE_WAIT_TIME &&
	       kind != ENGINE_WAIT_LIMIT && kind != ENGINE_WAIT_SIBLINGS &&
	       kind != ENGINE_WAIT_CHILD;
}

static void write_task(struct buf *b, const struct engine_wait *w)
{
	buf_add_text(b, "{\"address\":");
	buf_add_json_string(b, w->address.at == NULL ? "" : w->address.at, w->address.bytes);
	if (w->op != NULL) {
		buf_add_text(b, ",\"op\":");
		buf_add_json_string(b, w->op, strlen(w->op));
	}
	buf_addf(b, ",\"state\":\"%s\"", state_name(w->kind));
	if (has_waiting_for(w->kind))
		write_waiting_for(b, w);
	if (w->until != GD_NSEC_NEVER) {
		buf_add_text(b, ",\"until\":");
		value_write_float(b, (double)w->until / 1e9);
	}
	if (!value_is_none(w->label)) {
		buf_add_text(b, ",\"name\":");
		value_write_json(b, w->label);
	}
}

struct listing {
	struct buf      *b;
	struct buf       row;
	engine_stack_fn *more;
	void            *ctx;
	uint32_t         left;
	bool             is_begun;
};

/* Whole rows only: what would go over the cap of the buffer ends the list. */
static bool list_task(void *ctx, const struct engine_wait *w)
{
	struct listing *l = ctx;

	buf_clear(&l->row);
	write_task(&l->row, w);
	if (l->more != NULL)
		l->more(l->ctx, w, &l->row);
	buf_add_byte(&l->row, '}');
	if (l->row.failed != GD_OK)
		l->b->failed = l->row.failed;
	if (l->b->cap != 0 && l->b->bytes + l->row.bytes + 2 > l->b->cap)
		return false;
	if (l->is_begun)
		buf_add_byte(l->b, ',');
	l->is_begun = true;
	buf_add(l->b, l->row.at, l->row.bytes);
	return --l->left > 0;
}

bool engine_write_stack(const struct engine *e, uint64_t id, uint32_t limit, struct buf *b,
                        engine_stack_fn *more, void *ctx)
{
	struct listing l = { .b = b, .more = more, .ctx = ctx, .left = limit };

	if (job_find(e, id) == NULL)
		return false;
	buf_add_byte(b, '[');
	if (engine_each_wait(e, id, list_task, &l) != GD_OK)
		b->failed = GD_NOMEM;
	buf_add_byte(b, ']');
	buf_close(&l.row);
	return true;
}
