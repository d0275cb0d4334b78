/*
 * http_policy.h - where requests may go, and whom they trust.
 *
 * A host must be allowed by name, and what it resolves to must be an address that anybody may have
 * or one of the networks that are allowed besides. The first is asked of every URL, redirects
 * included, the second of every address at the moment of connecting: a name that resolves to
 * something else the next time, or an address that was written in an odd way, gets nowhere.
 *
 * Certificates are read at the start, once: for each connection they would take some 20 ms.
 *
 * Ownership: opaque; http_policy_close() frees it when no client uses it any more. Threads: any;
 * it never changes.
 */
#ifndef GATHERD_HTTP_POLICY_H
#define GATHERD_HTTP_POLICY_H

#include "daemon/http/http_address.h"
#include "daemon/http/http_host.h"
#include "daemon/http/http_text.h"
#include "daemon/http/http_url.h"

#include <openssl/types.h>

#define HTTP_RULES_MAX 1000u /* of hosts, of networks */

struct http_policy;

/* Texts as in the configuration: rules of hosts, and networks, with blanks or commas between them. */
struct http_policy_config {
	const char *const *hosts;
	const char *const *networks;
	uint32_t           host_count; /* 0: every request is refused */
	uint32_t           network_count;
	const char        *ca_file;          /* PEM; NULL or "": those of the system */
	bool               allows_downgrade; /* a redirect may lead from https to http */
};

/* Errors: GD_INVALID_PARAMS (no host, no network, no certificates; with the name of the key),
 * GD_NOMEM. */
GD_NODISCARD enum gd_err http_policy_open(const struct http_policy_config *config,
                                          struct http_policy **out, struct gd_error *why);
void                     http_policy_close(struct http_policy *p); /* NULL: nothing */

/* What can be known of a URL before anybody is asked where its host is. Errors: those of
 * http_url_read(), and GD_FORBIDDEN with words that name the key that would allow it. */
GD_NODISCARD enum gd_err http_policy_check_url(const struct http_policy *p, struct http_text url,
                                               struct gd_error *why);
/* The same of one that was read. Errors: GD_FORBIDDEN. */
GD_NODISCARD enum gd_err http_policy_check(const struct http_policy *p, const struct http_url *u,
                                           struct gd_error *why);
/* Errors: GD_FORBIDDEN. */
GD_NODISCARD enum gd_err http_policy_check_redirect(const struct http_policy *p,
                                                    const struct http_url    *from,
                                                    const struct http_url    *to,
                                                    struct gd_error          *why);
/* Errors: GD_FORBIDDEN. */
GD_NODISCARD enum gd_err http_policy_check_address(const struct http_policy *p,
                                                   const struct sockaddr    *address,
                                                   struct gd_error          *why);

/* Who may sign certificates. Borrowed. */
X509_STORE *http_policy_trust(const struct http_policy *p);

#endif
