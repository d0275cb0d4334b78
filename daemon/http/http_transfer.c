/* One transfer: what libcurl is told, what it tells, and how it ends. */
#include "daemon/http/http_inside.h"

#include "daemon/value/limits.h"
#include "proto/base/check.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* About what a URL takes that was read, without its text. */
#define HTTP_URL_BYTES 400
#define READ_BYTES 8192L /* of a buffer; each transfer under way has one */
/* The other side may close a connection that was idle for so long at any moment. For a request that
 * is sent only once that would be its end. */
#define IDLE_SECONDS 60L
#define IDLE_SECONDS_ONCE 5L

/* --- what libcurl tells while it runs --- */

static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_transfer *t = ctx;
	int                   fd;

	(void)purpose;
	/* With TLS only when it is connected: it may be one connection for all. */
	if (t->state == TRANSFER_OPENING && !t->url.is_https)
		client_move(t, TRANSFER_MOVING);
	/* Another address of the same host may do. */
	if (http_policy_check_address(t->client->policy, &address->addr, &t->run->refused) != GD_OK)
		return CURL_SOCKET_BAD;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
	            address->protocol);
	if (fd >= 0)
		t->run->sockets++;
	else if (errno == EMFILE || errno == ENFILE)
		transfer_fail(t, "LimitError", "connect", "no descriptor is left for a connection");
	return fd >= 0 ? fd : CURL_SOCKET_BAD;
}

/* There is a connection, and the request is about to be sent: the first time, or again. */
static int on_send(void *ctx, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
	struct http_transfer *t = ctx;

	(void)peer_ip;
	(void)own_ip;
	(void)peer_port;
	(void)own_port;
	if (t->state == TRANSFER_OPENING)
		client_move(t, TRANSFER_MOVING);
	t->run->is_connected = true;
	if (++t->run->sends == 1 || http_is_safe(t->request.method))
		return CURL_PREREQFUNC_OK;
	transfer_fail(
		t, "HttpError", "receive",
		"the connection ended before an answer came; the request may have been taken");
	return CURL_PREREQFUNC_ABORT;
}

/* A coding of which more could come out than of one: each may multiply by a thousand. */
static bool take_coding(struct http_transfer *t, const char *at, size_t chars)
{
	static const char *const NONE[] = { "identity", "none", "chunked" };
	static const char *const KNOWN[] = { "gzip", "x-gzip", "deflate" };

	for (size_t i = 0; i < sizeof NONE / sizeof NONE[0]; i++) {
		if (chars == strlen(NONE[i]) && strncasecmp(at, NONE[i], chars) == 0)
			return true;
	}
	for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
		if (chars == strlen(KNOWN[i]) && strncasecmp(at, KNOWN[i], chars) == 0 &&
		    ++t->run->codings == 1)
			return true;
	}
	transfer_fail(t, "HttpError", "response",
	              "a response whose coding is not gzip or deflate, once");
	return false;
}

static bool take_codings(struct http_transfer *t, const char *line, size_t bytes)
{
	static const char BLANKS[] = " \t\r\n,";
	const char       *colon = memchr(line, ':', bytes);
	const char       *end = line + bytes;
	const char       *at;

	if (colon == NULL)
		return true;
	for (at = colon + 1; at < end;) {
		const char *from = at;

		while (at < end && strchr(BLANKS, *at) == NULL)
			at++;
		if (at > from && !take_coding(t, from, (size_t)(at - from)))
			return false;
		while (at < end && strchr(BLANKS, *at) != NULL)
			at++;
	}
	return true;
}

static bool is_line_of(const char *line, size_t bytes, const char *name)
{
	const size_t chars = strlen(name);

	return bytes > chars && strncasecmp(line, name, chars) == 0;
}

/* Each line of a head, of those before the last one (100, 103) as well, and of a trailer. */
static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
	struct http_transfer *t = ctx;
	const size_t          bytes = size * count;

	if (is_line_of(line, bytes, "HTTP/")) {
		if (is_line_of(line, bytes, "HTTP/2"))
			queue_shares(&t->client->queue, t);
		t->run->header_count = 0;
		t->run->codings = 0;
		t->run->has_head = false;
	} else if (bytes <= 2) {
		t->run->has_head = true;
	} else {
		t->run->header_count++;
	}
	t->run->header_bytes += (uint32_t)bytes;
	if (t->run->header_count > HTTP_HEADERS_MAX ||
	    t->run->header_bytes > HTTP_HEADERS_BYTES_MAX) {
		transfer_fail(t, "LimitError", "response",
		              "a response with more than %u headers, or %u bytes of them",
		              HTTP_HEADERS_MAX, HTTP_HEADERS_BYTES_MAX);
		return 0;
	}
	if ((is_line_of(line, bytes, "Content-Encoding:") ||
	     is_line_of(line, bytes, "Transfer-Encoding:")) &&
	    !take_codings(t, line, bytes))
		return 0;
	return bytes;
}

static size_t on_body(char *at, size_t size, size_t count, void *ctx)
{
	struct http_transfer *t = ctx;
	const size_t          bytes = size * count;

	if (t->run->body.bytes + bytes > t->client->limits.response_bytes) {
		transfer_fail_code(t, CURLE_FILESIZE_EXCEEDED);
		return 0;
	}
	buf_add(&t->run->body, at, bytes);
	if (t->run->body.failed == GD_OK)
		return bytes;
	transfer_fail(t, "LimitError", "response", "no memory for a response");
	return 0;
}

static CURLcode on_tls(CURL *easy, void *tls, void *ctx)
{
	const struct http_transfer *t = ctx;

	(void)easy;
	SSL_CTX_set1_cert_store(tls, http_policy_trust(t->client->policy));
	return CURLE_OK;
}

/* --- what it is told --- */

#define SET(option, value) (curl_easy_setopt(t->run->easy, option, value) == CURLE_OK)

static bool set_callbacks(struct http_transfer *t)
{
	return SET(CURLOPT_PRIVATE, t) && SET(CURLOPT_ERRORBUFFER, t->run->words) &&
	       SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket) && SET(CURLOPT_OPENSOCKETDATA, t) &&
	       SET(CURLOPT_PREREQFUNCTION, on_send) && SET(CURLOPT_PREREQDATA, t) &&
	       SET(CURLOPT_HEADERFUNCTION, on_header) && SET(CURLOPT_HEADERDATA, t) &&
	       SET(CURLOPT_WRITEFUNCTION, on_body) && SET(CURLOPT_WRITEDATA, t) &&
	       SET(CURLOPT_NOSIGNAL, 1L) &&
	       /* Without this, giving up a name that is being resolved would wait for its thread. */
	       SET(CURLOPT_QUICK_EXIT, 1L) && SET(CURLOPT_BUFFERSIZE, READ_BYTES);
}

/* Nothing of the environment, and nothing that one request leaves for the next. */
static bool set_manners(struct http_transfer *t)
{
	const bool is_safe = http_is_safe(t->request.method);

	return SET(CURLOPT_PROTOCOLS_STR, "http,https") && SET(CURLOPT_PROXY, "") &&
	       SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
	       SET(CURLOPT_HTTP09_ALLOWED, 0L) && SET(CURLOPT_ACCEPT_ENCODING, "gzip, deflate") &&
	       SET(CURLOPT_USERAGENT, "gatherd/" PACKAGE_VERSION) &&
	       SET(CURLOPT_MAXAGE_CONN, is_safe ? IDLE_SECONDS : IDLE_SECONDS_ONCE) &&
	       SET(CURLOPT_FRESH_CONNECT, queue_needs_connection(t) ? 1L : 0L) &&
	       SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->client->limits.response_bytes) &&
	       /* Both are timed here, see on_timer(). */
	       SET(CURLOPT_TIMEOUT_MS, 0L) && SET(CURLOPT_CONNECTTIMEOUT_MS, LONG_MAX / 2);
}

static bool set_tls(struct http_transfer *t)
{
	if (!t->url.is_https)
		return SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	return SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) &&
	       /* The others wait to see whether one connection does for all. */
	       SET(CURLOPT_PIPEWAIT, 1L) && SET(CURLOPT_SSL_VERIFYPEER, 1L) &&
	       SET(CURLOPT_SSL_VERIFYHOST, 2L) &&
	       SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
	       SET(CURLOPT_CAINFO, NULL) && SET(CURLOPT_CAPATH, NULL) &&
	       SET(CURLOPT_SSL_CTX_FUNCTION, on_tls) && SET(CURLOPT_SSL_CTX_DATA, t);
}

static bool set_request(struct http_transfer *t)
{
	const struct http_request *r = &t->request;
	char                       method[HTTP_METHOD_BYTES_MAX + 1];
	const bool                 has_body = r->has_body || http_text_is(r->method, "POST") ||
	                      http_text_is(r->method, "PUT") || http_text_is(r->method, "PATCH");

	curl_slist_free_all(t->run->lines);
	t->run->lines = http_request_lines(r);
	if (t->run->lines == NULL || !SET(CURLOPT_HTTPHEADER, t->run->lines) ||
	    !SET(CURLOPT_CURLU, t->url.read))
		return false;
	if (has_body && (!SET(CURLOPT_POST, 1L) ||
	                 !SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.bytes) ||
	                 !SET(CURLOPT_POSTFIELDS, r->body.at)))
		return false;
	if (http_text_is(r->method, "HEAD"))
		return SET(CURLOPT_NOBODY, 1L);
	memcpy(method, r->method.at, r->method.bytes);
	method[r->method.bytes] = '\0';
	return SET(CURLOPT_CUSTOMREQUEST, method);
}

/* --- its time --- */

static void arm(struct http_transfer *t, gd_nsec now)
{
	const gd_nsec        until = !t->run->is_connected && t->run->connect_by < t->run->deadline
	                                     ? t->run->connect_by
	                                     : t->run->deadline;
	const gd_nsec        left = until > now ? until - now : 0;
	/* Rounded up: it must not come early. */
	const struct timeval tv = { .tv_sec = (time_t)(left / GD_NSEC_PER_SEC),
		                    .tv_usec = (suseconds_t)(left % GD_NSEC_PER_SEC / 1000) };

	if (evtimer_add(&t->run->timer, &tv) == 0)
		return;
	transfer_fail(t, "LimitError", "connect", "no memory for a timer");
	client_move(t, TRANSFER_ENDING);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct http_transfer *t = ctx;
	const gd_nsec         now = client_now();

	(void)fd;
	(void)what;
	client_begins(t->client);
	if (t->state == TRANSFER_ENDING)
		return;
	if (now >= t->run->deadline)
		transfer_fail(t, "TimeoutError", t->run->is_connected ? "receive" : "connect",
		              "no answer within %.3g seconds",
		              (double)t->timeout / (double)GD_NSEC_PER_SEC);
	else if (!t->run->is_connected && now >= t->run->connect_by)
		transfer_fail(t, "TimeoutError", "connect",
		              "no connection within %.3g seconds, which is http-connect-timeout",
		              (double)t->client->limits.connect_timeout / (double)GD_NSEC_PER_SEC);
	if (t->type == NULL)
		arm(t, now); /* connected meanwhile, or the event base's clock was behind */
	else
		client_move(t, TRANSFER_ENDING);
}

/* --- its life --- */

struct http_transfer *transfer_new(struct http_client *c, const struct http_request *r,
                                   struct http_url *url)
{
	struct http_transfer *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->client = c;
	t->state = TRANSFER_STATES;
	t->bytes = sizeof *t + HTTP_URL_BYTES + strlen(url->text) + http_request_bytes(r);
	t->timeout = c->limits.timeout;
	if (r->timeout > 0 && r->timeout < t->timeout)
		t->timeout = r->timeout;
	t->block = http_request_copy(&t->request, r);
	if (t->block == NULL) {
		transfer_free(t);
		return NULL;
	}
	t->url = *url;
	*url = (struct http_url){ 0 };
	if (queue_join(&c->queue, t))
		return t;
	transfer_free(t);
	return NULL;
}

static void run_free(struct http_client *c, struct transfer_run *run)
{
	(void)evtimer_del(&run->timer);
	(void)curl_multi_remove_handle(c->multi, run->easy);
	curl_easy_cleanup(run->easy);
	curl_slist_free_all(run->lines);
	buf_close(&run->body);
	free(run);
}

void transfer_free(struct http_transfer *t)
{
	if (t->state != TRANSFER_STATES || t->origin != NULL)
		client_move(t, TRANSFER_STATES);
	if (t->run != NULL)
		run_free(t->client, t->run);
	http_url_close(&t->url);
	free(t->block);
	free(t);
}

static bool run_new(struct http_transfer *t, gd_nsec now)
{
	struct transfer_run *run = calloc(1, sizeof *run);

	if (run == NULL)
		return false;
	run->easy = curl_easy_init();
	if (run->easy == NULL) {
		free(run);
		return false;
	}
	run->deadline = now + t->timeout;
	CHECK(evtimer_assign(&run->timer, t->client->base, on_timer, t) == 0);
	t->run = run;
	return true;
}

static void begin_hop(struct http_transfer *t, gd_nsec now)
{
	struct transfer_run *run = t->run;

	curl_easy_reset(run->easy);
	buf_clear(&run->body);
	run->header_bytes = run->header_count = run->codings = 0;
	run->sends = run->sockets = 0;
	run->is_connected = run->has_head = false;
	run->refused.code = GD_OK;
	run->words[0] = '\0';
	run->connect_by = now + t->client->limits.connect_timeout;
}

bool transfer_go(struct http_transfer *t)
{
	const gd_nsec now = client_now();

	if (t->run == NULL && !run_new(t, now)) {
		t->type = "LimitError";
		t->stage = "connect";
		t->message = "no memory for a request";
		return false;
	}
	begin_hop(t, now);
	if ((t->origin == NULL && !queue_join(&t->client->queue, t)) || !set_callbacks(t) ||
	    !set_manners(t) || !set_tls(t) || !set_request(t) ||
	    curl_multi_add_handle(t->client->multi, t->run->easy) != CURLM_OK) {
		transfer_fail(t, "LimitError", "connect", "no memory for a request");
		return false;
	}
	client_move(t, TRANSFER_OPENING);
	arm(t, now);
	return true;
}

static long status_of(const struct http_transfer *t)
{
	long status = 0;

	(void)curl_easy_getinfo(t->run->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* Where the answer leads. NULL: nowhere, it is an answer. */
static const char *redirect_of(const struct http_transfer *t)
{
	const long  status = status_of(t);
	const char *to = NULL;

	if (t->client->limits.redirects == 0 ||
	    !(status == 301 || status == 302 || status == 303 || status == 307 || status == 308))
		return NULL;
	(void)curl_easy_getinfo(t->run->easy, CURLINFO_REDIRECT_URL, &to);
	return to;
}

static bool follow(struct http_transfer *t, const char *to)
{
	struct http_url url;
	struct gd_error why;

	if (t->redirects == t->client->limits.redirects) {
		transfer_fail(t, "LimitError", "redirect",
		              "more than %u redirects, which is http-redirects",
		              (unsigned)t->redirects);
		return false;
	}
	if (http_url_read(&url, (struct http_text){ to, strlen(to) }, &why) != GD_OK) {
		transfer_fail(t, "HttpError", "redirect", "%s", why.text);
		return false;
	}
	if (http_policy_check_redirect(t->client->policy, &t->url, &url, &why) != GD_OK) {
		transfer_fail_why(t, "redirect", &why);
		http_url_close(&url);
		return false;
	}
	http_request_redirect(&t->request, (uint32_t)status_of(t),
	                      http_url_is_same_origin(&t->url, &url));
	queue_leave(&t->client->queue, t);
	http_url_close(&t->url);
	t->url = url;
	t->redirects++;
	return transfer_go(t);
}

bool transfer_goes_on(struct http_transfer *t, CURLcode code)
{
	const char *to;

	(void)curl_multi_remove_handle(t->client->multi, t->run->easy);
	if (code == CURLE_COULDNT_CONNECT && t->run->sockets == 0 && t->run->refused.code != GD_OK)
		transfer_fail_why(t, "policy", &t->run->refused);
	if (code != CURLE_OK)
		transfer_fail_code(t, code);
	else if (!t->run->has_head) /* for libcurl that is an answer */
		transfer_fail(t, "HttpError", "receive", "the connection ended within the headers");
	if (t->type != NULL)
		return false;
	queue_frees(t);
	to = redirect_of(t);
	return to != NULL && follow(t, to);
}

/* --- its end --- */

static struct http_text text_of(const char *at)
{
	return (struct http_text){ at, strlen(at) };
}

static void tell(struct http_transfer *t, struct http_answer *answer)
{
	struct http_field   headers[HTTP_HEADERS_MAX];
	struct curl_header *h = NULL;

	answer->headers = headers;
	while (answer->header_count < HTTP_HEADERS_MAX &&
	       (h = curl_easy_nextheader(t->run->easy, CURLH_HEADER, -1, h)) != NULL)
		headers[answer->header_count++] =
			(struct http_field){ text_of(h->name), text_of(h->value) };
	answer->status = (uint32_t)status_of(t);
	answer->body = (struct http_text){ t->run->body.bytes == 0 ? "" : t->run->body.at,
		                           t->run->body.bytes };
	t->done(t->ctx, answer);
}

void transfer_finish(struct http_transfer *t)
{
	struct http_answer answer = { .url = t->url.text };

	/* Its slot is free for what done() may start. */
	client_move(t, TRANSFER_STATES);
	if (t->done != NULL && t->type == NULL) {
		tell(t, &answer);
	} else if (t->done != NULL) {
		answer.type = t->type;
		answer.stage = t->stage;
		answer.message = t->message;
		t->done(t->ctx, &answer);
	}
	transfer_free(t);
}
