#include "client/client.h"
#include "client/render.h"

/* The daemon's words, a line for each reason. */
static void print_reasons(const json_t *result)
{
	struct buf    b = { .cap = 0 };
	const json_t *reason;
	size_t        i;

	json_array_foreach (json_object_get(result, "why"), i, reason) {
		render_text(&b, json_string_value(reason));
		buf_add_byte(&b, '\n');
	}
	(void)fwrite(b.at, 1, b.bytes, stdout);
	buf_close(&b);
}

int cmd_explain(const struct options *o)
{
	json_t    *result = NULL;
	json_int_t id;
	int        exit_code;

	if (!client_parse_id(o->operands[0], &id))
		return CLIENT_USAGE;
	exit_code = client_ask(o, "job.explain", json_pack("{s:I}", "id", id), &result);
	if (exit_code != CLIENT_DONE)
		return exit_code;
	if (options_has(o, OPTION_JSON))
		client_print_line(result);
	else
		print_reasons(result);
	json_decref(result);
	return CLIENT_DONE;
}
