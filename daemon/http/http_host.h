/*
 * http_host.h - which hosts: one name, all below a name, or all; at one port, or at any.
 *
 * A rule is NAME, *.NAME or *, with :PORT behind it or not. *.NAME is every name that ends so, and
 * not NAME itself. Names are compared as they go over the wire: lower case, IDNA as xn--. An
 * address is a name like any other; IPv6 stands in brackets.
 *
 * Ownership: plain values. Threads: any. Cost: O(length of the name).
 */
#ifndef GATHERD_HTTP_HOST_H
#define GATHERD_HTTP_HOST_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define HTTP_HOST_BYTES_MAX 253u /* of a name, RFC 1035 */

enum http_host_reach {
	HTTP_HOST_ONE,
	HTTP_HOST_BELOW, /* `name` begins with the dot */
	HTTP_HOST_ALL
};

struct http_host {
	enum http_host_reach reach;
	uint16_t             port; /* 0: any */
	char                 name[HTTP_HOST_BYTES_MAX + 2];
};

/* Errors: GD_INVALID_PARAMS. */
GD_NODISCARD enum gd_err http_host_read(const char *text, struct http_host *out,
                                        struct gd_error *why);
/* `name` as http_url.h gives it. */
bool                     http_host_has(const struct http_host *h, const char *name, uint16_t port);

#endif
