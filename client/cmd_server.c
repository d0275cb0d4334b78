#include "client/client.h"

/* Calls a method without parameters; CLIENT_DONE with `*result`. */
static int ask(const struct options *o, const char *method, json_t **result)
{
	struct gd_error why = { .code = GD_OK };
	json_t         *params = json_object();
	enum gd_err     rc;
	int             exit_code;
	struct session *s = client_open(o, &exit_code);

	if (s != NULL) {
		rc = session_call(s, method, params, result, &why);
		exit_code = rc == GD_OK ? CLIENT_DONE : client_fail(s, rc, &why);
	}
	session_close(s);
	json_decref(params);
	return exit_code;
}

int cmd_ping(const struct options *o)
{
	gd_nsec before = conn_now();
	json_t *result = NULL;
	int     exit_code = ask(o, "ping", &result);

	if (exit_code != CLIENT_DONE)
		return exit_code;
	if (options_has(o, OPTION_JSON))
		client_print_line(result);
	else
		printf("alive after %.1f ms\n", (double)(conn_now() - before) / 1e6);
	json_decref(result);
	return CLIENT_DONE;
}

int cmd_info(const struct options *o)
{
	json_t *result = NULL;
	int     exit_code = ask(o, "server.info", &result);

	if (exit_code != CLIENT_DONE)
		return exit_code;
	client_print_document(o, result);
	json_decref(result);
	return CLIENT_DONE;
}
