#include "daemon/http/http_request.h"

#include "daemon/value/limits.h"
#include "proto/base/buf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define IMPLIED_MAX 2u /* headers: Content-Type, Idempotency-Key */

/* They belong to the connection, or are made from the request. A '-' at the end: all that begin so. */
static const char *const FORBIDDEN[] = {
	"accept-encoding",
	"connection",
	"content-length",
	"expect",
	"host",
	"http2-settings",
	"keep-alive",
	"proxy-",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
	"via",
};

static bool has_name(struct http_text name, const char *other)
{
	return name.bytes == strlen(other) && strncasecmp(name.at, other, name.bytes) == 0;
}

static bool begins_with(struct http_text name, const char *other)
{
	return name.bytes >= strlen(other) && strncasecmp(name.at, other, strlen(other)) == 0;
}

static bool has_header(const struct http_request *r, const char *name)
{
	for (uint32_t i = 0; i < r->header_count; i++) {
		if (has_name(r->headers[i].name, name))
			return true;
	}
	return false;
}

bool http_is_safe(struct http_text method)
{
	return method.bytes == 0 || http_text_is(method, "GET") || http_text_is(method, "HEAD") ||
	       http_text_is(method, "OPTIONS");
}

/* --- whether it is one --- */

static enum gd_err check_method(struct http_text method, struct gd_error *why)
{
	for (size_t i = 0; i < method.bytes; i++) {
		if (method.at[i] < 'A' || method.at[i] > 'Z')
			return gd_fail(why, GD_INVALID_PARAMS,
			               "a method is written in capital letters, such as POST");
	}
	if (method.bytes > HTTP_METHOD_BYTES_MAX || http_text_is(method, "CONNECT") ||
	    http_text_is(method, "TRACE"))
		return gd_fail(why, GD_INVALID_PARAMS, "the method %.*s is not for requests",
		               (int)(method.bytes > 40 ? 40 : method.bytes), method.at);
	return GD_OK;
}

/* RFC 9110, section 5.6.2. */
static bool is_token(struct http_text t)
{
	for (size_t i = 0; i < t.bytes; i++) {
		const char c = t.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL)))
			return false;
	}
	return t.bytes != 0;
}

static bool is_value(struct http_text t)
{
	for (size_t i = 0; i < t.bytes; i++) {
		const unsigned char c = (unsigned char)t.at[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static bool is_forbidden(struct http_text name)
{
	for (size_t i = 0; i < sizeof FORBIDDEN / sizeof FORBIDDEN[0]; i++) {
		const char *one = FORBIDDEN[i];

		if (has_name(name, one) || (one[strlen(one) - 1] == '-' && begins_with(name, one)))
			return true;
	}
	return false;
}

static enum gd_err check_header(const struct http_field *h, struct gd_error *why)
{
	const int chars = (int)(h->name.bytes > 60 ? 60 : h->name.bytes);

	if (!is_token(h->name))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "the name of a header is empty, or has a "
		               "character in it that cannot be in one");
	if (!is_value(h->value))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "the header \"%.*s\" has a control character in it", chars,
		               h->name.at);
	if (is_forbidden(h->name))
		return gd_fail(why, GD_INVALID_PARAMS, "the header \"%.*s\" cannot be set", chars,
		               h->name.at);
	return GD_OK;
}

static size_t headers_bytes(const struct http_request *r)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < r->header_count; i++)
		bytes += r->headers[i].name.bytes + r->headers[i].value.bytes;
	return bytes + r->content_type.bytes + r->idempotency_key.bytes;
}

enum gd_err http_request_check(const struct http_request *r, struct gd_error *why)
{
	enum gd_err rc = check_method(r->method, why);

	if (rc != GD_OK)
		return rc;
	if (r->header_count > HTTP_REQUEST_HEADERS_MAX ||
	    headers_bytes(r) > HTTP_REQUEST_HEADERS_BYTES_MAX)
		return gd_fail(why, GD_LIMIT, "headers: %u of %zu bytes; %d of %d are the most",
		               (unsigned)r->header_count, headers_bytes(r),
		               HTTP_REQUEST_HEADERS_MAX, HTTP_REQUEST_HEADERS_BYTES_MAX);
	if (r->body.bytes > HTTP_REQUEST_BODY_BYTES_MAX)
		return gd_fail(why, GD_LIMIT, "a body of %zu bytes; %u is the most", r->body.bytes,
		               HTTP_REQUEST_BODY_BYTES_MAX);
	if (!is_value(r->content_type) || !is_value(r->idempotency_key))
		return gd_fail(why, GD_INVALID_PARAMS, "a header has a control character in it");
	for (uint32_t i = 0; i < r->header_count && rc == GD_OK; i++)
		rc = check_header(&r->headers[i], why);
	return rc;
}

/* --- a copy --- */

size_t http_request_bytes(const struct http_request *r)
{
	return headers_bytes(r) + r->method.bytes + r->body.bytes +
	       (r->header_count + IMPLIED_MAX) * sizeof(struct http_field);
}

/* At `*to`, which then is behind it. */
static struct http_text copy_text(char **to, struct http_text from)
{
	const struct http_text copy = { *to, from.bytes };

	if (from.bytes != 0)
		memcpy(*to, from.at, from.bytes);
	*to += from.bytes;
	return copy;
}

static struct http_text literal(const char *text)
{
	return (struct http_text){ text, strlen(text) };
}

void *http_request_copy(struct http_request *to, const struct http_request *from)
{
	uint32_t           count = from->header_count;
	struct http_field *headers = malloc(http_request_bytes(from));
	char              *at = (char *)(headers + count + IMPLIED_MAX);

	if (headers == NULL)
		return NULL;
	for (uint32_t i = 0; i < count; i++) {
		headers[i].name = copy_text(&at, from->headers[i].name);
		headers[i].value = copy_text(&at, from->headers[i].value);
	}
	if (from->has_body && from->content_type.bytes != 0 && !has_header(from, "Content-Type"))
		headers[count++] = (struct http_field){ literal("Content-Type"),
			                                copy_text(&at, from->content_type) };
	if (from->idempotency_key.bytes != 0 && !has_header(from, "Idempotency-Key"))
		headers[count++] = (struct http_field){ literal("Idempotency-Key"),
			                                copy_text(&at, from->idempotency_key) };
	*to = (struct http_request){ .headers = headers,
		                     .header_count = count,
		                     .body = copy_text(&at, from->body),
		                     .has_body = from->has_body,
		                     .timeout = from->timeout };
	to->method = from->method.bytes == 0 ? literal("GET") : copy_text(&at, from->method);
	return headers;
}

/* --- by a redirect --- */

static bool is_left_behind(struct http_text name, bool is_get_now, bool is_same_origin)
{
	if (is_get_now && begins_with(name, "Content-"))
		return true;
	return !is_same_origin && (has_name(name, "Authorization") || has_name(name, "Cookie"));
}

void http_request_redirect(struct http_request *r, uint32_t status, bool is_same_origin)
{
	/* The copy's own, in its block. */
	struct http_field *headers = (struct http_field *)(uintptr_t)r->headers;
	const bool         is_get_now =
		((status == 301 || status == 302) && http_text_is(r->method, "POST")) ||
		(status == 303 && !http_text_is(r->method, "GET") &&
	         !http_text_is(r->method, "HEAD"));
	uint32_t kept = 0;

	if (is_get_now) {
		r->method = literal("GET");
		r->has_body = false;
	}
	for (uint32_t i = 0; i < r->header_count; i++) {
		if (!is_left_behind(headers[i].name, is_get_now, is_same_origin))
			headers[kept++] = headers[i];
	}
	r->header_count = kept;
}

/* --- for libcurl --- */

static bool add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer != NULL)
		*list = longer;
	return longer != NULL;
}

/* "Name: value"; "Name;" is its way of writing a header without a value, and "Name:" takes away one
 * that it would add. */
static bool add_header(struct curl_slist **list, const struct http_field *h, struct buf *b)
{
	buf_clear(b);
	buf_add(b, h->name.at, h->name.bytes);
	buf_add_text(b, h->value.bytes == 0 ? ";" : ": ");
	buf_add(b, h->value.at, h->value.bytes);
	buf_add_byte(b, '\0');
	return b->failed == GD_OK && add_line(list, b->at);
}

struct curl_slist *http_request_lines(const struct http_request *r)
{
	struct curl_slist *list = NULL;
	struct buf         b = { 0 };
	bool               ok = add_line(&list, "Expect:");

	if (ok && !has_header(r, "Content-Type"))
		ok = add_line(&list, "Content-Type:");
	for (uint32_t i = 0; i < r->header_count && ok; i++)
		ok = add_header(&list, &r->headers[i], &b);
	buf_close(&b);
	if (ok)
		return list;
	curl_slist_free_all(list);
	return NULL;
}
