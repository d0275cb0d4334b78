/* daemon/http/: what is asked and what is answered, against a server of the test. */
#include "tests/lib/http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* --- requests and answers --- */

static void given_a_page_when_asked_for_then_it_comes_once(void **state)
{
	struct http_fixture *f = *state;
	struct ending        e;

	web_say(f->web, "/page", HELLO);

	e = fixture_get(f, "/page");

	assert_int_equal(e.status, 200);
	assert_string_equal(e.type, "");
	assert_string_equal(e.header, "here");
	assert_string_equal(e.body, "hello");
	assert_string_equal(e.url, f->url);
	fixture_idle(f);
}

static void given_a_request_when_sent_then_it_says_what_it_was_told(void **state)
{
	struct http_fixture    *f = *state;
	const struct http_field headers[] = { { http_text_of("X-One"), http_text_of("1") },
		                              { http_text_of("X-Empty"), http_text_of("") } };
	const struct http_field query[] = { { http_text_of("q"), http_text_of("a b") } };
	struct http_request     r = { .method = http_text_of("POST"),
		                      .headers = headers,
		                      .header_count = 2,
		                      .query = query,
		                      .query_count = 1,
		                      .body = http_text_of("{\"a\":1}"),
		                      .has_body = true,
		                      .content_type = http_text_of("application/json"),
		                      .idempotency_key = http_text_of("store-1-2-3") };
	const char             *heard;

	web_say(f->web, "/in?x&q=a%20b", HELLO);
	r.url = fixture_url(f, "127.0.0.1", "/in?x");
	assert_int_equal(http_fixture_ask(f, &r).status, 200);

	heard = web_heard(f->web);
	assert_ptr_equal(strstr(heard, "POST /in?x&q=a%20b HTTP/1.1\r\nHost: 127.0.0.1:"), heard);
	assert_non_null(strstr(heard, "\r\nUser-Agent: gatherd/"));
	assert_non_null(strstr(heard, "\r\nX-One: 1\r\n"));
	assert_non_null(strstr(heard, "\r\nX-Empty:\r\n"));
	assert_non_null(strstr(heard, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(heard, "\r\nContent-Length: 7\r\n"));
	assert_non_null(strstr(heard, "\r\nIdempotency-Key: store-1-2-3\r\n"));
	assert_non_null(strstr(heard, "\r\nAccept-Encoding: gzip, deflate\r\n"));
	assert_non_null(strstr(heard, "\r\n\r\n{\"a\":1}"));
	assert_null(strstr(heard, "Expect"));
	assert_null(strstr(heard, "Cookie"));
}

static void given_headers_of_its_own_when_sent_then_they_count(void **state)
{
	struct http_fixture    *f = *state;
	const struct http_field headers[] = {
		{ http_text_of("idempotency-key"), http_text_of("mine") },
		{ http_text_of("User-Agent"), http_text_of("me") },
		{ http_text_of("content-type"), http_text_of("text/x") }
	};
	struct http_request r = { .method = http_text_of("PUT"),
		                  .headers = headers,
		                  .header_count = 3,
		                  .body = http_text_of("b"),
		                  .has_body = true,
		                  .content_type = http_text_of("text/plain"),
		                  .idempotency_key = http_text_of("ours") };
	const char         *heard;

	r.url = fixture_url(f, "127.0.0.1", "/");
	assert_int_equal(http_fixture_ask(f, &r).status, 404);

	heard = web_heard(f->web);
	assert_non_null(strstr(heard, "\r\nidempotency-key: mine\r\n"));
	assert_non_null(strstr(heard, "\r\nUser-Agent: me\r\n"));
	assert_non_null(strstr(heard, "\r\ncontent-type: text/x\r\n"));
	assert_null(strstr(heard, "ours"));
	assert_null(strstr(heard, "text/plain"));
	assert_null(strstr(heard, "gatherd/"));
}

static void given_methods_when_sent_then_each_is_as_it_is_written(void **state)
{
	static const char *const METHODS[] = { "GET",   "HEAD",   "POST",    "PUT",
		                               "PATCH", "DELETE", "OPTIONS", "PROPFIND" };
	struct http_fixture     *f = *state;

	web_put(f->web, "/head", OK_HEAD "Content-Length: 5\r\n\r\n", 38, WEB_KEEP);
	for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++) {
		const bool          is_head = strcmp(METHODS[i], "HEAD") == 0;
		struct http_request r = { .method = http_text_of(METHODS[i]) };
		struct ending       e;
		char                line[40];

		r.url = fixture_url(f, "127.0.0.1", is_head ? "/head" : "/");
		e = http_fixture_ask(f, &r);

		assert_int_equal(e.status, is_head ? 200 : 404);
		assert_int_equal(e.body_bytes, 0);
		(void)snprintf(line, sizeof line, "%s /", METHODS[i]);
		assert_non_null(strstr(web_heard(f->web), line));
	}
	assert_null(strstr(web_heard(f->web), "urlencoded"));
}

static void given_bad_requests_when_started_then_each_is_refused_with_words(void **state)
{
	static const struct {
		const char *method, *name, *value;
	} WRONG[] = {
		{ "get", "X", "y" },
		{ "G ET", "X", "y" },
		{ "CONNECT", "X", "y" },
		{ "TRACE", "X", "y" },
		{ "GET\r\nX: y", "X", "y" },
		{ "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "X", "y" },
		{ "GET", "", "y" },
		{ "GET", "X\r\nY", "y" },
		{ "GET", "X:", "y" },
		{ "GET", "X Y", "y" },
		{ "GET", "X", "y\r\nZ: 1" },
		{ "GET", "X", "y\n" },
		{ "GET", "X", "\x7f" },
		{ "GET", "host", "other.test" },
		{ "GET", "Content-Length", "5" },
		{ "GET", "Transfer-Encoding", "chunked" },
		{ "GET", "Connection", "close" },
		{ "GET", "Proxy-Authorization", "Basic" },
		{ "GET", "Accept-Encoding", "br" },
	};
	struct http_fixture *f = *state;
	struct gd_error      why;

	for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
		const struct http_field h = { http_text_of(WRONG[i].name),
			                      http_text_of(WRONG[i].value) };
		struct http_request     r = { .method = http_text_of(WRONG[i].method),
			                      .headers = &h,
			                      .header_count = 1 };

		r.url = fixture_url(f, "127.0.0.1", "/");
		if (fixture_refused(f, &r, &why) != GD_INVALID_PARAMS)
			fail_msg("%s %s: %s", WRONG[i].method, WRONG[i].name, WRONG[i].value);
		assert_int_not_equal(why.text[0], '\0');
	}
	fixture_idle(f);
}

static void given_too_much_when_started_then_it_is_a_limit(void **state)
{
	struct http_fixture *f = *state;
	const size_t         bytes = 2u << 20;
	char                *much = calloc(1, bytes);
	struct http_field    header = { http_text_of("X"), { much, 70000 } };
	struct http_request  r = { .url = fixture_url(f, "127.0.0.1", "/"), .has_body = true };
	struct gd_error      why;

	assert_non_null(much);
	memset(much, 'a', bytes);
	r.body = (struct http_text){ much, bytes };
	assert_int_equal(fixture_refused(f, &r, &why), GD_LIMIT);
	r.body.bytes = 0;
	r.headers = &header;
	r.header_count = 1;
	assert_int_equal(fixture_refused(f, &r, &why), GD_LIMIT);
	r.header_count = 0;
	r.url.bytes = 0;
	assert_int_equal(fixture_refused(f, &r, &why), GD_INVALID_PARAMS);
	assert_string_equal(http_error_type(GD_LIMIT), "LimitError");
	assert_string_equal(http_error_type(GD_INVALID_PARAMS), "ValueError");
	assert_string_equal(http_error_type(GD_FORBIDDEN), "PermissionError");
	free(much);
}

static void given_a_body_at_the_limit_when_sent_then_the_server_has_all_of_it(void **state)
{
	struct http_fixture *f = *state;
	const size_t         bytes = 1u << 20;
	char                *much = malloc(bytes);
	struct http_request  r = { .method = http_text_of("POST"), .has_body = true };

	assert_non_null(much);
	memset(much, 'b', bytes);
	r.body = (struct http_text){ much, bytes };
	r.url = fixture_url(f, "127.0.0.1", "/in");
	web_say(f->web, "/in", HELLO);

	assert_int_equal(http_fixture_ask(f, &r).status, 200);

	assert_int_equal(strspn(strchr(strstr(web_heard(f->web), "\r\n\r\n"), 'b'), "b"), bytes);
	free(much);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_fixture_setup, http_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_a_page_when_asked_for_then_it_comes_once),
		TEST(given_a_request_when_sent_then_it_says_what_it_was_told),
		TEST(given_headers_of_its_own_when_sent_then_they_count),
		TEST(given_methods_when_sent_then_each_is_as_it_is_written),
		TEST(given_bad_requests_when_started_then_each_is_refused_with_words),
		TEST(given_too_much_when_started_then_it_is_a_limit),
		TEST(given_a_body_at_the_limit_when_sent_then_the_server_has_all_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
