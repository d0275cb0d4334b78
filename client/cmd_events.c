#include "client/client.h"
#include "client/follow.h"
#include "client/render.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 1000

static json_t *make_filter(const struct options *o, json_int_t job)
{
	return json_pack("{s:o*, s:o*}", "job", job == 0 ? NULL : json_integer(job), "kinds",
	                 options_has(o, OPTION_KIND) ? json_incref(o->kinds) : NULL);
}

static void show(const struct options *o, const json_t *event)
{
	struct buf b = { .cap = 0 };

	if (options_has(o, OPTION_JSONL)) {
		client_print_line(event);
		return;
	}
	render_time(&b, json_object_get(event, "time"));
	buf_addf(&b, "  %8" JSON_INTEGER_FORMAT "  job %-6" JSON_INTEGER_FORMAT,
	         json_integer_value(json_object_get(event, "seq")),
	         json_integer_value(json_object_get(event, "job")));
	render_event(&b, event, 0, isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL);
	(void)fwrite(b.at, 1, b.bytes, stdout);
	(void)fflush(stdout);
	buf_close(&b);
}

/* Whether this is the last event of the one job that is followed. */
static bool is_end(const json_t *event)
{
	const char *kind = json_string_value(json_object_get(event, "kind"));

	return strcmp(kind, "job.completed") == 0 || strcmp(kind, "job.failed") == 0 ||
	       strcmp(kind, "job.cancelled") == 0;
}

static int follow_all(struct session *s, const struct options *o, json_int_t job)
{
	struct gd_error why = { .code = GD_OK };
	struct follow   f;
	enum gd_err     rc = follow_open(&f, s, make_filter(o, job), o->after, &why);
	bool            is_over = rc != GD_OK;

	while (!is_over) {
		json_t *event = NULL;

		switch (follow_next(&f, GD_NSEC_NEVER, &event, &why)) {
		case FOLLOW_EVENT:
			show(o, event);
			is_over = job != 0 && is_end(event);
			json_decref(event);
			break;
		case FOLLOW_RECONNECTED:
		case FOLLOW_LATE:        /* there is no deadline */
		case FOLLOW_INTERRUPTED: /* e.g. stopped and continued by the shell */
			break;
		case FOLLOW_FAILED:
			rc = f.rc;
			is_over = true;
			break;
		}
	}
	follow_close(&f);
	return rc == GD_OK ? CLIENT_DONE : client_fail(s, rc, &why);
}

/* Shows one page of what is stored; `*after` moves on, `*rest` counts down, `*is_last` when the end
 * was reached. */
static enum gd_err show_page(struct session *s, const struct options *o, json_int_t job,
                             json_int_t *after, json_int_t *rest, bool *is_last,
                             struct gd_error *why)
{
	json_t       *params = make_filter(o, job);
	json_t       *result = NULL;
	size_t        i;
	const json_t *event;
	json_int_t    next;
	enum gd_err   rc;

	if (json_object_set_new(params, "after", json_integer(*after)) != 0 ||
	    json_object_set_new(params, "limit", json_integer(*rest < PAGE ? *rest : PAGE)) != 0) {
		json_decref(params);
		return gd_fail(why, GD_NOMEM, "out of memory");
	}
	rc = session_call(s, "events.read", params, &result, why);
	json_decref(params);
	if (rc != GD_OK)
		return rc;
	json_array_foreach (json_object_get(result, "events"), i, event)
		show(o, event);
	*rest -= (json_int_t)i;
	next = json_integer_value(json_object_get(result, "next"));
	*is_last = *rest <= 0 || next <= *after ||
	           next >= json_integer_value(json_object_get(result, "seq"));
	*after = next;
	json_decref(result);
	return GD_OK;
}

static int show_stored(struct session *s, const struct options *o, json_int_t job)
{
	struct gd_error why = { .code = GD_OK };
	json_int_t      after = o->after;
	json_int_t      rest = options_has(o, OPTION_LIMIT) ? o->limit : INT64_MAX;
	bool            is_last = rest == 0;
	enum gd_err     rc = GD_OK;

	while (rc == GD_OK && !is_last)
		rc = show_page(s, o, job, &after, &rest, &is_last, &why);
	return rc == GD_OK ? CLIENT_DONE : client_fail(s, rc, &why);
}

int cmd_events(const struct options *o)
{
	json_int_t      job = 0;
	int             exit_code;
	struct session *s;

	if (o->operand_count > 0 && !client_parse_id(o->operands[0], &job))
		return CLIENT_USAGE;
	s = client_open(o, &exit_code);
	if (s == NULL)
		return exit_code;
	exit_code = options_has(o, OPTION_FOLLOW) ? follow_all(s, o, job) : show_stored(s, o, job);
	session_close(s);
	return exit_code;
}
