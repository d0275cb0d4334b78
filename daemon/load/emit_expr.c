#include "daemon/load/emit_expr.h"

#include "daemon/expr/fn.h"
#include "daemon/value/limits.h"
#include "daemon/load/nearest.h"
#include "proto/base/check.h"

#include <stdio.h>
#include <stdlib.h>

#define NAMES_REMEMBERED 8
#define NO_JUMP UINT32_MAX

static enum emit_level emit(struct emitter *e, const struct tree *t);

static enum emit_level lower(enum emit_level a, enum emit_level b)
{
	return a < b ? a : b;
}

/* --- problems --- */

void emit_problem(struct emitter *e, const char *message, const char *hint)
{
	e->is_bad = true;
	buf_add_byte(&e->path, '\0');
	if (e->path.failed != GD_OK) {
		e->b->failed = true;
		return;
	}
	e->path.bytes--;
	e->scope->problem(e->scope->ctx, e->path.at, message, hint);
}

static void did_you_mean(char *out, size_t room, const char *name)
{
	(void)snprintf(out, room, "did you mean \"%.60s\"?", name);
}

static int shown(const struct tree *t)
{
	return t->bytes > 60 ? 60 : (int)t->bytes;
}

static void unknown_name(struct emitter *e, const struct tree *t)
{
	const char *near = e->scope->nearest(e->scope->ctx, t->text, t->bytes);
	char        message[160], hint[96];

	(void)snprintf(message, sizeof message,
	               "unknown name \"%.*s\"; write $${...} for a literal ${...}", shown(t),
	               t->text);
	if (near != NULL)
		did_you_mean(hint, sizeof hint, near);
	emit_problem(e, message, near == NULL ? NULL : hint);
}

static void unknown_function(struct emitter *e, const struct tree *t)
{
	struct nearest n;
	char           message[160], hint[96];
	uint32_t       work = NEAREST_WORK;

	nearest_init(&n, t->text, t->bytes, &work);
	for (uint32_t i = 0; i < EXPR_FN_COUNT; i++)
		nearest_offer(&n, EXPR_FNS[i].name);
	nearest_offer(&n, "default");
	(void)snprintf(message, sizeof message, "unknown function \"%.*s\"", shown(t), t->text);
	if (n.best != NULL)
		did_you_mean(hint, sizeof hint, n.best);
	emit_problem(e, message, n.best == NULL ? NULL : hint);
}

static void wrong_count(struct emitter *e, const struct tree *t, uint32_t least, uint32_t most)
{
	char message[160], wanted[40];

	if (most == EXPR_ARGS_ANY)
		(void)snprintf(wanted, sizeof wanted, "at least %u", least);
	else if (least == most)
		(void)snprintf(wanted, sizeof wanted, "%u", least);
	else
		(void)snprintf(wanted, sizeof wanted, "%u to %u", least, most);
	(void)snprintf(message, sizeof message, "%.*s() takes %s argument%s, not %u", shown(t),
	               t->text, wanted, least == 1 && most == 1 ? "" : "s", t->count);
	emit_problem(e, message, NULL);
}

/* --- code and constants --- */

struct emit_mark emit_mark(const struct emitter *e)
{
	return (struct emit_mark){ e->b->code.op_count, e->b->code.const_count };
}

void emit_cut(struct emitter *e, struct emit_mark mark)
{
	struct expr_code *code = &e->b->code;

	code->op_count = mark.op;
	while (code->const_count > mark.constant)
		value_destroy_immortal(code->consts[--code->const_count]);
}

/* Makes room for one more; NULL when memory ends. */
static void *grow(struct emitter *e, void *at, uint32_t count, uint32_t *room, size_t each)
{
	uint32_t larger = *room == 0 ? 64 : *room * 2;

	if (count < *room)
		return at;
	at = larger < *room ? NULL : realloc(at, larger * each);
	if (at == NULL)
		e->b->failed = e->is_bad = true;
	else
		*room = larger;
	return at;
}

void emit_op(struct emitter *e, enum expr_opcode code, uint32_t small, uint32_t arg, int32_t change)
{
	struct expr_code *c = &e->b->code;
	struct expr_op   *ops = grow(e, c->ops, c->op_count, &e->b->op_room, sizeof ops[0]);

	if (ops == NULL)
		return;
	CHECK(small <= UINT16_MAX);
	c->ops = ops;
	c->ops[c->op_count++] = (struct expr_op){ (uint16_t)code, (uint16_t)small, arg };
	e->depth = (uint32_t)((int32_t)e->depth + change);
	if (e->depth > e->most)
		e->most = e->depth;
}

/* The index of a new constant, which is taken. */
static uint32_t const_new(struct emitter *e, struct value v)
{
	struct expr_code *c = &e->b->code;
	struct value     *consts;

	if (value_is_none(v)) {
		e->b->failed = e->is_bad = true;
		return 0;
	}
	consts = grow(e, c->consts, c->const_count, &e->b->const_room, sizeof consts[0]);
	if (consts == NULL) {
		value_release(e->b->heap, v);
		return 0;
	}
	value_make_immortal(e->b->heap, v);
	c->consts = consts;
	c->consts[c->const_count] = v;
	return c->const_count++;
}

void emit_const(struct emitter *e, struct value v)
{
	emit_op(e, XOP_CONST, 0, const_new(e, v), 1);
}

/* A constant with the text of a name; the last few are shared. */
static uint32_t name_const(struct emitter *e, const char *text, size_t bytes)
{
	const struct expr_code *c = &e->b->code;
	uint32_t                first = c->const_count;

	first -= first < NAMES_REMEMBERED ? first : NAMES_REMEMBERED;
	for (uint32_t i = first; i < c->const_count; i++)
		if (value_is_type(c->consts[i], VALUE_T_TEXT) &&
		    value_text(c->consts[i])->bytes == bytes &&
		    memcmp(value_text(c->consts[i])->at, text, bytes) == 0)
			return i;
	return const_new(e, value_text_new(e->b->heap, text, bytes));
}

/* A forward jump, to be landed; `change` is what it does to the stack when it does not jump. Jumps
 * to one place form a chain through their `arg`: `before` is the last one of it. */
static uint32_t jump(struct emitter *e, enum expr_opcode code, uint32_t small, int32_t change,
                     uint32_t before)
{
	uint32_t at = e->b->code.op_count;

	emit_op(e, code, small, before, change);
	return at;
}

static void land(struct emitter *e, uint32_t last)
{
	struct expr_code *c = &e->b->code;

	while (last != NO_JUMP && !e->is_bad) {
		uint32_t before = c->ops[last].arg;

		c->ops[last].arg = c->op_count - last - 1;
		last = before;
	}
}

static void jump_back(struct emitter *e, enum expr_opcode code, uint32_t to, int32_t change)
{
	uint32_t by = to - (e->b->code.op_count + 1); /* modulo 2 ** 32: read as signed */

	emit_op(e, code, 0, by, change);
}

static enum emit_level fold_if_const(struct emitter *e, struct emit_mark mark,
                                     enum emit_level level)
{
	return level == EMIT_CONST ? emit_fold(e, mark) : level;
}

/* --- names --- */

static bool is_named(const struct tree *t, const char *name)
{
	return t->bytes == strlen(name) && memcmp(t->text, name, t->bytes) == 0;
}

static bool is_loop_variable(const struct emitter *e, const struct tree *t)
{
	return e->loop != NULL && e->loop->bytes == t->bytes &&
	       memcmp(e->loop->text, t->text, t->bytes) == 0;
}

static enum emit_level emit_name(struct emitter *e, const struct tree *t)
{
	uint32_t slot;

	if (is_loop_variable(e, t)) {
		emit_op(e, XOP_LOCAL, 0, e->depth - e->loop_place, 1);
		return EMIT_LOCAL;
	}
	if (e->scope->find(e->scope->ctx, t->text, t->bytes, &slot))
		emit_op(e, XOP_SLOT, slot, name_const(e, t->text, t->bytes), 1);
	else if (is_named(t, "now"))
		emit_op(e, XOP_NOW, 0, 0, 1);
	else if (is_named(t, "job"))
		emit_op(e, XOP_JOB, 0, 0, 1);
	else if (is_named(t, "attempt"))
		emit_op(e, XOP_ATTEMPT, 0, 0, 1);
	else
		unknown_name(e, t);
	return EMIT_DYNAMIC;
}

/* --- operators --- */

static enum emit_level emit_children(struct emitter *e, const struct tree *t)
{
	enum emit_level level = EMIT_CONST;

	for (const struct tree *child = t->first; child != NULL && !e->is_bad; child = child->next)
		level = lower(level, emit(e, child));
	return level;
}

static enum emit_level emit_lazy(struct emitter *e, const struct tree *t)
{
	enum emit_level level;

	e->lazy++;
	level = emit(e, t);
	e->lazy--;
	return level;
}

static enum emit_level emit_compare(struct emitter *e, const struct tree *t)
{
	const struct tree *operand = t->first->next;
	enum emit_level    level = emit(e, t->first);
	uint32_t           end = NO_JUMP;

	level = lower(level, emit(e, operand));
	for (; operand->next != NULL && !e->is_bad; operand = operand->next) {
		end = jump(e, XOP_CHAIN, operand->how, -1, end);
		level = lower(level, emit_lazy(e, operand->next));
	}
	emit_op(e, XOP_COMPARE, operand->how, 0, -1);
	land(e, end);
	return level;
}

static enum emit_level emit_and_or(struct emitter *e, const struct tree *t)
{
	enum emit_level level = emit(e, t->first);
	uint32_t        end = jump(e, t->kind == TREE_AND ? XOP_AND : XOP_OR, 0, -1, NO_JUMP);

	level = lower(level, emit_lazy(e, t->first->next));
	land(e, end);
	return level;
}

static enum emit_level emit_if(struct emitter *e, const struct tree *t)
{
	enum emit_level level = emit(e, t->first);
	uint32_t        no = jump(e, XOP_JUMP_UNLESS, 0, -1, NO_JUMP), end;

	level = lower(level, emit_lazy(e, t->first->next));
	end = jump(e, XOP_JUMP, 0, -1, NO_JUMP); /* either branch leaves one value */
	land(e, no);
	level = lower(level, emit_lazy(e, t->last));
	land(e, end);
	return level;
}

/* --- calls and comprehensions --- */

static enum emit_level emit_default(struct emitter *e, const struct tree *t)
{
	enum emit_level level;
	uint32_t        try, end;

	if (t->count != 2) {
		wrong_count(e, t, 2, 2);
		return EMIT_DYNAMIC;
	}
	try = jump(e, XOP_TRY, 0, 0, NO_JUMP);
	level = emit_lazy(e, t->first);
	end = jump(e, XOP_TRY_END, 0, -1, NO_JUMP);
	land(e, try);
	level = lower(level, emit_lazy(e, t->last));
	land(e, end);
	return level;
}

static enum emit_level emit_call(struct emitter *e, const struct tree *t, bool is_lazy_range)
{
	enum emit_level level;
	uint32_t        fn = 0;

	if (is_named(t, "default"))
		return emit_default(e, t);
	while (fn < EXPR_FN_COUNT && !is_named(t, EXPR_FNS[fn].name))
		fn++;
	if (fn == EXPR_FN_COUNT) {
		unknown_function(e, t);
		return EMIT_DYNAMIC;
	}
	if (t->count < EXPR_FNS[fn].least ||
	    (EXPR_FNS[fn].most != EXPR_ARGS_ANY && t->count > EXPR_FNS[fn].most)) {
		wrong_count(e, t, EXPR_FNS[fn].least, EXPR_FNS[fn].most);
		return EMIT_DYNAMIC;
	}
	level = emit_children(e, t);
	is_lazy_range = is_lazy_range && is_named(t, "range");
	emit_op(e, is_lazy_range ? XOP_LAZY_RANGE : XOP_CALL, fn, t->count, 1 - (int32_t)t->count);
	return level;
}

/* What the item and the condition of a comprehension depend on is its own affair, unless it is
 * something outside. */
static enum emit_level emit_for(struct emitter *e, const struct tree *t)
{
	const struct tree *item = t->first, *source = item->next, *condition = source->next;
	const struct tree *outer = e->loop;
	uint32_t           outer_place = e->loop_place, start, end, skip = NO_JUMP;
	enum emit_level    level = emit(e, source), inside = EMIT_CONST;

	emit_op(e, XOP_ITER, 0, 0, 2);
	start = e->b->code.op_count;
	end = jump(e, XOP_NEXT, 0, 1, NO_JUMP);
	e->loop = t;
	e->loop_place = e->depth - 1;
	if (condition != NULL) {
		inside = emit_lazy(e, condition);
		skip = jump(e, XOP_JUMP_UNLESS, 0, -1, NO_JUMP);
	}
	inside = lower(inside, emit_lazy(e, item));
	jump_back(e, XOP_APPEND, start, -1); /* behind it the variable still counts */
	if (skip != NO_JUMP) {
		land(e, skip);
		jump_back(e, XOP_SKIP, start, 0);
	}
	e->loop = outer;
	e->loop_place = outer_place;
	land(e, end);
	e->depth--; /* the variable, which is gone on every way to here */
	emit_op(e, XOP_ITER_END, 0, 0, -2);
	return inside == EMIT_DYNAMIC ? EMIT_DYNAMIC : level;
}

/* --- */

static enum emit_level emit_part(struct emitter *e, const struct tree *t, bool is_lazy_range)
{
	enum emit_level level;

	switch (t->kind) {
	case TREE_CONST:
		emit_const(e, t->constant);
		return EMIT_CONST;
	case TREE_INT:
		emit_const(e, value_int(e->b->heap, t->number));
		return EMIT_CONST;
	case TREE_TEXT:
		emit_const(e, value_text_new(e->b->heap, t->text, t->bytes));
		return EMIT_CONST;
	case TREE_NAME:
		return emit_name(e, t);
	case TREE_COMPARE:
		return emit_compare(e, t);
	case TREE_AND:
	case TREE_OR:
		return emit_and_or(e, t);
	case TREE_IF:
		return emit_if(e, t);
	case TREE_FOR:
		return emit_for(e, t);
	case TREE_CALL:
		return emit_call(e, t, is_lazy_range);
	case TREE_MEMBER:
	case TREE_INDEX:
	case TREE_SLICE:
	case TREE_UNARY:
	case TREE_BINARY:
	case TREE_LIST:
	case TREE_DICT:
		break;
	}
	level = emit_children(e, t);
	if (t->kind == TREE_MEMBER)
		emit_op(e, XOP_MEMBER, 0, name_const(e, t->text, t->bytes), 0);
	else if (t->kind == TREE_INDEX)
		emit_op(e, XOP_INDEX, 0, 0, -1);
	else if (t->kind == TREE_SLICE)
		emit_op(e, XOP_SLICE, 0, 0, -3);
	else if (t->kind == TREE_LIST)
		emit_op(e, XOP_LIST, 0, t->count, 1 - (int32_t)t->count);
	else if (t->kind == TREE_DICT)
		emit_op(e, XOP_DICT, 0, t->count / 2, 1 - (int32_t)t->count);
	else
		emit_op(e, t->op, 0, 0, 1 - (int32_t)t->count);
	return level;
}

enum emit_level emit_tree(struct emitter *e, const struct tree *t, bool is_lazy_range)
{
	struct emit_mark mark = emit_mark(e);
	enum emit_level  level = e->is_bad ? EMIT_DYNAMIC : emit_part(e, t, is_lazy_range);

	if (t->kind == TREE_CONST || t->kind == TREE_INT || t->kind == TREE_TEXT)
		return level;
	return fold_if_const(e, mark, level);
}

static enum emit_level emit(struct emitter *e, const struct tree *t)
{
	return emit_tree(e, t, false);
}
