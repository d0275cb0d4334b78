/* What a command wants, evaluated and checked before anybody is asked to run it. */
#include "daemon/expr/duration.h"
#include "daemon/engine/exec.h"
#include "daemon/expr/run.h"
#include "daemon/value/bytes.h"

#define PER_POINTER 8 /* what the kernel counts for each string besides its bytes and its end */

struct making {
	struct running    *r;
	const struct exec *spec;
	struct value       request;
	size_t             bytes; /* of arguments and variables */
};

static void put(struct making *m, const char *name, struct value v)
{
	struct value_heap *h = &m->r->e->heap;

	m->request = value_dict_put(h, m->request, value_text_new(h, name, strlen(name)), v);
}

static void put_text(struct making *m, const char *name, const char *text)
{
	put(m, name, value_text_new(&m->r->e->heap, text, strlen(text)));
}

static bool refuse(struct making *m, struct value v)
{
	value_release(&m->r->e->heap, v);
	return false;
}

/* --- arguments and variables --- */

/* `index` is counted from 0, the program; PROGRAM_NONE: the variable `name`, text. */
static bool count_bytes(struct making *m, size_t bytes, uint32_t index, struct value name)
{
	char shown[EXPR_SHOWN_BYTES + 8];

	m->bytes += bytes + 1 + PER_POINTER;
	if (bytes <= EXEC_ARG_BYTES_MAX && m->bytes <= EXEC_ARGS_BYTES_MAX)
		return true;
	if (bytes <= EXEC_ARG_BYTES_MAX)
		(void)raise_text(m->r, "LimitError",
		                 "the arguments and variables of a command have more than %u bytes",
		                 EXEC_ARGS_BYTES_MAX);
	else if (index == PROGRAM_NONE)
		(void)raise_text(m->r, "LimitError", "the variable %s has more than %d bytes",
		                 expr_show(name, shown), EXEC_ARG_BYTES_MAX);
	else
		(void)raise_text(m->r, "LimitError", "argument %u has more than %d bytes", index,
		                 EXEC_ARG_BYTES_MAX);
	return false;
}

static bool read_argument(struct making *m, uint32_t index, struct value *out)
{
	if (!eval(m->r, m->r->j->program->args[m->spec->first_arg + index], out))
		return false;
	if (!value_is_type(*out, VALUE_T_TEXT)) {
		(void)raise_text(m->r, "TypeError", "argument %u of \"exec\" wants text, not %s",
		                 index, value_type_name(*out));
		return refuse(m, *out);
	}
	if (index == 0 && m->spec->profile == PROGRAM_NONE && value_text(*out)->bytes == 0) {
		(void)raise_text(m->r, "ValueError", "\"exec\" with an empty name of a program");
		return refuse(m, *out);
	}
	return count_bytes(m, value_text(*out)->bytes, index, VALUE_NONE) || refuse(m, *out);
}

static bool read_arguments(struct making *m)
{
	struct value list = value_list_new(&m->r->e->heap, m->spec->arg_count), v;

	for (uint32_t i = 0; i < m->spec->arg_count; i++) {
		if (!read_argument(m, i, &v))
			return refuse(m, list);
		list = value_list_append(&m->r->e->heap, list, v);
	}
	put(m, "argv", list);
	return true;
}

/* {secret: name}, which only the loader makes. */
static bool is_secret(const struct making *m, uint32_t x, struct value v)
{
	return m->r->j->program->exprs[x].kind == EXPR_CONST && value_is_type(v, VALUE_T_DICT);
}

static bool read_variable(struct making *m, struct value name, uint32_t x, struct value *out)
{
	char shown[EXPR_SHOWN_BYTES + 8];

	if (!eval(m->r, x, out))
		return false;
	if (is_secret(m, x, *out))
		return true;
	if (!value_is_type(*out, VALUE_T_TEXT)) {
		(void)raise_text(m->r, "TypeError", "the variable %s wants text, not %s",
		                 expr_show(name, shown), value_type_name(*out));
		return refuse(m, *out);
	}
	return count_bytes(m, (size_t)value_text(name)->bytes + 1 + value_text(*out)->bytes,
	                   PROGRAM_NONE, name) ||
	       refuse(m, *out);
}

static bool read_variables(struct making *m)
{
	const struct program *p = m->r->j->program;
	struct value_heap    *h = &m->r->e->heap;
	struct value          env, v;

	if (m->spec->env_count == 0)
		return true;
	env = value_dict_new(h, m->spec->env_count);
	for (uint32_t i = 0; i < m->spec->env_count; i++) {
		const uint32_t *at = &p->args[m->spec->first_env + 2 * i];
		struct value    name = p->exprs[at[0]].constant;

		if (!read_variable(m, name, at[1], &v))
			return refuse(m, env);
		env = value_dict_put(h, env, name, v);
	}
	put(m, "env", env);
	return true;
}

/* --- options --- */

static bool is_good_base64(struct making *m, const struct vtext *text)
{
	struct buf bytes = { 0 };
	bool       is_good = bytes_decode(&bytes, text);

	if (bytes.failed != GD_OK)
		m->r->e->heap.failed = true;
	else if (!is_good)
		(void)raise_text(m->r, "ValueError", "what \"stdin\" has is not base64");
	is_good = is_good && bytes.failed == GD_OK;
	buf_close(&bytes);
	return is_good;
}

static bool read_input(struct making *m)
{
	const struct vtext *coded, *text;
	struct value        v;

	if (m->spec->input == PROGRAM_NONE)
		return true;
	if (!eval(m->r, m->spec->input, &v))
		return false;
	if (value_is_null(v))
		return true;
	coded = bytes_coded(v);
	text = value_is_type(v, VALUE_T_TEXT) ? value_text(v) : coded;
	if (text == NULL) {
		(void)raise_text(m->r, "TypeError",
		                 "\"stdin\" wants text, {\"base64\": text} or null, not %s",
		                 value_type_name(v));
		return refuse(m, v);
	}
	if (text->bytes > EXEC_INPUT_BYTES_MAX) {
		(void)raise_text(m->r, "LimitError", "\"stdin\" has more than %u bytes",
		                 EXEC_INPUT_BYTES_MAX);
		return refuse(m, v);
	}
	if (coded != NULL && !is_good_base64(m, coded))
		return refuse(m, v);
	put(m, "stdin", v);
	return true;
}

static bool read_text(struct making *m, const char *name, uint32_t x, uint32_t bytes_max)
{
	struct value v;

	if (x == PROGRAM_NONE)
		return true;
	if (!eval(m->r, x, &v))
		return false;
	if (!value_is_type(v, VALUE_T_TEXT))
		(void)raise_text(m->r, "TypeError", "\"%s\" wants text, not %s", name,
		                 value_type_name(v));
	else if (value_text(v)->bytes == 0 || value_text(v)->bytes > bytes_max)
		(void)raise_text(m->r, "ValueError", "\"%s\" wants text of 1 to %u bytes", name,
		                 bytes_max);
	else {
		put(m, name, v);
		return true;
	}
	return refuse(m, v);
}

/* The length that `x` gives; `*length` stays what it was where it is not given or null. */
static bool read_length(struct making *m, uint32_t x, gd_nsec *length)
{
	struct expr_error why;
	struct value      v;
	bool              is_ok;

	if (x == PROGRAM_NONE)
		return true;
	if (!eval(m->r, x, &v))
		return false;
	is_ok = value_is_null(v) || duration_of_value(v, length, &why);
	value_release(&m->r->e->heap, v);
	if (!is_ok)
		(void)raise_text(m->r, why.type, "%s", why.message);
	return is_ok;
}

static bool read_grace(struct making *m)
{
	gd_nsec grace = EXEC_GRACE_SECONDS * GD_NSEC_PER_SEC;

	if (!read_length(m, m->spec->grace, &grace))
		return false;
	if (grace < 0 || grace > EXEC_GRACE_SECONDS_MAX * GD_NSEC_PER_SEC) {
		(void)raise_text(m->r, "ValueError", "\"grace\" wants a duration from 0 to %d s",
		                 EXEC_GRACE_SECONDS_MAX);
		return false;
	}
	put(m, "grace", value_float((double)grace / 1e9));
	return true;
}

/* Who carries it out does not stop it then; a profile may want that there is an end. */
static void put_timeout(struct making *m, gd_nsec timeout)
{
	if (m->spec->profile != PROGRAM_NONE && timeout != GD_NSEC_NEVER)
		put(m, "timeout", value_float((double)timeout / 1e9));
}

static void put_choices(struct making *m)
{
	static const char *const THEN[] = { [EXEC_INTERRUPT_FAIL] = "fail",
		                            [EXEC_INTERRUPT_RETRY] = "retry",
		                            [EXEC_INTERRUPT_HOLD] = "hold" };
	unsigned                 flags = m->spec->flags;

	if (m->spec->profile != PROGRAM_NONE)
		put(m, "profile", m->r->j->program->exprs[m->spec->profile].constant);
	if (flags & EXEC_DROPS_OUT)
		put_text(m, "stdout", "DEVNULL");
	if (flags & (EXEC_DROPS_ERR | EXEC_MERGES_ERR))
		put_text(m, "stderr", flags & EXEC_DROPS_ERR ? "DEVNULL" : "STDOUT");
	if (flags & EXEC_GIVES_LINES)
		put_text(m, "yield", "lines");
	if (m->spec->interrupt != EXEC_INTERRUPT_FAIL)
		put_text(m, "on_interrupt", THEN[m->spec->interrupt]);
}

bool exec_request(struct running *r, const struct exec *spec, struct value *request,
                  gd_nsec *timeout)
{
	struct making m = { .r = r, .spec = spec, .request = value_dict_new(&r->e->heap, 4) };

	*timeout = GD_NSEC_NEVER;
	if (!read_arguments(&m) || !read_input(&m) || !read_variables(&m) ||
	    !read_text(&m, "cwd", spec->cwd, EXEC_ARG_BYTES_MAX) ||
	    !read_length(&m, spec->timeout, timeout) || !read_grace(&m) ||
	    !read_text(&m, "pool", spec->pool, SEMAPHORE_NAME_BYTES_MAX))
		return refuse(&m, m.request);
	put_timeout(&m, *timeout);
	put_choices(&m);
	*request = m.request;
	return true;
}
