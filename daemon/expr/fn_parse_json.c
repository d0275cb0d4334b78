/*
 * parse_json(): strict JSON (RFC 8259) to values.
 *
 * Recursive descent, at most PARSE_DEPTH_MAX deep. Nothing beyond the RFC is taken: no NaN, no
 * comments, no commas at the end. Of equal keys the last one counts, as in Python. Numbers without
 * fraction and exponent are ints and may not leave 64 bits.
 */
#include "daemon/expr/fn.h"

#include "daemon/value/limits.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define PARSE_DEPTH_MAX 60

struct reader {
	struct expr_run *run;
	const char      *start;
	const char      *at; /* a NUL stands behind the text and is in none */
	uint32_t         depth;
};

static struct value fault(struct reader *p, const char *what)
{
	return expr_raise(p->run, "ValueError", "not JSON: %s at byte %td", what, p->at - p->start);
}

static void skip_space(struct reader *p)
{
	while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')
		p->at++;
}

/* --- text --- */

static bool read_hex4(struct reader *p, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++, p->at++) {
		char c = *p->at;

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			*out = *out << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	return true;
}

/* Behind "\u". Halves of a pair make one character; alone they are none, and neither is NUL. */
static bool read_point(struct reader *p, struct buf *b)
{
	uint32_t point, low;
	char     out[4];

	if (!read_hex4(p, &point))
		return false;
	if (point >= 0xd800 && point < 0xdc00) {
		if (p->at[0] != '\\' || p->at[1] != 'u')
			return false;
		p->at += 2;
		if (!read_hex4(p, &low) || low < 0xdc00 || low > 0xdfff)
			return false;
		point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
	}
	if (point == 0 || (point >= 0xdc00 && point < 0xe000))
		return false;
	buf_add(b, out, expr_put_char(out, point));
	return true;
}

/* Behind the backslash. */
static bool read_escape(struct reader *p, struct buf *b)
{
	static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char       *name;

	if (*p->at == 'u') {
		p->at++;
		return read_point(p, b);
	}
	name = *p->at == '\0' ? NULL : strchr(names, *p->at);
	if (name == NULL)
		return false;
	buf_add_byte(b, bytes[name - names]);
	p->at++;
	return true;
}

/* Behind the quote; `at` moves behind the closing one. */
static struct value read_text(struct reader *p)
{
	struct buf b = { .cap = EXPR_RESULT_BYTES_MAX };

	while (*p->at != '"') {
		const char *from = p->at;

		while ((unsigned char)*p->at >= 0x20 && *p->at != '"' && *p->at != '\\')
			p->at++;
		buf_add(&b, from, (size_t)(p->at - from));
		if (*p->at == '"')
			continue;
		if (*p->at != '\\' || (p->at++, !read_escape(p, &b))) {
			buf_close(&b);
			return fault(
				p, "a text that is not closed, or a character that is not allowed");
		}
	}
	p->at++;
	return expr_text_of_buf(p->run, &b);
}

/* --- numbers --- */

static bool skip_digits(const char **at)
{
	const char *from = *at;

	while (**at >= '0' && **at <= '9')
		++*at;
	return *at > from;
}

/* Moves behind the number; `is_int` when it has neither fraction nor exponent. */
static bool skip_number(const char **at, bool *is_int)
{
	*is_int = true;
	if (**at == '-')
		++*at;
	if (**at == '0')
		++*at;
	else if (!skip_digits(at))
		return false;
	if (**at == '.') {
		*is_int = false;
		++*at;
		if (!skip_digits(at))
			return false;
	}
	if (**at == 'e' || **at == 'E') {
		*is_int = false;
		++*at;
		if (**at == '+' || **at == '-')
			++*at;
		return skip_digits(at);
	}
	return true;
}

static struct value number_too_large(struct reader *p)
{
	return expr_raise(p->run, "OverflowError", "the number at byte %td is too large",
	                  p->at - p->start);
}

static struct value read_int(struct reader *p)
{
	const char *at = p->at;
	bool        is_negative = *at == '-', is_over = false;
	int64_t     number = 0;

	for (at += is_negative; *at >= '0' && *at <= '9'; at++)
		is_over = is_over || __builtin_mul_overflow(number, 10, &number) ||
		          __builtin_sub_overflow(number, *at - '0', &number);
	if (!is_negative)
		is_over = is_over || __builtin_sub_overflow(0, number, &number);
	if (is_over)
		return number_too_large(p);
	p->at = at;
	return value_int(p->run->heap, number);
}

static struct value read_number(struct reader *p)
{
	const char *end = p->at;
	bool        is_int;
	double      number;

	if (!skip_number(&end, &is_int))
		return fault(p, "expected a value");
	if (is_int)
		return read_int(p);
	number = strtod(p->at, NULL);
	if (!(fabs(number) <= DBL_MAX))
		return number_too_large(p);
	p->at = end;
	return value_float(number);
}

/* --- lists and objects --- */

static struct value read_value(struct reader *p);

/* After an item: true when another one follows, false at `close` (passed) or at a fault. */
static bool next_item(struct reader *p, char close, bool *is_ok)
{
	skip_space(p);
	*is_ok = *p->at == ',' || *p->at == close;
	if (!*is_ok)
		fault(p, close == ']' ? "expected , or ]" : "expected , or }");
	else
		p->at++;
	return *is_ok && p->at[-1] == ',';
}

static bool is_empty(struct reader *p, char close)
{
	p->at++;
	skip_space(p);
	if (*p->at != close)
		return false;
	p->at++;
	return true;
}

static struct value read_list(struct reader *p)
{
	struct value_heap *h = p->run->heap;
	struct value       list = value_list_new(h, 0);
	bool               is_ok = true;

	if (is_empty(p, ']'))
		return list;
	do {
		struct value item = read_value(p);

		is_ok = !value_is_none(item);
		if (is_ok)
			list = value_list_append(h, list, item);
	} while (is_ok && next_item(p, ']', &is_ok));
	if (is_ok)
		return list;
	value_release(h, list);
	return VALUE_NONE;
}

static bool read_pair(struct reader *p, struct value *dict)
{
	struct value key, item;

	skip_space(p);
	if (*p->at != '"') {
		fault(p, "expected a key in quotes");
		return false;
	}
	p->at++;
	key = read_text(p);
	if (value_is_none(key))
		return false;
	skip_space(p);
	item = VALUE_NONE;
	if (*p->at != ':') {
		fault(p, "expected :");
	} else {
		p->at++;
		item = read_value(p);
	}
	if (value_is_none(item)) {
		value_release(p->run->heap, key);
		return false;
	}
	*dict = value_dict_put(p->run->heap, *dict, key, item);
	return !value_is_none(*dict);
}

static struct value read_dict(struct reader *p)
{
	struct value dict = value_dict_new(p->run->heap, 0);
	bool         is_ok = !value_is_none(dict);

	if (!is_ok || is_empty(p, '}'))
		return dict;
	do
		is_ok = read_pair(p, &dict);
	while (is_ok && next_item(p, '}', &is_ok));
	if (is_ok)
		return dict;
	value_release(p->run->heap, dict);
	return VALUE_NONE;
}

static struct value read_nested(struct reader *p)
{
	struct value v;

	if (p->depth == PARSE_DEPTH_MAX)
		return expr_raise(p->run, "LimitError", "JSON nested more than %d deep",
		                  PARSE_DEPTH_MAX);
	p->depth++;
	v = *p->at == '[' ? read_list(p) : read_dict(p);
	p->depth--;
	return v;
}

static struct value read_word(struct reader *p)
{
	static const char *const words[] = { "null", "true", "false" };

	for (uint32_t i = 0; i < 3; i++) {
		if (strncmp(p->at, words[i], strlen(words[i])) != 0)
			continue;
		p->at += strlen(words[i]);
		return i == 0 ? VALUE_NULL : value_bool(i == 1);
	}
	return fault(p, "expected a value");
}

static struct value read_value(struct reader *p)
{
	/* An item costs memory of its own; half a step covers it. */
	if (!expr_charge(p->run, EXPR_UNITS_PER_STEP / 2))
		return VALUE_NONE;
	skip_space(p);
	switch (*p->at) {
	case '[':
	case '{':
		return read_nested(p);
	case '"':
		p->at++;
		return read_text(p);
	case 'n':
	case 't':
	case 'f':
		return read_word(p);
	default:
		return read_number(p);
	}
}

struct value expr_fn_parse_json(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct reader p = { .run = r };
	struct value  v;

	(void)count;
	if (!value_is_type(args[0], VALUE_T_TEXT)) {
		if (expr_refuse_handle(r, args[0], "be text"))
			return VALUE_NONE;
		return expr_raise_type(r, "parse_json() argument must be str, not '%s'",
		                       value_type_name(args[0]));
	}
	if (!expr_charge(r, value_text(args[0])->bytes / 4))
		return VALUE_NONE;
	p.start = p.at = value_text(args[0])->at;
	v = read_value(&p);
	if (value_is_none(v))
		return v;
	skip_space(&p);
	if (p.at == p.start + value_text(args[0])->bytes)
		return v;
	value_release(r->heap, v);
	return fault(&p, "more text");
}
