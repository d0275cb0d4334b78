#include "daemon/profile/profile.h"

#include "daemon/profile/trusted_path.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_BYTES 48u

/* Text of a job, for a message: cut behind a whole character. */
static const char *shown(char out[SHOWN_BYTES], const char *text)
{
	size_t bytes = strnlen(text, SHOWN_BYTES);

	if (bytes < SHOWN_BYTES) {
		memcpy(out, text, bytes + 1);
		return out;
	}
	bytes = SHOWN_BYTES - 4;
	while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80)
		bytes--;
	memcpy(out, text, bytes);
	memcpy(out + bytes, "...", 4);
	return out;
}
#define SHOWN(text) shown((char[SHOWN_BYTES]){ 0 }, text)

/* --- arguments --- */

enum gd_err profile_check_count(const struct profile *p, uint32_t count, struct gd_error *why)
{
	if (count < p->args_min)
		return gd_fail(why, GD_FORBIDDEN, "profile %s wants at least %u arguments, not %u",
		               p->name, p->args_min, count);
	if (count > p->args_max)
		return gd_fail(why, GD_FORBIDDEN, "profile %s takes at most %u arguments, not %u",
		               p->name, p->args_max, count);
	return GD_OK;
}

enum gd_err profile_check_arg(const struct profile *p, uint32_t number, const char *text,
                              size_t bytes, struct gd_error *why)
{
	const struct rule *rule = number <= p->arg_count ? &p->args[number - 1] : &p->rest;
	char               refusal[RULE_WORDS_BYTES];

	if (number > p->arg_count && !p->has_rest)
		return gd_fail(why, GD_FORBIDDEN, "profile %s takes at most %u arguments", p->name,
		               p->args_max);
	if (rule_takes(rule, text, bytes, refusal))
		return GD_OK;
	return gd_fail(why, GD_FORBIDDEN, "argument %u \"%s\" %s of profile %s", number,
	               SHOWN(text), refusal, p->name);
}

/* --- variables --- */

static const struct profile_variable *find(const struct profile *p, const char *name)
{
	for (uint32_t i = 0; i < p->env_count; i++) {
		if (strcmp(p->env[i].name, name) == 0)
			return &p->env[i];
	}
	return NULL;
}

enum gd_err profile_check_variable(const struct profile *p, const char *name, struct gd_error *why)
{
	const struct profile_variable *v = find(p, name);

	if (v == NULL)
		return gd_fail(why, GD_FORBIDDEN, "profile %s takes no variable %s", p->name,
		               SHOWN(name));
	if (v->value != NULL)
		return gd_fail(why, GD_FORBIDDEN, "profile %s says itself what %s is", p->name,
		               v->name);
	return GD_OK;
}

enum gd_err profile_check_value(const struct profile *p, const char *name, const char *text,
                                size_t bytes, struct gd_error *why)
{
	const struct profile_variable *v = find(p, name);
	char                           refusal[RULE_WORDS_BYTES];
	enum gd_err                    rc = profile_check_variable(p, name, why);

	if (rc != GD_OK || rule_takes(&v->rule, text, bytes, refusal))
		return rc;
	return gd_fail(why, GD_FORBIDDEN, "variable %s \"%s\" %s of profile %s", v->name,
	               SHOWN(text), refusal, p->name);
}

enum gd_err profile_check_secret(const struct profile *p, const char *name, struct gd_error *why)
{
	enum gd_err rc = profile_check_variable(p, name, why);

	if (rc != GD_OK)
		return rc;
	return gd_fail(why, GD_FORBIDDEN,
	               "variable %s: profile %s says itself which secrets it has", SHOWN(name),
	               p->name);
}

/* --- options --- */

/* Lexically: absolute, and without steps up. */
static bool is_below(const char *path, const char *top)
{
	size_t bytes = strlen(top);

	if (path[0] != '/')
		return false;
	for (const char *at = path; (at = strstr(at, "/..")) != NULL; at += 3) {
		if (at[3] == '/' || at[3] == '\0')
			return false;
	}
	return strcmp(top, "/") == 0 ||
	       (strncmp(path, top, bytes) == 0 && (path[bytes] == '/' || path[bytes] == '\0'));
}

enum gd_err profile_check_cwd(const struct profile *p, const char *cwd, struct gd_error *why)
{
	if (p->cwd_below != NULL && !is_below(cwd, p->cwd_below))
		return gd_fail(why, GD_FORBIDDEN,
		               "cwd \"%s\" is not %.80s of profile %s, nor below it", SHOWN(cwd),
		               p->cwd_below, p->name);
	if (p->cwd_below == NULL && (p->cwd == NULL || strcmp(cwd, p->cwd) != 0))
		return gd_fail(why, GD_FORBIDDEN, "cwd \"%s\" is not %.80s, as profile %s wants",
		               SHOWN(cwd), p->cwd == NULL ? "left alone" : p->cwd, p->name);
	return GD_OK;
}

enum gd_err profile_check_input(const struct profile *p, struct gd_error *why)
{
	if (p->takes_input)
		return GD_OK;
	return gd_fail(why, GD_FORBIDDEN, "profile %s takes no stdin", p->name);
}

enum gd_err profile_check_timeout(const struct profile *p, gd_nsec timeout, struct gd_error *why)
{
	if (p->timeout == 0 || timeout <= p->timeout)
		return GD_OK;
	return gd_fail(why, GD_FORBIDDEN, "profile %s wants a timeout of at most %" PRId64 " s",
	               p->name, p->timeout / GD_NSEC_PER_SEC);
}

enum gd_err profile_check_pool(const struct profile *p, const char *pool, struct gd_error *why)
{
	if (p->pool == NULL || strcmp(p->pool, pool) == 0)
		return GD_OK;
	return gd_fail(why, GD_FORBIDDEN, "pool \"%s\" is not %s, that of profile %s", SHOWN(pool),
	               p->pool, p->name);
}

enum gd_err profile_check_interrupt(const struct profile *p, unsigned interrupt,
                                    struct gd_error *why)
{
	if ((p->interrupts & interrupt) != 0)
		return GD_OK;
	return gd_fail(why, GD_FORBIDDEN, "profile %s does not take this on_interrupt", p->name);
}

/* --- who, and the world --- */

bool profile_allows(const struct profile *p, const char *who)
{
	for (uint32_t i = 0; i < p->allow_count; i++) {
		if (strcmp(p->allow[i], who) == 0)
			return true;
	}
	return false;
}

enum gd_err profile_trust(const struct profile *p, int *line, struct gd_error *why)
{
	*line = p->user_line;
	/* gatherd-runner talks to a daemon of its own user only. */
	if (geteuid() != 0 && p->uid != RUN_ID_NONE && (p->uid != geteuid() || p->gid != getegid()))
		return gd_fail(why, GD_FORBIDDEN,
		               "user: only a gatherd and a gatherd-runner that run as root can "
		               "become %s",
		               p->user);
	*line = p->program_line;
	return trusted_path_check(p->program, why);
}
