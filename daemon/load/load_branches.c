/* Combinators: their branches, listed or one for each item, and gather, race, task_group. */
#include "daemon/load/load_after.h"

static bool is_await(const json_t *json)
{
	return json_object_size(json) == 1 && json_object_get(json, "await") != NULL;
}

/* `after` says for whom the branch waits; NULL where no branch waits. */
static void load_branch(struct loader *l, struct place *at, const json_t *json, const char *name,
                        uint32_t branch, const struct after_graph *after)
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
	if (after != NULL)
		after_fill(after, &b);
	b.code = load_coroutine(l, at, json, after);
	build_branch_set(&l->b, branch, b);
}

uint32_t load_single_branch(struct loader *l, struct place *at, const json_t *json)
{
	uint32_t branch = build_branches(&l->b, 1);

	load_branch(l, at, json, NULL, branch, NULL);
	return branch;
}

static void load_named_branches(struct loader *l, struct place *branches, const json_t *json,
                                struct join *join)
{
	struct after_graph after;
	const char        *key;
	json_t            *item;
	uint32_t           i = 0;

	join->flags |= JOIN_OBJECT;
	if (after_open(&after, l, branches, json))
		join->flags |= JOIN_HAS_AFTER;
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		struct place at = place_member(branches, key, i);

		after.branch = i;
		load_branch(l, &at, item, key, join->first_branch + i++,
		            after.count == 0 ? NULL : &after);
	}
	after_close(&after);
}

static void load_listed(struct loader *l, struct place *branches, const json_t *json,
                        struct join *join)
{
	place_add_node(l, branches, NULL);
	join->branch_count =
		(uint32_t)(json_is_array(json) ? json_array_size(json) : json_object_size(json));
	join->first_branch = build_branches(&l->b, join->branch_count);
	if (json_is_object(json)) {
		load_named_branches(l, branches, json, join);
		return;
	}
	for (uint32_t i = 0; i < join->branch_count; i++) {
		struct place at = place_element(branches, i);

		load_branch(l, &at, json_array_get(json, i), NULL, join->first_branch + i, NULL);
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
	join->first_branch = load_single_branch(l, body, p->operand);
	build_node_is_branch(&l->b, body->node);
	scope_close(l, scope);
}

uint32_t load_join(struct loader *l, const struct place *at, const struct parts *p,
                   enum join_kind kind, uint32_t flags)
{
	struct join  join = { .kind = kind, .flags = flags, .in = PROGRAM_NONE, .node = at->node };
	struct place branches = place_operand(at, p);

	join.limit = loader_part(l, at, p, KEY_LIMIT);
	join.timeout = op_has_option(p->op, KEY_TIMEOUT) ? loader_part(l, at, p, KEY_TIMEOUT)
	                                                 : PROGRAM_NONE;
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

uint32_t join_events(const struct loader *l)
{
	return l->b.program->only_job_events ? 0 : JOIN_EVENTS;
}

static void emit_join(struct loader *l, const struct place *at, const struct parts *p,
                      struct target to, enum join_kind kind, uint32_t flags)
{
	uint32_t mark = l->draft->top;
	uint32_t join = load_join(l, at, p, kind, flags);

	(void)emit(l, at, OP_JOIN, to.slot, join, PROGRAM_NONE, PROGRAM_NONE);
	slots_give_back(l, mark);
}

void load_gather(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	uint32_t flags = 0;

	if (p->at[KEY_RETURN_EXCEPTIONS] != NULL) {
		struct place option = place_part(at, p, KEY_RETURN_EXCEPTIONS);

		if (constant_bool(l, &option, p->at[KEY_RETURN_EXCEPTIONS]))
			flags = JOIN_RETURN_EXCEPTIONS;
	}
	emit_join(l, at, p, to, JOIN_GATHER, flags);
}

void load_task_group(struct loader *l, const struct place *at, const struct parts *p,
                     struct target to)
{
	l->b.program->counts_cancels = true;
	emit_join(l, at, p, to, JOIN_TASK_GROUP, join_events(l));
}

/* A race of nobody has no winner. */
static void check_runners(struct loader *l, const struct place *at, const struct parts *p)
{
	enum key_id   key = KEY_IN;
	bool          is_for = p->at[key] != NULL;
	struct place  runners = is_for ? place_part(at, p, key) : place_operand(at, p);
	const json_t *json = is_for ? p->at[key] : p->operand;

	if ((json_is_array(json) && json_array_size(json) == 0) ||
	    (json_is_object(json) && json_object_size(json) == 0))
		loader_problem(l, &runners, "", "a \"race\" without branches has no winner");
}

void load_race(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	uint32_t flags = join_events(l);

	if (p->at[KEY_UNTIL] != NULL) {
		struct place until = place_part(at, p, KEY_UNTIL);

		if (constant_choice(l, &until, p->at[KEY_UNTIL], key_info_of(KEY_UNTIL)->choices) !=
		    NULL)
			flags |= JOIN_UNTIL_SUCCESS;
	}
	check_runners(l, at, p);
	emit_join(l, at, p, to, JOIN_RACE, flags);
}
