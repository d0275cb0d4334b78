#include "daemon/expr/fn.h"

#include "daemon/value/limits.h"

#include <stdlib.h>

struct value expr_fn_len(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value v = args[0];

	(void)count;
	if (value_is_type(v, VALUE_T_TEXT))
		return value_int(r->heap, value_text(v)->chars);
	if (value_is_type(v, VALUE_T_LIST))
		return value_int(r->heap, value_list(v)->count);
	if (value_is_type(v, VALUE_T_DICT))
		return value_int(r->heap, value_dict(v)->count);
	if (expr_refuse_handle(r, v, "have a length"))
		return VALUE_NONE;
	return expr_raise_type(r, "object of type '%s' has no len()", value_type_name(v));
}

/* --- range() --- */

static bool read_range(struct expr_run *r, const struct value *args, uint32_t count, int64_t out[3])
{
	out[0] = 0;
	out[2] = 1;
	for (uint32_t i = 0; i < count; i++) {
		if (expr_refuse_handle(r, args[i], "be a number"))
			return false;
		if (!expr_is_integral(args[i])) {
			expr_raise_type(r, "'%s' object cannot be interpreted as an integer",
			                value_type_name(args[i]));
			return false;
		}
		out[count == 1 ? 1 : i] = expr_int_of(args[i]);
	}
	if (out[2] != 0)
		return true;
	expr_raise(r, "ValueError", "range() arg 3 must not be zero");
	return false;
}

/* How many numbers; the distance of two int64 may need all 64 bits. */
static uint64_t range_count(const int64_t range[3])
{
	uint64_t first = (uint64_t)range[0], end = (uint64_t)range[1], step = (uint64_t)range[2];

	if (range[2] > 0)
		return range[0] < range[1] ? (end - first - 1) / step + 1 : 0;
	return range[0] > range[1] ? (first - end - 1) / (0 - step) + 1 : 0;
}

static struct value count_limit(struct expr_run *r, uint64_t count)
{
	return expr_raise(r, "LimitError", "range() of %llu numbers, more than %d",
	                  (unsigned long long)count, RANGE_ELEMENTS_MAX);
}

struct value expr_lazy_range(struct expr_run *r, const struct value *args, uint32_t count)
{
	int64_t  range[3];
	uint64_t numbers;

	if (!read_range(r, args, count, range))
		return VALUE_NONE;
	numbers = range_count(range);
	if (numbers > RANGE_ELEMENTS_MAX)
		return count_limit(r, numbers);
	return value_range_new(r->heap, range[0], range[2], (uint32_t)numbers);
}

struct value expr_fn_range(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value list = VALUE_NONE;
	int64_t      range[3];
	uint64_t     numbers;

	if (!read_range(r, args, count, range))
		return VALUE_NONE;
	numbers = range_count(range);
	if (numbers > RANGE_ELEMENTS_MAX)
		return count_limit(r, numbers);
	if (expr_charge_bytes(r, numbers * sizeof list))
		list = value_list_new(r->heap, (uint32_t)numbers);
	/* Unsigned, since a step too many may leave the 64 bits before it is taken back. */
	for (uint64_t i = 0; i < numbers && !value_is_none(list); i++)
		list = value_list_append(
			r->heap, list,
			value_int(r->heap, (int64_t)((uint64_t)range[0] + i * (uint64_t)range[2])));
	return list;
}

/* --- order --- */

/* A copy of a list, with one reference. */
static struct value copy_list(struct expr_run *r, const struct vlist *from)
{
	struct value list = VALUE_NONE;

	if (expr_charge_bytes(r, from->count * sizeof list))
		list = value_list_new(r->heap, from->count);
	for (uint32_t i = 0; i < from->count && !value_is_none(list); i++)
		list = value_list_append(r->heap, list, value_retain(from->at[i]));
	return list;
}

/* The items of anything that can be iterated, as a list that nobody else holds. */
static struct value own_items(struct expr_run *r, struct value v)
{
	struct value items = expr_items(r, v), copy;

	if (value_is_none(items) || value_obj(items)->refs == 1)
		return items;
	copy = copy_list(r, value_list(items));
	value_release(r->heap, items);
	return copy;
}

static bool sort_in_place(struct expr_run *r, struct vlist *list)
{
	struct value *scratch = malloc(list->count * sizeof scratch[0] + 1);
	bool          is_ok;

	if (scratch == NULL) {
		r->heap->failed = true;
		return false;
	}
	is_ok = expr_sort(r, list->at, scratch, list->count);
	free(scratch);
	return is_ok;
}

struct value expr_fn_sorted(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value list = own_items(r, args[0]);

	(void)count;
	if (value_is_none(list) || sort_in_place(r, value_list(list)))
		return list;
	value_release(r->heap, list);
	return VALUE_NONE;
}

struct value expr_fn_reversed(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value  list = VALUE_NONE;
	struct vlist *l;

	(void)count;
	list = own_items(r, args[0]);
	if (value_is_none(list))
		return list;
	l = value_list(list);
	for (uint32_t i = 0; i < l->count / 2; i++) {
		struct value v = l->at[i];

		l->at[i] = l->at[l->count - 1 - i];
		l->at[l->count - 1 - i] = v;
	}
	return list;
}

/* --- dicts --- */

static bool is_dict(struct expr_run *r, struct value v, const char *name)
{
	if (value_is_type(v, VALUE_T_DICT))
		return true;
	if (!expr_refuse_handle(r, v, "be an object"))
		expr_raise_type(r, "%s() argument must be an object, not '%s'", name,
		                value_type_name(v));
	return false;
}

struct value expr_fn_keys(struct expr_run *r, const struct value *args, uint32_t count)
{
	(void)count;
	return is_dict(r, args[0], "keys") ? expr_items(r, args[0]) : VALUE_NONE;
}

struct value expr_fn_values(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value  list = VALUE_NONE;
	struct vdict *dict;

	(void)count;
	if (!is_dict(r, args[0], "values"))
		return VALUE_NONE;
	dict = value_dict(args[0]);
	if (expr_charge_bytes(r, dict->count * sizeof list))
		list = value_list_new(r->heap, dict->count);
	for (uint32_t i = 0; i < dict->count && !value_is_none(list); i++)
		list = value_list_append(r->heap, list, value_retain(dict->at[i].value));
	return list;
}

/* [a, b], which takes both. */
static struct value pair(struct expr_run *r, struct value a, struct value b)
{
	struct value list = value_list_new(r->heap, 2);

	list = value_list_append(r->heap, list, a);
	return value_list_append(r->heap, list, b);
}

/* Charges for `count` lists of `each` items inside a list. */
static struct value table_new(struct expr_run *r, uint32_t count, uint32_t each)
{
	uint64_t row = sizeof(struct vlist) + (1 + (uint64_t)each) * sizeof(struct value);

	return expr_charge_bytes(r, count * row) ? value_list_new(r->heap, count) : VALUE_NONE;
}

struct value expr_fn_items(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value  list;
	struct vdict *dict;

	(void)count;
	if (!is_dict(r, args[0], "items"))
		return VALUE_NONE;
	dict = value_dict(args[0]);
	list = table_new(r, dict->count, 2);
	for (uint32_t i = 0; i < dict->count && !value_is_none(list); i++)
		list = value_list_append(
			r->heap, list,
			pair(r, value_retain(dict->at[i].key), value_retain(dict->at[i].value)));
	return list;
}

/* --- side by side --- */

static struct value row_at(struct expr_run *r, const struct vlist *columns, uint32_t i)
{
	struct value row = value_list_new(r->heap, columns->count);

	for (uint32_t c = 0; c < columns->count; c++)
		row = value_list_append(r->heap, row,
		                        value_retain(value_list(columns->at[c])->at[i]));
	return row;
}

static struct value zip_columns(struct expr_run *r, const struct vlist *columns)
{
	uint32_t     rows = columns->count == 0 ? 0 : UINT32_MAX;
	struct value list;

	for (uint32_t c = 0; c < columns->count; c++)
		if (value_list(columns->at[c])->count < rows)
			rows = value_list(columns->at[c])->count;
	list = table_new(r, rows, columns->count);
	for (uint32_t i = 0; i < rows && !value_is_none(list); i++)
		list = value_list_append(r->heap, list, row_at(r, columns, i));
	return list;
}

struct value expr_fn_zip(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value columns = value_list_new(r->heap, count), list = VALUE_NONE;
	bool         is_ok = !value_is_none(columns);

	for (uint32_t i = 0; i < count && is_ok; i++) {
		struct value items = expr_items(r, args[i]);

		is_ok = !value_is_none(items);
		if (is_ok)
			columns = value_list_append(r->heap, columns, items);
	}
	if (is_ok)
		list = zip_columns(r, value_list(columns));
	value_release(r->heap, columns);
	return list;
}

static struct value number_items(struct expr_run *r, const struct vlist *items, int64_t number)
{
	struct value list = table_new(r, items->count, 2);

	for (uint32_t i = 0; i < items->count && !value_is_none(list); i++)
		list = value_list_append(
			r->heap, list,
			pair(r, value_int(r->heap, number + i), value_retain(items->at[i])));
	return list;
}

struct value expr_fn_enumerate(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value items, list = VALUE_NONE;
	int64_t      first = 0, last = 0;

	if (count == 2) {
		if (expr_refuse_handle(r, args[1], "be a number"))
			return VALUE_NONE;
		if (!expr_is_integral(args[1]))
			return expr_raise_type(r, "'%s' object cannot be interpreted as an integer",
			                       value_type_name(args[1]));
		first = expr_int_of(args[1]);
	}
	items = expr_items(r, args[0]);
	if (value_is_none(items))
		return VALUE_NONE;
	if (value_list(items)->count > 0 &&
	    __builtin_add_overflow(first, value_list(items)->count - 1, &last))
		expr_raise(r, "OverflowError", "enumerate() from %lld leaves the 64-bit integers",
		           (long long)first);
	else
		list = number_items(r, value_list(items), first);
	value_release(r->heap, items);
	return list;
}
