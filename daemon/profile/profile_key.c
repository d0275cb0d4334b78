#include "daemon/profile/profile_key.h"

#include "proto/token.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"
#define NUMBER_MAX UINT64_C(1000000000)
#define RULES_ROOM_MAX ((uint64_t)PROFILE_ARGS_MAX + PROFILE_REST_MAX)
#define NAME_SERVICE_BYTES 16384u /* for one entry of passwd or group */

struct setting {
	struct profile           *p;
	const struct profile_key *key;
	const char               *text;
	int                       line;
	struct arena             *texts;
};

struct profile_key {
	const char *name;
	enum gd_err (*set)(const struct setting *s, struct gd_error *why);
	bool     is_repeated; /* each adds one */
	size_t   offset;      /* of a text or uint32_t in struct profile */
	uint64_t max;         /* of a number */
	int      resource;    /* of a limit */
	uint64_t unit;        /* how much 1 is */
};

static enum gd_err no_memory(struct gd_error *why)
{
	return gd_fail(why, GD_NOMEM, "no memory for a profile");
}

static enum gd_err keep(const struct setting *s, const char *text, const char **out,
                        struct gd_error *why)
{
	*out = arena_copy(s->texts, text, strlen(text));
	return *out == NULL ? no_memory(why) : GD_OK;
}

/* --- texts --- */

static enum gd_err set_text(const struct setting *s, struct gd_error *why)
{
	if (s->text[0] == '\0')
		return gd_fail(why, GD_INVALID_PARAMS, "nothing is said");
	return keep(s, s->text, (const char **)(void *)((char *)s->p + s->key->offset), why);
}

static enum gd_err set_path(const struct setting *s, struct gd_error *why)
{
	if (s->text[0] != '/')
		return gd_fail(why, GD_INVALID_PARAMS, "\"%.80s\" is not an absolute path",
		               s->text);
	return set_text(s, why);
}

/* One that can be compared with what a job says. */
static enum gd_err set_top(const struct setting *s, struct gd_error *why)
{
	size_t bytes = strlen(s->text);

	if (strstr(s->text, "//") != NULL || strstr(s->text, "/.") != NULL ||
	    (bytes > 1 && s->text[bytes - 1] == '/'))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "\"%.80s\" wants one / between names, no / at its end, and no name "
		               "with a '.' first",
		               s->text);
	return set_path(s, why);
}

static enum gd_err set_program(const struct setting *s, struct gd_error *why)
{
	s->p->program_line = s->line;
	return set_path(s, why);
}

static enum gd_err add_prefix(const struct setting *s, struct gd_error *why)
{
	if (s->p->prefix_count == PROFILE_PREFIX_MAX)
		return gd_fail(why, GD_LIMIT, "more than %u of them", PROFILE_PREFIX_MAX);
	return keep(s, s->text, &s->p->prefix[s->p->prefix_count++], why);
}

/* --- numbers --- */

static enum gd_err read_number(const char *text, uint64_t min, uint64_t max, uint64_t *out,
                               struct gd_error *why)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || *out < min ||
	    *out > max)
		return gd_fail(why, GD_INVALID_PARAMS, "%.40s is not between %llu and %llu", text,
		               (unsigned long long)min, (unsigned long long)max);
	return GD_OK;
}

static enum gd_err set_number(const struct setting *s, struct gd_error *why)
{
	uint64_t    number = 0;
	enum gd_err rc = read_number(s->text, 0, s->key->max, &number, why);

	if (rc == GD_OK)
		*(uint32_t *)(void *)((char *)s->p + s->key->offset) = (uint32_t)number;
	return rc;
}

static enum gd_err add_limit(const struct setting *s, struct gd_error *why)
{
	uint64_t           number = 0;
	enum gd_err        rc = read_number(s->text, 1, s->key->max, &number, why);
	struct run_rlimit *limit = &s->p->rlimits[s->p->rlimit_count];

	if (rc != GD_OK)
		return rc;
	number *= s->key->unit;
	*limit = (struct run_rlimit){ (uint32_t)s->key->resource, number, number };
	s->p->rlimit_count++;
	return GD_OK;
}

static enum gd_err set_keep(const struct setting *s, struct gd_error *why)
{
	uint64_t    number = 0;
	enum gd_err rc = read_number(s->text, 1, RUN_KEEP_MAX >> 10, &number, why);

	s->p->keep = number << 10;
	return rc;
}

static enum gd_err set_timeout(const struct setting *s, struct gd_error *why)
{
	uint64_t    number = 0;
	enum gd_err rc = read_number(s->text, 1, NUMBER_MAX, &number, why);

	s->p->timeout = (gd_nsec)number * GD_NSEC_PER_SEC;
	return rc;
}

static enum gd_err set_umask(const struct setting *s, struct gd_error *why)
{
	char         *end;
	unsigned long bits = strtoul(s->text, &end, 8);

	if (s->text[0] < '0' || s->text[0] > '7' || *end != '\0' || bits > 0777)
		return gd_fail(why, GD_INVALID_PARAMS, "%.40s is not an octal number up to 777",
		               s->text);
	s->p->umask = (uint32_t)bits;
	return GD_OK;
}

static enum gd_err set_input(const struct setting *s, struct gd_error *why)
{
	s->p->takes_input = strcmp(s->text, "yes") == 0;
	if (!s->p->takes_input && strcmp(s->text, "no") != 0)
		return gd_fail(why, GD_INVALID_PARAMS, "%.40s is not yes or no", s->text);
	return GD_OK;
}

/* --- arguments and variables --- */

static enum gd_err add_arg(const struct setting *s, struct gd_error *why)
{
	enum gd_err rc;

	if (s->p->arg_count == PROFILE_ARGS_MAX)
		return gd_fail(why, GD_LIMIT, "more than %u of them", PROFILE_ARGS_MAX);
	rc = rule_parse(&s->p->args[s->p->arg_count], s->text, s->texts, why);
	s->p->arg_count += rc == GD_OK;
	return rc;
}

static enum gd_err set_rest(const struct setting *s, struct gd_error *why)
{
	s->p->has_rest = true;
	return rule_parse(&s->p->rest, s->text, s->texts, why);
}

static enum gd_err check_secret(const char *value, struct gd_error *why)
{
	const char *name = value + strlen(PROFILE_SECRET);

	if (strncmp(value, PROFILE_SECRET, strlen(PROFILE_SECRET)) != 0)
		return GD_OK;
	if (name[0] != '\0' && name[0] != '.' &&
	    name[strspn(name,
	                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")] ==
	            '\0')
		return GD_OK;
	return gd_fail(why, GD_INVALID_PARAMS,
	               "no name of a secret: \"%.60s\" (letters, digits, '.', '_' and '-', no '.' "
	               "first)",
	               name);
}

static enum gd_err read_variable(const struct setting *s, struct profile_variable *v,
                                 struct gd_error *why)
{
	size_t      chars = strcspn(s->text, BLANKS "=");
	const char *behind = s->text + chars;
	enum gd_err rc;

	if (chars == 0)
		return gd_fail(why, GD_INVALID_PARAMS,
		               "wants NAME=VALUE, NAME, or NAME and what it may be");
	if (strncmp(s->text, "GATHERD_", strlen("GATHERD_")) == 0)
		return gd_fail(why, GD_INVALID_PARAMS,
		               "names that begin with GATHERD_ are the daemon's");
	if ((v->name = arena_copy(s->texts, s->text, chars)) == NULL)
		return no_memory(why);
	if (*behind == '=') {
		rc = check_secret(behind + 1, why);
		return rc == GD_OK ? keep(s, behind + 1, &v->value, why) : rc;
	}
	rule_any(&v->rule);
	behind += strspn(behind, BLANKS);
	return *behind == '\0' ? GD_OK : rule_parse(&v->rule, behind, s->texts, why);
}

static enum gd_err add_variable(const struct setting *s, struct gd_error *why)
{
	struct profile         *p = s->p;
	struct profile_variable v = { 0 };
	enum gd_err             rc;

	if (p->env_count == PROFILE_ENV_MAX)
		return gd_fail(why, GD_LIMIT, "more than %u of them", PROFILE_ENV_MAX);
	if ((rc = read_variable(s, &v, why)) != GD_OK)
		return rc;
	for (uint32_t i = 0; i < p->env_count; i++) {
		if (strcmp(p->env[i].name, v.name) == 0) {
			rule_close(&v.rule);
			return gd_fail(why, GD_INVALID_PARAMS, "%.60s is said twice", v.name);
		}
	}
	p->env[p->env_count++] = v;
	return GD_OK;
}

/* --- users --- */

static bool read_id(const char *text, uint32_t *out)
{
	struct gd_error ignored;
	uint64_t        number = 0;

	if (read_number(text, 0, RUN_ID_NONE - 1, &number, &ignored) != GD_OK)
		return false;
	*out = (uint32_t)number;
	return true;
}

/* A user brings its group, unless one is said. */
static enum gd_err set_user(const struct setting *s, struct gd_error *why)
{
	struct passwd   entry, *found = NULL;
	char            room[NAME_SERVICE_BYTES];
	struct profile *p = s->p;

	p->user_line = s->line;
	if (read_id(s->text, &p->uid))
		(void)getpwuid_r(p->uid, &entry, room, sizeof room, &found);
	else
		(void)getpwnam_r(s->text, &entry, room, sizeof room, &found);
	if (found == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "there is no user %.60s", s->text);
	p->uid = found->pw_uid;
	if (p->gid == RUN_ID_NONE)
		p->gid = found->pw_gid;
	return set_text(s, why);
}

static enum gd_err set_group(const struct setting *s, struct gd_error *why)
{
	struct group entry, *found = NULL;
	char         room[NAME_SERVICE_BYTES];

	if (read_id(s->text, &s->p->gid))
		return GD_OK;
	(void)getgrnam_r(s->text, &entry, room, sizeof room, &found);
	if (found == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "there is no group %.60s", s->text);
	s->p->gid = found->gr_gid;
	return GD_OK;
}

/* --- lists of words --- */

static enum gd_err set_interrupts(const struct setting *s, struct gd_error *why)
{
	static const char *const NAMES[] = { "fail", "retry", "hold" };
	char                    *rest = arena_copy(s->texts, s->text, strlen(s->text));
	char                    *word;

	s->p->interrupts = 0;
	if (rest == NULL)
		return no_memory(why);
	while ((word = strtok_r(rest, BLANKS ",", &rest)) != NULL) {
		uint32_t i = 0;

		while (i < 3 && strcmp(word, NAMES[i]) != 0)
			i++;
		if (i == 3)
			return gd_fail(why, GD_INVALID_PARAMS, "%.40s is not fail, retry or hold",
			               word);
		s->p->interrupts |= 1u << i;
	}
	if (s->p->interrupts == 0)
		return gd_fail(why, GD_INVALID_PARAMS, "wants fail, retry or hold");
	return GD_OK;
}

static bool is_principal(const char *word)
{
	enum token_role role;
	uint32_t        uid;

	if (strncmp(word, "uid:", 4) == 0)
		return read_id(word + 4, &uid) && (word[4] != '0' || word[5] == '\0');
	if (strncmp(word, "token:", 6) == 0)
		return token_id_is_good(word + 6);
	return strncmp(word, "role:", 5) == 0 && token_role_parse(word + 5, &role);
}

static enum gd_err add_allowed(const struct setting *s, struct gd_error *why)
{
	char *rest = arena_copy(s->texts, s->text, strlen(s->text));
	char *word;

	if (rest == NULL)
		return no_memory(why);
	while ((word = strtok_r(rest, BLANKS ",", &rest)) != NULL) {
		if (!is_principal(word))
			return gd_fail(why, GD_INVALID_PARAMS,
			               "%.60s is not uid:NUMBER, token:ID or role:NAME", word);
		if (s->p->allow_count == PROFILE_ALLOW_MAX)
			return gd_fail(why, GD_LIMIT, "more than %u of them", PROFILE_ALLOW_MAX);
		s->p->allow[s->p->allow_count++] = word;
	}
	return GD_OK;
}

/* --- the table --- */

#define IN_PROFILE(field) .offset = offsetof(struct profile, field)

static const struct profile_key KEYS[] = {
	{ .name = "allow", .set = add_allowed, .is_repeated = true },
	{ .name = "arg", .set = add_arg, .is_repeated = true },
	{ .name = "cwd", .set = set_path, IN_PROFILE(cwd) },
	{ .name = "cwd-below", .set = set_top, IN_PROFILE(cwd_below) },
	{ .name = "env", .set = add_variable, .is_repeated = true },
	{ .name = "group", .set = set_group },
	{ .name = "keep-kib", .set = set_keep },
	{ .name = "limit-as-mib",
	  .set = add_limit,
	  .resource = RLIMIT_AS,
	  .max = NUMBER_MAX,
	  .unit = 1u << 20 },
	{ .name = "limit-cpu",
	  .set = add_limit,
	  .resource = RLIMIT_CPU,
	  .max = NUMBER_MAX,
	  .unit = 1 },
	{ .name = "limit-fsize-mib",
	  .set = add_limit,
	  .resource = RLIMIT_FSIZE,
	  .max = NUMBER_MAX,
	  .unit = 1u << 20 },
	{ .name = "limit-nofile",
	  .set = add_limit,
	  .resource = RLIMIT_NOFILE,
	  .max = NUMBER_MAX,
	  .unit = 1 },
	{ .name = "limit-nproc",
	  .set = add_limit,
	  .resource = RLIMIT_NPROC,
	  .max = NUMBER_MAX,
	  .unit = 1 },
	{ .name = "max-args", .set = set_number, IN_PROFILE(args_max), .max = RULES_ROOM_MAX },
	{ .name = "min-args", .set = set_number, IN_PROFILE(args_min), .max = RULES_ROOM_MAX },
	{ .name = "nice", .set = set_number, IN_PROFILE(nice), .max = 19 },
	{ .name = "on-interrupt", .set = set_interrupts },
	{ .name = "pool", .set = set_text, IN_PROFILE(pool) },
	{ .name = "prefix", .set = add_prefix, .is_repeated = true },
	{ .name = "processes", .set = set_number, IN_PROFILE(pids_max), .max = 4194304 },
	{ .name = "program", .set = set_program, IN_PROFILE(program) },
	{ .name = "rest", .set = set_rest },
	{ .name = "stdin", .set = set_input },
	{ .name = "timeout", .set = set_timeout },
	{ .name = "umask", .set = set_umask },
	{ .name = "user", .set = set_user, IN_PROFILE(user) },
};
#define KEY_COUNT (sizeof KEYS / sizeof KEYS[0])

_Static_assert(KEY_COUNT <= 64, "struct profile has one bit for each key");

static const struct profile_key *key_find(const char *name)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(KEYS[i].name, name) == 0)
			return &KEYS[i];
	}
	return NULL;
}

static bool is_said(const struct profile *p, const char *key)
{
	return (p->said >> (key_find(key) - KEYS) & 1) != 0;
}

void profile_preset(struct profile *p)
{
	*p = (struct profile){ .uid = RUN_ID_NONE,
		               .gid = RUN_ID_NONE,
		               .umask = 077,
		               .keep = RUN_KEEP_DEFAULT,
		               .interrupts = PROFILE_INTERRUPT_FAIL | PROFILE_INTERRUPT_RETRY |
		                             PROFILE_INTERRUPT_HOLD };
}

enum gd_err profile_key_set(struct profile *p, const char *key, const char *value, int line,
                            struct arena *a, struct gd_error *why)
{
	struct setting  s = { p, key_find(key), value, line, a };
	struct gd_error inner = { 0 };
	enum gd_err     rc;

	if (s.key == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "%.60s: there is no such key of a profile",
		               key);
	if (!s.key->is_repeated && is_said(p, key))
		return gd_fail(why, GD_INVALID_PARAMS, "%s: said twice", key);
	p->said |= UINT64_C(1) << (s.key - KEYS);
	rc = s.key->set(&s, &inner);
	return rc == GD_OK ? GD_OK : gd_fail(why, rc, "%s: %.210s", key, inner.text);
}

/* As many arguments as have rules, unless something else is said. */
static enum gd_err finish_args(struct profile *p, struct gd_error *why)
{
	uint32_t most = p->arg_count + (p->has_rest ? PROFILE_REST_MAX : 0);

	if (!is_said(p, "min-args"))
		p->args_min = p->arg_count;
	if (!is_said(p, "max-args"))
		p->args_max = most;
	if (p->args_max > most)
		return gd_fail(why, GD_INVALID_PARAMS,
		               "max-args: %u, but only %u have a rule: say what the rest may be",
		               p->args_max, most);
	if (p->args_min > p->args_max)
		return gd_fail(why, GD_INVALID_PARAMS, "min-args: %u is more than max-args, %u",
		               p->args_min, p->args_max);
	return GD_OK;
}

enum gd_err profile_finish(struct profile *p, struct gd_error *why)
{
	if (p->program == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "program: it is not said which");
	if (p->cwd != NULL && p->cwd_below != NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "cwd and cwd-below: only one of them");
	if (p->gid != RUN_ID_NONE && p->uid == RUN_ID_NONE)
		return gd_fail(why, GD_INVALID_PARAMS, "group: wants a user as well");
	return finish_args(p, why);
}
