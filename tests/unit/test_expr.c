/*
 * What expressions mean. The expected texts are what CPython 3.11 computes for the same source, as
 * compact JSON; where a function is none of Python's, what its Python counterpart gives.
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
static const struct example LITERALS[] = {
	{ "1", "1" },
	{ "0x1F", "31" },
	{ "0b101", "5" },
	{ "0o17", "15" },
	{ "1_000_000", "1000000" },
	{ "1.5", "1.5" },
	{ ".5", "0.5" },
	{ "5.", "5.0" },
	{ "1e3", "1000.0" },
	{ "1E-2", "0.01" },
	{ "'a'", "\"a\"" },
	{ "\"it's\"", "\"it's\"" },
	{ "'say \"x\"'", "\"say \\\"x\\\"\"" },
	{ "'a\\tb\\n'", "\"a\\tb\\n\"" },
	{ "'\\x41\\u00e9\\U0001F600'", "\"Aé😀\"" },
	{ "'\\101'", "\"A\"" },
	{ "'\\q'", "\"\\\\q\"" },
	{ "'ab' \"cd\"", "\"abcd\"" },
	{ "True", "true" },
	{ "False", "false" },
	{ "None", "null" },
	{ "[]", "[]" },
	{ "[1, 2,]", "[1,2]" },
	{ "{}", "{}" },
	{ "{'a': 1, \"b\": [2]}", "{\"a\":1,\"b\":[2]}" },
	{ "{'a': 1, 'b': 2, 'a': 3}", "{\"a\":3,\"b\":2}" },
	{ "(1)", "1" },
	{ "-9223372036854775808", "-9223372036854775808" },
};

static const struct example ARITHMETIC[] = {
	{ "1 + 2 * 3", "7" },
	{ "(1 + 2) * 3", "9" },
	{ "7 // 2", "3" },
	{ "-7 // 2", "-4" },
	{ "7 // -2", "-4" },
	{ "-7 % 3", "2" },
	{ "7 % -3", "-2" },
	{ "-7.5 // 2", "-4.0" },
	{ "-7.5 % 2", "0.5" },
	{ "5.5 % -2.0", "-0.5" },
	{ "1 / 2", "0.5" },
	{ "4 / 2", "2.0" },
	{ "9007199254740993 / 3", "3002399751580331.0" },
	{ "9223372036854775807 / 3", "3.0744573456182584e+18" },
	{ "2 - 3 - 4", "-5" },
	{ "2 * 3 % 4", "2" },
	{ "--3", "3" },
	{ "-n", "-7" },
	{ "+yes", "1" },
	{ "yes + yes", "2" },
	{ "0.1 + 0.2", "0.30000000000000004" },
	{ "1e16 + 1.0", "1e+16" },
	{ "1e15", "1000000000000000.0" },
	{ "1e22", "1e+22" },
	{ "123456789.0 * 10.0", "1234567890.0" },
	{ "1 / 3", "0.3333333333333333" },
	{ "5e-324", "5e-324" },
	{ "1.7976931348623157e308", "1.7976931348623157e+308" },
	{ "-0.0", "-0.0" },
	{ "n * 7919 % 5000 / 1000", "0.433" },
	{ "'ab' * 3", "\"ababab\"" },
	{ "3 * 'ab'", "\"ababab\"" },
	{ "'ab' * -1", "\"\"" },
	{ "[1] * 3", "[1,1,1]" },
	{ "[1] + [2, 3]", "[1,2,3]" },
	{ "'a' + t", "\"ahéllo\"" },
	{ "big + (big - 1)", "9223372036854775807" },
	{ "0.0001", "0.0001" },
	{ "0.00001", "1e-05" },
	{ "140737488355327 + 1", "140737488355328" },
	{ "-140737488355328 - 1", "-140737488355329" },
	{ "3037000500 * 3037000499", "9223372033963249500" },
	{ "1.0 // 0.1", "9.0" },
	{ "7.0 % 0.1", "0.09999999999999962" },
};

static const struct example COMPARISONS[] = {
	{ "1 < 2", "true" },
	{ "1 < n < 10", "true" },
	{ "1 < n < 3", "false" },
	{ "3 > 2 > 1 == 1", "true" },
	{ "1 == 1.0", "true" },
	{ "1 == True", "true" },
	{ "9007199254740993 == 9007199254740992.0", "false" },
	{ "9007199254740993 > 9007199254740992.0", "true" },
	{ "'a' < 'b'", "true" },
	{ "'Z' < 'a'", "true" },
	{ "'é' > 'z'", "true" },
	{ "'ab' < 'abc'", "true" },
	{ "[1, 2] < [1, 3]", "true" },
	{ "[1] < [1, 0]", "true" },
	{ "[1, 'a'] == [1.0, 'a']", "true" },
	{ "{'a': 1, 'b': 2} == {'b': 2.0, 'a': True}", "true" },
	{ "None == False", "false" },
	{ "'b' in u", "true" },
	{ "'bc' in 'abc'", "true" },
	{ "'' in ''", "true" },
	{ "2 in l", "true" },
	{ "5 in l", "false" },
	{ "5 not in l", "true" },
	{ "'a' in d", "true" },
	{ "1 in d", "false" },
	{ "not 1 == 2", "true" },
	{ "1 != 1.5", "true" },
	{ "[] == {}", "false" },
};

static const struct example LOGIC[] = {
	{ "0 or 'x'", "\"x\"" },
	{ "1 or 1", "1" },
	{ "'' and 1", "\"\"" },
	{ "1 and []", "[]" },
	{ "nil or e or l", "[3,1,2]" },
	{ "not nil", "true" },
	{ "not [0]", "false" },
	{ "1 if yes else 2", "1" },
	{ "1 if nil else 2 if e else 3", "3" },
	{ "0 and nil.x", "0" },
	{ "True or nil.x", "true" },
	{ "not not n", "true" },
};

static const struct example ACCESS[] = {
	{ "l[0]", "3" },
	{ "l[-1]", "2" },
	{ "d['a']", "1" },
	{ "d['b'][1]", "2" },
	{ "t[1]", "\"é\"" },
	{ "t[-1]", "\"o\"" },
	{ "t[1:3]", "\"él\"" },
	{ "t[::-1]", "\"olléh\"" },
	{ "u[::2]", "\"ac\"" },
	{ "u[10:]", "\"\"" },
	{ "u[-2:]", "\"bc\"" },
	{ "u[:-1]", "\"ab\"" },
	{ "l[1:]", "[1,2]" },
	{ "l[::-1]", "[2,1,3]" },
	{ "l[5:1:-2]", "[2]" },
	{ "l[None:2]", "[3,1]" },
	{ "l[-100:100]", "[3,1,2]" },
	{ "l[2:0:-1]", "[2,1]" },
	{ "l[::-2]", "[2,3]" },
	{ "t[4:1:-2]", "\"ol\"" },
	{ "[1, 2, 3][True]", "2" },
};

static const struct example COMPREHENSIONS[] = {
	{ "[x * x for x in l]", "[9,1,4]" },
	{ "[x for x in l if x > 1]", "[3,2]" },
	{ "[x['id'] for x in rows if x['ok']]", "[1,3]" },
	{ "[k for k in d]", "[\"a\",\"b\"]" },
	{ "[c for c in t]", "[\"h\",\"é\",\"l\",\"l\",\"o\"]" },
	{ "[x + n for x in [1, 2]]", "[8,9]" },
	{ "[[x, 0] for x in l]", "[[3,0],[1,0],[2,0]]" },
	{ "[x if x > 1 else -x for x in l]", "[3,-1,2]" },
	{ "[x for x in []]", "[]" },
	{ "[n for n in [1, 2]]", "[1,2]" },
	{ "sum([x for x in l]) + n", "13" },
	{ "[x for x in [y + 1 for y in l]]", "[4,2,3]" },
};

static const struct example FUNCTIONS[] = {
	{ "len(t)", "5" },
	{ "len(l)", "3" },
	{ "len(d)", "2" },
	{ "len('')", "0" },
	{ "str(1.0)", "\"1.0\"" },
	{ "str('é')", "\"é\"" },
	{ "str(None)", "\"null\"" },
	{ "str([1, 'a'])", "\"[1,\\\"a\\\"]\"" },
	{ "str(True)", "\"true\"" },
	{ "int(3.9)", "3" },
	{ "int(-3.9)", "-3" },
	{ "int(' 12 ')", "12" },
	{ "int('-1_0')", "-10" },
	{ "int(True)", "1" },
	{ "float('1.5')", "1.5" },
	{ "float(' -2e3 ')", "-2000.0" },
	{ "float(3)", "3.0" },
	{ "bool('')", "false" },
	{ "bool([0])", "true" },
	{ "min(l)", "1" },
	{ "max(l)", "3" },
	{ "min(3, 1.0, 1)", "1.0" },
	{ "max('b', 'a')", "\"b\"" },
	{ "min('hello')", "\"e\"" },
	{ "sum(l)", "6" },
	{ "sum([0.1, 0.2, 0.3])", "0.6000000000000001" },
	{ "sum([[1], [2]], [])", "[1,2]" },
	{ "sum([])", "0" },
	{ "abs(-3)", "3" },
	{ "abs(-2.5)", "2.5" },
	{ "abs(True)", "1" },
	{ "round(2.5)", "2" },
	{ "round(3.5)", "4" },
	{ "round(-2.5)", "-2" },
	{ "round(2.675, 2)", "2.67" },
	{ "round(1234, -2)", "1200" },
	{ "round(1250, -2)", "1200" },
	{ "round(1350, -2)", "1400" },
	{ "round(15.0, -1)", "20.0" },
	{ "round(5)", "5" },
	{ "round(1.5, 0)", "2.0" },
	{ "round(0.5)", "0" },
	{ "sorted(l)", "[1,2,3]" },
	{ "sorted('hello')", "[\"e\",\"h\",\"l\",\"l\",\"o\"]" },
	{ "sorted([2, 1.5, True])", "[true,1.5,2]" },
	{ "sorted(['b', 'a', 'B'])", "[\"B\",\"a\",\"b\"]" },
	{ "sorted([[2, 1], [1, 5], [1]])", "[[1],[1,5],[2,1]]" },
	{ "reversed(l)", "[2,1,3]" },
	{ "reversed('abc')", "[\"c\",\"b\",\"a\"]" },
	{ "keys(d)", "[\"a\",\"b\"]" },
	{ "values(d)", "[1,[1,2]]" },
	{ "items(d)", "[[\"a\",1],[\"b\",[1,2]]]" },
	{ "range(5)", "[0,1,2,3,4]" },
	{ "range(2, 5)", "[2,3,4]" },
	{ "range(5, 0, -2)", "[5,3,1]" },
	{ "range(0)", "[]" },
	{ "zip(l, u)", "[[3,\"a\"],[1,\"b\"],[2,\"c\"]]" },
	{ "zip()", "[]" },
	{ "zip([1, 2], [3], [4, 5])", "[[1,3,4]]" },
	{ "enumerate(u)", "[[0,\"a\"],[1,\"b\"],[2,\"c\"]]" },
	{ "enumerate(u, 1)", "[[1,\"a\"],[2,\"b\"],[3,\"c\"]]" },
	{ "any([0, 1])", "true" },
	{ "any([])", "false" },
	{ "all([1, 0])", "false" },
	{ "all([])", "true" },
	{ "any('a')", "true" },
};

static const struct example TEXT[] = {
	{ "join(', ', ['a', 'b'])", "\"a, b\"" },
	{ "join('-', u)", "\"a-b-c\"" },
	{ "join('', [])", "\"\"" },
	{ "split('a,b,,c', ',')", "[\"a\",\"b\",\"\",\"c\"]" },
	{ "split('  a b\\tc \\n', None)", "[\"a\",\"b\",\"c\"]" },
	{ "split('abc', 'abc')", "[\"\",\"\"]" },
	{ "strip('  x ')", "\"x\"" },
	{ "strip('xxaxx', 'x')", "\"a\"" },
	{ "strip('abcba', 'ab')", "\"c\"" },
	{ "strip('\\u00a0a\\u2003')", "\"a\"" },
	{ "lower('ÀB')", "\"àb\"" },
	{ "upper('straße')", "\"STRASSE\"" },
	{ "upper('éa')", "\"ÉA\"" },
	{ "lower('ABC')", "\"abc\"" },
	{ "replace('aaa', 'a', 'bb')", "\"bbbbbb\"" },
	{ "replace('abc', '', '-')", "\"-a-b-c-\"" },
	{ "replace('abc', 'x', 'y')", "\"abc\"" },
	{ "replace('ab', 'ab', '')", "\"\"" },
	{ "startswith(u, 'ab')", "true" },
	{ "endswith(u, 'bc')", "true" },
	{ "startswith(u, '')", "true" },
	{ "endswith(u, 'xabc')", "false" },
	{ "type(1)", "\"int\"" },
	{ "type(1.0)", "\"float\"" },
	{ "type(None)", "\"null\"" },
	{ "type(True)", "\"bool\"" },
	{ "type(u)", "\"str\"" },
	{ "type(l)", "\"list\"" },
	{ "type(d)", "\"dict\"" },
	{ "json({'a': [1, 2.5, None, 'x\"']})", "\"{\\\"a\\\":[1,2.5,null,\\\"x\\\\\\\"\\\"]}\"" },
	{ "json('é')", "\"\\\"é\\\"\"" },
	{ "b64encode('hello')", "\"aGVsbG8=\"" },
	{ "b64encode('héllo!')", "\"aMOpbGxvIQ==\"" },
	{ "b64encode('')", "\"\"" },
};

static const struct example OWN[] = {
	{ "d.a", "1" },
	{ "d.b[0]", "1" },
	{ "{'for': 1, 'in': n}.in", "7" },
	{ "[r.id for r in rows if r.ok]", "[1,3]" },
	{ "null", "null" },
	{ "true and not false", "true" },
	{ "default(d.a, 5)", "1" },
	{ "default(d.x, 5)", "5" },
	{ "default(l[9], d.x)", "KeyError: 'x'" },
	{ "default(default(d.x, l[9]), 'z')", "\"z\"" },
	{ "[default(r.no, r.id) for r in rows]", "[1,2,3]" },
	{ "default([d[k] for k in ['a', 'x']], [])", "[]" },
	{ "default(nil, 5)", "null" },
	{ "parse_json('{\"a\": [1, 2.5e1, -0, null, true], "
	  "\"a\\u00e9\": \"\\\\n\\\\ud83d\\\\ude00\"}')",
	  "{\"a\":[1,25.0,0,null,true],\"a\xc3\xa9\":\"\\n\xf0\x9f\x98\x80\"}" },
	{ "parse_json('{\"a\": 1, \"a\": 2}').a", "2" },
	{ "b64decode('aMOpbGxvIQ==')", "\"h\xc3\xa9llo!\"" },
	{ "split(' a  b ')", "[\"a\",\"b\"]" },
	{ "format_time(0)", "\"1970-01-01T00:00:00Z\"" },
	{ "format_time(951782400.5)", "\"2000-02-29T00:00:00.500000Z\"" },
	{ "format_time(-62135596800)", "\"0001-01-01T00:00:00Z\"" },
	{ "format_time(253402300799)", "\"9999-12-31T23:59:59Z\"" },
	{ "format_time(1699999999.9999999)", "\"2023-11-14T22:13:20Z\"" },
	{ "parse_time('2001-09-09T03:46:40.25+02:00')", "1000000000.25" },
	{ "parse_time('1969-12-31T23:59:59Z')", "-1.0" },
	{ "now", "1700000000.25" },
	{ "job", "{\"id\":17,\"title\":null,\"attempt\":1}" },
	{ "job.id + attempt", "20" },
	{ "[now for now in [1]]", "[1]" },
	{ "task", "<task>" },
	{ "[task, 1]", "[<tasks>]" },
	{ "{'a': task}.a", "<task>" },
	{ "tasks[0]", "<task>" },
	{ "tasks[1:]", "[<tasks>]" },
	{ "[x for x in tasks]", "[<tasks>]" },
	{ "default(tasks[5], task)", "<task>" },
	{ "len(tasks)", "2" },
	{ "tasks == nil", "false" },
};

/* clang-format on */

static void given_literals_then_they_are_read_as_in_python(void **state)
{
	(void)state;
	EXPECT_ALL(LITERALS);
}

static void given_numbers_then_arithmetic_is_pythons(void **state)
{
	(void)state;
	EXPECT_ALL(ARITHMETIC);
}

static void given_comparisons_then_they_are_exact_and_may_be_chained(void **state)
{
	(void)state;
	EXPECT_ALL(COMPARISONS);
}

static void given_and_or_not_if_then_operands_come_out_and_the_rest_is_not_evaluated(void **state)
{
	(void)state;
	EXPECT_ALL(LOGIC);
}

static void given_members_and_slices_then_characters_count_not_bytes(void **state)
{
	(void)state;
	EXPECT_ALL(ACCESS);
}

static void given_comprehensions_then_names_inside_are_their_own(void **state)
{
	(void)state;
	EXPECT_ALL(COMPREHENSIONS);
}

static void given_functions_of_python_then_results_are_pythons(void **state)
{
	(void)state;
	EXPECT_ALL(FUNCTIONS);
	EXPECT_ALL(TEXT);
}

static void given_what_python_has_not_then_the_language_decides(void **state)
{
	(void)state;
	EXPECT_ALL(OWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_literals_then_they_are_read_as_in_python),
		cmocka_unit_test(given_numbers_then_arithmetic_is_pythons),
		cmocka_unit_test(given_comparisons_then_they_are_exact_and_may_be_chained),
		cmocka_unit_test(
			given_and_or_not_if_then_operands_come_out_and_the_rest_is_not_evaluated),
		cmocka_unit_test(given_members_and_slices_then_characters_count_not_bytes),
		cmocka_unit_test(given_comprehensions_then_names_inside_are_their_own),
		cmocka_unit_test(given_functions_of_python_then_results_are_pythons),
		cmocka_unit_test(given_what_python_has_not_then_the_language_decides),
	};

	return cmocka_run_group_tests_name("expr", tests, NULL, NULL);
}
