/* The instructions of expressions that make one value of what lies on the stack. */
#include "daemon/expr/fn.h"
#include "daemon/expr/machine.h"
#include "daemon/value/limits.h"

/* --- what is there --- */

static struct value make_slot(struct machine *m, const struct expr_op *op, struct value *at)
{
	struct value v = m->run.env->slots[op->small];

	(void)at;
	return value_is_none(v) ? expr_not_set(&m->run, m->consts[op->arg]) : value_retain(v);
}

static struct value make_now(struct machine *m, const struct expr_op *op, struct value *at)
{
	gd_nsec now = m->run.env->now;

	(void)op;
	(void)at;
	/* Whole seconds apart, so that the sum keeps every digit a double has. */
	return value_float((double)(now / GD_NSEC_PER_SEC) +
	                   (double)(now % GD_NSEC_PER_SEC) / (double)GD_NSEC_PER_SEC);
}

static struct value put_member(struct value_heap *h, struct value dict, const char *name,
                               struct value v)
{
	return value_dict_put(h, dict, value_text_new(h, name, strlen(name)), v);
}

static struct value make_job(struct machine *m, const struct expr_op *op, struct value *at)
{
	const struct expr_env *env = m->run.env;
	struct value_heap     *h = m->run.heap;
	struct value           job = value_dict_new(h, 3);

	(void)op;
	(void)at;
	job = put_member(h, job, "id", value_int(h, (int64_t)env->job_id));
	job = put_member(h, job, "title", value_retain(env->job_title));
	return put_member(h, job, "attempt", value_int(h, env->job_attempt));
}

static struct value make_attempt(struct machine *m, const struct expr_op *op, struct value *at)
{
	(void)op;
	(void)at;
	return value_int(m->run.heap, m->run.env->attempt);
}

/* --- operators --- */

static struct value make_minus(struct machine *m, const struct expr_op *op, struct value *at)
{
	(void)op;
	return expr_minus(&m->run, at[0]);
}

static struct value make_plus(struct machine *m, const struct expr_op *op, struct value *at)
{
	(void)op;
	return expr_plus(&m->run, at[0]);
}

static struct value make_not(struct machine *m, const struct expr_op *op, struct value *at)
{
	bool yes;

	(void)op;
	return expr_truth(&m->run, at[0], &yes) ? value_bool(!yes) : VALUE_NONE;
}

/* --- parts --- */

static struct value make_member(struct machine *m, const struct expr_op *op, struct value *at)
{
	return expr_member(&m->run, at[0], m->consts[op->arg]);
}

static struct value make_item(struct machine *m, const struct expr_op *op, struct value *at)
{
	(void)op;
	return expr_index(&m->run, at[0], at[1]);
}

static struct value make_slice(struct machine *m, const struct expr_op *op, struct value *at)
{
	(void)op;
	return expr_slice(&m->run, at);
}

/* --- displays --- */

static struct value make_list(struct machine *m, const struct expr_op *op, struct value *at)
{
	struct value list = VALUE_NONE;

	if (expr_charge_bytes(&m->run, op->arg * sizeof at[0]))
		list = value_list_new(m->run.heap, op->arg);
	for (uint32_t i = 0; i < op->arg && !value_is_none(list); i++) {
		list = value_list_append(m->run.heap, list, at[i]);
		at[i] = VALUE_NULL;
	}
	return list;
}

static struct value make_dict(struct machine *m, const struct expr_op *op, struct value *pairs)
{
	struct expr_run *r = &m->run;
	struct value     dict = VALUE_NONE;
	uint32_t         good = 0;

	while (good < op->arg && value_is_type(pairs[2 * good], VALUE_T_TEXT))
		good++;
	if (good < op->arg)
		expr_raise_type(r, "a key of an object is text, not %s",
		                value_type_name(pairs[2 * good]));
	else if (expr_charge_bytes(r, op->arg * sizeof(struct vpair)))
		dict = value_dict_new(r->heap, op->arg);
	for (uint32_t i = 0; i < op->arg && !value_is_none(dict); i++) {
		dict = value_dict_put(r->heap, dict, pairs[2 * i], pairs[2 * i + 1]);
		pairs[2 * i] = VALUE_NULL;
		pairs[2 * i + 1] = VALUE_NULL;
	}
	return dict;
}

static struct value make_text(struct machine *m, const struct expr_op *op, struct value *parts)
{
	struct expr_run *r = &m->run;
	struct buf       b = { .cap = EXPR_RESULT_BYTES_MAX };
	uint32_t         i = 0;

	while (i < op->arg && b.failed == GD_OK &&
	       expr_charge_data(r, parts[i], "be part of a text"))
		value_write_text(&b, parts[i++]);
	if (i == op->arg || b.failed != GD_OK)
		return expr_text_of_buf(r, &b);
	buf_close(&b);
	return VALUE_NONE;
}

static struct value make_call(struct machine *m, const struct expr_op *op, struct value *args)
{
	return EXPR_FNS[op->small].call(&m->run, args, op->arg);
}

static struct value make_lazy_range(struct machine *m, const struct expr_op *op, struct value *args)
{
	return expr_lazy_range(&m->run, args, op->arg);
}

const struct expr_make EXPR_MAKES[EXPR_OPCODES] = {
	[XOP_SLOT] = { make_slot, 0, 0 },
	[XOP_NOW] = { make_now, 0, 0 },
	[XOP_JOB] = { make_job, 0, 0 },
	[XOP_ATTEMPT] = { make_attempt, 0, 0 },
	[XOP_MINUS] = { make_minus, 1, 0 },
	[XOP_PLUS] = { make_plus, 1, 0 },
	[XOP_NOT] = { make_not, 1, 0 },
	[XOP_MEMBER] = { make_member, 1, 0 },
	[XOP_INDEX] = { make_item, 2, 0 },
	[XOP_SLICE] = { make_slice, 4, 0 },
	[XOP_LIST] = { make_list, 0, 1 },
	[XOP_DICT] = { make_dict, 0, 2 },
	[XOP_TEXT] = { make_text, 0, 1 },
	[XOP_CALL] = { make_call, 0, 1 },
	[XOP_LAZY_RANGE] = { make_lazy_range, 0, 1 },
};
