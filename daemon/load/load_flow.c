/* `do`: a block, `for` and `while`. */
#include "daemon/load/loader.h"

/* `for` and `in` belong together. True when both are there. */
static bool has_items(struct loader *l, const struct place *at, const struct parts *p)
{
	if ((p->at[KEY_FOR] == NULL) == (p->at[KEY_IN] == NULL))
		return p->at[KEY_FOR] != NULL;
	if (p->at[KEY_FOR] != NULL)
		loader_problem(l, at, "", "\"for\" needs \"in\"");
	else
		loader_problem(l, at, "", "\"in\" needs \"for\"");
	return true;
}

/*	  dst = []
 *	  it = iterator
 *	L: var = next of it, or E
 *	  item = body
 *	  dst += item
 *	  jump L
 *	E:
 */
static void load_for(struct loader *l, const struct place *at, const struct parts *p,
                     struct target to)
{
	uint32_t          mark = l->draft->top;
	uint32_t          items = loader_part(l, at, p, KEY_IN);
	uint32_t          iterator = slots_take(l, 2);
	struct scope_mark scope = scope_open(l);
	uint32_t          var = slots_take(l, 1);
	uint32_t          item = slots_take(l, 1);
	struct place      body = place_operand(at, p);
	struct place      name_at;
	const char       *name = NULL;
	uint32_t          next;

	if (p->at[KEY_FOR] != NULL) {
		name_at = place_part(at, p, KEY_FOR);
		name = loader_name(l, &name_at, p->at[KEY_FOR]);
	}
	if (to.is_wanted)
		(void)emit(l, at, OP_LIST_NEW, to.slot, PROGRAM_NONE, PROGRAM_NONE, PROGRAM_NONE);
	(void)emit(l, at, OP_ITER, iterator, items, PROGRAM_NONE, PROGRAM_NONE);
	next = emit(l, at, OP_NEXT, var, PROGRAM_NONE, iterator, PROGRAM_NONE);
	if (name != NULL)
		scope_bind(l, name, var);
	load_node(l, &body, p->operand, (struct target){ item, to.is_wanted });
	build_node_counter(&l->b, body.node, iterator + 1);
	if (to.is_wanted)
		(void)emit(l, at, OP_APPEND, to.slot, PROGRAM_NONE, item, PROGRAM_NONE);
	(void)emit(l, at, OP_JUMP, 0, next, PROGRAM_NONE, PROGRAM_NONE);
	emit_land(l, next);
	scope_close(l, scope);
	slots_give_back(l, mark);
}

static void load_while(struct loader *l, const struct place *at, const struct parts *p,
                       struct target to)
{
	uint32_t     mark = l->draft->top;
	uint32_t     counter = emit_counter(l, at);
	struct place body = place_operand(at, p);
	uint32_t     leave;

	if (to.is_wanted)
		emit_null(l, at, to.slot);
	leave = emit(l, at, OP_JUMP_UNLESS, 0, PROGRAM_NONE, loader_part(l, at, p, KEY_WHILE),
	             PROGRAM_NONE);
	emit_count(l, at, counter);
	load_scoped_node(l, &body, p->operand, to);
	build_node_counter(&l->b, body.node, counter);
	(void)emit(l, at, OP_JUMP, 0, leave, PROGRAM_NONE, PROGRAM_NONE);
	emit_land(l, leave);
	slots_give_back(l, mark);
}

void load_do(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct place body = place_operand(at, p);
	bool         is_for = has_items(l, at, p);

	if (p->at[KEY_LIMIT] != NULL) {
		struct place limit = place_part(at, p, KEY_LIMIT);

		loader_problem(l, &limit, "\"gather\" runs its branches at the same time",
		               "\"limit\" is not a key of \"do\": a loop is sequential");
	}
	if (is_for && p->at[KEY_WHILE] != NULL)
		loader_problem(l, at, "", "\"for\" and \"while\" in one loop");
	if (is_for)
		load_for(l, at, p, to);
	else if (p->at[KEY_WHILE] != NULL)
		load_while(l, at, p, to);
	else
		load_node(l, &body, p->operand, to);
}
