/* The instructions of expressions that decide where to go on: conditions, default(), comprehensions. */
#include "daemon/expr/machine.h"
#include "proto/base/check.h"

static void pop(struct machine *m)
{
	value_release(m->run.heap, *--m->sp);
}

static const struct expr_op *jump(struct machine *m, const struct expr_op *op)
{
	(void)m;
	return op + 1 + (int32_t)op->arg;
}

/* `and`, `or`: the operand stays when it decides. */
static const struct expr_op *jump_if_decided(struct machine *m, const struct expr_op *op)
{
	bool yes;

	if (!expr_truth_small(&m->run, m->sp[-1], &yes))
		return NULL;
	if (yes == (op->code == XOP_OR))
		return op + 1 + op->arg;
	pop(m);
	return op + 1;
}

static const struct expr_op *jump_in_chain(struct machine *m, const struct expr_op *op)
{
	struct value right = m->sp[-1];
	bool         yes;

	if (!expr_compare_small(&m->run, (enum expr_compare)op->small, m->sp[-2], right, &yes))
		return NULL;
	m->sp--;
	value_release(m->run.heap, m->sp[-1]);
	m->sp[-1] = yes ? right : value_bool(false);
	if (yes)
		return op + 1;
	value_release(m->run.heap, right);
	return op + 1 + op->arg;
}

/* --- default() --- */

static const struct expr_op *try_begin(struct machine *m, const struct expr_op *op)
{
	CHECK(m->try_count < EXPR_TRIES_MAX);
	m->tries[m->try_count++] = (struct try_mark){ op + 1 + op->arg, m->sp };
	return op + 1;
}

static const struct expr_op *try_end(struct machine *m, const struct expr_op *op)
{
	m->try_count--;
	return op + 1 + op->arg;
}

/* --- comprehensions: the items, how many are done, the list that is made --- */

static const struct expr_op *iter_begin(struct machine *m, const struct expr_op *op)
{
	struct value *place = m->sp - 1;
	struct value  items = expr_items(&m->run, place[0]);

	value_release(m->run.heap, place[0]);
	place[0] = items;
	place[1] = value_int(m->run.heap, 0);
	place[2] = value_is_none(items) ? VALUE_NONE : value_list_new(m->run.heap, 0);
	m->sp += 2;
	return value_is_none(place[2]) ? NULL : op + 1;
}

static const struct expr_op *iter_skip(struct machine *m, const struct expr_op *op)
{
	pop(m);
	return op + 1 + (int32_t)op->arg;
}

static const struct expr_op *iter_end(struct machine *m, const struct expr_op *op)
{
	struct value made = *--m->sp;

	m->sp--; /* a small number */
	value_release(m->run.heap, m->sp[-1]);
	m->sp[-1] = made;
	return op + 1;
}

expr_jump *const EXPR_JUMPS[EXPR_OPCODES] = {
	[XOP_CHAIN] = jump_in_chain, [XOP_JUMP] = jump,      [XOP_AND] = jump_if_decided,
	[XOP_OR] = jump_if_decided,  [XOP_TRY] = try_begin,  [XOP_TRY_END] = try_end,
	[XOP_ITER] = iter_begin,     [XOP_SKIP] = iter_skip, [XOP_ITER_END] = iter_end,
};
