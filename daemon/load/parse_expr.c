#include "daemon/load/parse_expr.h"

#include "daemon/load/emit_expr.h"
#include "daemon/load/load.h"
#include "proto/base/check.h"

#include <stdlib.h>

/* --- the builder --- */

void expr_builder_close(struct expr_builder *b)
{
	for (uint32_t i = 0; i < b->expr_count; i++)
		value_destroy_immortal(b->exprs[i].constant);
	for (uint32_t i = 0; i < b->code.const_count; i++)
		value_destroy_immortal(b->code.consts[i]);
	free(b->exprs);
	free(b->code.ops);
	free(b->code.consts);
	*b = (struct expr_builder){ .heap = b->heap, .failed = b->failed };
}

/* Takes the constant, which is immortal or immediate. */
static uint32_t add_expr(struct expr_builder *b, const struct expr *x)
{
	if (b->expr_count == b->expr_room) {
		uint32_t     room = b->expr_room == 0 ? 64 : b->expr_room * 2;
		struct expr *exprs = realloc(b->exprs, room * sizeof exprs[0]);

		if (exprs == NULL) {
			value_destroy_immortal(x->constant);
			b->failed = true;
			return UINT32_MAX;
		}
		b->exprs = exprs;
		b->expr_room = room;
	}
	b->exprs[b->expr_count] = *x;
	return b->expr_count++;
}

uint32_t expr_build_const(struct expr_builder *b, struct value v, uint32_t node)
{
	struct expr x = { .kind = EXPR_CONST, .constant = v, .node = node };

	if (value_is_none(v)) {
		b->failed = true;
		return UINT32_MAX;
	}
	value_make_immortal(b->heap, v);
	return add_expr(b, &x);
}

uint32_t expr_build_slot(struct expr_builder *b, uint32_t slot, uint32_t node)
{
	struct expr x = { .kind = EXPR_SLOT, .slot = slot, .constant = VALUE_NONE, .node = node };

	return add_expr(b, &x);
}

/* --- texts --- */

/* Where the next "${" or "$${" begins; `end` when there is none. */
static const char *find_marker(const char *at, const char *end)
{
	for (; at < end; at++) {
		at = memchr(at, '$', (size_t)(end - at));
		if (at == NULL)
			return end;
		if (end - at > 1 && at[1] == '{')
			return at;
		if (end - at > 2 && at[1] == '$' && at[2] == '{')
			return at;
	}
	return end;
}

/* Parses and emits what stands behind a "${"; `*at` moves behind its "}". */
static enum emit_level emit_expression(struct emitter *e, const char **at, const char *end,
                                       bool is_lazy_range)
{
	struct arena    arena = { 0 };
	char            message[TREE_MESSAGE_BYTES];
	struct tree    *t = tree_parse(&arena, *at, end, at, message);
	enum emit_level level = EMIT_DYNAMIC;

	if (t != NULL)
		/* Only what is the whole value may stay lazy. */
		level = emit_tree(e, t, is_lazy_range && *at == end);
	else if (arena.failed)
		e->b->failed = e->is_bad = true;
	else
		emit_problem(e, message, NULL);
	arena_close(&arena);
	return level;
}

/* The literal part that was collected becomes a part of the text; how many parts that makes. */
static uint32_t flush(struct emitter *e, struct buf *literal)
{
	if (literal->failed != GD_OK)
		e->b->failed = e->is_bad = true;
	if (literal->bytes == 0 || e->is_bad)
		return 0;
	emit_const(e, value_text_new(e->b->heap, literal->at, literal->bytes));
	buf_clear(literal);
	return 1;
}

/* Pushes the parts of a text: expressions, and what is between them. A "$${" only adds to the
 * latter. `parts` may come out as 0 for an empty text. */
static enum emit_level emit_parts(struct emitter *e, const char *at, const char *end,
                                  bool is_lazy_range, uint32_t *parts)
{
	struct buf      literal = { 0 };
	enum emit_level level = EMIT_CONST;

	*parts = 0;
	while (at < end && !e->is_bad) {
		const char *marker = find_marker(at, end);

		buf_add(&literal, at, (size_t)(marker - at));
		at = marker;
		if (at < end && at[1] == '$') {
			buf_add_text(&literal, "${");
			at += 3;
		} else if (at < end) {
			*parts += flush(e, &literal);
			at += 2;
			if (emit_expression(e, &at, end, is_lazy_range && *parts == 0) !=
			    EMIT_CONST)
				level = EMIT_DYNAMIC;
			++*parts;
		}
	}
	*parts += flush(e, &literal);
	buf_close(&literal);
	return level;
}

/* A text that is one literal, or exactly one expression, is that; the others are put together. */
static enum emit_level emit_text(struct emitter *e, const char *text, const char *end,
                                 bool is_lazy_range)
{
	struct emit_mark mark = emit_mark(e);
	uint32_t         parts;
	enum emit_level  level = emit_parts(e, text, end, is_lazy_range, &parts);

	if (parts == 0)
		emit_const(e, value_text_new(e->b->heap, "", 0));
	if (parts <= 1 || e->is_bad)
		return level;
	emit_op(e, XOP_TEXT, 0, parts, 1 - (int32_t)parts);
	return level == EMIT_CONST ? emit_fold(e, mark) : level;
}

/* After a problem the other texts are still looked at, for theirs; null stands in for this one. */
static enum emit_level emit_string(struct emitter *e, const json_t *json, bool is_lazy_range)
{
	struct emit_mark mark = emit_mark(e);
	uint32_t         depth = e->depth;
	const char      *text = json_string_value(json);
	enum emit_level  level;

	/* All problems of one value have one place: no more of them would be told. */
	if (e->problems > SPEC_PROBLEMS_MAX) {
		emit_const(e, VALUE_NULL);
		return EMIT_DYNAMIC;
	}
	level = emit_text(e, text, text + json_string_length(json), is_lazy_range);
	if (!e->is_bad || e->b->failed)
		return level;
	e->problems++;
	e->is_bad = false;
	emit_cut(e, mark);
	e->depth = depth;
	emit_const(e, VALUE_NULL);
	return EMIT_DYNAMIC;
}

/* --- values --- */

static enum emit_level emit_json(struct emitter *e, const json_t *json, bool is_lazy_range);

/* The same inside: below `key`, escaped as in a JSON Pointer, or below the element `index`. */
static enum emit_level emit_below(struct emitter *e, const char *key, uint32_t index,
                                  const json_t *json)
{
	size_t          before = e->path.bytes;
	enum emit_level level;

	buf_add_byte(&e->path, '/');
	if (key == NULL)
		buf_add_u64(&e->path, index);
	for (const char *c = key; c != NULL && *c != '\0'; c++) {
		if (*c == '~' || *c == '/')
			buf_add_text(&e->path, *c == '~' ? "~0" : "~1");
		else
			buf_add_byte(&e->path, *c);
	}
	level = emit_json(e, json, false);
	e->path.bytes = before;
	return level;
}

/* Constants in a row become a list or a dict that owns them; `mark` is before the first. */
static enum emit_level gather_consts(struct emitter *e, struct emit_mark mark, bool is_list)
{
	struct value_heap *h = e->b->heap;
	struct expr_code  *code = &e->b->code;
	uint32_t           count = code->const_count - mark.constant;
	uint32_t           from = mark.constant;
	struct value       v = is_list ? value_list_new(h, count) : value_dict_new(h, count / 2);

	CHECK(code->op_count - mark.op == count);
	/* Constants are only borrowed until it has worked; immortal, they may be put in twice. */
	for (uint32_t i = 0; i < count && is_list; i++)
		v = value_list_append(h, v, code->consts[from + i]);
	for (uint32_t i = 0; i < count && !is_list; i += 2)
		v = value_dict_put(h, v, code->consts[from + i], code->consts[from + i + 1]);
	if (value_is_none(v)) {
		e->b->failed = e->is_bad = true;
		return EMIT_DYNAMIC;
	}
	code->const_count = mark.constant;
	code->op_count = mark.op;
	e->depth -= count;
	emit_const(e, v);
	return EMIT_CONST;
}

static enum emit_level emit_array(struct emitter *e, const json_t *json)
{
	struct emit_mark mark = emit_mark(e);
	enum emit_level  level = EMIT_CONST;
	uint32_t         count = (uint32_t)json_array_size(json);

	for (uint32_t i = 0; i < count; i++)
		if (emit_below(e, NULL, i, json_array_get(json, i)) != EMIT_CONST)
			level = EMIT_DYNAMIC;
	if (e->is_bad)
		return EMIT_DYNAMIC;
	if (level == EMIT_CONST)
		return gather_consts(e, mark, true);
	emit_op(e, XOP_LIST, 0, count, 1 - (int32_t)count);
	return level;
}

static enum emit_level emit_object(struct emitter *e, const json_t *json)
{
	struct emit_mark mark = emit_mark(e);
	enum emit_level  level = EMIT_CONST;
	uint32_t         count = (uint32_t)json_object_size(json);
	const char      *key;
	json_t          *item;

	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		emit_const(e, value_text_new(e->b->heap, key, strlen(key)));
		if (emit_below(e, key, 0, item) != EMIT_CONST)
			level = EMIT_DYNAMIC;
	}
	if (e->is_bad)
		return EMIT_DYNAMIC;
	if (level == EMIT_CONST)
		return gather_consts(e, mark, false);
	emit_op(e, XOP_DICT, 0, count, 1 - 2 * (int32_t)count);
	return level;
}

static enum emit_level emit_json(struct emitter *e, const json_t *json, bool is_lazy_range)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return emit_object(e, json);
	case JSON_ARRAY:
		return emit_array(e, json);
	case JSON_STRING:
		return emit_string(e, json, is_lazy_range);
	case JSON_INTEGER:
	case JSON_REAL:
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
		emit_const(e, load_value(e->b->heap, json));
		return EMIT_CONST;
	}
	CHECK_NEVER("emit_json: unknown JSON type");
}

/* The code since `mark` as an expression: a constant or a slot where it is nothing more. */
static uint32_t finish(struct emitter *e, struct emit_mark mark, uint32_t node)
{
	struct expr_code     *code = &e->b->code;
	const struct expr_op *first = &code->ops[mark.op];
	struct expr           x = {
			  .kind = EXPR_CODE, .constant = VALUE_NULL, .first = mark.op, .node = node
	};

	x.count = code->op_count - mark.op;
	x.stack = e->most;
	if (x.count == 1 && first->code == XOP_CONST) {
		CHECK(first->arg + 1 == code->const_count);
		x.kind = EXPR_CONST;
		x.constant = code->consts[--code->const_count];
	} else if (x.count == 1 && first->code == XOP_SLOT) {
		struct vtext *name = value_text(code->consts[first->arg]);

		x.kind = EXPR_SLOT;
		x.slot = first->small;
		x.constant = value_text_new(e->b->heap, name->at, name->bytes);
		value_make_immortal(e->b->heap, x.constant);
	}
	if (x.kind != EXPR_CODE) {
		x.first = x.count = 0;
		emit_cut(e, mark);
	}
	return add_expr(e->b, &x);
}

uint32_t expr_build_value(struct expr_builder *b, const struct expr_scope *scope,
                          const json_t *json, uint32_t node, unsigned flags)
{
	struct emitter   e = { .b = b, .scope = scope };
	struct emit_mark mark = emit_mark(&e);
	uint32_t         index = UINT32_MAX;

	(void)emit_json(&e, json, (flags & EXPR_LAZY_RANGE) != 0);
	if (e.path.failed != GD_OK)
		b->failed = true;
	if (e.problems > 0 || e.is_bad || b->failed)
		emit_cut(&e, mark);
	else
		index = finish(&e, mark, node);
	buf_close(&e.path);
	return index;
}
