/* The members of a node: one operation, its options, modifiers; or what is wrong with them. */
#include "daemon/load/loader.h"

#include <stdio.h>
#include <string.h>

#define MEMBERS(json, key, item) json_object_foreach ((json_t *)(uintptr_t)(json), key, item)
#define LISTED_CHARS 160

struct found {
	uint32_t ops;
	char     listed[LISTED_CHARS]; /* "sleep, exec" */
	uint32_t unknown;              /* keys that mean nothing anywhere */
};

static bool is_header(const struct place *at, const char *key)
{
	return at->up == NULL && header_has_key(key);
}

static void list(struct found *f, const char *text)
{
	size_t used = strlen(f->listed);
	size_t bytes = strlen(text);
	size_t room = sizeof f->listed - 1 - used;

	memcpy(f->listed + used, text, bytes < room ? bytes : room);
}

/* Every node comes by here: no printf(). */
static void list_op(struct found *f, const char *name)
{
	if (f->ops++ != 0)
		list(f, ", ");
	list(f, name);
}

uint64_t parts_options(const json_t *json)
{
	const char *key;
	json_t     *item;
	uint64_t    options = 0;

	MEMBERS (json, key, item) {
		const struct op_info *op = op_find(key);

		if (op != NULL)
			options |= op->keys;
	}
	return options;
}

bool parts_is_op(const struct op_info *op, const struct key_info *key, uint64_t options)
{
	return op != NULL && !(key != NULL && (options & KEY_BIT(key->id)) != 0);
}

static void find_ops(const struct place *at, const json_t *json, struct found *f,
                     struct parts *parts)
{
	const char *key;
	json_t     *item;
	uint32_t    index = 0;
	uint64_t    options = parts_options(json);

	*f = (struct found){ 0 };
	MEMBERS (json, key, item) {
		const struct op_info  *op = op_find(key);
		const struct key_info *info = key_find(key);

		if (parts_is_op(op, info, options)) {
			parts->op = op;
			parts->operand = item;
			parts->operand_index = index;
			list_op(f, op->name);
		} else if (op == NULL && info == NULL && !is_header(at, key)) {
			f->unknown++;
		}
		index++;
	}
}

static const char *nearest_op(struct loader *l, const char *key)
{
	struct nearest near;

	nearest_init(&near, key, strlen(key), &l->hint_work);
	op_offer_all(&near);
	return near.best;
}

/* No operation: of the unknown keys, the first that looks like one is the one to talk about. */
static void refuse_no_op(struct loader *l, const struct place *at, const json_t *json,
                         const struct found *f)
{
	const char  *key;
	json_t      *item;
	uint32_t     index = 0;
	struct place wrong = *at;
	bool         is_found = false;
	const char  *best = NULL;
	char         hint[PROBLEM_HINT_CHARS];

	if (f->unknown == 0 || !problem_is_wanted(&l->problems, at)) {
		loader_problem(l, at, "", "no operation here");
		return;
	}
	MEMBERS (json, key, item) {
		if (best == NULL && key_find(key) == NULL && !is_header(at, key)) {
			best = nearest_op(l, key);
			if (best != NULL || !is_found)
				wrong = place_member(at, key, index);
			is_found = true;
		}
		index++;
	}
	hint_did_you_mean(hint, best);
	loader_problem(l, &wrong, hint, "no known operation here: \"%s\"", CLIPPED(wrong.key));
}

static void refuse_many_ops(struct loader *l, const struct place *at, const struct found *f)
{
	const char *hint = "wrap them in {\"do\": [...]}";

	if (f->ops == 2)
		loader_problem(l, at, hint, "two operations here: %s", f->listed);
	else
		loader_problem(l, at, hint, "%u operations here: %s", f->ops, f->listed);
}

static void refuse_key(struct loader *l, const struct place *at, const struct op_info *op,
                       const char *key, uint32_t index)
{
	struct place   wrong = place_member(at, key, index);
	struct nearest near;
	char           hint[PROBLEM_HINT_CHARS] = "";

	if (problem_is_wanted(&l->problems, &wrong)) {
		nearest_init(&near, key, strlen(key), &l->hint_work);
		op_offer_keys(&near, op);
		if (at->up == NULL)
			header_offer_keys(&near);
		hint_did_you_mean(hint, near.best);
	}
	if (hint[0] == '\0' && (strcmp(key, "for") == 0 || strcmp(key, "while") == 0))
		(void)snprintf(hint, sizeof hint, "write {\"do\": {\"%s\": ...}, \"%s\": ...}",
		               op->name, key);
	loader_problem(l, &wrong, hint, "\"%s\" is not a key of \"%s\"", CLIPPED(key), op->name);
}

static void sort_keys(struct loader *l, const struct place *at, const json_t *json,
                      struct parts *parts)
{
	const char *key;
	json_t     *item;
	uint32_t    index = 0;

	MEMBERS (json, key, item) {
		const struct key_info *info = key_find(key);

		if (index == parts->operand_index || is_header(at, key)) {
			/* known already, or the job's */
		} else if (info != NULL && op_has_key(parts->op, info)) {
			parts->at[info->id] = item;
			parts->index[info->id] = index;
		} else {
			refuse_key(l, at, parts->op, key, index);
		}
		index++;
	}
}

bool load_parts(struct loader *l, const struct place *at, const json_t *json, struct parts *parts)
{
	struct found f;

	*parts = (struct parts){ 0 };
	find_ops(at, json, &f, parts);
	if (f.ops == 0) {
		refuse_no_op(l, at, json, &f);
		return false;
	}
	if (f.ops > 1) {
		refuse_many_ops(l, at, &f);
		return false;
	}
	sort_keys(l, at, json, parts);
	return true;
}
