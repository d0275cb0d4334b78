/* `try` and `raise`. */
#include "daemon/load/loader.h"

#include <string.h>

/* --- try --- */

/* Whether an op only moves a constant, or a value from one slot of the compiler's to another. */
static bool is_move(const struct loader *l, const struct op *op)
{
	const struct expr *x;

	if (op->kind != OP_EVAL)
		return false;
	x = &l->b.exprs.exprs[op->a];
	return x->kind == EXPR_CONST || (x->kind == EXPR_SLOT && value_is_none(x->constant));
}

/* Whether none of the ops since `first` can raise. */
static bool is_harmless(const struct loader *l, uint32_t first)
{
	const struct draft *d = l->draft;

	for (uint32_t i = first; i < d->op_count; i++) {
		const struct op *op = &d->ops[i];
		bool             is_scope = op->kind == OP_UNDO_OPEN || op->kind == OP_UNDO_CLOSE ||
		                op->kind == OP_NORMAL || op->kind == OP_LEAVE;

		if (!is_scope && !is_move(l, op))
			return false;
	}
	return true;
}

/* The body, in a scope of undos of its own. */
static void load_tried(struct loader *l, const struct place *at, const struct parts *p,
                       struct target to)
{
	struct scope_mark scope = scope_open(l);
	struct place      body = place_operand(at, p);
	struct place      except;
	struct undo_scope u = { 0 };
	uint32_t          first = l->draft->op_count, problems = l->problems.seen;

	if (l->has_undo)
		u = undo_open(l, at);
	load_node(l, &body, p->operand, to);
	if (l->has_undo)
		undo_close(l, at, &u);
	scope_close(l, scope);
	if (p->at[KEY_EXCEPT] == NULL || l->problems.seen > problems || loader_failed(l) ||
	    !is_harmless(l, first))
		return;
	except = place_part(at, p, KEY_EXCEPT);
	loader_problem(l, &except, "", "nothing in this \"try\" can raise");
}

/*	  error = what pair holds, if it is of this type, or go on below
 *	  the branch
 *	  jump done
 */
static uint32_t load_except_branch(struct loader *l, struct place *at, const json_t *json,
                                   struct target to, uint32_t pair, uint32_t done)
{
	struct scope_mark scope = scope_open(l);
	uint32_t          outer_pair = l->draft->except_pair;
	uint32_t          error = slots_take(l, 1);
	uint32_t          other = emit(l, at, OP_EXCEPT, error, PROGRAM_NONE, pair,
	                               loader_text(l, at->key, at->node));

	scope_bind(l, "error", error);
	l->draft->except_pair = pair;
	load_node(l, at, json, to);
	l->draft->except_pair = outer_pair;
	scope_close(l, scope);
	done = emit_jump(l, at, done);
	emit_land(l, other);
	return done;
}

static void check_type(struct loader *l, const struct place *at)
{
	if (at->key[0] == '\0')
		loader_problem(l, at, "write \"*\" for any", "no type of an exception: \"\"");
	else if (strcmp(at->key, "GeneratorExit") == 0 && !l->draft->is_generator)
		loader_problem(l, at, "", "\"GeneratorExit\" is raised in a def that yields, only");
}

/* The branches, those with a type before "*"; `done` is the chain of jumps behind all of them. */
static uint32_t load_except(struct loader *l, const struct place *at, const struct parts *p,
                            struct target to, uint32_t pair, uint32_t done)
{
	struct place  except = place_part(at, p, KEY_EXCEPT);
	const json_t *json = p->at[KEY_EXCEPT];
	const char   *key;
	json_t       *item;
	uint32_t      index = 0;

	if (json_object_size(json) == 0) {
		loader_problem(l, &except, "write {\"TypeName\": node, \"*\": node}",
		               "\"except\" is an object of types and nodes, not %s",
		               json_is_object(json) ? "an empty one" : loader_type_name(json));
		return done;
	}
	place_add_node(l, &except, NULL);
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		struct place branch = place_member(&except, key, index++);

		check_type(l, &branch);
		if (strcmp(key, "*") != 0)
			done = load_except_branch(l, &branch, item, to, pair, done);
	}
	index = 0;
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		struct place branch = place_member(&except, key, index++);

		if (strcmp(key, "*") == 0)
			done = load_except_branch(l, &branch, item, to, pair, done);
	}
	(void)emit(l, at, OP_RERAISE, 0, PROGRAM_NONE, pair, PROGRAM_NONE);
	return done;
}

/*	  EXCEPT(e): the body
 *	  jump done
 *	  branch by branch, or raise it again
 *	done:
 */
static void load_caught(struct loader *l, const struct place *at, const struct parts *p,
                        struct target to)
{
	struct cover cover;
	uint32_t     done;

	if (p->at[KEY_EXCEPT] == NULL) {
		load_tried(l, at, p, to);
		return;
	}
	cover = cover_begin(l, HANDLER_EXCEPT);
	load_tried(l, at, p, to);
	cover_end(l, &cover);
	done = emit_jump(l, at, PROGRAM_NONE);
	cover_land(l, &cover);
	done = load_except(l, at, p, to, cover.pair, done);
	emit_land_all(l, done);
}

/*	  FINALLY(f): the above
 *	  finally
 *	  leave
 */
void load_try(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct cover cover;
	struct place finally;

	if (p->at[KEY_EXCEPT] == NULL && p->at[KEY_FINALLY] == NULL)
		loader_problem(l, at, "", "\"try\" needs \"except\" or \"finally\"");
	if (p->at[KEY_FINALLY] == NULL) {
		load_caught(l, at, p, to);
		return;
	}
	cover = cover_begin(l, HANDLER_FINALLY);
	load_caught(l, at, p, to);
	cover_join(l, at, &cover);
	finally = place_part(at, p, KEY_FINALLY);
	/* Its value is nobody's, and must not touch the one that is there already. */
	load_scoped_node(l, &finally, p->at[KEY_FINALLY],
	                 (struct target){ slots_take(l, 1), false });
	(void)emit(l, at, OP_LEAVE, 0, PROGRAM_NONE, cover.pair, PROGRAM_NONE);
}

/* --- raise --- */

static void want_text(struct loader *l, const struct place *at, const struct members *m,
                      uint32_t member)
{
	const json_t *json = m->at[member];
	struct place  place;

	if (json == NULL)
		return;
	place = place_of_member(at, m, SLOT_ERROR, member);
	if (!json_is_string(json))
		loader_problem(l, &place, "", "\"%s\" wants text, not %s", place.key,
		               loader_type_name(json));
	else if (member == ERROR_TYPE && json_string_length(json) == 0)
		loader_problem(l, &place, "", "no type of an exception: \"\"");
}

/* {type, message?, data?} as it is written; what expressions in it give is checked when it runs. */
static void check_error(struct loader *l, const struct place *at, const json_t *json)
{
	struct members m;

	load_members(l, at, json, SLOT_ERROR, "an exception", &m);
	if (m.at[ERROR_TYPE] == NULL)
		loader_problem(l, at, "write {\"type\": \"...\", \"message\": \"...\"}",
		               "an exception needs \"type\"");
	want_text(l, at, &m, ERROR_TYPE);
	want_text(l, at, &m, ERROR_MESSAGE);
}

static bool is_bare(const json_t *json)
{
	return json_is_null(json) || (json_is_object(json) && json_object_size(json) == 0);
}

void load_raise(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct place  place = place_operand(at, p);
	const json_t *json = p->operand;
	uint32_t      x;

	if (is_bare(json)) {
		if (l->draft->except_pair == PROGRAM_NONE)
			loader_problem(l, &place, "write {\"raise\": \"TypeName\"}",
			               "there is no exception to raise again outside \"except\"");
		(void)emit(l, at, OP_RERAISE, to.slot, PROGRAM_NONE, l->draft->except_pair,
		           PROGRAM_NONE);
		return;
	}
	if (json_is_object(json))
		check_error(l, &place, json);
	else if (!json_is_string(json))
		loader_problem(l, &place,
		               "write \"TypeName\", or {\"type\": ..., \"message\": ...}",
		               "\"raise\" wants the type of an exception, or an object, not %s",
		               loader_type_name(json));
	else if (json_string_length(json) == 0)
		loader_problem(l, &place, "", "no type of an exception: \"\"");
	x = json_is_string(json) || json_is_object(json) ? loader_slot(l, &place, json, SLOT_VALUE)
	                                                 : PROGRAM_NONE;
	(void)emit(l, at, OP_RAISE, to.slot, x, PROGRAM_NONE, PROGRAM_NONE);
}
