#include "client/client.h"

#include <string.h>

/* Asks until the deadline; then asks once more without waiting, for the lists. */
static enum gd_err wait_for_jobs(struct session *s, const struct options *o, json_t *ids,
                                 json_t **result, struct gd_error *why)
{
	json_t *params =
		json_pack("{s:O, s:s}", "ids", ids, "return_when",
	                  options_has(o, OPTION_ANY) ? "FIRST_COMPLETED" : "ALL_COMPLETED");
	enum gd_err rc = GD_REQUEST_CANCELLED;

	if (params == NULL)
		return gd_fail(why, GD_NOMEM, "out of memory");
	if (options_has(o, OPTION_TIMEOUT))
		session_set_deadline(s, conn_deadline(o->timeout));
	if (!options_has(o, OPTION_TIMEOUT) || o->timeout > 0)
		rc = session_call(s, "job.wait", params, result, why);
	if (rc == GD_REQUEST_CANCELLED && session_conn(s) != NULL) {
		session_set_deadline(s, GD_NSEC_NEVER);
		rc = json_object_set_new(params, "timeout", json_integer(0)) == 0
		             ? session_call(s, "job.wait", params, result, why)
		             : gd_fail(why, GD_NOMEM, "out of memory");
	}
	json_decref(params);
	return rc;
}

/* One line for each job, and the exit code that tells most. */
static int print_jobs(const struct options *o, const json_t *result)
{
	const json_t *done = json_object_get(result, "done");
	const json_t *pending = json_object_get(result, "pending");
	const json_t *job;
	size_t        i;
	int           exit_code = CLIENT_DONE;

	json_array_foreach (done, i, job) {
		const char *status = json_string_value(json_object_get(job, "status"));
		int         one = client_exit_for_status(status);

		if (exit_code == CLIENT_DONE || one == CLIENT_FAILED)
			exit_code = one;
		if (options_has(o, OPTION_JSONL))
			client_print_line(job);
		else if (!options_has(o, OPTION_JSON))
			printf("%" JSON_INTEGER_FORMAT "  %s\n",
			       json_integer_value(json_object_get(job, "id")),
			       status == NULL ? "?" : status);
	}
	if (options_has(o, OPTION_JSON))
		client_print_line(result);
	if (options_has(o, OPTION_ANY) ? json_array_size(done) > 0 : json_array_size(pending) == 0)
		return exit_code;
	(void)fprintf(stderr, "gatherctl: %zu not over yet\n", json_array_size(pending));
	return CLIENT_TIMEOUT;
}

int cmd_wait(const struct options *o)
{
	struct gd_error why = { .code = GD_OK };
	json_t         *ids = client_parse_ids(o);
	json_t         *result = NULL;
	enum gd_err     rc;
	int             exit_code;
	struct session *s;

	if (ids == NULL)
		return CLIENT_USAGE;
	s = client_open(o, &exit_code);
	if (s != NULL) {
		rc = wait_for_jobs(s, o, ids, &result, &why);
		exit_code = rc == GD_OK ? print_jobs(o, result) : client_fail(s, rc, &why);
	}
	json_decref(result);
	json_decref(ids);
	session_close(s);
	return exit_code;
}
