/* Comparisons, `in`, and the order that sorted(), min() and max() use. */
#include "daemon/expr/run.h"

#include "proto/base/check.h"

/* Lists or dicts that may be equal, so that both have to be read. */
static bool are_alike(struct value a, struct value b)
{
	if (value_is_type(a, VALUE_T_LIST) && value_is_type(b, VALUE_T_LIST))
		return value_list(a)->count == value_list(b)->count;
	if (value_is_type(a, VALUE_T_DICT) && value_is_type(b, VALUE_T_DICT))
		return value_dict(a)->count == value_dict(b)->count;
	return false;
}

static bool equal(struct expr_run *r, struct value a, struct value b, bool *out)
{
	static const char what[] = "be compared";

	*out = false;
	if (expr_refuse_handle(r, a, what) || expr_refuse_handle(r, b, what))
		return false;
	if (are_alike(a, b) && (!expr_charge_data(r, a, what) || !expr_charge_data(r, b, what)))
		return false;
	if (value_is_type(a, VALUE_T_TEXT) && !expr_charge_data(r, a, what))
		return false;
	*out = value_is_equal(a, b);
	return true;
}

/* --- order --- */

static int order_texts(const struct vtext *a, const struct vtext *b)
{
	uint32_t common = a->bytes < b->bytes ? a->bytes : b->bytes;
	int      order = memcmp(a->at, b->at, common);

	/* UTF-8 was made so that bytes have the order of code points. */
	return order != 0 ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static bool refuse_order(struct expr_run *r, const char *symbol, struct value a, struct value b)
{
	if (expr_refuse_handle(r, a, "be compared") || expr_refuse_handle(r, b, "be compared"))
		return false;
	expr_raise_type(r, "'%s' not supported between instances of '%s' and '%s'", symbol,
	                value_type_name(a), value_type_name(b));
	return false;
}

static bool order(struct expr_run *r, const char *symbol, struct value a, struct value b,
                  uint32_t depth, int *out);

/* The first items that are not equal decide; `symbol` matters only for those. */
static bool order_lists(struct expr_run *r, const char *symbol, const struct vlist *a,
                        const struct vlist *b, uint32_t depth, int *out)
{
	if (depth == 0) {
		expr_raise(r, "LimitError", "lists are nested more than %d deep", VALUE_DEPTH_MAX);
		return false;
	}
	for (uint32_t i = 0; i < a->count && i < b->count; i++) {
		bool is_equal;

		if (!expr_charge(r, 1) || !equal(r, a->at[i], b->at[i], &is_equal))
			return false;
		if (!is_equal)
			return order(r, symbol, a->at[i], b->at[i], depth - 1, out);
	}
	*out = (a->count > b->count) - (a->count < b->count);
	return true;
}

static bool order(struct expr_run *r, const char *symbol, struct value a, struct value b,
                  uint32_t depth, int *out)
{
	if (expr_is_number(a) && expr_is_number(b)) {
		*out = value_order_numbers(a, b);
		return true;
	}
	if (value_is_type(a, VALUE_T_TEXT) && value_is_type(b, VALUE_T_TEXT)) {
		*out = order_texts(value_text(a), value_text(b));
		return expr_charge(r, value_text(a)->bytes / EXPR_READ_BYTES_PER_UNIT);
	}
	if (value_is_type(a, VALUE_T_LIST) && value_is_type(b, VALUE_T_LIST))
		return order_lists(r, symbol, value_list(a), value_list(b), depth, out);
	return refuse_order(r, symbol, a, b);
}

bool expr_is_less(struct expr_run *r, struct value a, struct value b, bool *out)
{
	int order_of = 0;

	if (!expr_charge(r, 1) || !order(r, "<", a, b, VALUE_DEPTH_MAX, &order_of))
		return false;
	*out = order_of < 0;
	return true;
}

/* --- in --- */

static bool list_holds(struct expr_run *r, const struct vlist *list, struct value v, bool *out)
{
	*out = false;
	for (uint32_t i = 0; i < list->count && !*out; i++)
		if (!expr_charge(r, 1) || !equal(r, list->at[i], v, out))
			return false;
	return true;
}

static bool text_holds(struct expr_run *r, const struct vtext *text, struct value part, bool *out)
{
	if (!value_is_type(part, VALUE_T_TEXT)) {
		expr_raise_type(r, "'in <string>' requires string as left operand, not %s",
		                value_type_name(part));
		return false;
	}
	*out = memmem(text->at, text->bytes, value_text(part)->at, value_text(part)->bytes) != NULL;
	return expr_charge(r, text->bytes / 2);
}

static bool dict_holds(struct expr_run *r, struct value dict, struct value key, bool *out)
{
	if (value_is_type(key, VALUE_T_LIST) || value_is_type(key, VALUE_T_DICT)) {
		expr_raise_type(r, "unhashable type: '%s'", value_type_name(key));
		return false;
	}
	*out = value_is_type(key, VALUE_T_TEXT) &&
	       !value_is_none(value_dict_get(dict, value_text(key)->at, value_text(key)->bytes));
	return true;
}

static bool holds(struct expr_run *r, struct value whole, struct value v, bool *out)
{
	if (expr_refuse_handle(r, v, "be compared") || expr_refuse_handle(r, whole, "be searched"))
		return false;
	if (value_is_type(whole, VALUE_T_LIST))
		return list_holds(r, value_list(whole), v, out);
	if (value_is_type(whole, VALUE_T_TEXT))
		return text_holds(r, value_text(whole), v, out);
	if (value_is_type(whole, VALUE_T_DICT))
		return dict_holds(r, whole, v, out);
	expr_raise_type(r, "argument of type '%s' is not iterable", value_type_name(whole));
	return false;
}

/* --- */

static bool order_as(struct expr_run *r, const char *symbol, struct value a, struct value b,
                     int *out)
{
	return order(r, symbol, a, b, VALUE_DEPTH_MAX, out);
}

bool expr_compare(struct expr_run *r, enum expr_compare how, struct value a, struct value b,
                  bool *out)
{
	int  order_of = 0;
	bool is_ok = false;

	*out = false; /* what raises says nothing more */
	switch (how) {
	case XCMP_EQ:
	case XCMP_NE:
		is_ok = equal(r, a, b, out);
		*out = *out == (how == XCMP_EQ);
		return is_ok;
	case XCMP_LT:
		is_ok = order_as(r, "<", a, b, &order_of);
		*out = order_of < 0;
		return is_ok;
	case XCMP_LE:
		is_ok = order_as(r, "<=", a, b, &order_of);
		*out = order_of <= 0;
		return is_ok;
	case XCMP_GT:
		is_ok = order_as(r, ">", a, b, &order_of);
		*out = order_of > 0;
		return is_ok;
	case XCMP_GE:
		is_ok = order_as(r, ">=", a, b, &order_of);
		*out = order_of >= 0;
		return is_ok;
	case XCMP_IN:
	case XCMP_NOT_IN:
		is_ok = holds(r, b, a, out);
		*out = *out == (how == XCMP_IN);
		return is_ok;
	}
	CHECK_NEVER("expr_compare: unknown comparison");
}

/* --- sorting --- */

/* Merges from[first, middle) and from[middle, end) into `to`. */
static bool merge(struct expr_run *r, const struct value *from, struct value *to, uint32_t first,
                  uint32_t middle, uint32_t end)
{
	uint32_t left = first, right = middle;

	for (uint32_t at = first; at < end; at++) {
		bool is_right_less = false;

		if (left < middle && right < end &&
		    !expr_is_less(r, from[right], from[left], &is_right_less))
			return false;
		if (left == middle || is_right_less)
			to[at] = from[right++];
		else
			to[at] = from[left++];
	}
	return true;
}

bool expr_sort(struct expr_run *r, struct value *at, struct value *scratch, uint32_t count)
{
	for (uint32_t width = 1; width < count; width *= 2) {
		for (uint32_t first = 0; first < count; first += 2 * width) {
			uint32_t middle = count - first < width ? count : first + width;
			uint32_t end = count - middle < width ? count : middle + width;

			if (!merge(r, at, scratch, first, middle, end))
				return false;
		}
		memcpy(at, scratch, count * sizeof at[0]);
	}
	return true;
}
