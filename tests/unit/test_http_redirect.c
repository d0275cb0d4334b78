/* daemon/http/: where a request goes: by redirects, by names, and where it does not. */
#include "tests/lib/http_fixture.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define REDIRECT(status, to) \
	"HTTP/1.1 " status " Elsewhere\r\nContent-Length: 4\r\nLocation: " to "\r\n\r\nmove"

/* --- redirects --- */

static void given_redirects_when_followed_then_the_last_answer_counts(void **state)
{
	struct http_fixture *f = *state;
	struct ending        e;

	web_say(f->web, "/a/1", REDIRECT("301", "2"));
	web_say(f->web, "/a/2", REDIRECT("308", "/b?x=y z"));
	web_say(f->web, "/b?x=y+z", HELLO);

	e = fixture_get(f, "/a/1");

	assert_int_equal(e.status, 200);
	assert_string_equal(e.body, "hello");
	assert_string_equal(e.url, fixture_url(f, "127.0.0.1", "/b?x=y+z").at);
	assert_int_equal(web_connections(f->web), 1);
}

static void given_a_post_when_redirected_then_it_depends_on_the_status(void **state)
{
	struct http_fixture *f = *state;
	struct http_request  r = { .method = http_text_of("POST"),
		                   .body = http_text_of("the body"),
		                   .has_body = true,
		                   .content_type = http_text_of("text/plain"),
		                   .idempotency_key = http_text_of("key") };
	const char          *second;

	web_say(f->web, "/303", REDIRECT("303", "/get"));
	web_say(f->web, "/307", REDIRECT("307", "/post"));
	web_say(f->web, "/get", HELLO);
	web_say(f->web, "/post", HELLO);

	r.url = fixture_url(f, "127.0.0.1", "/303");
	assert_int_equal(http_fixture_ask(f, &r).status, 200);
	second = strstr(web_heard(f->web), "GET /get ");
	assert_non_null(second);
	assert_null(strstr(second, "Content-"));
	assert_non_null(strstr(second, "Idempotency-Key: key"));

	r.url = fixture_url(f, "127.0.0.1", "/307");
	assert_int_equal(http_fixture_ask(f, &r).status, 200);
	second = strstr(web_heard(f->web), "POST /post ");
	assert_non_null(second);
	assert_non_null(strstr(second, "Content-Type: text/plain"));
	assert_non_null(strstr(second, "\r\n\r\nthe body"));
}

static void given_credentials_when_redirected_to_another_host_then_they_stay_behind(void **state)
{
	struct http_fixture    *f = *state;
	const struct http_field headers[] = {
		{ http_text_of("authorization"), http_text_of("Bearer secret") },
		{ http_text_of("Cookie"), http_text_of("a=secret") },
		{ http_text_of("X-Other"), http_text_of("yes") },
	};
	struct http_request r = { .headers = headers, .header_count = 3 };
	char                to[400];

	(void)snprintf(to, sizeof to, REDIRECT("302", "%s"),
	               fixture_url(f, "there.test", "/page").at);
	web_say(f->web, "/away", to);
	web_say(f->web, "/same", REDIRECT("302", "/page"));
	web_say(f->web, "/page", HELLO);

	r.url = fixture_url(f, "here.test", "/same");
	assert_int_equal(http_fixture_ask(f, &r).status, 200);
	assert_non_null(strstr(strstr(web_heard(f->web), "GET /page"), "Bearer secret"));

	r.url = fixture_url(f, "here.test", "/away");
	assert_int_equal(http_fixture_ask(f, &r).status, 200);
	assert_null(strstr(strstr(web_heard(f->web), "Host: there.test"), "secret"));
	assert_non_null(strstr(strstr(web_heard(f->web), "Host: there.test"), "X-Other: yes"));
}

static void given_redirects_without_end_when_followed_then_there_is_a_limit(void **state)
{
	struct http_fixture *f = *state;
	struct ending        e;

	web_say(f->web, "/loop", REDIRECT("302", "/loop"));

	e = fixture_get(f, "/loop");
	expect_failure(&e, "LimitError", "redirect");
	assert_int_equal(web_asked(f->web), 6);

	f->limits.redirects = 0;
	http_fixture_reopen(f);
	e = fixture_get(f, "/loop");
	assert_int_equal(e.status, 302);
	assert_string_equal(e.body, "move");
}

static void given_redirects_to_where_nobody_may_go_when_followed_then_nobody_goes(void **state)
{
	static const struct {
		const char *path, *answer, *type;
	} CASES[] = {
		{ "/host", REDIRECT("302", "http://other.example/"), "PermissionError" },
		{ "/address", REDIRECT("302", "http://127.0.0.2/"), "PermissionError" },
		{ "/number", REDIRECT("302", "http://0x7f000002/"), "PermissionError" },
		{ "/name", REDIRECT("302", "http://private.test/"), "PermissionError" },
		{ "/file", REDIRECT("302", "file:///etc/passwd"), "HttpError" },
		{ "/user", REDIRECT("302", "http://me:secret@here.test/"), "HttpError" },
	};
	struct http_fixture *f = *state;

	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		struct ending e;

		web_say(f->web, CASES[i].path, CASES[i].answer);
		e = fixture_get(f, CASES[i].path);
		expect_failure(&e, CASES[i].type,
		               strcmp(CASES[i].path, "/name") == 0 ? "policy" : "redirect");
		assert_null(strstr(e.message, "secret"));
		assert_null(strstr(e.message, "passwd"));
	}
	assert_int_equal(web_asked(f->web), 6);
}

/* --- names and addresses --- */

static void given_a_name_of_private_addresses_when_called_then_it_is_refused(void **state)
{
	struct http_fixture *f = *state;
	struct ending        e = http_fixture_ask(
		       f, &(struct http_request){ .url = fixture_url(f, "private.test", "/") });

	expect_failure(&e, "PermissionError", "policy");
	assert_non_null(strstr(e.message, "http-allow-address"));
	assert_int_equal(web_connections(f->web), 0);
}

static void given_a_name_of_several_addresses_when_called_then_an_allowed_one_is_taken(void **state)
{
	struct http_fixture *f = *state;

	web_say(f->web, "/page", HELLO);
	assert_int_equal(
		http_fixture_ask(
			f, &(struct http_request){ .url = fixture_url(f, "mixed.test", "/page") })
			.status,
		200);
}

static void given_a_name_that_is_none_when_called_then_that_is_said(void **state)
{
	struct http_fixture *f = *state;
	struct ending        e = http_fixture_ask(
		       f, &(struct http_request){ .url = fixture_url(f, "nobody.test", "/") });

	expect_failure(&e, "HttpError", "resolve");
	assert_non_null(strstr(e.message, "nobody.test"));
}

static void given_a_name_that_is_not_answered_when_called_then_the_others_go_on(void **state)
{
	enum { MANY = 100 };
	struct http_fixture *f = *state;
	struct http_request  r = { .url = fixture_url(f, "slow.test", "/") };
	struct ending        slow[MANY] = { 0 };

	f->limits.connect_timeout = 300 * GD_NSEC_PER_MSEC;
	http_fixture_reopen(f);
	web_say(f->web, "/page", HELLO);

	for (int i = 0; i < MANY; i++)
		(void)fixture_start(f, &r, &slow[i]);
	for (int i = 0; i < 10; i++)
		assert_int_equal(fixture_get(f, "/page").status, 200);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(slow[i].times, 0);

	/* Nobody ever answers for it: whoever waited for its thread would wait for ever. */
	fixture_await(f, &slow[0]);
	expect_failure(&slow[0], "TimeoutError", "connect");
}

static void given_nobody_at_the_address_when_called_then_that_is_said(void **state)
{
	struct http_fixture *f = *state;
	struct web          *gone = web_open(f->base);
	char                 url[60];
	struct ending        e;

	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)web_port(gone));
	web_close(gone);
	e = http_fixture_ask(f, &(struct http_request){ .url = http_text_of(url) });

	expect_failure(&e, "HttpError", "connect");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_fixture_setup, http_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_redirects_when_followed_then_the_last_answer_counts),
		TEST(given_a_post_when_redirected_then_it_depends_on_the_status),
		TEST(given_credentials_when_redirected_to_another_host_then_they_stay_behind),
		TEST(given_redirects_without_end_when_followed_then_there_is_a_limit),
		TEST(given_redirects_to_where_nobody_may_go_when_followed_then_nobody_goes),
		TEST(given_a_name_of_private_addresses_when_called_then_it_is_refused),
		TEST(given_a_name_of_several_addresses_when_called_then_an_allowed_one_is_taken),
		TEST(given_a_name_that_is_none_when_called_then_that_is_said),
		TEST(given_a_name_that_is_not_answered_when_called_then_the_others_go_on),
		TEST(given_nobody_at_the_address_when_called_then_that_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
