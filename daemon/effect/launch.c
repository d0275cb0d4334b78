#include "daemon/effect/launch.h"

#include "daemon/effect/launch_check.h"
#include "daemon/effect/launch_env.h"
#include "proto/base/check.h"
#include "proto/base64.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct value member(struct value dict, const char *name)
{
	return value_dict_get(dict, name, strlen(name));
}

static const char *copy_text(struct arena *a, const char *text)
{
	return arena_copy(a, text, strlen(text));
}

static bool is_word(struct value v, const char *word)
{
	return value_is_type(v, VALUE_T_TEXT) && strcmp(value_text(v)->at, word) == 0;
}

/* --- what it is --- */

static void put_argv(struct launch *l, const struct profile *p, const struct vlist *list)
{
	uint32_t     first = p == NULL ? 0 : 1 + p->prefix_count;
	const char **argv = arena_alloc(&l->arena, (first + list->count + 1) * sizeof *argv);

	if (argv == NULL)
		return;
	if (p != NULL)
		argv[0] = copy_text(&l->arena, p->program);
	for (uint32_t i = 1; i < first; i++)
		argv[i] = copy_text(&l->arena, p->prefix[i - 1]);
	for (uint32_t i = 0; i < list->count; i++)
		argv[first + i] = copy_text(&l->arena, value_text(list->at[i])->at);
	l->start.argv = argv;
}

/* Without a word from anybody a command that could be anything starts at home, others in /. */
static void put_cwd(struct launch *l, const struct profile *p, struct value given, const char *home)
{
	const char *cwd = NULL;

	if (!value_is_none(given))
		cwd = value_text(given)->at;
	else if (p != NULL)
		cwd = p->cwd != NULL ? p->cwd : p->cwd_below;
	else if (home != NULL && access(home, X_OK) == 0)
		cwd = home;
	l->start.cwd = cwd == NULL ? NULL : copy_text(&l->arena, cwd);
}

static void put_limits(struct launch *l, const struct profile *p)
{
	struct run_rlimit *limits = arena_alloc(&l->arena, sizeof p->rlimits);

	if (limits == NULL)
		return;
	memcpy(limits, p->rlimits, sizeof p->rlimits);
	l->start.rlimits = limits;
	l->start.rlimit_count = p->rlimit_count;
	l->start.pids_max = p->pids_max;
	l->start.umask = p->umask;
	l->start.nice = (int32_t)p->nice;
	/* Without root the user is our own, see profile_trust(). */
	if (geteuid() == 0) {
		l->start.uid = p->uid;
		l->start.gid = p->gid;
	}
}

/* --- input and output --- */

static void put_bytes(struct launch *l, const char *at, size_t bytes)
{
	l->start.input = arena_copy(&l->arena, at, bytes);
	l->start.input_bytes = bytes;
}

static void put_input(struct launch *l, struct value input)
{
	struct buf   b = { 0 };
	struct value coded;

	if (!value_is_type(input, VALUE_T_DICT)) {
		put_bytes(l, value_text(input)->at, value_text(input)->bytes);
		return;
	}
	coded = member(input, "base64");
	/* The engine has seen that it is such a text. */
	CHECK(base64_read(&b, value_text(coded)->at, value_text(coded)->bytes) ||
	      b.failed != GD_OK);
	if (b.failed != GD_OK)
		l->arena.failed = true;
	else
		put_bytes(l, b.at == NULL ? "" : b.at, b.bytes);
	buf_close(&b);
}

static void put_streams(struct launch *l, struct value request, uint64_t keep)
{
	bool drops_out = is_word(member(request, "stdout"), "DEVNULL");
	bool merges_error = is_word(member(request, "stderr"), "STDOUT");
	bool drops_error = merges_error || is_word(member(request, "stderr"), "DEVNULL");

	l->start.keep[RUN_STDOUT] = drops_out ? 0 : keep;
	l->start.keep[RUN_STDERR] = drops_error ? 0 : keep;
	l->start.merges_error = merges_error;
	l->start.is_paced = is_word(member(request, "yield"), "lines");
}

/* --- the whole --- */

static void fill(struct launch *l, const struct profile *p, struct value request)
{
	struct value input = member(request, "stdin");
	const char  *home;

	if (p != NULL)
		put_limits(l, p);
	put_argv(l, p, value_list(member(request, "argv")));
	home = launch_env(l, p, member(request, "env"));
	put_cwd(l, p, member(request, "cwd"), home);
	put_streams(l, request, p == NULL ? RUN_KEEP_DEFAULT : p->keep);
	if (!value_is_none(input))
		put_input(l, input);
}

/* NULL: the request names none, or `why` says that there is none. */
static const struct profile *find(const struct profile_table *t, struct value request,
                                  struct gd_error *why)
{
	struct value          name = member(request, "profile");
	const struct profile *p;

	if (value_is_none(name))
		return NULL;
	p = profile_table_find(t, value_text(name)->at);
	if (p == NULL)
		(void)gd_fail(why, GD_FORBIDDEN, "there is no exec profile %.40s any more",
		              value_text(name)->at);
	return p;
}

static enum gd_err build(const struct profile_table *t, struct value request, struct launch *out,
                         enum run_stage *stage, struct gd_error *why)
{
	struct gd_error       inner = { .code = GD_OK };
	const struct profile *p = find(t, request, &inner);
	enum gd_err           rc = inner.code;

	if (p != NULL)
		rc = launch_check(p, request, &inner);
	if (rc == GD_OK)
		fill(out, p, request);
	*stage = rc != GD_OK ? RUN_STAGE_PROFILE : RUN_STAGE_LIMIT;
	if (rc != GD_OK)
		return gd_fail(why, rc, "%s", inner.text);
	return out->arena.failed ? gd_fail(why, GD_NOMEM, "no memory to start a command") : GD_OK;
}

enum gd_err launch_build(struct profile_book *book, struct run_ref ref, struct value request,
                         struct launch *out, enum run_stage *stage, struct gd_error *why)
{
	struct profile_table *t = profile_book_take(book);
	enum gd_err           rc;

	*out = (struct launch){
		.start = { .ref = ref, .umask = 077, .uid = RUN_ID_NONE, .gid = RUN_ID_NONE }
	};
	rc = build(t, request, out, stage, why);
	profile_table_release(t);
	if (rc != GD_OK)
		launch_close(out);
	return rc;
}

void launch_close(struct launch *l)
{
	arena_close(&l->arena);
	*l = (struct launch){ 0 };
}

bool launch_pool(struct profile_book *book, struct value request, char out[LAUNCH_POOL_BYTES])
{
	struct profile_table *t = profile_book_take(book);
	struct gd_error       ignored;
	const struct profile *p = find(t, request, &ignored);
	bool                  is_said = p != NULL && p->pool != NULL;

	if (is_said)
		(void)snprintf(out, LAUNCH_POOL_BYTES, "%s", p->pool);
	profile_table_release(t);
	return is_said;
}
