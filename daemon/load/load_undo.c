/* `undo`: what is registered when a step has succeeded, and the scopes that run it.
 *
 * A scope belongs to the job and to each child job, to each body of a `try` and to each attempt of a `retry`. The slot of
 * the innermost one is a name that no spec can say: branches capture it, and calls pass it as one
 * more argument. */
#include "daemon/load/loader.h"
#include "proto/base/check.h"

#include <string.h>

/* The slot of the innermost scope; PROGRAM_NONE in the code of a job or a child job before it has
 * one. */
uint32_t undo_slot(struct loader *l)
{
	uint32_t i = names_find(&l->names, UNDO_NAME, strlen(UNDO_NAME));

	if (i == BINDING_NONE || loader_failed(l))
		return PROGRAM_NONE;
	if (l->draft->is_child && l->names.binding[i].code != l->draft->code)
		return PROGRAM_NONE;
	CHECK(l->names.binding[i].code == l->draft->code);
	l->names.binding[i].is_used = true;
	return l->names.binding[i].slot;
}

void undo_bind(struct loader *l, uint32_t slot)
{
	scope_bind_fixed(l, UNDO_NAME, slot);
}

/*	  scope = a new one in the one around it
 *	  FINALLY(pair): the body
 *	  close the scope: run them, or hand them on
 *	  leave
 */
struct undo_scope undo_open(struct loader *l, const struct place *at)
{
	struct undo_scope u = { .slot = slots_take(l, 1) };

	(void)emit(l, at, OP_UNDO_OPEN, u.slot, PROGRAM_NONE, undo_slot(l), PROGRAM_NONE);
	undo_bind(l, u.slot);
	u.cover = cover_begin(l, HANDLER_FINALLY);
	return u;
}

void undo_close(struct loader *l, const struct place *at, const struct undo_scope *u)
{
	cover_join(l, at, &u->cover);
	(void)emit(l, at, OP_UNDO_CLOSE, u->slot, PROGRAM_NONE, u->cover.pair, PROGRAM_NONE);
	(void)emit(l, at, OP_LEAVE, 0, PROGRAM_NONE, u->cover.pair, PROGRAM_NONE);
}

/* It sees the value of its own step under the step's `as`, which is bound for everybody else only
 * when the step is over. */
void load_undo(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct place      undo = place_part(at, p, KEY_UNDO);
	struct scope_mark scope = scope_open(l);
	const char       *name = json_string_value(p->at[KEY_AS]);
	uint32_t          code;

	if (name != NULL && name_is_valid(name))
		scope_bind(l, name, to.slot);
	if (load_label(l, &undo, p->at[KEY_UNDO]) != PROGRAM_NONE)
		loader_problem(l, &undo, "",
		               "\"name\" labels a task, and an \"undo\" has no label");
	code = load_coroutine(l, &undo, p->at[KEY_UNDO], NULL);
	(void)emit(l, at, OP_UNDO_ADD, 0, code, undo_slot(l), PROGRAM_NONE);
	scope_close(l, scope);
}
