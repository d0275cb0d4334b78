/*
 * http_address.h - internet addresses: which kind one is of, and networks that they are in.
 *
 * An IPv4 address is kept as ::ffff:a.b.c.d, so that there is one kind of address, and one that came
 * as IPv6 cannot be taken for another. Some IPv6 addresses stand for an IPv4 address that a router
 * on the way reaches (NAT64, 6to4): such a one is of the kind of what it stands for.
 *
 * Ownership: plain values. Threads: any. Cost: O(1), a table of some twenty rows.
 * Source: the IANA special-purpose address registries (RFC 6890); RFC 6052 and 3056 for what stands
 * for IPv4.
 */
#ifndef GATHERD_HTTP_ADDRESS_H
#define GATHERD_HTTP_ADDRESS_H

#include "proto/base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct http_address {
	uint8_t at[16];
};

/* All addresses that begin with the first `bits` of `first`. */
struct http_network {
	struct http_address first;
	uint8_t             bits;
};

/* False: another family. */
bool http_address_take(const struct sockaddr *from, struct http_address *out);
/* Dotted IPv4, or IPv6 without brackets. False: neither. */
bool http_address_read(const char *text, struct http_address *out);
void http_address_write(const struct http_address *a, char out[INET6_ADDRSTRLEN]);

/* What `a` is that is not just anybody's address, such as "a loopback address"; static. NULL: it is
 * an ordinary one of the internet. */
const char *http_address_kind(const struct http_address *a);

/* ADDRESS or ADDRESS/BITS; bits behind the prefix must be 0. Errors: GD_INVALID_PARAMS. */
GD_NODISCARD enum gd_err http_network_read(const char *text, struct http_network *out,
                                           struct gd_error *why);
/* Also when what `a` stands for is in it. */
bool http_network_has(const struct http_network *n, const struct http_address *a);

#endif
