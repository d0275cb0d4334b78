#include "daemon/profile/profile_program.h"

#include "daemon/expr/duration.h"
#include "daemon/load/nearest.h"
#include "proto/base/check.h"

#include <stdio.h>
#include <string.h>

struct judging {
	const struct profile *profile;
	const struct program *program;
	const struct exec    *exec;
	struct load_problems *out;
	bool                  failed; /* memory ended */
};

/* The constant that `x` is; NULL: it is worked out, or not given. */
static const struct value *constant(const struct judging *g, uint32_t x)
{
	if (x == PROGRAM_NONE || g->program->exprs[x].kind != EXPR_CONST)
		return NULL;
	return &g->program->exprs[x].constant;
}

static const struct vtext *constant_text(const struct judging *g, uint32_t x)
{
	const struct value *v = constant(g, x);

	return v != NULL && value_is_type(*v, VALUE_T_TEXT) ? value_text(*v) : NULL;
}

/* A problem at `key` of the command, or at element `index` of it (PROGRAM_NONE: none), or at its
 * member `name`. */
static void add(struct judging *g, const char *key, uint32_t index, const char *name,
                const char *hint, const char *message)
{
	struct buf pointer = { 0 };

	program_write_pointer(&pointer, g->program, g->exec->node);
	buf_addf(&pointer, "/%s", key);
	if (index != PROGRAM_NONE)
		buf_addf(&pointer, "/%u", index);
	if (name != NULL) {
		buf_add_byte(&pointer, '/');
		program_write_key(&pointer, name);
	}
	buf_add_byte(&pointer, '\0');
	if (pointer.failed != GD_OK || !load_problems_add(g->out, pointer.at, message, hint))
		g->failed = true;
	buf_close(&pointer);
}

static enum gd_err outcome(const struct judging *g, struct gd_error *why)
{
	return g->failed ? gd_fail(why, GD_NOMEM, "no memory to tell what is wrong") : GD_OK;
}

/* --- parts of a command --- */

static void judge_args(struct judging *g)
{
	struct gd_error why;

	if (profile_check_count(g->profile, g->exec->arg_count, &why) != GD_OK) {
		add(g, "exec", PROGRAM_NONE, NULL, NULL, why.text);
		return;
	}
	for (uint32_t i = 0; i < g->exec->arg_count; i++) {
		const struct vtext *text =
			constant_text(g, g->program->args[g->exec->first_arg + i]);

		if (text != NULL &&
		    profile_check_arg(g->profile, i + 1, text->at, text->bytes, &why) != GD_OK)
			add(g, "exec", i, NULL, NULL, why.text);
	}
}

static enum gd_err judge_variable(const struct judging *g, const char *name, uint32_t x,
                                  struct gd_error *why)
{
	const struct value *v = constant(g, x);
	const struct vtext *text = constant_text(g, x);

	if (text != NULL)
		return profile_check_value(g->profile, name, text->at, text->bytes, why);
	if (v != NULL)
		return profile_check_secret(g->profile, name, why);
	return profile_check_variable(g->profile, name, why);
}

static void judge_env(struct judging *g)
{
	for (uint32_t i = 0; i < g->exec->env_count; i++) {
		const uint32_t *at = &g->program->args[g->exec->first_env + 2 * i];
		const char     *name = constant_text(g, at[0])->at;
		struct gd_error why;

		if (judge_variable(g, name, at[1], &why) != GD_OK)
			add(g, "env", PROGRAM_NONE, name, NULL, why.text);
	}
}

static void judge_timeout(struct judging *g)
{
	const struct value *v = constant(g, g->exec->timeout);
	gd_nsec             length = GD_NSEC_NEVER;
	struct expr_error   ignored;
	struct gd_error     why;
	bool                is_given = g->exec->timeout != PROGRAM_NONE;

	if (is_given && v == NULL)
		return;
	if (is_given && !value_is_null(*v) && !duration_of_value(*v, &length, &ignored))
		return;
	if (profile_check_timeout(g->profile, length, &why) != GD_OK)
		add(g, is_given ? "timeout" : "exec", PROGRAM_NONE, NULL, NULL, why.text);
}

static void judge_options(struct judging *g)
{
	const struct value *input = constant(g, g->exec->input);
	const struct vtext *cwd = constant_text(g, g->exec->cwd);
	const struct vtext *pool = constant_text(g, g->exec->pool);
	struct gd_error     why;

	if (input != NULL && !value_is_null(*input) &&
	    profile_check_input(g->profile, &why) != GD_OK)
		add(g, "stdin", PROGRAM_NONE, NULL, NULL, why.text);
	if (cwd != NULL && profile_check_cwd(g->profile, cwd->at, &why) != GD_OK)
		add(g, "cwd", PROGRAM_NONE, NULL, NULL, why.text);
	if (pool != NULL && profile_check_pool(g->profile, pool->at, &why) != GD_OK)
		add(g, "pool", PROGRAM_NONE, NULL, NULL, why.text);
	_Static_assert(PROFILE_INTERRUPT_HOLD == 1u << EXEC_INTERRUPT_HOLD &&
	                       PROFILE_INTERRUPT_RETRY == 1u << EXEC_INTERRUPT_RETRY,
	               "one bit for each");
	if (profile_check_interrupt(g->profile, 1u << g->exec->interrupt, &why) != GD_OK)
		add(g, g->exec->interrupt == EXEC_INTERRUPT_FAIL ? "exec" : "on_interrupt",
		    PROGRAM_NONE, NULL, NULL, why.text);
}

/* --- whole commands --- */

const char *profile_of_exec(const struct profile_table *t, const struct program *p,
                            const struct exec *x, const struct profile **out)
{
	const char *name;

	*out = NULL;
	if (x->profile == PROGRAM_NONE)
		return NULL;
	name = value_text(p->exprs[x->profile].constant)->at;
	*out = profile_table_find(t, name);
	return name;
}

enum gd_err profile_check_exec(const struct profile *profile, const struct program *p,
                               const struct exec *x, struct load_problems *out,
                               struct gd_error *why)
{
	struct judging g = { profile, p, x, out, false };

	judge_args(&g);
	judge_env(&g);
	judge_timeout(&g);
	judge_options(&g);
	return outcome(&g, why);
}

enum gd_err profile_is_missing(const struct profile_table *t, const char *name,
                               const struct program *p, const struct exec *x,
                               struct load_problems *out, struct gd_error *why)
{
	struct judging g = { NULL, p, x, out, false };
	uint32_t       work = NEAREST_WORK;
	struct nearest near;
	char           message[80], hint[80];

	nearest_init(&near, name, strlen(name), &work);
	for (uint32_t i = 0; i < profile_table_count(t); i++)
		nearest_offer(&near, profile_table_at(t, i)->name);
	(void)snprintf(message, sizeof message, "there is no exec profile %s", name);
	if (near.best != NULL)
		(void)snprintf(hint, sizeof hint, "did you mean \"%s\"?", near.best);
	add(&g, "profile", PROGRAM_NONE, NULL, near.best != NULL ? hint : NULL, message);
	return outcome(&g, why);
}
