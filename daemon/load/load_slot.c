/* Value positions: the expression, and what can be said of a constant before it runs. */
#include "daemon/engine/duration.h"
#include "daemon/load/loader.h"
#include "proto/base/check.h"

#include <string.h>

/* --- names for parse_expr --- */

static bool find_name(void *ctx, const char *name, size_t bytes, uint32_t *slot)
{
	struct loader  *l = ctx;
	uint32_t        i = names_find(&l->names, name, bytes);
	struct binding *b;

	if (i == BINDING_NONE || l->names.binding[i].code != l->draft->code)
		return false;
	b = &l->names.binding[i];
	b->is_used = true;
	*slot = b->slot;
	return true;
}

static const char *nearest_name(void *ctx, const char *name, size_t bytes)
{
	struct loader *l = ctx;

	if (!problem_is_wanted(&l->problems, l->value_at))
		return NULL;
	return names_nearest(&l->names, name, bytes);
}

static void value_problem(void *ctx, const char *pointer, const char *message, const char *hint)
{
	struct loader *l = ctx;

	problem_add(&l->problems, l->value_at, pointer, hint, "%s", message);
}

void loader_scope_init(struct loader *l)
{
	l->scope = (struct expr_scope){
		.ctx = l, .find = find_name, .nearest = nearest_name, .problem = value_problem
	};
}

/* --- expressions of our own --- */

static bool find_it(void *ctx, const char *name, size_t bytes, uint32_t *slot)
{
	if (bytes != 2 || memcmp(name, "it", 2) != 0)
		return false;
	*slot = *(const uint32_t *)ctx;
	return true;
}

static const char *nearest_none(void *ctx, const char *name, size_t bytes)
{
	(void)ctx;
	(void)name;
	(void)bytes;
	return NULL;
}

static void problem_never(void *ctx, const char *pointer, const char *message, const char *hint)
{
	(void)ctx;
	(void)pointer;
	(void)message;
	(void)hint;
	CHECK_NEVER("an expression of the compiler's own is wrong");
}

uint32_t loader_internal(struct loader *l, const char *source, uint32_t slot, uint32_t node)
{
	struct expr_scope scope = { &slot, find_it, nearest_none, problem_never };
	json_t           *text = json_string(source);
	uint32_t          x;

	if (text == NULL) {
		l->b.failed = true;
		return PROGRAM_NONE;
	}
	x = expr_build_value(&l->b.exprs, &scope, text, node, 0);
	json_decref(text);
	return x;
}

/* --- checks by the kind of slot --- */

const char *loader_type_name(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "text";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		break;
	}
	return "null";
}

/* Whether text holds a ${...}; $${ is a literal one. */
static bool has_expression(const char *text)
{
	for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at, '$')) {
		if (at[1] == '{')
			return true;
		at += at[1] == '$' && at[2] == '{' ? 3 : 1;
	}
	return false;
}

static void check_condition(struct loader *l, const struct place *at, const json_t *json)
{
	if (json_is_string(json) && !has_expression(json_string_value(json)))
		loader_problem(l, at, "", "\"%s\" wants an expression: write \"${...}\"", at->key);
}

static void check_duration(struct loader *l, const struct place *at, struct value v)
{
	struct expr_error why;
	gd_nsec           length;

	if (!duration_of_value(v, &length, &why))
		loader_problem(l, at,
		               "write a number of seconds, or text like \"250ms\" or \"1h30m\"",
		               "%s", why.message);
}

static void check_moment(struct loader *l, const struct place *at, struct value v)
{
	struct expr_error why;
	gd_nsec           time;

	if (!time_of_value(v, &time, &why))
		loader_problem(l, at, "write \"2030-01-31T08:00:00Z\", or seconds since the epoch",
		               "%s", why.message);
}

static void check_count(struct loader *l, const struct place *at, struct value v)
{
	if (value_type(v) != VALUE_T_INT || value_as_int(v) < 1)
		loader_problem(l, at, "", "\"%s\" wants an integer from 1", at->key);
}

static void check_items(struct loader *l, const struct place *at, const json_t *json,
                        struct value v)
{
	if (!value_is_type(v, VALUE_T_LIST) && !value_is_type(v, VALUE_T_DICT) &&
	    !value_is_type(v, VALUE_T_RANGE))
		loader_problem(l, at, "", "\"in\" wants a list or an object, not %s",
		               loader_type_name(json));
}

static void check_loop(struct loader *l, const struct place *at, struct value v)
{
	if (!value_is_type(v, VALUE_T_TEXT) &&
	    !(value_type(v) == VALUE_T_INT && value_as_int(v) >= 0))
		loader_problem(l, at, "", "\"loop\" is the name or the number of an event loop");
}

static void check_constant(struct loader *l, const struct place *at, const json_t *json,
                           enum slot_kind kind, struct value v)
{
	switch (kind) {
	case SLOT_COUNT:
		check_count(l, at, v);
		return;
	case SLOT_CONDITION:
		check_condition(l, at, json);
		return;
	case SLOT_DURATION:
		check_duration(l, at, v);
		return;
	case SLOT_ITEMS:
		check_items(l, at, json, v);
		return;
	case SLOT_LOOP:
		check_loop(l, at, v);
		return;
	case SLOT_MOMENT:
		check_moment(l, at, v);
		return;
	case SLOT_VALUE:
		return;
	case SLOT_ARGS:
	case SLOT_ASSIGNMENT:
	case SLOT_BOOL:
	case SLOT_BRANCHES:
	case SLOT_DEF:
	case SLOT_NAME:
	case SLOT_NODE:
		break;
	}
	CHECK_NEVER("not a value position");
}

uint32_t loader_slot(struct loader *l, const struct place *at, const json_t *json,
                     enum slot_kind kind)
{
	uint32_t x;

	l->value_at = at;
	x = expr_build_value(&l->b.exprs, &l->scope, json, at->node,
	                     kind == SLOT_ITEMS ? EXPR_LAZY_RANGE : 0);
	if (x != PROGRAM_NONE && !loader_failed(l) && l->b.exprs.exprs[x].kind == EXPR_CONST)
		check_constant(l, at, json, kind, l->b.exprs.exprs[x].constant);
	return x;
}

uint32_t loader_part(struct loader *l, const struct place *at, const struct parts *parts,
                     enum key_id key)
{
	struct place part;

	if (parts->at[key] == NULL)
		return PROGRAM_NONE;
	part = place_part(at, parts, key);
	return loader_slot(l, &part, parts->at[key], key_info_of(key)->slot);
}

const char *loader_name(struct loader *l, const struct place *at, const json_t *json)
{
	if (!json_is_string(json)) {
		loader_problem(l, at, "", "a name is text, not %s", loader_type_name(json));
		return NULL;
	}
	if (!name_is_valid(json_string_value(json))) {
		loader_problem(l, at,
		               "letters, digits and _, no digit first, and no word of expressions",
		               "not a name: \"%s\"", CLIPPED(json_string_value(json)));
		return NULL;
	}
	return json_string_value(json);
}
