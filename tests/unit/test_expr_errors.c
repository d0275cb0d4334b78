/*
 * What expressions refuse: types and messages close to CPython's, handles, fuel and size.
 */
#include "tests/lib/expr_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* It uses the headers above and includes none. */
#include <cmocka.h>

/* clang-format off */
static const struct example RAISING[] = {
	{ "1 / e['x']", "KeyError: 'x'" },
	{ "d.zz", "KeyError: 'zz'" },
	{ "d[1]", "KeyError: 1" },
	{ "d[l]", "TypeError: unhashable type: 'list'" },
	{ "n.x", "TypeError: 'int' object has no member 'x'" },
	{ "nil.x", "TypeError: 'null' object has no member 'x'" },
	{ "nil[0]", "TypeError: 'null' object is not subscriptable" },
	{ "l[3]", "IndexError: list index out of range: 3, of 3" },
	{ "l[-4]", "IndexError: list index out of range: -4, of 3" },
	{ "t[5]", "IndexError: string index out of range: 5, of 5" },
	{ "l['a']", "TypeError: list indices must be integers or slices, not str" },
	{ "l[1.0]", "TypeError: list indices must be integers or slices, not float" },
	{ "u['a']", "TypeError: string indices must be integers, not 'str'" },
	{ "l[::0 * n]", "ValueError: slice step cannot be zero" },
	{ "l[u:]", "TypeError: slice indices must be integers or null, not str" },
	{ "d[1:]", "TypeError: unhashable type: 'slice'" },
	{ "n / 0", "ZeroDivisionError: division by zero" },
	{ "n // 0", "ZeroDivisionError: division by zero" },
	{ "f % 0.0", "ZeroDivisionError: division by zero" },
	{ "n + u", "TypeError: unsupported operand type(s) for +: 'int' and 'str'" },
	{ "u + n", "TypeError: can only concatenate str (not \"int\") to str" },
	{ "l + n", "TypeError: can only concatenate list (not \"int\") to list" },
	{ "u * f", "TypeError: can't multiply sequence by non-int of type 'float'" },
	{ "u % n", "TypeError: unsupported operand type(s) for %: 'str' and 'int'" },
	{ "nil - 1", "TypeError: unsupported operand type(s) for -: 'null' and 'int'" },
	{ "-u", "TypeError: bad operand type for unary -: 'str'" },
	{ "n < u", "TypeError: '<' not supported between instances of 'int' and 'str'" },
	{ "d >= d", "TypeError: '>=' not supported between instances of 'dict' and 'dict'" },
	{ "n in n", "TypeError: argument of type 'int' is not iterable" },
	{ "n in u", "TypeError: 'in <string>' requires string as left operand, not int" },
	{ "l in d", "TypeError: unhashable type: 'list'" },
	{ "[x for x in n]", "TypeError: 'int' object is not iterable" },
	{ "[n / x for x in [1, 0]]", "ZeroDivisionError: division by zero" },
	{ "big + big",
	  "OverflowError: 4611686018427387904 + 4611686018427387904 is more than a 64-bit "
	  "integer" },
	{ "-big - big - 1",
	  "OverflowError: -9223372036854775808 - 1 is more than a 64-bit integer" },
	{ "big * 4", "OverflowError: 4611686018427387904 * 4 is more than a 64-bit integer" },
	{ "(-big - big) // -1",
	  "OverflowError: -9223372036854775808 // -1 is more than a 64-bit integer" },
	{ "abs(-big - big)",
	  "OverflowError: 0 - -9223372036854775808 is more than a 64-bit integer" },
	{ "f * 1e308", "OverflowError: the result is too large for a float" },
	{ "int(f * 1e300)", "OverflowError: 2.5e+300 is more than a 64-bit integer" },
	{ "int(u)", "ValueError: invalid literal for int() with base 10: 'abc'" },
	{ "int(str(big) + '0')",
	  "OverflowError: '46116860184273879040' is more than a 64-bit integer" },
	{ "int(nil)", "TypeError: int() argument must be a string or a number, not 'null'" },
	{ "float(split('nan', ',')[n - 7])",
	  "ValueError: could not convert string to float: 'nan'" },
	{ "float(u[0:0] + 'inf')", "ValueError: could not convert string to float: 'inf'" },
	{ "float(u[0:0] + '1e999')", "OverflowError: '1e999' is too large for a float" },
	{ "float(u[0:0] + '0x10')", "ValueError: could not convert string to float: '0x10'" },
	{ "len(n)", "TypeError: object of type 'int' has no len()" },
	{ "min(e)", "ValueError: min() arg is an empty sequence" },
	{ "max([n, u])", "TypeError: '>' not supported between instances of 'str' and 'int'" },
	{ "sorted([n, u])", "TypeError: '<' not supported between instances of 'str' and 'int'" },
	{ "sum(u)", "TypeError: unsupported operand type(s) for +: 'int' and 'str'" },
	{ "sum(l, '')", "TypeError: sum() can't sum strings; use join(\"\", items)" },
	{ "round(u)", "TypeError: type str doesn't define __round__ method" },
	{ "range(f)", "TypeError: 'float' object cannot be interpreted as an integer" },
	{ "range(0, n, 0)", "ValueError: range() arg 3 must not be zero" },
	{ "join(',', l)", "TypeError: sequence item 0: expected str instance, int found" },
	{ "split(u, '')", "ValueError: empty separator" },
	{ "upper(n)", "TypeError: upper() argument must be str, not 'int'" },
	{ "keys(l)", "TypeError: keys() argument must be an object, not 'list'" },
	{ "{n: 1}", "TypeError: a key of an object is text, not int" },
	{ "parse_json('[1,]' + u[0:0])", "ValueError: not JSON: expected a value at byte 3" },
	{ "parse_json(u)", "ValueError: not JSON: expected a value at byte 0" },
	{ "parse_json('1 2' + u[0:0])", "ValueError: not JSON: more text at byte 2" },
	{ "parse_json('\"\\\\u0000\"' + u[0:0])",
	  "ValueError: not JSON: a text that is not closed, or a character that is not "
	  "allowed at byte 7" },
	{ "parse_json('9223372036854775808' + u[0:0])",
	  "OverflowError: the number at byte 0 is too large" },
	{ "parse_json('[' * (n + 54) + ']')", "LimitError: JSON nested more than 60 deep" },
	{ "b64decode(u)", "ValueError: not base64: 'abc'" },
	{ "b64decode('/w==' + u[0:0])", "ValueError: what '/w==' decodes to is not UTF-8 text" },
	{ "b64decode('AA==' + u[0:0])", "ValueError: what 'AA==' decodes to is not UTF-8 text" },
	{ "b64decode('YR==' + u[0:0])", "ValueError: not base64: 'YR=='" },
	{ "format_time(big)", "ValueError: 4611686018427387904 is not in the years 1 to 9999" },
	{ "format_time(yes)", "TypeError: format_time() argument must be a number, not 'bool'" },
	{ "unset", "NameError: unset is not set yet" },
	{ "unset + 1", "NameError: unset is not set yet" },
	{ "default(unset, 1)", "NameError: unset is not set yet" },
	{ "default(n / 0, 1)", "ZeroDivisionError: division by zero" },
	{ "default(n.x, 1)", "TypeError: 'int' object has no member 'x'" },
};

static const struct example HANDLES[] = {
	{ "task + 1", "TypeError: a task handle cannot be an operand" },
	{ "1 * task", "TypeError: a task handle cannot be an operand" },
	{ "-task", "TypeError: a task handle cannot be an operand" },
	{ "task == task", "TypeError: a task handle cannot be compared" },
	{ "tasks == tasks", "TypeError: a task handle cannot be compared" },
	{ "task < 1", "TypeError: a task handle cannot be compared" },
	{ "task in tasks", "TypeError: a task handle cannot be compared" },
	{ "1 in tasks", "TypeError: a task handle cannot be compared" },
	{ "not task", "TypeError: a task handle cannot be true or false" },
	{ "task and 1", "TypeError: a task handle cannot be true or false" },
	{ "1 if task else 2", "TypeError: a task handle cannot be true or false" },
	{ "task.x", "TypeError: a task handle cannot have members" },
	{ "task[0]", "TypeError: a task handle cannot be indexed" },
	{ "l[task]", "TypeError: a task handle cannot be an index" },
	{ "str(task)", "TypeError: a task handle cannot become text" },
	{ "json(tasks)", "TypeError: a task handle cannot become JSON" },
	{ "min(tasks)", "TypeError: a task handle cannot be compared" },
	{ "sorted(tasks)", "TypeError: a task handle cannot be compared" },
	{ "sum(tasks)", "TypeError: a task handle cannot be an operand" },
	{ "join('', tasks)", "TypeError: a task handle cannot be text" },
	{ "type(task)", "TypeError: a task handle cannot have its type asked" },
	{ "len(task)", "TypeError: a task handle cannot have a length" },
	{ "upper(task)", "TypeError: a task handle cannot be text" },
	{ "{task: 1}", "TypeError: a key of an object is text, not task handle" },
	{ "[1 for x in task]", "TypeError: a task handle cannot be iterated" },
};
/* clang-format on */

static void given_a_fault_then_type_and_message_say_what_was_wrong(void **state)
{
	(void)state;
	EXPECT_ALL(RAISING);
}

static void given_a_handle_then_every_operator_and_function_refuses_it(void **state)
{
	(void)state;
	EXPECT_ALL(HANDLES);
}

static void given_too_much_work_then_fuel_ends(void **state)
{
	static const char over[] = "LimitError: the expression takes more than 100000 steps";

	(void)state;
	assert_string_equal(bench_eval("[x for x in range(n * 10000)]"), over);
	assert_string_equal(
		bench_eval("sum([len(sorted(range(n * 100))) for x in range(n * 100)])"), over);
	assert_string_equal(bench_eval("[len(u * 100000) for x in range(n * 10)]"), over);
	assert_string_equal(bench_eval("[(u * 100000 == u * 100000) for x in range(n * 10)]"),
	                    over);
	assert_string_equal(bench_eval("len(range(n * 1000))"), "7000");
}

static void given_a_large_result_then_it_is_refused_before_it_is_made(void **state)
{
	static const char over[] = "LimitError: the result is larger than 1048576 bytes";

	(void)state;
	assert_string_equal(bench_eval("u * 1000000"), over);
	assert_string_equal(bench_eval("u * big"), over);
	assert_string_equal(bench_eval("l * big"), over);
	assert_string_equal(bench_eval("range(n * 100000)"), over);
	assert_string_equal(bench_eval("replace('a' * 1000 * n, 'a', 'b' * 1000)"), over);
	assert_string_equal(bench_eval("join('x' * 1000 * n, ['' for x in range(1000)])"), over);
	assert_string_equal(bench_eval("[u * 200000, u * 200000]"), over);
	assert_string_equal(bench_eval("range(n * 1000000)"),
	                    "LimitError: range() of 7000000 numbers, more than 1048576");
	assert_string_equal(bench_eval("len(u * 100000)"), "300000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_fault_then_type_and_message_say_what_was_wrong),
		cmocka_unit_test(given_a_handle_then_every_operator_and_function_refuses_it),
		cmocka_unit_test(given_too_much_work_then_fuel_ends),
		cmocka_unit_test(given_a_large_result_then_it_is_refused_before_it_is_made),
	};

	return cmocka_run_group_tests_name("expr_errors", tests, NULL, NULL);
}
