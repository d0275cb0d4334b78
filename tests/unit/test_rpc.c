/* proto/rpc: envelopes and replies. */
#include "proto/rpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- envelopes --- */

static enum gd_err parse(const char *text, struct rpc_message *m)
{
	return rpc_parse(text, strlen(text), m, NULL);
}

/* The envelope of one request; its id goes to `id`. */
static enum gd_err envelope(const char *text, char id[RPC_ID_BYTES_MAX + 1])
{
	struct rpc_message m;
	struct rpc_request r;
	enum gd_err        rc;

	assert_int_equal(parse(text, &m), GD_OK);
	rc = rpc_request_at(&m, 0, &r, NULL);
	memcpy(id, r.id, sizeof r.id);
	rpc_message_close(&m);
	return rc;
}

static void given_a_request_when_read_then_its_parts_are_there(void **state)
{
	struct rpc_message m;
	struct rpc_request r;

	(void)state;
	assert_int_equal(
		parse("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":{\"a\":1}}",
	              &m),
		GD_OK);
	assert_int_equal(m.count, 1);
	assert_false(m.is_batch);

	assert_int_equal(rpc_request_at(&m, 0, &r, NULL), GD_OK);
	assert_string_equal(r.id, "7");
	assert_string_equal(r.method, "ping");
	assert_int_equal(json_object_size(r.params), 1);
	assert_false(r.is_notification);
	rpc_message_close(&m);
}

static void given_no_id_when_read_then_it_is_a_notification(void **state)
{
	struct rpc_message m;
	struct rpc_request r;

	(void)state;
	assert_int_equal(parse("{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}", &m), GD_OK);

	assert_int_equal(rpc_request_at(&m, 0, &r, NULL), GD_OK);
	assert_true(r.is_notification);
	assert_null(r.params);
	rpc_message_close(&m);
}

static void given_good_ids_when_read_then_they_are_echoed_as_they_came(void **state)
{
	static const char *const ids[] = { "1",    "-9223372036854775808", "null",        "\"a\"",
		                           "\"\"", "\"q\\\"\\\\\\u0001\"", "\"\xc3\xa9\"" };
	char                     text[256];
	char                     id[RPC_ID_BYTES_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		(void)snprintf(text, sizeof text,
		               "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"m\"}", ids[i]);
		assert_int_equal(envelope(text, id), GD_OK);
		assert_string_equal(id, ids[i]);
	}
}

static void given_bad_ids_when_read_then_refused_with_null(void **state)
{
	static const char *const ids[] = { "1.5", "1.0", "{}", "[1]", "true" };
	char                     text[512];
	char                     id[RPC_ID_BYTES_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		(void)snprintf(text, sizeof text,
		               "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"m\"}", ids[i]);
		assert_int_equal(envelope(text, id), GD_INVALID_REQUEST);
		assert_string_equal(id, RPC_NULL_ID);
	}
	(void)snprintf(text, sizeof text,
	               "{\"jsonrpc\":\"2.0\",\"id\":\"%0200d\",\"method\":\"m\"}", 1);
	assert_int_equal(envelope(text, id), GD_INVALID_REQUEST);
	assert_string_equal(id, RPC_NULL_ID);
}

static void given_bad_envelopes_when_read_then_refused_with_their_id(void **state)
{
	static const char *const texts[] = {
		"{\"id\":5,\"method\":\"m\"}",
		"{\"jsonrpc\":\"1.0\",\"id\":5,\"method\":\"m\"}",
		"{\"jsonrpc\":2.0,\"id\":5,\"method\":\"m\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":5}",
		"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"m\",\"params\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"m\",\"params\":null}",
		"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"m\",\"parms\":{}}",
	};
	char id[RPC_ID_BYTES_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		assert_int_equal(envelope(texts[i], id), GD_INVALID_REQUEST);
		assert_string_equal(id, "5");
	}
}

static void given_what_is_not_strict_json_when_parsed_then_parse_error(void **state)
{
	static const char *const texts[] = {
		"{",
		"[1,]",
		"{\"a\":1,\"a\":2}",
		"[\"\\u0000\"]",
		"[1e400]",
		"[9223372036854775808]",
		"[\"\xff\"]",
		"[\"\xc0\x80\"]",
		"[\"\\ud800\"]",
		"[NaN]",
		"[1] 2",
		"\xef\xbb\xbf[]",
		"1",
	};
	struct rpc_message m;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_int_equal(parse(texts[i], &m), GD_PARSE);
}

static void given_batches_when_parsed_then_counted_and_bounded(void **state)
{
	struct rpc_message m;
	struct rpc_request r;
	char               many[4 * RPC_BATCH_MAX];

	(void)state;
	assert_int_equal(parse("[]", &m), GD_INVALID_REQUEST);
	assert_int_equal(parse("[{\"jsonrpc\":\"2.0\",\"method\":\"a\"},1]", &m), GD_OK);
	assert_true(m.is_batch);
	assert_int_equal(m.count, 2);
	assert_int_equal(rpc_request_at(&m, 0, &r, NULL), GD_OK);
	assert_int_equal(rpc_request_at(&m, 1, &r, NULL), GD_INVALID_REQUEST);
	rpc_message_close(&m);

	memset(many, ',', sizeof many);
	many[0] = '[';
	for (size_t i = 0; i <= RPC_BATCH_MAX; i++)
		many[1 + 2 * i] = '1';
	many[2 + 2 * RPC_BATCH_MAX] = ']';
	assert_int_equal(rpc_parse(many, 3 + 2 * RPC_BATCH_MAX, &m, NULL), GD_LIMIT);

	many[2 * RPC_BATCH_MAX] = ']';
	assert_int_equal(rpc_parse(many, 1 + 2 * RPC_BATCH_MAX, &m, NULL), GD_OK);
	assert_int_equal(m.count, RPC_BATCH_MAX);
	rpc_message_close(&m);
}

/* --- replies --- */

static void expect_text(struct buf *b, const char *text)
{
	assert_int_equal(b->failed, GD_OK);
	assert_int_equal(b->bytes, strlen(text));
	assert_memory_equal(b->at, text, b->bytes);
	buf_clear(b);
}

static void given_replies_when_written_then_they_are_these_lines(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	rpc_begin_result(&b, "\"x\"");
	buf_add_text(&b, "{\"ok\":true}");
	rpc_end(&b);
	expect_text(&b, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{\"ok\":true}}");

	rpc_begin_notification(&b, "event");
	buf_add_text(&b, "{}");
	rpc_end(&b);
	expect_text(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{}}");

	rpc_write_error(&b, "null", GD_LIMIT, "too \"long\"", "\"limit\":\"bytes\",\"max\":9");
	expect_text(&b,
	            "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32005,\"message\":"
	            "\"too \\\"long\\\"\",\"data\":{\"type\":\"LimitExceeded\",\"limit\":\"bytes\","
	            "\"max\":9}}}");
	buf_close(&b);
}

static void given_errors_of_our_own_when_written_then_they_are_internal(void **state)
{
	static const enum gd_err codes[] = { GD_NOMEM, GD_SYS, GD_STORE, GD_INTERNAL };
	struct buf               b;

	(void)state;
	buf_init(&b, 0);
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		rpc_write_error(&b, "1", codes[i], "m", NULL);
		expect_text(
			&b,
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"m\","
			"\"data\":{\"type\":\"Internal\"}}}");
	}
	buf_close(&b);
}

static void given_a_message_with_broken_utf8_when_written_then_it_is_mended(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	rpc_write_error(&b, "1", GD_PARSE,
	                "a\xff\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\x80\xc3", NULL);
	expect_text(&b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32700,\"message\":"
	                "\"a?\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80????\",\"data\":{\"type\":"
	                "\"ParseError\"}}}");
	buf_close(&b);
}

static void given_a_full_buffer_when_replying_then_the_failure_sticks(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 20);
	rpc_write_error(&b, "1", GD_PARSE, "words", NULL);
	assert_int_equal(b.failed, GD_LIMIT);
	buf_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_request_when_read_then_its_parts_are_there),
		cmocka_unit_test(given_no_id_when_read_then_it_is_a_notification),
		cmocka_unit_test(given_good_ids_when_read_then_they_are_echoed_as_they_came),
		cmocka_unit_test(given_bad_ids_when_read_then_refused_with_null),
		cmocka_unit_test(given_bad_envelopes_when_read_then_refused_with_their_id),
		cmocka_unit_test(given_what_is_not_strict_json_when_parsed_then_parse_error),
		cmocka_unit_test(given_batches_when_parsed_then_counted_and_bounded),
		cmocka_unit_test(given_replies_when_written_then_they_are_these_lines),
		cmocka_unit_test(given_errors_of_our_own_when_written_then_they_are_internal),
		cmocka_unit_test(given_a_message_with_broken_utf8_when_written_then_it_is_mended),
		cmocka_unit_test(given_a_full_buffer_when_replying_then_the_failure_sticks),
	};

	return cmocka_run_group_tests_name("rpc", tests, NULL, NULL);
}
