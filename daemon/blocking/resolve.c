/* resolve(host, port?) */
#include "daemon/blocking/call.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define HOST_BYTES_MAX 253 /* of a name; RFC 1035, section 2.3.4 */

/* The name of a number of getaddrinfo(), for programs. */
static const char *code_name(int code)
{
	switch (code) {
	case EAI_AGAIN:
		return "EAI_AGAIN";
	case EAI_FAIL:
		return "EAI_FAIL";
	case EAI_MEMORY:
		return "EAI_MEMORY";
	case EAI_NODATA:
		return "EAI_NODATA";
	case EAI_NONAME:
		return "EAI_NONAME";
	default:
		return "EAI_SYSTEM";
	}
}

/* As it stands in a URL where there is a port: [::1]:80. */
static struct value address_text(struct call *c, const struct addrinfo *one, int64_t port)
{
	bool        is_six = one->ai_family == AF_INET6;
	const void *at =
		is_six ? (const void *)&((const struct sockaddr_in6 *)(const void *)one->ai_addr)
				 ->sin6_addr
		       : (const void *)&((const struct sockaddr_in *)(const void *)one->ai_addr)
				 ->sin_addr;
	char plain[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 16];

	if (inet_ntop(one->ai_family, at, plain, sizeof plain) == NULL)
		return call_fail_code(c, strerrorname_np(errno), "resolve: no address");
	if (port < 0)
		return value_text_new(c->heap, plain, strlen(plain));
	(void)snprintf(text, sizeof text, is_six ? "[%s]:%d" : "%s:%d", plain, (int)port);
	return value_text_new(c->heap, text, strlen(text));
}

static struct value list_of(struct call *c, const struct addrinfo *first, int64_t port)
{
	struct value list = value_list_new(c->heap, 4);
	uint32_t     count = 0;

	for (const struct addrinfo *one = first; one != NULL; one = one->ai_next) {
		if (one->ai_family != AF_INET && one->ai_family != AF_INET6)
			continue;
		if (++count > BLOCKING_ADDRESSES_MAX)
			break;
		list = value_list_append(c->heap, list, address_text(c, one, port));
	}
	return list;
}

struct value blocking_resolve(struct call *c)
{
	const struct vtext   *host = call_text(c, "host");
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo      *found;
	struct value          list;
	int64_t               port = -1;
	int                   code;

	if (host == NULL || !call_number(c, "port", 0, UINT16_MAX, &port))
		return VALUE_NONE;
	if (host->bytes == 0 || host->bytes > HOST_BYTES_MAX)
		return call_fail(c, "ValueError", "resolve: \"host\" has 1 to %d bytes, not %u",
		                 HOST_BYTES_MAX, host->bytes);
	code = getaddrinfo(host->at, NULL, &hints, &found);
	if (code != 0)
		return call_fail_code(c, code_name(code), "%s: %s",
		                      call_show(&(struct call_shown){ 0 }, host->at),
		                      gai_strerror(code));
	list = list_of(c, found, port);
	freeaddrinfo(found);
	return list;
}
