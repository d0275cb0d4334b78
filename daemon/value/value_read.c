/* What reads values: truth, equality, JSON. */
#include "daemon/value/value.h"

#include "proto/base/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_number(enum value_type type)
{
	return type == VALUE_T_INT || type == VALUE_T_FLOAT || type == VALUE_T_BOOL;
}

/* The double is compared as the integers on both sides of it, so that nothing is rounded. */
static int order_int_float(int64_t a, double b)
{
	double floor_b = floor(b);

	if (floor_b >= 0x1p63)
		return -1;
	if (floor_b < -0x1p63)
		return 1;
	if (a != (int64_t)floor_b)
		return a < (int64_t)floor_b ? -1 : 1;
	return b > floor_b ? -1 : 0;
}

static int64_t int_or_bool(struct value v)
{
	return value_is_int48(v) || value_is_obj(v) ? value_as_int(v) : (int64_t)value_as_bool(v);
}

int value_order_numbers(struct value a, struct value b)
{
	int64_t m, n;

	if (value_is_float(a) && value_is_float(b)) {
		double x = value_as_float(a), y = value_as_float(b);

		return (x > y) - (x < y);
	}
	if (value_is_float(a))
		return -order_int_float(int_or_bool(b), value_as_float(a));
	m = int_or_bool(a);
	if (value_is_float(b))
		return order_int_float(m, value_as_float(b));
	n = int_or_bool(b);
	return (m > n) - (m < n);
}

bool value_is_true(struct value v)
{
	switch (value_type(v)) {
	case VALUE_T_NONE:
	case VALUE_T_NULL:
		return false;
	case VALUE_T_BOOL:
		return value_as_bool(v);
	case VALUE_T_INT:
		return value_as_int(v) != 0;
	case VALUE_T_FLOAT:
		return value_as_float(v) < 0 || value_as_float(v) > 0;
	case VALUE_T_TEXT:
		return value_text(v)->bytes != 0;
	case VALUE_T_LIST:
		return value_list(v)->count != 0;
	case VALUE_T_DICT:
		return value_dict(v)->count != 0;
	case VALUE_T_RANGE:
		return value_range(v)->count != 0;
	case VALUE_T_BIGINT:
	case VALUE_T_TASK:
	case VALUE_T_JOIN:
	case VALUE_T_WAITER:
	case VALUE_T_TIMEOUT:
	case VALUE_T_GENERATOR:
	case VALUE_T_UNDO:
	case VALUE_T_PERMIT:
	case VALUE_T_EXEC:
	case VALUE_T_EVENT:
	case VALUE_T_EVENT_WAIT:
	case VALUE_T_CHILD:
		break;
	}
	return true;
}

static bool equal_below(struct value a, struct value b, uint32_t depth);

static bool equal_lists(const struct vlist *a, const struct vlist *b, uint32_t depth)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!equal_below(a->at[i], b->at[i], depth))
			return false;
	return true;
}

static bool equal_dicts(const struct vdict *a, struct value b, uint32_t depth)
{
	if (a->count != value_dict(b)->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		const struct vtext *key = value_text(a->at[i].key);

		if (!equal_below(a->at[i].value, value_dict_get(b, key->at, key->bytes), depth))
			return false;
	}
	return true;
}

static bool equal_below(struct value a, struct value b, uint32_t depth)
{
	enum value_type type = value_type(a);
	enum value_type other = value_type(b);

	if (is_number(type) && is_number(other))
		return value_order_numbers(a, b) == 0;
	if (type != other || depth == 0)
		return false;
	if (type == VALUE_T_NULL)
		return true;
	if (type == VALUE_T_TEXT)
		return value_text(a)->bytes == value_text(b)->bytes &&
		       memcmp(value_text(a)->at, value_text(b)->at, value_text(a)->bytes) == 0;
	if (type == VALUE_T_LIST)
		return equal_lists(value_list(a), value_list(b), depth - 1);
	if (type == VALUE_T_DICT)
		return equal_dicts(value_dict(a), b, depth - 1);
	return false;
}

bool value_is_equal(struct value a, struct value b)
{
	return equal_below(a, b, VALUE_DEPTH_MAX + 1);
}

bool value_is_same(struct value a, struct value b)
{
	enum value_type type = value_type(a);
	bool            is_same = type == value_type(b);

	if (!is_same || (type != VALUE_T_LIST && type != VALUE_T_DICT))
		return is_same && value_is_equal(a, b);
	if (type == VALUE_T_LIST) {
		is_same = value_list(a)->count == value_list(b)->count;
		for (uint32_t i = 0; is_same && i < value_list(a)->count; i++)
			is_same = value_is_same(value_list(a)->at[i], value_list(b)->at[i]);
		return is_same;
	}
	is_same = value_dict(a)->count == value_dict(b)->count;
	for (uint32_t i = 0; is_same && i < value_dict(a)->count; i++) {
		const struct vpair *pair = &value_dict(a)->at[i];
		const struct vtext *key = value_text(pair->key);

		is_same = value_is_same(pair->value, value_dict_get(b, key->at, key->bytes));
	}
	return is_same;
}

/* --- floats --- */

/* The shortest digits that read back as `number`, as "d.ddde[+-]dd". A double keeps any 15 digits,
 * so fewer are what is left of 15 without zeros; only subnormal numbers have less to keep. */
static void shortest(double number, char *out, size_t room)
{
	int digits = fabs(number) < 0x1p-1022 ? 0 : 14;

	do
		(void)snprintf(out, room, "%.*e", digits, number);
	while (digits++ < 16 && strtod(out, NULL) != number);
}

/* Digits alone, with zeros at the end cut off; the decimal exponent of the first one. */
static int take_apart(const char *e_form, char digits[20], uint32_t *count)
{
	const char *e = strchr(e_form, 'e');

	*count = 0;
	for (const char *c = e_form; c < e; c++)
		if (*c >= '0' && *c <= '9')
			digits[(*count)++] = *c;
	while (*count > 1 && digits[*count - 1] == '0')
		--*count;
	return atoi(e + 1);
}

static void write_exponent_form(struct buf *b, const char *digits, uint32_t count, int exponent)
{
	buf_add(b, digits, 1);
	if (count > 1) {
		buf_add_byte(b, '.');
		buf_add(b, digits + 1, count - 1);
	}
	buf_add_text(b, exponent < 0 ? "e-" : "e+");
	if (abs(exponent) < 10)
		buf_add_byte(b, '0');
	buf_add_i64(b, abs(exponent));
}

static void write_zeros(struct buf *b, int count)
{
	while (count-- > 0)
		buf_add_byte(b, '0');
}

static void write_plain_form(struct buf *b, const char *digits, uint32_t count, int exponent)
{
	uint32_t whole = exponent < 0 ? 0 : (uint32_t)exponent + 1;

	if (whole == 0) {
		buf_add_text(b, "0.");
		write_zeros(b, -exponent - 1);
		buf_add(b, digits, count);
	} else if (count <= whole) {
		buf_add(b, digits, count);
		write_zeros(b, (int)(whole - count));
		buf_add_text(b, ".0");
	} else {
		buf_add(b, digits, whole);
		buf_add_byte(b, '.');
		buf_add(b, digits + whole, count - whole);
	}
}

void value_write_float(struct buf *b, double number)
{
	char     e_form[32], digits[20];
	uint32_t count;
	int      exponent;

	if (signbit(number))
		buf_add_byte(b, '-');
	number = fabs(number);
	if (number < 1e15 && number == floor(number)) { /* common, and plain without a search */
		buf_add_u64(b, (uint64_t)number);
		buf_add_text(b, ".0");
		return;
	}
	shortest(number, e_form, sizeof e_form);
	exponent = take_apart(e_form, digits, &count);
	if (exponent < -4 || exponent > 15)
		write_exponent_form(b, digits, count, exponent);
	else
		write_plain_form(b, digits, count, exponent);
}

/* --- JSON --- */

static void write_below(struct buf *b, struct value v, uint32_t depth);

static void write_list(struct buf *b, const struct vlist *list, uint32_t depth)
{
	buf_add_byte(b, '[');
	for (uint32_t i = 0; i < list->count && b->failed == GD_OK; i++) {
		if (i > 0)
			buf_add_byte(b, ',');
		write_below(b, list->at[i], depth);
	}
	buf_add_byte(b, ']');
}

static void write_dict(struct buf *b, const struct vdict *dict, uint32_t depth)
{
	buf_add_byte(b, '{');
	for (uint32_t i = 0; i < dict->count && b->failed == GD_OK; i++) {
		const struct vtext *key = value_text(dict->at[i].key);

		if (i > 0)
			buf_add_byte(b, ',');
		buf_add_json_string(b, key->at, key->bytes);
		buf_add_byte(b, ':');
		write_below(b, dict->at[i].value, depth);
	}
	buf_add_byte(b, '}');
}

static void write_below(struct buf *b, struct value v, uint32_t depth)
{
	switch (value_type(v)) {
	case VALUE_T_NULL:
		buf_add_text(b, "null");
		return;
	case VALUE_T_BOOL:
		buf_add_text(b, value_as_bool(v) ? "true" : "false");
		return;
	case VALUE_T_INT:
		buf_add_i64(b, value_as_int(v));
		return;
	case VALUE_T_FLOAT:
		value_write_float(b, value_as_float(v));
		return;
	case VALUE_T_TEXT:
		buf_add_json_string(b, value_text(v)->at, value_text(v)->bytes);
		return;
	case VALUE_T_LIST:
	case VALUE_T_DICT:
		if (depth == 0)
			b->failed = b->failed == GD_OK ? GD_LIMIT : b->failed;
		else if (value_is_type(v, VALUE_T_LIST))
			write_list(b, value_list(v), depth - 1);
		else
			write_dict(b, value_dict(v), depth - 1);
		return;
	case VALUE_T_NONE:
	case VALUE_T_BIGINT:
	case VALUE_T_RANGE:
	case VALUE_T_TASK:
	case VALUE_T_JOIN:
	case VALUE_T_WAITER:
	case VALUE_T_TIMEOUT:
	case VALUE_T_GENERATOR:
	case VALUE_T_UNDO:
	case VALUE_T_PERMIT:
	case VALUE_T_EXEC:
	case VALUE_T_EVENT:
	case VALUE_T_EVENT_WAIT:
	case VALUE_T_CHILD:
		break;
	}
	if (b->failed == GD_OK)
		b->failed = GD_INVALID_PARAMS;
}

const char *value_type_name(struct value v)
{
	switch (value_type(v)) {
	case VALUE_T_NONE:
	case VALUE_T_NULL:
		return "null";
	case VALUE_T_BOOL:
		return "bool";
	case VALUE_T_INT:
	case VALUE_T_BIGINT:
		return "int";
	case VALUE_T_FLOAT:
		return "float";
	case VALUE_T_TEXT:
		return "str";
	case VALUE_T_LIST:
		return "list";
	case VALUE_T_DICT:
		return "dict";
	case VALUE_T_RANGE:
		return "range";
	case VALUE_T_TASK:
	case VALUE_T_JOIN:
	case VALUE_T_WAITER:
	case VALUE_T_TIMEOUT:
	case VALUE_T_GENERATOR:
	case VALUE_T_UNDO:
	case VALUE_T_PERMIT:
	case VALUE_T_EXEC:
	case VALUE_T_EVENT:
	case VALUE_T_EVENT_WAIT:
	case VALUE_T_CHILD:
		return "task handle";
	}
	CHECK_NEVER("value_type_name: unknown type");
}

void value_write_json(struct buf *b, struct value v)
{
	write_below(b, v, VALUE_DEPTH_MAX);
}

void value_write_text(struct buf *b, struct value v)
{
	if (value_is_type(v, VALUE_T_TEXT))
		buf_add(b, value_text(v)->at, value_text(v)->bytes);
	else
		value_write_json(b, v);
}
