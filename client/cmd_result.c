#include "client/client.h"
#include "client/render.h"

#include <stdlib.h>
#include <string.h>

static void print_error(const json_t *error)
{
	struct buf b = { .cap = 0 };

	render_json(&b, error, 0);
	buf_add_byte(&b, '\n');
	(void)fwrite(b.at, 1, b.bytes, stderr);
	buf_close(&b);
}

/* The text as the daemon has it with --json, else indented. */
static int print_text(const struct options *o, const char *text)
{
	json_t *value;

	if (options_has(o, OPTION_JSON)) {
		puts(text);
		return CLIENT_DONE;
	}
	value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (value == NULL) {
		(void)fputs("gatherctl: the daemon sent a damaged result\n", stderr);
		return CLIENT_FAILED;
	}
	client_print_document(o, value);
	json_decref(value);
	return CLIENT_DONE;
}

static int print_result(struct session *s, const struct options *o, json_int_t id)
{
	struct gd_error why = { .code = GD_OK };
	char           *text = NULL;
	enum gd_err     rc = client_read_result(s, id, o->path, &text, &why);
	int             exit_code = rc == GD_OK ? print_text(o, text) : client_fail(s, rc, &why);

	free(text);
	return exit_code;
}

int cmd_result(const struct options *o)
{
	struct gd_error why = { .code = GD_OK };
	json_t         *params, *job = NULL;
	json_int_t      id;
	const char     *status;
	enum gd_err     rc;
	int             exit_code;
	struct session *s;

	if (!client_parse_id(o->operands[0], &id))
		return CLIENT_USAGE;
	s = client_open(o, &exit_code);
	if (s == NULL)
		return exit_code;
	params = json_pack("{s:I, s:[s]}", "id", id, "include", "result");
	rc = session_call(s, "job.get", params, &job, &why);
	json_decref(params);
	status = json_string_value(json_object_get(job, "status"));
	if (rc != GD_OK) {
		exit_code = client_fail(s, rc, &why);
	} else if (o->path == NULL && client_exit_for_status(status) != CLIENT_DONE) {
		print_error(json_object_get(job, "error"));
		exit_code = client_exit_for_status(status);
	} else {
		exit_code = print_result(s, o, id);
	}
	json_decref(job);
	session_close(s);
	return exit_code;
}
