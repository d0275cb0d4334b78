/* Operations that make coroutines: gather, as_completed, create_task. */
#include "daemon/load/loader.h"

static bool is_await(const json_t *json)
{
	return json_object_size(json) == 1 && json_object_get(json, "await") != NULL;
}

static void load_branch(struct loader *l, struct place *at, const json_t *json, const char *name,
                        uint32_t branch)
{
	struct branch b = { .await = PROGRAM_NONE };

	if (is_await(json)) {
		struct place operand = place_member(at, "await", 0);

		b.await = loader_slot(l, &operand, json_object_get(json, "await"), SLOT_VALUE);
		if (b.await == PROGRAM_NONE)
			return; /* its code would only repeat the problem */
	}
	b.label = load_label(l, at, json);
	b.name = name == NULL ? VALUE_NONE : build_text(&l->b, name);
	b.code = load_coroutine(l, at, json);
	build_branch_set(&l->b, branch, b);
}

static void load_listed(struct loader *l, struct place *branches, const json_t *json,
                        struct join *join)
{
	const char *key;
	json_t     *item;
	uint32_t    i = 0;

	place_add_node(l, branches, NULL);
	join->branch_count =
		(uint32_t)(json_is_array(json) ? json_array_size(json) : json_object_size(json));
	join->first_branch = build_branches(&l->b, join->branch_count);
	if (json_is_object(json)) {
		join->flags |= JOIN_OBJECT;
		json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
			struct place at = place_member(branches, key, i);

			load_branch(l, &at, item, key, join->first_branch + i++);
		}
		return;
	}
	for (; i < join->branch_count; i++) {
		struct place at = place_element(branches, i);

		load_branch(l, &at, json_array_get(json, i), NULL, join->first_branch + i);
	}
}

/* One body for all items; each branch has its own variable, seen as it was when it was made. */
static void load_comprehension(struct loader *l, const struct place *at, const struct parts *p,
                               struct place *body, struct join *join)
{
	struct scope_mark scope;
	struct place      name_at = place_part(at, p, KEY_FOR);
	const char       *name = loader_name(l, &name_at, p->at[KEY_FOR]);

	join->in = loader_part(l, at, p, KEY_IN);
	scope = scope_open(l);
	join->var = (uint16_t)slots_take(l, 1);
	if (name != NULL)
		scope_bind(l, name, join->var);
	join->branch_count = 1;
	join->first_branch = build_branches(&l->b, 1);
	load_branch(l, body, p->operand, NULL, join->first_branch);
	build_node_is_branch(&l->b, body->node);
	scope_close(l, scope);
}

/* The join of gather or as_completed; PROGRAM_NONE after a problem. */
static uint32_t load_join(struct loader *l, const struct place *at, const struct parts *p,
                          enum join_kind kind, uint32_t flags)
{
	struct join  join = { .kind = kind, .flags = flags, .in = PROGRAM_NONE, .node = at->node };
	struct place branches = place_operand(at, p);

	join.limit = loader_part(l, at, p, KEY_LIMIT);
	join.timeout = loader_part(l, at, p, KEY_TIMEOUT);
	if (p->at[KEY_FOR] != NULL && p->at[KEY_IN] != NULL) {
		load_comprehension(l, at, p, &branches, &join);
	} else if (p->at[KEY_FOR] != NULL) {
		loader_problem(l, at, "", "\"for\" needs \"in\"");
		return PROGRAM_NONE;
	} else if (p->at[KEY_IN] != NULL) {
		loader_problem(l, at, "", "\"in\" needs \"for\"");
		return PROGRAM_NONE;
	} else if (json_is_array(p->operand) || json_is_object(p->operand)) {
		load_listed(l, &branches, p->operand, &join);
	} else {
		loader_problem(l, &branches, "",
		               "\"%s\" wants an array or an object of branches, not %s",
		               p->op->name, loader_type_name(p->operand));
		return PROGRAM_NONE;
	}
	return build_join(&l->b, join);
}

void load_gather(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	const json_t *as_values = p->at[KEY_RETURN_EXCEPTIONS];
	uint32_t      flags = json_is_true(as_values) ? JOIN_RETURN_EXCEPTIONS : 0;
	uint32_t      mark = l->draft->top;
	uint32_t      join;

	if (as_values != NULL && !json_is_boolean(as_values)) {
		struct place option = place_part(at, p, KEY_RETURN_EXCEPTIONS);

		loader_problem(l, &option, "", "\"return_exceptions\" is true or false");
	}
	join = load_join(l, at, p, JOIN_GATHER, flags);
	(void)emit(l, at, OP_JOIN, to.slot, join, PROGRAM_NONE, PROGRAM_NONE);
	slots_give_back(l, mark);
}

/* What happens for each completion in slot `item`; it leaves there what the list is to hold. */
static void load_completion(struct loader *l, const struct place *at, const struct parts *p,
                            uint32_t item, uint32_t counter, bool is_wanted)
{
	struct place body;

	if (p->at[KEY_DO] == NULL) {
		uint32_t x;

		if (!is_wanted)
			return;
		x = loader_internal(l, "${it.result}", item, at->node);
		(void)emit(l, at, OP_EVAL, item, x, PROGRAM_NONE, PROGRAM_NONE);
		return;
	}
	body = place_part(at, p, KEY_DO);
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
 */
void load_as_completed(struct loader *l, const struct place *at, const struct parts *p,
                       struct target to)
{
	uint32_t          mark = l->draft->top;
	uint32_t          flags = l->b.program->only_job_events ? 0 : JOIN_EVENTS;
	uint32_t          join = load_join(l, at, p, JOIN_AS_COMPLETED, flags);
	uint32_t          join_slot = slots_take(l, 1);
	struct scope_mark scope = scope_open(l);
	bool              has_body = p->at[KEY_DO] != NULL;
	/* The completion and, with a body, the value of the body. */
	uint32_t          item = slots_take(l, has_body ? 2 : 1);
	uint32_t          counter = PROGRAM_NONE, next;

	(void)emit(l, at, OP_JOIN, join_slot, join, PROGRAM_NONE, PROGRAM_NONE);
	if (to.is_wanted)
		(void)emit(l, at, OP_LIST_NEW, to.slot, PROGRAM_NONE, PROGRAM_NONE, PROGRAM_NONE);
	if (has_body)
		counter = emit_counter(l, at);
	next = emit(l, at, OP_JOIN_NEXT, item, PROGRAM_NONE, join_slot, PROGRAM_NONE);
	if (p->at[KEY_AS] != NULL && json_is_string(p->at[KEY_AS]))
		scope_bind(l, json_string_value(p->at[KEY_AS]), item);
	load_completion(l, at, p, item, counter, to.is_wanted);
	if (to.is_wanted)
		(void)emit(l, at, OP_APPEND, to.slot, PROGRAM_NONE, has_body ? item + 1 : item,
		           PROGRAM_NONE);
	(void)emit(l, at, OP_JUMP, 0, next, PROGRAM_NONE, PROGRAM_NONE);
	emit_land(l, next);
	scope_close(l, scope);
	slots_give_back(l, mark);
}

void load_create_task(struct loader *l, const struct place *at, const struct parts *p,
                      struct target to)
{
	struct place body = place_operand(at, p);
	uint32_t     label = loader_part(l, at, p, KEY_NAME);
	uint32_t     code;

	/* All tasks of a job run on the job's own loop in this version, so that the answer is only
	 * checked. */
	(void)loader_part(l, at, p, KEY_LOOP);
	if (p->at[KEY_NAME] == NULL)
		label = load_label(l, &body, p->operand);
	else if (json_object_get(p->operand, "name") != NULL &&
	         json_object_get(p->operand, "create_task") == NULL)
		loader_problem(l, &body, "", "this task has two names");
	code = load_coroutine(l, &body, p->operand);
	(void)emit(l, at, OP_CREATE_TASK, to.slot, code, label, PROGRAM_NONE);
}
