/*
 * http_fixture.h - an HTTP client, and a server for it, on one event base, for unit tests.
 *
 * Names need no name server: here.test and there.test are 127.0.0.1, where the server is, and the
 * only address that is allowed; private.test is 10.0.0.1 and 169.254.169.254, mixed.test 10.0.0.1
 * and 127.0.0.1; slow.test is not answered. Others do not exist. Allowed are *.test and 127.0.0.1.
 *
 * A test that hangs is ended after a minute. Threads: one.
 */
#ifndef GATHERD_TESTS_HTTP_FIXTURE_H
#define GATHERD_TESTS_HTTP_FIXTURE_H

#include "daemon/http/http.h"
#include "tests/lib/web.h"

#include <string.h>

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define HELLO OK_HEAD "X-Answer: here\r\nContent-Length: 5\r\n\r\nhello"

/* How a request ended; texts are copies. */
struct ending {
	uint32_t times;
	uint32_t status;
	char     url[300];
	char     header[100]; /* X-Answer, if it came */
	char     body[300];   /* the first bytes */
	size_t   body_bytes;
	char     type[40];
	char     stage[40];
	char     message[300];
	void (*then)(struct ending *e); /* NULL: nothing */
	void *ctx;                      /* its own */
};

struct http_fixture {
	struct event_base  *base;
	struct web         *web;
	struct http_policy *policy;
	struct http_client *client;
	struct http_limits  limits;
	char                url[300]; /* the last one of fixture_url() */
};

int  http_fixture_setup(void **state);
int  http_fixture_teardown(void **state);
/* A client with the limits that are now in `f`. */
void http_fixture_reopen(struct http_fixture *f);

/* Of the server, by one of its names. */
struct http_text      fixture_url(struct http_fixture *f, const char *host, const char *path);
struct http_transfer *fixture_start(struct http_fixture *f, const struct http_request *r,
                                    struct ending *e);
/* What http_start() says. */
enum gd_err           fixture_refused(struct http_fixture *f, const struct http_request *r,
                                      struct gd_error *why);
/* Turns until it has ended. */
void                  fixture_await(struct http_fixture *f, const struct ending *e);
struct ending         http_fixture_ask(struct http_fixture *f, const struct http_request *r);
struct ending         fixture_get(struct http_fixture *f, const char *path);
/* Turns until nothing is under way. */
void                  fixture_idle(struct http_fixture *f);
void                  expect_failure(const struct ending *e, const char *type, const char *stage);

static inline struct http_text http_text_of(const char *at)
{
	return (struct http_text){ at, strlen(at) };
}

#endif
