#include "daemon/engine/child.h"

static struct child_run *child_of(struct claim *c)
{
	return (struct child_run *)(void *)c;
}

static enum child_state state_of(const struct child_run *x)
{
	return (enum child_state)x->claim.sched.obj.state;
}

struct child_run *child_awaited(const struct task *t)
{
	CHECK(t->sched.obj.state == TASK_PARENTING);
	return (struct child_run *)(void *)value_obj(t->frame.slots[CHILD_CLAIM]);
}

/* --- outputs --- */

static void put_spawn(struct running *r, const struct child_run *x)
{
	struct engine_outs *outs = r->e->outs;
	struct engine_out  *out = engine_put_claim(r->e, &x->claim, ENGINE_SPAWN, VALUE_NONE);

	if (out == NULL)
		return;
	out->path = (uint32_t)outs->paths.bytes;
	address_write(&outs->paths, r->j, r->t);
	out->path_bytes = (uint32_t)outs->paths.bytes - out->path;
	if (outs->paths.failed != GD_OK)
		r->e->heap.failed = true;
}

/* --- life --- */

struct child_run *child_open(struct running *r, const struct op *op, struct value captures,
                             struct value loop)
{
	struct child_run *x = slab_alloc(&r->e->slab, sizeof *x);

	if (x == NULL) {
		r->e->heap.failed = true;
		value_release(&r->e->heap, captures);
		value_release(&r->e->heap, loop);
		return NULL;
	}
	*x = (struct child_run){ .spec = &r->j->program->children[op->a],
		                 .captures = captures,
		                 .loop = loop,
		                 .outcome = VALUE_NONE,
		                 .spawned = r->j->now };
	claim_open(&x->claim, VALUE_T_CHILD, r->t);
	x->claim.sched.obj.state = CHILD_RUNNING;
	slot_set(r, op->b, value_of_obj(x));
	put_spawn(r, x);
	return x;
}

void child_free(struct engine *e, struct child_run *x)
{
	if (state_of(x) != CHILD_ENDED)
		claim_close(&x->claim);
	value_release(&e->heap, x->captures);
	value_release(&e->heap, x->loop);
	value_release(&e->heap, x->outcome);
	slab_free(&e->slab, x, sizeof *x);
}

void child_stop(struct engine *e, struct child_run *x, struct value message)
{
	switch (state_of(x)) {
	case CHILD_RUNNING:
		x->claim.sched.obj.state = CHILD_STOPPING;
		(void)engine_put_claim(e, &x->claim, ENGINE_SPAWN_STOP, message);
		return;
	case CHILD_STOPPING:
	case CHILD_ENDED: /* its task goes on in this step */
		return;
	}
	CHECK_NEVER("child_stop: unknown state");
}

void child_kill_all(struct engine *e, struct job *j)
{
	for (struct claim *c = j->claims; c != NULL; c = c->next) {
		if (c->sched.obj.type != VALUE_T_CHILD || c->sched.obj.state != CHILD_STOPPING ||
		    (c->sched.obj.flags & CHILD_KILLED))
			continue;
		c->sched.obj.flags |= CHILD_KILLED;
		(void)engine_put_claim(e, c, ENGINE_SPAWN_KILL, VALUE_NONE);
	}
}

void child_take(struct engine *e, struct job *j, const struct engine_in *in)
{
	struct claim     *c = claim_find(j, VALUE_T_CHILD, in->ticket);
	struct child_run *x;

	if (c == NULL)
		return;
	x = child_of(c);
	CHECK(c->task->sched.obj.state == TASK_PARENTING);
	x->outcome = value_copy(&e->heap, in->message);
	x->claim.sched.obj.state = CHILD_ENDED;
	task_wake(j, c->task);
	claim_close(c);
}

/* --- looking --- */

bool engine_child(const struct engine *e, uint64_t job, uint32_t ticket,
                  struct engine_child_info *out)
{
	const struct job       *j = job_find(e, job);
	struct claim           *c = j == NULL ? NULL : claim_find(j, VALUE_T_CHILD, ticket);
	const struct child_run *x = c == NULL ? NULL : child_of(c);

	if (x == NULL)
		return false;
	*out = (struct engine_child_info){ .program = j->program,
		                           .child = (uint32_t)(x->spec - j->program->children),
		                           .captures = x->captures,
		                           .loop = x->loop,
		                           .name = c->task->extra->name,
		                           .base = c->task->extra->base,
		                           .spawned = x->spawned };
	return true;
}
