#include "client/interrupt.h"
#include "client/render.h"
#include "client/run.h"
#include "client/submit.h"

#include <errno.h>
#include <string.h>

enum run_turn run_look(struct run *r)
{
	int count = interrupt_count();

	if (count > 1)
		return RUN_LEAVES;
	if (count <= r->interrupts_seen)
		return RUN_GOES_ON;
	r->interrupts_seen = count;
	(void)fprintf(stderr,
	              "gatherctl: cancelling job %" JSON_INTEGER_FORMAT
	              "; once more to stop watching\n",
	              r->id);
	return RUN_CANCELS;
}

int run_tell_where(const struct run *r, int exit_code, const char *what)
{
	(void)fprintf(stderr,
	              "gatherctl: %s; job %" JSON_INTEGER_FORMAT
	              " goes on: gatherctl %s --follow %" JSON_INTEGER_FORMAT "\n",
	              what, r->id, r->o->is_command ? "log" : "events", r->id);
	return exit_code;
}

int run_fail(const struct run *r, enum gd_err rc, const struct gd_error *why)
{
	return run_tell_where(r, client_fail(r->session, rc, why), "stopped watching");
}

json_t *run_make_outcome(const struct run *r, const char *status, json_t *value)
{
	bool is_done = strcmp(status, "completed") == 0;

	return json_pack("{s:I, s:s, s:o}", "id", r->id, "status", status,
	                 is_done ? "result" : "error", value);
}

/* --- the end --- */

/* What a shell would give for a command that ended like this; -1: `error` is not about one. */
static int exit_of_command(const json_t *error)
{
	const char   *type = json_string_value(json_object_get(error, "type"));
	const json_t *data = json_object_get(error, "data");
	const json_t *code = json_object_get(data, "code");
	const json_t *signal = json_object_get(data, "signal");
	const char   *stage = json_string_value(json_object_get(data, "stage"));

	if (type != NULL && strcmp(type, "TimeoutError") == 0)
		return CLIENT_TIMEOUT;
	if (type == NULL || strcmp(type, "ExecError") != 0)
		return -1;
	if (json_is_integer(code))
		return (int)(json_integer_value(code) & 0xff);
	if (json_is_integer(signal))
		return 128 + (int)(json_integer_value(signal) & 0x7f);
	if (stage == NULL)
		return -1;
	/* It never began: there is no such program, or anything else. */
	return strcmp(stage, "exec") == 0 &&
	                       json_integer_value(json_object_get(data, "errno")) == ENOENT
	               ? 127
	               : 126;
}

/* Whether the exit code alone says it all, as it does when a shell runs the command. */
static bool is_plain_exit(const struct options *o, const json_t *error)
{
	return options_has(o, OPTION_EXIT_CODE) && exit_of_command(error) >= 0 &&
	       json_is_integer(json_object_get(json_object_get(error, "data"), "code"));
}

static void print_failure(const json_t *outcome, const char *status, const json_t *error)
{
	const char *type = json_string_value(json_object_get(error, "type"));
	const char *message = json_string_value(json_object_get(error, "message"));
	struct buf  b = { .cap = 0 };

	buf_addf(&b, "gatherctl: job %" JSON_INTEGER_FORMAT " %s",
	         json_integer_value(json_object_get(outcome, "id")), status);
	if (type != NULL && strcmp(status, "failed") == 0) {
		buf_add_text(&b, ": ");
		render_text(&b, type);
		if (message != NULL && message[0] != '\0') {
			buf_add_text(&b, ": ");
			render_text(&b, message);
		}
	}
	buf_add_byte(&b, '\n');
	(void)fwrite(b.at, 1, b.bytes, stderr);
	buf_close(&b);
}

/* Events have told of a failure already, and a command has printed what it had to say. */
static int finish(const struct options *o, const json_t *outcome, bool was_output)
{
	const char   *status = json_string_value(json_object_get(outcome, "status"));
	const json_t *error = json_object_get(outcome, "error");
	int           exit_code = client_exit_for_status(status);

	if (options_has(o, OPTION_JSON))
		client_print_line(outcome);
	else if (was_output && exit_code != CLIENT_DONE && !is_plain_exit(o, error))
		print_failure(outcome, status, error);
	else if (!was_output && exit_code == CLIENT_DONE && !options_has(o, OPTION_JSONL))
		client_print_document(o, json_object_get(outcome, "result"));
	if (options_has(o, OPTION_EXIT_CODE) && exit_code == CLIENT_FAILED &&
	    exit_of_command(error) >= 0)
		return exit_of_command(error);
	return exit_code;
}

/* --- the way there --- */

static int submit_and_watch(struct run *r, const struct submission *sub)
{
	bool    shows_output = r->o->is_command && !options_has(r->o, OPTION_JSON | OPTION_JSONL);
	json_t *reply = NULL, *outcome = NULL;
	json_int_t seq;
	int        exit_code = submit_job(r->session, r->o, sub, &reply);

	if (exit_code != CLIENT_DONE)
		return exit_code;
	r->id = json_integer_value(json_object_get(reply, "id"));
	seq = json_integer_value(json_object_get(reply, "seq"));
	json_decref(reply);
	interrupt_catch();
	exit_code = shows_output ? run_output(r, &outcome) : run_events(r, seq, &outcome);
	if (exit_code == CLIENT_DONE)
		exit_code = finish(r->o, outcome, shows_output);
	json_decref(outcome);
	return exit_code;
}

static int run(const struct options *o, const struct submission *sub)
{
	struct run r = { .o = o, .deadline = GD_NSEC_NEVER };
	int        exit_code;

	r.session = client_open(o, &exit_code);
	if (r.session == NULL)
		return exit_code;
	if (options_has(o, OPTION_TIMEOUT)) {
		r.deadline = conn_deadline(o->timeout);
		session_set_deadline(r.session, r.deadline);
	}
	exit_code = submit_and_watch(&r, sub);
	session_close(r.session);
	return exit_code;
}

int cmd_run(const struct options *o)
{
	struct submission sub;
	int               exit_code = submit_read(o, &sub);

	if (exit_code == CLIENT_DONE)
		exit_code = options_has(o, OPTION_PRINT_SPEC) ? submit_print(&sub) : run(o, &sub);
	submit_close(&sub);
	return exit_code;
}
