#include "client/client.h"

#include "client/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RESULT_TEXT_MAX (64u << 20) /* of one result or event, as JSON */

static int exit_for(enum gd_err rc)
{
	switch (rc) {
	case GD_OK:
		return CLIENT_DONE;
	case GD_SYS:
		return CLIENT_NO_DAEMON;
	case GD_REQUEST_CANCELLED:
		return CLIENT_TIMEOUT;
	case GD_INVALID_SPEC:
	case GD_INVALID_PARAMS:
		return CLIENT_USAGE;
	case GD_PARSE:
	case GD_INVALID_REQUEST:
	case GD_NO_METHOD:
	case GD_INTERNAL:
	case GD_UNAUTHORIZED:
	case GD_FORBIDDEN:
	case GD_NOT_FOUND:
	case GD_CONFLICT:
	case GD_LIMIT:
	case GD_CURSOR_EXPIRED:
	case GD_UNAVAILABLE:
	case GD_DURABILITY_UNKNOWN:
	case GD_UNSUPPORTED_PROTOCOL:
	case GD_NOMEM:
	case GD_STORE:
	case GD_ERR_COUNT:
		break;
	}
	return CLIENT_FAILED;
}

/* The place in the params, where the daemon named one. */
static const char *fault_pointer(const struct session *s)
{
	const json_t *data = s == NULL ? NULL : json_object_get(session_error(s), "data");
	const char   *pointer = json_string_value(json_object_get(data, "pointer"));

	return pointer == NULL || pointer[0] == '\0' ? NULL : pointer;
}

int client_fail(const struct session *s, enum gd_err rc, const struct gd_error *why)
{
	struct buf  b = { .cap = 0 };
	const char *pointer = fault_pointer(s);

	buf_add_text(&b, "gatherctl: ");
	render_text(&b, why->text);
	if (pointer != NULL) {
		buf_add_text(&b, " (");
		render_text(&b, pointer);
		buf_add_byte(&b, ')');
	}
	buf_add_byte(&b, '\n');
	(void)fwrite(b.at, 1, b.bytes, stderr);
	buf_close(&b);
	return exit_for(rc);
}

int client_fail_job(const struct session *s, const struct source *source, enum gd_err rc,
                    const struct gd_error *why)
{
	const json_t *problems =
		json_object_get(json_object_get(session_error(s), "data"), "errors");
	struct buf b = { .cap = 0 };

	if (rc != GD_INVALID_SPEC || json_array_size(problems) == 0)
		return client_fail(s, rc, why);
	source_write_problems(&b, source, problems);
	(void)fwrite(b.at, 1, b.bytes, stderr);
	buf_close(&b);
	return CLIENT_USAGE;
}

int client_exit_for_status(const char *status)
{
	if (status != NULL && strcmp(status, "failed") == 0)
		return CLIENT_FAILED;
	if (status != NULL && strcmp(status, "cancelled") == 0)
		return CLIENT_CANCELLED;
	return CLIENT_DONE;
}

struct session *client_open(const struct options *o, int *exit_code)
{
	struct gd_error why = { .code = GD_OK };
	struct session *s = NULL;
	enum gd_err     rc = session_open(o, &s, &why);

	if (rc == GD_OK)
		return s;
	*exit_code = client_fail(NULL, rc, &why);
	return NULL;
}

bool client_parse_id(const char *text, json_int_t *id)
{
	char *end;

	errno = 0;
	*id = strtoll(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *id > 0)
		return true;
	(void)fprintf(stderr, "gatherctl: a job id is a whole number, not \"%s\"\n", text);
	return false;
}

json_t *client_parse_ids(const struct options *o)
{
	json_t *ids = json_array();

	for (uint32_t i = 0; i < o->operand_count; i++) {
		json_int_t id;

		if (!client_parse_id(o->operands[i], &id) ||
		    json_array_append_new(ids, json_integer(id)) != 0) {
			json_decref(ids);
			return NULL;
		}
	}
	return ids;
}

static void print_json(const json_t *document, unsigned indent)
{
	struct buf b = { .cap = 0 };

	render_json(&b, document, indent);
	buf_add_byte(&b, '\n');
	(void)fwrite(b.at, 1, b.bytes, stdout);
	buf_close(&b);
}

void client_print_line(const json_t *document)
{
	print_json(document, 0);
	(void)fflush(stdout);
}

void client_print_document(const struct options *o, const json_t *document)
{
	print_json(document, options_has(o, OPTION_JSON) || options_has(o, OPTION_JSONL) ? 0 : 2);
}

/* One chunk behind `*offset`, which moves on; `*is_last` when there is no more. */
static enum gd_err read_chunk(struct session *s, json_int_t id, const char *path, struct buf *text,
                              json_int_t *offset, bool *is_last, struct gd_error *why)
{
	json_t *params = json_pack("{s:I, s:I, s:s*}", "id", id, "offset", *offset, "path", path);
	json_t *result = NULL;
	json_t *chunk, *next;
	enum gd_err rc = session_call(s, "job.result", params, &result, why);

	json_decref(params);
	if (rc != GD_OK)
		return rc;
	chunk = json_object_get(result, "chunk");
	next = json_object_get(result, "next");
	buf_add(text, json_string_value(chunk), json_string_length(chunk));
	*is_last = !json_is_integer(next) || json_integer_value(next) <= *offset;
	*offset = json_integer_value(next);
	json_decref(result);
	return text->failed == GD_OK ? GD_OK
	                             : gd_fail(why, text->failed, "the result is too large");
}

enum gd_err client_read_result(struct session *s, json_int_t id, const char *path, char **text,
                               struct gd_error *why)
{
	struct buf  whole;
	json_int_t  offset = 0;
	bool        is_last = false;
	enum gd_err rc = GD_OK;

	buf_init(&whole, RESULT_TEXT_MAX);
	while (!is_last && rc == GD_OK)
		rc = read_chunk(s, id, path, &whole, &offset, &is_last, why);
	buf_add_byte(&whole, '\0');
	if (rc == GD_OK && whole.failed != GD_OK)
		rc = gd_fail(why, whole.failed, "the result is too large");
	if (rc == GD_OK)
		*text = whole.at; /* moves to the caller */
	else
		buf_close(&whole);
	return rc;
}

enum gd_err client_whole_value(struct session *s, json_int_t id, const char *path,
                               const json_t *value, json_t **whole, struct gd_error *why)
{
	char       *text = NULL;
	enum gd_err rc;

	if (json_object_size(value) != 1 || json_object_get(value, "$large") == NULL) {
		*whole = json_incref((json_t *)(uintptr_t)value);
		return GD_OK;
	}
	rc = client_read_result(s, id, path, &text, why);
	if (rc != GD_OK)
		return rc;
	*whole = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	free(text);
	return *whole != NULL ? GD_OK
	                      : gd_fail(why, GD_INTERNAL, "the daemon sent a damaged result");
}

enum gd_err client_make_key(char out[CLIENT_KEY_CHARS + 1], struct gd_error *why)
{
	unsigned char bytes[CLIENT_KEY_CHARS / 2];

	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return gd_fail_sys(why, errno, "no random key");
	for (size_t i = 0; i < sizeof bytes; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return GD_OK;
}

int client_ask(const struct options *o, const char *method, json_t *params, json_t **result)
{
	struct gd_error why = { .code = GD_OK };
	enum gd_err     rc;
	int             exit_code;
	struct session *s = client_open(o, &exit_code);

	if (s != NULL) {
		rc = session_call(s, method, params, result, &why);
		exit_code = rc == GD_OK ? CLIENT_DONE : client_fail(s, rc, &why);
	}
	session_close(s);
	json_decref(params);
	return exit_code;
}
