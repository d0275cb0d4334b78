/* raise, and the ops that handlers are made of. */
#include "daemon/expr/run.h"
#include "daemon/engine/ops.h"

/* --- raise --- */

/* The member of a dict as text: "" when it is not there. */
static bool raised_text(struct running *r, struct value from, const char *key, struct value *out)
{
	struct value v = value_dict_get(from, key, strlen(key));

	if (value_is_none(v))
		v = VALUE_NULL;
	if (value_is_null(v)) {
		*out = value_text_new(&r->e->heap, "", 0);
		return true;
	}
	if (value_is_type(v, VALUE_T_TEXT)) {
		*out = value_retain(v);
		return true;
	}
	(void)raise_text(r, "TypeError", "\"%s\" of \"raise\" wants text, not %s", key,
	                 value_type_name(v));
	return false;
}

static bool is_raise_key(struct value key)
{
	static const char *const KEYS[] = { "type", "message", "data", "path" };

	for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
		if (strcmp(value_text(key)->at, KEYS[i]) == 0)
			return true;
	return false;
}

static enum step raise_dict(struct running *r, struct value from)
{
	struct value_heap *h = &r->e->heap;
	struct value       type, message, data, exc;

	for (uint32_t i = 0; i < value_dict(from)->count; i++)
		if (!is_raise_key(value_dict(from)->at[i].key))
			return raise_text(r, "TypeError", "\"%.64s\" is not a member of an error",
			                  value_text(value_dict(from)->at[i].key)->at);
	if (!raised_text(r, from, "type", &type))
		return STEP_RAISED;
	if (value_text(type)->bytes == 0 || !raised_text(r, from, "message", &message)) {
		bool is_empty = value_text(type)->bytes == 0;

		value_release(h, type);
		return is_empty ? raise_text(r, "TypeError", "an error needs a \"type\"")
		                : STEP_RAISED;
	}
	exc = exception_new(r->e, r->j, r->t, value_text(type)->at, value_text(message)->at,
	                    value_text(message)->bytes);
	data = value_dict_get(from, "data", 4);
	if (!value_is_none(data))
		exc = member_put(r->e, exc, MEMBER_DATA, value_retain(data));
	value_release(h, type);
	value_release(h, message);
	return raise_value(r, exc);
}

enum step op_raise(struct running *r, const struct op *op)
{
	struct value v;
	enum step    step;

	if (!eval(r, op->a, &v) || !must_be_sayable(r, v, "an error"))
		return STEP_RAISED;
	if (value_is_type(v, VALUE_T_TEXT) && value_text(v)->bytes > 0)
		step = raise_value(r, exception_new(r->e, r->j, r->t, value_text(v)->at, "", 0));
	else if (value_is_type(v, VALUE_T_DICT))
		step = raise_dict(r, v);
	else
		step = raise_text(r, "TypeError", "\"raise\" wants a type or an error, not %s",
		                  value_is_type(v, VALUE_T_TEXT) ? "empty text"
		                                                 : value_type_name(v));
	value_release(&r->e->heap, v);
	return step;
}

/* --- except, finally --- */

enum step op_except(struct running *r, const struct op *op)
{
	struct value exc = r->t->top->slots[op->b + 1];
	const char  *type = value_text(r->j->program->exprs[op->c].constant)->at;
	bool         is_caught =
                strcmp(type, "*") == 0 ? exception_is_ordinary(exc) : exception_is(exc, type);

	if (is_caught)
		slot_set(r, op->dst, value_retain(exc));
	else
		r->t->top->pc = op->a - 1;
	return STEP_NEXT;
}

enum step op_normal(struct running *r, const struct op *op)
{
	slot_set(r, op->dst, value_int(&r->e->heap, LEAVE_NORMAL));
	slot_set(r, op->dst + 1u, VALUE_NONE);
	return STEP_NEXT;
}

enum step op_reraise(struct running *r, const struct op *op)
{
	return raise_value(r, value_retain(r->t->top->slots[op->b + 1]));
}

enum step op_leave(struct running *r, const struct op *op)
{
	struct value *slots = r->t->top->slots;
	enum leave    how = (enum leave)value_as_int(slots[op->b]);
	struct value  v = slots[op->b + 1];

	slots[op->b + 1] = VALUE_NONE;
	switch (how) {
	case LEAVE_NORMAL:
		return STEP_NEXT;
	case LEAVE_RAISE:
		return raise_value(r, v);
	case LEAVE_RETURN:
		return unwind(r, LEAVE_RETURN, v);
	}
	CHECK_NEVER("no way to leave");
}
