#include "daemon/engine/expr.h"

#include "daemon/engine/expr_fn.h"
#include "daemon/engine/limits.h"
#include "proto/base/check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define STACK_FIRST_ROOM 64

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
	uint32_t              try_count;
	struct try_mark       tries[EXPR_TRIES_MAX];
};

static struct value not_set(struct expr_run *r, struct value name)
{
	if (value_is_type(name, VALUE_T_TEXT))
		return expr_raise(r, "NameError", "%.150s is not set yet", value_text(name)->at);
	return expr_raise(r, "NameError", "a name is not set yet");
}

static struct value now_of(struct expr_run *r)
{
	gd_nsec now = r->env->now;

	/* Whole seconds apart, so that the sum keeps every digit a double has. */
	return value_float((double)(now / GD_NSEC_PER_SEC) +
	                   (double)(now % GD_NSEC_PER_SEC) / (double)GD_NSEC_PER_SEC);
}

static struct value put_member(struct value_heap *h, struct value dict, const char *name,
                               struct value v)
{
	return value_dict_put(h, dict, value_text_new(h, name, strlen(name)), v);
}

static struct value job_of(struct expr_run *r)
{
	struct value_heap *h = r->heap;
	struct value       job = value_dict_new(h, 3);

	job = put_member(h, job, "id", value_int(h, (int64_t)r->env->job_id));
	job = put_member(h, job, "title", value_retain(r->env->job_title));
	return put_member(h, job, "attempt", value_int(h, r->env->job_attempt));
}

/* --- displays --- */

/* Takes the items off the stack. */
static struct value make_list(struct expr_run *r, struct value *items, uint32_t count)
{
	struct value list = VALUE_NONE;

	if (expr_charge_bytes(r, count * sizeof items[0]))
		list = value_list_new(r->heap, count);
	for (uint32_t i = 0; i < count; i++)
		list = value_list_append(r->heap, list, items[i]);
	return list;
}

static struct value make_dict(struct expr_run *r, struct value *pairs, uint32_t count)
{
	struct value dict = VALUE_NONE;
	uint32_t     good = 0;

	while (good < count && value_is_type(pairs[2 * good], VALUE_T_TEXT))
		good++;
	if (good < count)
		expr_raise_type(r, "a key of an object is text, not %s",
		                expr_type_name(pairs[2 * good]));
	else if (expr_charge_bytes(r, count * sizeof(struct vpair)))
		dict = value_dict_new(r->heap, count);
	for (uint32_t i = 0; i < count && !value_is_none(dict); i++) {
		dict = value_dict_put(r->heap, dict, pairs[2 * i], pairs[2 * i + 1]);
		pairs[2 * i] = VALUE_NULL;
		pairs[2 * i + 1] = VALUE_NULL;
	}
	for (uint32_t i = 0; i < 2 * count; i++)
		value_release(r->heap, pairs[i]);
	return dict;
}

static struct value make_text(struct expr_run *r, struct value *parts, uint32_t count)
{
	struct buf   b = { .cap = EXPR_RESULT_BYTES_MAX };
	struct value text = VALUE_NONE;
	uint32_t     i = 0;

	while (i < count && b.failed == GD_OK && expr_charge_data(r, parts[i], "be part of a text"))
		value_write_text(&b, parts[i++]);
	if (i == count || b.failed != GD_OK)
		text = expr_text_of_buf(r, &b);
	else
		buf_close(&b);
	for (i = 0; i < count; i++)
		value_release(r->heap, parts[i]);
	return text;
}

static struct value call(struct expr_run *r, const struct expr_op *op, struct value *args)
{
	struct value result = op->code == XOP_CALL ? EXPR_FNS[op->small].call(r, args, op->arg)
	                                           : expr_lazy_range(r, args, op->arg);

	for (uint32_t i = 0; i < op->arg; i++)
		value_release(r->heap, args[i]);
	return result;
}

static struct value slice(struct expr_run *r, struct value operands[4])
{
	struct value result = expr_slice(r, operands);

	for (int i = 0; i < 4; i++)
		value_release(r->heap, operands[i]);
	return result;
}

/* --- the machine --- */

static inline bool are_small_ints(struct value a, struct value b)
{
	return value_is_int48(a) && value_is_int48(b);
}

static inline struct value small_or_large(struct expr_run *r, int64_t number)
{
	if (number >= VALUE_INT48_MIN && number <= VALUE_INT48_MAX)
		return (struct value){ VALUE_TAG_INT | ((uint64_t)number & VALUE_PAYLOAD_MASK) };
	return value_int(r->heap, number);
}

/* Small integers and floats here; everything else, and every error, in expr_arith.c. */
static inline struct value arith(struct expr_run *r, enum expr_opcode op, struct value a,
                                 struct value b)
{
	double number = HUGE_VAL;

	if (are_small_ints(a, b)) {
		int64_t m = value_int48(a), n = value_int48(b), product, rest;

		if (op == XOP_ADD)
			return small_or_large(r, m + n);
		if (op == XOP_SUB)
			return small_or_large(r, m - n);
		if (op == XOP_MUL && !__builtin_mul_overflow(m, n, &product))
			return small_or_large(r, product);
		if (op == XOP_DIV && n != 0)
			return value_float((double)m / (double)n);
		if (op == XOP_MOD && n > 0) {
			rest = m % n;
			return small_or_large(r, rest < 0 ? rest + n : rest);
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

static inline bool compare(struct expr_run *r, enum expr_compare how, struct value a,
                           struct value b, bool *out)
{
	if (are_small_ints(a, b) && how <= XCMP_GE) {
		int64_t m = value_int48(a), n = value_int48(b);
		bool    answers[] = { m == n, m != n, m<n, m <= n, m> n, m >= n };

		*out = answers[how];
		return true;
	}
	return expr_compare(r, how, a, b, out);
}

/* Starts a comprehension over `items`, which it takes. False leaves the places to be released. */
static bool iter_start(struct expr_run *r, struct value *place)
{
	struct value items = expr_items(r, place[0]);

	value_release(r->heap, place[0]);
	place[0] = items;
	place[1] = value_int(r->heap, 0);
	place[2] = value_is_none(items) ? VALUE_NONE : value_list_new(r->heap, 0);
	return !value_is_none(place[2]);
}

/* The next item, a new reference; VALUE_NONE after the last one. */
static struct value iter_next(struct expr_run *r, struct value *place)
{
	const struct vlist *items = value_list(place[0]);
	int64_t             done = value_int48(place[1]);

	if (done >= items->count)
		return VALUE_NONE;
	place[1] = value_int(r->heap, done + 1);
	return value_retain(items->at[done]);
}

static void cut_back(struct machine *m, struct value *sp, const struct value *to)
{
	while (sp > to)
		value_release(m->run.heap, *--sp);
}

/* After an error: where a default() wants to go on, else NULL. */
static const struct expr_op *recover(struct machine *m, struct value **sp)
{
	struct expr_error *why = m->run.why;
	struct try_mark   *mark;

	if (m->try_count == 0 || why->type == NULL ||
	    (strcmp(why->type, "KeyError") != 0 && strcmp(why->type, "IndexError") != 0))
		return NULL;
	mark = &m->tries[--m->try_count];
	cut_back(m, *sp, mark->sp);
	*sp = mark->sp;
	why->type = NULL;
	return mark->handler;
}

/* Runs from `pc` until the end, or until something fails: then NULL, and `*stack_end` says what is
 * left on the stack. This is one long switch on purpose: an instruction that stays inside costs a
 * few nanoseconds, and most do. */
static const struct expr_op *run_from(struct machine *m, const struct expr_op *pc,
                                      struct value **stack_end)
{
	struct expr_run      *r = &m->run;
	struct value         *sp = *stack_end;
	const struct expr_op *op;
	struct value          v;
	bool                  yes;

	while (pc < m->end) {
		op = pc++;
		r->fuel -= EXPR_UNITS_PER_STEP;
		if (r->fuel < 0 && !expr_charge(r, 0))
			goto failed;
		switch ((enum expr_opcode)op->code) {
		case XOP_CONST:
			*sp++ = value_retain(m->consts[op->arg]);
			continue;
		case XOP_SLOT:
			v = value_retain(r->env->slots[op->small]);
			if (value_is_none(v))
				v = not_set(r, m->consts[op->arg]);
			break;
		case XOP_LOCAL:
			v = value_retain(sp[-(ptrdiff_t)op->arg]);
			break;
		case XOP_NOW:
			v = now_of(r);
			break;
		case XOP_JOB:
			v = job_of(r);
			break;
		case XOP_ATTEMPT:
			v = value_int(r->heap, r->env->attempt);
			break;
		case XOP_ADD:
		case XOP_SUB:
		case XOP_MUL:
		case XOP_DIV:
		case XOP_FLOOR_DIV:
		case XOP_MOD:
			v = arith(r, (enum expr_opcode)op->code, sp[-2], sp[-1]);
			value_release(r->heap, *--sp);
			value_release(r->heap, *--sp);
			break;
		case XOP_MINUS:
			v = expr_minus(r, sp[-1]);
			value_release(r->heap, *--sp);
			break;
		case XOP_PLUS:
			v = expr_plus(r, sp[-1]);
			value_release(r->heap, *--sp);
			break;
		case XOP_NOT:
			if (!expr_truth(r, sp[-1], &yes))
				goto failed;
			value_release(r->heap, *--sp);
			v = value_bool(!yes);
			break;
		case XOP_COMPARE:
			if (!compare(r, (enum expr_compare)op->small, sp[-2], sp[-1], &yes))
				goto failed;
			value_release(r->heap, *--sp);
			value_release(r->heap, *--sp);
			v = value_bool(yes);
			break;
		case XOP_CHAIN:
			if (!compare(r, (enum expr_compare)op->small, sp[-2], sp[-1], &yes))
				goto failed;
			v = yes ? *--sp : value_bool(false);
			if (!yes) {
				value_release(r->heap, *--sp);
				pc += op->arg;
			}
			value_release(r->heap, *--sp);
			break;
		case XOP_JUMP:
			pc += (int32_t)op->arg;
			continue;
		case XOP_JUMP_UNLESS:
			if (!expr_truth(r, sp[-1], &yes))
				goto failed;
			value_release(r->heap, *--sp);
			pc += yes ? 0 : op->arg;
			continue;
		case XOP_AND:
		case XOP_OR:
			if (!expr_truth(r, sp[-1], &yes))
				goto failed;
			if (yes == (op->code == XOP_OR))
				pc += op->arg;
			else
				value_release(r->heap, *--sp);
			continue;
		case XOP_MEMBER:
			v = expr_member(r, sp[-1], m->consts[op->arg]);
			value_release(r->heap, *--sp);
			break;
		case XOP_INDEX:
			v = expr_index(r, sp[-2], sp[-1]);
			value_release(r->heap, *--sp);
			value_release(r->heap, *--sp);
			break;
		case XOP_SLICE:
			sp -= 4;
			v = slice(r, sp);
			break;
		case XOP_LIST:
			sp -= op->arg;
			v = make_list(r, sp, op->arg);
			break;
		case XOP_DICT:
			sp -= 2 * op->arg;
			v = make_dict(r, sp, op->arg);
			break;
		case XOP_TEXT:
			sp -= op->arg;
			v = make_text(r, sp, op->arg);
			break;
		case XOP_CALL:
		case XOP_LAZY_RANGE:
			sp -= op->arg;
			v = call(r, op, sp);
			break;
		case XOP_TRY:
			CHECK(m->try_count < EXPR_TRIES_MAX);
			m->tries[m->try_count++] = (struct try_mark){ pc + op->arg, sp };
			continue;
		case XOP_TRY_END:
			m->try_count--;
			pc += op->arg;
			continue;
		case XOP_ITER:
			sp += 2;
			if (!iter_start(r, sp - 3))
				goto failed;
			continue;
		case XOP_NEXT:
			v = iter_next(r, sp - 3);
			if (!value_is_none(v))
				break;
			pc += op->arg;
			continue;
		case XOP_APPEND:
			v = *--sp;
			value_release(r->heap, *--sp);
			sp[-1] = value_list_append(r->heap, sp[-1], v);
			pc += (int32_t)op->arg;
			if (!value_is_none(sp[-1]))
				continue;
			goto failed;
		case XOP_SKIP:
			value_release(r->heap, *--sp);
			pc += (int32_t)op->arg;
			continue;
		case XOP_ITER_END:
			v = *--sp;
			sp -= 2;
			value_release(r->heap, sp[0]);
			break;
		}
		if (value_is_none(v))
			goto failed;
		*sp++ = v;
		continue;
failed:
		pc = recover(m, &sp);
		if (pc == NULL)
			break;
	}
	*stack_end = sp;
	return pc;
}

static bool run_on(struct machine *m, const struct expr_op *first, struct value *out)
{
	struct value *sp = m->stack;
	size_t        before = m->run.heap->bytes;

	if (run_from(m, first, &sp) == NULL) {
		cut_back(m, sp, m->stack);
		return false;
	}
	CHECK(sp == m->stack + 1);
	*out = m->stack[0];
	if (m->run.heap->bytes <= before || m->run.heap->bytes - before <= EXPR_RESULT_BYTES_MAX)
		return true;
	value_release(m->run.heap, *out);
	expr_raise(&m->run, "LimitError", "the result is larger than %u bytes",
	           EXPR_RESULT_BYTES_MAX);
	return false;
}

static bool run_code(struct value_heap *h, const struct expr_code *code, const struct expr *x,
                     const struct expr_env *env, uint32_t fuel, struct value *out,
                     struct expr_error *why)
{
	struct value   first_stack[STACK_FIRST_ROOM];
	struct machine m;
	bool           is_ok;

	m.run = (struct expr_run){ h, env, why, (int64_t)fuel * EXPR_UNITS_PER_STEP };
	m.end = code->ops + x->first + x->count;
	m.consts = code->consts;
	m.stack = first_stack;
	m.try_count = 0;
	why->type = NULL;
	if (x->stack > STACK_FIRST_ROOM)
		m.stack = malloc(x->stack * sizeof m.stack[0]);
	if (m.stack == NULL) {
		h->failed = true;
		return false;
	}
	is_ok = run_on(&m, code->ops + x->first, out);
	if (m.stack != first_stack)
		free(m.stack);
	return is_ok;
}

static bool read_slot(struct value_heap *h, const struct expr *x, const struct expr_env *env,
                      struct value *out, struct expr_error *why)
{
	struct expr_run r = { h, env, why, 0 };

	*out = value_retain(env->slots[x->slot]);
	if (!value_is_none(*out))
		return true;
	not_set(&r, x->constant);
	return false;
}

bool expr_eval_fueled(struct value_heap *h, const struct expr_code *code, const struct expr *x,
                      const struct expr_env *env, uint32_t fuel, struct value *out,
                      struct expr_error *why)
{
	switch (x->kind) {
	case EXPR_CONST:
		*out = x->constant;
		return true;
	case EXPR_SLOT:
		return read_slot(h, x, env, out, why);
	case EXPR_CODE:
		return run_code(h, code, x, env, fuel, out, why);
	}
	CHECK_NEVER("expr_eval: unknown kind");
}

bool expr_eval(struct value_heap *h, const struct expr_code *code, const struct expr *x,
               const struct expr_env *env, struct value *out, struct expr_error *why)
{
	return expr_eval_fueled(h, code, x, env, EXPR_FUEL, out, why);
}
