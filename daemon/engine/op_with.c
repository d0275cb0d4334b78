/* The modifier `with`: a permit of a semaphore that lies outside the engine. */
#include "daemon/expr/run.h"
#include "daemon/engine/ops.h"

void permit_free(struct engine *e, struct permit *p)
{
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		p->job->permits = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	else
		p->job->permits_last = p->prev;
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
	*p = (struct permit){
		.obj = { .refs = 1, .type = VALUE_T_PERMIT, .state = PERMIT_WAITING },
		.job = r->j,
		.prev = r->j->permits_last,
		.task = r->t,
		.name = name,
		.ticket = ++r->j->ticket_serial,
	};
	if (p->prev != NULL)
		p->prev->next = p;
	else
		r->j->permits = p;
	r->j->permits_last = p;
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
	(void)engine_put_permit(r->e, r->j, ENGINE_ACQUIRE, p);
	r->t->sched.obj.state = TASK_ACQUIRING;
	return STEP_WAIT;
}

/* Grants come in the order of asking as a rule, so that the walk is as long as the list of those
 * that are held. */
void permit_granted(struct job *j, uint32_t ticket)
{
	struct permit *p = j->permits;

	while (p != NULL && p->ticket != ticket)
		p = p->next;
	if (p == NULL || p->obj.state != PERMIT_WAITING)
		return; /* given back, or wanted no more, before the grant arrived */
	p->obj.state = PERMIT_HELD;
	if (p->task->sched.obj.state == TASK_ACQUIRING)
		task_wake(j, p->task);
}

void permit_return(struct running *r, struct permit *p)
{
	if (p->obj.state == PERMIT_RETURNED)
		return;
	p->obj.state = PERMIT_RETURNED;
	(void)engine_put_permit(r->e, r->j, ENGINE_RELEASE, p);
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
