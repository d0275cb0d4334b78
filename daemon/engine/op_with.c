/* The modifier `with`: a permit of a semaphore that lies outside the engine. */
#include "daemon/expr/run.h"
#include "daemon/engine/ops.h"

void permit_free(struct engine *e, struct permit *p)
{
	claim_close(&p->claim);
	value_release(&e->heap, p->name);
	slab_free(&e->slab, p, sizeof *p);
}

static bool is_name(struct value v)
{
	return value_is_type(v, VALUE_T_TEXT) && value_text(v)->bytes > 0 &&
	       value_text(v)->bytes <= SEMAPHORE_NAME_BYTES_MAX;
}

/* NULL: no memory. `name` is taken. */
static struct permit *permit_new(struct running *r, struct value name)
{
	struct permit *p = slab_alloc(&r->e->slab, sizeof *p);

	if (p == NULL) {
		r->e->heap.failed = true;
		value_release(&r->e->heap, name);
		return NULL;
	}
	*p = (struct permit){ .name = name };
	claim_open(&p->claim, VALUE_T_PERMIT, r->t);
	p->claim.sched.obj.state = PERMIT_WAITING;
	return p;
}

enum step op_with(struct running *r, const struct op *op)
{
	struct value   name;
	struct permit *p;

	if (!eval(r, op->a, &name))
		return STEP_RAISED;
	if (!is_name(name)) {
		value_release(&r->e->heap, name);
		return raise_text(r, "TypeError",
		                  "\"with\" wants the name of a semaphore, 1 to %d bytes of text",
		                  SEMAPHORE_NAME_BYTES_MAX);
	}
	p = permit_new(r, name);
	if (p == NULL)
		return STEP_WAIT;
	slot_set(r, op->dst, value_of_obj(p));
	(void)engine_put_claim(r->e, &p->claim, ENGINE_ACQUIRE, p->name);
	r->t->sched.obj.state = TASK_ACQUIRING;
	return STEP_WAIT;
}

void permit_granted(struct job *j, uint32_t ticket)
{
	struct claim *c = claim_find(j, VALUE_T_PERMIT, ticket);

	if (c == NULL || c->sched.obj.state != PERMIT_WAITING)
		return; /* given back, or wanted no more, before the grant arrived */
	c->sched.obj.state = PERMIT_HELD;
	if (c->task->sched.obj.state == TASK_ACQUIRING)
		task_wake(j, c->task);
}

void permit_return(struct running *r, struct permit *p)
{
	if (p->claim.sched.obj.state == PERMIT_RETURNED)
		return;
	p->claim.sched.obj.state = PERMIT_RETURNED;
	(void)engine_put_claim(r->e, &p->claim, ENGINE_RELEASE, p->name);
}

void with_leave(struct running *r, uint32_t slot)
{
	permit_return(r, (struct permit *)(void *)value_obj(r->t->top->slots[slot]));
	slot_set(r, slot, VALUE_NONE);
}

enum step op_with_end(struct running *r, const struct op *op)
{
	with_leave(r, op->dst);
	return op_leave(r, op);
}
