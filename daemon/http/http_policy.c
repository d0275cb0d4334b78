#include "daemon/http/http_policy.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

struct http_policy {
	struct http_host    *hosts; /* owned, as the next two */
	struct http_network *networks;
	X509_STORE          *trust;
	uint32_t             host_count;
	uint32_t             network_count;
	bool                 allows_downgrade;
};

/* --- life --- */

/* Takes one rule of a key in. */
typedef enum gd_err take_fn(struct http_policy *p, const char *word, struct gd_error *why);

static enum gd_err take_host(struct http_policy *p, const char *word, struct gd_error *why)
{
	struct http_host *longer = realloc(p->hosts, (p->host_count + 1) * sizeof *longer);

	if (longer == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for a host");
	p->hosts = longer;
	return http_host_read(word, &p->hosts[p->host_count++], why);
}

static enum gd_err take_network(struct http_policy *p, const char *word, struct gd_error *why)
{
	struct http_network *longer = realloc(p->networks, (p->network_count + 1) * sizeof *longer);

	if (longer == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for a network");
	p->networks = longer;
	return http_network_read(word, &p->networks[p->network_count++], why);
}

static enum gd_err take_text(struct http_policy *p, const char *key, const char *text,
                             take_fn *take, struct gd_error *why)
{
	static const char BETWEEN[] = " \t,";
	struct gd_error   inner = { 0 };
	char             *copy = strdup(text);
	char             *rest = copy;
	enum gd_err       rc = copy == NULL ? GD_NOMEM : GD_OK;

	while (rc == GD_OK && *(rest += strspn(rest, BETWEEN)) != '\0') {
		char *word = rest;

		rest += strcspn(rest, BETWEEN);
		if (*rest != '\0')
			*rest++ = '\0';
		rc = take(p, word, &inner);
	}
	free(copy);
	if (rc == GD_OK && p->host_count <= HTTP_RULES_MAX && p->network_count <= HTTP_RULES_MAX)
		return GD_OK;
	return gd_fail(why, rc == GD_NOMEM ? GD_NOMEM : GD_INVALID_PARAMS, "%s: %.200s", key,
	               rc == GD_OK ? "too many of them" : inner.text);
}

static enum gd_err take_texts(struct http_policy *p, const struct http_policy_config *config,
                              struct gd_error *why)
{
	enum gd_err rc = GD_OK;

	for (uint32_t i = 0; i < config->host_count && rc == GD_OK; i++)
		rc = take_text(p, "http-allow", config->hosts[i], take_host, why);
	for (uint32_t i = 0; i < config->network_count && rc == GD_OK; i++)
		rc = take_text(p, "http-allow-address", config->networks[i], take_network, why);
	return rc;
}

static enum gd_err load_trust(X509_STORE *trust, const char *ca_file, struct gd_error *why)
{
	SSL_CTX *first = SSL_CTX_new(TLS_client_method());
	int      worked;

	/* What OpenSSL does only once takes long, and would take it on a loop. */
	SSL_CTX_free(first);
	/* As others do: a certificate that is trusted itself need not be anybody's root. */
	(void)X509_STORE_set_flags(trust, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	if (ca_file == NULL || ca_file[0] == '\0')
		worked = X509_STORE_set_default_paths(trust);
	else
		worked = X509_STORE_load_file(trust, ca_file);
	ERR_clear_error();
	if (worked == 1)
		return GD_OK;
	return gd_fail(why, GD_INVALID_PARAMS, "http-ca-file: no certificates in %.150s",
	               ca_file == NULL || ca_file[0] == '\0' ? "the system's folder" : ca_file);
}

enum gd_err http_policy_open(const struct http_policy_config *config, struct http_policy **out,
                             struct gd_error *why)
{
	struct http_policy *p = calloc(1, sizeof *p);
	enum gd_err         rc;

	if (p != NULL)
		p->trust = X509_STORE_new();
	if (p == NULL || p->trust == NULL) {
		http_policy_close(p);
		return gd_fail(why, GD_NOMEM, "no memory for what http may reach");
	}
	p->allows_downgrade = config->allows_downgrade;
	rc = take_texts(p, config, why);
	if (rc == GD_OK && p->host_count != 0) /* where nobody may go nothing need be read */
		rc = load_trust(p->trust, config->ca_file, why);
	if (rc == GD_OK)
		*out = p;
	else
		http_policy_close(p);
	return rc;
}

void http_policy_close(struct http_policy *p)
{
	if (p == NULL)
		return;
	X509_STORE_free(p->trust);
	free(p->networks);
	free(p->hosts);
	free(p);
}

X509_STORE *http_policy_trust(const struct http_policy *p)
{
	return p->trust;
}

/* --- what may be called --- */

static bool has_host(const struct http_policy *p, const struct http_url *u)
{
	for (uint32_t i = 0; i < p->host_count; i++) {
		if (http_host_has(&p->hosts[i], u->host, u->port))
			return true;
	}
	return false;
}

static enum gd_err check_address(const struct http_policy *p, const struct http_address *a,
                                 struct gd_error *why)
{
	const char *kind = http_address_kind(a);
	char        text[INET6_ADDRSTRLEN];

	if (kind == NULL)
		return GD_OK;
	for (uint32_t i = 0; i < p->network_count; i++) {
		if (http_network_has(&p->networks[i], a))
			return GD_OK;
	}
	http_address_write(a, text);
	return gd_fail(why, GD_FORBIDDEN, "%s is %s, which http-allow-address does not allow", text,
	               kind);
}

enum gd_err http_policy_check(const struct http_policy *p, const struct http_url *u,
                              struct gd_error *why)
{
	struct http_address literal;

	if (!has_host(p, u))
		return gd_fail(why, GD_FORBIDDEN, "http-allow does not allow the host %.100s:%u",
		               u->host, (unsigned)u->port);
	if (http_address_read(u->host, &literal))
		return check_address(p, &literal, why);
	return GD_OK;
}

enum gd_err http_policy_check_url(const struct http_policy *p, struct http_text url,
                                  struct gd_error *why)
{
	struct http_url u;
	enum gd_err     rc = http_url_read(&u, url, why);

	if (rc != GD_OK)
		return rc;
	rc = http_policy_check(p, &u, why);
	http_url_close(&u);
	return rc;
}

enum gd_err http_policy_check_redirect(const struct http_policy *p, const struct http_url *from,
                                       const struct http_url *to, struct gd_error *why)
{
	if (from->is_https && !to->is_https && !p->allows_downgrade)
		return gd_fail(
			why, GD_FORBIDDEN,
			"a redirect from https to http, which http-downgrade does not allow");
	return http_policy_check(p, to, why);
}

enum gd_err http_policy_check_address(const struct http_policy *p, const struct sockaddr *address,
                                      struct gd_error *why)
{
	struct http_address a;

	if (!http_address_take(address, &a))
		return gd_fail(why, GD_FORBIDDEN, "not an internet address");
	return check_address(p, &a, why);
}
