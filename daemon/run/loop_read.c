/* Reads that come back to the loop that asked. */
#include "daemon/run/loop.h"
#include "daemon/run/pool.h"

#include <stddef.h>
#include <stdlib.h>

struct loop_read *loop_read_new(enum read_kind kind)
{
	struct loop_read *r = calloc(1, sizeof *r);

	if (r != NULL)
		r->read.kind = kind;
	return r;
}

static void take_read(struct loop *l, struct inbox_msg *m)
{
	struct loop_read *r =
		(struct loop_read *)(void *)((char *)m - offsetof(struct loop_read, msg));

	r->done(l, r, r->ctx);
}

static void on_read_done(struct store_read *read)
{
	struct loop_read *r = read->owner;

	loop_post_answer(r->loop, &r->msg);
}

void loop_read_start(struct loop *l, struct loop_read                                   *r,
                     void (*done)(struct loop *l, struct loop_read *r, void *ctx), void *ctx)
{
	r->loop = l;
	r->done = done;
	r->ctx = ctx;
	r->msg.run = take_read;
	r->read.loop = l->index;
	r->read.owner = r;
	r->read.done = on_read_done;
	if (l->is_stopping) {
		r->read.outcome = gd_fail(&r->read.why, GD_UNAVAILABLE, "the daemon is stopping");
		loop_post_answer(l, &r->msg);
		return;
	}
	store_read(l->pool->store, &r->read);
}
