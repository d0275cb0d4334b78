#include "client/client.h"

int cmd_resume(const struct options *o)
{
	const char *what = options_has(o, OPTION_FAIL) ? "fail" : "retry";
	json_t     *result = NULL;
	json_int_t  id;
	int         exit_code;

	if (!client_parse_id(o->operands[0], &id))
		return CLIENT_USAGE;
	exit_code = client_ask(
		o, "job.resume",
		json_pack("{s:I, s:s*, s:s}", "id", id, "path", o->path, "what", what), &result);
	if (exit_code == CLIENT_DONE && options_has(o, OPTION_JSON))
		client_print_line(result);
	else if (exit_code == CLIENT_DONE)
		printf("%" JSON_INTEGER_FORMAT "  resumed %" JSON_INTEGER_FORMAT "\n", id,
		       json_integer_value(json_object_get(result, "resumed")));
	json_decref(result);
	return exit_code;
}
