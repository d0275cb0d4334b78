#include "proto/rpc.h"

#include <string.h>

#define RPC_METHOD_QUOTED 48 /* characters of a method's name that an error repeats */

/* --- reading a message --- */

enum gd_err rpc_parse(const char *text, size_t bytes, struct rpc_message *out, struct gd_error *why)
{
	json_error_t error;
	size_t       count;
	json_t      *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);

	if (root == NULL && json_error_code(&error) == json_error_out_of_memory)
		return gd_fail(why, GD_NOMEM, "no memory for a message of %zu bytes", bytes);
	if (root == NULL)
		return gd_fail(why, GD_PARSE, "byte %d: %s", error.position, error.text);
	if (json_is_object(root)) {
		*out = (struct rpc_message){ .root = root, .count = 1 };
		return GD_OK;
	}
	count = json_array_size(root);
	if (count >= 1 && count <= RPC_BATCH_MAX) {
		*out = (struct rpc_message){ .root = root,
			                     .count = (uint32_t)count,
			                     .is_batch = true };
		return GD_OK;
	}
	json_decref(root);
	if (count == 0)
		return gd_fail(why, GD_INVALID_REQUEST, "an empty batch");
	return gd_fail(why, GD_LIMIT, "a batch of %zu requests; at most %u", count, RPC_BATCH_MAX);
}

void rpc_message_close(struct rpc_message *m)
{
	json_decref(m->root);
	*m = (struct rpc_message){ 0 };
}

/* Writes the id as JSON text. */
static enum gd_err write_id(const json_t *id, char out[RPC_ID_BYTES_MAX + 1], struct gd_error *why)
{
	struct buf b;
	bool       is_good, is_out_of_memory;

	buf_init(&b, RPC_ID_BYTES_MAX);
	if (json_is_string(id))
		buf_add_json_string(&b, json_string_value(id), json_string_length(id));
	else if (json_is_integer(id))
		buf_add_i64(&b, json_integer_value(id));
	else if (json_is_null(id))
		buf_add_text(&b, RPC_NULL_ID);
	is_good = b.failed == GD_OK && b.bytes > 0;
	if (is_good) {
		memcpy(out, b.at, b.bytes);
		out[b.bytes] = '\0';
	}
	is_out_of_memory = b.failed == GD_NOMEM;
	buf_close(&b);
	if (is_out_of_memory)
		return gd_fail(why, GD_NOMEM, "no memory for the id of a request");
	if (!is_good)
		return gd_fail(why, GD_INVALID_REQUEST,
		               "\"id\" is not a text, a whole number or null of at most %u bytes",
		               RPC_ID_BYTES_MAX);
	return GD_OK;
}

static enum gd_err check_envelope(const json_t *entry, struct rpc_request *out,
                                  struct gd_error *why)
{
	const json_t *version = json_object_get(entry, "jsonrpc");
	const json_t *method = json_object_get(entry, "method");
	const json_t *params = json_object_get(entry, "params");
	const char   *key;
	json_t       *member;

	if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0)
		return gd_fail(why, GD_INVALID_REQUEST, "\"jsonrpc\" is not \"2.0\"");
	if (!json_is_string(method))
		return gd_fail(why, GD_INVALID_REQUEST, "\"method\" is missing or no text");
	if (params != NULL && !json_is_object(params) && !json_is_array(params))
		return gd_fail(why, GD_INVALID_REQUEST,
		               "\"params\" is neither an object nor a list");
	json_object_foreach ((json_t *)entry, key, member) {
		if (strcmp(key, "jsonrpc") != 0 && strcmp(key, "method") != 0 &&
		    strcmp(key, "params") != 0 && strcmp(key, "id") != 0)
			return gd_fail(why, GD_INVALID_REQUEST,
			               "\"%.*s\" has no place in a request", RPC_METHOD_QUOTED,
			               key);
	}
	out->method = json_string_value(method);
	out->params = params;
	return GD_OK;
}

enum gd_err rpc_request_at(const struct rpc_message *m, uint32_t index, struct rpc_request *out,
                           struct gd_error *why)
{
	const json_t *entry = m->is_batch ? json_array_get(m->root, index) : m->root;
	const json_t *id = json_object_get(entry, "id");
	enum gd_err   rc;

	*out = (struct rpc_request){ .id = RPC_NULL_ID };
	if (!json_is_object(entry))
		return gd_fail(why, GD_INVALID_REQUEST, "a request is an object");
	rc = id == NULL ? GD_OK : write_id(id, out->id, why);
	if (rc == GD_OK)
		rc = check_envelope(entry, out, why);
	if (rc == GD_OK)
		out->is_notification = id == NULL;
	return rc;
}

/* --- writing --- */

static void begin_reply(struct buf *b, const char *id)
{
	buf_add_text(b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_add_text(b, id);
}

void rpc_begin_result(struct buf *b, const char *id)
{
	begin_reply(b, id);
	buf_add_text(b, ",\"result\":");
}

void rpc_begin_notification(struct buf *b, const char *method)
{
	buf_add_text(b, "{\"jsonrpc\":\"2.0\",\"method\":");
	buf_add_json_string(b, method, strlen(method));
	buf_add_text(b, ",\"params\":");
}

void rpc_end(struct buf *b)
{
	buf_add_byte(b, '}');
}

/* What is ours alone has no name on the wire. */
static const char *name_on_wire(enum gd_err code)
{
	if (code == GD_NOMEM || code == GD_SYS || code == GD_STORE)
		return gd_err_name(GD_INTERNAL);
	return gd_err_name(code);
}

/* How many bytes the code point at `at` takes, 0 where there is no valid one. */
static size_t code_point_bytes(const unsigned char *at)
{
	static const struct {
		unsigned char mask, lead, second_min, second_max;
	} forms[] = { { 0xff, 0xe0, 0xa0, 0xbf }, { 0xff, 0xed, 0x80, 0x9f },
		      { 0xff, 0xf0, 0x90, 0xbf }, { 0xff, 0xf4, 0x80, 0x8f },
		      { 0xe0, 0xc0, 0x80, 0xbf }, { 0xf0, 0xe0, 0x80, 0xbf },
		      { 0xf8, 0xf0, 0x80, 0xbf } };
	size_t need = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

	if (at[0] < 0x80)
		return 1;
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 0;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if ((at[0] & forms[i].mask) != forms[i].lead)
			continue;
		if (at[1] < forms[i].second_min || at[1] > forms[i].second_max)
			return 0;
		break;
	}
	for (size_t i = 2; i < need; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	return need;
}

/* Words may quote what a client sent, cut to fit at any byte; a line never holds broken UTF-8. */
static void add_message(struct buf *b, const char *message)
{
	char   clean[3 * sizeof((struct gd_error *)0)->text];
	size_t used = 0;

	while (*message != '\0' && used + 4 <= sizeof clean) {
		size_t bytes = code_point_bytes((const unsigned char *)message);

		if (bytes == 0)
			clean[used++] = '?';
		else
			memcpy(clean + used, message, bytes);
		used += bytes;
		message += bytes == 0 ? 1 : bytes;
	}
	buf_add_json_string(b, clean, used);
}

void rpc_write_error(struct buf *b, const char *id, enum gd_err code, const char *message,
                     const char *data)
{
	begin_reply(b, id);
	buf_add_text(b, ",\"error\":{\"code\":");
	buf_add_i64(b, gd_err_rpc_code(code));
	buf_add_text(b, ",\"message\":");
	add_message(b, message);
	buf_add_text(b, ",\"data\":{\"type\":\"");
	buf_add_text(b, name_on_wire(code));
	buf_add_byte(b, '"');
	if (data != NULL) {
		buf_add_byte(b, ',');
		buf_add_text(b, data);
	}
	buf_add_text(b, "}}}");
}
