/* Value positions as expressions. */
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
	return names_nearest(&l->names, name, bytes, &l->hint_work);
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

uint32_t loader_const(struct loader *l, struct value v, uint32_t node)
{
	return expr_build_const(&l->b.exprs, v, node);
}

uint32_t loader_text(struct loader *l, const char *text, uint32_t node)
{
	return loader_const(l, value_text_new(&l->b.heap, text, strlen(text)), node);
}

/* --- slots --- */

const struct value *loader_constant(const struct loader *l, uint32_t x)
{
	if (x == PROGRAM_NONE || loader_failed(l) || l->b.exprs.exprs[x].kind != EXPR_CONST)
		return NULL;
	return &l->b.exprs.exprs[x].constant;
}

uint32_t loader_slot(struct loader *l, const struct place *at, const json_t *json,
                     enum slot_kind kind)
{
	const struct value *constant;
	uint32_t            x;

	/* Nothing can be compiled any more, and no problem here would be told. */
	if (problems_are_enough(&l->problems, at))
		return PROGRAM_NONE;
	l->value_at = at;
	x = expr_build_value(&l->b.exprs, &l->scope, json, at->node,
	                     kind == SLOT_ITEMS ? EXPR_LAZY_RANGE : 0);
	constant = loader_constant(l, x);
	if (constant != NULL)
		constant_check(l, at, json, kind, *constant);
	return x;
}

uint32_t loader_operand(struct loader *l, const struct place *at, const struct parts *parts)
{
	struct place place = place_operand(at, parts);

	return loader_slot(l, &place, parts->operand, parts->op->operand);
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
