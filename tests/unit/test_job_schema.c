/* The schema of jobs as a text, and the words that go into it. What it lets through is a matter of
 * tests/e2e/test_job_schema.py. */
#include "daemon/load/brief.h"
#include "daemon/load/job_schema.h"
#include "daemon/load/json_layout.h"
#include "daemon/load/names.h"
#include "daemon/load/slot_schema.h"
#include "tests/lib/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BRIEF_CHARS 90

static json_t *parse(const char *text, size_t bytes)
{
	json_t *json = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(json);
	return json;
}

static json_t *schema(void)
{
	struct buf b = { 0 };
	json_t    *json;

	assert_int_equal(job_schema_write(&b, NULL), GD_OK);
	json = parse(b.at, b.bytes);
	buf_close(&b);
	return json;
}

static const json_t *part(const json_t *root, const char *name)
{
	const json_t *found = json_object_get(json_object_get(root, "$defs"), name);

	if (found == NULL)
		fail_msg("no part \"%s\"", name);
	return found;
}

/* --- words --- */

static void expect_brief(const char *what, const char *brief)
{
	if (brief == NULL || strlen(brief) > BRIEF_CHARS || strchr(brief, '\n') != NULL ||
	    brief[strlen(brief) - 1] != '.')
		fail_msg("brief of %s: \"%s\"", what, brief == NULL ? "none" : brief);
}

static void given_the_table_of_operations_then_each_word_of_it_has_a_brief(void **state)
{
	static const enum slot_kind WITH_MEMBERS[] = { SLOT_ERROR, SLOT_REQUEST, SLOT_RETRY };
	uint32_t                    count;

	(void)state;
	for (uint32_t id = 0; id < ID_COUNT; id++) {
		const struct op_brief *brief = brief_of_op(id);

		assert_non_null(brief->name);
		assert_non_null(op_find(brief->name));
		assert_int_equal(op_find(brief->name)->id, id);
		expect_brief(brief->name, brief->text);
	}
	for (uint32_t key = 0; key < KEY_COUNT; key++)
		expect_brief(key_info_of(key)->name, brief_of_key(key));
	for (size_t i = 0; i < sizeof WITH_MEMBERS / sizeof WITH_MEMBERS[0]; i++) {
		const struct member_info *members = slot_members(WITH_MEMBERS[i], &count);

		assert_int_not_equal(count, 0);
		for (uint32_t k = 0; k < count; k++)
			expect_brief(members[k].name, brief_of_member(WITH_MEMBERS[i], k));
	}
}

static void given_the_kinds_of_slots_then_each_has_a_part_of_its_own_or_shares_one(void **state)
{
	json_t *root = schema();

	(void)state;
	for (uint32_t kind = 0; kind <= SLOT_VALUE; kind++) {
		const struct slot_schema *slot = slot_schema_of(kind);

		assert_int_equal(slot->name == NULL, kind == SLOT_CHOICE);
		if (slot->name != NULL && slot->text == NULL)
			(void)part(root, slot->name);
		for (uint32_t k = 0; k < kind && slot->text != NULL; k++)
			if (slot_schema_of(k)->text != NULL)
				assert_string_not_equal(slot->name, slot_schema_of(k)->name);
	}
	json_decref(root);
}

static void given_the_words_that_are_no_names_then_the_loader_knows_each(void **state)
{
	json_t       *root = schema();
	const json_t *name = part(root, "name");
	const json_t *words = json_object_get(json_object_get(name, "not"), "enum");
	const json_t *word;
	size_t        i;

	(void)state;
	assert_int_not_equal(json_array_size(words), 0);
	json_array_foreach (words, i, word)
		assert_false(name_is_valid(json_string_value(word)));
	json_decref(root);
}

/* --- what is in it --- */

static void given_the_operations_then_the_schema_has_each_of_them(void **state)
{
	json_t       *root = schema();
	const json_t *known = json_object_get(part(root, "step"), "properties");

	(void)state;
	for (uint32_t id = 0; id < ID_COUNT; id++) {
		const struct op_info *op = op_find(brief_of_op(id)->name);

		if (json_object_get(known, op->name) == NULL)
			fail_msg("\"%s\" is not in the schema", op->name);
	}
	json_decref(root);
}

static void given_the_root_then_it_takes_the_header_and_what_a_node_takes_but_after(void **state)
{
	static const char *const HEADER[] = { "args", "def", "events", "gatherd", "loop", "title" };
	json_t                  *root = schema(), *item;
	const json_t            *known = json_object_get(part(root, "step"), "properties");
	const json_t            *job = json_object_get(part(root, "job"), "properties");
	const char              *key;
	size_t                   both = 0;

	(void)state;
	for (size_t i = 0; i < sizeof HEADER / sizeof HEADER[0]; i++) {
		assert_true(header_has_key(HEADER[i]));
		assert_non_null(json_object_get(job, HEADER[i]));
		both += json_object_get(known, HEADER[i]) != NULL;
	}
	json_object_foreach ((json_t *)(uintptr_t)known, key, item)
		assert_int_equal(json_object_get(job, key) != NULL, strcmp(key, "after") != 0);
	assert_int_equal(json_object_size(job) - 6, json_object_size(known) - both - 1);
	json_decref(root);
}

/* --- how it is written --- */

static void expect_layout(const char *text, const char *expected)
{
	json_t    *json = parse(text, strlen(text));
	struct buf b = { 0 };

	json_layout(&b, json);
	buf_add_byte(&b, '\0');
	assert_string_equal(b.at, expected);
	buf_close(&b);
	json_decref(json);
}

static void given_json_when_laid_out_then_only_what_is_too_long_is_broken(void **state)
{
	(void)state;
	expect_layout("{\"b\":[1,{\"c\":null}],\"a\":\"\\\"\"}",
	              "{\"b\": [1, {\"c\": null}], \"a\": \"\\\"\"}\n");
	expect_layout(
		"{\"first\":[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",[],"
		"\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"],\"x\\ty\":{}}",
		"{\n"
		"  \"first\": [\n"
		"    \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\n"
		"    [],\n"
		"    \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"\n"
		"  ],\n"
		"  \"x\\ty\": {}\n"
		"}\n");
}

static void given_no_memory_at_any_point_then_writing_the_schema_ends(void **state)
{
	bool       has_failed = true;
	struct buf whole = { 0 };

	(void)state;
	if (!fault_is_possible())
		skip();
	assert_int_equal(job_schema_write(&whole, NULL), GD_OK);
	for (size_t i = 0; has_failed; i += 1 + i / 16) {
		struct buf  b = { 0 };
		enum gd_err rc;

		fault_arm(i);
		rc = job_schema_write(&b, NULL);
		has_failed = fault_disarm();
		/* Where jansson's scanner gets no memory it drops bytes without a word: then this
		 * need only end well. The program itself ends there, see json_memory_guard(). */
		assert_true(rc == GD_NOMEM || rc == GD_OK || rc == GD_INVALID_SPEC);
		if (!has_failed) {
			assert_int_equal(b.bytes, whole.bytes);
			assert_memory_equal(b.at, whole.at, whole.bytes);
		}
		buf_close(&b);
	}
	buf_close(&whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_the_table_of_operations_then_each_word_of_it_has_a_brief),
		cmocka_unit_test(
			given_the_kinds_of_slots_then_each_has_a_part_of_its_own_or_shares_one),
		cmocka_unit_test(given_the_words_that_are_no_names_then_the_loader_knows_each),
		cmocka_unit_test(given_the_operations_then_the_schema_has_each_of_them),
		cmocka_unit_test(
			given_the_root_then_it_takes_the_header_and_what_a_node_takes_but_after),
		cmocka_unit_test(given_json_when_laid_out_then_only_what_is_too_long_is_broken),
		cmocka_unit_test(given_no_memory_at_any_point_then_writing_the_schema_ends),
	};

	return cmocka_run_group_tests_name("job_schema", tests, NULL, NULL);
}
