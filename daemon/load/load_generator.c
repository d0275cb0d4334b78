/* Generators: `yield`, and `async_for` over a def that yields, completions, or lines of a command. */
#include "daemon/load/loader.h"

void load_yield(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct place place = place_operand(at, p);
	uint32_t     x = loader_operand(l, at, p), op;

	if (l->is_in_def && !l->draft->is_generator)
		loader_problem(l, &place, "yield what the branches give, after them",
		               "\"yield\" in a concurrent branch of a def");
	op = emit(l, at, OP_YIELD, to.slot, x, PROGRAM_NONE, PROGRAM_NONE);
	if (l->draft->is_generator && !l->b.failed)
		l->draft->ops[op].flags = OP_OF_GENERATOR;
}

/* A generator is nothing that could have an `as`, a condition or a deadline of its own. */
static void check_bare(struct loader *l, const struct place *at, const struct parts *p)
{
	for (uint32_t key = 0; key < KEY_COUNT; key++) {
		bool is_body = key == KEY_DO && p->op->id == ID_AS_COMPLETED;

		if (p->at[key] != NULL && (is_body || parts_have_modifier(p, key))) {
			struct place place = place_part(at, p, key);

			loader_problem(l, &place, "put it beside \"async_for\"",
			               "\"%s\" inside \"async_for\"", key_info_of(key)->name);
		}
	}
}

/* What one item does: its body, and the list grows. */
static void load_round(struct loader *l, const struct place *at, const struct parts *p,
                       uint32_t item, uint32_t counter, struct target to)
{
	struct place body;
	uint32_t     value = item;

	if (p->at[KEY_AS] != NULL && json_is_string(p->at[KEY_AS]))
		scope_bind(l, json_string_value(p->at[KEY_AS]), item);
	if (p->at[KEY_DO] != NULL) {
		body = place_part(at, p, KEY_DO);
		value = item + 1;
		emit_count(l, at, counter);
		load_node(l, &body, p->at[KEY_DO], (struct target){ value, to.is_wanted });
		build_node_counter(&l->b, body.node, counter);
	}
	if (to.is_wanted)
		(void)emit(l, at, OP_APPEND, to.slot, PROGRAM_NONE, value, PROGRAM_NONE);
}

/*	  generator = call
 *	  dst = []
 *	L: item = next of generator, or E
 *	  FINALLY(pair): value = body; dst += value
 *	  jump L
 *	  close the generator
 *	  leave
 *	E:
 */
static void load_over_call(struct loader *l, const struct place *at, const struct parts *p,
                           const struct place *call_at, const struct parts *call, struct target to)
{
	uint32_t          mark = l->draft->top;
	uint32_t          x = load_call_of(l, call_at, call, true);
	uint32_t          generator = slots_take(l, 1);
	struct scope_mark scope = scope_open(l);
	bool              has_body = p->at[KEY_DO] != NULL;
	uint32_t          item = slots_take(l, has_body ? 2 : 1);
	uint32_t          counter = PROGRAM_NONE, next;
	struct cover      cover;

	(void)emit(l, call_at, OP_GEN_NEW, generator, x, PROGRAM_NONE, PROGRAM_NONE);
	if (to.is_wanted)
		(void)emit(l, at, OP_LIST_NEW, to.slot, PROGRAM_NONE, PROGRAM_NONE, PROGRAM_NONE);
	if (has_body)
		counter = emit_counter(l, at);
	next = emit(l, call_at, OP_GEN_NEXT, item, PROGRAM_NONE, generator, PROGRAM_NONE);
	cover = cover_begin(l, HANDLER_FINALLY);
	load_round(l, at, p, item, counter, to);
	cover_end(l, &cover);
	(void)emit(l, at, OP_JUMP, 0, next, PROGRAM_NONE, PROGRAM_NONE);
	cover_land(l, &cover);
	(void)emit(l, at, OP_GEN_CLOSE, 0, PROGRAM_NONE, generator, PROGRAM_NONE);
	(void)emit(l, at, OP_LEAVE, 0, PROGRAM_NONE, cover.pair, PROGRAM_NONE);
	emit_land(l, next);
	scope_close(l, scope);
	slots_give_back(l, mark);
}

/*	  dst = []
 *	  command = begun
 *	L: item = next line of command, or E
 *	  FINALLY(pair): value = body; dst += value
 *	  jump L
 *	  close the command
 *	  leave
 *	E:
 */
static void load_over_lines(struct loader *l, const struct place *at, const struct parts *p,
                            const struct place *exec_at, const struct parts *exec, struct target to)
{
	uint32_t          mark = l->draft->top;
	uint32_t          x = load_command(l, exec_at, exec, true);
	uint32_t          command = slots_take(l, 1);
	struct scope_mark scope = scope_open(l);
	bool              has_body = p->at[KEY_DO] != NULL;
	uint32_t          item = slots_take(l, has_body ? 2 : 1);
	uint32_t          counter = PROGRAM_NONE, next;
	struct cover      cover;

	if (to.is_wanted)
		(void)emit(l, at, OP_LIST_NEW, to.slot, PROGRAM_NONE, PROGRAM_NONE, PROGRAM_NONE);
	if (has_body)
		counter = emit_counter(l, at);
	(void)emit(l, exec_at, OP_EXEC_OPEN, 0, x, command, PROGRAM_NONE);
	next = emit(l, exec_at, OP_EXEC_LINE, item, PROGRAM_NONE, command, PROGRAM_NONE);
	cover = cover_begin(l, HANDLER_FINALLY);
	load_round(l, at, p, item, counter, to);
	cover_end(l, &cover);
	(void)emit(l, at, OP_JUMP, 0, next, PROGRAM_NONE, PROGRAM_NONE);
	cover_land(l, &cover);
	(void)emit(l, exec_at, OP_EXEC_CLOSE, 0, PROGRAM_NONE, command, PROGRAM_NONE);
	(void)emit(l, at, OP_LEAVE, 0, PROGRAM_NONE, cover.pair, PROGRAM_NONE);
	emit_land(l, next);
	scope_close(l, scope);
	slots_give_back(l, mark);
}

static void refuse(struct loader *l, const struct place *at, const char *what)
{
	loader_problem(l, at,
	               "write a \"call\" of a def that yields, \"as_completed\", or \"exec\" with "
	               "\"yield\"",
	               "\"async_for\" wants a generator, not %s", what);
}

void load_async_for(struct loader *l, const struct place *at, const struct parts *p,
                    struct target to)
{
	struct place over = place_operand(at, p);
	struct parts inner;

	if (!json_is_object(p->operand)) {
		refuse(l, &over, loader_type_name(p->operand));
		return;
	}
	if (!load_node_begin(l, &over) || !load_parts(l, &over, p->operand, &inner))
		return;
	build_node_op(&l->b, over.node, inner.op->name);
	check_bare(l, &over, &inner);
	if (inner.op->id == ID_CALL)
		load_over_call(l, at, p, &over, &inner, to);
	else if (inner.op->id == ID_AS_COMPLETED)
		load_completions(l, at, p, &over, &inner, to);
	else if (inner.op->id == ID_EXEC && inner.at[KEY_YIELD] != NULL)
		load_over_lines(l, at, p, &over, &inner, to);
	else
		refuse(l, &over, inner.op->name);
}
