/*
 * Undo: what takes back a step that succeeded, when what stands around it fails.
 *
 * A scope belongs to a try body, to an attempt of a retry, or to the job. It holds what its steps
 * registered, with the names as they were. Leaving it well hands that to the scope outside; leaving
 * it with an exception runs it, last first, each in a task of its own that a cancel does not reach.
 */
#include "daemon/engine/join.h"
#include "daemon/engine/ops.h"

/*      OPEN --left well--> HANDED_ON (to `outer`; without one: dropped)
 *        `--left with an exception, all have run--> FAILED: what comes now runs at once */
enum undo_state { UNDO_OPEN, UNDO_HANDED_ON, UNDO_FAILED };

struct undo_scope {
	struct vobj        obj;     /* obj.state: enum undo_state */
	struct undo_scope *outer;   /* counted; NULL: the job's */
	struct value       entries; /* list of lists, see below */
};

/* An entry: the code, its node and base, then what it captured. The scope itself is among that; it
 * is left out, since it would keep itself alive, and put back when the entry runs. */
enum { ENTRY_CODE, ENTRY_NODE, ENTRY_BASE, ENTRY_SCOPE_SLOT, ENTRY_CAPTURED };

/* One branch that its owner waits for, whatever happens to the owner. */
static const struct join SHIELDED = {
	.kind = JOIN_SHIELD,
	.branch_count = 1,
	.in = PROGRAM_NONE,
	.limit = PROGRAM_NONE,
	.timeout = PROGRAM_NONE,
};

void undo_scope_free(struct engine *e, struct undo_scope *u)
{
	value_release(&e->heap, u->entries);
	if (u->outer != NULL)
		value_release_obj(&e->heap, &u->outer->obj);
	slab_free(&e->slab, u, sizeof *u);
}

static struct undo_scope *scope_in(struct running *r, uint32_t slot)
{
	return (struct undo_scope *)(void *)value_obj(r->t->top->slots[slot]);
}

enum step op_undo_open(struct running *r, const struct op *op)
{
	struct undo_scope *u = slab_alloc(&r->e->slab, sizeof *u);

	if (u == NULL) {
		r->e->heap.failed = true;
		return STEP_WAIT;
	}
	*u = (struct undo_scope){
		.obj = { .refs = 1, .type = VALUE_T_UNDO, .state = UNDO_OPEN },
		.outer = op->b == PROGRAM_NONE ? NULL : scope_in(r, op->b),
		.entries = value_list_new(&r->e->heap, 0),
	};
	if (u->outer != NULL)
		u->outer->obj.refs++;
	slot_set(r, op->dst, value_of_obj(u));
	return STEP_NEXT;
}

/* --- running them --- */

static struct value entry_new(struct running *r, const struct op *op)
{
	struct value_heap *h = &r->e->heap;
	const struct code *c = &r->j->program->codes[op->a];
	struct value       entry = value_list_new(h, ENTRY_CAPTURED + c->capture_count);

	entry = value_list_append(h, entry, value_int(h, op->a));
	entry = value_list_append(h, entry, value_int(h, op->node));
	entry = value_list_append(h, entry, address_base(r));
	entry = value_list_append(h, entry, VALUE_NULL);
	for (uint32_t i = 0; i < c->capture_count; i++) {
		struct value v = r->t->top->slots[c->captures[i]];
		bool         is_scope = value_is_type(v, VALUE_T_UNDO);

		if (is_scope && !value_is_none(entry))
			value_list(entry)->at[ENTRY_SCOPE_SLOT] = value_int(h, i);
		entry = value_list_append(h, entry, is_scope ? VALUE_NULL : value_retain(v));
	}
	return entry;
}

/* Starts an entry (taken) as a task of its own; the running task waits for its end. */
static enum step run_entry(struct running *r, const struct op *op, struct undo_scope *u,
                           struct value entry)
{
	const struct value *at = value_list(entry)->at;
	struct join_run    *jr = join_new(r, op, &SHIELDED);
	struct task        *t;

	if (jr == NULL) {
		value_release(&r->e->heap, entry);
		return STEP_WAIT;
	}
	jr->count = jr->made = jr->expected = 1;
	jr->base_node = (uint32_t)value_as_int(at[ENTRY_NODE]);
	jr->base = value_retain(at[ENTRY_BASE]);
	t = join_reserve(r, jr)
	            ? task_new_captured(r->e, r->j, (uint32_t)value_as_int(at[ENTRY_CODE]),
	                                at + ENTRY_CAPTURED)
	            : NULL;
	if (t != NULL && value_is_int48(at[ENTRY_SCOPE_SLOT]))
		t->frame.slots[value_as_int(at[ENTRY_SCOPE_SLOT])] = value_retain(value_of_obj(u));
	value_release(&r->e->heap, entry);
	if (t == NULL) {
		sched_release(r->e, &jr->sched);
		return STEP_WAIT;
	}
	join_adopt(r, jr, t);
	return join_wait(r, jr);
}

/* What was held back while undos ran is met now. */
static enum step finish(struct running *r, const struct op *op)
{
	struct value cancel = r->t->result;

	r->t->result = VALUE_NONE;
	if (op->kind == OP_UNDO_ADD)
		return value_is_none(cancel) ? STEP_NEXT : raise_value(r, cancel);
	scope_in(r, op->dst)->obj.state = UNDO_FAILED;
	if (!value_is_none(cancel)) {
		slot_set(r, op->b, value_int(&r->e->heap, LEAVE_RAISE));
		slot_set(r, op->b + 1, cancel);
	}
	return STEP_NEXT;
}

/* Runs what is left of the scope; memory may end on the way. */
static enum step run_next(struct running *r, const struct op *op)
{
	struct undo_scope *u = op->kind == OP_UNDO_CLOSE ? scope_in(r, op->dst) : NULL;
	struct vlist      *list;

	if (u == NULL || value_list(u->entries)->count == 0)
		return finish(r, op);
	list = value_list(u->entries);
	return run_entry(r, op, u, list->at[--list->count]);
}

enum step op_undo_resume(struct running *r, const struct op *op)
{
	join_leave(r, join_of(r->t->waiting_on));
	return run_next(r, op);
}

enum step undo_meet(struct running *r, const struct op *op, struct value exc)
{
	const struct join_run *jr = join_of(r->t->waiting_on);

	value_release(&r->e->heap, r->t->result);
	r->t->result = exc;
	if (join_task(jr, 0)->sched.obj.state == TASK_DONE)
		return op_undo_resume(r, op);
	r->t->sched.obj.state = TASK_JOINING; /* shielded: it goes on waiting */
	return STEP_WAIT;
}

/* --- registering, leaving --- */

/* The scope that takes what is registered here now; NULL: the job has ended well. */
static struct undo_scope *taker_of(struct undo_scope *u)
{
	while (u != NULL && u->obj.state == UNDO_HANDED_ON)
		u = u->outer;
	return u;
}

enum step op_undo_add(struct running *r, const struct op *op)
{
	struct undo_scope *u = taker_of(scope_in(r, op->b));
	struct value       entry;

	if (u == NULL)
		return STEP_NEXT;
	entry = entry_new(r, op);
	if (r->e->heap.failed) {
		value_release(&r->e->heap, entry);
		return STEP_WAIT;
	}
	if (u->obj.state == UNDO_FAILED)
		return run_entry(r, op, u, entry);
	u->entries = value_list_append(&r->e->heap, u->entries, entry);
	return STEP_NEXT;
}

static void hand_on(struct running *r, struct undo_scope *u, struct undo_scope *to)
{
	const struct vlist *list = value_list(u->entries);

	u->obj.state = UNDO_HANDED_ON;
	for (uint32_t i = 0; to != NULL && i < list->count; i++)
		to->entries =
			value_list_append(&r->e->heap, to->entries, value_retain(list->at[i]));
	value_release(&r->e->heap, u->entries);
	u->entries = value_list_new(&r->e->heap, 0);
}

enum step op_undo_close(struct running *r, const struct op *op)
{
	struct undo_scope *u = scope_in(r, op->dst);
	struct undo_scope *to = taker_of(u->outer);

	if (value_as_int(r->t->top->slots[op->b]) == LEAVE_RAISE ||
	    (to != NULL && to->obj.state == UNDO_FAILED))
		return run_next(r, op);
	hand_on(r, u, to);
	return STEP_NEXT;
}
