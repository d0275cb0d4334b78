/* daemon/http/: limits, time, failures, aborts: how requests end that do not just get an answer. */
#include "tests/lib/http_fixture.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define REDIRECT(status, to) \
	"HTTP/1.1 " status " Elsewhere\r\nContent-Length: 4\r\nLocation: " to "\r\n\r\nmove"

/* --- limits --- */

static void given_responses_that_are_too_large_when_read_then_it_is_a_limit(void **state)
{
	static char          announced[200], pieces[20100], headers[70000];
	struct http_fixture *f = *state;
	struct ending        e;

	(void)snprintf(announced, sizeof announced, OK_HEAD "Content-Length: 1000000000\r\n\r\n");
	web_say(f->web, "/announced", announced);
	(void)snprintf(pieces, sizeof pieces, "HTTP/1.0 200 OK\r\n\r\n");
	memset(pieces + strlen(pieces), 'x', 20000);
	web_put(f->web, "/flood", pieces, 20000, WEB_FLOOD);
	(void)snprintf(headers, sizeof headers, OK_HEAD "X: ");
	memset(headers + strlen(headers), 'y', 66000);
	memcpy(headers + 66000, "\r\n\r\n", 5);
	web_put(f->web, "/headers", headers, 66004, WEB_CLOSE);
	web_put(f->web, "/lines", "HTTP/1.1 100 Continue\r\n\r\n", 25, WEB_FLOOD);

	e = fixture_get(f, "/announced");
	expect_failure(&e, "LimitError", "response");
	e = fixture_get(f, "/flood");
	expect_failure(&e, "LimitError", "response");
	e = fixture_get(f, "/headers");
	expect_failure(&e, "LimitError", "response");
	e = fixture_get(f, "/lines");
	expect_failure(&e, "LimitError", "response");
}

static void given_very_many_headers_when_read_then_it_is_a_limit(void **state)
{
	struct http_fixture *f = *state;
	struct buf           b = { 0 };
	struct ending        e;

	buf_add_text(&b, OK_HEAD "Content-Length: 0\r\n");
	for (int i = 0; i < 300; i++)
		buf_addf(&b, "A%d:\r\n", i);
	buf_add_text(&b, "\r\n");
	web_put(f->web, "/many", b.at, b.bytes, WEB_KEEP);

	e = fixture_get(f, "/many");

	expect_failure(&e, "LimitError", "response");
	buf_close(&b);
}

/* 100,000 zero bytes, by gzip. */
static const unsigned char BOMB[] = {
	0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xc1, 0x31, 0x01, 0x00,
	0x00, 0x00, 0xc2, 0xa0, 0xf5, 0x4f, 0x6d, 0x0d, 0x0f, 0xa0, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x80, 0x57, 0x03, 0x7d, 0x95, 0x11, 0xd4, 0xa0, 0x86, 0x01, 0x00
};

static void given_compressed_responses_when_read_then_what_comes_out_counts(void **state)
{
	struct http_fixture *f = *state;
	struct buf           once = { 0 }, twice = { 0 }, other = { 0 };
	struct ending        e;

	buf_addf(&once, OK_HEAD "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
	         sizeof BOMB);
	buf_add(&once, BOMB, sizeof BOMB);
	buf_addf(&twice, OK_HEAD "Content-Encoding: gzip, gzip\r\nContent-Length: %zu\r\n\r\n",
	         sizeof BOMB);
	buf_add(&twice, BOMB, sizeof BOMB);
	buf_addf(&other, OK_HEAD "Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx");
	web_put(f->web, "/once", once.at, once.bytes, WEB_KEEP);
	web_put(f->web, "/twice", twice.at, twice.bytes, WEB_KEEP);
	web_put(f->web, "/other", other.at, other.bytes, WEB_KEEP);

	e = fixture_get(f, "/once");
	expect_failure(&e, "LimitError", "response");
	e = fixture_get(f, "/twice");
	expect_failure(&e, "HttpError", "response");
	e = fixture_get(f, "/other");
	expect_failure(&e, "HttpError", "response");

	f->limits.response_bytes = 100000;
	http_fixture_reopen(f);
	e = fixture_get(f, "/once");
	assert_int_equal(e.status, 200);
	assert_int_equal(e.body_bytes, 100000);
	buf_close(&once);
	buf_close(&twice);
	buf_close(&other);
}

static void given_more_requests_than_slots_when_started_then_the_others_wait(void **state)
{
	enum { MANY = 300, SLOTS = 7 };
	struct http_fixture *f = *state;
	struct http_request  r = { .url = fixture_url(f, "127.0.0.1", "/page") };
	struct ending       *e = calloc(MANY, sizeof *e);
	uint32_t             running, waiting;

	assert_non_null(e);
	f->limits.transfers = SLOTS;
	http_fixture_reopen(f);
	web_say(f->web, "/page", HELLO);

	for (int i = 0; i < MANY; i++)
		(void)fixture_start(f, &r, &e[i]);
	for (int i = 0; i < MANY; i++) {
		fixture_await(f, &e[i]);
		assert_int_equal(e[i].status, 200);
		http_client_counts(f->client, &running, &waiting);
		assert_true(running <= SLOTS);
	}
	fixture_idle(f);
	assert_true(web_connections(f->web) <= SLOTS);
	free(e);
}

/* --- time --- */

static void given_a_silent_server_when_asked_then_the_request_has_its_own_time(void **state)
{
	struct http_fixture *f = *state;
	struct http_request  r = { .timeout = 50 * GD_NSEC_PER_MSEC };
	struct timeval       before, after, took;
	struct ending        e;

	web_put(f->web, "/silent", NULL, 0, WEB_KEEP);
	r.url = fixture_url(f, "127.0.0.1", "/silent");
	(void)evutil_gettimeofday(&before, NULL);
	e = http_fixture_ask(f, &r);
	(void)evutil_gettimeofday(&after, NULL);

	expect_failure(&e, "TimeoutError", "receive");
	assert_string_equal(e.message, "no answer within 0.05 seconds");
	evutil_timersub(&after, &before, &took);
	assert_true(took.tv_sec > 0 || took.tv_usec >= 50000);
}

static void given_a_timeout_above_the_limit_when_asked_then_the_limit_holds(void **state)
{
	struct http_fixture *f = *state;
	struct http_request  r = { .timeout = 3600 * GD_NSEC_PER_SEC };
	struct ending        e;

	f->limits.timeout = 20 * GD_NSEC_PER_MSEC;
	http_fixture_reopen(f);
	web_put(f->web, "/silent", NULL, 0, WEB_KEEP);
	r.url = fixture_url(f, "127.0.0.1", "/silent");

	e = http_fixture_ask(f, &r);

	expect_failure(&e, "TimeoutError", "receive");
}

/* --- connections that end --- */

static void
given_a_connection_that_ends_when_it_was_used_before_then_only_safe_requests_are_repeated(
	void **state)
{
	struct http_fixture *f = *state;
	struct http_request  r = { .method = http_text_of("POST") };
	struct ending        e;

	web_say(f->web, "/page", HELLO);
	web_put(f->web, "/drop", NULL, 0, WEB_CLOSE);

	assert_int_equal(fixture_get(f, "/page").status, 200);
	r.url = fixture_url(f, "127.0.0.1", "/drop");
	e = http_fixture_ask(f, &r);
	expect_failure(&e, "HttpError", "receive");
	assert_non_null(strstr(e.message, "may have been taken"));
	assert_int_equal(web_asked(f->web), 2);

	assert_int_equal(fixture_get(f, "/page").status, 200);
	e = fixture_get(f, "/drop");
	expect_failure(&e, "HttpError", "receive");
	assert_int_equal(web_asked(f->web), 5);
}

static void given_answers_that_are_none_when_read_then_they_are_refused(void **state)
{
	static const char *const WRONG[] = {
		"nonsense that is no head\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nwhat",
		"HTTP/1.1 99999 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: y\r\n",
		"HTTP/1.1 200 OK\r\nContent-Le",
		"HTTP/1.1 100 Continue\r\n\r\n",
	};
	struct http_fixture *f = *state;

	for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
		char          path[20];
		struct ending e;

		(void)snprintf(path, sizeof path, "/wrong%zu", i);
		web_put(f->web, path, WRONG[i], strlen(WRONG[i]), WEB_CLOSE);
		e = fixture_get(f, path);
		expect_failure(&e, "HttpError", "receive");
	}
}

/* --- aborts --- */

static void given_a_request_when_aborted_at_any_moment_then_nothing_is_heard_of_it(void **state)
{
	struct http_fixture *f = *state;
	struct ending        e = { 0 };

	web_say(f->web, "/there", REDIRECT("302", "/page"));
	web_put(f->web, "/page", HELLO, sizeof HELLO - 2, WEB_KEEP); /* its last byte is missing */

	for (int turns = 0; turns < 25; turns++) {
		struct http_request r = {
			.url = fixture_url(f, turns % 2 == 0 ? "127.0.0.1" : "here.test", "/there")
		};
		struct http_transfer *t = fixture_start(f, &r, &e);

		for (int i = 0; i < turns; i++)
			assert_true(event_base_loop(f->base, EVLOOP_NONBLOCK) >= 0);
		assert_int_equal(e.times, 0);
		http_abort(t);
		fixture_idle(f);
	}
	assert_int_equal(e.times, 0);
}

struct pair {
	struct http_fixture  *f;
	struct http_transfer *other;
	struct ending         next;
};

static void abort_other_and_start(struct ending *e)
{
	struct pair        *p = e->ctx;
	struct http_request r = { .url = fixture_url(p->f, "127.0.0.1", "/page") };

	http_abort(p->other);
	(void)fixture_start(p->f, &r, &p->next);
}

static void given_an_end_when_it_aborts_another_and_starts_one_then_that_works(void **state)
{
	struct http_fixture *f = *state;
	struct http_request  r = { .url = fixture_url(f, "127.0.0.1", "/page") };
	struct pair          p = { .f = f };
	struct ending        silent = { 0 };
	struct ending        first = { .then = abort_other_and_start, .ctx = &p };

	web_say(f->web, "/page", HELLO);
	web_put(f->web, "/silent", NULL, 0, WEB_KEEP);
	(void)fixture_start(f, &r, &first);
	r.url = fixture_url(f, "127.0.0.1", "/silent");
	p.other = fixture_start(f, &r, &silent);

	fixture_await(f, &first);
	fixture_await(f, &p.next);
	fixture_idle(f);

	assert_int_equal(p.next.status, 200);
	assert_int_equal(silent.times, 0);
}

static void given_requests_under_way_when_the_client_is_closed_then_nothing_is_heard_of_them(
	void **state)
{
	struct http_fixture *f = *state;
	struct ending        e = { 0 };

	f->limits.transfers = 20;
	http_fixture_reopen(f);
	web_put(f->web, "/silent", NULL, 0, WEB_KEEP);
	for (int i = 0; i < 60; i++) {
		const char *host = i % 3 == 0 ? "slow.test" : "127.0.0.1";

		(void)fixture_start(
			f, &(struct http_request){ .url = fixture_url(f, host, "/silent") }, &e);
	}
	while (web_asked(f->web) == 0)
		assert_int_equal(event_base_loop(f->base, EVLOOP_ONCE), 0);

	http_fixture_reopen(f);

	assert_int_equal(event_base_loop(f->base, EVLOOP_NONBLOCK), 0);
	assert_int_equal(e.times, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_fixture_setup, http_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_responses_that_are_too_large_when_read_then_it_is_a_limit),
		TEST(given_very_many_headers_when_read_then_it_is_a_limit),
		TEST(given_compressed_responses_when_read_then_what_comes_out_counts),
		TEST(given_more_requests_than_slots_when_started_then_the_others_wait),
		TEST(given_a_silent_server_when_asked_then_the_request_has_its_own_time),
		TEST(given_a_timeout_above_the_limit_when_asked_then_the_limit_holds),
		TEST(given_a_connection_that_ends_when_it_was_used_before_then_only_safe_requests_are_repeated),
		TEST(given_answers_that_are_none_when_read_then_they_are_refused),
		TEST(given_a_request_when_aborted_at_any_moment_then_nothing_is_heard_of_it),
		TEST(given_an_end_when_it_aborts_another_and_starts_one_then_that_works),
		TEST(given_requests_under_way_when_the_client_is_closed_then_nothing_is_heard_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
