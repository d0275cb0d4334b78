#include "daemon/http/http_url.h"

#include "daemon/value/limits.h"
#include "proto/base/buf.h"

#include <stdlib.h>
#include <string.h>

#define READ_FLAGS (CURLU_DISALLOW_USER | CURLU_URLENCODE | CURLU_ALLOW_SPACE)

static enum gd_err refuse(CURLUcode code, struct gd_error *why)
{
	switch ((int)code) {
	case CURLUE_OUT_OF_MEMORY:
		return gd_fail(why, GD_NOMEM, "no memory for a URL");
	case CURLUE_BAD_SCHEME:
	case CURLUE_NO_SCHEME:
	case CURLUE_UNSUPPORTED_SCHEME:
		return gd_fail(why, GD_INVALID_PARAMS, "a URL begins with http:// or https://");
	case CURLUE_USER_NOT_ALLOWED:
		return gd_fail(why, GD_INVALID_PARAMS,
		               "a URL holds no user or password; an Authorization header can");
	default:
		return gd_fail(why, GD_INVALID_PARAMS, "not a URL: %.100s",
		               curl_url_strerror(code));
	}
}

/* --- parts --- */

static enum gd_err take_scheme(struct http_url *u, struct gd_error *why)
{
	char     *scheme = NULL;
	CURLUcode code = curl_url_get(u->read, CURLUPART_SCHEME, &scheme, 0);
	bool      is_http;

	if (code != CURLUE_OK)
		return refuse(code, why);
	is_http = strcmp(scheme, "http") == 0;
	u->is_https = strcmp(scheme, "https") == 0;
	curl_free(scheme);
	return is_http || u->is_https ? GD_OK : refuse(CURLUE_UNSUPPORTED_SCHEME, why);
}

static enum gd_err take_port(struct http_url *u, struct gd_error *why)
{
	char     *port = NULL;
	CURLUcode code = curl_url_get(u->read, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);

	if (code != CURLUE_OK)
		return refuse(code, why);
	u->port = (uint16_t)strtoul(port, NULL, 10);
	curl_free(port);
	return u->port != 0 ? GD_OK : refuse(CURLUE_BAD_PORT_NUMBER, why);
}

/* libcurl would read other letters by the locale, and a daemon has none. */
static bool is_ascii(const char *host)
{
	while (*host > 0)
		host++;
	return *host == '\0';
}

/* What names of hosts are compared by. */
static void tidy_host(char *host)
{
	size_t chars = strlen(host);

	if (chars >= 2 && host[0] == '[') {
		memmove(host, host + 1, chars - 2);
		host[chars - 2] = '\0';
		return;
	}
	if (chars >= 2 && host[chars - 1] == '.')
		host[chars - 1] = '\0';
	for (; *host != '\0'; host++) {
		if (*host >= 'A' && *host <= 'Z')
			*host = (char)(*host - 'A' + 'a');
	}
}

static enum gd_err take_parts(struct http_url *u, struct gd_error *why)
{
	enum gd_err rc = take_scheme(u, why);
	CURLUcode   code;

	if (rc != GD_OK || (rc = take_port(u, why)) != GD_OK)
		return rc;
	code = curl_url_get(u->read, CURLUPART_HOST, &u->host, 0);
	if (code == CURLUE_OK)
		code = curl_url_set(u->read, CURLUPART_FRAGMENT, NULL, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(u->read, CURLUPART_URL, &u->text, 0);
	if (code != CURLUE_OK)
		return refuse(code, why);
	if (!is_ascii(u->host))
		return gd_fail(
			why, GD_INVALID_PARAMS,
			"a host with letters beyond ASCII is written as it is sent: xn--...");
	tidy_host(u->host);
	return GD_OK;
}

/* --- the whole --- */

static enum gd_err read_whole(struct http_url *u, struct http_text text, struct gd_error *why)
{
	char     *copy;
	CURLUcode code;

	if (text.bytes > HTTP_URL_BYTES_MAX)
		return gd_fail(why, GD_LIMIT, "a URL of %zu bytes; %d is the most", text.bytes,
		               HTTP_URL_BYTES_MAX);
	if (memchr(text.at, '\0', text.bytes) != NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "a URL with a NUL in it");
	copy = strndup(text.at, text.bytes);
	u->read = curl_url();
	code = CURLUE_OUT_OF_MEMORY;
	if (copy != NULL && u->read != NULL)
		code = curl_url_set(u->read, CURLUPART_URL, copy, READ_FLAGS);
	free(copy);
	if (code != CURLUE_OK)
		return refuse(code, why);
	return take_parts(u, why);
}

enum gd_err http_url_read(struct http_url *u, struct http_text text, struct gd_error *why)
{
	enum gd_err rc;

	*u = (struct http_url){ 0 };
	rc = read_whole(u, text, why);
	if (rc != GD_OK)
		http_url_close(u);
	return rc;
}

/* RFC 3986, section 2.3: what need not be encoded anywhere. */
static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~", c) != NULL);
}

static void add_encoded(struct buf *b, struct http_text text)
{
	for (size_t i = 0; i < text.bytes; i++) {
		if (is_unreserved(text.at[i]))
			buf_add_byte(b, text.at[i]);
		else
			buf_addf(b, "%%%02X", (unsigned)(unsigned char)text.at[i]);
	}
}

static enum gd_err set_query(struct http_url *u, const struct buf *b, struct gd_error *why)
{
	CURLUcode code;

	if (b->failed != GD_OK)
		return gd_fail(why, b->failed, "a query for which there is no room");
	code = curl_url_set(u->read, CURLUPART_QUERY, b->at, CURLU_APPENDQUERY);
	curl_free(u->text);
	u->text = NULL;
	if (code == CURLUE_OK)
		code = curl_url_get(u->read, CURLUPART_URL, &u->text, 0);
	if (code != CURLUE_OK)
		return refuse(code, why);
	if (strlen(u->text) > HTTP_URL_BYTES_MAX)
		return gd_fail(why, GD_LIMIT, "a URL of %zu bytes with its query; %d is the most",
		               strlen(u->text), HTTP_URL_BYTES_MAX);
	return GD_OK;
}

enum gd_err http_url_add_query(struct http_url *u, const struct http_field *fields, uint32_t count,
                               struct gd_error *why)
{
	struct buf  b = { .cap = 4 * HTTP_URL_BYTES_MAX };
	enum gd_err rc;

	if (count == 0)
		return GD_OK;
	for (uint32_t i = 0; i < count && b.failed == GD_OK; i++) {
		if (i > 0)
			buf_add_byte(&b, '&');
		add_encoded(&b, fields[i].name);
		buf_add_byte(&b, '=');
		add_encoded(&b, fields[i].value);
	}
	buf_add_byte(&b, '\0');
	rc = set_query(u, &b, why);
	buf_close(&b);
	return rc;
}

void http_url_close(struct http_url *u)
{
	curl_url_cleanup(u->read);
	curl_free(u->text);
	curl_free(u->host);
	*u = (struct http_url){ 0 };
}

bool http_url_is_same_origin(const struct http_url *a, const struct http_url *b)
{
	return a->is_https == b->is_https && a->port == b->port && strcmp(a->host, b->host) == 0;
}
