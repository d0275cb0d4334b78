/* as_completed: what happens for each completion, in their order. */
#include "daemon/load/loader.h"

/* The body, for the completion in slot `item`; it leaves its value in the next one. */
static void load_completion(struct loader *l, const struct place *at, const struct parts *p,
                            uint32_t item, uint32_t counter, bool is_wanted)
{
	struct place body = place_part(at, p, KEY_DO);

	emit_count(l, at, counter);
	load_node(l, &body, p->at[KEY_DO], (struct target){ item + 1, is_wanted });
	build_node_counter(&l->b, body.node, counter);
}

/*	  join = start the branches
 *	  dst = []
 *	L: item = next completion of join, or E
 *	  value = body
 *	  dst += value
 *	  jump L
 *	E:
 * and without a body
 *	L: item = result of the next completion of join, or E
 *	  dst += item
 *	  jump L
 *	E:
 */
void load_completions(struct loader *l, const struct place *at, const struct parts *p,
                      const struct place *branches_at, const struct parts *branches,
                      struct target to)
{
	uint32_t mark = l->draft->top;
	uint32_t join = load_join(l, branches_at, branches, JOIN_AS_COMPLETED, join_events(l));
	uint32_t join_slot = slots_take(l, 1);
	struct scope_mark scope = scope_open(l);
	bool              has_body = p->at[KEY_DO] != NULL;
	/* The completion and, with a body, the value of the body. */
	uint32_t          item = slots_take(l, has_body ? 2 : 1);
	uint32_t          counter = PROGRAM_NONE, next;

	(void)emit(l, branches_at, OP_JOIN, join_slot, join, PROGRAM_NONE, PROGRAM_NONE);
	if (to.is_wanted)
		(void)emit(l, at, OP_LIST_NEW, to.slot, PROGRAM_NONE, PROGRAM_NONE, PROGRAM_NONE);
	if (has_body)
		counter = emit_counter(l, at);
	next = emit(l, branches_at, has_body ? OP_JOIN_NEXT : OP_JOIN_RESULT, item, PROGRAM_NONE,
	            join_slot, PROGRAM_NONE);
	if (p->at[KEY_AS] != NULL && json_is_string(p->at[KEY_AS]))
		scope_bind(l, json_string_value(p->at[KEY_AS]), item);
	if (has_body)
		load_completion(l, at, p, item, counter, to.is_wanted);
	if (to.is_wanted)
		(void)emit(l, at, OP_APPEND, to.slot, PROGRAM_NONE, has_body ? item + 1 : item,
		           PROGRAM_NONE);
	(void)emit(l, at, OP_JUMP, 0, next, PROGRAM_NONE, PROGRAM_NONE);
	emit_land(l, next);
	scope_close(l, scope);
	slots_give_back(l, mark);
}

void load_as_completed(struct loader *l, const struct place *at, const struct parts *p,
                       struct target to)
{
	load_completions(l, at, p, at, p, to);
}
