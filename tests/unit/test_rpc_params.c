/* proto/rpc_params: the parameters of a request. */
#include "proto/rpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests_name("rpc_params", tests, NULL, NULL);
}
