#include "daemon/value/value.h"

#include "daemon/load/load.h"
#include "tests/lib/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* It uses the headers above and includes none. */
#include <cmocka.h>

static struct value text(struct value_heap *h, const char *at)
{
	return value_text_new(h, at, strlen(at));
}

static void expect_json(struct value v, const char *expected)
{
	struct buf b = { .cap = 0 };

	value_write_json(&b, v);
	buf_add_byte(&b, '\0');
	assert_int_equal(b.failed, GD_OK);
	assert_string_equal(b.at, expected);
	buf_close(&b);
}

/* {"k0": 0, "k1": 1, ...} */
static struct value numbered(struct value_heap *h, uint32_t count)
{
	struct value dict = value_dict_new(h, 0);

	for (uint32_t i = 0; i < count; i++) {
		char key[16];

		(void)snprintf(key, sizeof key, "k%u", i);
		dict = value_dict_put(h, dict, text(h, key), value_int(h, i));
	}
	return dict;
}

/* [[[...]]] */
static struct value nested(struct value_heap *h, uint32_t depth)
{
	struct value list = value_list_new(h, 0);

	while (--depth > 0)
		list = value_list_append(h, value_list_new(h, 1), list);
	return list;
}

static void given_ints_of_every_size_then_they_come_back(void **state)
{
	static const int64_t numbers[] = { 0,
		                           1,
		                           -1,
		                           VALUE_INT48_MIN,
		                           VALUE_INT48_MAX,
		                           VALUE_INT48_MIN - 1,
		                           VALUE_INT48_MAX + 1,
		                           INT64_MIN,
		                           INT64_MAX };
	struct value_heap    h = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct value v = value_int(&h, numbers[i]);

		assert_int_equal(value_type(v), VALUE_T_INT);
		assert_true(value_as_int(v) == numbers[i]);
		value_release(&h, v);
	}
	assert_int_equal(h.bytes, 0);
}

static void given_a_text_then_bytes_and_characters_are_counted(void **state)
{
	struct value_heap h = { 0 };
	struct value      v = text(&h, "h\xc3\xa9llo \xf0\x9f\x98\x80");

	(void)state;
	assert_int_equal(value_text(v)->bytes, 11);
	assert_int_equal(value_text(v)->chars, 7);
	assert_string_equal(value_text(v)->at, "h\xc3\xa9llo \xf0\x9f\x98\x80");
	value_release(&h, v);
	assert_int_equal(h.bytes, 0);
}

static void given_a_growing_list_when_released_then_nothing_is_held(void **state)
{
	struct value_heap h = { 0 };
	struct value      list = value_list_new(&h, 0), shared = text(&h, "x");

	(void)state;
	for (int i = 0; i < 1000; i++)
		list = value_list_append(&h, list, value_retain(shared));
	assert_int_equal(value_list(list)->count, 1000);
	assert_int_equal(value_obj(shared)->refs, 1001);

	value_release(&h, list);

	assert_int_equal(value_obj(shared)->refs, 1);
	value_release(&h, shared);
	assert_int_equal(h.bytes, 0);
}

static void given_a_million_lists_inside_each_other_when_released_then_the_stack_stays_small(
	void **state)
{
	struct value_heap h = { 0 };
	struct value      v = value_list_new(&h, 0);

	(void)state;
	for (int i = 0; i < 500000; i++) {
		v = value_list_append(&h, value_list_new(&h, 1), v);
		v = value_dict_put(&h, value_dict_new(&h, 1), text(&h, "a"), v);
		v = value_list_append(&h, value_list_append(&h, value_list_new(&h, 2), v),
		                      text(&h, "beside"));
	}
	assert_true(h.bytes > 0);

	value_release(&h, v);

	assert_int_equal(h.bytes, 0);
}

static void given_a_dict_then_keys_keep_their_order_and_are_replaced_in_place(void **state)
{
	struct value_heap h = { 0 };
	struct value      dict = value_dict_new(&h, 0);

	(void)state;
	dict = value_dict_put(&h, dict, text(&h, "b"), value_int(&h, 1));
	dict = value_dict_put(&h, dict, text(&h, "a"), value_int(&h, 2));
	dict = value_dict_put(&h, dict, text(&h, "b"), text(&h, "new"));

	expect_json(dict, "{\"b\":\"new\",\"a\":2}");
	assert_true(value_is_none(value_dict_get(dict, "c", 1)));
	value_release(&h, dict);
	assert_int_equal(h.bytes, 0);
}

static void given_a_large_dict_then_every_key_is_found(void **state)
{
	struct value_heap h = { .hash_seed = UINT64_C(0x0123456789abcdef) };
	struct value      dict = numbered(&h, 20000);

	(void)state;
	assert_int_equal(value_dict(dict)->count, 20000);
	for (uint32_t i = 0; i < 20000; i++) {
		char key[16];
		int  bytes = snprintf(key, sizeof key, "k%u", i);

		assert_int_equal(value_as_int(value_dict_get(dict, key, (size_t)bytes)), i);
	}
	assert_true(value_is_none(value_dict_get(dict, "k20000", 6)));
	value_release(&h, dict);
	assert_int_equal(h.bytes, 0);
}

static void given_an_immortal_tree_then_counting_leaves_it_alone(void **state)
{
	struct value_heap h = { 0 };
	struct value      list = value_list_append(&h, value_list_new(&h, 1), numbered(&h, 100));

	(void)state;
	value_make_immortal(&h, list);
	assert_int_equal(h.bytes, 0);
	assert_true(value_retain(list).bits == list.bits);
	value_release(&h, list);
	value_release(&h, list);

	assert_int_equal(value_obj(list)->refs, VALUE_IMMORTAL);
	assert_int_equal(value_as_int(value_dict_get(value_list(list)->at[0], "k99", 3)), 99);
	value_destroy_immortal(list);
}

static void given_numbers_of_several_types_then_equality_is_exact(void **state)
{
	struct value_heap h = { 0 };
	struct value      large = value_int(&h, (INT64_C(1) << 53) + 1);

	(void)state;
	assert_true(value_is_equal(value_int(&h, 1), value_float(1)));
	assert_true(value_is_equal(value_bool(true), value_float(1)));
	assert_true(value_is_equal(value_float(0), value_float(-0.0)));
	assert_false(value_is_equal(large, value_float(0x1p53)));
	assert_int_equal(value_order_numbers(large, value_float(0x1p53)), 1);
	assert_int_equal(value_order_numbers(value_float(1e300), large), 1);
	assert_int_equal(value_order_numbers(value_float(-0.5), value_int(&h, 0)), -1);
	assert_false(value_is_equal(VALUE_NULL, value_bool(false)));
	value_release(&h, large);
}

static bool is_same_json(struct value_heap *h, const char *a, const char *b)
{
	json_t *ja = json_loads(a, JSON_DECODE_ANY, NULL),
	       *jb = json_loads(b, JSON_DECODE_ANY, NULL);
	struct value va = load_value(h, ja), vb = load_value(h, jb);
	bool         is_same = value_is_same(va, vb);

	json_decref(ja);
	json_decref(jb);
	value_release(h, va);
	value_release(h, vb);
	return is_same;
}

static void given_json_then_the_same_is_the_same_and_equal_numbers_are_not(void **state)
{
	struct value_heap h = { 0 };

	(void)state;
	assert_true(
		is_same_json(&h, "{\"a\": [1, {}], \"b\": null}", "{\"b\": null, \"a\": [1, {}]}"));
	assert_true(is_same_json(&h, "9223372036854775807", "9223372036854775807"));
	assert_false(is_same_json(&h, "1", "1.0"));
	assert_false(is_same_json(&h, "[1]", "[true]"));
	assert_false(is_same_json(&h, "{\"a\": {\"b\": 0}}", "{\"a\": {\"b\": false}}"));
	assert_false(is_same_json(&h, "{\"a\": null}", "{\"b\": null}"));
	assert_false(is_same_json(&h, "[1]", "[1, 1]"));
	assert_false(is_same_json(&h, "{}", "[]"));
	assert_false(is_same_json(&h, "\"a\"", "\"b\""));
}

static void given_trees_then_equality_looks_inside_and_keys_may_have_another_order(void **state)
{
	struct value_heap h = { 0 };
	struct value      a = value_dict_new(&h, 0), b = value_dict_new(&h, 0);

	(void)state;
	a = value_dict_put(&h, a, text(&h, "x"), value_int(&h, 1));
	a = value_dict_put(&h, a, text(&h, "y"), nested(&h, 3));
	b = value_dict_put(&h, b, text(&h, "y"), nested(&h, 3));
	b = value_dict_put(&h, b, text(&h, "x"), value_float(1));
	assert_true(value_is_equal(a, b));

	b = value_dict_put(&h, b, text(&h, "y"), nested(&h, 4));

	assert_false(value_is_equal(a, b));
	value_release(&h, a);
	value_release(&h, b);
	assert_int_equal(h.bytes, 0);
}

static void given_more_depth_than_allowed_when_written_then_that_is_a_limit(void **state)
{
	struct value_heap h = { 0 };
	struct value good = nested(&h, VALUE_DEPTH_MAX), deep = nested(&h, VALUE_DEPTH_MAX + 1);
	struct buf   b = { .cap = 0 };

	(void)state;
	value_write_json(&b, good);
	assert_int_equal(b.failed, GD_OK);
	value_write_json(&b, deep);
	assert_int_equal(b.failed, GD_LIMIT);
	buf_close(&b);
	value_release(&h, good);
	value_release(&h, deep);
}

static void given_floats_then_the_shortest_digits_are_written_as_in_python(void **state)
{
	static const struct {
		double      number;
		const char *text;
	} cases[] = {
		{ 0.0, "0.0" },
		{ -0.0, "-0.0" },
		{ 1.0, "1.0" },
		{ 0.1, "0.1" },
		{ 0.1 + 0.2, "0.30000000000000004" },
		{ 1e15, "1000000000000000.0" },
		{ 1e16, "1e+16" },
		{ 123456.789, "123456.789" },
		{ 0.0001, "0.0001" },
		{ 0.00001, "1e-05" },
		{ 1.5e-7, "1.5e-07" },
		{ 5e-324, "5e-324" },
		{ 1e100, "1e+100" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
		{ 9007199254740993.0, "9007199254740992.0" },
		{ 2.2250738585072014e-308, "2.2250738585072014e-308" },
		{ 3.14159, "3.14159" },
		{ -2.5, "-2.5" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect_json(value_float(cases[i].number), cases[i].text);
}

static void given_text_inside_text_then_only_other_values_become_json(void **state)
{
	struct value_heap h = { 0 };
	struct value      v = text(&h, "a\"b\n");
	struct buf        b = { .cap = 0 };

	(void)state;
	expect_json(v, "\"a\\\"b\\n\"");
	value_write_text(&b, v);
	value_write_text(&b, VALUE_NULL);
	assert_int_equal(b.bytes, 8);
	assert_memory_equal(b.at, "a\"b\nnull", 8);
	buf_close(&b);
	value_release(&h, v);
}

static void given_no_memory_at_any_point_then_the_heap_says_so_and_nothing_leaks(void **state)
{
	struct value_heap h = { 0 };
	bool              has_failed = true;

	(void)state;
	if (!fault_is_possible())
		skip();
	for (size_t i = 0; has_failed; i++) {
		struct value v;

		h.failed = false;
		fault_arm(i);
		v = value_list_append(&h, value_list_new(&h, 0), numbered(&h, 100));
		v = value_list_append(&h, v, value_int(&h, INT64_MAX));
		has_failed = fault_disarm();
		assert_int_equal(h.failed, has_failed);
		value_release(&h, v);
		assert_int_equal(h.bytes, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_ints_of_every_size_then_they_come_back),
		cmocka_unit_test(given_a_text_then_bytes_and_characters_are_counted),
		cmocka_unit_test(given_a_growing_list_when_released_then_nothing_is_held),
		cmocka_unit_test(
			given_a_million_lists_inside_each_other_when_released_then_the_stack_stays_small),
		cmocka_unit_test(given_a_dict_then_keys_keep_their_order_and_are_replaced_in_place),
		cmocka_unit_test(given_a_large_dict_then_every_key_is_found),
		cmocka_unit_test(given_an_immortal_tree_then_counting_leaves_it_alone),
		cmocka_unit_test(given_numbers_of_several_types_then_equality_is_exact),
		cmocka_unit_test(given_json_then_the_same_is_the_same_and_equal_numbers_are_not),
		cmocka_unit_test(
			given_trees_then_equality_looks_inside_and_keys_may_have_another_order),
		cmocka_unit_test(given_more_depth_than_allowed_when_written_then_that_is_a_limit),
		cmocka_unit_test(given_floats_then_the_shortest_digits_are_written_as_in_python),
		cmocka_unit_test(given_text_inside_text_then_only_other_values_become_json),
		cmocka_unit_test(
			given_no_memory_at_any_point_then_the_heap_says_so_and_nothing_leaks),
	};

	return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
