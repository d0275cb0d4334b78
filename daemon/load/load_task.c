/* Operations on tasks: create_task, await, cancel, wait, shield. */
#include "daemon/load/loader.h"

#include <string.h>

void load_create_task(struct loader *l, const struct place *at, const struct parts *p,
                      struct target to)
{
	struct place body = place_operand(at, p);
	uint32_t     label = loader_part(l, at, p, KEY_NAME);
	uint32_t     code;

	if (p->at[KEY_NAME] == NULL)
		label = load_label(l, &body, p->operand);
	else if (json_object_get(p->operand, "name") != NULL &&
	         json_object_get(p->operand, "create_task") == NULL)
		loader_problem(l, &body, "", "this task has two names");
	if (p->at[KEY_LOOP] != NULL && !l->knows_no_children) {
		load_child(l, at, p, &body, label, to);
		return;
	}
	(void)loader_part(l, at, p, KEY_LOOP);
	code = load_coroutine(l, &body, p->operand, NULL);
	(void)emit(l, at, OP_CREATE_TASK, to.slot, code, label, PROGRAM_NONE);
}

void load_await(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	uint32_t handle = loader_operand(l, at, p);
	uint32_t scratch = slots_take(l, 3);

	(void)emit(l, at, OP_AWAIT, to.slot, handle, PROGRAM_NONE, scratch);
	slots_give_back(l, scratch);
}

void load_cancel(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	uint32_t handle = loader_operand(l, at, p);

	(void)emit(l, at, OP_CANCEL, to.slot, handle, loader_part(l, at, p, KEY_MESSAGE),
	           PROGRAM_NONE);
}

static uint32_t when_flag(struct loader *l, const struct place *at, const struct parts *p)
{
	struct place place;
	const char  *when;

	if (p->at[KEY_RETURN_WHEN] == NULL)
		return 0;
	place = place_part(at, p, KEY_RETURN_WHEN);
	when = constant_choice(l, &place, p->at[KEY_RETURN_WHEN],
	                       key_info_of(KEY_RETURN_WHEN)->choices);
	if (when == NULL || strcmp(when, "ALL_COMPLETED") == 0)
		return 0;
	return strcmp(when, "FIRST_COMPLETED") == 0 ? JOIN_FIRST_COMPLETED : JOIN_FIRST_EXCEPTION;
}

void load_wait(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct join join = { .kind = JOIN_WAIT, .limit = PROGRAM_NONE, .node = at->node };

	join.in = loader_operand(l, at, p);
	join.flags = when_flag(l, at, p);
	join.timeout = loader_part(l, at, p, KEY_TIMEOUT);
	(void)emit(l, at, OP_WAIT, to.slot, build_join(&l->b, join), PROGRAM_NONE, PROGRAM_NONE);
}

void load_shield(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct join  join = { .kind = JOIN_SHIELD,
		              .in = PROGRAM_NONE,
		              .limit = PROGRAM_NONE,
		              .timeout = PROGRAM_NONE,
		              .branch_count = 1,
		              .node = at->node };
	struct place body = place_operand(at, p);

	join.first_branch = load_single_branch(l, &body, p->operand);
	(void)emit(l, at, OP_JOIN, to.slot, build_join(&l->b, join), PROGRAM_NONE, PROGRAM_NONE);
}
