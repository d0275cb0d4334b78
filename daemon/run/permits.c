#include "daemon/run/permits.h"

#include "daemon/run/busy.h"
#include "daemon/run/inputs.h"
#include "daemon/run/pool.h"
#include "daemon/run/semaphores.h"

#include <stddef.h>
#include <stdlib.h>

static _Noreturn void out_of_memory(void)
{
	struct gd_error why;

	(void)gd_fail(&why, GD_NOMEM, "no memory for who waits for a semaphore");
	pool_die("loop.no_memory", &why);
}

/* --- to the semaphores --- */

/* In the arena of its group. */
struct word {
	struct outbox_item item;
	uint64_t           job;
	gd_nsec            time;
	struct text        name;
	uint32_t           ticket;
	bool               is_release;
};

static void tell(struct loop *l, const struct word *w)
{
	struct semaphores *t = l->pool->semaphores;

	if (w->is_release)
		semaphores_release(t, w->job, w->ticket, w->time);
	else if (semaphores_acquire(t, w->job, w->ticket, w->name, 0, w->time) != GD_OK)
		out_of_memory();
}

static void release_word(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	_Static_assert(offsetof(struct word, item) == 0, "a word begins with its item");
	if (outcome == GD_OK)
		tell(l, (struct word *)(void *)item);
}

void permits_apply(struct loop *l, const struct engine_out *out)
{
	const struct vtext *name = value_text(out->data);
	struct word         now = { .item.release = release_word,
		                    .job = out->job,
		                    .time = out->time,
		                    .name = { name->at, name->bytes },
		                    .ticket = out->ticket,
		                    .is_release = out->kind == ENGINE_RELEASE };
	struct store_group *g;
	struct word        *w;

	if (out->job == l->replay_job) { /* it follows from what is durable */
		tell(l, &now);
		return;
	}
	/* Through a group also where nothing else has opened one: groups are reported in the order
	 * in which they were handed over, so it comes behind all that happened before. */
	if ((g = loop_group(l)) == NULL || (w = arena_alloc(&g->arena, sizeof *w)) == NULL)
		out_of_memory();
	*w = now;
	if ((w->name.at = arena_copy(&g->arena, name->at, name->bytes)) == NULL)
		out_of_memory();
	outbox_add(g->outbox, &w->item);
}

/* In the arena of its group. */
struct farewell {
	struct outbox_item item;
	uint64_t           job;
	gd_nsec            time;
};

static void release_farewell(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	const struct farewell *f = (struct farewell *)(void *)item;

	_Static_assert(offsetof(struct farewell, item) == 0, "a farewell begins with its item");
	if (outcome == GD_OK)
		semaphores_forget(l->pool->semaphores, f->job, f->time);
}

void permits_forget(struct loop *l, uint64_t job, gd_nsec time)
{
	struct store_group *g;
	struct farewell    *f;

	if (job == l->replay_job) {
		semaphores_forget(l->pool->semaphores, job, time);
		return;
	}
	if ((g = loop_group(l)) == NULL || (f = arena_alloc(&g->arena, sizeof *f)) == NULL)
		out_of_memory();
	*f = (struct farewell){ .item.release = release_farewell, .job = job, .time = time };
	outbox_add(g->outbox, &f->item);
}

/* --- and back --- */

struct grant {
	struct inbox_msg msg;
	uint64_t         job;
	gd_nsec          time;
	uint32_t         ticket;
};

static void take_grant(struct loop *l, struct inbox_msg *m)
{
	struct grant *grant = (struct grant *)(void *)m;

	_Static_assert(offsetof(struct grant, msg) == 0, "a grant begins with its message");
	if (busy_defers(l, grant->job, m))
		return;
	if (!l->is_stopping) /* the next start decides it again */
		inputs_grant(l, grant->job, grant->ticket, grant->time);
	free(grant);
}

void permits_grant(void *pool, uint64_t job, uint32_t ticket, gd_nsec time)
{
	struct grant *grant = malloc(sizeof *grant);

	if (grant == NULL)
		out_of_memory();
	*grant =
		(struct grant){ .msg.run = take_grant, .job = job, .time = time, .ticket = ticket };
	loop_post_answer(pool_loop_of(pool, job), &grant->msg);
}
