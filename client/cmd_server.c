#include "client/client.h"

int cmd_ping(const struct options *o)
{
	gd_nsec before = conn_now();
	json_t *result = NULL;
	int     exit_code = client_ask(o, "ping", json_object(), &result);

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
	int     exit_code = client_ask(o, "server.info", json_object(), &result);

	if (exit_code != CLIENT_DONE)
		return exit_code;
	client_print_document(o, result);
	json_decref(result);
	return CLIENT_DONE;
}
