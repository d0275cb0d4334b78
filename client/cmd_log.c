#include "client/client.h"
#include "client/log_tail.h"

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

static enum gd_err show(struct output *out, const struct options *o, struct gd_error *why)
{
	bool        follows = options_has(o, OPTION_FOLLOW);
	size_t      count = 0;
	enum gd_err rc = GD_OK;

	if (options_has(o, OPTION_TAIL)) {
		rc = log_tail_show(out, o->tail, why);
		if (!follows)
			return rc;
	}
	while (rc == GD_OK && !out->is_over) {
		rc = output_next(out, &count, why);
		if (count == 0 && !follows)
			break;
	}
	return rc;
}

int cmd_log(const struct options *o)
{
	struct gd_error why = { .code = GD_OK };
	struct output   out;
	json_int_t      id;
	int             exit_code;
	enum gd_err     rc;
	struct session *s;

	if (!client_parse_id(o->operands[0], &id))
		return CLIENT_USAGE;
	s = client_open(o, &exit_code);
	if (s == NULL)
		return exit_code;
	output_open(&out, s, make_params(o, id), look_of(o));
	rc = show(&out, o, &why);
	exit_code = rc == GD_OK ? CLIENT_DONE : client_fail(s, rc, &why);
	output_close(&out);
	session_close(s);
	return exit_code;
}
