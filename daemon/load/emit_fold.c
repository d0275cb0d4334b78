#include "daemon/load/emit_expr.h"

#include <stdio.h>

#define FOLD_FUEL 500  /* steps of one folding */
#define FOLD_HEAVY 200 /* foldings of one program that may take that many */
#define FOLD_VALUES 64 /* in its result */
#define FOLD_BYTES 512 /* of text in its result */

/* What a copy may still hold. */
struct budget {
	uint32_t values;
	uint32_t bytes;
};

/* A fresh copy in which nothing is shared with anything, so that it can become immortal. VALUE_NONE
 * when it would hold too much, or memory ends. */
static struct value copy_value(struct value_heap *h, struct value v, struct budget *left)
{
	struct value copy = VALUE_NONE;
	bool         is_list = value_is_type(v, VALUE_T_LIST);
	uint32_t     count;

	if (left->values == 0)
		return VALUE_NONE;
	left->values--;
	if (!value_is_obj(v))
		return v;
	if (value_type(v) == VALUE_T_INT)
		return value_int(h, value_as_int(v));
	if (value_is_type(v, VALUE_T_TEXT)) {
		if (value_text(v)->bytes > left->bytes)
			return VALUE_NONE;
		left->bytes -= value_text(v)->bytes;
		return value_text_new(h, value_text(v)->at, value_text(v)->bytes);
	}
	if (!is_list && !value_is_type(v, VALUE_T_DICT))
		return VALUE_NONE;
	count = is_list ? value_list(v)->count : value_dict(v)->count;
	copy = is_list ? value_list_new(h, 0) : value_dict_new(h, 0);
	for (uint32_t i = 0; i < count && !value_is_none(copy); i++) {
		struct value item = is_list ? value_list(v)->at[i] : value_dict(v)->at[i].value;
		struct value key =
			is_list ? VALUE_NULL : copy_value(h, value_dict(v)->at[i].key, left);

		item = copy_value(h, item, left);
		if (value_is_none(item) || value_is_none(key)) {
			value_release(h, item);
			value_release(h, key);
			value_release(h, copy);
			return VALUE_NONE;
		}
		copy = is_list ? value_list_append(h, copy, item)
		               : value_dict_put(h, copy, key, item);
	}
	return copy;
}

static enum emit_level fold_failed(struct emitter *e, const struct expr_error *why)
{
	char message[280];

	if (why->type == NULL)
		e->b->failed = e->is_bad = true;
	else if (e->lazy == 0 && strcmp(why->type, "LimitError") != 0) {
		(void)snprintf(message, sizeof message, "this can only fail: %s: %s", why->type,
		               why->message);
		emit_problem(e, message, NULL);
	}
	return EMIT_DYNAMIC; /* when it runs, it fails or takes its time */
}

/* Whether the code since `mark` may take many steps, or give something much larger than it is: it
 * calls a function, goes over something, or repeats a text or a list. */
static bool is_heavy(const struct expr_code *code, struct emit_mark mark)
{
	bool has_product = false, has_object = false;

	for (uint32_t i = mark.op; i < code->op_count; i++) {
		const struct expr_op *op = &code->ops[i];

		if (op->code == XOP_CALL || op->code == XOP_ITER)
			return true;
		has_product = has_product || op->code == XOP_MUL;
		has_object = has_object ||
		             (op->code == XOP_CONST && value_is_obj(code->consts[op->arg]));
	}
	return has_product && has_object;
}

/* Many small texts that each fold to a large one would make a small spec a large program. */
static bool may_fold(struct emitter *e, struct emit_mark mark)
{
	if (!is_heavy(&e->b->code, mark))
		return true;
	return e->b->heavy_folds++ < FOLD_HEAVY;
}

enum emit_level emit_fold(struct emitter *e, struct emit_mark mark)
{
	struct value_heap *h = e->b->heap;
	struct expr_code  *code = &e->b->code;
	struct expr        x = { .kind = EXPR_CODE, .first = mark.op, .stack = e->most + 1 };
	struct budget      left = { FOLD_VALUES, FOLD_BYTES };
	struct expr_error  why;
	struct value       v, copy;
	uint32_t           fuel = FOLD_FUEL;

	if (e->is_bad || !may_fold(e, mark))
		return EMIT_DYNAMIC;
	x.count = code->op_count - mark.op;
	if (!expr_eval(h, code, &x, NULL, &fuel, &v, &why))
		return fold_failed(e, &why);
	copy = copy_value(h, v, &left);
	value_release(h, v);
	if (h->failed)
		e->b->failed = e->is_bad = true;
	if (value_is_none(copy))
		return EMIT_DYNAMIC;
	emit_cut(e, mark);
	e->depth--;
	emit_const(e, copy);
	return EMIT_CONST;
}
