/* Calls of defs. */
#include "daemon/load/loader.h"

#include <stdio.h>
#include <string.h>

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
		nearest_init(&near, name, strlen(name), &l->hint_work);
		for (uint32_t i = 0; i < l->def_count && l->hint_work > 0; i++)
			nearest_offer(&near, l->defs[i].name);
		hint_did_you_mean(hint, near.best);
	}
	loader_problem(l, at, hint, "no def \"%s\"", CLIPPED(name));
	return NULL;
}

/* A def that yields is run by whoever goes over what it yields, and by nobody else. */
static void check_kind(struct loader *l, const struct place *at, const struct def *def,
                       bool wants_generator)
{
	if (def->is_generator && !wants_generator)
		loader_problem(l, at, "write {\"async_for\": {\"call\": ...}, \"do\": ...}",
		               "\"%s\" yields: it is for \"async_for\"", CLIPPED(def->name));
	else if (!def->is_generator && wants_generator)
		loader_problem(l, at, "", "\"%s\" does not yield", CLIPPED(def->name));
}

/* The argument behind the last one: the scope of undos of whoever calls. */
static void pass_undo(struct loader *l, const struct place *at, uint32_t call, size_t arg)
{
	if (call != PROGRAM_NONE && l->has_undo)
		build_call_arg(&l->b, call, (uint32_t)arg,
		               expr_build_slot(&l->b.exprs, undo_slot(l), at->node));
}

uint32_t load_call_of(struct loader *l, const struct place *at, const struct parts *p,
                      bool wants_generator)
{
	struct place      place = place_operand(at, p);
	const struct def *def = find_def(l, &place, p->operand);
	const json_t     *json = p->at[KEY_ARGS];
	struct place      args;
	size_t            wanted, given;
	uint32_t          call = PROGRAM_NONE;

	if (def == NULL)
		return PROGRAM_NONE;
	check_kind(l, &place, def, wants_generator);
	/* Only where the counts agree: room is never made for args that the spec does not hold. */
	wanted = json_array_size(def->params);
	given = json_is_object(json) ? json_object_size(json) : json_array_size(json);
	if (given == wanted)
		call = build_call(&l->b, def->code, (uint32_t)wanted + l->has_undo);
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
	pass_undo(l, at, call, wanted);
	return call;
}

void load_call(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	uint32_t call = load_call_of(l, at, p, false);

	(void)emit(l, at, OP_CALL, to.slot, call, PROGRAM_NONE, PROGRAM_NONE);
}
