/* Many items to one: min, max, sum, any, all. */
#include "daemon/expr/fn.h"

/* The first of the least, or greatest, of `count` > 0 items; a new reference. */
static struct value best_of(struct expr_run *r, enum expr_compare how, const struct value *at,
                            uint32_t count)
{
	struct value best = at[0];

	/* Alone it would come out uncompared. */
	if (expr_refuse_handle(r, best, "be compared"))
		return VALUE_NONE;
	for (uint32_t i = 1; i < count; i++) {
		bool is_better;

		if (!expr_charge(r, 1) || !expr_compare(r, how, at[i], best, &is_better))
			return VALUE_NONE;
		if (is_better)
			best = at[i];
	}
	return value_retain(best);
}

static struct value best_of_args(struct expr_run *r, enum expr_compare how, const char *name,
                                 const struct value *args, uint32_t count)
{
	struct value items, best = VALUE_NONE;

	if (count > 1)
		return best_of(r, how, args, count);
	items = expr_items(r, args[0]);
	if (value_is_none(items))
		return VALUE_NONE;
	if (value_list(items)->count == 0)
		expr_raise(r, "ValueError", "%s() arg is an empty sequence", name);
	else
		best = best_of(r, how, value_list(items)->at, value_list(items)->count);
	value_release(r->heap, items);
	return best;
}

struct value expr_fn_min(struct expr_run *r, const struct value *args, uint32_t count)
{
	return best_of_args(r, XCMP_LT, "min", args, count);
}

struct value expr_fn_max(struct expr_run *r, const struct value *args, uint32_t count)
{
	return best_of_args(r, XCMP_GT, "max", args, count);
}

/* Takes `total`. */
static struct value add_all(struct expr_run *r, struct value total, const struct vlist *items)
{
	for (uint32_t i = 0; i < items->count && !value_is_none(total); i++) {
		struct value next = VALUE_NONE;

		if (expr_charge(r, 1))
			next = expr_binary(r, XOP_ADD, total, items->at[i]);
		value_release(r->heap, total);
		total = next;
	}
	return total;
}

struct value expr_fn_sum(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value items, total = value_int(r->heap, 0);

	if (count == 2) {
		if (value_is_type(args[1], VALUE_T_TEXT))
			return expr_raise_type(r, "sum() can't sum strings; use join(\"\", items)");
		if (expr_refuse_handle(r, args[1], "be an operand"))
			return VALUE_NONE;
		total = value_retain(args[1]);
	}
	items = expr_items(r, args[0]);
	if (value_is_none(items)) {
		value_release(r->heap, total);
		return VALUE_NONE;
	}
	total = add_all(r, total, value_list(items));
	value_release(r->heap, items);
	return total;
}

/* Whether some item has the truth `wanted`. */
static bool some(struct expr_run *r, struct value v, bool wanted, bool *out)
{
	struct value items = expr_items(r, v);
	bool         is_ok = !value_is_none(items);

	*out = false;
	for (uint32_t i = 0; is_ok && !*out && i < value_list(items)->count; i++) {
		is_ok = expr_charge(r, 1) && expr_truth(r, value_list(items)->at[i], out);
		*out = is_ok && *out == wanted;
	}
	value_release(r->heap, items);
	return is_ok;
}

struct value expr_fn_any(struct expr_run *r, const struct value *args, uint32_t count)
{
	bool yes;

	(void)count;
	return some(r, args[0], true, &yes) ? value_bool(yes) : VALUE_NONE;
}

struct value expr_fn_all(struct expr_run *r, const struct value *args, uint32_t count)
{
	bool no;

	(void)count;
	return some(r, args[0], false, &no) ? value_bool(!no) : VALUE_NONE;
}
