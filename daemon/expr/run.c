#include "daemon/expr/run.h"

#include "daemon/value/limits.h"
#include "proto/base/check.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define SHOWN_TEXT_BYTES 40

/* --- errors --- */

static void raise_va(struct expr_run *r, const char *type, const char *fmt, va_list args)
{
	r->why->type = type;
	(void)vsnprintf(r->why->message, sizeof r->why->message, fmt, args);
}

struct value expr_raise(struct expr_run *r, const char *type, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	raise_va(r, type, fmt, args);
	va_end(args);
	return VALUE_NONE;
}

struct value expr_raise_type(struct expr_run *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	raise_va(r, "TypeError", fmt, args);
	va_end(args);
	return VALUE_NONE;
}

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

static void show_text(const struct vtext *text, char out[EXPR_SHOWN_BYTES + 8])
{
	size_t bytes = text->bytes;
	char   quote = memchr(text->at, '\'', bytes) != NULL && memchr(text->at, '"', bytes) == NULL
	                       ? '"'
	                       : '\'';

	if (bytes > SHOWN_TEXT_BYTES)
		for (bytes = SHOWN_TEXT_BYTES; is_continuation(text->at[bytes]);)
			bytes--;
	(void)snprintf(out, EXPR_SHOWN_BYTES + 8, "%c%.*s%s%c", quote, (int)bytes, text->at,
	               bytes < text->bytes ? "..." : "", quote);
}

const char *expr_show(struct value v, char out[EXPR_SHOWN_BYTES + 8])
{
	struct buf b = { .cap = EXPR_SHOWN_BYTES };

	if (value_is_type(v, VALUE_T_TEXT)) {
		show_text(value_text(v), out);
		return out;
	}
	if (!value_is_obj(v) || value_type(v) < VALUE_T_RANGE)
		value_write_json(&b, v);
	else
		b.failed = GD_INVALID_PARAMS;
	if (b.failed == GD_OK)
		(void)snprintf(out, EXPR_SHOWN_BYTES + 8, "%.*s", (int)b.bytes, b.at);
	else if (b.failed == GD_INVALID_PARAMS)
		(void)snprintf(out, EXPR_SHOWN_BYTES + 8, "%s", value_type_name(v));
	else
		(void)snprintf(out, EXPR_SHOWN_BYTES + 8, "a long %s", value_type_name(v));
	buf_close(&b);
	return out;
}

bool expr_refuse_handle(struct expr_run *r, struct value v, const char *what)
{
	if (!value_is_obj(v) || value_obj(v)->type < VALUE_T_TASK)
		return false;
	expr_raise_type(r, "a task handle cannot %s", what);
	return true;
}

/* --- bounds --- */

bool expr_charge(struct expr_run *r, uint64_t units)
{
	if (r->fuel >= 0 && units <= (uint64_t)r->fuel) {
		r->fuel -= (int64_t)units;
		return true;
	}
	r->fuel = 0;
	expr_raise(r, "LimitError", "the expression takes more than %d steps", EXPR_FUEL);
	return false;
}

bool expr_charge_bytes(struct expr_run *r, uint64_t bytes)
{
	if (bytes > EXPR_RESULT_BYTES_MAX) {
		expr_raise(r, "LimitError", "the result is larger than %u bytes",
		           EXPR_RESULT_BYTES_MAX);
		return false;
	}
	return expr_charge(r, bytes / 2);
}

static bool charge_below(struct expr_run *r, struct value v, const char *what, uint32_t depth)
{
	uint32_t count;
	bool     is_list = value_is_type(v, VALUE_T_LIST);

	if (!value_is_obj(v))
		return true;
	if (value_is_type(v, VALUE_T_TEXT))
		return expr_charge(r, value_text(v)->bytes / EXPR_READ_BYTES_PER_UNIT);
	if (!is_list && !value_is_type(v, VALUE_T_DICT))
		return !expr_refuse_handle(r, v, what);
	if (depth == 0) {
		expr_raise(r, "LimitError", "lists and objects are nested more than %d deep",
		           VALUE_DEPTH_MAX);
		return false;
	}
	count = is_list ? value_list(v)->count : value_dict(v)->count;
	if (!expr_charge(r, count))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		struct value item = is_list ? value_list(v)->at[i] : value_dict(v)->at[i].value;

		if (!charge_below(r, item, what, depth - 1))
			return false;
	}
	return true;
}

bool expr_charge_data(struct expr_run *r, struct value v, const char *what)
{
	return charge_below(r, v, what, VALUE_DEPTH_MAX);
}

/* --- operands --- */

struct value expr_float(struct expr_run *r, double number)
{
	if (fabs(number) <= DBL_MAX)
		return value_float(number);
	return expr_raise(r, "OverflowError", "the result is too large for a float");
}

struct value expr_text(struct expr_run *r, const char *bytes, size_t count)
{
	if (!expr_charge_bytes(r, count))
		return VALUE_NONE;
	return value_text_new(r->heap, bytes, count);
}

struct value expr_text_of_buf(struct expr_run *r, struct buf *b)
{
	struct value text = VALUE_NONE;

	if (b->failed == GD_OK)
		text = expr_text(r, b->at, b->bytes);
	else if (b->failed == GD_LIMIT)
		expr_raise(r, "LimitError", "the result is larger than %u bytes",
		           EXPR_RESULT_BYTES_MAX);
	else
		r->heap->failed = true;
	buf_close(b);
	return text;
}

bool expr_truth(struct expr_run *r, struct value v, bool *out)
{
	if (expr_refuse_handle(r, v, "be true or false"))
		return false;
	*out = value_is_true(v);
	return true;
}

static struct value chars_of(struct expr_run *r, const struct vtext *text)
{
	struct value list = VALUE_NONE;
	const char  *at = text->at, *end = text->at + text->bytes;

	/* Each character becomes a text of its own, and that is the larger part of the work. */
	if (expr_charge(r, (uint64_t)text->chars * EXPR_UNITS_PER_STEP) &&
	    expr_charge_bytes(r, text->chars * sizeof list))
		list = value_list_new(r->heap, text->chars);
	while (at < end && !value_is_none(list)) {
		const char *from = at++;

		while (at < end && is_continuation(*at))
			at++;
		list = value_list_append(r->heap, list,
		                         value_text_new(r->heap, from, (size_t)(at - from)));
	}
	return list;
}

struct value expr_items(struct expr_run *r, struct value v)
{
	struct value keys = VALUE_NONE;

	if (value_is_type(v, VALUE_T_LIST))
		return value_retain(v);
	if (value_is_type(v, VALUE_T_TEXT))
		return chars_of(r, value_text(v));
	if (!value_is_type(v, VALUE_T_DICT)) {
		if (expr_refuse_handle(r, v, "be iterated"))
			return VALUE_NONE;
		return expr_raise_type(r, "'%s' object is not iterable", value_type_name(v));
	}
	if (expr_charge_bytes(r, value_dict(v)->count * sizeof keys))
		keys = value_list_new(r->heap, value_dict(v)->count);
	for (uint32_t i = 0; i < value_dict(v)->count; i++)
		keys = value_list_append(r->heap, keys, value_retain(value_dict(v)->at[i].key));
	return keys;
}
