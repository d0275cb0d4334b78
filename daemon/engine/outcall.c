/* Calls that leave the engine, on a thread or by HTTP: what they want, and how they ended. */
#include "daemon/engine/exec.h"
#include "daemon/expr/duration.h"
#include "daemon/expr/fn.h"
#include "daemon/expr/run.h"

#define STATUS_GOOD_MIN 200
#define STATUS_GOOD_MAX 299

/* --- what it wants --- */

static struct value put(struct value_heap *h, struct value dict, const char *name, struct value v)
{
	return value_dict_put(h, dict, value_text_new(h, name, strlen(name)), v);
}

static bool is_word(struct value v, const char *word)
{
	return value_is_type(v, VALUE_T_TEXT) && strcmp(value_text(v)->at, word) == 0;
}

/* A duration becomes seconds. `*v` is replaced; false: raised, and it was released. */
static bool to_seconds(struct running *r, struct value *v)
{
	struct expr_error why;
	gd_nsec           length = 0;
	bool              is_ok = value_is_null(*v) || duration_of_value(*v, &length, &why);

	if (value_is_null(*v))
		return true;
	value_release(&r->e->heap, *v);
	*v = value_float((double)length / 1e9);
	if (is_ok && length > 0)
		return true;
	if (is_ok)
		(void)raise_text(r, "ValueError", "the \"timeout\" of a request is more than 0");
	else
		(void)raise_text(r, why.type, "%s", why.message);
	return false;
}

/* One part of the request, or one argument; false: raised. */
static bool read_part(struct running *r, const struct outcall *spec, uint32_t part,
                      struct value *request)
{
	const uint32_t *at = &r->j->program->args[spec->first_arg + 2 * part];
	struct value    name = r->j->program->exprs[at[0]].constant, v;

	if (!eval(r, at[1], &v) || !must_be_sayable(r, v, "a call"))
		return false;
	if (spec->kind == OUTCALL_HTTP && is_word(name, "timeout") && !to_seconds(r, &v))
		return false;
	*request = value_dict_put(&r->e->heap, *request, name, v);
	return true;
}

/* RFC 9110: a method that is safe may be said twice. */
static bool is_safe(struct value request)
{
	struct value method = exec_member(request, "method");

	if (value_is_null(method))
		return value_is_null(exec_member(request, "body")) &&
		       value_is_none(value_dict_get(request, "json", 4));
	return is_word(method, "GET") || is_word(method, "HEAD") || is_word(method, "OPTIONS");
}

/* The parts from `first` on, as a dict in `*out`; false: raised, and nothing is there. */
static bool read_parts(struct running *r, const struct outcall *spec, uint32_t first,
                       uint32_t behind, struct value *out)
{
	*out = value_dict_new(&r->e->heap, behind - first + 1);
	for (uint32_t i = first; i < behind; i++) {
		if (!read_part(r, spec, i, out)) {
			value_release(&r->e->heap, *out);
			return false;
		}
	}
	return true;
}

static bool read_call(struct running *r, const struct outcall *spec, struct value *request)
{
	struct value args;

	if (!read_parts(r, spec, 1, spec->arg_count, &args))
		return false;
	if (!read_parts(r, spec, 0, 1, request)) {
		value_release(&r->e->heap, args);
		return false;
	}
	*request = put(&r->e->heap, *request, "args", args);
	return true;
}

bool outcall_request(struct running *r, const struct outcall *spec, struct value *request,
                     enum exec_interrupt *interrupt)
{
	struct value_heap *h = &r->e->heap;
	const char        *then;

	if (spec->kind == OUTCALL_THREAD ? !read_call(r, spec, request)
	                                 : !read_parts(r, spec, 0, spec->arg_count, request))
		return false;
	*interrupt = (enum exec_interrupt)spec->interrupt;
	if (*interrupt == EXEC_INTERRUPT_BY_METHOD)
		*interrupt = is_safe(*request) ? EXEC_INTERRUPT_RETRY : EXEC_INTERRUPT_FAIL;
	if (*interrupt == EXEC_INTERRUPT_RETRY)
		return true;
	then = *interrupt == EXEC_INTERRUPT_HOLD ? "hold" : "fail";
	*request = put(h, *request, "on_interrupt", value_text_new(h, then, strlen(then)));
	return true;
}

/* --- how it ended --- */

const struct vtext *outcall_name(const struct exec_run *x)
{
	static const struct vtext UNNAMED = { .obj = { .refs = VALUE_IMMORTAL,
		                                       .type = VALUE_T_TEXT },
		                              .bytes = 4,
		                              .chars = 4,
		                              .at = "http" };
	struct value              name = exec_member(x->request, "function");

	if (value_is_null(name))
		name = exec_member(x->request, "url");
	return value_is_type(name, VALUE_T_TEXT) ? value_text(name) : &UNNAMED;
}

struct value outcall_result(const struct exec_run *x)
{
	return exec_member(x->outcome, "result");
}

static bool raise_error(struct running *r, struct value error)
{
	struct value type = exec_member(error, "type"), data = exec_member(error, "data");
	struct buf   b = { 0 };

	value_write_text(&b, exec_member(error, "message"));
	return exec_raise(r, value_is_type(type, VALUE_T_TEXT) ? value_text(type)->at : "OSError",
	                  &b, value_is_null(data) ? VALUE_NONE : value_retain(data));
}

static bool raise_status(struct running *r, const struct exec_run *x)
{
	struct buf b = { 0 };

	exec_add_program(&b, x);
	buf_add_text(&b, " answered ");
	value_write_text(&b, exec_member(outcall_result(x), "status"));
	return exec_raise(r, "HttpError", &b, value_retain(outcall_result(x)));
}

bool outcall_check(struct running *r, const struct exec_run *x)
{
	struct value error = exec_member(x->outcome, "error");
	struct value status = exec_member(outcall_result(x), "status");

	if (!value_is_null(error))
		return raise_error(r, error);
	if (!x->checks || value_type(status) != VALUE_T_INT ||
	    (value_as_int(status) >= STATUS_GOOD_MIN && value_as_int(status) <= STATUS_GOOD_MAX))
		return true;
	return raise_status(r, x);
}

struct value outcall_status(struct engine *e, const struct exec_run *x)
{
	struct value status = exec_member(outcall_result(x), "status");

	if (value_is_null(status) || !value_is_none(value_dict_get(x->request, "function", 8)))
		return VALUE_NONE;
	return put(&e->heap, value_dict_new(&e->heap, 1), "status", value_retain(status));
}
