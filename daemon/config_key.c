#include "daemon/config_key.h"

#include "proto/base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MORE 4
#define THREADS_USUAL_MAX 32

static uint32_t get_number(const struct config *c, const struct config_key *k)
{
	const char *at = (const char *)c + k->offset;

	return k->is_reloadable ? atomic_load((const _Atomic uint32_t *)at) : *(const uint32_t *)at;
}

static void put_number(struct config *c, const struct config_key *k, uint32_t number)
{
	char *at = (char *)c + k->offset;

	if (k->is_reloadable)
		atomic_store((_Atomic uint32_t *)at, number);
	else
		*(uint32_t *)at = number;
}

/* --- texts to values --- */

static enum gd_err set_path(struct config *c, const struct config_key *k, const char *text,
                            struct gd_error *why)
{
	if (text[0] == '\0')
		return gd_fail(why, GD_INVALID_PARAMS, "an empty path");
	if (strlen(text) >= k->room)
		return gd_fail(why, GD_INVALID_PARAMS, "longer than %zu bytes", k->room - 1);
	memcpy((char *)c + k->offset, text, strlen(text) + 1);
	return GD_OK;
}

static bool read_number(const char *text, uint32_t *out)
{
	unsigned long long number;
	char              *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (*end != '\0' || errno != 0 || number > UINT32_MAX)
		return false;
	*out = (uint32_t)number;
	return true;
}

static enum gd_err set_number(struct config *c, const struct config_key *k, const char *text,
                              struct gd_error *why)
{
	uint32_t number = 0;

	if (!read_number(text, &number) || number < k->min || number > k->max)
		return gd_fail(why, GD_INVALID_PARAMS, "%.40s is not between %u and %u", text,
		               k->min, k->max);
	put_number(c, k, number);
	return GD_OK;
}

static enum gd_err set_level(struct config *c, const struct config_key *k, const char *text,
                             struct gd_error *why)
{
	enum log_level level;

	if (!log_level_parse(text, &level))
		return gd_fail(why, GD_INVALID_PARAMS, "%.40s is not error, warn, info or debug",
		               text);
	put_number(c, k, level);
	return GD_OK;
}

static enum gd_err set_yes(struct config *c, const struct config_key *k, const char *text,
                           struct gd_error *why)
{
	bool *at = (bool *)((char *)c + k->offset);

	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return gd_fail(why, GD_INVALID_PARAMS, "%.40s is not yes or no", text);
	*at = text[0] == 'y';
	return GD_OK;
}

/* Splits HOST:PORT or [HOST]:PORT. `host` has room for `room` bytes. */
static bool split_address(const char *text, char *host, size_t room, uint32_t *port)
{
	const char *colon = strrchr(text, ':');
	const char *from = text;
	size_t      chars;

	if (colon == NULL || !read_number(colon + 1, port) || *port < 1 || *port > UINT16_MAX)
		return false;
	chars = (size_t)(colon - text);
	if (chars >= 2 && text[0] == '[' && colon[-1] == ']') {
		from++;
		chars -= 2;
	} else if (memchr(text, ':', chars) != NULL) {
		return false; /* IPv6 without brackets: nobody can say where the port begins */
	}
	if (chars == 0 || chars >= room)
		return false;
	memcpy(host, from, chars);
	host[chars] = '\0';
	return true;
}

/* Names are not looked up, but for the one that needs no looking up: what we listen on must not
 * depend on a name server. */
static bool read_address(const char *text, struct config_listen *out)
{
	char     host[64];
	uint32_t port = 0;

	if (!split_address(text, host, sizeof host, &port))
		return false;
	*out = (struct config_listen){ 0 };
	memcpy(out->text, text, strlen(text) + 1);
	if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
	              &out->address.in.sin_addr) == 1) {
		out->address.in.sin_family = AF_INET;
		out->address.in.sin_port = htons((uint16_t)port);
		out->address_bytes = sizeof out->address.in;
		return true;
	}
	if (inet_pton(AF_INET6, host, &out->address.in6.sin6_addr) != 1)
		return false;
	out->address.in6.sin6_family = AF_INET6;
	out->address.in6.sin6_port = htons((uint16_t)port);
	out->address_bytes = sizeof out->address.in6;
	return true;
}

static enum gd_err add_listen(struct config *c, const char *text, struct gd_error *why)
{
	struct config_listen one;

	if (strlen(text) >= sizeof one.text || !read_address(text, &one))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "%.80s is not ADDRESS:PORT, such as 127.0.0.1:7420 or [::1]:7420",
		               text);
	if (c->listen_count == CONFIG_LISTEN_MAX)
		return gd_fail(why, GD_INVALID_PARAMS, "more than %u of them", CONFIG_LISTEN_MAX);
	c->listen[c->listen_count++] = one;
	return GD_OK;
}

static enum gd_err add_text(struct config *c, const struct config_key *k, const char *text,
                            struct gd_error *why)
{
	struct config_texts *t = (struct config_texts *)(void *)((char *)c + k->offset);
	const size_t         bytes = strlen(text) + 1;

	if (text[0] == '\0')
		return gd_fail(why, GD_INVALID_PARAMS, "an empty text");
	if (t->count == CONFIG_TEXTS_MAX || bytes > sizeof t->text - t->bytes)
		return gd_fail(why, GD_INVALID_PARAMS, "more than %u of them, or %zu bytes",
		               CONFIG_TEXTS_MAX, sizeof t->text);
	memcpy(t->text + t->bytes, text, bytes);
	t->bytes += (uint32_t)bytes;
	t->count++;
	return GD_OK;
}

const char *config_texts_at(const struct config_texts *t, uint32_t index)
{
	const char *at = t->text;

	CHECK(index < t->count);
	while (index-- > 0)
		at += strlen(at) + 1;
	return at;
}

bool config_key_is_list(const struct config_key *k)
{
	return k->type == CONFIG_LISTEN || k->type == CONFIG_TEXTS;
}

enum gd_err config_key_set(struct config *c, const struct config_key *k, const char *text,
                           struct gd_error *why)
{
	switch (k->type) {
	case CONFIG_PATH:
		return set_path(c, k, text, why);
	case CONFIG_NUMBER:
		return set_number(c, k, text, why);
	case CONFIG_LEVEL:
		return set_level(c, k, text, why);
	case CONFIG_YES:
		return set_yes(c, k, text, why);
	case CONFIG_LISTEN:
		return add_listen(c, text, why);
	case CONFIG_TEXTS:
		return add_text(c, k, text, why);
	}
	CHECK_NEVER("config_key_set: unknown type");
}

/* --- whole keys --- */

/* One loop for each processor that we may use. As many threads as Python's executor has, which
 * asyncio.to_thread goes to: they wait for disks and name servers, not for processors. */
static uint32_t usual_number(const struct config_key *k)
{
	const long found = sysconf(_SC_NPROCESSORS_ONLN);
	const long count = found < 1 ? 1 : found;

	if (k->offset == offsetof(struct config, loops))
		return count > (long)CONFIG_LOOPS_MAX ? CONFIG_LOOPS_MAX : (uint32_t)count;
	if (k->offset == offsetof(struct config, threads))
		return count > THREADS_USUAL_MAX - THREADS_MORE ? THREADS_USUAL_MAX
		                                                : (uint32_t)count + THREADS_MORE;
	return k->preset;
}

static const struct config_texts *texts_of(const struct config *c, const struct config_key *k)
{
	return (const struct config_texts *)(const void *)((const char *)c + k->offset);
}

void config_key_preset(struct config *c, const struct config_key *k)
{
	switch (k->type) {
	case CONFIG_PATH:
		((char *)c)[k->offset] = '\0';
		return;
	case CONFIG_NUMBER:
	case CONFIG_LEVEL:
		put_number(c, k, usual_number(k));
		return;
	case CONFIG_YES:
		*(bool *)((char *)c + k->offset) = false;
		return;
	case CONFIG_LISTEN:
		c->listen_count = 0;
		return;
	case CONFIG_TEXTS:
		memset((char *)c + k->offset, 0, sizeof(struct config_texts));
		return;
	}
	CHECK_NEVER("config_key_preset: unknown type");
}

static bool is_same_texts(const struct config *a, const struct config *b,
                          const struct config_key *k)
{
	const struct config_texts *x = texts_of(a, k), *y = texts_of(b, k);

	return x->bytes == y->bytes && memcmp(x->text, y->text, x->bytes) == 0;
}

static bool is_same_listen(const struct config *a, const struct config *b)
{
	if (a->listen_count != b->listen_count)
		return false;
	for (uint32_t i = 0; i < a->listen_count; i++) {
		if (strcmp(a->listen[i].text, b->listen[i].text) != 0)
			return false;
	}
	return true;
}

bool config_key_is_equal(const struct config *a, const struct config *b, const struct config_key *k)
{
	switch (k->type) {
	case CONFIG_PATH:
		return strcmp((const char *)a + k->offset, (const char *)b + k->offset) == 0;
	case CONFIG_NUMBER:
	case CONFIG_LEVEL:
		return get_number(a, k) == get_number(b, k);
	case CONFIG_YES:
		return *(const bool *)((const char *)a + k->offset) ==
		       *(const bool *)((const char *)b + k->offset);
	case CONFIG_LISTEN:
		return is_same_listen(a, b);
	case CONFIG_TEXTS:
		return is_same_texts(a, b, k);
	}
	CHECK_NEVER("config_key_is_equal: unknown type");
}

void config_key_copy(struct config *to, const struct config *from, const struct config_key *k)
{
	CHECK(k->is_reloadable);
	CHECK(k->type == CONFIG_NUMBER || k->type == CONFIG_LEVEL);
	put_number(to, k, get_number(from, k));
}
