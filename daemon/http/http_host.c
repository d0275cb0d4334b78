#include "daemon/http/http_host.h"

#include "daemon/http/http_address.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_BYTES_MAX 63u
#define PORT_DIGITS_MAX 5u

static bool read_port(const char *text, uint16_t *out)
{
	size_t        digits = strspn(text, "0123456789");
	unsigned long port;

	if (digits == 0 || digits > PORT_DIGITS_MAX || text[digits] != '\0')
		return false;
	port = strtoul(text, NULL, 10);
	*out = (uint16_t)port;
	return port != 0 && port <= UINT16_MAX;
}

/* Cuts :PORT off. False: what stands there is none. */
static bool split_port(char *text, uint16_t *port)
{
	char *colon = strrchr(text, ':');

	*port = 0;
	if (colon == NULL || strchr(colon, ']') != NULL)
		return true;
	*colon = '\0';
	return read_port(colon + 1, port);
}

static bool is_name(const char *name)
{
	size_t label = 0, last = 0;

	for (const char *at = name; *at != '\0'; at++) {
		if (*at == '.') {
			if (label == 0)
				return false;
			label = 0;
			last = (size_t)(at + 1 - name);
		} else if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", *at) == NULL ||
		           ++label > LABEL_BYTES_MAX) {
			return false;
		}
	}
	/* What ends in a number is an address, or means nothing. */
	return label != 0 && strspn(name + last, "0123456789") != label;
}

/* An address in the one way of writing it. */
static bool rewrite_address(char *name)
{
	struct http_address a;
	char               *text = name;
	const size_t        chars = strlen(name);

	if (chars >= 2 && name[0] == '[' && name[chars - 1] == ']') {
		name[chars - 1] = '\0';
		text++;
	} else if (strchr(name, ':') != NULL) {
		return false;
	}
	if (!http_address_read(text, &a))
		return false;
	http_address_write(&a, name);
	return true;
}

static bool read_rule(char *text, struct http_host *out)
{
	if (strlen(text) >= sizeof out->name || !split_port(text, &out->port))
		return false;
	if (strcmp(text, "*") == 0) {
		out->reach = HTTP_HOST_ALL;
		return true;
	}
	for (char *at = text; *at != '\0'; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	}
	out->reach = strncmp(text, "*.", 2) == 0 ? HTTP_HOST_BELOW : HTTP_HOST_ONE;
	if (out->reach == HTTP_HOST_BELOW)
		text++;
	memcpy(out->name, text, strlen(text) + 1);
	if (out->reach == HTTP_HOST_BELOW)
		return is_name(out->name + 1);
	return is_name(out->name) || rewrite_address(out->name);
}

enum gd_err http_host_read(const char *text, struct http_host *out, struct gd_error *why)
{
	char room[INET6_ADDRSTRLEN + sizeof out->name] = "";

	*out = (struct http_host){ 0 };
	if (strlen(text) < sizeof room)
		memcpy(room, text, strlen(text) + 1);
	if (!read_rule(room, out))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "%.80s is not a host, such as example.org, *.example.org, "
		               "[2001:db8::1] or *, with :PORT or not",
		               text);
	return GD_OK;
}

bool http_host_has(const struct http_host *h, const char *name, uint16_t port)
{
	const size_t chars = strlen(name), ours = strlen(h->name);

	if (h->port != 0 && h->port != port)
		return false;
	switch (h->reach) {
	case HTTP_HOST_ALL:
		return true;
	case HTTP_HOST_ONE:
		return strcmp(h->name, name) == 0;
	case HTTP_HOST_BELOW:
		return chars > ours && strcmp(name + chars - ours, h->name) == 0;
	}
	return false;
}
