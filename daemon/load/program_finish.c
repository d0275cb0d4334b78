/* What was built becomes a program, without the room that it did not need. */
#include "daemon/load/program_builder.h"

#include <stdlib.h>

static size_t value_bytes(struct value v)
{
	size_t bytes = 0;

	if (value_is_type(v, VALUE_T_TEXT))
		return sizeof(struct vtext) + value_text(v)->bytes + 1;
	if (value_is_type(v, VALUE_T_LIST)) {
		for (uint32_t i = 0; i < value_list(v)->count; i++)
			bytes += sizeof v + value_bytes(value_list(v)->at[i]);
		return bytes + sizeof(struct vlist);
	}
	if (value_is_type(v, VALUE_T_DICT)) {
		for (uint32_t i = 0; i < value_dict(v)->count; i++)
			bytes += sizeof(struct vpair) + value_bytes(value_dict(v)->at[i].key) +
			         value_bytes(value_dict(v)->at[i].value);
		return bytes + sizeof(struct vdict);
	}
	return value_is_obj(v) ? sizeof(struct vrange) : 0;
}

static size_t program_bytes(const struct program *p)
{
	size_t bytes = sizeof *p + p->op_count * sizeof *p->ops + p->code_count * sizeof *p->codes +
	               p->expr_count * sizeof *p->exprs + p->node_count * sizeof *p->nodes +
	               p->join_count * sizeof *p->joins + p->branch_count * sizeof *p->branches +
	               p->call_count * sizeof *p->calls + p->arg_count * sizeof *p->args +
	               p->exec_count * sizeof *p->execs + p->outcall_count * sizeof *p->outcalls +
	               p->child_count * sizeof *p->children +
	               p->handler_count * sizeof *p->handlers + p->after_count * sizeof *p->afters +
	               p->dependent_count * sizeof *p->dependents +
	               p->retry_count * sizeof *p->retries +
	               p->expr_code.op_count * sizeof *p->expr_code.ops;

	for (uint32_t i = 0; i < p->code_count; i++)
		if (p->codes[i].captures != NULL)
			bytes += p->codes[i].capture_count * sizeof p->codes[i].captures[0];
	for (uint32_t i = 0; i < p->expr_count; i++)
		bytes += p->exprs[i].kind == EXPR_CONST ? value_bytes(p->exprs[i].constant) : 0;
	for (uint32_t i = 0; i < p->expr_code.const_count; i++)
		bytes += sizeof(struct value) + value_bytes(p->expr_code.consts[i]);
	for (uint32_t i = 0; i < p->retry_on_count; i++)
		bytes += sizeof(struct value) + value_bytes(p->retry_on[i]);
	for (uint32_t i = 0; i < p->job_arg_count; i++)
		bytes += value_bytes(p->arg_names[i]) + value_bytes(p->arg_defaults[i]);
	return bytes;
}

/* Gives back the room that was not needed, by a copy: cut in its place, each array would leave a
 * hole behind it that is too small for the next program's, and a million programs would take three
 * times what they hold. Where memory ends, what is there is kept. */
static void *shrunk(void *at, size_t count, size_t bytes)
{
	void *exact = NULL;

	if (count != 0) {
		if ((exact = malloc(count * bytes)) == NULL)
			return at;
		memcpy(exact, at, count * bytes);
	}
	free(at);
	return exact;
}

static void shrink(struct program *p)
{
	p->ops = shrunk(p->ops, p->op_count, sizeof *p->ops);
	p->codes = shrunk(p->codes, p->code_count, sizeof *p->codes);
	p->exprs = shrunk(p->exprs, p->expr_count, sizeof *p->exprs);
	p->expr_code.ops =
		shrunk(p->expr_code.ops, p->expr_code.op_count, sizeof *p->expr_code.ops);
	p->expr_code.consts =
		shrunk(p->expr_code.consts, p->expr_code.const_count, sizeof *p->expr_code.consts);
	p->nodes = shrunk(p->nodes, p->node_count, sizeof *p->nodes);
	p->joins = shrunk(p->joins, p->join_count, sizeof *p->joins);
	p->branches = shrunk(p->branches, p->branch_count, sizeof *p->branches);
	p->calls = shrunk(p->calls, p->call_count, sizeof *p->calls);
	p->args = shrunk(p->args, p->arg_count, sizeof *p->args);
	p->outcalls = shrunk(p->outcalls, p->outcall_count, sizeof *p->outcalls);
	p->execs = shrunk(p->execs, p->exec_count, sizeof *p->execs);
	p->children = shrunk(p->children, p->child_count, sizeof *p->children);
	p->handlers = shrunk(p->handlers, p->handler_count, sizeof *p->handlers);
	p->afters = shrunk(p->afters, p->after_count, sizeof *p->afters);
	p->dependents = shrunk(p->dependents, p->dependent_count, sizeof *p->dependents);
	p->retries = shrunk(p->retries, p->retry_count, sizeof *p->retries);
	p->retry_on = shrunk(p->retry_on, p->retry_on_count, sizeof *p->retry_on);
	p->text = shrunk(p->text, p->bytes, 1);
}

enum gd_err program_builder_finish(struct program_builder *b, struct program **out,
                                   struct gd_error *why)
{
	struct program *p = b->program;

	if (program_builder_failed(b))
		return gd_fail(why, GD_NOMEM, "no memory for a program");
	p->exprs = b->exprs.exprs;
	p->expr_count = b->exprs.expr_count;
	p->expr_code = b->exprs.code;
	p->text = b->keys.at;
	p->bytes = b->keys.bytes;
	b->exprs = (struct expr_builder){ .heap = &b->heap };
	b->keys = (struct buf){ 0 };
	shrink(p);
	for (uint32_t i = 0; i < p->node_count; i++)
		p->nodes[i].key = p->text + b->key_at[i];
	p->bytes += program_bytes(p);
	b->program = NULL;
	*out = p;
	return GD_OK;
}
