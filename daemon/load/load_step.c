/* Operations of one step: sleep, sleep_until, value, set, call, await, cancel, yield, return. */
#include "daemon/load/loader.h"

#include <stdio.h>
#include <string.h>

static uint32_t operand(struct loader *l, const struct place *at, const struct parts *p)
{
	struct place place = place_operand(at, p);

	return loader_slot(l, &place, p->operand, p->op->operand);
}

void load_sleep(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	uint32_t duration = operand(l, at, p);

	(void)emit(l, at, OP_SLEEP, to.slot, duration, loader_part(l, at, p, KEY_RESULT),
	           PROGRAM_NONE);
}

void load_sleep_until(struct loader *l, const struct place *at, const struct parts *p,
                      struct target to)
{
	(void)emit(l, at, OP_SLEEP_UNTIL, to.slot, operand(l, at, p), PROGRAM_NONE, PROGRAM_NONE);
}

void load_value_op(struct loader *l, const struct place *at, const struct parts *p,
                   struct target to)
{
	(void)emit(l, at, OP_EVAL, to.slot, operand(l, at, p), PROGRAM_NONE, PROGRAM_NONE);
}

void load_await(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	uint32_t handle = operand(l, at, p);
	uint32_t scratch = slots_take(l, 3);

	(void)emit(l, at, OP_AWAIT, to.slot, handle, PROGRAM_NONE, scratch);
	slots_give_back(l, scratch);
}

void load_cancel(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	uint32_t handle = operand(l, at, p);

	(void)emit(l, at, OP_CANCEL, to.slot, handle, loader_part(l, at, p, KEY_MESSAGE),
	           PROGRAM_NONE);
}

void load_yield(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct place place = place_operand(at, p);

	if (l->is_in_def)
		loader_problem(l, &place, "", "\"yield\" inside a def is not in this version");
	(void)emit(l, at, OP_YIELD, to.slot, operand(l, at, p), PROGRAM_NONE, PROGRAM_NONE);
}

void load_return(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct place place = place_operand(at, p);

	if (l->draft->is_concurrent)
		loader_problem(l, &place, "its value is what its last step gives",
		               "\"return\" in a concurrent branch");
	(void)emit(l, at, OP_RETURN, to.slot, operand(l, at, p), PROGRAM_NONE, PROGRAM_NONE);
}

/* --- set --- */

/* All values first: several take slots in a row. A new name keeps its slot of them; the values for
 * names that exist are copied over afterwards. */
static void set_several(struct loader *l, const struct place *at, const struct place *set,
                        const json_t *json)
{
	const char *name;
	json_t     *item;
	uint32_t    index = 0, slot;
	uint32_t    first = slots_take(l, (uint32_t)json_object_size(json));

	json_object_foreach ((json_t *)(uintptr_t)json, name, item) {
		struct place place = place_member(set, name, index);
		uint32_t     x = loader_slot(l, &place, item, SLOT_VALUE);

		(void)emit(l, at, OP_EVAL, first + index++, x, PROGRAM_NONE, PROGRAM_NONE);
	}
	index = 0;
	json_object_foreach ((json_t *)(uintptr_t)json, name, item) {
		struct place place = place_member(set, name, index);

		if (name_is_valid(name)) {
			enum name_state state = scope_resolve(l, &place, name, &slot);

			if (state == NAME_BOUND)
				emit_copy(l, at, slot, first + index);
			else if (state == NAME_NEW)
				scope_bind(l, name, first + index);
		}
		index++;
	}
}

static void set_one(struct loader *l, const struct place *at, const struct place *set,
                    const json_t *json)
{
	const char     *name;
	json_t         *item;
	uint32_t        slot, x;
	enum name_state state;

	json_object_foreach ((json_t *)(uintptr_t)json, name, item) {
		struct place place = place_member(set, name, 0);

		x = loader_slot(l, &place, item, SLOT_VALUE);
		state = scope_resolve(l, &place, name, &slot);
		if (state != NAME_BOUND)
			slot = slots_take(l, 1);
		(void)emit(l, at, OP_EVAL, slot, x, PROGRAM_NONE, PROGRAM_NONE);
		if (state == NAME_NEW)
			scope_bind(l, name, slot);
	}
}

void load_set(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct place place = place_operand(at, p);
	const char  *name;
	json_t      *item;
	uint32_t     index = 0;

	if (!json_is_object(p->operand) || json_object_size(p->operand) == 0) {
		loader_problem(l, &place, "write {\"set\": {\"name\": value}}",
		               "\"set\" wants an object of names and values");
		return;
	}
	json_object_foreach ((json_t *)(uintptr_t)p->operand, name, item) {
		struct place member = place_member(&place, name, index++);

		if (!name_is_valid(name))
			loader_problem(l, &member, "", "not a name: \"%s\"", CLIPPED(name));
	}
	if (index == 1)
		set_one(l, at, &place, p->operand);
	else
		set_several(l, at, &place, p->operand);
	if (to.is_wanted)
		emit_null(l, at, to.slot);
}

/* --- call --- */

/* "f" takes (a, b) */
static void describe_def(char hint[PROBLEM_HINT_CHARS], const struct def *def)
{
	char   name[CLIPPED_CHARS];
	size_t count = json_array_size(def->params);
	int    used = snprintf(hint, PROBLEM_HINT_CHARS, "\"%s\" takes (", clip(name, def->name));

	for (size_t i = 0; i < count; i++) {
		const char *param = json_string_value(json_array_get(def->params, i));

		if (param == NULL || used + 8 > PROBLEM_HINT_CHARS - CLIPPED_CHARS) {
			used += snprintf(hint + used, (size_t)(PROBLEM_HINT_CHARS - used), "%s...",
			                 i == 0 ? "" : ", ");
			break;
		}
		used += snprintf(hint + used, (size_t)(PROBLEM_HINT_CHARS - used), "%s%s",
		                 i == 0 ? "" : ", ", clip(name, param));
	}
	(void)snprintf(hint + used, (size_t)(PROBLEM_HINT_CHARS - used), ")");
}

static void list_args(struct loader *l, const struct place *args, const json_t *json,
                      const struct def *def, uint32_t call)
{
	size_t wanted = json_array_size(def->params);
	size_t given = json_array_size(json);
	char   hint[PROBLEM_HINT_CHARS];

	for (size_t i = 0; i < given; i++) {
		struct place item = place_element(args, (uint32_t)i);
		uint32_t     x = loader_slot(l, &item, json_array_get(json, i), SLOT_VALUE);

		if (call != PROGRAM_NONE)
			build_call_arg(&l->b, call, (uint32_t)i, x);
	}
	if (given == wanted)
		return;
	describe_def(hint, def);
	loader_problem(l, args, hint, "%zu args for \"%s\"", given, CLIPPED(def->name));
}

static void name_args(struct loader *l, const struct place *args, const json_t *json,
                      const struct def *def, uint32_t call)
{
	const char *key;
	json_t     *item;
	uint32_t    index = 0;
	char        hint[PROBLEM_HINT_CHARS];

	describe_def(hint, def);
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		struct place  arg = place_member(args, key, index++);
		const json_t *position = json_object_get(def->position, key);
		uint32_t      x = loader_slot(l, &arg, item, SLOT_VALUE);

		if (position == NULL)
			loader_problem(l, &arg, hint, "\"%s\" has no parameter \"%s\"",
			               CLIPPED(def->name), CLIPPED(key));
		else if (call != PROGRAM_NONE)
			build_call_arg(&l->b, call, (uint32_t)json_integer_value(position), x);
	}
}

/* Parameters that no member of `json` (an object, or NULL) gives. */
static void refuse_missing(struct loader *l, const struct place *at, const json_t *json,
                           const struct def *def)
{
	char hint[PROBLEM_HINT_CHARS];

	for (size_t i = 0; i < json_array_size(def->params); i++) {
		const char *param = json_string_value(json_array_get(def->params, i));

		if (param == NULL || json_object_get(json, param) != NULL)
			continue;
		describe_def(hint, def);
		loader_problem(l, at, hint, "no arg \"%s\" for \"%s\"", CLIPPED(param),
		               CLIPPED(def->name));
		return;
	}
}

/* NULL after a problem. */
static const struct def *find_def(struct loader *l, const struct place *at, const json_t *json)
{
	const char    *name = json_string_value(json);
	const json_t  *index = json_object_get(l->def_index, name);
	struct nearest near;
	char           hint[PROBLEM_HINT_CHARS] = "";

	if (name == NULL) {
		loader_problem(l, at, "", "\"call\" wants the name of a def, not %s",
		               loader_type_name(json));
		return NULL;
	}
	if (index != NULL)
		return &l->defs[json_integer_value(index)];
	if (problem_is_wanted(&l->problems, at)) {
		nearest_init(&near, name, strlen(name));
		for (uint32_t i = 0; i < l->def_count && l->names.offers_left > 0; i++) {
			l->names.offers_left--;
			nearest_offer(&near, l->defs[i].name);
		}
		hint_did_you_mean(hint, near.best);
	}
	loader_problem(l, at, hint, "no def \"%s\"", CLIPPED(name));
	return NULL;
}

void load_call(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct place      place = place_operand(at, p);
	const struct def *def = find_def(l, &place, p->operand);
	const json_t     *json = p->at[KEY_ARGS];
	struct place      args;
	size_t            wanted, given;
	uint32_t          call = PROGRAM_NONE;

	if (def == NULL)
		return;
	/* Only where the counts agree: room is never made for args that the spec does not hold. */
	wanted = json_array_size(def->params);
	given = json_is_object(json) ? json_object_size(json) : json_array_size(json);
	if (given == wanted)
		call = build_call(&l->b, def->code, (uint32_t)wanted);
	args = json == NULL ? *at : place_part(at, p, KEY_ARGS);
	if (json_is_array(json)) {
		list_args(l, &args, json, def, call);
	} else if (json == NULL || json_is_object(json)) {
		if (json != NULL)
			name_args(l, &args, json, def, call);
		refuse_missing(l, at, json, def);
	} else {
		loader_problem(l, &args, "", "\"args\" is an array or an object, not %s",
		               loader_type_name(json));
	}
	(void)emit(l, at, OP_CALL, to.slot, call, PROGRAM_NONE, PROGRAM_NONE);
}
