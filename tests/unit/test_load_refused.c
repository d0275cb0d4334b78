/* Problems with try, raise, match, retry, generators, and with what is checked but not in this
 * version. */
#include "tests/lib/load_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- try, raise, match --- */

static void given_a_try_that_catches_nothing_then_it_is_refused(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"try\": {\"sleep\": 1}}, {\"try\": {\"sleep\": 1}, \"excpet\": {}},"
		" {\"try\": {\"sleep\": 1}, \"except\": {}}, {\"try\": {\"sleep\": 1},"
		" \"except\": []}, {\"try\": {\"sleep\": 1}, \"except\": {\"\": []}}]",
		"/0: \"try\" needs \"except\" or \"finally\"\n"
		"/1: \"try\" needs \"except\" or \"finally\"\n"
		"/1/excpet: \"excpet\" is not a key of \"try\"; did you mean \"except\"?\n"
		"/2/except: \"except\" is an object of types and nodes, not an empty one; "
		"write {\"TypeName\": node, \"*\": node}\n"
		"/3/except: \"except\" is an object of types and nodes, not an array; "
		"write {\"TypeName\": node, \"*\": node}\n"
		"/4/except/: no type of an exception: \"\"; write \"*\" for any\n");
}

static void given_an_except_that_nothing_can_reach_then_it_is_refused(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"try\": [{\"set\": {\"a\": 1, \"b\": 2}}, {\"value\": 3, \"as\": \"c\"}],"
		" \"except\": {\"*\": []}}, {\"try\": [], \"except\": {\"*\": []}},"
		" {\"try\": [], \"finally\": []},"
		" {\"try\": {\"value\": \"${now}\"}, \"except\": {\"*\": []}}]",
		"/0/except: nothing in this \"try\" can raise\n"
		"/1/except: nothing in this \"try\" can raise\n");
	/* With undos around it. */
	load_expect_problems("[{\"sleep\": 1, \"undo\": []}, {\"try\": {\"value\": 1}, \"except\":"
	                     " {\"*\": []}}]",
	                     "/1/except: nothing in this \"try\" can raise\n");
	/* A body with a problem of its own is not judged. */
	load_expect_problems(
		"{\"try\": {\"value\": \"${x}\"}, \"except\": {\"*\": []}}",
		"/try/value: unknown name \"x\"; write $${...} for a literal ${...}\n");
}

static void given_generator_exit_outside_a_generator_then_it_is_refused(void **state)
{
	(void)state;
	load_expect_problems(
		"{\"def\": {\"g\": {\"do\": {\"try\": {\"yield\": 1}, \"except\":"
		" {\"GeneratorExit\": []}}}}, \"do\": {\"try\": {\"sleep\": 1}, \"except\":"
		" {\"GeneratorExit\": []}}}",
		"/do/except/GeneratorExit: \"GeneratorExit\" is raised in a def that yields, only\n");
}

static void given_names_of_a_try_then_they_end_with_it(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"try\": {\"sleep\": 1, \"as\": \"a1\"}, \"except\": {\"*\": {\"value\":"
		" \"${error}\", \"as\": \"b1\"}}, \"finally\": {\"value\": \"${error}\", \"as\":"
		" \"c1\"}}, {\"value\": [\"${a1}\", \"${b1}\", \"${c1}\", \"${error}\"]},"
		" {\"match\": 1, \"case\": {\"1\": {\"value\": 1, \"as\": \"d1\"}}},"
		" {\"value\": 1, \"as\": \"e1\", \"retry\": 2}, {\"do\": {\"value\": 1, \"as\":"
		" \"f1\"}, \"timeout\": 2}, {\"do\": {\"value\": 1, \"as\": \"g1\"}, \"retry\": 2},"
		" {\"value\": [\"${d1}\", \"${e1}\", \"${f1}\", \"${g1}\"]}]",
		"/0/finally/value: unknown name \"error\"; write $${...} for a literal ${...}\n"
		"/1/value/0: unknown name \"a1\"; write $${...} for a literal ${...}\n"
		"/1/value/1: unknown name \"b1\"; write $${...} for a literal ${...}\n"
		"/1/value/2: unknown name \"c1\"; write $${...} for a literal ${...}\n"
		"/1/value/3: unknown name \"error\"; write $${...} for a literal ${...}\n"
		"/6/value/0: unknown name \"d1\"; write $${...} for a literal ${...}\n"
		"/6/value/3: unknown name \"g1\"; write $${...} for a literal ${...}\n");
}

static void given_a_raise_of_nothing_then_it_is_refused(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"raise\": null}, {\"raise\": {}}, {\"raise\": 5}, {\"raise\": \"\"},"
		" {\"raise\": {\"message\": 1}}, {\"raise\": {\"typ\": \"x\", \"type\": \"\"}},"
		" {\"raise\": {\"type\": \"${job.title}\", \"path\": \"\", \"data\": 1}},"
		" {\"raise\": \"${job}\"}]",
		"/0/raise: there is no exception to raise again outside \"except\"; "
		"write {\"raise\": \"TypeName\"}\n"
		"/1/raise: there is no exception to raise again outside \"except\"; "
		"write {\"raise\": \"TypeName\"}\n"
		"/2/raise: \"raise\" wants the type of an exception, or an object, not a number; "
		"write \"TypeName\", or {\"type\": ..., \"message\": ...}\n"
		"/3/raise: no type of an exception: \"\"\n"
		"/4/raise: an exception needs \"type\"; "
		"write {\"type\": \"...\", \"message\": \"...\"}\n"
		"/4/raise/message: \"message\" wants text, not a number\n"
		"/5/raise/typ: \"typ\" is not a part of an exception; did you mean \"type\"?\n"
		"/5/raise/type: no type of an exception: \"\"\n");
}

static void given_a_bare_raise_in_a_branch_then_there_is_nothing_to_raise_again(void **state)
{
	(void)state;
	load_expect_problems(
		"{\"try\": {\"sleep\": 1}, \"except\": {\"*\": {\"gather\": [{\"raise\": null}]},"
		" \"E\": {\"raise\": null}}, \"finally\": {\"raise\": null}}",
		"/except/*/gather/0/raise: there is no exception to raise again outside \"except\"; "
		"write {\"raise\": \"TypeName\"}\n"
		"/finally/raise: there is no exception to raise again outside \"except\"; "
		"write {\"raise\": \"TypeName\"}\n");
}

static void given_a_match_without_cases_then_it_is_refused(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"match\": 1}, {\"match\": 1, \"case\": {}}, {\"match\": 1,"
		" \"case\": []}, {\"match\": 1, \"case\": {\"a\": 1}}]",
		"/0: \"match\" needs \"case\"; write {\"literal\": node, \"_\": node}\n"
		"/1/case: \"case\" is an object of literals and nodes; "
		"write {\"literal\": node, \"_\": node}\n"
		"/2/case: \"case\" is an object of literals and nodes; "
		"write {\"literal\": node, \"_\": node}\n"
		"/3/case/a: a node is an object or an array of nodes, not a number\n");
}

/* --- retry, timeout, undo --- */

static void given_bad_options_of_a_retry_then_each_is_pointed_to(void **state)
{
	(void)state;
	load_expect_problems(
		"{\"sleep\": 1, \"retry\": {\"attempts\": 0, \"delay\": -1, \"backoff\": -1,"
		" \"max_delay\": \"x\", \"jitter\": \"yes\", \"on\": [], \"timeout\": true,"
		" \"attemps\": 2}}",
		"/retry/attempts: \"attempts\" wants an integer from 1\n"
		"/retry/delay: \"delay\" wants a duration from 0\n"
		"/retry/backoff: \"backoff\" wants a number from 0\n"
		"/retry/max_delay: not a duration: \"x\"; "
		"write a number of seconds, or text like \"250ms\" or \"1h30m\"\n"
		"/retry/jitter: \"jitter\" wants an expression: write \"${...}\"\n"
		"/retry/on: \"on\" is an array of types of exceptions, not an empty one\n"
		"/retry/timeout: a duration is a number or text: true; "
		"write a number of seconds, or text like \"250ms\" or \"1h30m\"\n"
		"/retry/attemps: \"attemps\" is not a part of \"retry\"; did you mean \"attempts\"?\n");
	load_expect_problems(
		"[{\"sleep\": 1, \"retry\": {\"attempts\": 1, \"backoff\": \"two\"}},"
		" {\"sleep\": 1, \"retry\": {}}, {\"sleep\": 1, \"retry\": \"3\"},"
		" {\"sleep\": 1, \"retry\": null}, {\"sleep\": 1, \"retry\": {\"attempts\": 1, \"on\":"
		" \"E\"}}, {\"sleep\": 1, \"retry\": {\"attempts\": 1, \"on\": [1, \"\", \"${x}\"]}},"
		" {\"sleep\": 1, \"retry\": {\"attempts\": 1, \"timeout\": null}}]",
		"/0/retry/backoff: \"backoff\" wants a number from 0\n"
		"/1/retry: \"retry\" needs \"attempts\"; "
		"how many runs in all, the first one included\n"
		"/2/retry: \"retry\" wants an integer from 1\n"
		"/3/retry: \"retry\" wants an integer from 1\n"
		"/4/retry/on: \"on\" is an array of types of exceptions, not text\n"
		"/5/retry/on/0: the type of an exception is text, not a number\n"
		"/5/retry/on/1: no type of an exception: \"\"; write \"TimeoutError\"\n"
		"/5/retry/on/2: no type of an exception: \"${x}\"; write \"TimeoutError\"\n");
}

static void given_a_timeout_then_null_is_none_and_text_is_checked(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"sleep\": 1, \"timeout\": null}, {\"sleep\": 1, \"timeout\": -1},"
		" {\"as_completed\": [], \"timeout\": null}, {\"sleep\": 1, \"timeout\": \"soon\"}]",
		"/3/timeout: not a duration: \"soon\"; "
		"write a number of seconds, or text like \"250ms\" or \"1h30m\"\n");
}

static void given_an_undo_then_it_is_a_coroutine_of_its_own(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"set\": {\"x\": 1}}, {\"sleep\": 1, \"as\": \"a\", \"undo\": [{\"set\": {\"x\": 2,"
		" \"a\": 1}}, {\"return\": 1}]}, {\"sleep\": 1, \"undo\": {\"sleep\": 1, \"name\":"
		" \"u\"}}, {\"shield\": {\"return\": 1}}]",
		"/1/undo/0/set/x: \"x\" belongs to the coroutine that makes this branch; "
		"a branch sees a snapshot of outer names; bind another name here\n"
		"/1/undo/0/set/a: \"a\" belongs to the coroutine that makes this branch; "
		"a branch sees a snapshot of outer names; bind another name here\n"
		"/1/undo/1/return: \"return\" in a concurrent branch; "
		"its value is what its last step gives\n"
		"/2/undo: \"name\" labels a task, and an \"undo\" has no label\n"
		"/3/shield/return: \"return\" in a concurrent branch; "
		"its value is what its last step gives\n");
}

/* --- generators --- */

static void given_a_def_that_yields_then_only_async_for_may_call_it(void **state)
{
	(void)state;
	load_expect_problems(
		"{\"def\": {\"g\": {\"do\": {\"yield\": 1}}, \"f\": {\"do\": {\"sleep\": 1}}},"
		" \"do\": [{\"call\": \"g\"}, {\"create_task\": {\"call\": \"g\"}},"
		" {\"async_for\": {\"call\": \"f\"}}, {\"async_for\": {\"sleep\": 1}},"
		" {\"async_for\": []}, {\"async_for\": {\"call\": \"g\", \"as\": \"x\", \"if\": true}},"
		" {\"async_for\": {\"as_completed\": [], \"do\": [], \"timeout\": 3}},"
		" {\"async_for\": {\"exec\": [\"a\"], \"yield\": \"lines\"}}]}",
		"/do/0/call: \"g\" yields: it is for \"async_for\"; "
		"write {\"async_for\": {\"call\": ...}, \"do\": ...}\n"
		"/do/1/create_task/call: \"g\" yields: it is for \"async_for\"; "
		"write {\"async_for\": {\"call\": ...}, \"do\": ...}\n"
		"/do/2/async_for/call: \"f\" does not yield\n"
		"/do/3/async_for: \"async_for\" wants a generator, not sleep; write a \"call\" of a "
		"def that yields, \"as_completed\", or \"exec\" with \"yield\"\n"
		"/do/4/async_for: \"async_for\" wants a generator, not an array; write a \"call\" of "
		"a def that yields, \"as_completed\", or \"exec\" with \"yield\"\n"
		"/do/5/async_for/as: \"as\" inside \"async_for\"; put it beside \"async_for\"\n"
		"/do/5/async_for/if: \"if\" inside \"async_for\"; put it beside \"async_for\"\n"
		"/do/6/async_for/do: \"do\" inside \"async_for\"; put it beside \"async_for\"\n");
}

static void given_a_generator_then_it_returns_nothing_and_yields_itself(void **state)
{
	(void)state;
	load_expect_problems(
		"{\"def\": {\"g\": {\"do\": [{\"yield\": 1}, {\"return\": 5}, {\"return\": null},"
		" {\"gather\": [{\"yield\": 2}]}]}, \"h\": {\"do\": {\"gather\": [{\"yield\": 2}]}}},"
		" \"do\": {\"gather\": [{\"yield\": 3}]}}",
		"/def/g/do/1/return: \"return\" with a value in a def that yields; "
		"write {\"return\": null}\n"
		"/def/g/do/3/gather/0/yield: \"yield\" in a concurrent branch of a def; "
		"yield what the branches give, after them\n"
		"/def/h/do/gather/0/yield: \"yield\" in a concurrent branch of a def; "
		"yield what the branches give, after them\n");
}

/* --- constants --- */

static void given_an_expression_that_can_only_fail_then_it_is_refused(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"value\": \"${1 / 0}\"}, {\"value\": \"${[1][5]}\"}, {\"value\":"
		" \"${'a' + 1}\"}, {\"value\": \"${default([1][5], 2)}\"},"
		" {\"value\": \"${1 if now > 0 else 1 / 0}\"}, {\"try\": {\"sleep\": \"${1 / 0}\"},"
		" \"except\": {\"*\": []}}]",
		"/0/value: this can only fail: ZeroDivisionError: division by zero\n"
		"/1/value: this can only fail: IndexError: list index out of range: 5, of 1\n"
		"/2/value: this can only fail: TypeError: can only concatenate str (not \"int\") to "
		"str\n"
		"/5/try/sleep: this can only fail: ZeroDivisionError: division by zero\n");
}

/* --- effects --- */

static void given_an_exec_then_its_parts_are_checked(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"exec\": \"ls -l\"}, {\"exec\": []}, {\"exec\": [\"\", 5],"
		" \"env\": {\"A=\": \"x\", \"b\": 1, \"\": \"y\"}, \"cwd\": \"\", \"stdout\": \"pipe\","
		" \"stderr\": \"STDOUT\", \"yield\": \"line\", \"on_interrupt\": \"fial\", \"check\": 1,"
		" \"grace\": -1, \"timeout\": null, \"pool\": \"\", \"stdin\": 7}]",
		"/0/exec: \"exec\" is an array of arguments, never a string; "
		"write [\"ls\", \"-l\"]: no shell reads it\n"
		"/1/exec: \"exec\" without a program\n"
		"/2/exec/0: element 0 is empty\n"
		"/2/exec/1: element 1 wants text, not a number\n"
		"/2/env/A=: no name of a variable: \"A=\"\n"
		"/2/env/b: \"b\" wants text, not a number\n"
		"/2/env/: an empty name in \"env\"\n"
		"/2/cwd: \"cwd\" is empty\n"
		"/2/stdout: \"stdout\" is \"PIPE\" or \"DEVNULL\", not \"pipe\"\n"
		"/2/yield: \"yield\" is \"lines\", not \"line\"; did you mean \"lines\"?\n"
		"/2/yield: an \"exec\" that yields is for \"async_for\"; "
		"write {\"async_for\": {\"exec\": ...}, \"do\": ...}\n"
		"/2/on_interrupt: \"on_interrupt\" is \"fail\", \"retry\" or \"hold\", not \"fial\"; "
		"did you mean \"fail\"?\n"
		"/2/check: \"check\" is true or false\n"
		"/2/grace: \"grace\" wants a duration from 0\n"
		"/2/pool: \"pool\" wants text of 1 to 200 bytes\n"
		"/2/stdin: \"stdin\" wants text, {\"base64\": text} or null, not a number\n");
	load_expect_problems("{\"exec\": [\"a\"], \"env\": \"A=b\"}",
	                     "/env: \"env\" is an object of names and text, not text\n");
}

static void given_more_of_an_exec_then_its_parts_are_checked(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"exec\": [\"a\"], \"env\": {\"GATHERD_X\": \"1\"}, \"grace\": \"no\"},"
		" {\"exec\": [\"a\"], \"stdin\": {\"base64\": 1}}, {\"exec\": [\"a\"], \"stdin\":"
		" {\"base64\": \"A=A=\"}},"
		" {\"exec\": [\"a\"], \"stdin\": {\"base64\": \"AA==\"}, \"yield\": \"lines\"},"
		" {\"async_for\": {\"exec\": [\"a\"], \"stdin\": null, \"yield\": \"lines\","
		" \"stdout\": \"DEVNULL\"}}, {\"async_for\": {\"exec\": [\"a\"]}}]",
		"/0/env/GATHERD_X: \"GATHERD_X\": names that begin with GATHERD_ are the daemon's\n"
		"/0/grace: not a duration: \"no\"; write a number of seconds, or text like \"250ms\" "
		"or \"1h30m\"\n"
		"/1/stdin: \"stdin\" wants text, {\"base64\": text} or null, not an object\n"
		"/2/stdin: \"stdin\" is not base64: \"A=A=\"; four characters for three bytes, = at "
		"the end\n"
		"/3/yield: an \"exec\" that yields is for \"async_for\"; "
		"write {\"async_for\": {\"exec\": ...}, \"do\": ...}\n"
		"/4/async_for/stdout: \"yield\" gives lines that \"stdout\" throws away\n"
		"/5/async_for: \"async_for\" wants a generator, not exec; write a \"call\" of a def "
		"that yields, \"as_completed\", or \"exec\" with \"yield\"\n");
}

static void given_a_profile_then_its_name_is_constant_and_arguments_may_be_none(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"exec\": [], \"profile\": \"a\"}, {\"exec\": [\"\"], \"profile\": \"a.b-c_1\"},"
		" {\"exec\": []}, {\"exec\": [\"\"]}, {\"exec\": [], \"profile\": 3},"
		" {\"exec\": [], \"profile\": \"${now}\"}, {\"exec\": [], \"profile\": \"\"},"
		" {\"exec\": [5], \"profile\": \"a\"}, {\"sleep\": 1, \"profile\": \"a\"}]",
		"/2/exec: \"exec\" without a program\n"
		"/3/exec/0: element 0 is empty\n"
		"/4/profile: \"profile\" is the name of an exec profile, not a number\n"
		"/5/profile: no name of an exec profile: \"${now}\"; 1 to 32 letters, digits, '.', "
		"'_' or '-'\n"
		"/6/profile: no name of an exec profile: \"\"; 1 to 32 letters, digits, '.', '_' or "
		"'-'\n"
		"/7/exec/0: element 0 wants text, not a number\n"
		"/8/profile: \"profile\" is not a key of \"sleep\"\n");
}

static void given_secrets_then_their_names_are_constant_and_no_paths(void **state)
{
	(void)state;
	load_expect_problems(
		"{\"exec\": [\"secret:argv\"], \"env\": {\"A\": \"secret:a.B-c_9\", \"B\":"
		" \"secret:${now}\", \"C\": \"secret:../a\", \"D\": \"secret:\", \"E\":"
		" \"secret:.a\", \"F\": {\"secret\": \"a\"}, \"G\": \"a secret:b\"}}",
		"/env/B: the name of a secret is constant: \"${now}\"; choose between whole "
		"variables, or whole commands\n"
		"/env/C: no name of a secret: \"../a\"; letters, digits, '.', '_' and '-', no '.' "
		"first\n"
		"/env/D: no name of a secret: \"\"; letters, digits, '.', '_' and '-', no '.' first\n"
		"/env/E: no name of a secret: \".a\"; letters, digits, '.', '_' and '-', no '.' "
		"first\n"
		"/env/F: \"F\" wants text, not an object\n");
}

static void given_an_argument_that_no_command_takes_then_it_is_refused(void **state)
{
	struct buf spec = { 0 };

	(void)state;
	buf_add_text(&spec, "{\"exec\": [\"a\", \"");
	for (uint32_t i = 0; i <= EXEC_ARG_BYTES_MAX; i++)
		buf_add_byte(&spec, 'x');
	buf_add(&spec, "\"]}", 4);
	load_expect_problems(spec.at, "/exec/1: a text of more than 131071 bytes, which no command "
	                              "takes; give it through \"stdin\" or a file\n");
	buf_close(&spec);
}

static void given_an_http_request_then_its_parts_are_checked(void **state)
{
	(void)state;
	load_expect_problems(
		"[{\"http\": \"ftp://x\"}, {\"http\": \"https:///path\"}, {\"http\": 5},"
		" {\"http\": {\"method\": \"PO ST\", \"json\": 1, \"body\": \"x\", \"headers\": [],"
		" \"query\": {\"a\": 1}, \"timeot\": 1}, \"check\": \"no\"}]",
		"/0/http: no http:// or https:// URL: \"ftp://x\"\n"
		"/1/http: a URL without a host: \"https:///path\"\n"
		"/2/http: \"http\" wants text, not a number\n"
		"/3/http: an HTTP request needs \"url\"\n"
		"/3/http: \"json\" and \"body\" in one request; \"json\" writes the body itself\n"
		"/3/http/method: no HTTP method: \"PO ST\"; write \"GET\", \"POST\", ...\n"
		"/3/http/headers: \"headers\" is an object of names and text, not an array\n"
		"/3/http/query/a: \"a\" wants text, not a number\n"
		"/3/http/timeot: \"timeot\" is not a part of an HTTP request; "
		"did you mean \"timeout\"?\n"
		"/3/check: \"check\" is true or false\n");
}

static void given_functions_events_and_semaphores_then_their_names_are_checked(void **state)
{
	struct buf spec = { 0 };

	(void)state;
	load_expect_problems(
		"[{\"to_thread\": \"read_flie\", \"args\": 5}, {\"event\": \"\"}, {\"event\": 1},"
		" {\"sleep\": 1, \"with\": \"\"}]",
		"/0/to_thread: \"to_thread\" is \"list_dir\", \"read_file\", \"resolve\", \"sha256\", "
		"\"stat\", \"sqlite_query\" or \"write_file\", not \"read_flie\"; "
		"did you mean \"read_file\"?\n"
		"/0/args: \"args\" is an array or an object, not a number\n"
		"/1/event: \"event\" wants text of 1 to 200 bytes\n"
		"/2/event: \"event\" wants text, not a number\n"
		"/3/with: \"with\" wants text of 1 to 200 bytes\n");
	buf_addf(&spec, "{\"event\": \"%0201d\"}", 1);
	buf_add_byte(&spec, '\0');
	load_expect_problems(spec.at, "/event: \"event\" wants text of 1 to 200 bytes\n");
	buf_close(&spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_try_that_catches_nothing_then_it_is_refused),
		cmocka_unit_test(given_an_except_that_nothing_can_reach_then_it_is_refused),
		cmocka_unit_test(given_generator_exit_outside_a_generator_then_it_is_refused),
		cmocka_unit_test(given_names_of_a_try_then_they_end_with_it),
		cmocka_unit_test(given_a_raise_of_nothing_then_it_is_refused),
		cmocka_unit_test(
			given_a_bare_raise_in_a_branch_then_there_is_nothing_to_raise_again),
		cmocka_unit_test(given_a_match_without_cases_then_it_is_refused),
		cmocka_unit_test(given_bad_options_of_a_retry_then_each_is_pointed_to),
		cmocka_unit_test(given_a_timeout_then_null_is_none_and_text_is_checked),
		cmocka_unit_test(given_an_undo_then_it_is_a_coroutine_of_its_own),
		cmocka_unit_test(given_a_def_that_yields_then_only_async_for_may_call_it),
		cmocka_unit_test(given_a_generator_then_it_returns_nothing_and_yields_itself),
		cmocka_unit_test(given_an_expression_that_can_only_fail_then_it_is_refused),
		cmocka_unit_test(given_an_exec_then_its_parts_are_checked),
		cmocka_unit_test(given_more_of_an_exec_then_its_parts_are_checked),
		cmocka_unit_test(
			given_a_profile_then_its_name_is_constant_and_arguments_may_be_none),
		cmocka_unit_test(given_secrets_then_their_names_are_constant_and_no_paths),
		cmocka_unit_test(given_an_argument_that_no_command_takes_then_it_is_refused),
		cmocka_unit_test(given_an_http_request_then_its_parts_are_checked),
		cmocka_unit_test(
			given_functions_events_and_semaphores_then_their_names_are_checked),
	};

	return cmocka_run_group_tests_name("load_refused", tests, NULL, NULL);
}
