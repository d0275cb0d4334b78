/*
 * machine.h - the stack machine that runs compiled expressions. Private to this folder.
 *
 * An instruction either makes one value of what lies on top of the stack, or decides where to go on,
 * and has a row in EXPR_MAKES or in EXPR_JUMPS. Those few that most code consists of cost a few
 * nanoseconds where they stay inside the loop of expr.c: its table of ways names them.
 */
#ifndef GATHERD_EXPR_MACHINE_H
#define GATHERD_EXPR_MACHINE_H

#include "daemon/expr/run.h"

#include <float.h>
#include <math.h>

#define EXPR_OPCODES (XOP_ITER_END + 1)

/* Where to go on after a KeyError or IndexError. */
struct try_mark {
	const struct expr_op *handler;
	struct value         *sp;
};

/* A running piece of code. */
struct machine {
	struct expr_run       run;
	const struct expr_op *end;
	const struct value   *consts;
	struct value         *stack;
	struct value         *sp; /* the first free place */
	uint32_t              try_count;
	struct try_mark       tries[EXPR_TRIES_MAX];
};

/* [at[0] ... ] -> [the result]. The machine then releases what was taken; what the result keeps is
 * replaced by null. VALUE_NONE: it raised. `make` is NULL for an instruction that is a jump. */
struct expr_make {
	struct value (*make)(struct machine *m, const struct expr_op *op, struct value *at);
	uint32_t takes;     /* values, and */
	uint32_t takes_arg; /* so many for each of op->arg */
};
extern const struct expr_make EXPR_MAKES[EXPR_OPCODES];

/* Changes the stack itself and gives the next instruction; NULL: it raised. */
typedef const struct expr_op *expr_jump(struct machine *m, const struct expr_op *op);
extern expr_jump *const       EXPR_JUMPS[EXPR_OPCODES];

/* --- on small numbers at once; everything else in arith.c and compare.c --- */

static inline bool expr_are_small(struct value a, struct value b)
{
	return value_is_int48(a) && value_is_int48(b);
}

static inline struct value expr_small_or_large(struct expr_run *r, int64_t number)
{
	if (number >= VALUE_INT48_MIN && number <= VALUE_INT48_MAX)
		return (struct value){ VALUE_TAG_INT | ((uint64_t)number & VALUE_PAYLOAD_MASK) };
	return value_int(r->heap, number);
}

/* Small integers and floats here; everything else, and every error, in arith.c. */
static inline struct value expr_arith(struct expr_run *r, enum expr_opcode op, struct value a,
                                      struct value b)
{
	double number = HUGE_VAL;

	if (expr_are_small(a, b)) {
		int64_t m = value_int48(a), n = value_int48(b), product, rest;

		if (op == XOP_ADD)
			return expr_small_or_large(r, m + n);
		if (op == XOP_SUB)
			return expr_small_or_large(r, m - n);
		if (op == XOP_MUL && !__builtin_mul_overflow(m, n, &product))
			return expr_small_or_large(r, product);
		if (op == XOP_DIV && n != 0)
			return value_float((double)m / (double)n);
		if (op == XOP_MOD && n > 0) {
			rest = m % n;
			return expr_small_or_large(r, rest < 0 ? rest + n : rest);
		}
	} else if (value_is_float(a) && value_is_float(b)) {
		if (op == XOP_ADD)
			number = value_as_float(a) + value_as_float(b);
		else if (op == XOP_SUB)
			number = value_as_float(a) - value_as_float(b);
		else if (op == XOP_MUL)
			number = value_as_float(a) * value_as_float(b);
		if (fabs(number) <= DBL_MAX)
			return value_float(number);
	}
	return expr_binary(r, op, a, b);
}

static inline bool expr_compare_small(struct expr_run *r, enum expr_compare how, struct value a,
                                      struct value b, bool *out)
{
	if (expr_are_small(a, b) && how <= XCMP_GE) {
		int64_t m = value_int48(a), n = value_int48(b);
		bool    answers[] = { m == n, m != n, m<n, m <= n, m> n, m >= n };

		*out = answers[how];
		return true;
	}
	return expr_compare(r, how, a, b, out);
}

static inline bool expr_truth_small(struct expr_run *r, struct value v, bool *out)
{
	if (!expr_is_bool(v) && !value_is_int48(v))
		return expr_truth(r, v, out);
	*out = expr_int_of(v) != 0;
	return true;
}

#endif
