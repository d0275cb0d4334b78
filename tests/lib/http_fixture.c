#include "tests/lib/http_fixture.h"

#include <event2/event.h>
#include <netdb.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_SECONDS 60

/* --- names, instead of a name server --- */

static sem_t slow_names;

static struct addrinfo *address_of(uint32_t ip, const char *port, struct addrinfo *next)
{
	struct {
		struct addrinfo    info;
		struct sockaddr_in address;
	} *both = calloc(1, sizeof *both);

	if (both == NULL)
		abort();
	both->address.sin_family = AF_INET;
	both->address.sin_addr.s_addr = htonl(ip);
	both->address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	both->info = (struct addrinfo){ .ai_family = AF_INET,
		                        .ai_socktype = SOCK_STREAM,
		                        .ai_protocol = IPPROTO_TCP,
		                        .ai_addrlen = sizeof both->address,
		                        .ai_addr = (struct sockaddr *)&both->address,
		                        .ai_next = next };
	return &both->info;
}

/* libcurl's threads come here: the linker takes this one for everybody. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
	(void)hints;
	*out = NULL;
	if (strcmp(name, "slow.test") == 0) {
		while (sem_wait(&slow_names) != 0)
			;
		return EAI_AGAIN;
	}
	if (strcmp(name, "here.test") == 0 || strcmp(name, "there.test") == 0)
		*out = address_of(INADDR_LOOPBACK, service, NULL);
	if (strcmp(name, "private.test") == 0)
		*out = address_of(0x0a000001, service, address_of(0xa9fea9fe, service, NULL));
	if (strcmp(name, "mixed.test") == 0)
		*out = address_of(0x0a000001, service, address_of(INADDR_LOOPBACK, service, NULL));
	return *out == NULL ? EAI_NONAME : 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	while (list != NULL) {
		struct addrinfo *next = list->ai_next;

		free(list);
		list = next;
	}
}

/* --- the fixture --- */

static void open_client(struct http_fixture *f)
{
	static const char *const        HOSTS[] = { "127.0.0.1, *.test" };
	static const char *const        NETWORKS[] = { "127.0.0.1" };
	const struct http_policy_config config = {
		.hosts = HOSTS, .host_count = 1, .networks = NETWORKS, .network_count = 1
	};
	struct gd_error why;

	assert_int_equal(http_policy_open(&config, &f->policy, &why), GD_OK);
	assert_int_equal(http_client_open(f->base, f->policy, &f->limits, &f->client, &why), GD_OK);
}

int http_fixture_setup(void **state)
{
	struct http_fixture *f = calloc(1, sizeof *f);

	if (f == NULL || sem_init(&slow_names, 0, 0) != 0)
		return -1;
	alarm(PATIENCE_SECONDS);
	f->base = event_base_new();
	f->web = web_open(f->base);
	f->limits = (struct http_limits){ .transfers = 100,
		                          .redirects = 5,
		                          .connect_timeout = 30 * GD_NSEC_PER_SEC,
		                          .timeout = 30 * GD_NSEC_PER_SEC,
		                          .response_bytes = 65536 };
	open_client(f);
	*state = f;
	return 0;
}

int http_fixture_teardown(void **state)
{
	struct http_fixture *f = *state;

	http_client_close(f->client);
	http_policy_close(f->policy);
	web_close(f->web);
	event_base_free(f->base);
	free(f);
	alarm(0);
	return 0;
}

void http_fixture_reopen(struct http_fixture *f)
{
	http_client_close(f->client);
	http_policy_close(f->policy);
	open_client(f);
}

struct http_text fixture_url(struct http_fixture *f, const char *host, const char *path)
{
	(void)snprintf(f->url, sizeof f->url, "http://%s:%u%s", host, (unsigned)web_port(f->web),
	               path);
	return http_text_of(f->url);
}

static void on_done(void *ctx, const struct http_answer *a)
{
	struct ending *e = ctx;

	e->times++;
	e->status = a->status;
	(void)snprintf(e->url, sizeof e->url, "%s", a->url);
	for (uint32_t i = 0; i < a->header_count; i++) {
		if (strcmp(a->headers[i].name.at, "X-Answer") == 0)
			(void)snprintf(e->header, sizeof e->header, "%.*s",
			               (int)a->headers[i].value.bytes, a->headers[i].value.at);
	}
	e->body_bytes = a->body.bytes;
	if (a->body.bytes != 0)
		memcpy(e->body, a->body.at,
		       a->body.bytes < sizeof e->body - 1 ? a->body.bytes : sizeof e->body - 1);
	if (a->type != NULL) {
		(void)snprintf(e->type, sizeof e->type, "%s", a->type);
		(void)snprintf(e->stage, sizeof e->stage, "%s", a->stage);
		(void)snprintf(e->message, sizeof e->message, "%s", a->message);
	}
	if (e->then != NULL)
		e->then(e);
}

struct http_transfer *fixture_start(struct http_fixture *f, const struct http_request *r,
                                    struct ending *e)
{
	struct http_transfer *t = NULL;
	struct gd_error       why = { 0 };

	if (http_start(f->client, r, on_done, e, &t, &why) != GD_OK)
		fail_msg("refused: %s", why.text);
	assert_int_equal(e->times, 0);
	return t;
}

enum gd_err fixture_refused(struct http_fixture *f, const struct http_request *r,
                            struct gd_error *why)
{
	struct http_transfer *t;

	return http_start(f->client, r, on_done, NULL, &t, why);
}

void fixture_await(struct http_fixture *f, const struct ending *e)
{
	while (e->times == 0)
		assert_int_equal(event_base_loop(f->base, EVLOOP_ONCE), 0);
	assert_int_equal(e->times, 1);
}

struct ending http_fixture_ask(struct http_fixture *f, const struct http_request *r)
{
	struct ending e = { 0 };

	(void)fixture_start(f, r, &e);
	fixture_await(f, &e);
	return e;
}

struct ending fixture_get(struct http_fixture *f, const char *path)
{
	return http_fixture_ask(f,
	                        &(struct http_request){ .url = fixture_url(f, "127.0.0.1", path) });
}

void expect_failure(const struct ending *e, const char *type, const char *stage)
{
	if (strcmp(e->type, type) != 0 || strcmp(e->stage, stage) != 0)
		fail_msg("%u %s %s: %s", e->status, e->type, e->stage, e->message);
	assert_int_equal(e->status, 0);
	assert_int_not_equal(e->message[0], '\0');
}

void fixture_idle(struct http_fixture *f)
{
	uint32_t running = 1, waiting = 1;

	while (running != 0 || waiting != 0) {
		http_client_counts(f->client, &running, &waiting);
		if (running != 0 || waiting != 0)
			assert_int_equal(event_base_loop(f->base, EVLOOP_ONCE), 0);
	}
}
