#include "daemon/net/may_call.h"

#include <string.h>

/* The text that an expression is; NULL: it is worked out, or is something else. */
static const char *constant_text(const struct program *p, uint32_t x)
{
	const struct expr *e = &p->exprs[x];

	return e->kind == EXPR_CONST && value_is_type(e->constant, VALUE_T_TEXT)
	               ? value_text(e->constant)->at
	               : NULL;
}

/* False: memory has ended. */
static bool add(const struct program *p, const struct outcall *o, uint32_t arg, const char *name,
                struct load_problems *problems, const char *message)
{
	struct buf pointer = { 0 };
	bool       is_told;

	program_write_pointer(&pointer, p, o->node);
	if (o->is_listed)
		buf_addf(&pointer, "/args/%u", arg);
	else
		buf_addf(&pointer, "/args/%s", name);
	buf_add_byte(&pointer, '\0');
	is_told = pointer.failed == GD_OK && load_problems_add(problems, pointer.at, message, NULL);
	buf_close(&pointer);
	return is_told;
}

/* False: memory has ended. */
static bool judge(const struct blocking_config *c, const struct program *p, const struct outcall *o,
                  struct load_problems *problems)
{
	const uint32_t *at = &p->args[o->first_arg];
	const char     *function = constant_text(p, at[1]);
	struct gd_error why;

	for (uint32_t i = 1; i < o->arg_count; i++) {
		const char *name = constant_text(p, at[2 * i]);
		const char *path = constant_text(p, at[2 * i + 1]);

		if (strcmp(name, "path") == 0 && path != NULL &&
		    blocking_check_path(c, function, path, &why) != GD_OK &&
		    !add(p, o, i - 1, name, problems, why.text))
			return false;
	}
	return true;
}

enum gd_err may_call(const struct blocking_config *c, const struct program *p,
                     struct load_problems *problems, struct gd_error *why)
{
	for (uint32_t i = 0; i < p->outcall_count; i++) {
		if (p->outcalls[i].kind == OUTCALL_THREAD &&
		    !judge(c, p, &p->outcalls[i], problems))
			return gd_fail(why, GD_NOMEM, "no memory to refuse a call");
	}
	return problems->count == 0 ? GD_OK
	                            : gd_fail(why, GD_INVALID_SPEC, "the spec has problems");
}
