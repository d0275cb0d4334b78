#include "client/follow.h"

#include <string.h>

static enum gd_err subscribe(struct follow *f, struct gd_error *why)
{
	json_t     *params = json_copy(f->filter);
	json_t     *result = NULL;
	enum gd_err rc;

	if (params == NULL || json_object_set_new(params, "after", json_integer(f->cursor)) != 0) {
		json_decref(params);
		return gd_fail(why, GD_NOMEM, "out of memory");
	}
	rc = session_call(f->session, "events.subscribe", params, &result, why);
	json_decref(params);
	json_decref(result);
	return rc;
}

enum gd_err follow_open(struct follow *f, struct session *s, json_t *filter, json_int_t after,
                        struct gd_error *why)
{
	enum gd_err rc;

	*f = (struct follow){ .session = s, .filter = filter, .cursor = after };
	rc = filter == NULL ? gd_fail(why, GD_NOMEM, "out of memory") : subscribe(f, why);
	if (rc != GD_OK)
		follow_close(f);
	return rc;
}

void follow_close(struct follow *f)
{
	json_decref(f->filter);
	f->filter = NULL;
}

static enum follow_got recover(struct follow *f, struct gd_error *why)
{
	if (f->give_up == 0)
		f->give_up = session_give_up(f->session);
	f->rc = session_reconnect(f->session, f->give_up, why);
	if (f->rc == GD_OK)
		f->rc = subscribe(f, why);
	return f->rc == GD_OK ? FOLLOW_RECONNECTED : FOLLOW_FAILED;
}

/* An event in `message`, or NULL: a reply that nobody waits for, a heartbeat. */
static json_t *take_event(struct follow *f, json_t *message)
{
	const char *method = json_string_value(json_object_get(message, "method"));
	json_t     *params = json_object_get(message, "params");
	json_t     *seq = json_object_get(params, "seq");
	const char *kind = json_string_value(json_object_get(params, "kind"));

	if (method == NULL || strcmp(method, "event") != 0 || !json_is_integer(seq) ||
	    kind == NULL || strcmp(kind, "heartbeat") == 0)
		return NULL;
	f->cursor = json_integer_value(seq);
	f->give_up = 0;
	return json_incref(params);
}

enum follow_got follow_next(struct follow *f, gd_nsec deadline, json_t **event,
                            struct gd_error *why)
{
	for (;;) {
		json_t *message = NULL;

		switch (conn_receive(session_conn(f->session), deadline, &message)) {
		case CONN_MESSAGE:
			*event = take_event(f, message);
			json_decref(message);
			if (*event != NULL)
				return FOLLOW_EVENT;
			break;
		case CONN_LATE:
			return FOLLOW_LATE;
		case CONN_INTERRUPTED:
			return FOLLOW_INTERRUPTED;
		case CONN_LOST:
			return recover(f, why);
		}
	}
}

void follow_send(struct follow *f, const char *method, json_t *params)
{
	json_int_t id;

	if (params == NULL)
		return;
	/* A failure is a lost connection, which the next read reports. */
	if (conn_send(session_conn(f->session), method, params, &id, NULL) != GD_OK)
		return;
}
