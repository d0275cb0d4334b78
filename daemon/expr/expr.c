#include "daemon/expr/expr.h"

#include "daemon/expr/machine.h"
#include "daemon/value/limits.h"
#include "proto/base/check.h"

#include <stdlib.h>

#define STACK_FIRST_ROOM 64

struct value expr_not_set(struct expr_run *r, struct value name)
{
	if (value_is_type(name, VALUE_T_TEXT))
		return expr_raise(r, "NameError", "%.150s is not set yet", value_text(name)->at);
	return expr_raise(r, "NameError", "a name is not set yet");
}

/* --- the machine --- */

static void cut_back(struct machine *m, const struct value *to)
{
	while (m->sp > to)
		value_release(m->run.heap, *--m->sp);
}

/* After an error: where a default() wants to go on, else NULL. */
static const struct expr_op *recover(struct machine *m)
{
	struct expr_error *why = m->run.why;
	struct try_mark   *mark;

	if (m->try_count == 0 || why->type == NULL ||
	    (strcmp(why->type, "KeyError") != 0 && strcmp(why->type, "IndexError") != 0))
		return NULL;
	mark = &m->tries[--m->try_count];
	cut_back(m, mark->sp);
	why->type = NULL;
	return mark->handler;
}

/* The value that `op` makes takes the place of what it takes. */
static const struct expr_op *make(struct machine *m, const struct expr_op *op)
{
	const struct expr_make *how = &EXPR_MAKES[op->code];
	struct value           *at = m->sp - how->takes - how->takes_arg * op->arg;
	struct value            v = how->make(m, op, at);

	cut_back(m, at);
	if (value_is_none(v))
		return NULL;
	*m->sp++ = v;
	return op + 1;
}

/* --- of a comprehension: the items, how many are done, the list that is made --- */

static inline const struct expr_op *iter_next(struct machine *m, const struct expr_op *op)
{
	struct value       *place = m->sp - 3;
	const struct vlist *items = value_list(place[0]);
	int64_t             done = value_int48(place[1]);

	if (done >= items->count)
		return op + 1 + op->arg;
	place[1] = value_int(m->run.heap, done + 1);
	*m->sp++ = value_retain(items->at[done]);
	return op + 1;
}

static inline const struct expr_op *iter_append(struct machine *m, const struct expr_op *op)
{
	struct value made = *--m->sp;

	value_release(m->run.heap, *--m->sp);
	m->sp[-1] = value_list_append(m->run.heap, m->sp[-1], made);
	return value_is_none(m->sp[-1]) ? NULL : op + 1 + (int32_t)op->arg;
}

/* What step() does with an instruction. What most code consists of stays inside. */
enum way {
	WAY_JUMP,
	WAY_CONST,
	WAY_LOCAL,
	WAY_ARITH,
	WAY_COMPARE,
	WAY_UNLESS,
	WAY_SLOT,
	WAY_NEXT,
	WAY_APPEND,
	WAY_MAKE
};

static const uint8_t WAYS[EXPR_OPCODES] = {
	[XOP_CONST] = WAY_CONST,        [XOP_LOCAL] = WAY_LOCAL, [XOP_ADD] = WAY_ARITH,
	[XOP_SUB] = WAY_ARITH,          [XOP_MUL] = WAY_ARITH,   [XOP_DIV] = WAY_ARITH,
	[XOP_FLOOR_DIV] = WAY_ARITH,    [XOP_MOD] = WAY_ARITH,   [XOP_COMPARE] = WAY_COMPARE,
	[XOP_JUMP_UNLESS] = WAY_UNLESS, [XOP_SLOT] = WAY_SLOT,   [XOP_NEXT] = WAY_NEXT,
	[XOP_APPEND] = WAY_APPEND,      [XOP_NOW] = WAY_MAKE,    [XOP_JOB] = WAY_MAKE,
	[XOP_ATTEMPT] = WAY_MAKE,       [XOP_MINUS] = WAY_MAKE,  [XOP_PLUS] = WAY_MAKE,
	[XOP_NOT] = WAY_MAKE,           [XOP_MEMBER] = WAY_MAKE, [XOP_INDEX] = WAY_MAKE,
	[XOP_SLICE] = WAY_MAKE,         [XOP_LIST] = WAY_MAKE,   [XOP_DICT] = WAY_MAKE,
	[XOP_TEXT] = WAY_MAKE,          [XOP_CALL] = WAY_MAKE,   [XOP_LAZY_RANGE] = WAY_MAKE,
};

/* `v` in the place of two operands. */
static inline const struct expr_op *replace_two(struct machine *m, const struct expr_op *op,
                                                struct value v)
{
	value_release(m->run.heap, *--m->sp);
	value_release(m->run.heap, *--m->sp);
	if (value_is_none(v))
		return NULL;
	*m->sp++ = v;
	return op + 1;
}

/* Obeys `op`; gives the next instruction, or NULL when it raised. */
static inline const struct expr_op *step(struct machine *m, const struct expr_op *op)
{
	struct value *sp = m->sp;
	bool          yes;

	switch ((enum way)WAYS[op->code]) {
	case WAY_CONST:
		*m->sp++ = value_retain(m->consts[op->arg]);
		return op + 1;
	case WAY_LOCAL:
		*m->sp++ = value_retain(sp[-(ptrdiff_t)op->arg]);
		return op + 1;
	case WAY_ARITH:
		return replace_two(m, op,
		                   expr_arith(&m->run, (enum expr_opcode)op->code, sp[-2], sp[-1]));
	case WAY_COMPARE:
		if (!expr_compare_small(&m->run, (enum expr_compare)op->small, sp[-2], sp[-1],
		                        &yes))
			return NULL;
		return replace_two(m, op, value_bool(yes));
	case WAY_UNLESS:
		if (!expr_truth_small(&m->run, sp[-1], &yes))
			return NULL;
		value_release(m->run.heap, *--m->sp);
		return op + 1 + (yes ? 0 : op->arg);
	case WAY_SLOT:
		if (value_is_none(m->run.env->slots[op->small]))
			break;
		*m->sp++ = value_retain(m->run.env->slots[op->small]);
		return op + 1;
	case WAY_NEXT:
		return iter_next(m, op);
	case WAY_APPEND:
		return iter_append(m, op);
	case WAY_JUMP:
		return EXPR_JUMPS[op->code](m, op);
	case WAY_MAKE:
		break;
	}
	return make(m, op);
}

/* Runs from `pc` to the end; false when something fails. Then there may be values on the stack. */
static bool run_from(struct machine *m, const struct expr_op *pc)
{
	while (pc < m->end) {
		m->run.fuel -= EXPR_UNITS_PER_STEP;
		pc = m->run.fuel < 0 && !expr_charge(&m->run, 0) ? NULL : step(m, pc);
		if (pc == NULL && (pc = recover(m)) == NULL)
			return false;
	}
	return true;
}

static bool run_on(struct machine *m, const struct expr_op *first, struct value *out)
{
	size_t before = m->run.heap->bytes;

	if (!run_from(m, first)) {
		cut_back(m, m->stack);
		return false;
	}
	CHECK(m->sp == m->stack + 1);
	*out = m->stack[0];
	if (m->run.heap->bytes <= before || m->run.heap->bytes - before <= EXPR_RESULT_BYTES_MAX)
		return true;
	value_release(m->run.heap, *out);
	expr_raise(&m->run, "LimitError", "the result is larger than %u bytes",
	           EXPR_RESULT_BYTES_MAX);
	return false;
}

static bool run_code(struct value_heap *h, const struct expr_code *code, const struct expr *x,
                     const struct expr_env *env, uint32_t *fuel, struct value *out,
                     struct expr_error *why)
{
	struct value   first_stack[STACK_FIRST_ROOM];
	struct machine m;
	bool           is_ok;

	m.run = (struct expr_run){ h, env, why, (int64_t)*fuel * EXPR_UNITS_PER_STEP };
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
	m.sp = m.stack;
	is_ok = run_on(&m, code->ops + x->first, out);
	*fuel = m.run.fuel > 0 ? (uint32_t)(m.run.fuel / EXPR_UNITS_PER_STEP) : 0;
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
	(void)expr_not_set(&r, x->constant);
	return false;
}

bool expr_eval(struct value_heap *h, const struct expr_code *code, const struct expr *x,
               const struct expr_env *env, uint32_t *fuel, struct value *out,
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
