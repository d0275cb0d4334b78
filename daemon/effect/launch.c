#include "daemon/effect/launch.h"

#include "proto/base/check.h"
#include "proto/base64.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PASSWD_BYTES_MAX 16384u
#define OWN_VARIABLES 6u /* PATH HOME USER LOGNAME SHELL LANG */

static struct value member(struct value dict, const char *name)
{
	return value_dict_get(dict, name, strlen(name));
}

static const char *copy_text(struct arena *a, struct value v)
{
	return arena_copy(a, value_text(v)->at, value_text(v)->bytes);
}

static bool is_word(struct value v, const char *word)
{
	return value_is_type(v, VALUE_T_TEXT) && strcmp(value_text(v)->at, word) == 0;
}

static void put_argv(struct launch *l, const struct vlist *list)
{
	const char **argv = arena_alloc(&l->arena, (list->count + 1) * sizeof *argv);

	for (uint32_t i = 0; argv != NULL && i < list->count; i++)
		argv[i] = copy_text(&l->arena, list->at[i]);
	l->start.argv = argv;
}

/* --- environment --- */

static const char *join(struct arena *a, const char *name, const char *text, size_t bytes)
{
	size_t chars = strlen(name);
	char  *at = arena_alloc(a, chars + 1 + bytes + 1);

	if (at == NULL)
		return NULL;
	memcpy(at, name, chars);
	at[chars] = '=';
	memcpy(at + chars + 1, text, bytes);
	return at;
}

struct variables {
	struct arena *arena;
	const char  **at;
	uint32_t      count;
	struct value  given; /* a dict, or VALUE_NONE */
};

/* The job's own word goes before ours. */
static void put_own(struct variables *v, const char *name, const char *text)
{
	if (value_is_none(v->given) || value_is_none(member(v->given, name)))
		v->at[v->count++] = join(v->arena, name, text, strlen(text));
}

static void put_env(struct launch *l, struct value given)
{
	uint32_t         most = value_is_none(given) ? 0 : value_dict(given)->count;
	struct variables v = { .arena = &l->arena, .given = given };
	char             room[PASSWD_BYTES_MAX];
	struct passwd    entry, *user = NULL;

	v.at = arena_alloc(&l->arena, (most + OWN_VARIABLES + 1) * sizeof *v.at);
	if (v.at == NULL)
		return;
	put_own(&v, "PATH", PATH_DEFAULT);
	put_own(&v, "LANG", "C.UTF-8");
	if (getpwuid_r(getuid(), &entry, room, sizeof room, &user) == 0 && user != NULL) {
		put_own(&v, "HOME", user->pw_dir);
		put_own(&v, "USER", user->pw_name);
		put_own(&v, "LOGNAME", user->pw_name);
		put_own(&v, "SHELL", user->pw_shell);
		l->start.cwd = arena_copy(&l->arena, user->pw_dir, strlen(user->pw_dir));
	}
	for (uint32_t i = 0; i < most; i++) {
		const struct vpair *pair = &value_dict(given)->at[i];

		v.at[v.count++] = join(&l->arena, value_text(pair->key)->at,
		                       value_text(pair->value)->at, value_text(pair->value)->bytes);
	}
	l->start.env = v.at;
}

/* --- the rest --- */

static void put_input(struct launch *l, struct value input)
{
	struct buf   b = { 0 };
	struct value text = input;
	size_t       bytes;
	bool         is_coded = value_is_type(input, VALUE_T_DICT);

	if (is_coded) {
		text = member(input, "base64");
		/* The engine has seen that it is such a text. */
		CHECK(base64_read(&b, value_text(text)->at, value_text(text)->bytes));
	}
	bytes = is_coded ? b.bytes : value_text(text)->bytes;
	if (b.failed != GD_OK)
		l->arena.failed = true;
	else
		l->start.input = arena_copy(
			&l->arena, is_coded && b.at != NULL ? b.at : value_text(text)->at, bytes);
	l->start.input_bytes = bytes;
	buf_close(&b);
}

static void put_streams(struct launch *l, struct value request)
{
	bool drops_out = is_word(member(request, "stdout"), "DEVNULL");
	bool merges_error = is_word(member(request, "stderr"), "STDOUT");
	bool drops_error = merges_error || is_word(member(request, "stderr"), "DEVNULL");

	l->start.keep[RUN_STDOUT] = drops_out ? 0 : RUN_KEEP_DEFAULT;
	l->start.keep[RUN_STDERR] = drops_error ? 0 : RUN_KEEP_DEFAULT;
	l->start.merges_error = merges_error;
	l->start.is_paced = is_word(member(request, "yield"), "lines");
}

enum gd_err launch_build(struct value request, struct launch *out, enum run_stage *stage,
                         struct gd_error *why)
{
	struct value cwd = member(request, "cwd"), input = member(request, "stdin");

	*out = (struct launch){ .start = { .umask = 077, .uid = RUN_ID_NONE, .gid = RUN_ID_NONE } };
	put_argv(out, value_list(member(request, "argv")));
	put_env(out, member(request, "env"));
	put_streams(out, request);
	if (!value_is_none(cwd))
		out->start.cwd = copy_text(&out->arena, cwd);
	else if (out->start.cwd != NULL && access(out->start.cwd, X_OK) != 0)
		out->start.cwd = NULL;
	if (!value_is_none(input))
		put_input(out, input);
	if (!out->arena.failed)
		return GD_OK;
	launch_close(out);
	*stage = RUN_STAGE_LIMIT;
	return gd_fail(why, GD_NOMEM, "no memory to start a command");
}

void launch_close(struct launch *l)
{
	arena_close(&l->arena);
	*l = (struct launch){ 0 };
}
