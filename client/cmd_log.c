#include "client/client.h"
#include "client/output.h"

static enum output_look look_of(const struct options *o)
{
	if (options_has(o, OPTION_JSONL))
		return OUTPUT_JSONL;
	return options_has(o, OPTION_PREFIX) ? OUTPUT_PREFIX : OUTPUT_HEADERS;
}

static json_t *make_params(const struct options *o, json_int_t id)
{
	return json_pack("{s:I, s:s*, s:s*, s:o*}", "id", id, "path", o->path, "stream", o->stream,
	                 "follow", options_has(o, OPTION_FOLLOW) ? json_true() : NULL);
}

int cmd_log(const struct options *o)
{
	bool            follows = options_has(o, OPTION_FOLLOW);
	struct gd_error why = { .code = GD_OK };
	struct output   out;
	json_int_t      id;
	size_t          pieces;
	int             exit_code;
	enum gd_err     rc;
	struct session *s;

	if (!client_parse_id(o->operands[0], &id))
		return CLIENT_USAGE;
	s = client_open(o, &exit_code);
	if (s == NULL)
		return exit_code;
	output_open(&out, s, make_params(o, id), look_of(o));
	do
		rc = output_next(&out, &pieces, &why);
	while (rc == GD_OK && !out.is_over && (follows || pieces > 0));
	exit_code = rc == GD_OK ? CLIENT_DONE : client_fail(s, rc, &why);
	output_close(&out);
	session_close(s);
	return exit_code;
}
