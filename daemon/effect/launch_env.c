#include "daemon/effect/launch_env.h"

#include "proto/base/check.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PASSWD_BYTES_MAX 16384u
#define OWN_MAX 7u /* PATH LANG GATHERD_JOB HOME USER LOGNAME SHELL */

struct variables {
	struct arena         *arena;
	const struct profile *profile; /* NULL: none */
	struct value          given;   /* VALUE_NONE: nothing */
	const char          **env;
	const char          **secrets;
	uint32_t              env_count;
	uint32_t              secret_count;
};

static void put(struct variables *v, const char *name, const char *text, bool is_secret)
{
	size_t chars = strlen(name), bytes = strlen(text);
	char  *at = arena_alloc(v->arena, chars + 1 + bytes + 1);

	if (at == NULL)
		return;
	memcpy(at, name, chars);
	at[chars] = '=';
	memcpy(at + chars + 1, text, bytes);
	if (is_secret)
		v->secrets[v->secret_count++] = at;
	else
		v->env[v->env_count++] = at;
}

static bool is_given(const struct variables *v, const char *name)
{
	return !value_is_none(v->given) &&
	       !value_is_none(value_dict_get(v->given, name, strlen(name)));
}

static bool is_in_profile(const struct variables *v, const char *name)
{
	for (uint32_t i = 0; v->profile != NULL && i < v->profile->env_count; i++)
		if (v->profile->env[i].value != NULL && strcmp(v->profile->env[i].name, name) == 0)
			return true;
	return false;
}

/* Where nobody else says anything. */
static void put_own(struct variables *v, const char *name, const char *text)
{
	if (!is_given(v, name) && !is_in_profile(v, name))
		put(v, name, text, false);
}

/* What the system says of a user; asked for anew each second. */
struct account {
	uid_t         uid;
	time_t        asked; /* CLOCK_MONOTONIC; 0: never */
	bool          is_known;
	struct passwd entry;
	char          room[PASSWD_BYTES_MAX];
};

static const struct account *account_of(uid_t uid)
{
	static _Thread_local struct account last;

	struct passwd  *found = NULL;
	struct timespec now;

	CHECK(clock_gettime(CLOCK_MONOTONIC_COARSE, &now) == 0);
	if (last.asked != now.tv_sec + 1 || last.uid != uid) {
		last.uid = uid;
		last.asked = now.tv_sec + 1; /* never 0 */
		last.is_known =
			getpwuid_r(uid, &last.entry, last.room, sizeof last.room, &found) == 0 &&
			found != NULL;
	}
	return &last;
}

/* The home of the user. */
static const char *put_user(struct variables *v, uid_t uid)
{
	const struct account *user = account_of(uid);

	if (!user->is_known)
		return NULL;
	put_own(v, "HOME", user->entry.pw_dir);
	put_own(v, "USER", user->entry.pw_name);
	put_own(v, "LOGNAME", user->entry.pw_name);
	put_own(v, "SHELL", user->entry.pw_shell);
	return arena_copy(v->arena, user->entry.pw_dir, strlen(user->entry.pw_dir));
}

static void put_profile(struct variables *v)
{
	for (uint32_t i = 0; v->profile != NULL && i < v->profile->env_count; i++) {
		const char *name = v->profile->env[i].name, *value = v->profile->env[i].value;
		bool        is_secret = value != NULL &&
		                 strncmp(value, PROFILE_SECRET, strlen(PROFILE_SECRET)) == 0;

		if (value != NULL && !is_given(v, name))
			put(v, name, value + (is_secret ? strlen(PROFILE_SECRET) : 0), is_secret);
	}
}

static void put_given(struct variables *v)
{
	const struct vdict *given = value_is_none(v->given) ? NULL : value_dict(v->given);

	for (uint32_t i = 0; given != NULL && i < given->count; i++) {
		struct value value = given->at[i].value;
		bool         is_secret = value_is_type(value, VALUE_T_DICT);

		if (is_secret)
			value = value_dict_get(value, "secret", strlen("secret"));
		put(v, value_text(given->at[i].key)->at, value_text(value)->at, is_secret);
	}
}

const char *launch_env(struct launch *l, const struct profile *profile, struct value given)
{
	struct variables v = { .arena = &l->arena, .profile = profile, .given = given };
	size_t           room = OWN_MAX + 1;
	char             job[24];
	const char      *home;

	room += profile != NULL ? profile->env_count : 0;
	room += value_is_none(given) ? 0 : value_dict(given)->count;
	v.env = arena_alloc(&l->arena, room * sizeof *v.env);
	v.secrets = arena_alloc(&l->arena, room * sizeof *v.secrets);
	if (v.env == NULL || v.secrets == NULL)
		return NULL;
	(void)snprintf(job, sizeof job, "%" PRIu64, l->start.ref.job);
	put_own(&v, "PATH", PATH_DEFAULT);
	put_own(&v, "LANG", "C.UTF-8");
	put_own(&v, "GATHERD_JOB", job);
	home = put_user(&v, l->start.uid == RUN_ID_NONE ? geteuid() : l->start.uid);
	put_profile(&v);
	put_given(&v);
	l->start.env = v.env;
	l->start.secrets = v.secrets;
	return home;
}
