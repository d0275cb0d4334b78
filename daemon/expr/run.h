/*
 * run.h - what the operators and functions of expressions share: fuel, errors, operands.
 * Private to this folder.
 *
 * A function here that returns a struct value gives a new reference, or VALUE_NONE when it raised
 * or memory ended; one that returns bool gives false then. Operands are borrowed.
 *
 * Fuel is counted in units, sixteen to a step: one instruction is a step, one item looked at by a
 * function a unit, two bytes written a unit. What would use more than is left is refused before it
 * is done, so fuel bounds memory too.
 */
#ifndef GATHERD_EXPR_RUN_H
#define GATHERD_EXPR_RUN_H

#include "daemon/expr/op.h"

#define EXPR_UNITS_PER_STEP 16
#define EXPR_READ_BYTES_PER_UNIT 32 /* of text that is only looked at */
#define EXPR_SHOWN_BYTES 64         /* of a value in a message */

struct expr_run {
	struct value_heap     *heap;
	const struct expr_env *env;
	struct expr_error     *why; /* type is NULL until something raised */
	int64_t                fuel;
};

/* --- errors --- */

struct value expr_raise(struct expr_run *r, const char *type, const char *fmt, ...) GD_PRINTF(3, 4);
struct value expr_raise_type(struct expr_run *r, const char *fmt, ...)
	GD_PRINTF(2, 3); /* TypeError */
/* The value as a message shows it, shortened; text in single quotes. Returns `out`. */
const char  *expr_show(struct value v, char out[EXPR_SHOWN_BYTES + 8]);
/* A NameError: slot `name` (text or null) has nothing in it. */
struct value expr_not_set(struct expr_run *r, struct value name);
/* True for a handle, after raising "a task handle cannot <what>". */
bool         expr_refuse_handle(struct expr_run *r, struct value v, const char *what);

/* --- bounds --- */

bool expr_charge(struct expr_run *r, uint64_t units);
/* Charges for a new object of that size and refuses what is larger than a result may be. */
bool expr_charge_bytes(struct expr_run *r, uint64_t bytes);
/* Walks the whole of a value that is about to be read: charges for it, refuses handles and what is
 * nested too deep. `what` as for expr_refuse_handle(). */
bool expr_charge_data(struct expr_run *r, struct value v, const char *what);

/* --- operands --- */

static inline bool expr_is_int(struct value v) /* of either size */
{
	return value_is_int48(v) || value_is_type(v, VALUE_T_BIGINT);
}

static inline bool expr_is_bool(struct value v)
{
	return (v.bits & VALUE_TAG_MASK) == VALUE_TAG_BOOL;
}

static inline bool expr_is_integral(struct value v) /* Python's bool is an int */
{
	return expr_is_int(v) || expr_is_bool(v);
}

static inline bool expr_is_number(struct value v)
{
	return value_is_float(v) || expr_is_integral(v);
}

static inline int64_t expr_int_of(struct value v) /* of what is integral */
{
	return expr_is_bool(v) ? (int64_t)value_as_bool(v) : value_as_int(v);
}

static inline double expr_float_of(struct value v) /* of a number; rounded to the nearest */
{
	return value_is_float(v) ? value_as_float(v) : (double)expr_int_of(v);
}

/* A finite number as it is, else an OverflowError. */
struct value expr_float(struct expr_run *r, double number);
/* Text of these bytes, charged. */
struct value expr_text(struct expr_run *r, const char *bytes, size_t count);
/* What `b` holds as text; closes `b`. Its cap, when it failed there, is a LimitError. */
struct value expr_text_of_buf(struct expr_run *r, struct buf *b);
/* Truth of a value; false on a handle, which raises. */
bool         expr_truth(struct expr_run *r, struct value v, bool *out);
/* The items that Python's iteration would give, as a list: of a list itself (a new reference), of a
 * dict the keys, of text the characters. */
struct value expr_items(struct expr_run *r, struct value v);

/* --- operators: arith.c, compare.c, index.c --- */

struct value expr_binary(struct expr_run *r, enum expr_opcode op, struct value a, struct value b);
struct value expr_minus(struct expr_run *r, struct value v);
struct value expr_plus(struct expr_run *r, struct value v);

bool expr_compare(struct expr_run *r, enum expr_compare how, struct value a, struct value b,
                  bool *out);
bool expr_is_less(struct expr_run *r, struct value a, struct value b, bool *out);
/* Stable; O(n log n) comparisons. `at` and `scratch` have room for `count`. The result is in `at`,
 * which keeps all its items in some order when a comparison raises. */
bool expr_sort(struct expr_run *r, struct value *at, struct value *scratch, uint32_t count);

struct value expr_member(struct expr_run *r, struct value v, struct value name);
struct value expr_index(struct expr_run *r, struct value v, struct value index);
struct value expr_slice(struct expr_run *r, const struct value operands[4]);
/* The bytes of code points [first, first + count) of a text. */
const char  *expr_chars_at(const struct vtext *text, uint32_t first);

#endif
