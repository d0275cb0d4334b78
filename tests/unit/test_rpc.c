/* proto/rpc: envelopes, parameters, replies. */
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

/* --- parameters --- */

struct given {
	json_t           *json; /* owned */
	struct rpc_params p;
};

static void give(struct given *g, const char *text)
{
	g->json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(g->json);
	rpc_params_init(&g->p, g->json);
}

/* Ends the parameters, with this fault at this place; "" and "" for none. */
static void expect_end(struct given *g, const char *pointer, const char *words)
{
	struct gd_error why = { 0 };
	enum gd_err     rc = rpc_params_end(&g->p, &why);

	assert_int_equal(rc, words[0] == '\0' ? GD_OK : GD_INVALID_PARAMS);
	assert_string_equal(g->p.pointer, pointer);
	assert_string_equal(why.text, words);
	json_decref(g->json);
}

static void given_all_kinds_when_read_then_each_is_right(void **state)
{
	static const char *const choices[] = { "up", "down", NULL };
	struct given             g;
	const char              *text = NULL;
	const char              *texts[3] = { NULL };
	bool                     flag = false;
	uint64_t                 big = 0;
	uint64_t                 ids[3] = { 0 };
	uint32_t                 small = 0, choice = 9, bits = 0, id_count = 0, text_count = 0;
	gd_nsec                  length = 0, moment = 0;
	const json_t            *object = NULL, *list = NULL, *any = NULL;

	(void)state;
	give(&g,
	     "{\"t\":\"x\",\"b\":true,\"u\":9007199254740991,\"s\":3,\"d\":1.5,"
	     "\"m\":\"2030-01-31T09:00:00+01:00\",\"c\":\"down\",\"cs\":[\"down\",\"up\"],"
	     "\"ids\":[1,2],\"ts\":[\"p\",\"q\"],\"o\":{},\"l\":[1],\"any\":false,\"_auth\":\"secret\"}");
	assert_true(rpc_text(&g.p, "t", 10, &text));
	assert_true(rpc_bool(&g.p, "b", &flag));
	assert_true(rpc_u64(&g.p, "u", 0, UINT64_MAX, &big));
	assert_true(rpc_u32(&g.p, "s", 1, 3, &small));
	assert_true(rpc_seconds(&g.p, "d", 10, &length));
	assert_true(rpc_moment(&g.p, "m", &moment));
	assert_true(rpc_choice(&g.p, "c", choices, &choice));
	assert_true(rpc_choices(&g.p, "cs", choices, &bits));
	assert_true(rpc_u64_list(&g.p, "ids", 1, 9, 3, ids, &id_count));
	assert_true(rpc_text_list(&g.p, "ts", 1, 3, texts, &text_count));
	assert_true(rpc_object(&g.p, "o", &object));
	assert_true(rpc_list(&g.p, "l", 1, &list));
	assert_true(rpc_any(&g.p, "any", &any));

	assert_string_equal(text, "x");
	assert_true(flag);
	assert_true(big == UINT64_C(9007199254740991));
	assert_int_equal(small, 3);
	assert_int_equal(length, 1500000000);
	assert_true(moment == INT64_C(1896076800) * GD_NSEC_PER_SEC);
	assert_int_equal(choice, 1);
	assert_int_equal(bits, 3);
	assert_int_equal(id_count, 2);
	assert_int_equal(ids[1], 2);
	assert_int_equal(text_count, 2);
	assert_string_equal(texts[1], "q");
	assert_true(json_is_object(object) && json_is_array(list) && json_is_false(any));
	expect_end(&g, "", "");
}

static void given_absent_or_null_when_read_then_the_default_stays(void **state)
{
	struct given g;
	uint64_t     number = 42;
	const char  *text = "default";

	(void)state;
	give(&g, "{\"n\":null}");
	assert_false(rpc_u64(&g.p, "n", 0, 9, &number));
	assert_false(rpc_text(&g.p, "t", 9, &text));

	assert_int_equal(number, 42);
	assert_string_equal(text, "default");
	expect_end(&g, "", "");
}

static void given_no_params_when_read_then_only_the_required_is_missing(void **state)
{
	struct rpc_params p;
	bool              flag = false;

	(void)state;
	rpc_params_init(&p, NULL);
	assert_false(rpc_bool(&p, "flag", &flag));
	assert_int_equal(rpc_params_end(&p, NULL), GD_OK);

	rpc_params_init(&p, NULL);
	rpc_require(&p, "id");
	assert_int_equal(rpc_params_end(&p, NULL), GD_INVALID_PARAMS);
	assert_string_equal(p.pointer, "/id");
}

static void given_a_list_as_params_when_read_then_refused(void **state)
{
	struct given g;

	(void)state;
	give(&g, "[1]");
	expect_end(&g, "", "params are an object, by name");
}

static void given_an_unknown_member_when_ended_then_it_is_named(void **state)
{
	struct given g;
	gd_nsec      timeout = 0;

	(void)state;
	give(&g, "{\"timeout\":1,\"time~ou/t\":2}");
	assert_true(rpc_seconds(&g.p, "timeout", 9, &timeout));
	expect_end(&g, "/time~0ou~1t", "\"time~ou/t\" is no parameter of this method");
}

static void given_two_faults_when_ended_then_the_first_read_counts(void **state)
{
	struct given g;
	uint64_t     number = 0;
	bool         flag = false;

	(void)state;
	give(&g, "{\"b\":1,\"n\":0,\"zzz\":1}");
	assert_false(rpc_u64(&g.p, "n", 1, 64, &number));
	assert_false(rpc_bool(&g.p, "b", &flag));
	expect_end(&g, "/n", "n is 0, not between 1 and 64");
}

static void given_numbers_that_do_not_fit_when_read_then_no_rounding(void **state)
{
	static const struct {
		const char *json;
		const char *words;
	} rows[] = {
		{ "{\"n\":1.0}", "n is not a whole number" },
		{ "{\"n\":\"1\"}", "n is not a whole number" },
		{ "{\"n\":true}", "n is not a whole number" },
		{ "{\"n\":-1}", "n is -1, not between 1 and 9" },
		{ "{\"n\":9223372036854775807}", "n is 9223372036854775807, not between 1 and 9" },
	};
	struct given g;
	uint64_t     number = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		give(&g, rows[i].json);
		assert_false(rpc_u64(&g.p, "n", 1, 9, &number));
		expect_end(&g, "/n", rows[i].words);
	}
	assert_int_equal(number, 0);
}

static void given_times_out_of_range_when_read_then_refused(void **state)
{
	static const char *const lengths[] = { "{\"d\":-0.1}", "{\"d\":61}", "{\"d\":1e300}" };
	static const char *const moments[] = { "{\"d\":-1}", "{\"d\":1e10}",
		                               "{\"d\":\"2030-01-31\"}" };
	struct given             g;
	gd_nsec                  at = 7;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		give(&g, lengths[i]);
		assert_false(rpc_seconds(&g.p, "d", 60, &at));
		expect_end(&g, "/d", "d is not between 0 and 60 seconds");
		give(&g, moments[i]);
		assert_false(rpc_moment(&g.p, "d", &at));
		expect_end(
			&g, "/d",
			"d is not a moment: seconds since the epoch, or such as 2030-01-31T09:00:00Z");
	}
	assert_int_equal(at, 7);
}

static void given_faults_inside_lists_when_read_then_the_element_is_pointed_at(void **state)
{
	static const char *const choices[] = { "spec", "tasks", NULL };
	struct given             g;
	uint64_t                 ids[2];
	const char              *texts[2];
	uint32_t                 count = 0;

	(void)state;
	give(&g, "{\"ids\":[1,\"2\"]}");
	assert_false(rpc_u64_list(&g.p, "ids", 1, 9, 2, ids, &count));
	expect_end(&g, "/ids/1", "ids[1] is not a whole number");
	give(&g, "{\"ids\":[]}");
	assert_false(rpc_u64_list(&g.p, "ids", 1, 9, 2, ids, &count));
	expect_end(&g, "/ids", "ids has 0 elements, not 1 to 2");
	give(&g, "{\"ids\":[1,2,3]}");
	assert_false(rpc_u64_list(&g.p, "ids", 1, 9, 2, ids, &count));
	expect_end(&g, "/ids", "ids has 3 elements, not 1 to 2");
	give(&g, "{\"label\":[\"\"]}");
	assert_false(rpc_text_list(&g.p, "label", 4, 2, texts, &count));
	expect_end(&g, "/label/0", "label[0] has 0 bytes, not 1 to 4");
	give(&g, "{\"include\":[\"spec\",\"x\"]}");
	assert_false(rpc_choices(&g.p, "include", choices, &count));
	expect_end(&g, "/include/1", "include[1] is none of: spec, tasks");
}

static void given_one_text_for_a_list_when_read_then_it_is_a_list_of_one(void **state)
{
	struct given g;
	const char  *texts[2] = { NULL };
	uint32_t     count = 0;

	(void)state;
	give(&g, "{\"label\":\"x\"}");
	assert_true(rpc_text_list(&g.p, "label", 4, 2, texts, &count));
	assert_int_equal(count, 1);
	assert_string_equal(texts[0], "x");
	expect_end(&g, "", "");
}

static void given_a_long_unknown_name_when_ended_then_the_reply_is_valid_json(void **state)
{
	struct given g;
	char         text[600];
	struct buf   b;
	json_t      *reply;

	(void)state;
	buf_init(&b, 0);
	memset(text, 0, sizeof text);
	strcpy(text, "{\"a");
	for (int i = 0; i < 200; i++)
		strcat(text, "\xc3\xa9");
	strcat(text, "\":1}");
	give(&g, text);
	assert_int_equal(rpc_params_end(&g.p, NULL), GD_INVALID_PARAMS);

	rpc_write_bad_params(&b, "1", &g.p);
	reply = json_loadb(b.at, b.bytes, 0, NULL);
	assert_non_null(reply);
	json_decref(reply);
	json_decref(g.json);
	buf_close(&b);
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
		cmocka_unit_test(given_all_kinds_when_read_then_each_is_right),
		cmocka_unit_test(given_absent_or_null_when_read_then_the_default_stays),
		cmocka_unit_test(given_no_params_when_read_then_only_the_required_is_missing),
		cmocka_unit_test(given_a_list_as_params_when_read_then_refused),
		cmocka_unit_test(given_an_unknown_member_when_ended_then_it_is_named),
		cmocka_unit_test(given_two_faults_when_ended_then_the_first_read_counts),
		cmocka_unit_test(given_numbers_that_do_not_fit_when_read_then_no_rounding),
		cmocka_unit_test(given_times_out_of_range_when_read_then_refused),
		cmocka_unit_test(
			given_faults_inside_lists_when_read_then_the_element_is_pointed_at),
		cmocka_unit_test(given_one_text_for_a_list_when_read_then_it_is_a_list_of_one),
		cmocka_unit_test(given_a_long_unknown_name_when_ended_then_the_reply_is_valid_json),
		cmocka_unit_test(given_replies_when_written_then_they_are_these_lines),
		cmocka_unit_test(given_errors_of_our_own_when_written_then_they_are_internal),
		cmocka_unit_test(given_a_message_with_broken_utf8_when_written_then_it_is_mended),
		cmocka_unit_test(given_a_full_buffer_when_replying_then_the_failure_sticks),
	};

	return cmocka_run_group_tests_name("rpc", tests, NULL, NULL);
}
