/* daemon/net/may_exec: who may hand in which commands, and what of them a profile refuses. */
#include "daemon/net/may_exec.h"
#include "tests/lib/load_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *profile, *key, *value;
} SECTIONS[] = {
	{ "backup", "program", "/bin/true" },  { "backup", "arg", "match [a-z]+" },
	{ "backup", "rest", "one-of a b" },    { "backup", "env", "MODE one-of x y" },
	{ "backup", "env", "TOKEN=secret:t" }, { "backup", "cwd-below", "/srv" },
	{ "backup", "timeout", "60" },         { "backup", "on-interrupt", "fail" },
	{ "backup", "pool", "disk" },          { "backup", "allow", "uid:1000 token:named" },
	{ "deploy", "program", "/bin/true" },  { "deploy", "allow", "role:operator" },
};

struct fixture {
	struct profile_book *book;
	struct principal     own, root, other, token;
};

static struct fixture f;

static void token_of(struct principal *out, const char *name, enum token_role role,
                     const char *exec)
{
	*out = (struct principal){ .role = role, .scopes = auth_role_scopes(role) };
	(void)snprintf(out->name, sizeof out->name, "token:%s", name);
	(void)snprintf(out->exec, sizeof out->exec, "%s", exec);
}

static int setup(void **state)
{
	struct profile_table *t;
	int                   line = 0;

	(void)state;
	if (profile_table_new(&t, NULL) != GD_OK || profile_book_open(&f.book, NULL) != GD_OK)
		return -1;
	for (size_t i = 0; i < sizeof SECTIONS / sizeof SECTIONS[0]; i++)
		if (profile_table_set(t, SECTIONS[i].profile, SECTIONS[i].key, SECTIONS[i].value,
		                      ++line, NULL) != GD_OK)
			return -1;
	if (profile_table_finish(t, &line, NULL) != GD_OK)
		return -1;
	profile_book_put(f.book, t);
	profile_table_release(t);
	if (auth_of_uid(990, 990, &f.own, NULL) != GD_OK ||
	    auth_of_uid(0, 990, &f.root, NULL) != GD_OK ||
	    auth_of_uid(1000, 990, &f.other, NULL) != GD_OK)
		return -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	profile_book_close(f.book);
	return 0;
}

/* Scope that is missing, problems as "pointer: message; hint" a line, or "ok". */
static void expect(const struct principal *who, const char *spec, const char *expected)
{
	struct load_problems problems = { 0 };
	struct program      *p = load_spec(spec);
	struct gd_error      why = { 0 };
	struct buf           b = { 0 };
	char                 scope[MAY_EXEC_SCOPE_BYTES];
	enum gd_err          rc = may_exec(f.book, who, p, &problems, scope, &why);

	if (rc == GD_OK)
		buf_add_text(&b, "ok");
	assert_int_equal(scope[0] != '\0', rc == GD_FORBIDDEN);
	if (rc == GD_FORBIDDEN)
		buf_addf(&b, "%s\n", scope);
	for (uint32_t i = 0; i < problems.count; i++) {
		const struct load_problem *one = &problems.at[i];

		buf_addf(&b, "%s: %s%s%s\n", one->pointer, one->message,
		         one->hint != NULL ? "; " : "", one->hint != NULL ? one->hint : "");
	}
	buf_add_byte(&b, '\0');
	assert_string_equal(b.at, expected);
	if (rc == GD_FORBIDDEN && strstr(why.text, problems.at[0].pointer) == NULL)
		fail_msg("no pointer in: %s", why.text);
	buf_close(&b);
	load_problems_close(&problems);
	program_release(p);
}

#define RAW "[{\"sleep\": 1}, {\"gather\": {\"a\": {\"exec\": [\"ls\"]}}}]"
#define RAW_REFUSED \
	"exec:raw\n/1/gather/a/exec: this needs the scope exec:raw, which you do not have\n"
#define BACKUP "{\"exec\": [\"x\"], \"profile\": \"backup\", \"timeout\": 5}"
#define DEPLOY "{\"exec\": [], \"profile\": \"deploy\"}"
#define REFUSED(name) \
	"exec:" name "\n/profile: this needs the scope exec:" name ", which you do not have\n"

static void given_raw_commands_then_only_our_own_user_may_run_them(void **state)
{
	struct principal admin;

	(void)state;
	token_of(&admin, "admin", TOKEN_ADMIN, "*");
	expect(&f.own, RAW, "ok");
	expect(&f.root, RAW, RAW_REFUSED);
	expect(&f.other, RAW, RAW_REFUSED);
	expect(&admin, RAW, RAW_REFUSED);
	expect(&f.other, "{\"sleep\": 1}", "ok");
}

static void given_a_profile_then_those_may_use_it_who_are_named_somewhere(void **state)
{
	struct principal p;

	(void)state;
	expect(&f.own, BACKUP, "ok");
	expect(&f.root, BACKUP, "ok");
	expect(&f.other, BACKUP, "ok"); /* `allow` names its uid */
	expect(&f.other, DEPLOY, REFUSED("deploy"));
	token_of(&p, "plain", TOKEN_SUBMITTER, "");
	expect(&p, BACKUP, REFUSED("backup"));
	token_of(&p, "plain", TOKEN_SUBMITTER, "other backup");
	expect(&p, BACKUP, "ok");
	expect(&p, DEPLOY, REFUSED("deploy"));
	token_of(&p, "plain", TOKEN_SUBMITTER, "*");
	expect(&p, DEPLOY, "ok");
	token_of(&p, "plain", TOKEN_SUBMITTER, "back backups");
	expect(&p, BACKUP, REFUSED("backup"));
	token_of(&p, "named", TOKEN_SUBMITTER, "");
	expect(&p, BACKUP, "ok");
	token_of(&p, "x", TOKEN_OPERATOR, "");
	expect(&p, DEPLOY, "ok");
	token_of(&p, "x", TOKEN_ADMIN, "");
	expect(&p, DEPLOY, "ok");
}

static void given_no_such_profile_then_the_nearest_is_named(void **state)
{
	(void)state;
	expect(&f.own,
	       "[{\"exec\": [], \"profile\": \"bakcup\"}, {\"exec\": [], \"profile\": \"q\"}]",
	       "/0/profile: there is no exec profile bakcup; did you mean \"backup\"?\n"
	       "/1/profile: there is no exec profile q\n");
}

static void given_constants_that_break_rules_then_each_is_told_where_it_stands(void **state)
{
	(void)state;
	expect(&f.own,
	       "[{\"exec\": [\"../x\", \"c\"], \"profile\": \"backup\", \"timeout\": 61, \"env\":"
	       " {\"MODE\": \"z\", \"TOKEN\": \"1\", \"a/b\": \"\"}, \"stdin\": \"in\","
	       " \"cwd\": \"/etc\", \"pool\": \"cpu\", \"on_interrupt\": \"retry\"},"
	       " {\"async_for\": {\"exec\": [], \"profile\": \"backup\", \"yield\": \"lines\"}},"
	       " {\"exec\": [\"a\"], \"profile\": \"backup\", \"timeout\": null,"
	       " \"env\": {\"MODE\": \"secret:t\"}}]",
	       "/0/exec/0: argument 1 \"../x\" does not match [a-z]+ of profile backup\n"
	       "/0/exec/1: argument 2 \"c\" is not one of a b of profile backup\n"
	       "/0/env/MODE: variable MODE \"z\" is not one of x y of profile backup\n"
	       "/0/env/TOKEN: profile backup says itself what TOKEN is\n"
	       "/0/env/a~1b: profile backup takes no variable a/b\n"
	       "/0/timeout: profile backup wants a timeout of at most 60 s\n"
	       "/0/stdin: profile backup takes no stdin\n"
	       "/0/cwd: cwd \"/etc\" is not /srv of profile backup, nor below it\n"
	       "/0/pool: pool \"cpu\" is not disk, that of profile backup\n"
	       "/0/on_interrupt: profile backup does not take this on_interrupt\n"
	       "/1/async_for/exec: profile backup wants at least 1 arguments, not 0\n"
	       "/1/async_for/exec: profile backup wants a timeout of at most 60 s\n"
	       "/2/env/MODE: variable MODE: profile backup says itself which secrets it has\n"
	       "/2/timeout: profile backup wants a timeout of at most 60 s\n");
}

static void given_values_that_are_worked_out_then_nothing_is_said_yet(void **state)
{
	(void)state;
	expect(&f.own,
	       "{\"args\": {\"x\": 1}, \"do\": {\"exec\": [\"${x}\", \"${x}\"], \"profile\":"
	       " \"backup\", \"timeout\": \"${x}\", \"env\": {\"MODE\": \"${x}\"}, \"stdin\":"
	       " \"${x}\", \"cwd\": \"${x}\", \"pool\": \"${x}\"}}",
	       "ok");
	expect(&f.own,
	       "{\"exec\": [\"x\"], \"profile\": \"backup\", \"timeout\": \"1m\", \"stdin\":"
	       " null, \"cwd\": \"/srv/a\", \"pool\": \"disk\"}",
	       "ok");
}

static void expect_scopes(const struct principal *who, const char *expected)
{
	struct buf b = { 0 };

	may_exec_write_scopes(&b, f.book, who);
	buf_add_byte(&b, '\0');
	assert_string_equal(b.at, expected);
	buf_close(&b);
}

static void given_somebody_who_asks_then_the_profiles_are_among_the_scopes(void **state)
{
	struct principal p = { 0 };

	(void)state;
	expect_scopes(&f.own, "[\"submit\",\"observe:own\",\"observe:any\",\"cancel:own\","
	                      "\"cancel:any\",\"admin\",\"exec:*\",\"exec:raw\"]");
	expect_scopes(&f.other, "[\"submit\",\"observe:own\",\"cancel:own\",\"exec:backup\"]");
	token_of(&p, "t", TOKEN_OPERATOR, "backup gone");
	expect_scopes(&p, "[\"observe:own\",\"observe:any\",\"cancel:own\",\"cancel:any\","
	                  "\"exec:backup\",\"exec:deploy\"]");
	p = (struct principal){ 0 };
	(void)snprintf(p.exec, sizeof p.exec, "backup");
	expect_scopes(&p, "[\"exec:backup\"]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_raw_commands_then_only_our_own_user_may_run_them),
		TEST(given_a_profile_then_those_may_use_it_who_are_named_somewhere),
		TEST(given_no_such_profile_then_the_nearest_is_named),
		TEST(given_constants_that_break_rules_then_each_is_told_where_it_stands),
		TEST(given_values_that_are_worked_out_then_nothing_is_said_yet),
		TEST(given_somebody_who_asks_then_the_profiles_are_among_the_scopes),
	};

	return cmocka_run_group_tests_name("may_exec", tests, NULL, NULL);
}
