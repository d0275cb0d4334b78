/* Node positions: sequences, objects, and the bodies of coroutines. */
#include "daemon/load/load_after.h"
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

void load_op(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	static void (*const LOADERS[ID_COUNT])(struct loader * l, const struct place *at,
	                                       const struct parts *p, struct target to) = {
		[ID_AS_COMPLETED] = load_as_completed,
		[ID_ASYNC_FOR] = load_async_for,
		[ID_AWAIT] = load_await,
		[ID_CALL] = load_call,
		[ID_CANCEL] = load_cancel,
		[ID_CREATE_TASK] = load_create_task,
		[ID_DO] = load_do,
		[ID_EVENT] = load_event,
		[ID_EXEC] = load_exec,
		[ID_GATHER] = load_gather,
		[ID_HTTP] = load_http,
		[ID_MATCH] = load_match,
		[ID_RACE] = load_race,
		[ID_RAISE] = load_raise,
		[ID_RETURN] = load_return,
		[ID_SET] = load_set,
		[ID_SHIELD] = load_shield,
		[ID_SLEEP] = load_sleep,
		[ID_SLEEP_UNTIL] = load_sleep_until,
		[ID_TASK_GROUP] = load_task_group,
		[ID_TO_THREAD] = load_to_thread,
		[ID_TRY] = load_try,
		[ID_VALUE] = load_value_op,
		[ID_WAIT] = load_wait,
		[ID_YIELD] = load_yield,
	};

	CHECK(LOADERS[p->op->id] != NULL);
	LOADERS[p->op->id](l, at, p, to);
}

void load_scoped_node(struct loader *l, struct place *at, const json_t *json, struct target to)
{
	struct scope_mark mark = scope_open(l);

	load_node(l, at, json, to);
	scope_close(l, mark);
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
	if (parts.at[KEY_AFTER] != NULL && json != l->follower) {
		struct place after = place_part(at, &parts, KEY_AFTER);

		loader_problem(l, &after, "",
		               "\"after\" names siblings, and this node is no branch of an object");
	}
	load_modified(l, at, &parts, to);
}

bool load_node_begin(struct loader *l, struct place *at)
{
	if (problems_are_enough(&l->problems, at))
		return false;
	place_add_node(l, at, NULL);
	if (l->is_over_nodes)
		return false;
	if (++l->node_count > SPEC_NODES_MAX) {
		l->is_over_nodes = true;
		loader_problem(
			l, at,
			"a comprehension (\"for\", \"in\") makes any number of tasks from one",
			"more than %d nodes", SPEC_NODES_MAX);
		return false;
	}
	return true;
}

void load_node(struct loader *l, struct place *at, const json_t *json, struct target to)
{
	if (!load_node_begin(l, at))
		return;
	if (json_is_array(json))
		load_sequence(l, at, json, to);
	else if (json_is_object(json))
		load_object(l, at, json, to);
	else
		loader_problem(l, at, "", "a node is an object or an array of nodes, not %s",
		               loader_type_name(json));
}

/* --- coroutines --- */

/* Whether the body is one operation that reads its captures for the last time before it writes its
 * result, which may then go where a capture was. */
static bool is_one_simple_op(const json_t *json)
{
	const uint64_t around = KEY_BIT(KEY_AS) | KEY_BIT(KEY_IF) | KEY_BIT(KEY_ELSE) |
	                        KEY_BIT(KEY_RETRY) | KEY_BIT(KEY_UNDO);
	const char *key;
	json_t     *item;

	if (!json_is_object(json))
		return false;
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		const struct op_info  *op = op_find(key);
		const struct key_info *info = key_find(key);

		if (op != NULL && !op->is_simple)
			return false;
		if (info != NULL && (around & KEY_BIT(info->id)) != 0)
			return false;
	}
	return true;
}

uint32_t load_body(struct loader *l, struct draft *d, struct place *at, const json_t *json)
{
	struct target     to = { 0, true };
	struct undo_scope undo = { 0 };
	bool              is_job = (d->code == 0 || d->is_child) && l->has_undo;

	if (d->capture_count == 0 || !is_one_simple_op(json))
		to.slot = slots_take(l, 1);
	d->bound_top = d->top;
	if (is_job)
		undo = undo_open(l, at);
	load_node(l, at, json, to);
	if (is_job)
		undo_close(l, at, &undo);
	return to.slot;
}

uint32_t load_child_body(struct loader *l, struct place *at, const json_t *json)
{
	uint32_t      code = build_code(&l->b), slot;
	const json_t *labelled = l->labelled, *follower = l->follower;
	struct draft  d;

	draft_begin_child(l, &d, code, json);
	l->labelled = json;
	l->follower = NULL;
	slot = load_body(l, &d, at, json);
	l->labelled = labelled;
	l->follower = follower;
	draft_end(l, &d, at, slot);
	return code;
}

uint32_t load_coroutine(struct loader *l, struct place *at, const json_t *json,
                        const struct after_graph *after)
{
	uint32_t      code = build_code(&l->b);
	const json_t *labelled = l->labelled, *follower = l->follower;
	struct draft  d;
	uint32_t      slot;

	draft_begin(l, &d, code, json);
	if (after != NULL)
		after_bind(after, l, &d, json);
	l->labelled = json;
	l->follower = after != NULL ? json : NULL;
	slot = load_body(l, &d, at, json);
	l->labelled = labelled;
	l->follower = follower;
	if (after != NULL)
		after_settle(after, l, &d);
	draft_end(l, &d, at, slot);
	return code;
}

uint32_t load_label(struct loader *l, const struct place *at, const json_t *json)
{
	const char  *key;
	json_t      *item;
	uint32_t     index = 0;
	struct place name;

	/* The name of a create_task is the one of the task that it makes. */
	if (!json_is_object(json) || json_object_get(json, "create_task") != NULL ||
	    json_object_get(json, "name") == NULL)
		return PROGRAM_NONE;
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		name = place_member(at, key, index++);
		if (key_find(key) != NULL && key_find(key)->id == KEY_NAME)
			return loader_slot(l, &name, item, SLOT_VALUE);
	}
	return PROGRAM_NONE;
}
