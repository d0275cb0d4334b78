#include "daemon/engine/program.h"

#include "daemon/value/limits.h"
#include "proto/base/check.h"

#include <stdlib.h>

struct program *program_retain(struct program *p)
{
	/* Whoever retains holds a reference already, so nothing needs to be ordered before this. */
	(void)atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

static void destroy_values(struct value *at, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		value_destroy_immortal(at[i]);
	free(at);
}

static void destroy(struct program *p)
{
	for (uint32_t i = 0; i < p->expr_count; i++)
		value_destroy_immortal(p->exprs[i].constant);
	for (uint32_t i = 0; i < p->code_count; i++)
		free(p->codes[i].captures);
	for (uint32_t i = 0; i < p->branch_count; i++)
		value_destroy_immortal(p->branches[i].name);
	destroy_values(p->expr_code.consts, p->expr_code.const_count);
	destroy_values(p->retry_on, p->retry_on_count);
	destroy_values(p->arg_names, p->job_arg_count);
	destroy_values(p->arg_defaults, p->job_arg_count);
	value_destroy_immortal(p->title);
	value_destroy_immortal(p->loop);
	free(p->ops);
	free(p->codes);
	free(p->exprs);
	free(p->expr_code.ops);
	free(p->nodes);
	free(p->joins);
	free(p->branches);
	free(p->calls);
	free(p->args);
	free(p->execs);
	free(p->outcalls);
	free(p->children);
	free(p->handlers);
	free(p->afters);
	free(p->dependents);
	free(p->retries);
	free(p->text);
	free(p);
}

void program_release(struct program *p)
{
	if (p != NULL && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
		destroy(p);
}

void program_write_key(struct buf *b, const char *key)
{
	for (size_t plain; *key != '\0'; key += plain) {
		plain = strcspn(key, "~/");
		buf_add(b, key, plain);
		if (key[plain] == '\0')
			return;
		buf_add_text(b, key[plain] == '~' ? "~0" : "~1");
		plain++;
	}
}

void program_write_pointer(struct buf *b, const struct program *p, uint32_t node)
{
	/* A level of the spec is at most one node. */
	uint32_t path[SPEC_DEPTH_MAX];
	uint32_t count = 0;

	for (; p->nodes[node].parent != PROGRAM_NONE; node = p->nodes[node].parent) {
		CHECK(count < SPEC_DEPTH_MAX);
		path[count++] = node;
	}
	while (count > 0) {
		buf_add_byte(b, '/');
		program_write_key(b, p->nodes[path[--count]].key);
	}
}
