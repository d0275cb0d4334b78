#include "daemon/http/http_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96u /* of the prefix in front of an IPv4 address */

static const uint8_t MAPPED[12] = { [10] = 0xff, [11] = 0xff };

/* Which part of the addresses it is, and what it is called. */
struct special {
	uint8_t     first[16];
	uint8_t     bits;
	const char *kind;
};

/* Of IPv4; `first` and `bits` are those of the four bytes. The first that fits. */
static const struct special SPECIAL_4[] = {
	{ { 0 }, 8, "an unspecified address" },
	{ { 10 }, 8, "a private address" },
	{ { 100, 64 }, 10, "a private address of a provider" },
	{ { 127 }, 8, "a loopback address" },
	{ { 169, 254 }, 16, "a link-local address" },
	{ { 172, 16 }, 12, "a private address" },
	{ { 192, 0, 0 }, 24, "a reserved address" },
	{ { 192, 0, 2 }, 24, "an address for documents" },
	{ { 192, 88, 99 }, 24, "a reserved address" },
	{ { 192, 168 }, 16, "a private address" },
	{ { 198, 18 }, 15, "an address for measurements" },
	{ { 198, 51, 100 }, 24, "an address for documents" },
	{ { 203, 0, 113 }, 24, "an address for documents" },
	{ { 224 }, 4, "a multicast address" },
	{ { 240 }, 4, "a reserved address" },
};

static const struct special SPECIAL_6[] = {
	{ { 0 }, 128, "an unspecified address" },
	{ { [15] = 1 }, 128, "a loopback address" },
	{ { 0, 0x64, 0xff, 0x9b, 0, 1 }, 48, "a private address" },
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, "an address for documents" },
	{ { 0x20, 0x01 }, 23, "a reserved address" }, /* Teredo is in it */
	{ { 0x3f, 0xff }, 20, "an address for documents" },
	{ { 0xfc }, 7, "a private address" },
	{ { 0xfe, 0x80 }, 10, "a link-local address" },
	{ { 0xfe, 0xc0 }, 10, "a private address" },
	{ { 0xff }, 8, "a multicast address" },
};

/* Where an IPv4 address is in an IPv6 one that begins so. Longer zeros than ::/96 are above. */
static const struct {
	uint8_t first[16];
	uint8_t bits;
	uint8_t offset;
} STANDS_FOR[] = {
	{ { [10] = 0xff, [11] = 0xff }, 96, 12 }, /* itself, as we keep it */
	{ { 0 }, 96, 12 },                        /* "IPv4-compatible", RFC 4291 */
	{ { 0, 0x64, 0xff, 0x9b }, 96, 12 },      /* NAT64 */
	{ { 0x20, 0x02 }, 16, 2 },                /* 6to4 */
	{ { [8] = 0xff, [9] = 0xff }, 96, 12 },   /* SIIT, RFC 2765 */
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool begins(const uint8_t *at, const uint8_t *first, uint32_t bits)
{
	const uint32_t rest = bits % 8;
	const uint8_t  mask = (uint8_t)(0xff00u >> rest);

	return memcmp(at, first, bits / 8) == 0 &&
	       (rest == 0 || ((at[bits / 8] ^ first[bits / 8]) & mask) == 0);
}

static void map(const uint8_t four[4], struct http_address *out)
{
	memcpy(out->at, MAPPED, sizeof MAPPED);
	memcpy(out->at + sizeof MAPPED, four, 4);
}

bool http_address_take(const struct sockaddr *from, struct http_address *out)
{
	if (from->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, from, sizeof in);
		map((const uint8_t *)&in.sin_addr, out);
		return true;
	}
	if (from->sa_family == AF_INET6) {
		struct sockaddr_in6 in;

		memcpy(&in, from, sizeof in);
		memcpy(out->at, &in.sin6_addr, sizeof out->at);
		return true;
	}
	return false;
}

bool http_address_read(const char *text, struct http_address *out)
{
	uint8_t four[4];

	if (inet_pton(AF_INET, text, four) == 1) {
		map(four, out);
		return true;
	}
	return inet_pton(AF_INET6, text, out->at) == 1;
}

void http_address_write(const struct http_address *a, char out[INET6_ADDRSTRLEN])
{
	if (begins(a->at, MAPPED, MAPPED_BITS))
		(void)inet_ntop(AF_INET, a->at + sizeof MAPPED, out, INET6_ADDRSTRLEN);
	else
		(void)inet_ntop(AF_INET6, a->at, out, INET6_ADDRSTRLEN);
}

/* --- kinds --- */

static const char *kind_in(const struct special *table, size_t count, const uint8_t *at)
{
	for (size_t i = 0; i < count; i++) {
		if (begins(at, table[i].first, table[i].bits))
			return table[i].kind;
	}
	return NULL;
}

/* The four bytes that it stands for; NULL: it stands for itself. */
static const uint8_t *four_of(const struct http_address *a)
{
	for (size_t i = 0; i < COUNT(STANDS_FOR); i++) {
		if (begins(a->at, STANDS_FOR[i].first, STANDS_FOR[i].bits))
			return a->at + STANDS_FOR[i].offset;
	}
	return NULL;
}

const char *http_address_kind(const struct http_address *a)
{
	const char    *kind = kind_in(SPECIAL_6, COUNT(SPECIAL_6), a->at);
	const uint8_t *four;

	if (kind != NULL)
		return kind;
	four = four_of(a);
	if (four != NULL)
		return kind_in(SPECIAL_4, COUNT(SPECIAL_4), four);
	/* Of IPv6, 2000::/3 alone is given out to anybody. */
	return a->at[0] >> 5 == 1 ? NULL : "a reserved address";
}

/* --- networks --- */

/* The bits behind the stroke, of so many at most. */
static bool read_bits(const char *text, uint32_t most, uint32_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = (uint32_t)strtoul(text, &end, 10);
	return *end == '\0' && errno == 0 && end - text <= 3 && *out <= most;
}

static bool is_clear_behind(const struct http_network *n)
{
	struct http_address only = { 0 };
	const uint32_t      rest = n->bits % 8;

	memcpy(only.at, n->first.at, n->bits / 8);
	if (rest != 0)
		only.at[n->bits / 8] = n->first.at[n->bits / 8] & (uint8_t)(0xff00u >> rest);
	return memcmp(&only, &n->first, sizeof only) == 0;
}

enum gd_err http_network_read(const char *text, struct http_network *out, struct gd_error *why)
{
	const char *stroke = strchr(text, '/');
	size_t      chars = stroke == NULL ? strlen(text) : (size_t)(stroke - text);
	char        address[INET6_ADDRSTRLEN];
	uint32_t    before, bits;

	if (chars >= sizeof address)
		chars = 0;
	memcpy(address, text, chars);
	address[chars] = '\0';
	if (!http_address_read(address, &out->first))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "%.60s is not an address, or a network such as 10.0.0.0/8", text);
	before = strchr(address, ':') == NULL ? MAPPED_BITS : 0;
	bits = 128 - before;
	if (stroke != NULL && !read_bits(stroke + 1, 128 - before, &bits))
		return gd_fail(why, GD_INVALID_PARAMS, "%.60s: not a number of bits from 0 to %u",
		               text, 128 - before);
	out->bits = (uint8_t)(before + bits);
	if (!is_clear_behind(out))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "%.60s: the address has more bits than the network", text);
	return GD_OK;
}

bool http_network_has(const struct http_network *n, const struct http_address *a)
{
	const uint8_t      *four = four_of(a);
	struct http_address inner;

	if (begins(a->at, n->first.at, n->bits))
		return true;
	if (four == NULL)
		return false;
	map(four, &inner);
	return begins(inner.at, n->first.at, n->bits);
}
