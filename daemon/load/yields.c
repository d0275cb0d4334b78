#include "daemon/load/yields.h"

#include "daemon/load/loader.h"

#define MEMBERS(json, key, item) json_object_foreach ((json_t *)(uintptr_t)(json), key, item)

struct found {
	bool has_yield; /* not in branches and tasks: they are coroutines of their own */
	bool has_undo;
};

static struct found find_in_node(const json_t *json);

static struct found both(struct found a, struct found b)
{
	return (struct found){ a.has_yield || b.has_yield, a.has_undo || b.has_undo };
}

/* In every node of an array or object of them. */
static struct found find_in_each(const json_t *json)
{
	struct found f = { false, false };
	const char  *key;
	json_t      *item;
	size_t       i;

	json_array_foreach (json, i, item)
		f = both(f, find_in_node(item));
	MEMBERS (json, key, item)
		f = both(f, find_in_node(item));
	return f;
}

/* `is_one`: with `for`, branches are one body. */
static struct found find_in_slot(const json_t *json, enum slot_kind kind, bool is_one)
{
	struct found f = { false, false };

	if (kind == SLOT_NODE || kind == SLOT_GENERATOR || kind == SLOT_TASK ||
	    (kind == SLOT_BRANCHES && is_one))
		f = find_in_node(json);
	else if (kind == SLOT_CASES || kind == SLOT_EXCEPT || kind == SLOT_BRANCHES)
		f = find_in_each(json);
	if (kind == SLOT_TASK || kind == SLOT_BRANCHES)
		f.has_yield = false;
	return f;
}

static struct found find_in_object(const json_t *json)
{
	struct found f = { false, false };
	bool         is_one = json_object_get(json, "for") != NULL;
	uint64_t     options = parts_options(json);
	const char  *key;
	json_t      *item;

	MEMBERS (json, key, item) {
		const struct op_info  *op = op_find(key);
		const struct key_info *info = key_find(key);

		if (parts_is_op(op, info, options)) {
			f = both(f, find_in_slot(item, op->operand, is_one));
			f.has_yield = f.has_yield || op->id == ID_YIELD;
		} else if (info != NULL) {
			f = both(f, find_in_slot(item, info->slot, is_one));
			f.has_undo = f.has_undo || info->id == KEY_UNDO;
		}
	}
	return f;
}

static struct found find_in_node(const json_t *json)
{
	return json_is_object(json) ? find_in_object(json) : find_in_each(json);
}

bool node_yields(const json_t *body)
{
	return find_in_node(body).has_yield;
}

bool spec_has_undo(const json_t *spec)
{
	const json_t *defs = json_object_get(spec, "def");
	const char   *name;
	json_t       *def;

	if (find_in_node(spec).has_undo)
		return true;
	MEMBERS (defs, name, def) {
		if (find_in_node(json_object_get(def, "do")).has_undo)
			return true;
	}
	return false;
}
