#include "client/output.h"
#include "client/run.h"

#include <string.h>

static int leave(const struct run *r)
{
	return run_tell_where(r, CLIENT_INTERRUPTED, "stopped watching");
}

/* Cancels the job. From then on it takes a second Ctrl-C to end a call. */
static int cancel(struct run *r)
{
	struct gd_error why = { .code = GD_OK };
	json_t         *params = json_pack("{s:I, s:s}", "id", r->id, "reason", "interrupted");
	json_t         *result = NULL;
	enum gd_err     rc;

	session_bear(r->session, 1);
	rc = session_call(r->session, "job.cancel", params, &result, &why);
	json_decref(params);
	json_decref(result);
	if (rc == GD_REQUEST_CANCELLED)
		return leave(r);
	return rc == GD_OK ? CLIENT_DONE : run_fail(r, rc, &why);
}

/* A call gave `rc`. CLIENT_DONE: it is worth another one. */
static int go_on_after(struct run *r, enum gd_err rc, const struct gd_error *why)
{
	if (rc != GD_REQUEST_CANCELLED)
		return run_fail(r, rc, why);
	switch (run_look(r)) {
	case RUN_GOES_ON:
		return CLIENT_DONE;
	case RUN_CANCELS:
		return cancel(r);
	case RUN_LEAVES:
		break;
	}
	return leave(r);
}

/* Until the last byte was shown. */
static int show(struct run *r)
{
	struct gd_error why = { .code = GD_OK };
	struct output   out;
	size_t          pieces;
	int             exit_code = CLIENT_DONE;

	output_open(&out, r->session, json_pack("{s:I, s:b}", "id", r->id, "follow", 1),
	            OUTPUT_BARE);
	while (exit_code == CLIENT_DONE && !out.is_over) {
		enum gd_err rc = output_next(&out, &pieces, &why);

		if (rc != GD_OK)
			exit_code = go_on_after(r, rc, &why);
	}
	output_close(&out);
	return exit_code;
}

/* A call through Ctrl-C; `params` is taken. */
static int ask(struct run *r, const char *method, json_t *params, json_t **result)
{
	struct gd_error why = { .code = GD_OK };
	enum gd_err     rc;
	int             exit_code;

	do {
		rc = session_call(r->session, method, params, result, &why);
		exit_code = rc == GD_OK ? CLIENT_DONE : go_on_after(r, rc, &why);
	} while (rc != GD_OK && exit_code == CLIENT_DONE);
	json_decref(params);
	return exit_code;
}

static int make_outcome(struct run *r, const json_t *job, json_t **outcome)
{
	const char     *status = json_string_value(json_object_get(job, "status"));
	bool            is_done = status != NULL && strcmp(status, "completed") == 0;
	const json_t   *value = json_object_get(job, is_done ? "result" : "error");
	struct gd_error why = { .code = GD_OK };
	json_t         *whole = NULL;
	enum gd_err     rc = client_whole_value(r->session, r->id, NULL,
                                            value == NULL ? json_null() : value, &whole, &why);

	if (rc != GD_OK)
		return client_fail(r->session, rc, &why);
	*outcome = run_make_outcome(r, status == NULL ? "" : status, whole);
	return CLIENT_DONE;
}

int run_output(struct run *r, json_t **outcome)
{
	json_t *done = NULL, *job = NULL;
	int     exit_code;

	session_bear(r->session, 0);
	exit_code = show(r);
	if (exit_code == CLIENT_DONE)
		exit_code = ask(r, "job.wait", json_pack("{s:[I]}", "ids", r->id), &done);
	json_decref(done);
	if (exit_code == CLIENT_DONE)
		exit_code = ask(r, "job.get",
		                json_pack("{s:I, s:s}", "id", r->id, "include", "result"), &job);
	if (exit_code == CLIENT_DONE)
		exit_code = make_outcome(r, job, outcome);
	json_decref(job);
	return exit_code;
}
