#include "daemon/expr/fn.h"

#include "daemon/value/limits.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_CHARS_MAX 400 /* of text that int() and float() read */

/* --- text to numbers --- */

/* Text without white space around it and without single underscores between digits, as Python's
 * int() and float() allow them. False when it cannot be a number. */
static bool trim_number(const struct vtext *text, char out[NUMBER_CHARS_MAX + 1])
{
	const char *at = text->at, *end = text->at + text->bytes;
	size_t      used = 0, space;

	while (at < end && (space = expr_space_at(at, end)) > 0)
		at += space;
	for (; at < end && expr_space_at(at, end) == 0; at++) {
		bool is_between = used > 0 && out[used - 1] >= '0' && out[used - 1] <= '9' &&
		                  at[-1] != '_' && at[1] >= '0' && at[1] <= '9';

		if (*at == '_' && is_between)
			continue;
		if (used == NUMBER_CHARS_MAX || *at == '_')
			return false;
		out[used++] = *at;
	}
	while (at < end && (space = expr_space_at(at, end)) > 0)
		at += space;
	out[used] = '\0';
	return at == end && used > 0;
}

static const char *skip_digits(const char *at)
{
	while (*at >= '0' && *at <= '9')
		at++;
	return at;
}

static const char *skip_sign(const char *at)
{
	return at + (*at == '+' || *at == '-');
}

static struct value int_of_text(struct expr_run *r, struct value v)
{
	char        digits[NUMBER_CHARS_MAX + 1], shown[EXPR_SHOWN_BYTES + 8];
	const char *at;
	int64_t     number = 0;
	bool        is_over = false;

	if (!trim_number(value_text(v), digits) || *skip_digits(skip_sign(digits)) != '\0' ||
	    *skip_sign(digits) == '\0')
		return expr_raise(r, "ValueError", "invalid literal for int() with base 10: %s",
		                  expr_show(v, shown));
	/* Downwards, since the lowest number has no positive counterpart. */
	for (at = skip_sign(digits); *at != '\0'; at++)
		is_over = is_over || __builtin_mul_overflow(number, 10, &number) ||
		          __builtin_sub_overflow(number, *at - '0', &number);
	if (digits[0] != '-')
		is_over = is_over || __builtin_sub_overflow(0, number, &number);
	if (is_over)
		return expr_raise(r, "OverflowError", "%s is more than a 64-bit integer",
		                  expr_show(v, shown));
	return value_int(r->heap, number);
}

/* Digits with at most one point, then perhaps an exponent: no names, no hexadecimal. */
static bool is_float_text(const char *text)
{
	const char *whole = skip_sign(text), *at = skip_digits(whole);
	bool        has_digits = at > whole;

	if (*at == '.') {
		const char *fraction = at + 1;

		at = skip_digits(fraction);
		has_digits = has_digits || at > fraction;
	}
	if (*at == 'e' || *at == 'E') {
		const char *exponent = skip_sign(at + 1);

		at = skip_digits(exponent);
		has_digits = has_digits && at > exponent;
	}
	return has_digits && *at == '\0';
}

static struct value float_of_text(struct expr_run *r, struct value v)
{
	char   digits[NUMBER_CHARS_MAX + 1], shown[EXPR_SHOWN_BYTES + 8];
	double number;

	if (!trim_number(value_text(v), digits) || !is_float_text(digits))
		return expr_raise(r, "ValueError", "could not convert string to float: %s",
		                  expr_show(v, shown));
	number = strtod(digits, NULL);
	if (fabs(number) <= DBL_MAX)
		return value_float(number);
	return expr_raise(r, "OverflowError", "%s is too large for a float", expr_show(v, shown));
}

/* --- numbers to numbers --- */

/* A double without fraction as an int. */
static struct value int_of_float(struct expr_run *r, double whole)
{
	char shown[EXPR_SHOWN_BYTES + 8];

	if (whole >= 0x1p63 || whole < -0x1p63)
		return expr_raise(r, "OverflowError", "%s is more than a 64-bit integer",
		                  expr_show(value_float(whole), shown));
	return value_int(r->heap, (int64_t)whole);
}

struct value expr_fn_int(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value v = args[0];

	(void)count;
	if (expr_is_integral(v))
		return value_int(r->heap, expr_int_of(v));
	if (value_is_float(v))
		return int_of_float(r, trunc(value_as_float(v)));
	if (value_is_type(v, VALUE_T_TEXT))
		return int_of_text(r, v);
	if (expr_refuse_handle(r, v, "become an int"))
		return VALUE_NONE;
	return expr_raise_type(r, "int() argument must be a string or a number, not '%s'",
	                       value_type_name(v));
}

struct value expr_fn_float(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value v = args[0];

	(void)count;
	if (expr_is_number(v))
		return value_float(expr_float_of(v));
	if (value_is_type(v, VALUE_T_TEXT))
		return float_of_text(r, v);
	if (expr_refuse_handle(r, v, "become a float"))
		return VALUE_NONE;
	return expr_raise_type(r, "float() argument must be a string or a number, not '%s'",
	                       value_type_name(v));
}

struct value expr_fn_bool(struct expr_run *r, const struct value *args, uint32_t count)
{
	bool yes;

	(void)count;
	return expr_truth(r, args[0], &yes) ? value_bool(yes) : VALUE_NONE;
}

struct value expr_fn_abs(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value v = args[0];

	(void)count;
	if (value_is_float(v))
		return value_float(fabs(value_as_float(v)));
	if (expr_is_integral(v))
		return expr_int_of(v) < 0 ? expr_minus(r, v) : expr_plus(r, v);
	if (expr_refuse_handle(r, v, "be a number"))
		return VALUE_NONE;
	return expr_raise_type(r, "bad operand type for abs(): '%s'", value_type_name(v));
}

/* --- round() --- */

/* To a multiple of 10 ** places, a tie to the even one. */
static struct value round_int(struct expr_run *r, int64_t number, int64_t places)
{
	int64_t unit = 1, rest, whole;
	bool    is_over = false;

	if (places > 19)
		return value_int(r->heap, 0);
	if (places == 19) { /* no int64 is that unit, but half of it is one */
		if (number <= INT64_C(5000000000000000000) &&
		    number >= INT64_C(-5000000000000000000))
			return value_int(r->heap, 0);
		return expr_raise(r, "OverflowError", "%lld rounded is more than a 64-bit integer",
		                  (long long)number);
	}
	for (int64_t i = 0; i < places; i++)
		unit *= 10;
	rest = number % unit;
	rest += rest < 0 ? unit : 0;
	is_over = __builtin_sub_overflow(number, rest, &whole);
	if (rest > unit - rest || (rest == unit - rest && whole / unit % 2 != 0))
		is_over = __builtin_add_overflow(number, unit - rest, &whole);
	if (is_over)
		return expr_raise(r, "OverflowError", "%lld rounded is more than a 64-bit integer",
		                  (long long)number);
	return value_int(r->heap, whole);
}

/* To `places` digits behind the point, by the exact decimal value, as CPython does it: printf()
 * rounds a tie, which only an exact one is, to the even digit. */
static double round_fraction(double number, int64_t places)
{
	char digits[DBL_MAX_10_EXP + 360];

	if (places > 323)
		return number;
	(void)snprintf(digits, sizeof digits, "%.*f", (int)places, number);
	return strtod(digits, NULL);
}

/* The same left of the point: `places` > 0 zeros there. */
static double round_whole(double number, int64_t places)
{
	char digits[40];
	int  exponent;

	if (places > DBL_MAX_10_EXP)
		return copysign(0, number);
	(void)snprintf(digits, sizeof digits, "%.17e", number);
	exponent = atoi(strchr(digits, 'e') + 1);
	if (exponent >= places) {
		(void)snprintf(digits, sizeof digits, "%.*e",
		               exponent - (int)places > 20 ? 20 : exponent - (int)places, number);
		return strtod(digits, NULL);
	}
	(void)snprintf(digits, sizeof digits, "5e%d", (int)places - 1);
	if (fabs(number) <= strtod(digits, NULL))
		return copysign(0, number);
	(void)snprintf(digits, sizeof digits, "1e%d", (int)places);
	return copysign(strtod(digits, NULL), number);
}

static struct value round_to(struct expr_run *r, struct value v, struct value digits)
{
	int64_t places;

	if (expr_refuse_handle(r, digits, "be a number"))
		return VALUE_NONE;
	if (!expr_is_integral(digits))
		return expr_raise_type(r, "'%s' object cannot be interpreted as an integer",
		                       value_type_name(digits));
	places = expr_int_of(digits);
	if (value_is_float(v))
		return expr_float(r, places >= 0 ? round_fraction(value_as_float(v), places)
		                                 : round_whole(value_as_float(v),
		                                               places < -1000 ? 1000 : -places));
	if (places >= 0)
		return value_int(r->heap, expr_int_of(v));
	return round_int(r, expr_int_of(v), places < -1000 ? 1000 : -places);
}

struct value expr_fn_round(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value v = args[0];

	if (expr_refuse_handle(r, v, "be a number"))
		return VALUE_NONE;
	if (!expr_is_number(v))
		return expr_raise_type(r, "type %s doesn't define __round__ method",
		                       value_type_name(v));
	if (count == 2 && !value_is_null(args[1]))
		return round_to(r, v, args[1]);
	if (value_is_float(v))
		return int_of_float(r, nearbyint(value_as_float(v)));
	return value_int(r->heap, expr_int_of(v));
}
