#include "client/follow.h"
#include "client/interrupt.h"
#include "client/render.h"
#include "client/run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct events {
	struct run   *run; /* borrowed */
	struct follow follow;
	json_t       *final; /* the last event; owned */
	double        start; /* of the job, seconds since the epoch; 0: not known yet */
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

static void show_event(struct events *e, const json_t *event)
{
	bool       is_coloured = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
	double     time = json_number_value(json_object_get(event, "time"));
	struct buf b = { .cap = 0 };

	if (is_kind(event, "job.started"))
		e->start = time;
	if (options_has(e->run->o, OPTION_JSON))
		return;
	if (options_has(e->run->o, OPTION_JSONL)) {
		client_print_line(event);
		return;
	}
	if (is_kind(event, "job.completed")) { /* its data is printed below, as the result */
		json_t *bare = json_copy((json_t *)(uintptr_t)event);

		(void)json_object_del(bare, "data");
		render_event(&b, bare, e->start > 0 ? e->start : time, is_coloured);
		json_decref(bare);
	} else {
		render_event(&b, event, e->start > 0 ? e->start : time, is_coloured);
	}
	(void)fwrite(b.at, 1, b.bytes, stdout);
	(void)fflush(stdout);
	buf_close(&b);
}

static void send_cancel(struct events *e)
{
	json_t *params = json_pack("{s:I, s:s}", "id", e->run->id, "reason", "interrupted");

	follow_send(&e->follow, "job.cancel", params);
	json_decref(params);
}

static bool has_to_leave(struct events *e)
{
	switch (run_look(e->run)) {
	case RUN_LEAVES:
		return true;
	case RUN_CANCELS:
		send_cancel(e);
		return false;
	case RUN_GOES_ON:
		return false;
	}
	return false;
}

/* Watches until the job is over; CLIENT_DONE with e->final. */
static int watch(struct events *e)
{
	struct gd_error why = { .code = GD_OK };

	for (;;) {
		json_t *event = NULL;

		switch (follow_next(&e->follow, e->run->deadline, &event, &why)) {
		case FOLLOW_EVENT:
			show_event(e, event);
			if (is_final(event)) {
				e->final = event;
				return CLIENT_DONE;
			}
			json_decref(event);
			break;
		case FOLLOW_RECONNECTED: /* the cancel may have been lost with the connection */
			if (e->run->interrupts_seen > 0)
				send_cancel(e);
			break;
		case FOLLOW_LATE:
			return run_tell_where(e->run, CLIENT_TIMEOUT, "stopped waiting");
		case FOLLOW_INTERRUPTED:
			break;
		case FOLLOW_FAILED:
			if (interrupt_count() > 1)
				break;
			if (e->follow.rc == GD_REQUEST_CANCELLED)
				return run_tell_where(e->run, CLIENT_TIMEOUT, "stopped waiting");
			return run_fail(e->run, e->follow.rc, &why);
		}
		if (has_to_leave(e))
			return run_tell_where(e->run, CLIENT_INTERRUPTED, "stopped watching");
	}
}

/* What the last event says, as a document. */
static int make_outcome(const struct events *e, json_t **outcome)
{
	const char *status = strchr(json_string_value(json_object_get(e->final, "kind")), '.') + 1;
	const json_t   *data = json_object_get(e->final, "data");
	struct gd_error why = { .code = GD_OK };
	json_t         *value = NULL;
	char            path[32];
	enum gd_err     rc;

	(void)snprintf(path, sizeof path, "seq:%" JSON_INTEGER_FORMAT,
	               json_integer_value(json_object_get(e->final, "seq")));
	rc = client_whole_value(e->run->session, e->run->id, path,
	                        data == NULL ? json_null() : data, &value, &why);
	if (rc != GD_OK)
		return client_fail(e->run->session, rc, &why);
	*outcome = run_make_outcome(e->run, status, value);
	return CLIENT_DONE;
}

int run_events(struct run *r, json_int_t seq, json_t **outcome)
{
	struct events   e = { .run = r };
	struct gd_error why = { .code = GD_OK };
	enum gd_err     rc = follow_open(&e.follow, r->session, json_pack("{s:I}", "job", r->id),
                                     seq > 0 ? seq - 1 : 0, &why);
	int             exit_code;

	if (rc == GD_REQUEST_CANCELLED)
		return run_tell_where(r, CLIENT_TIMEOUT, "stopped waiting");
	if (rc != GD_OK)
		return run_fail(r, rc, &why);
	exit_code = watch(&e);
	follow_close(&e.follow);
	if (exit_code == CLIENT_DONE)
		exit_code = make_outcome(&e, outcome);
	json_decref(e.final);
	return exit_code;
}
