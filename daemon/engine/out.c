#include "daemon/engine/child.h"
#include "daemon/engine/exec.h"
#include "daemon/engine/job_event.h"
#include "daemon/engine/join.h"

#include <stdlib.h>

#define OUTS_FIRST_ROOM 64
#define FREE_DEPTH_MAX 32
#define STEPS_PER_OUT 2 /* of work, until it is an event that is stored */

static bool outs_reserve(struct engine_outs *outs)
{
	uint32_t           room = outs->room == 0 ? OUTS_FIRST_ROOM : outs->room * 2;
	struct engine_out *at;

	if (outs->count < outs->room)
		return true;
	at = realloc(outs->at, (size_t)room * sizeof *at);
	if (at == NULL)
		return false;
	outs->at = at;
	outs->room = room;
	return true;
}

static struct value name_of(const struct job *j, const struct task *t)
{
	const struct join_run *jr;

	if (t->extra != NULL && !value_is_none(t->extra->name))
		return t->extra->name;
	if (!(t->sched.obj.flags & TASK_OF_JOIN) || t->callbacks == NULL)
		return VALUE_NONE;
	jr = join_of(t->callbacks);
	if (!(jr->spec->flags & JOIN_OBJECT))
		return VALUE_NONE;
	return j->program->branches[jr->spec->first_branch + t->index].name;
}

/* NULL: heap.failed. */
static struct engine_out *out_new(struct engine *e, const struct job *j, enum engine_out_kind kind,
                                  struct value data)
{
	struct engine_outs *outs = e->outs;

	e->left -= STEPS_PER_OUT;
	if (!outs_reserve(outs)) {
		e->heap.failed = true;
		return NULL;
	}
	outs->at[outs->count] = (struct engine_out){
		.kind = kind,
		.job = j->id,
		.time = j->now,
		.data = value_retain(data),
		.name = VALUE_NONE,
		.path = PROGRAM_NONE,
	};
	return &outs->at[outs->count++];
}

struct engine_out *engine_put_claim(struct engine *e, const struct claim *c,
                                    enum engine_out_kind kind, struct value data)
{
	struct engine_out *out = out_new(e, c->job, kind, data);

	if (out != NULL)
		out->ticket = c->ticket;
	return out;
}

bool engine_put(struct engine *e, struct job *j, enum engine_out_kind kind, struct value data,
                struct task *t)
{
	struct engine_outs *outs = e->outs;
	struct engine_out  *out = out_new(e, j, kind, data);

	if (out == NULL)
		return false;
	if (kind != ENGINE_WANT_NOW)
		out->ordinal = ++j->ordinal;
	if (t == NULL)
		return true;
	out->name = value_retain(name_of(j, t));
	out->path = (uint32_t)outs->paths.bytes;
	address_write(&outs->paths, j, t);
	out->path_bytes = (uint32_t)outs->paths.bytes - out->path;
	if (outs->paths.failed != GD_OK)
		e->heap.failed = true;
	return outs->paths.failed == GD_OK;
}

void engine_outs_clear(struct engine *e, struct engine_outs *outs)
{
	for (uint32_t i = 0; i < outs->count; i++) {
		value_release(&e->heap, outs->at[i].data);
		value_release(&e->heap, outs->at[i].name);
	}
	outs->count = 0;
	buf_clear(&outs->paths);
	job_forget_ended(e);
}

void engine_outs_close(struct engine *e, struct engine_outs *outs)
{
	engine_outs_clear(e, outs);
	buf_close(&outs->paths);
	free(outs->at);
	*outs = (struct engine_outs){ 0 };
}

/* A task's result may hold the last handle of another, and so on: those deep down wait until the
 * stack is short again. */
static void free_task(struct engine *e, struct task *t)
{
	if (e->free_depth >= FREE_DEPTH_MAX) {
		t->sched.at.next = e->to_free;
		e->to_free = &t->sched;
		return;
	}
	e->free_depth++;
	task_free(e, t);
	e->free_depth--;
	while (e->free_depth == 0 && e->to_free != NULL) {
		t = (struct task *)(void *)e->to_free;
		e->to_free = t->sched.at.next;
		e->free_depth++;
		task_free(e, t);
		e->free_depth--;
	}
}

void engine_free_object(struct value_heap *h, struct vobj *obj)
{
	struct engine *e = (struct engine *)(void *)h; /* the heap is its first member */

	switch ((enum value_type)obj->type) {
	case VALUE_T_TASK:
		free_task(e, (struct task *)(void *)obj);
		return;
	case VALUE_T_TIMEOUT:
		timeout_free(e, (struct timeout_run *)(void *)obj);
		return;
	case VALUE_T_GENERATOR:
		generator_free(e, (struct generator *)(void *)obj);
		return;
	case VALUE_T_PERMIT:
		permit_free(e, (struct permit *)(void *)obj);
		return;
	case VALUE_T_EXEC:
		exec_free(e, (struct exec_run *)(void *)obj);
		return;
	case VALUE_T_EVENT:
		job_event_free(e, (struct job_event *)(void *)obj);
		return;
	case VALUE_T_EVENT_WAIT:
		job_event_wait_free(e, (struct event_wait *)(void *)obj);
		return;
	case VALUE_T_CHILD:
		child_free(e, (struct child_run *)(void *)obj);
		return;
	case VALUE_T_UNDO:
		undo_scope_free(e, (struct undo_scope *)(void *)obj);
		return;
	case VALUE_T_JOIN:
		join_free(e, (struct join_run *)(void *)obj);
		return;
	case VALUE_T_WAITER:
		waiter_free(e, (struct waiter *)(void *)obj);
		return;
	case VALUE_T_NONE:
	case VALUE_T_NULL:
	case VALUE_T_BOOL:
	case VALUE_T_INT:
	case VALUE_T_FLOAT:
	case VALUE_T_TEXT:
	case VALUE_T_LIST:
	case VALUE_T_DICT:
	case VALUE_T_BIGINT:
	case VALUE_T_RANGE:
		break;
	}
	CHECK_NEVER("no engine object");
}
