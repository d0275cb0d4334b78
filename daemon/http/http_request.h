/*
 * http_request.h - a request that was handed in: whether it is one, a copy of it, and what becomes of
 * it by a redirect. Private to daemon/http/.
 *
 * Which headers nobody may set, and what a redirect takes away, is as in browsers.
 *
 * Ownership: a copy is one block of memory, the caller's to free. Threads: any.
 * Source: RFC 9110; "Fetch" of WHATWG (forbidden request-headers, HTTP-redirect fetch).
 */
#ifndef GATHERD_HTTP_REQUEST_H
#define GATHERD_HTTP_REQUEST_H

#include "daemon/http/http.h"

#include <curl/curl.h>

/* What a copy takes in memory. */
size_t http_request_bytes(const struct http_request *r);
/* The copy has a method, and all its headers in `headers`, those that were implied as well; no URL
 * and no query. The block that it lives in; NULL: no memory. */
void  *http_request_copy(struct http_request *to, const struct http_request *from);
/* What is asked of the place to which an answer with `status` leads. */
void   http_request_redirect(struct http_request *r, uint32_t status, bool is_same_origin);
/* Of a copy; NULL: no memory. */
struct curl_slist *http_request_lines(const struct http_request *r);

static inline bool http_text_is(struct http_text t, const char *text)
{
	return t.bytes == __builtin_strlen(text) && __builtin_memcmp(t.at, text, t.bytes) == 0;
}

#endif
