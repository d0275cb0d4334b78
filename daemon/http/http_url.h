/*
 * http_url.h - an absolute URL of http or https, read once.
 *
 * libcurl reads it, and what it has read is what it goes to later: there is no second reader that
 * could see another host in it. Hosts come out as they go over the wire: lower case,
 * an IPv4 address that was written as a number or in octal as four decimal numbers.
 *
 * A user or a password in a URL is refused: URLs are stored and shown. A fragment is dropped.
 *
 * Ownership: http_url_close() frees what is inside. Threads: any.
 */
#ifndef GATHERD_HTTP_URL_H
#define GATHERD_HTTP_URL_H

#include "daemon/http/http_text.h"
#include "proto/base/err.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

struct http_url {
	CURLU   *read; /* owned, as the next two */
	char    *text; /* the whole */
	char    *host; /* without brackets, without a dot at the end */
	uint16_t port;
	bool     is_https;
};

/* Errors: GD_INVALID_PARAMS with words that do not repeat the URL, which may hold a secret; GD_LIMIT
 * when it is longer than HTTP_URL_BYTES_MAX; GD_NOMEM. `u` is then as after http_url_close(). */
GD_NODISCARD enum gd_err http_url_read(struct http_url *u, struct http_text text,
                                       struct gd_error *why);
/* Adds name=value pairs behind the query that is there. Errors: as above; `u` is to be closed. */
GD_NODISCARD enum gd_err http_url_add_query(struct http_url *u, const struct http_field *fields,
                                            uint32_t count, struct gd_error *why);
void                     http_url_close(struct http_url *u); /* all zero: nothing to do */

/* The same scheme, host and port. */
bool http_url_is_same_origin(const struct http_url *a, const struct http_url *b);

#endif
