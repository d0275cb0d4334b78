/* daemon/net/may_call: constant paths of built-in functions are judged at submit. */
#include "daemon/net/may_call.h"
#include "tests/lib/load_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct blocking_config *config;
static struct http_policy     *policy;

static int setup(void **state)
{
	static const char *const READS[] = { "/usr", "/var" }, *const WRITES[] = { "/var" };
	static const char *const        ALLOWED[] = { "example.org" };
	const struct blocking_options   options = { READS, 2, WRITES, 1, NULL, 0 };
	const struct http_policy_config hosts = { .hosts = ALLOWED, .host_count = 1 };

	(void)state;
	return blocking_config_open(&options, &config, NULL) == GD_OK &&
	                       http_policy_open(&hosts, &policy, NULL) == GD_OK
	               ? 0
	               : -1;
}

static int teardown(void **state)
{
	(void)state;
	blocking_config_close(config);
	http_policy_close(policy);
	return 0;
}

/* Problems as "pointer: message" a line, or "". */
static void expect(const char *spec, const char *expected)
{
	struct load_problems problems = { 0 };
	struct program      *p = load_spec(spec);
	struct buf           b = { 0 };
	enum gd_err          rc = may_call(config, policy, p, &problems, NULL);

	for (uint32_t i = 0; i < problems.count; i++)
		buf_addf(&b, "%s: %s\n", problems.at[i].pointer, problems.at[i].message);
	buf_add_byte(&b, '\0');
	assert_string_equal(b.at, expected);
	assert_int_equal(rc, *expected == '\0' ? GD_OK : GD_INVALID_SPEC);
	buf_close(&b);
	load_problems_close(&problems);
	program_release(p);
}

static void given_constant_paths_below_a_root_then_there_is_no_problem(void **state)
{
	(void)state;
	expect("[{\"sleep\": 1}]", "");
	expect("[{\"to_thread\": \"stat\", \"args\": [\"/usr/bin\"]},"
	       " {\"to_thread\": \"write_file\", \"args\": {\"content\": \"\", \"path\": \"/var/a\"}},"
	       " {\"to_thread\": \"resolve\", \"args\": [\"path\"]}]",
	       "");
}

static void given_constant_paths_outside_then_each_is_told_where_it_stands(void **state)
{
	(void)state;
	expect("[{\"to_thread\": \"stat\", \"args\": [\"/etc/passwd\"]},"
	       " {\"to_thread\": \"write_file\", \"args\": {\"content\": \"\", \"path\": \"/usr/a\"}},"
	       " {\"gather\": {\"a/b\": {\"to_thread\": \"list_dir\", \"args\": [\"/usr/..\"]}}}]",
	       "/0/args/0: below no read-root: /etc/passwd\n"
	       "/1/args/path: below no write-root: /usr/a\n"
	       "/2/gather/a~1b/args/0: \"..\" in a path: /usr/..\n");
}

static void given_a_path_that_is_worked_out_then_it_is_judged_when_it_runs(void **state)
{
	(void)state;
	expect("{\"args\": {\"p\": \"/etc\"}, \"do\": [{\"to_thread\": \"stat\", \"args\": [\"${p}\"]},"
	       " {\"to_thread\": \"stat\", \"args\": [\"/etc/${p}\"]}]}",
	       "");
}

static void given_urls_then_those_that_lead_where_no_job_may_go_are_told(void **state)
{
	(void)state;
	expect("[{\"http\": \"https://example.org/x\"}, {\"value\": \"x\", \"as\": \"h\"},"
	       " {\"http\": \"https://${h}.test/\"}]",
	       "");
	expect("[{\"http\": \"https://example.com/x\"}]",
	       "/0/http: http-allow does not allow the host example.com:443\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_constant_paths_below_a_root_then_there_is_no_problem),
		cmocka_unit_test(given_constant_paths_outside_then_each_is_told_where_it_stands),
		cmocka_unit_test(given_a_path_that_is_worked_out_then_it_is_judged_when_it_runs),
		cmocka_unit_test(given_urls_then_those_that_lead_where_no_job_may_go_are_told),
	};

	return cmocka_run_group_tests_name("may_call", tests, setup, teardown);
}
