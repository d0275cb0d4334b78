#include "client/client.h"

/* A line for each job; CLIENT_FAILED when one was not found. */
static int print_jobs(const struct options *o, const json_t *result)
{
	const json_t *job;
	size_t        i;
	int           exit_code = CLIENT_DONE;

	if (options_has(o, OPTION_JSON))
		client_print_line(result);
	json_array_foreach (json_object_get(result, "jobs"), i, job) {
		json_int_t  id = json_integer_value(json_object_get(job, "id"));
		const char *status = json_string_value(json_object_get(job, "status"));

		if (status == NULL) {
			(void)fprintf(stderr, "gatherctl: no such job: %" JSON_INTEGER_FORMAT "\n",
			              id);
			exit_code = CLIENT_FAILED;
		} else if (!options_has(o, OPTION_JSON)) {
			printf("%" JSON_INTEGER_FORMAT "  %s\n", id, status);
		}
	}
	return exit_code;
}

int cmd_cancel(const struct options *o)
{
	struct gd_error why = { .code = GD_OK };
	json_t         *ids = client_parse_ids(o);
	json_t         *params, *result = NULL;
	enum gd_err     rc;
	int             exit_code;
	struct session *s;

	if (ids == NULL)
		return CLIENT_USAGE;
	s = client_open(o, &exit_code);
	if (s != NULL) {
		params = json_pack("{s:O, s:s*}", "ids", ids, "reason", o->reason);
		rc = session_call(s, "job.cancel", params, &result, &why);
		json_decref(params);
		exit_code = rc == GD_OK ? print_jobs(o, result) : client_fail(s, rc, &why);
	}
	json_decref(result);
	json_decref(ids);
	session_close(s);
	return exit_code;
}
