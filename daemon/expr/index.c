/* a.b, a[i], a[first:end:step] */
#include "daemon/expr/run.h"

#include "daemon/value/limits.h"

static struct value no_key(struct expr_run *r, struct value key)
{
	char shown[EXPR_SHOWN_BYTES + 8];

	return expr_raise(r, "KeyError", "%s", expr_show(key, shown));
}

static struct value get(struct expr_run *r, struct value dict, struct value key)
{
	struct value v = value_dict_get(dict, value_text(key)->at, value_text(key)->bytes);

	return value_is_none(v) ? no_key(r, key) : value_retain(v);
}

struct value expr_member(struct expr_run *r, struct value v, struct value name)
{
	if (value_is_type(v, VALUE_T_DICT))
		return get(r, v, name);
	if (expr_refuse_handle(r, v, "have members"))
		return VALUE_NONE;
	return expr_raise_type(r, "'%s' object has no member '%.100s'", value_type_name(v),
	                       value_text(name)->at);
}

/* --- one item --- */

const char *expr_chars_at(const struct vtext *text, uint32_t first)
{
	const char *at = text->at;

	if (text->chars == text->bytes)
		return at + first;
	for (; first > 0; first--)
		do
			at++;
		while (((unsigned char)*at & 0xc0) == 0x80);
	return at;
}

/* Text of `count` characters. Without ASCII alone, finding them means reading what is before. */
static struct value part_of_text(struct expr_run *r, const struct vtext *text, uint32_t first,
                                 uint32_t count)
{
	const char *from;

	if (text->chars != text->bytes && !expr_charge(r, text->bytes / 2))
		return VALUE_NONE;
	from = expr_chars_at(text, first);
	if (text->chars == text->bytes)
		return expr_text(r, from, count);
	return expr_text(r, from, (size_t)(expr_chars_at(text, first + count) - from));
}

static struct value at_index(struct expr_run *r, struct value v, int64_t index)
{
	bool     is_list = value_is_type(v, VALUE_T_LIST);
	uint32_t count = is_list ? value_list(v)->count : value_text(v)->chars;

	if (index >= count || index < -(int64_t)count)
		return expr_raise(r, "IndexError", "%s index out of range: %lld, of %u",
		                  is_list ? "list" : "string", (long long)index, count);
	if (index < 0)
		index += count;
	if (is_list)
		return value_retain(value_list(v)->at[index]);
	return part_of_text(r, value_text(v), (uint32_t)index, 1);
}

static struct value at_key(struct expr_run *r, struct value dict, struct value key)
{
	if (value_is_type(key, VALUE_T_TEXT))
		return get(r, dict, key);
	if (value_is_type(key, VALUE_T_LIST) || value_is_type(key, VALUE_T_DICT))
		return expr_raise_type(r, "unhashable type: '%s'", value_type_name(key));
	return no_key(r, key);
}

struct value expr_index(struct expr_run *r, struct value v, struct value index)
{
	if (expr_refuse_handle(r, v, "be indexed") || expr_refuse_handle(r, index, "be an index"))
		return VALUE_NONE;
	if (value_is_type(v, VALUE_T_DICT))
		return at_key(r, v, index);
	if (!value_is_type(v, VALUE_T_LIST) && !value_is_type(v, VALUE_T_TEXT))
		return expr_raise_type(r, "'%s' object is not subscriptable", value_type_name(v));
	if (expr_is_integral(index))
		return at_index(r, v, expr_int_of(index));
	if (value_is_type(v, VALUE_T_LIST))
		return expr_raise_type(r, "list indices must be integers or slices, not %s",
		                       value_type_name(index));
	return expr_raise_type(r, "string indices must be integers, not '%s'",
	                       value_type_name(index));
}

/* --- slices --- */

/* Which items a slice takes: `count` of them, from `first` on, `step` apart. */
struct span {
	int64_t  first;
	int64_t  step;
	uint32_t count;
};

/* One bound, brought into [least, most]; `missing` where it was left out. */
static bool read_bound(struct expr_run *r, struct value v, int64_t length, int64_t least,
                       int64_t most, int64_t missing, int64_t *out)
{
	int64_t number;

	*out = missing;
	if (value_is_null(v))
		return true;
	if (!expr_is_integral(v)) {
		if (!expr_refuse_handle(r, v, "be an index"))
			expr_raise_type(r, "slice indices must be integers or null, not %s",
			                value_type_name(v));
		return false;
	}
	number = expr_int_of(v);
	if (number < 0)
		number += length;
	*out = number < least ? least : number > most ? most : number;
	return true;
}

static bool read_step(struct expr_run *r, struct value v, int64_t *out)
{
	if (!read_bound(r, v, 0, -INT64_MAX, INT64_MAX, 1, out))
		return false;
	if (*out != 0)
		return true;
	expr_raise(r, "ValueError", "slice step cannot be zero");
	return false;
}

static bool read_span(struct expr_run *r, const struct value operands[4], uint32_t length,
                      struct span *out)
{
	int64_t end, distance, n = length;

	if (!read_step(r, operands[3], &out->step))
		return false;
	if (out->step > 0) {
		if (!read_bound(r, operands[1], n, 0, n, 0, &out->first) ||
		    !read_bound(r, operands[2], n, 0, n, n, &end))
			return false;
		distance = end - out->first;
	} else {
		if (!read_bound(r, operands[1], n, -1, n - 1, n - 1, &out->first) ||
		    !read_bound(r, operands[2], n, -1, n - 1, -1, &end))
			return false;
		distance = out->first - end;
	}
	out->count = 0;
	if (distance > 0)
		out->count =
			(uint32_t)((distance - 1) / (out->step > 0 ? out->step : -out->step) + 1);
	return true;
}

static struct value slice_list(struct expr_run *r, const struct vlist *list, const struct span *s)
{
	struct value part = VALUE_NONE;

	if (expr_charge_bytes(r, s->count * sizeof part))
		part = value_list_new(r->heap, s->count);
	for (uint32_t i = 0; i < s->count && !value_is_none(part); i++)
		part = value_list_append(r->heap, part,
		                         value_retain(list->at[s->first + (int64_t)i * s->step]));
	return part;
}

static void add_char(struct buf *b, const char *at)
{
	size_t bytes = 1;

	while (((unsigned char)at[bytes] & 0xc0) == 0x80)
		bytes++;
	buf_add(b, at, bytes);
}

/* Moves from character to character, so that a slice of any text is linear. */
static const char *move_chars(const char *at, int64_t by)
{
	for (; by > 0; by--)
		do
			at++;
		while (((unsigned char)*at & 0xc0) == 0x80);
	for (; by < 0; by++)
		do
			at--;
		while (((unsigned char)*at & 0xc0) == 0x80);
	return at;
}

static struct value slice_text(struct expr_run *r, const struct vtext *text, const struct span *s)
{
	struct buf  b = { .cap = EXPR_RESULT_BYTES_MAX };
	const char *at;

	if (s->step == 1 || s->count == 0)
		return part_of_text(r, text, s->count == 0 ? 0 : (uint32_t)s->first, s->count);
	if (!expr_charge(r, (uint64_t)text->bytes + s->count))
		return VALUE_NONE;
	at = expr_chars_at(text, (uint32_t)s->first);
	for (uint32_t i = 0; i < s->count; i++) {
		add_char(&b, at);
		if (i + 1 < s->count)
			at = move_chars(at, s->step);
	}
	return expr_text_of_buf(r, &b);
}

struct value expr_slice(struct expr_run *r, const struct value operands[4])
{
	struct value v = operands[0];
	struct span  s;

	if (expr_refuse_handle(r, v, "be indexed"))
		return VALUE_NONE;
	if (value_is_type(v, VALUE_T_DICT))
		return expr_raise_type(r, "unhashable type: 'slice'");
	if (value_is_type(v, VALUE_T_LIST)) {
		if (!read_span(r, operands, value_list(v)->count, &s))
			return VALUE_NONE;
		return slice_list(r, value_list(v), &s);
	}
	if (!value_is_type(v, VALUE_T_TEXT))
		return expr_raise_type(r, "'%s' object is not subscriptable", value_type_name(v));
	if (!read_span(r, operands, value_text(v)->chars, &s))
		return VALUE_NONE;
	return slice_text(r, value_text(v), &s);
}
