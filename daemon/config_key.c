#include "daemon/config_key.h"

#include "proto/base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_ROOM(field) \
	.offset = offsetof(struct config, field), .room = sizeof(((struct config *)0)->field)

static const struct config_key keys[] = {
	{ .name = "state-dir",
	  .type = CONFIG_PATH,
	  .value = "DIR",
	  PATH_ROOM(state_dir),
	  .help = "where jobs are kept" },
	{ .name = "socket",
	  .type = CONFIG_PATH,
	  .value = "PATH",
	  PATH_ROOM(socket),
	  .help = "the Unix socket to listen on" },
	{ .name = "listen",
	  .type = CONFIG_LISTEN,
	  .value = "HOST:PORT",
	  .help = "a loopback TCP address to listen on as well; may be said again; needs token-file" },
	{ .name = "token-file",
	  .type = CONFIG_PATH,
	  .value = "FILE",
	  PATH_ROOM(token_file),
	  .help = "who may come over TCP; read again on reload" },
	{ .name = "loops",
	  .type = CONFIG_NUMBER,
	  .value = "N",
	  .min = 1,
	  .max = CONFIG_LOOPS_MAX,
	  .offset = offsetof(struct config, loops),
	  .help = "event loops, a thread each" },
	{ .name = "runner",
	  .type = CONFIG_PATH,
	  .value = "PATH",
	  PATH_ROOM(runner),
	  .help = "of gatherd-runner, started when it is not there; \"none\": another does that" },
	{ .name = "credentials",
	  .type = CONFIG_PATH,
	  .value = "DIR",
	  PATH_ROOM(credentials),
	  .help = "holds a file for each secret; for gatherd-runner, when it is started here" },
	{ .name = "runner-socket",
	  .type = CONFIG_PATH,
	  .value = "PATH",
	  PATH_ROOM(runner_socket),
	  .help = "where gatherd-runner listens, when not in the state directory" },
	{ .name = "log-level",
	  .type = CONFIG_LEVEL,
	  .value = "L",
	  .is_reloadable = true,
	  .offset = offsetof(struct config, log_level),
	  .preset = LOG_LEVEL_INFO,
	  .help = "error, warn, info or debug" },
	{ .name = "max-connections",
	  .type = CONFIG_NUMBER,
	  .value = "N",
	  .min = 1,
	  .max = 100000,
	  .offset = offsetof(struct config, max_connections),
	  .preset = 4096,
	  .is_reloadable = true,
	  .help = "clients at one time" },
	{ .name = "max-jobs",
	  .type = CONFIG_NUMBER,
	  .value = "N",
	  .min = 1,
	  .max = 100000000,
	  .offset = offsetof(struct config, max_jobs),
	  .preset = 2000000,
	  .is_reloadable = true,
	  .help = "jobs that have not ended" },
	{ .name = "auth-timeout",
	  .type = CONFIG_NUMBER,
	  .value = "SECONDS",
	  .min = 1,
	  .max = 3600,
	  .offset = offsetof(struct config, auth_timeout),
	  .preset = 5,
	  .is_reloadable = true,
	  .help = "how long a TCP connection may take to show its token" },
	{ .name = "idle-timeout",
	  .type = CONFIG_NUMBER,
	  .value = "SECONDS",
	  .min = 1,
	  .max = 86400,
	  .offset = offsetof(struct config, idle_timeout),
	  .preset = 30,
	  .is_reloadable = true,
	  .help = "how long a message may take once it has begun" },
	{ .name = "retain",
	  .type = CONFIG_NUMBER,
	  .value = "SECONDS",
	  .min = 1,
	  .max = UINT32_MAX,
	  .offset = offsetof(struct config, retain),
	  .preset = 604800,
	  .is_reloadable = true,
	  .help = "how long a job stays after its end when it did not say; for those that end from then "
	          "on" },
	{ .name = "retain-max",
	  .type = CONFIG_NUMBER,
	  .value = "SECONDS",
	  .min = 1,
	  .max = UINT32_MAX,
	  .offset = offsetof(struct config, retain_max),
	  .preset = 31536000,
	  .is_reloadable = true,
	  .help = "the longest that a job may ask to stay" },
	{ .name = "retain-events",
	  .type = CONFIG_NUMBER,
	  .value = "SECONDS",
	  .min = 1,
	  .max = UINT32_MAX,
	  .offset = offsetof(struct config, retain_events),
	  .preset = 604800,
	  .is_reloadable = true,
	  .help = "how long events stay" },
	{ .name = "keep-jobs",
	  .type = CONFIG_NUMBER,
	  .value = "N",
	  .min = 1,
	  .max = UINT32_MAX,
	  .offset = offsetof(struct config, keep_jobs),
	  .preset = 1000000000,
	  .is_reloadable = true,
	  .help = "jobs that have ended; with more, those leave first whose time is nearest" },
	{ .name = "keep-events",
	  .type = CONFIG_NUMBER,
	  .value = "N",
	  .min = 1,
	  .max = UINT32_MAX,
	  .offset = offsetof(struct config, keep_events),
	  .preset = 2000000000,
	  .is_reloadable = true,
	  .help = "events; with more, the oldest leave first" },
	{ .name = "keep-mib",
	  .type = CONFIG_NUMBER,
	  .value = "MIB",
	  .min = 16,
	  .max = 16777216,
	  .offset = offsetof(struct config, keep_mib),
	  .preset = 1048576,
	  .is_reloadable = true,
	  .help = "of the database; with more, ended jobs and events leave before their time" },
	{ .name = "keep-output-mib",
	  .type = CONFIG_NUMBER,
	  .value = "MIB",
	  .min = 1,
	  .max = 16777216,
	  .offset = offsetof(struct config, keep_output_mib),
	  .preset = 1024,
	  .is_reloadable = true,
	  .help = "of what commands have printed; with more, that of the longest ended ones leaves" },
	{ .name = "foreground",
	  .type = CONFIG_YES,
	  .offset = offsetof(struct config, is_foreground),
	  .help = "log for people, also where stderr is the journal" },
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])

_Static_assert(KEY_COUNT <= 64, "struct config has one bit for each key");

uint32_t config_key_count(void)
{
	return KEY_COUNT;
}

const struct config_key *config_key_at(uint32_t index)
{
	CHECK(index < KEY_COUNT);
	return &keys[index];
}

int config_key_find(const char *name, size_t chars)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strlen(keys[i].name) == chars && memcmp(keys[i].name, name, chars) == 0)
			return (int)i;
	}
	return -1;
}

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
	}
	CHECK_NEVER("config_key_set: unknown type");
}

/* --- whole keys --- */

/* One loop for each processor that we may use. */
static uint32_t loops_preset(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	if (count < 1)
		return 1;
	return count > (long)CONFIG_LOOPS_MAX ? CONFIG_LOOPS_MAX : (uint32_t)count;
}

void config_key_preset(struct config *c, const struct config_key *k)
{
	switch (k->type) {
	case CONFIG_PATH:
		((char *)c)[k->offset] = '\0';
		return;
	case CONFIG_NUMBER:
	case CONFIG_LEVEL:
		put_number(c, k,
		           k->offset == offsetof(struct config, loops) ? loops_preset()
		                                                       : k->preset);
		return;
	case CONFIG_YES:
		*(bool *)((char *)c + k->offset) = false;
		return;
	case CONFIG_LISTEN:
		c->listen_count = 0;
		return;
	}
	CHECK_NEVER("config_key_preset: unknown type");
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
	}
	CHECK_NEVER("config_key_is_equal: unknown type");
}

void config_key_copy(struct config *to, const struct config *from, const struct config_key *k)
{
	CHECK(k->is_reloadable);
	CHECK(k->type == CONFIG_NUMBER || k->type == CONFIG_LEVEL);
	put_number(to, k, get_number(from, k));
}
