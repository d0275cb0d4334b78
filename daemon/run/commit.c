#include "daemon/run/commit.h"

#include "daemon/run/pool.h"
#include "proto/base/check.h"
#include "proto/base/failpoint.h"

#include <stddef.h>
#include <stdlib.h>

struct commit_note {
	struct inbox_msg     msg;
	struct store_commit *commit;
};

static void release_group(struct loop *l, struct store_group *g, enum gd_err outcome)
{
	CHECK(l->unsynced_bytes >= g->arena.bytes);
	l->unsynced_bytes -= g->arena.bytes;
	outbox_release(g->outbox, l, outcome);
}

static void take_commit(struct loop *l, struct inbox_msg *m)
{
	struct commit_note  *note = (struct commit_note *)(void *)m;
	struct store_commit *c = note->commit;
	bool                 is_listening = loop_is_listening(l);

	_Static_assert(offsetof(struct commit_note, msg) == 0, "a note begins with its message");
	free(note);
	GD_FAILPOINT("run.before_release");
	if (c->outcome != GD_OK) {
		if (l->is_lost)
			return; /* everybody here was answered when the first one came */
		l->is_lost = true;
		for (struct store_group *g = c->groups; g != NULL; g = g->next)
			if (g->loop == l->index)
				release_group(l, g, c->outcome);
		l->hooks.on_durability_unknown(l->hooks.ctx);
		pool_lose(l->pool, &c->why);
		return;
	}
	for (struct store_group *g = c->groups; g != NULL; g = g->next) {
		if (is_listening || g->loop == l->index)
			l->hooks.on_group(l->hooks.ctx, c, g);
		if (g->loop == l->index)
			release_group(l, g, c->outcome);
	}
	l->hooks.on_commit_end(l->hooks.ctx, c);
	GD_FAILPOINT("run.after_release");
	store_commit_release(c);
}

void commit_post(struct loop *l, struct store_commit *c)
{
	struct commit_note *note = malloc(sizeof *note);
	struct gd_error     why;

	if (note == NULL) {
		(void)gd_fail(&why, GD_NOMEM, "no memory to tell a loop of a commit");
		pool_die("commit.no_memory", &why);
	}
	note->msg.run = take_commit;
	note->commit = c;
	loop_post_answer(l, &note->msg);
}
