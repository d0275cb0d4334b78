#include "daemon/effect/launch_env.h"

#include "proto/base/check.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PASSWD_BYTES_MAX 16384u
#define OWN_MAX 7u /* PATH LANG GATHERD_JOB HOME USER LOGNAME SHELL */

struct variables {
	struct arena *arena;
	const char  **env;
	const char  **secrets;
	uint32_t      room; /* of each */
	uint32_t      env_count;
	uint32_t      secret_count;
};

static bool names(const char *variable, const char *name, size_t chars)
{
	return strncmp(variable, name, chars) == 0 && variable[chars] == '=';
}

static void remove_name(const char **list, uint32_t *count, const char *name, size_t chars)
{
	for (uint32_t i = 0; i < *count; i++)
		if (names(list[i], name, chars))
			list[i--] = list[--*count];
}

/* In the place of all that the name had before. */
static void put(struct variables *v, const char *name, const char *text, bool is_secret)
{
	size_t       chars = strlen(name), bytes = strlen(text);
	char        *at = arena_alloc(v->arena, chars + 1 + bytes + 1);
	const char **list = is_secret ? v->secrets : v->env;
	uint32_t    *count = is_secret ? &v->secret_count : &v->env_count;

	if (at == NULL)
		return;
	memcpy(at, name, chars);
	at[chars] = '=';
	memcpy(at + chars + 1, text, bytes);
	remove_name(v->env, &v->env_count, name, chars);
	remove_name(v->secrets, &v->secret_count, name, chars);
	CHECK(*count < v->room);
	list[(*count)++] = at;
}

/* The home of the user. */
static const char *put_user(struct variables *v, uid_t uid)
{
	char          room[PASSWD_BYTES_MAX];
	struct passwd entry, *user = NULL;

	if (getpwuid_r(uid, &entry, room, sizeof room, &user) != 0 || user == NULL)
		return NULL;
	put(v, "HOME", user->pw_dir, false);
	put(v, "USER", user->pw_name, false);
	put(v, "LOGNAME", user->pw_name, false);
	put(v, "SHELL", user->pw_shell, false);
	return arena_copy(v->arena, user->pw_dir, strlen(user->pw_dir));
}

static void put_profile(struct variables *v, const struct profile *p)
{
	for (uint32_t i = 0; i < p->env_count; i++) {
		const char *value = p->env[i].value;
		bool        is_secret = value != NULL &&
		                 strncmp(value, PROFILE_SECRET, strlen(PROFILE_SECRET)) == 0;

		if (value != NULL)
			put(v, p->env[i].name, value + (is_secret ? strlen(PROFILE_SECRET) : 0),
			    is_secret);
	}
}

static void put_given(struct variables *v, const struct vdict *given)
{
	for (uint32_t i = 0; i < given->count; i++) {
		struct value value = given->at[i].value;
		bool         is_secret = value_is_type(value, VALUE_T_DICT);

		if (is_secret)
			value = value_dict_get(value, "secret", strlen("secret"));
		put(v, value_text(given->at[i].key)->at, value_text(value)->at, is_secret);
	}
}

const char *launch_env(struct launch *l, const struct profile *profile, struct value given)
{
	struct variables v = { .arena = &l->arena };
	char             job[24];
	const char      *home;

	v.room = OWN_MAX + (profile != NULL ? profile->env_count : 0) +
	         (value_is_none(given) ? 0 : value_dict(given)->count);
	v.env = arena_alloc(&l->arena, (v.room + 1) * sizeof *v.env);
	v.secrets = arena_alloc(&l->arena, (v.room + 1) * sizeof *v.secrets);
	if (v.env == NULL || v.secrets == NULL)
		return NULL;
	(void)snprintf(job, sizeof job, "%" PRIu64, l->start.ref.job);
	put(&v, "PATH", PATH_DEFAULT, false);
	put(&v, "LANG", "C.UTF-8", false);
	put(&v, "GATHERD_JOB", job, false);
	home = put_user(&v, l->start.uid == RUN_ID_NONE ? geteuid() : l->start.uid);
	if (profile != NULL)
		put_profile(&v, profile);
	if (!value_is_none(given))
		put_given(&v, value_dict(given));
	/* What was overwritten at the end of a list must not be read as a part of it. */
	v.env[v.env_count] = NULL;
	v.secrets[v.secret_count] = NULL;
	l->start.env = v.env;
	l->start.secrets = v.secrets;
	return home;
}
