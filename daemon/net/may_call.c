#include "daemon/net/may_call.h"

#include <stdlib.h>
#include <string.h>

/* One call of a program, being judged. */
struct call_judged {
	const struct blocking_config *blocking;
	const struct http_policy     *http;
	const struct program         *program;
	const struct outcall         *call;
	struct load_problems         *problems;
};

static const struct vtext *text_of(struct value v)
{
	return value_is_type(v, VALUE_T_TEXT) ? value_text(v) : NULL;
}

/* The value of a part; VALUE_NONE: it is worked out when the job runs. */
static struct value constant(const struct call_judged *j, uint32_t part)
{
	const uint32_t    *at = &j->program->args[j->call->first_arg + 2 * part];
	const struct expr *e = &j->program->exprs[at[1]];

	return e->kind == EXPR_CONST ? e->constant : VALUE_NONE;
}

static const char *name_of(const struct call_judged *j, uint32_t part)
{
	const uint32_t *at = &j->program->args[j->call->first_arg + 2 * part];

	return value_text(j->program->exprs[at[0]].constant)->at;
}

static void write_place(const struct call_judged *j, uint32_t part, struct buf *pointer)
{
	if (j->call->kind == OUTCALL_HTTP)
		buf_addf(pointer, j->call->is_bare ? "/http" : "/http/%s", name_of(j, part));
	else if (j->call->is_listed)
		buf_addf(pointer, "/args/%u", part - 1);
	else
		buf_addf(pointer, "/args/%s", name_of(j, part));
}

/* False: memory has ended. */
static bool add(const struct call_judged *j, uint32_t part, const char *message)
{
	struct buf pointer = { 0 };
	bool       is_told;

	program_write_pointer(&pointer, j->program, j->call->node);
	write_place(j, part, &pointer);
	buf_add_byte(&pointer, '\0');
	is_told = pointer.failed == GD_OK &&
	          load_problems_add(j->problems, pointer.at, message, NULL);
	buf_close(&pointer);
	return is_told;
}

/* --- built-in functions --- */

static bool judge_thread(const struct call_judged *j)
{
	const struct vtext *function = text_of(constant(j, 0));
	struct gd_error     why;

	for (uint32_t i = 1; i < j->call->arg_count; i++) {
		const struct vtext *path = text_of(constant(j, i));

		if (strcmp(name_of(j, i), "path") == 0 && path != NULL &&
		    blocking_check_path(j->blocking, function->at, path->at, &why) != GD_OK &&
		    !add(j, i, why.text))
			return false;
	}
	return true;
}

/* --- requests --- */

static struct http_text http_text_of(const struct vtext *t)
{
	return (struct http_text){ t->at, t->bytes };
}

/* The fields of an object of constant texts; NULL: no memory. */
static struct http_field *read_fields(struct value headers, uint32_t *count)
{
	const struct vdict *dict = value_dict(headers);
	struct http_field  *fields = calloc(dict->count + 1, sizeof *fields);

	*count = 0;
	for (uint32_t i = 0; i < dict->count && fields != NULL; i++) {
		const struct vtext *value = text_of(dict->at[i].value);

		if (value != NULL)
			fields[(*count)++] =
				(struct http_field){ http_text_of(value_text(dict->at[i].key)),
				                     http_text_of(value) };
	}
	return fields;
}

static bool judge_headers(const struct call_judged *j, uint32_t part)
{
	struct http_request r = { 0 };
	struct http_field  *fields = read_fields(constant(j, part), &r.header_count);
	struct gd_error     why;
	bool                has_room = fields != NULL;

	r.headers = fields;
	if (has_room && http_request_check(&r, &why) != GD_OK)
		has_room = add(j, part, why.text);
	free(fields);
	return has_room;
}

static bool judge_text(const struct call_judged *j, uint32_t part, const struct vtext *text)
{
	struct http_request r = { 0 };
	struct gd_error     why;
	enum gd_err         rc = GD_OK;

	if (strcmp(name_of(j, part), "url") == 0) {
		rc = http_policy_check_url(j->http, http_text_of(text), &why);
	} else if (strcmp(name_of(j, part), "method") == 0) {
		r.method = http_text_of(text);
		rc = http_request_check(&r, &why);
	}
	if (rc == GD_NOMEM)
		return false;
	return rc == GD_OK || add(j, part, why.text);
}

static bool judge_http(const struct call_judged *j)
{
	for (uint32_t i = 0; i < j->call->arg_count; i++) {
		const struct value  v = constant(j, i);
		const struct vtext *text = text_of(v);

		if (text != NULL && !judge_text(j, i, text))
			return false;
		if (strcmp(name_of(j, i), "headers") == 0 && value_is_type(v, VALUE_T_DICT) &&
		    !judge_headers(j, i))
			return false;
	}
	return true;
}

/* --- all of them --- */

enum gd_err may_call(const struct blocking_config *blocking, const struct http_policy *http,
                     const struct program *p, struct load_problems *problems, struct gd_error *why)
{
	struct call_judged j = {
		.blocking = blocking, .http = http, .program = p, .problems = problems
	};

	for (uint32_t i = 0; i < p->outcall_count; i++) {
		j.call = &p->outcalls[i];
		if (j.call->kind == OUTCALL_THREAD ? !judge_thread(&j) : !judge_http(&j))
			return gd_fail(why, GD_NOMEM, "no memory to refuse a call");
	}
	return problems->count == 0 ? GD_OK
	                            : gd_fail(why, GD_INVALID_SPEC, "the spec has problems");
}
