#include "client/follow.h"
#include "client/interrupt.h"
#include "client/render.h"
#include "client/submit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run {
	const struct options *o;
	struct session       *session;
	struct follow         follow;
	json_int_t            id;
	json_t               *final; /* the last event; owned */
	gd_nsec               deadline;
	double                start; /* of the job, seconds since the epoch; 0: not known yet */
	int                   interrupts_seen;
};

static bool is_kind(const json_t *event, const char *kind)
{
	const char *it = json_string_value(json_object_get(event, "kind"));

	return it != NULL && strcmp(it, kind) == 0;
}

static bool is_final(const json_t *event)
{
	return is_kind(event, "job.completed") || is_kind(event, "job.failed") ||
	       is_kind(event, "job.cancelled");
}

static void show_event(struct run *r, const json_t *event)
{
	bool       is_coloured = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
	double     time = json_number_value(json_object_get(event, "time"));
	struct buf b = { .cap = 0 };

	if (is_kind(event, "job.started"))
		r->start = time;
	if (options_has(r->o, OPTION_JSON))
		return;
	if (options_has(r->o, OPTION_JSONL)) {
		client_print_line(event);
		return;
	}
	if (is_kind(event, "job.completed")) { /* its data is printed below, as the result */
		json_t *bare = json_copy((json_t *)(uintptr_t)event);

		(void)json_object_del(bare, "data");
		render_event(&b, bare, r->start > 0 ? r->start : time, is_coloured);
		json_decref(bare);
	} else {
		render_event(&b, event, r->start > 0 ? r->start : time, is_coloured);
	}
	(void)fwrite(b.at, 1, b.bytes, stdout);
	(void)fflush(stdout);
	buf_close(&b);
}

static void send_cancel(struct run *r)
{
	json_t *params = json_pack("{s:I, s:s}", "id", r->id, "reason", "interrupted");

	follow_send(&r->follow, "job.cancel", params);
	json_decref(params);
}

/* The first Ctrl-C cancels the job and goes on watching, since its clean-up is worth seeing; the
 * second one leaves. */
static bool has_to_leave(struct run *r)
{
	int count = interrupt_count();

	if (count > 1)
		return true;
	if (count > r->interrupts_seen) {
		r->interrupts_seen = count;
		(void)fprintf(stderr,
		              "gatherctl: cancelling job %" JSON_INTEGER_FORMAT
		              "; once more to stop watching\n",
		              r->id);
		send_cancel(r);
	}
	return false;
}

static int tell_where_to_look(const struct run *r, int exit_code, const char *what)
{
	(void)fprintf(stderr,
	              "gatherctl: %s; job %" JSON_INTEGER_FORMAT
	              " goes on: gatherctl events --follow %" JSON_INTEGER_FORMAT "\n",
	              what, r->id, r->id);
	return exit_code;
}

/* Watches until the job is over; CLIENT_DONE with r->final. */
static int watch(struct run *r)
{
	struct gd_error why = { .code = GD_OK };

	for (;;) {
		json_t *event = NULL;

		switch (follow_next(&r->follow, r->deadline, &event, &why)) {
		case FOLLOW_EVENT:
			show_event(r, event);
			if (is_final(event)) {
				r->final = event;
				return CLIENT_DONE;
			}
			json_decref(event);
			break;
		case FOLLOW_RECONNECTED: /* the cancel may have been lost with the connection */
			if (r->interrupts_seen > 0)
				send_cancel(r);
			break;
		case FOLLOW_LATE:
			return tell_where_to_look(r, CLIENT_TIMEOUT, "stopped waiting");
		case FOLLOW_INTERRUPTED:
			break;
		case FOLLOW_FAILED:
			if (interrupt_count() > 1)
				break;
			if (r->follow.rc == GD_REQUEST_CANCELLED)
				return tell_where_to_look(r, CLIENT_TIMEOUT, "stopped waiting");
			return client_fail(r->session, r->follow.rc, &why);
		}
		if (has_to_leave(r))
			return tell_where_to_look(r, CLIENT_INTERRUPTED, "stopped watching");
	}
}

static void print_outcome(const struct run *r, const json_t *value)
{
	const char *status = strchr(json_string_value(json_object_get(r->final, "kind")), '.') + 1;
	bool        is_done = strcmp(status, "completed") == 0;

	if (options_has(r->o, OPTION_JSON)) {
		json_t *document = json_pack("{s:I, s:s, s:O}", "id", r->id, "status", status,
		                             is_done ? "result" : "error", value);

		client_print_line(document);
		json_decref(document);
	} else if (!options_has(r->o, OPTION_JSONL) && is_done) {
		client_print_document(r->o, value);
	}
}

static int finish(const struct run *r)
{
	struct gd_error why = { .code = GD_OK };
	const json_t   *data = json_object_get(r->final, "data");
	json_t         *value = NULL;
	char            path[32];
	enum gd_err     rc;

	(void)snprintf(path, sizeof path, "seq:%" JSON_INTEGER_FORMAT,
	               json_integer_value(json_object_get(r->final, "seq")));
	rc = client_whole_value(r->session, r->id, path, data == NULL ? json_null() : data, &value,
	                        &why);
	if (rc != GD_OK)
		return client_fail(r->session, rc, &why);
	print_outcome(r, value);
	json_decref(value);
	return client_exit_for_status(
		strchr(json_string_value(json_object_get(r->final, "kind")), '.') + 1);
}

/* Submits, then watches from the job's first event on. */
static int submit_and_watch(struct run *r, const struct submission *sub)
{
	struct gd_error why = { .code = GD_OK };
	json_t         *reply = NULL;
	json_int_t      seq;
	enum gd_err     rc;
	int             exit_code = submit_job(r->session, r->o, sub, &reply);

	if (exit_code != CLIENT_DONE)
		return exit_code;
	r->id = json_integer_value(json_object_get(reply, "id"));
	seq = json_integer_value(json_object_get(reply, "seq"));
	json_decref(reply);
	interrupt_catch();
	rc = follow_open(&r->follow, r->session, json_pack("{s:I}", "job", r->id),
	                 seq > 0 ? seq - 1 : 0, &why);
	if (rc == GD_REQUEST_CANCELLED)
		return tell_where_to_look(r, CLIENT_TIMEOUT, "stopped waiting");
	if (rc != GD_OK)
		return client_fail(r->session, rc, &why);
	exit_code = watch(r);
	follow_close(&r->follow);
	if (exit_code == CLIENT_DONE)
		exit_code = finish(r);
	json_decref(r->final);
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
