/* proto/base/err: one table of errors, and how one explains itself. */
#include "proto/base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void given_the_table_when_read_then_the_wire_codes_are_those_of_the_protocol(void **state)
{
	static const struct {
		enum gd_err code;
		int         rpc;
		const char *name;
	} rows[] = {
		{ GD_PARSE, -32700, "ParseError" },
		{ GD_INVALID_REQUEST, -32600, "InvalidRequest" },
		{ GD_NO_METHOD, -32601, "MethodNotFound" },
		{ GD_INVALID_PARAMS, -32602, "InvalidParams" },
		{ GD_INTERNAL, -32603, "Internal" },
		{ GD_UNAUTHORIZED, -32000, "Unauthorized" },
		{ GD_FORBIDDEN, -32001, "Forbidden" },
		{ GD_NOT_FOUND, -32002, "NotFound" },
		{ GD_CONFLICT, -32003, "Conflict" },
		{ GD_INVALID_SPEC, -32004, "InvalidSpec" },
		{ GD_LIMIT, -32005, "LimitExceeded" },
		{ GD_CURSOR_EXPIRED, -32006, "CursorExpired" },
		{ GD_UNAVAILABLE, -32007, "Unavailable" },
		{ GD_DURABILITY_UNKNOWN, -32008, "DurabilityUnknown" },
		{ GD_UNSUPPORTED_PROTOCOL, -32011, "UnsupportedProtocol" },
		{ GD_REQUEST_CANCELLED, -32800, "RequestCancelled" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(gd_err_rpc_code(rows[i].code), rows[i].rpc);
		assert_string_equal(gd_err_name(rows[i].code), rows[i].name);
	}
}

static void given_the_table_when_read_then_names_are_there_once(void **state)
{
	(void)state;
	for (int i = 0; i < GD_ERR_COUNT; i++) {
		for (int k = 0; k < i; k++)
			assert_string_not_equal(gd_err_name((enum gd_err)i),
			                        gd_err_name((enum gd_err)k));
	}
}

static void given_a_failure_when_explained_then_code_and_words_are_kept(void **state)
{
	struct gd_error why = { .sys = 7 };

	(void)state;
	assert_int_equal(gd_fail(&why, GD_LIMIT, "%d of %d", 5, 4), GD_LIMIT);
	assert_int_equal(why.code, GD_LIMIT);
	assert_int_equal(why.sys, 0);
	assert_string_equal(why.text, "5 of 4");
}

static void given_a_system_failure_when_explained_then_errno_and_its_words_are_kept(void **state)
{
	struct gd_error why = { 0 };

	(void)state;
	assert_int_equal(gd_fail_sys(&why, ENOENT, "open %s", "x"), GD_SYS);
	assert_int_equal(why.code, GD_SYS);
	assert_int_equal(why.sys, ENOENT);
	assert_string_equal(why.text, "open x: No such file or directory");
}

static void given_nobody_to_tell_when_failing_then_the_code_still_comes_back(void **state)
{
	(void)state;
	assert_int_equal(gd_fail(NULL, GD_NOMEM, "%s", "unheard"), GD_NOMEM);
	assert_int_equal(gd_fail_sys(NULL, EIO, "%s", "unheard"), GD_SYS);
}

static void given_long_words_when_explained_then_they_are_cut(void **state)
{
	struct gd_error why = { 0 };

	(void)state;
	(void)gd_fail_sys(&why, EIO, "%01000d", 1);
	assert_int_equal(strlen(why.text), sizeof why.text - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_the_table_when_read_then_the_wire_codes_are_those_of_the_protocol),
		cmocka_unit_test(given_the_table_when_read_then_names_are_there_once),
		cmocka_unit_test(given_a_failure_when_explained_then_code_and_words_are_kept),
		cmocka_unit_test(
			given_a_system_failure_when_explained_then_errno_and_its_words_are_kept),
		cmocka_unit_test(given_nobody_to_tell_when_failing_then_the_code_still_comes_back),
		cmocka_unit_test(given_long_words_when_explained_then_they_are_cut),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
