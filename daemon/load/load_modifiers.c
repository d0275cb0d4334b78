/* What stands around every operation, from the outside in: as, if and else, with, timeout, retry,
 * the operation, undo. */
#include "daemon/load/loader.h"

/* --- timeout --- */

/*	  scope = deadline
 *	  FINALLY(pair): the operation
 *	  leave the scope
 */
struct timeout_scope timeout_open(struct loader *l, const struct place *at, uint32_t duration)
{
	struct timeout_scope t = { .slot = slots_take(l, 1) };

	l->b.program->counts_cancels = true;
	(void)emit(l, at, OP_TIMEOUT, t.slot, duration, PROGRAM_NONE, PROGRAM_NONE);
	t.cover = cover_begin(l, HANDLER_FINALLY);
	return t;
}

void timeout_close(struct loader *l, const struct place *at, const struct timeout_scope *t)
{
	cover_join(l, at, &t->cover);
	(void)emit(l, at, OP_TIMEOUT_END, t->slot, PROGRAM_NONE, t->cover.pair, PROGRAM_NONE);
}

/* --- in their order --- */

bool parts_have_modifier(const struct parts *p, enum key_id key)
{
	return p->at[key] != NULL && key_info_of(key)->is_modifier && !op_has_option(p->op, key);
}

static void load_repeated(struct loader *l, const struct place *at, const struct parts *p,
                          struct target to, uint32_t attempt)
{
	if (p->at[KEY_RETRY] != NULL)
		load_retry(l, at, p, to, attempt);
	else
		load_op(l, at, p, to);
}

static void load_timed(struct loader *l, const struct place *at, const struct parts *p,
                       struct target to, uint32_t attempt)
{
	struct timeout_scope t;

	if (!parts_have_modifier(p, KEY_TIMEOUT)) {
		load_repeated(l, at, p, to, attempt);
		return;
	}
	t = timeout_open(l, at, loader_part(l, at, p, KEY_TIMEOUT));
	load_repeated(l, at, p, to, attempt);
	timeout_close(l, at, &t);
}

/*	  permit
 *	  FINALLY(pair): the operation
 *	  give it back
 */
static void load_permitted(struct loader *l, const struct place *at, const struct parts *p,
                           struct target to, uint32_t attempt)
{
	uint32_t     permit;
	struct cover cover;

	if (p->at[KEY_WITH] == NULL) {
		load_timed(l, at, p, to, attempt);
		return;
	}
	permit = slots_take(l, 1);
	(void)emit(l, at, OP_WITH, permit, loader_part(l, at, p, KEY_WITH), PROGRAM_NONE,
	           PROGRAM_NONE);
	cover = cover_begin(l, HANDLER_FINALLY);
	load_timed(l, at, p, to, attempt);
	cover_join(l, at, &cover);
	(void)emit(l, at, OP_WITH_END, permit, PROGRAM_NONE, cover.pair, PROGRAM_NONE);
}

static void load_steps(struct loader *l, const struct place *at, const struct parts *p,
                       struct target to)
{
	uint32_t mark = l->draft->top;
	uint32_t attempt = PROGRAM_NONE;

	/* Zero before anything can fail here, so that an address shows no attempt yet. */
	if (p->at[KEY_RETRY] != NULL) {
		attempt = emit_counter(l, at);
		build_node_attempt(&l->b, at->node, attempt);
	}
	load_permitted(l, at, p, to, attempt);
	if (p->at[KEY_UNDO] != NULL)
		load_undo(l, at, p, to);
	slots_give_back(l, mark);
}

/* The operation behind its `if`, or the `else`. Names bound in either are not visible after. */
static void load_guarded(struct loader *l, const struct place *at, const struct parts *p,
                         struct target to)
{
	struct scope_mark mark;
	uint32_t          skip, done = PROGRAM_NONE;
	bool              has_other = to.is_wanted || p->at[KEY_ELSE] != NULL;

	if (p->at[KEY_IF] == NULL) {
		if (p->at[KEY_ELSE] != NULL)
			loader_problem(l, at, "", "\"else\" needs \"if\"");
		load_steps(l, at, p, to);
		return;
	}
	skip = emit(l, at, OP_JUMP_UNLESS, 0, PROGRAM_NONE, loader_part(l, at, p, KEY_IF),
	            PROGRAM_NONE);
	mark = scope_open(l);
	load_steps(l, at, p, to);
	scope_close(l, mark);
	if (has_other)
		done = emit_jump(l, at, PROGRAM_NONE);
	emit_land(l, skip);
	if (p->at[KEY_ELSE] != NULL) {
		struct place other = place_part(at, p, KEY_ELSE);

		load_scoped_node(l, &other, p->at[KEY_ELSE], to);
	} else if (to.is_wanted) {
		emit_null(l, at, to.slot);
	}
	emit_land_all(l, done);
}

/* Whether the op of the node writes its result as the last thing that happens in it. */
static bool is_written_last(const struct parts *p)
{
	return p->op->is_simple && p->at[KEY_ELSE] == NULL && p->at[KEY_RETRY] == NULL &&
	       p->at[KEY_UNDO] == NULL && !parts_have_modifier(p, KEY_TIMEOUT);
}

/* A node with `as`: its value goes into the slot of the name, and from there to whoever wants it.
 * A name that can be read meanwhile is written when the value is complete, not before. */
static void load_named(struct loader *l, const struct place *at, const struct parts *p,
                       struct target to)
{
	struct place    as = place_part(at, p, KEY_AS);
	const char     *name = loader_name(l, &as, p->at[KEY_AS]);
	enum name_state state = NAME_OUTER;
	uint32_t        slot, value;

	if (name != NULL)
		state = scope_resolve(l, &as, name, &slot);
	if (state != NAME_BOUND)
		slot = slots_take(l, 1);
	value = slot;
	if (state == NAME_BOUND && !is_written_last(p))
		value = slots_take(l, 1);
	load_guarded(l, at, p, (struct target){ value, true });
	if (value != slot)
		emit_copy(l, at, slot, value);
	if (state == NAME_NEW)
		scope_bind(l, name, slot);
	if (to.is_wanted)
		emit_copy(l, at, to.slot, slot);
	if (value != slot)
		slots_give_back(l, value);
}

void load_modified(struct loader *l, const struct place *at, const struct parts *p,
                   struct target to)
{
	if (p->at[KEY_AS] != NULL)
		load_named(l, at, p, to);
	else
		load_guarded(l, at, p, to);
}
