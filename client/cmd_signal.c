#include "client/client.h"

/* What the job gets; NULL: it is no UTF-8. */
static json_t *value_of(const struct options *o, const char *text)
{
	json_t *value = NULL;

	if (!options_has(o, OPTION_TEXT))
		value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	return value != NULL ? value : json_string(text);
}

static int signal_job(const struct options *o, json_int_t id, json_t *event, json_t *value)
{
	struct gd_error why = { .code = GD_OK };
	char            key[CLIENT_KEY_CHARS + 1] = "";
	json_t         *result = NULL;
	enum gd_err     rc;
	int             exit_code;

	if (o->key == NULL && (rc = client_make_key(key, &why)) != GD_OK)
		return client_fail(NULL, rc, &why);
	exit_code = client_ask(o, "job.signal",
	                       json_pack("{s:I, s:O, s:O, s:s}", "id", id, "event", event, "value",
	                                 value, "key", o->key != NULL ? o->key : key),
	                       &result);
	if (exit_code == CLIENT_DONE && options_has(o, OPTION_JSON))
		client_print_line(result);
	else if (exit_code == CLIENT_DONE)
		printf("%" JSON_INTEGER_FORMAT "  %s\n", id,
		       json_is_true(json_object_get(result, "already")) ? "signalled before"
		                                                        : "signalled");
	json_decref(result);
	return exit_code;
}

int cmd_signal(const struct options *o)
{
	const char *text = o->operand_count > 2 ? o->operands[2] : NULL;
	json_t     *event, *value;
	json_int_t  id;
	int         exit_code = CLIENT_USAGE;

	if (!client_parse_id(o->operands[0], &id))
		return CLIENT_USAGE;
	event = json_string(o->operands[1]);
	value = text == NULL ? json_null() : value_of(o, text);
	if (event != NULL && value != NULL)
		exit_code = signal_job(o, id, event, value);
	else
		(void)fprintf(stderr, "gatherctl: the %s is not UTF-8\n",
		              event == NULL ? "event" : "value");
	json_decref(event);
	json_decref(value);
	return exit_code;
}
