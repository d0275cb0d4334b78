/* A def that yields: it runs in its consumer's task, a value at a time. */
#include "daemon/engine/exec.h"
#include "daemon/engine/ops.h"

/*      NEW --next--> RUNNING --yield--> SUSPENDED --next--> RUNNING
 *       `--close--> (stays)  `--end, exception--> ENDED */
enum generator_state { GENERATOR_NEW, GENERATOR_RUNNING, GENERATOR_SUSPENDED, GENERATOR_ENDED };

static size_t generator_bytes(const struct generator *g)
{
	return offsetof(struct generator, frame) +
	       frame_bytes(&g->job->program->codes[g->frame.code]);
}

struct generator *generator_of(struct frame *f)
{
	return (struct generator *)(void *)((char *)f - offsetof(struct generator, frame));
}

void generator_end(struct engine *e, struct generator *g)
{
	g->obj.state = GENERATOR_ENDED;
	value_release_obj(&e->heap, &g->obj); /* of running */
}

void generator_free(struct engine *e, struct generator *g)
{
	frame_drop_slots(e, g->job->program, &g->frame);
	slab_free(&e->slab, g, generator_bytes(g));
}

static struct generator *generator_in(struct running *r, uint32_t slot)
{
	return (struct generator *)(void *)value_obj(r->t->top->slots[slot]);
}

enum step op_gen_new(struct running *r, const struct op *op)
{
	const struct call *call = &r->j->program->calls[op->a];
	const struct code *c = &r->j->program->codes[call->code];
	size_t             bytes = offsetof(struct generator, frame) + frame_bytes(c);
	struct generator  *g = slab_alloc(&r->e->slab, bytes);

	if (g == NULL) {
		r->e->heap.failed = true;
		return STEP_WAIT;
	}
	g->obj = (struct vobj){ .refs = 1, .type = VALUE_T_GENERATOR, .state = GENERATOR_NEW };
	g->job = r->j;
	if (!frame_fill_args(r, call, &g->frame)) {
		slab_free(&r->e->slab, g, bytes);
		return STEP_RAISED;
	}
	slot_set(r, op->dst, value_of_obj(g));
	return STEP_NEXT;
}

/* Its frame becomes the top one; the task keeps it until it yields or ends. */
static void enter(struct running *r, struct generator *g)
{
	g->obj.refs++;
	g->obj.state = GENERATOR_RUNNING;
	frame_push(r->t, &g->frame);
}

enum step op_gen_next(struct running *r, const struct op *op)
{
	struct generator *g = generator_in(r, op->b);
	bool              is_new = g->obj.state == GENERATOR_NEW;

	if (!frame_has_room(r))
		return STEP_RAISED;
	CHECK(is_new || g->obj.state == GENERATOR_SUSPENDED);
	enter(r, g);
	if (!is_new) {
		g->frame.pc++; /* it stands behind its yield, which gives null */
		slot_set(r, r->j->program->ops[g->frame.pc].dst, VALUE_NULL);
	}
	return STEP_NEXT;
}

enum step op_gen_close(struct running *r, const struct op *op)
{
	struct generator *g = generator_in(r, op->b);

	if (g->obj.state != GENERATOR_SUSPENDED)
		return STEP_NEXT;
	enter(r, g);
	g->frame.pc++; /* it stands at its yield */
	return raise_text(r, "GeneratorExit", "its consumer broke off");
}

/* A frame that will never go on lets go of what others would see: its deadlines, its permits,
 * its commands. */
static void abandon(struct running *r, struct frame *f)
{
	uint32_t count = r->j->program->codes[f->code].slot_count;

	for (uint32_t i = 0; i < count; i++) {
		struct value v = f->slots[i];

		if (value_is_type(v, VALUE_T_TIMEOUT))
			timeout_leave(r->e, (struct timeout_run *)(void *)value_obj(v));
		else if (value_is_type(v, VALUE_T_PERMIT))
			permit_return(r, (struct permit *)(void *)value_obj(v));
		else if (value_is_type(v, VALUE_T_EXEC))
			exec_abandon(r->e, (struct exec_run *)(void *)value_obj(v));
		else if (value_is_type(v, VALUE_T_GENERATOR))
			abandon(r, &((struct generator *)(void *)value_obj(v))->frame);
	}
	frame_drop_slots(r->e, r->j->program, f);
}

/* The value goes to the op of the consumer that asked for it. */
static enum step yield_to_consumer(struct running *r, struct value v)
{
	struct generator *g = generator_of(r->t->top);
	const struct op  *op;

	r->t->top = g->frame.caller;
	r->t->sched.obj.unused--;
	op = &r->j->program->ops[r->t->top->pc];
	if (op->kind == OP_GEN_CLOSE) {
		abandon(r, &g->frame);
		generator_end(r->e, g);
		value_release(&r->e->heap, v);
		return raise_text(r, "RuntimeError", "async generator ignored GeneratorExit");
	}
	g->obj.state = GENERATOR_SUSPENDED;
	value_release_obj(&r->e->heap, &g->obj);
	slot_set(r, op->dst, v);
	return STEP_NEXT;
}

enum step op_yield(struct running *r, const struct op *op)
{
	struct value v;

	if (!eval(r, op->a, &v))
		return STEP_RAISED;
	if (op->flags & OP_OF_GENERATOR)
		return yield_to_consumer(r, v);
	if (!must_be_sayable(r, v, "a yield"))
		return STEP_RAISED;
	(void)engine_put(r->e, r->j, ENGINE_YIELD, v, r->t);
	value_release(&r->e->heap, v);
	slot_set(r, op->dst, VALUE_NULL);
	return STEP_NEXT;
}
