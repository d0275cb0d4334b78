/*
 * Any text as the spec of a job. A spec that is refused has 1 to SPEC_PROBLEMS_MAX problems, in
 * good UTF-8, at places that are there; one that compiles runs, and runs the same from its journal.
 *
 * What follows the JSON is the script of the run, see job_run.h.
 */
#include "daemon/load/load.h"
#include "proto/base/check.h"
#include "tests/fuzz/expect.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/job_run.h"
#include "tests/fuzz/mutate_json.h"

#include <stdlib.h>
#include <string.h>

const uint32_t fuzz_rounds = 8000;

/* --- problems --- */

/* One step of a JSON Pointer, unescaped into `out`, which has room; where the next one begins. */
static const char *next_token(const char *at, char *out)
{
	for (; *at != '\0' && *at != '/'; at++) {
		if (*at == '~') {
			at++;
			CHECK(*at == '0' || *at == '1');
			*out++ = *at == '0' ? '~' : '/';
		} else {
			*out++ = *at;
		}
	}
	*out = '\0';
	return at;
}

static const json_t *element(const json_t *list, const char *token)
{
	char  *end;
	size_t index = strtoul(token, &end, 10);

	CHECK(*token >= '0' && *token <= '9' && *end == '\0');
	CHECK(token[0] != '0' || token[1] == '\0');
	return json_array_get(list, index);
}

/* Source: RFC 6901. */
static void expect_place(const json_t *root, const char *pointer)
{
	const json_t *json = root;
	const char   *at = pointer;
	char         *token = malloc(strlen(pointer) + 1);

	CHECK(token != NULL);
	while (*at != '\0') {
		CHECK(*at == '/');
		at = next_token(at + 1, token);
		json = json_is_array(json) ? element(json, token) : json_object_get(json, token);
		CHECK(json != NULL);
	}
	free(token);
}

static void expect_problems(const json_t *root, const struct load_problems *problems)
{
	struct buf text = { 0 };
	json_t    *list;

	CHECK(problems->count >= 1 && problems->count <= SPEC_PROBLEMS_MAX);
	CHECK(!problems->is_cut || problems->count == SPEC_PROBLEMS_MAX);
	load_problems_write_json(&text, problems);
	CHECK(text.failed == GD_OK);
	list = expect_json(text.at, text.bytes);
	CHECK(json_array_size(list) == problems->count);
	for (uint32_t i = 0; i < problems->count; i++) {
		CHECK(problems->at[i].message[0] != '\0');
		CHECK(problems->at[i].hint == NULL || problems->at[i].hint[0] != '\0');
		expect_place(root, problems->at[i].pointer);
	}
	json_decref(list);
	buf_close(&text);
}

/* --- arguments --- */

static enum gd_err give_args(const struct program *p, const json_t *args,
                             struct load_problems *problems)
{
	struct value_heap heap = { 0 };
	struct value     *values = calloc(p->job_arg_count + 1, sizeof *values);
	enum gd_err       rc;

	CHECK(values != NULL);
	rc = load_args(&heap, p, args, values, problems, NULL);
	for (uint32_t i = 0; rc == GD_OK && i < p->job_arg_count; i++)
		value_release(&heap, values[i]);
	CHECK(heap.bytes == 0);
	free(values);
	return rc;
}

/* The names that the header declares are taken; anything else is a problem or an object of them. */
static void expect_args(const struct program *p, const json_t *spec)
{
	const json_t        *declared = json_object_get(spec, "args");
	struct load_problems problems;

	if (declared != NULL && p->job_arg_count != 0) {
		CHECK(give_args(p, declared, &problems) == GD_OK);
		load_problems_close(&problems);
	}
	if (give_args(p, spec, &problems) != GD_OK)
		expect_problems(spec, &problems);
	load_problems_close(&problems);
}

/* --- one spec --- */

static void expect_pointers(const struct program *p)
{
	struct buf b = { 0 };

	for (uint32_t i = 0; i < p->node_count; i++) {
		buf_clear(&b);
		program_write_pointer(&b, p, i);
		CHECK(b.failed == GD_OK);
		expect_utf8(b.at, b.bytes);
	}
	buf_close(&b);
}

static void take_spec(const json_t *spec, const uint8_t *script, size_t count)
{
	struct load_problems problems;
	struct program      *p = NULL;
	struct gd_error      why = { .code = GD_OK };
	enum gd_err          rc = load_program(spec, &p, &problems, &why);

	if (rc == GD_OK) {
		CHECK(problems.count == 0);
		expect_pointers(p);
		expect_args(p, spec);
		job_run_twice(p, script, count);
		program_release(p);
	} else {
		CHECK(rc == GD_INVALID_SPEC && why.code == rc);
		expect_problems(spec, &problems);
	}
	load_problems_close(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t  used = 0;
	json_t *spec = mutate_json_read(data, size, &used);

	if (spec != NULL)
		take_spec(spec, data + used, size - used);
	json_decref(spec);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	if (seed % 8 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	return mutate_json(data, size, max_size, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned seed)
{
	return mutate_json_graft(a, a_size, b, b_size, out, max_size, seed);
}
