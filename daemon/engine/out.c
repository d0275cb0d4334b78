#include "daemon/engine/coro.h"

#include <stdlib.h>

#define OUTS_FIRST_ROOM 64

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
	jr = (const struct join_run *)(const void *)t->callbacks;
	if (!(jr->spec->flags & JOIN_OBJECT))
		return VALUE_NONE;
	return j->program->branches[jr->spec->first_branch + t->index].name;
}

bool engine_put(struct engine *e, struct job *j, enum engine_out_kind kind, struct value data,
                struct task *t)
{
	struct engine_outs *outs = e->outs;
	struct engine_out  *out;

	if (!outs_reserve(outs)) {
		e->heap.failed = true;
		return false;
	}
	out = &outs->at[outs->count++];
	*out = (struct engine_out){
		.kind = kind,
		.job = j->id,
		.ordinal = kind == ENGINE_WANT_NOW ? 0 : ++j->ordinal,
		.time = j->now,
		.data = value_retain(data),
		.name = VALUE_NONE,
		.path = PROGRAM_NONE,
	};
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
}

void engine_outs_close(struct engine *e, struct engine_outs *outs)
{
	engine_outs_clear(e, outs);
	buf_close(&outs->paths);
	free(outs->at);
	*outs = (struct engine_outs){ 0 };
}

void engine_free_object(struct value_heap *h, struct vobj *obj)
{
	struct engine *e = (struct engine *)(void *)h; /* the heap is its first member */

	switch ((enum value_type)obj->type) {
	case VALUE_T_TASK:
		task_free(e, (struct task *)(void *)obj);
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
