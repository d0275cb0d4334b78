#include "client/session.h"

#include "client/interrupt.h"

#include <stdlib.h>
#include <string.h>

#define BACKOFF_FIRST (50 * GD_NSEC_PER_MSEC)
#define BACKOFF_MAX GD_NSEC_PER_SEC

struct session {
	struct address address;
	struct conn   *conn;      /* NULL while there is none */
	double         reconnect; /* seconds */
	gd_nsec        deadline;
	json_t        *error;
	int            interrupts_borne;
	bool           was_resent;
};

static gd_nsec sooner(gd_nsec a, gd_nsec b)
{
	return a < b ? a : b;
}

/* The code behind an error object's data.type. */
static enum gd_err error_code(const json_t *error)
{
	const char *type =
		json_string_value(json_object_get(json_object_get(error, "data"), "type"));

	for (int code = GD_OK + 1; type != NULL && code < GD_ERR_COUNT; code++)
		if (strcmp(gd_err_name((enum gd_err)code), type) == 0)
			return (enum gd_err)code;
	return GD_INTERNAL;
}

/* Takes the result or the error out of a reply. */
static enum gd_err open_reply(struct session *s, const json_t *reply, json_t **result,
                              struct gd_error *why)
{
	json_t     *error = json_object_get(reply, "error");
	json_t     *found = json_object_get(reply, "result");
	const char *message = json_string_value(json_object_get(error, "message"));

	if (error != NULL) {
		s->error = json_incref(error);
		return gd_fail(why, error_code(error), "%s",
		               message == NULL ? "refused without a word" : message);
	}
	if (found == NULL)
		return gd_fail(why, GD_INTERNAL, "the daemon sent a reply without a result");
	*result = json_incref(found);
	return GD_OK;
}

static bool is_interrupted(const struct session *s)
{
	return interrupt_count() > s->interrupts_borne;
}

static enum conn_got await_reply(struct session *s, json_int_t id, json_t **reply)
{
	enum conn_got got;

	do
		got = conn_receive_reply(s->conn, id, s->deadline, reply);
	while (got == CONN_INTERRUPTED && !is_interrupted(s));
	return got;
}

static enum gd_err call_once(struct session *s, const char *method, json_t *params, json_t **result,
                             struct gd_error *why)
{
	json_t     *reply;
	json_int_t  id;
	enum gd_err rc;

	json_decref(s->error);
	s->error = NULL;
	if (s->conn == NULL)
		return gd_fail(why, GD_SYS, "connection lost");
	rc = conn_send(s->conn, method, params, &id, why);
	if (rc != GD_OK)
		return rc;
	switch (await_reply(s, id, &reply)) {
	case CONN_MESSAGE:
		rc = open_reply(s, reply, result, why);
		json_decref(reply);
		return rc;
	case CONN_LATE:
		return gd_fail(why, GD_REQUEST_CANCELLED, "no answer in time");
	case CONN_INTERRUPTED:
		return gd_fail(why, GD_REQUEST_CANCELLED, "interrupted");
	case CONN_LOST:
		break;
	}
	return gd_fail(why, GD_SYS, "connection lost");
}

static enum gd_err connect_now(struct session *s, struct gd_error *why)
{
	json_t     *params, *result = NULL;
	enum gd_err rc = conn_open(&s->address, &s->conn, why);

	if (rc != GD_OK || s->address.token[0] == '\0')
		return rc;
	params = json_pack("{s:[i], s:s, s:s}", "protocol", 1, "client", "gatherctl", "token",
	                   s->address.token);
	if (params == NULL)
		return gd_fail(why, GD_NOMEM, "out of memory");
	rc = call_once(s, "hello", params, &result, why);
	json_decref(params);
	json_decref(result);
	return rc;
}

enum gd_err session_open(const struct options *o, struct session **out, struct gd_error *why)
{
	struct session *s = calloc(1, sizeof *s);
	enum gd_err     rc;

	if (s == NULL)
		return gd_fail(why, GD_NOMEM, "out of memory");
	s->reconnect = o->reconnect;
	s->deadline = GD_NSEC_NEVER;
	s->interrupts_borne = 1;
	rc = address_find(&s->address, o, why);
	if (rc == GD_OK)
		rc = connect_now(s, why);
	if (rc == GD_OK)
		*out = s;
	else
		session_close(s);
	return rc;
}

void session_close(struct session *s)
{
	if (s == NULL)
		return;
	conn_close(s->conn);
	json_decref(s->error);
	free(s);
}

void session_set_deadline(struct session *s, gd_nsec deadline)
{
	s->deadline = deadline;
}

void session_bear(struct session *s, int interrupts)
{
	s->interrupts_borne = interrupts;
}

const json_t *session_error(const struct session *s)
{
	return s->error;
}

bool session_was_resent(const struct session *s)
{
	return s->was_resent;
}

struct conn *session_conn(struct session *s)
{
	return s->conn;
}

gd_nsec session_give_up(const struct session *s)
{
	return conn_deadline(s->reconnect);
}

enum gd_err session_reconnect(struct session *s, gd_nsec give_up, struct gd_error *why)
{
	gd_nsec backoff = BACKOFF_FIRST;

	for (;;) {
		enum gd_err rc;

		conn_close(s->conn);
		s->conn = NULL;
		rc = connect_now(s, why);
		if (rc != GD_SYS && rc != GD_UNAVAILABLE)
			return rc;
		if (is_interrupted(s) || conn_now() >= s->deadline)
			return gd_fail(why, GD_REQUEST_CANCELLED, "gave up");
		if (conn_now() >= give_up)
			return rc;
		(void)conn_pause(sooner(conn_now() + backoff, sooner(give_up, s->deadline)));
		backoff = sooner(backoff * 2, BACKOFF_MAX);
	}
}

/* How long the daemon wants to be left alone, within reason. */
static gd_nsec asked_pause(const struct session *s)
{
	double seconds = json_number_value(
		json_object_get(json_object_get(s->error, "data"), "retry_after"));

	if (seconds < 0.05)
		return BACKOFF_FIRST;
	return seconds > 1 ? BACKOFF_MAX : (gd_nsec)(seconds * 1e9);
}

enum gd_err session_call(struct session *s, const char *method, json_t *params, json_t **result,
                         struct gd_error *why)
{
	gd_nsec give_up = session_give_up(s);

	s->was_resent = false;
	if (params == NULL)
		return gd_fail(why, GD_NOMEM, "out of memory");
	for (;;) {
		gd_nsec     sent = conn_now();
		enum gd_err rc = call_once(s, method, params, result, why);

		if (rc == GD_SYS) {
			/* A long wait is no part of the search for the daemon. */
			if (!s->was_resent)
				give_up += conn_now() - sent;
			rc = session_reconnect(s, give_up, why);
			if (rc != GD_OK)
				return rc;
		} else if ((rc == GD_UNAVAILABLE || rc == GD_DURABILITY_UNKNOWN) &&
		           conn_now() < give_up) {
			(void)conn_pause(sooner(conn_now() + asked_pause(s), s->deadline));
			if (is_interrupted(s))
				return gd_fail(why, GD_REQUEST_CANCELLED, "interrupted");
		} else {
			return rc;
		}
		s->was_resent = true;
	}
}
