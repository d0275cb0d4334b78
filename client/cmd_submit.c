#include "client/submit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define KEY_BYTES 16

/* A key that nobody else has, so that a submit whose reply got lost can be sent again. */
static bool make_key(char out[2 * KEY_BYTES + 1])
{
	unsigned char bytes[KEY_BYTES];

	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return false;
	for (size_t i = 0; i < KEY_BYTES; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return true;
}

/* A number is one of seconds; what else it is, the daemon decides. NULL: nothing was said. */
static json_t *make_retain(const struct options *o)
{
	json_t *number;

	if (!options_has(o, OPTION_RETAIN))
		return NULL;
	number = json_loads(o->retain, JSON_DECODE_ANY, NULL);
	if (json_is_number(number))
		return number;
	json_decref(number);
	return json_string(o->retain);
}

static json_t *make_params(const struct options *o, json_t *spec, const char *key)
{
	return json_pack("{s:O, s:s, s:s*, s:o*, s:o*, s:o*}", "spec", spec, "key", key, "title",
	                 o->title, "args", options_has(o, OPTION_ARG) ? json_incref(o->args) : NULL,
	                 "labels", options_has(o, OPTION_LABEL) ? json_incref(o->labels) : NULL,
	                 "retain", make_retain(o));
}

int submit_read(const struct options *o, struct source *source)
{
	struct gd_error why = { .code = GD_OK };
	enum gd_err     rc = source_read(source, o->operands[0], &why);

	if (rc == GD_OK)
		return CLIENT_DONE;
	(void)client_fail(NULL, rc, &why);
	return CLIENT_USAGE;
}

int submit_job(struct session *s, const struct options *o, const struct source *source,
               json_t **reply)
{
	struct gd_error why = { .code = GD_OK };
	char            key[2 * KEY_BYTES + 1] = "";
	json_t         *params;
	enum gd_err     rc;

	if (o->key == NULL && !make_key(key)) {
		rc = gd_fail_sys(&why, errno, "no random key");
		return client_fail(NULL, rc, &why);
	}
	params = make_params(o, source->json, o->key != NULL ? o->key : key);
	rc = session_call(s, "job.submit", params, reply, &why);
	json_decref(params);
	return rc == GD_OK ? CLIENT_DONE : client_fail_job(s, source, rc, &why);
}

int cmd_submit(const struct options *o)
{
	struct source   source;
	json_t         *reply = NULL;
	struct session *s;
	int             exit_code = submit_read(o, &source);

	if (exit_code != CLIENT_DONE)
		goto close_source;
	s = client_open(o, &exit_code);
	if (s == NULL)
		goto close_source;
	exit_code = submit_job(s, o, &source, &reply);
	session_close(s);
	if (exit_code != CLIENT_DONE)
		goto close_source;
	if (options_has(o, OPTION_JSON))
		client_print_line(reply);
	else
		printf("%" JSON_INTEGER_FORMAT "\n",
		       json_integer_value(json_object_get(reply, "id")));
	json_decref(reply);
close_source:
	source_close(&source);
	return exit_code;
}
