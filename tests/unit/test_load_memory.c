/* Memory that ends anywhere while a spec is loaded. */
#include "tests/lib/fault.h"
#include "tests/lib/load_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Something of everything that is compiled. */
static const char GOOD[] =
	"{\"title\": \"t\", \"args\": {\"n\": 1}, \"def\": {\"f\": {\"params\": [\"a\"], \"do\":"
	" [{\"try\": {\"call\": \"f\", \"args\": [\"${a}\"]}, \"except\": {\"E\": {\"raise\": null},"
	" \"*\": []}, \"finally\": {\"sleep\": 1}}]}, \"g\": {\"do\": [{\"yield\": 1}]}}, \"do\": ["
	"{\"set\": {\"x\": 1, \"y\": [2]}},"
	"{\"gather\": {\"a\": {\"value\": \"${x}\", \"name\": \"l\"}, \"b\": {\"value\": \"${a + y}\","
	" \"after\": [\"a\"]}}, \"as\": \"r\"},"
	"{\"async_for\": {\"call\": \"g\"}, \"as\": \"i\", \"do\": {\"value\": \"${i}\"}},"
	"{\"sleep\": \"${x}\", \"timeout\": 3, \"retry\": {\"attempts\": 2, \"on\": [\"E\"],"
	" \"timeout\": 1}, \"as\": \"s\", \"undo\": {\"value\": [\"${s}\", \"${attempt}\"]}},"
	"{\"match\": \"${x}\", \"case\": {\"1\": {\"race\": [[]]}, \"_\": {\"shield\": []}}},"
	"{\"create_task\": {\"task_group\": {\"value\": \"${k}\"}, \"for\": \"k\", \"in\": \"${y}\"},"
	" \"as\": \"t\"}, {\"wait\": [\"${t}\"]},"
	"{\"do\": {\"await\": \"${t}\"}, \"while\": \"${x > 1}\", \"if\": \"${n}\", \"else\": []}]}";

static const char BAD[] =
	"[{\"slep\": 1}, {\"sleep\": 1, \"timeut\": 2}, {\"value\": \"${nobody}\"},"
	" {\"gather\": {\"a\": {\"sleep\": 1, \"after\": [\"b\"]}, \"b\": {\"sleep\": 1, \"after\":"
	" [\"a\", \"c\"]}}}, {\"exec\": [\"a\"], \"on_interrupt\": \"no\"}]";

static void expect_memory_errors(const char *text, enum gd_err expected)
{
	json_t     *spec = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	bool        has_failed = true;
	enum gd_err rc;

	assert_non_null(spec);
	for (size_t i = 0; has_failed; i++) {
		struct load_problems problems;
		struct program      *program = NULL;

		fault_arm(i);
		rc = load_program(spec, &program, &problems, NULL);
		has_failed = fault_disarm();
		/* An array that could not shrink stays as large as it was. */
		if (rc == GD_OK)
			program_release(program);
		if (!has_failed || rc != GD_NOMEM)
			assert_int_equal(rc, expected);
		load_problems_close(&problems);
	}
	json_decref(spec);
}

static void given_no_memory_at_any_point_then_loading_says_so(void **state)
{
	(void)state;
	if (!fault_is_possible())
		skip();
	expect_memory_errors(GOOD, GD_OK);
}

static void given_no_memory_for_problems_then_refusing_says_so(void **state)
{
	(void)state;
	if (!fault_is_possible())
		skip();
	expect_memory_errors(BAD, GD_INVALID_SPEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_no_memory_at_any_point_then_loading_says_so),
		cmocka_unit_test(given_no_memory_for_problems_then_refusing_says_so),
	};

	return cmocka_run_group_tests_name("load_memory", tests, NULL, NULL);
}
