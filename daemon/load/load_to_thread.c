/* to_thread: a built-in function and its arguments. */
#include "daemon/load/function_table.h"
#include "daemon/load/loader.h"

#include <stdio.h>
#include <string.h>

/* "read_file" takes (path, offset?, length?, encoding?) */
static void describe(char hint[PROBLEM_HINT_CHARS], const struct function_info *f)
{
	int used = snprintf(hint, PROBLEM_HINT_CHARS, "\"%s\" takes (", f->name);

	for (uint32_t i = 0; i < f->param_count; i++)
		used += snprintf(hint + used, (size_t)(PROBLEM_HINT_CHARS - used), "%s%s%s",
		                 i == 0 ? "" : ", ", f->params[i].name,
		                 f->params[i].is_required ? "" : "?");
	(void)snprintf(hint + used, (size_t)(PROBLEM_HINT_CHARS - used), ")");
}

/* Argument `index` of those given, as the value of parameter `param`. */
static void load_arg(struct loader *l, const struct place *at, const json_t *json,
                     const struct function_info *f, uint32_t param, uint32_t outcall,
                     uint32_t index)
{
	const struct function_param *to = &f->params[param];
	bool                         is_left_out = !to->is_required && json_is_null(json);
	const uint32_t x = loader_slot(l, at, json, is_left_out ? SLOT_VALUE : to->slot);

	build_outcall_part(&l->b, outcall, 1 + index, loader_text(l, to->name, at->node), x);
}

static void list_args(struct loader *l, const struct place *args, const json_t *json,
                      const struct function_info *f, uint32_t outcall)
{
	size_t given = json_array_size(json);
	char   hint[PROBLEM_HINT_CHARS];

	for (uint32_t i = 0; i < given && i < f->param_count; i++) {
		struct place item = place_element(args, i);

		load_arg(l, &item, json_array_get(json, i), f, i, outcall, i);
	}
	if (given <= f->param_count)
		return;
	describe(hint, f);
	loader_problem(l, args, hint, "%zu args for \"%s\"", given, f->name);
}

static void refuse_name(struct loader *l, const struct place *at, const struct function_info *f)
{
	struct nearest near;
	char           hint[PROBLEM_HINT_CHARS] = "";

	if (problem_is_wanted(&l->problems, at)) {
		nearest_init(&near, at->key, strlen(at->key), &l->hint_work);
		function_offer_params(&near, f);
		hint_did_you_mean(hint, near.best);
		if (*hint == '\0')
			describe(hint, f);
	}
	loader_problem(l, at, hint, "\"%s\" has no parameter \"%s\"", f->name, CLIPPED(at->key));
}

static void name_args(struct loader *l, const struct place *args, const json_t *json,
                      const struct function_info *f, uint32_t outcall)
{
	const char *key;
	json_t     *item;
	uint32_t    index = 0;

	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		struct place   arg = place_member(args, key, index);
		const uint32_t param = function_param_find(f, key);

		if (param == f->param_count)
			refuse_name(l, &arg, f);
		else
			load_arg(l, &arg, item, f, param, outcall, index);
		index++;
	}
}

/* The first one that has to be given and is not. */
static void refuse_missing(struct loader *l, const struct place *at, const json_t *json,
                           const struct function_info *f)
{
	char hint[PROBLEM_HINT_CHARS];

	for (uint32_t i = 0; i < f->param_count; i++) {
		const char *name = f->params[i].name;

		if (!f->params[i].is_required || i < json_array_size(json) ||
		    json_object_get(json, name) != NULL)
			continue;
		describe(hint, f);
		loader_problem(l, at, hint, "no arg \"%s\" for \"%s\"", name, f->name);
		return;
	}
}

/* `f` is NULL where there is no such function: then nobody knows what they are for. */
static void load_args_of(struct loader *l, const struct place *at, const struct parts *p,
                         const struct function_info *f, uint32_t outcall)
{
	const json_t *args = p->at[KEY_ARGS];
	struct place  place = args == NULL ? *at : place_part(at, p, KEY_ARGS);

	if (args != NULL && !json_is_array(args) && !json_is_object(args)) {
		loader_problem(l, &place, "", "\"args\" is an array or an object, not %s",
		               loader_type_name(args));
		return;
	}
	if (f == NULL) {
		if (args != NULL)
			(void)loader_slot(l, &place, args, SLOT_VALUE);
		return;
	}
	if (json_is_array(args))
		list_args(l, &place, args, f, outcall);
	else if (args != NULL)
		name_args(l, &place, args, f, outcall);
	refuse_missing(l, at, args, f);
}

void load_to_thread(struct loader *l, const struct place *at, const struct parts *p,
                    struct target to)
{
	const json_t               *args = p->at[KEY_ARGS];
	struct place                place = place_operand(at, p);
	const char                 *name = constant_choice(l, &place, p->operand, p->op->choices);
	const struct function_info *f = name == NULL ? NULL : function_find(name);
	struct outcall              made = { .kind = OUTCALL_THREAD,
		                             .node = at->node,
		                             .is_listed = json_is_array(args) };
	uint32_t                    outcall;

	made.interrupt = (uint8_t)load_outcall_interrupt(
		l, at, p, f == NULL || !f->changes ? EXEC_INTERRUPT_RETRY : EXEC_INTERRUPT_FAIL);
	made.arg_count = 1 + (uint32_t)(json_array_size(args) + json_object_size(args));
	outcall = build_outcall(&l->b, made);
	build_outcall_part(&l->b, outcall, 0, loader_text(l, "function", at->node),
	                   loader_text(l, f == NULL ? "" : f->name, at->node));
	load_args_of(l, at, p, f, outcall);
	emit_outcall(l, at, outcall, to);
}
