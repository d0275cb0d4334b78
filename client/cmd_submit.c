#include "client/submit.h"

#include "client/exec_job.h"
#include "client/render.h"
#include "proto/frame.h"

#include <stdlib.h>
#include <unistd.h>

#define ENVELOPE_BYTES 8192 /* of a request, beside spec and args */

/* A number is one of seconds; what else it is, the daemon decides. NULL stays NULL. */
static json_t *number_or_text(const char *text)
{
	json_t *number;

	if (text == NULL)
		return NULL;
	number = json_loads(text, JSON_DECODE_ANY, NULL);
	if (json_is_number(number))
		return number;
	json_decref(number);
	return json_string(text);
}

static json_t *make_params(const struct options *o, const struct submission *sub, const char *key)
{
	return json_pack("{s:O, s:s, s:s*, s:O*, s:o*, s:o*, s:o*, s:o*}", "spec", sub->source.json,
	                 "key", key, "title", o->title, "args", sub->args, "labels",
	                 options_has(o, OPTION_LABEL) ? json_incref(o->labels) : NULL, "priority",
	                 options_has(o, OPTION_PRIORITY) ? json_integer(o->priority) : NULL,
	                 "start_at", number_or_text(o->start_at), "retain",
	                 number_or_text(o->retain));
}

/* Input that no message holds is refused here, where it can be named. */
static enum gd_err check_size(const struct submission *sub, struct gd_error *why)
{
	size_t spec = json_dumpb(sub->source.json, NULL, 0, JSON_COMPACT);
	size_t args = json_dumpb(sub->args, NULL, 0, JSON_COMPACT);

	if (spec + args + ENVELOPE_BYTES <= FRAME_BYTES_MAX)
		return GD_OK;
	return gd_fail(why, GD_LIMIT,
	               "standard input has %zu bytes as JSON, and one message at most %u; give the "
	               "command a file",
	               args, FRAME_BYTES_MAX);
}

/* A job of its own for the command behind "--". */
static enum gd_err make_of_command(const struct options *o, struct submission *sub,
                                   struct gd_error *why)
{
	json_t     *spec = NULL, *input = NULL;
	enum gd_err rc = exec_job_make(o, &spec, why);

	if (rc == GD_OK)
		rc = source_write(&sub->source, "command", spec, why);
	if (rc == GD_OK && options_has(o, OPTION_STDIN))
		rc = exec_job_read_input(STDIN_FILENO, &input, why);
	if (rc != GD_OK || input == NULL)
		return rc;
	sub->args = json_pack("{s:o}", EXEC_JOB_ARGUMENT, input);
	return check_size(sub, why);
}

int submit_read(const struct options *o, struct submission *sub)
{
	struct gd_error why = { .code = GD_OK };
	enum gd_err     rc;

	*sub = (struct submission){ .args = NULL };
	if (o->is_command) {
		rc = make_of_command(o, sub, &why);
	} else {
		rc = source_read(&sub->source, o->operands[0], &why);
		if (options_has(o, OPTION_ARG))
			sub->args = json_incref(o->args);
	}
	if (rc == GD_OK)
		return CLIENT_DONE;
	(void)client_fail(NULL, rc, &why);
	return CLIENT_USAGE;
}

void submit_close(struct submission *sub)
{
	source_close(&sub->source);
	json_decref(sub->args);
	sub->args = NULL;
}

int submit_print(const struct submission *sub)
{
	json_t    *spec = sub->source.json;
	struct buf b = { .cap = 0 };

	if (sub->args != NULL)
		(void)json_object_set(spec, "args", sub->args);
	render_json(&b, spec, 2);
	buf_add_byte(&b, '\n');
	(void)fwrite(b.at, 1, b.bytes, stdout);
	buf_close(&b);
	return CLIENT_DONE;
}

int submit_job(struct session *s, const struct options *o, const struct submission *sub,
               json_t **reply)
{
	struct gd_error why = { .code = GD_OK };
	char            key[CLIENT_KEY_CHARS + 1] = "";
	json_t         *params;
	enum gd_err     rc;

	if (o->key == NULL && (rc = client_make_key(key, &why)) != GD_OK)
		return client_fail(NULL, rc, &why);
	params = make_params(o, sub, o->key != NULL ? o->key : key);
	rc = session_call(s, "job.submit", params, reply, &why);
	json_decref(params);
	return rc == GD_OK ? CLIENT_DONE : client_fail_job(s, &sub->source, rc, &why);
}

/* Hands it in and prints its id. */
static int submit(const struct options *o, const struct submission *sub)
{
	json_t         *reply = NULL;
	int             exit_code;
	struct session *s = client_open(o, &exit_code);

	if (s == NULL)
		return exit_code;
	exit_code = submit_job(s, o, sub, &reply);
	session_close(s);
	if (exit_code != CLIENT_DONE)
		return exit_code;
	if (options_has(o, OPTION_JSON))
		client_print_line(reply);
	else
		printf("%" JSON_INTEGER_FORMAT "\n",
		       json_integer_value(json_object_get(reply, "id")));
	json_decref(reply);
	return CLIENT_DONE;
}

int cmd_submit(const struct options *o)
{
	struct submission sub;
	int               exit_code = submit_read(o, &sub);

	if (exit_code == CLIENT_DONE)
		exit_code =
			options_has(o, OPTION_PRINT_SPEC) ? submit_print(&sub) : submit(o, &sub);
	submit_close(&sub);
	return exit_code;
}
