/* + - * / // % and the signs, as Python has them. */
#include "daemon/expr/run.h"

#include "daemon/value/limits.h"
#include "proto/base/check.h"

#include <math.h>

static const char *symbol_of(enum expr_opcode op)
{
	static const char *const symbols[] = { "+", "-", "*", "/", "//", "%" };

	CHECK(op >= XOP_ADD && op <= XOP_MOD);
	return symbols[op - XOP_ADD];
}

static struct value refuse_operands(struct expr_run *r, enum expr_opcode op, struct value a,
                                    struct value b)
{
	if (expr_refuse_handle(r, a, "be an operand") || expr_refuse_handle(r, b, "be an operand"))
		return VALUE_NONE;
	return expr_raise_type(r, "unsupported operand type(s) for %s: '%s' and '%s'",
	                       symbol_of(op), value_type_name(a), value_type_name(b));
}

static struct value divided_by_zero(struct expr_run *r)
{
	return expr_raise(r, "ZeroDivisionError", "division by zero");
}

/* --- integers --- */

static struct value overflow(struct expr_run *r, enum expr_opcode op, int64_t a, int64_t b)
{
	return expr_raise(r, "OverflowError", "%lld %s %lld is more than a 64-bit integer",
	                  (long long)a, symbol_of(op), (long long)b);
}

static uint64_t magnitude(int64_t number)
{
	return number < 0 ? UINT64_C(0) - (uint64_t)number : (uint64_t)number;
}

/* a / b as the nearest double, also where a or b has no double of its own: 64 bits of the quotient
 * by long division, the last one set when something is left over, then rounded once. */
static double divide_ints(int64_t a, int64_t b)
{
	uint64_t rest = magnitude(a), divisor = magnitude(b), quotient = 0;
	int      scale;
	double   number;

	if (rest <= UINT64_C(1) << 53 && divisor <= UINT64_C(1) << 53)
		return (double)a / (double)b;
	if (a == 0)
		return b < 0 ? -0.0 : 0.0;
	scale = __builtin_clzll(divisor) - __builtin_clzll(rest);
	rest <<= __builtin_clzll(rest);
	divisor <<= __builtin_clzll(divisor);
	for (int bit = 63; bit >= 0; bit--) {
		bool is_carried = false;

		if (bit < 63) {
			is_carried = rest >> 63 != 0;
			rest <<= 1;
		}
		if (is_carried || rest >= divisor) {
			rest -= divisor;
			quotient |= UINT64_C(1) << bit;
		}
	}
	number = ldexp((double)(quotient | (rest != 0)), scale - 63);
	return (a < 0) != (b < 0) ? -number : number;
}

static struct value int_binary(struct expr_run *r, enum expr_opcode op, int64_t a, int64_t b)
{
	int64_t result = 0;
	bool    is_over = false;

	if (op == XOP_ADD) {
		is_over = __builtin_add_overflow(a, b, &result);
	} else if (op == XOP_SUB) {
		is_over = __builtin_sub_overflow(a, b, &result);
	} else if (op == XOP_MUL) {
		is_over = __builtin_mul_overflow(a, b, &result);
	} else if (b == 0) {
		return divided_by_zero(r);
	} else if (op == XOP_DIV) {
		return value_float(divide_ints(a, b));
	} else if (b == -1) { /* the one divisor whose result may not fit */
		is_over = op == XOP_FLOOR_DIV && __builtin_sub_overflow(0, a, &result);
	} else {
		int64_t rest = a % b;
		bool    is_below = rest != 0 && (rest < 0) != (b < 0); /* C cuts, Python floors */

		result = op == XOP_MOD ? rest + (is_below ? b : 0) : a / b - is_below;
	}
	return is_over ? overflow(r, op, a, b) : value_int(r->heap, result);
}

/* --- floats --- */

/* // and % together, as CPython's float_divmod() does it. */
static double floor_divide(double a, double b, double *rest)
{
	double quotient, whole;

	*rest = fmod(a, b);
	quotient = (a - *rest) / b;
	if (*rest < 0 || *rest > 0) {
		if ((b < 0) != (*rest < 0)) {
			*rest += b;
			quotient -= 1;
		}
	} else {
		*rest = copysign(0, b);
	}
	if (!(quotient < 0 || quotient > 0))
		return copysign(0, a / b);
	whole = floor(quotient);
	return quotient - whole > 0.5 ? whole + 1 : whole;
}

static struct value float_binary(struct expr_run *r, enum expr_opcode op, double a, double b)
{
	double rest, whole;

	if (op == XOP_ADD)
		return expr_float(r, a + b);
	if (op == XOP_SUB)
		return expr_float(r, a - b);
	if (op == XOP_MUL)
		return expr_float(r, a * b);
	if (!(b < 0 || b > 0))
		return divided_by_zero(r);
	if (op == XOP_DIV)
		return expr_float(r, a / b);
	whole = floor_divide(a, b, &rest);
	return expr_float(r, op == XOP_MOD ? rest : whole);
}

/* --- text and lists --- */

static struct value concat_lists(struct expr_run *r, const struct vlist *a, const struct vlist *b)
{
	uint64_t     count = (uint64_t)a->count + b->count;
	struct value list = VALUE_NONE;

	if (expr_charge_bytes(r, count * sizeof list))
		list = value_list_new(r->heap, (uint32_t)count);
	for (uint32_t i = 0; i < a->count && !value_is_none(list); i++)
		list = value_list_append(r->heap, list, value_retain(a->at[i]));
	for (uint32_t i = 0; i < b->count && !value_is_none(list); i++)
		list = value_list_append(r->heap, list, value_retain(b->at[i]));
	return list;
}

static struct value concat_texts(struct expr_run *r, const struct vtext *a, const struct vtext *b)
{
	struct buf buf = { .cap = EXPR_RESULT_BYTES_MAX };

	buf_add(&buf, a->at, a->bytes);
	buf_add(&buf, b->at, b->bytes);
	return expr_text_of_buf(r, &buf);
}

static struct value repeat_text(struct expr_run *r, const struct vtext *text, uint64_t times)
{
	struct buf b = { .cap = EXPR_RESULT_BYTES_MAX };

	if (text->bytes == 0 || times == 0)
		return value_text_new(r->heap, "", 0);
	/* Checked as a division, since the product may not fit. */
	if (times > EXPR_RESULT_BYTES_MAX / text->bytes) {
		(void)expr_charge_bytes(r, EXPR_RESULT_BYTES_MAX + 1);
		return VALUE_NONE;
	}
	if (!expr_charge(r, times * text->bytes / 2))
		return VALUE_NONE;
	while (times-- > 0)
		buf_add(&b, text->at, text->bytes);
	return expr_text_of_buf(r, &b);
}

static struct value repeat_list(struct expr_run *r, const struct vlist *items, uint64_t times)
{
	struct value list = VALUE_NONE;

	if (items->count == 0 || times == 0)
		return value_list_new(r->heap, 0);
	if (times > EXPR_RESULT_BYTES_MAX / items->count)
		times = EXPR_RESULT_BYTES_MAX; /* refused just below */
	if (expr_charge_bytes(r, times * items->count * sizeof list))
		list = value_list_new(r->heap, (uint32_t)times * items->count);
	for (uint64_t i = 0; i < times * items->count && !value_is_none(list); i++)
		list = value_list_append(r->heap, list, value_retain(items->at[i % items->count]));
	return list;
}

static bool is_sequence(struct value v)
{
	return value_is_type(v, VALUE_T_TEXT) || value_is_type(v, VALUE_T_LIST);
}

static struct value repeat(struct expr_run *r, struct value sequence, struct value count)
{
	uint64_t times;

	if (expr_refuse_handle(r, count, "be an operand"))
		return VALUE_NONE;
	if (!expr_is_integral(count))
		return expr_raise_type(r, "can't multiply sequence by non-int of type '%s'",
		                       value_type_name(count));
	times = expr_int_of(count) < 0 ? 0 : (uint64_t)expr_int_of(count);
	if (value_is_type(sequence, VALUE_T_TEXT))
		return repeat_text(r, value_text(sequence), times);
	return repeat_list(r, value_list(sequence), times);
}

static struct value concat(struct expr_run *r, struct value a, struct value b)
{
	if (expr_refuse_handle(r, b, "be an operand"))
		return VALUE_NONE;
	if (value_type(a) != value_type(b))
		return expr_raise_type(r, "can only concatenate %s (not \"%s\") to %s",
		                       value_type_name(a), value_type_name(b), value_type_name(a));
	if (value_is_type(a, VALUE_T_TEXT))
		return concat_texts(r, value_text(a), value_text(b));
	return concat_lists(r, value_list(a), value_list(b));
}

/* --- */

struct value expr_binary(struct expr_run *r, enum expr_opcode op, struct value a, struct value b)
{
	if (expr_is_integral(a) && expr_is_integral(b))
		return int_binary(r, op, expr_int_of(a), expr_int_of(b));
	if (expr_is_number(a) && expr_is_number(b))
		return float_binary(r, op, expr_float_of(a), expr_float_of(b));
	if (op == XOP_ADD && is_sequence(a))
		return concat(r, a, b);
	if (op == XOP_MUL && is_sequence(a))
		return repeat(r, a, b);
	if (op == XOP_MUL && is_sequence(b))
		return repeat(r, b, a);
	return refuse_operands(r, op, a, b);
}

static struct value refuse_sign(struct expr_run *r, char sign, struct value v)
{
	if (expr_refuse_handle(r, v, "be an operand"))
		return VALUE_NONE;
	return expr_raise_type(r, "bad operand type for unary %c: '%s'", sign, value_type_name(v));
}

struct value expr_minus(struct expr_run *r, struct value v)
{
	if (expr_is_integral(v))
		return int_binary(r, XOP_SUB, 0, expr_int_of(v));
	if (value_is_float(v))
		return value_float(-value_as_float(v));
	return refuse_sign(r, '-', v);
}

struct value expr_plus(struct expr_run *r, struct value v)
{
	if (expr_is_integral(v))
		return value_int(r->heap, expr_int_of(v));
	if (value_is_float(v))
		return v;
	return refuse_sign(r, '+', v);
}
