/* Node positions: sequences, and what stands around every operation (if, else, as). */
#include "daemon/load/loader.h"
#include "proto/base/check.h"

static void load_sequence(struct loader *l, const struct place *at, const json_t *json,
                          struct target to)
{
	struct scope_mark mark = scope_open(l);
	size_t            count = json_array_size(json);

	if (count == 0 && to.is_wanted)
		emit_null(l, at, to.slot);
	for (size_t i = 0; i < count; i++) {
		struct place  step = place_element(at, (uint32_t)i);
		/* What nobody wants goes where the last value will come to lie. */
		struct target step_to = { to.slot, to.is_wanted && i + 1 == count };

		load_node(l, &step, json_array_get(json, i), step_to);
	}
	scope_close(l, mark);
}

static void load_op(struct loader *l, const struct place *at, const struct parts *p,
                    struct target to)
{
	switch (p->op->id) {
	case ID_AS_COMPLETED:
		load_as_completed(l, at, p, to);
		return;
	case ID_AWAIT:
		load_await(l, at, p, to);
		return;
	case ID_CALL:
		load_call(l, at, p, to);
		return;
	case ID_CANCEL:
		load_cancel(l, at, p, to);
		return;
	case ID_CREATE_TASK:
		load_create_task(l, at, p, to);
		return;
	case ID_DO:
		load_do(l, at, p, to);
		return;
	case ID_GATHER:
		load_gather(l, at, p, to);
		return;
	case ID_RETURN:
		load_return(l, at, p, to);
		return;
	case ID_SET:
		load_set(l, at, p, to);
		return;
	case ID_SLEEP:
		load_sleep(l, at, p, to);
		return;
	case ID_SLEEP_UNTIL:
		load_sleep_until(l, at, p, to);
		return;
	case ID_VALUE:
		load_value_op(l, at, p, to);
		return;
	case ID_YIELD:
		load_yield(l, at, p, to);
		return;
	case ID_LATER:
		break;
	}
	CHECK_NEVER("load_parts() refuses operations of later versions");
}

void load_scoped_node(struct loader *l, struct place *at, const json_t *json, struct target to)
{
	struct scope_mark mark = scope_open(l);

	load_node(l, at, json, to);
	scope_close(l, mark);
}

/* The operation behind its `if`, or the `else`. Names bound in either are not visible after. */
static void load_guarded(struct loader *l, const struct place *at, const struct parts *p,
                         struct target to)
{
	struct scope_mark mark;
	uint32_t          skip, done = PROGRAM_NONE;
	bool              has_other = to.is_wanted || p->at[KEY_ELSE] != NULL;

	if (p->at[KEY_IF] == NULL) {
		if (p->at[KEY_ELSE] != NULL)
			loader_problem(l, at, "", "\"else\" needs \"if\"");
		load_op(l, at, p, to);
		return;
	}
	skip = emit(l, at, OP_JUMP_UNLESS, 0, PROGRAM_NONE, loader_part(l, at, p, KEY_IF),
	            PROGRAM_NONE);
	mark = scope_open(l);
	load_op(l, at, p, to);
	scope_close(l, mark);
	if (has_other)
		done = emit(l, at, OP_JUMP, 0, PROGRAM_NONE, PROGRAM_NONE, PROGRAM_NONE);
	emit_land(l, skip);
	if (p->at[KEY_ELSE] != NULL) {
		struct place other = place_part(at, p, KEY_ELSE);

		load_scoped_node(l, &other, p->at[KEY_ELSE], to);
	} else if (to.is_wanted) {
		emit_null(l, at, to.slot);
	}
	if (has_other)
		emit_land(l, done);
}

/* A node with `as`: its value goes into the slot of the name, and from there to whoever wants it.
 * A name that can be read meanwhile is written when the value is complete, not before. */
static void load_named(struct loader *l, const struct place *at, const struct parts *p,
                       struct target to)
{
	struct place    as = place_part(at, p, KEY_AS);
	const char     *name = loader_name(l, &as, p->at[KEY_AS]);
	enum name_state state = NAME_OUTER;
	uint32_t        slot, value;

	if (name != NULL)
		state = scope_resolve(l, &as, name, &slot);
	if (state != NAME_BOUND)
		slot = slots_take(l, 1);
	value = slot;
	if (state == NAME_BOUND && (!p->op->is_simple || p->at[KEY_ELSE] != NULL))
		value = slots_take(l, 1);
	load_guarded(l, at, p, (struct target){ value, true });
	if (value != slot)
		emit_copy(l, at, slot, value);
	if (state == NAME_NEW)
		scope_bind(l, name, slot);
	if (to.is_wanted)
		emit_copy(l, at, to.slot, slot);
	if (value != slot)
		slots_give_back(l, value);
}

static void load_object(struct loader *l, struct place *at, const json_t *json, struct target to)
{
	struct parts parts;

	if (!load_parts(l, at, json, &parts))
		return;
	build_node_op(&l->b, at->node, parts.op->name);
	if (parts.at[KEY_NAME] != NULL && parts.op->id != ID_CREATE_TASK && json != l->labelled) {
		struct place name = place_part(at, &parts, KEY_NAME);

		loader_problem(l, &name, "put it on a branch or on \"create_task\"",
		               "\"name\" labels a task, and this node makes none");
	}
	if (parts.at[KEY_AS] != NULL)
		load_named(l, at, &parts, to);
	else
		load_guarded(l, at, &parts, to);
}

void load_node(struct loader *l, struct place *at, const json_t *json, struct target to)
{
	place_add_node(l, at, NULL);
	if (l->is_over_nodes)
		return;
	if (++l->node_count > SPEC_NODES_MAX) {
		l->is_over_nodes = true;
		loader_problem(
			l, at,
			"a comprehension (\"for\", \"in\") makes any number of tasks from one",
			"more than %d nodes", SPEC_NODES_MAX);
		return;
	}
	if (json_is_array(json))
		load_sequence(l, at, json, to);
	else if (json_is_object(json))
		load_object(l, at, json, to);
	else
		loader_problem(l, at, "", "a node is an object or an array of nodes, not %s",
		               loader_type_name(json));
}

/* Whether the body is one operation that reads its captures for the last time before it writes its
 * result, which may then go where a capture was. */
static bool is_one_simple_op(const json_t *json)
{
	const char *key;
	json_t     *item;

	if (!json_is_object(json))
		return false;
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		const struct op_info  *op = op_find(key);
		const struct key_info *info = key_find(key);

		if (op != NULL && !op->is_simple)
			return false;
		if (info != NULL &&
		    (info->id == KEY_AS || info->id == KEY_IF || info->id == KEY_ELSE))
			return false;
	}
	return true;
}

void load_body(struct loader *l, struct draft *d, struct place *at, const json_t *json)
{
	struct target to = { 0, true };

	if (d->capture_count == 0 || !is_one_simple_op(json))
		to.slot = slots_take(l, 1);
	d->bound_top = d->top;
	load_node(l, at, json, to);
	draft_end(l, d, at, to.slot);
}

uint32_t load_coroutine(struct loader *l, struct place *at, const json_t *json)
{
	uint32_t      code = build_code(&l->b);
	const json_t *labelled = l->labelled;
	struct draft  d;

	draft_begin(l, &d, code, json);
	l->labelled = json;
	load_body(l, &d, at, json);
	l->labelled = labelled;
	return code;
}

uint32_t load_label(struct loader *l, const struct place *at, const json_t *json)
{
	const char  *key;
	json_t      *item;
	uint32_t     index = 0;
	struct place name;

	/* The name of a create_task is the one of the task that it makes. */
	if (!json_is_object(json) || json_object_get(json, "create_task") != NULL)
		return PROGRAM_NONE;
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		name = place_member(at, key, index++);
		if (key_find(key) != NULL && key_find(key)->id == KEY_NAME)
			return loader_slot(l, &name, item, SLOT_VALUE);
	}
	return PROGRAM_NONE;
}
