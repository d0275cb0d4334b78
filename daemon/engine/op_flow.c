#include "daemon/expr/run.h"
#include "daemon/engine/ops.h"

enum step op_eval(struct running *r, const struct op *op)
{
	struct value v;

	if (!eval(r, op->a, &v))
		return STEP_RAISED;
	slot_set(r, op->dst, v);
	return STEP_NEXT;
}

enum step op_jump_unless(struct running *r, const struct op *op)
{
	struct value v;
	bool         is_true;

	if (!eval(r, op->b, &v))
		return STEP_RAISED;
	if (value_is_type(v, VALUE_T_TASK)) {
		value_release(&r->e->heap, v);
		return raise_text(r, "TypeError", "a task handle has no truth value");
	}
	is_true = value_is_true(v);
	value_release(&r->e->heap, v);
	/* The step function adds one. */
	if (!is_true)
		r->t->top->pc = op->a - 1;
	return STEP_NEXT;
}

struct value iterable_of(struct running *r, struct value v)
{
	struct value_heap *h = &r->e->heap;
	struct value       keys;

	if (value_is_type(v, VALUE_T_LIST) || value_is_type(v, VALUE_T_RANGE))
		return v;
	if (!value_is_type(v, VALUE_T_DICT)) {
		(void)raise_text(r, "TypeError", "\"in\" wants a list or an object, not %s",
		                 value_type_name(v));
		value_release(h, v);
		return VALUE_NONE;
	}
	keys = value_list_new(h, value_dict(v)->count);
	for (uint32_t i = 0; i < value_dict(v)->count; i++)
		keys = value_list_append(h, keys, value_retain(value_dict(v)->at[i].key));
	value_release(h, v);
	if (value_is_none(keys))
		(void)raise_value(r, VALUE_NULL);
	return keys;
}

uint32_t iterable_count(struct value v)
{
	return value_is_type(v, VALUE_T_RANGE) ? value_range(v)->count : value_list(v)->count;
}

struct value iterable_at(struct value_heap *h, struct value v, uint32_t i)
{
	if (value_is_type(v, VALUE_T_RANGE))
		return value_int(h, value_range(v)->first + value_range(v)->step * (int64_t)i);
	return value_retain(value_list(v)->at[i]);
}

enum step op_iter(struct running *r, const struct op *op)
{
	struct value v;

	if (!eval(r, op->a, &v))
		return STEP_RAISED;
	v = iterable_of(r, v);
	if (value_is_none(v))
		return STEP_RAISED;
	slot_set(r, op->dst, v);
	slot_set(r, op->dst + 1u, value_int(&r->e->heap, 0));
	return STEP_NEXT;
}

enum step op_next(struct running *r, const struct op *op)
{
	struct value *slots = r->t->top->slots;
	int64_t       round = value_as_int(slots[op->b + 1]);

	if ((uint32_t)round >= iterable_count(slots[op->b])) {
		slot_set(r, op->b, VALUE_NONE);
		r->t->top->pc = op->a - 1;
		return STEP_NEXT;
	}
	slot_set(r, op->dst, iterable_at(&r->e->heap, slots[op->b], (uint32_t)round));
	slots[op->b + 1] = value_int(&r->e->heap, round + 1);
	return STEP_NEXT;
}

enum step op_append(struct running *r, const struct op *op)
{
	struct value *slots = r->t->top->slots;
	struct value  item = slots[op->b];

	slots[op->b] = VALUE_NONE;
	slots[op->dst] = value_list_append(&r->e->heap, slots[op->dst], item);
	return STEP_NEXT;
}

enum step op_return(struct running *r, const struct op *op)
{
	struct value v;

	if (!eval(r, op->a, &v))
		return STEP_RAISED;
	return unwind(r, LEAVE_RETURN, v);
}

/* --- match --- */

enum step op_match_text(struct running *r, const struct op *op)
{
	struct buf  *b = &r->e->scratch;
	struct value v;

	if (!eval(r, op->a, &v))
		return STEP_RAISED;
	if (!must_be_sayable(r, v, "what is matched"))
		return STEP_RAISED;
	if (!value_is_type(v, VALUE_T_TEXT)) {
		buf_clear(b);
		value_write_text(b, v);
		value_release(&r->e->heap, v);
		v = value_text_new(&r->e->heap, b->at, b->bytes);
	}
	slot_set(r, op->dst, v);
	return STEP_NEXT;
}

enum step op_case(struct running *r, const struct op *op)
{
	const struct vtext *text = value_text(r->t->top->slots[op->b]);
	const struct vtext *literal = value_text(r->j->program->exprs[op->c].constant);

	if (text->bytes != literal->bytes || memcmp(text->at, literal->at, text->bytes) != 0)
		r->t->top->pc = op->a - 1;
	return STEP_NEXT;
}
