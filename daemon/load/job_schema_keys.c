/* The keys of nodes, as parts of a schema: what stands there, and beside what. */
#include "daemon/load/brief.h"
#include "daemon/load/job_schema_inside.h"
#include "daemon/load/slot_schema.h"
#include "proto/base/check.h"

#include <string.h>

/* --- text --- */

static void next(struct buf *b, bool *is_first)
{
	schema_add(b, *is_first ? "" : ", ");
	*is_first = false;
}

void schema_add_key(struct buf *b, const char *key, bool *is_first)
{
	next(b, is_first);
	buf_addf(b, "\"%s\": ", key);
}

static void add_brief(struct buf *b, const char *brief)
{
	schema_add(b, "'description': ");
	buf_add_json_string(b, brief, strlen(brief));
}

/* --- what goes with what --- */

static const struct op_info *op_at(uint32_t id)
{
	const struct op_info *op = op_find(brief_of_op(id)->name);

	CHECK(op != NULL && op->id == id);
	return op;
}

/* Whether `key` is an option of `op`. Two are not what the table says: it knows `limit` beside `do`
 * only to refuse it, and `name` is a modifier, which an operation has as its own. */
static bool takes(const struct op_info *op, uint32_t key)
{
	if (op->id == ID_DO && key == KEY_LIMIT)
		return false;
	if (op->id == ID_CREATE_TASK && key == KEY_NAME)
		return true;
	return op_has_option(op, key);
}

/* How many operations take a key as an option; `*last` is one of them. */
static uint32_t count_takers(uint32_t key, const struct op_info **last)
{
	uint32_t count = 0;

	for (uint32_t id = 0; id < ID_COUNT; id++) {
		const struct op_info *op = op_at(id);

		if (takes(op, key)) {
			*last = op;
			count++;
		}
	}
	return count;
}

/* Whether it is a key, and no more. One that has the name of an operation, like "do", counts as
 * the operation. */
static bool is_key(uint32_t key)
{
	const struct key_info *info = key_info_of(key);
	const struct op_info  *taker;

	if (op_find(info->name) != NULL)
		return false;
	return info->is_modifier || count_takers(key, &taker) > 0;
}

/* "This operation": its key is there, and is not an option of another one. */
static void add_is_op(struct buf *b, const struct op_info *op)
{
	const struct key_info *key = key_find(op->name);
	const struct op_info  *other;
	bool                   is_first = true;

	schema_add(b, "'required': [");
	buf_addf(b, "\"%s\"]", op->name);
	if (key == NULL || count_takers(key->id, &other) == 0)
		return;
	schema_add(b, ", 'not': {'anyOf': [");
	for (uint32_t id = 0; id < ID_COUNT; id++) {
		if (!takes(op_at(id), key->id))
			continue;
		next(b, &is_first);
		schema_add(b, "{'required': [");
		buf_addf(b, "\"%s\"]}", op_at(id)->name);
	}
	schema_add(b, "]}");
}

static void add_takers(struct buf *b, uint32_t key)
{
	const struct op_info *only;
	bool                  is_first = true;

	if (count_takers(key, &only) == 1) {
		add_is_op(b, only);
		return;
	}
	schema_add(b, "'anyOf': [");
	for (uint32_t id = 0; id < ID_COUNT; id++) {
		if (!takes(op_at(id), key))
			continue;
		next(b, &is_first);
		schema_add(b, "{");
		add_is_op(b, op_at(id));
		schema_add(b, "}");
	}
	schema_add(b, "]");
}

void schema_add_one_op(struct buf *b)
{
	bool is_first = true;

	for (uint32_t id = 0; id < ID_COUNT; id++) {
		next(b, &is_first);
		schema_add(b, "{");
		add_is_op(b, op_at(id));
		schema_add(b, "}");
	}
}

/* Which options want which operation: those that are words of the header, too, or the others. */
static void add_wants(struct buf *b, bool is_header)
{
	bool is_first = true;

	for (uint32_t key = 0; key < KEY_COUNT; key++) {
		const struct key_info *info = key_info_of(key);

		if (!is_key(key) || info->is_modifier || header_has_key(info->name) != is_header)
			continue;
		schema_add_key(b, info->name, &is_first);
		schema_add(b, "{");
		add_takers(b, key);
		schema_add(b, "}");
	}
}

void schema_add_wants(struct buf *b)
{
	add_wants(b, false);
}

void schema_add_header_wants(struct buf *b)
{
	add_wants(b, true);
}

void schema_add_makes_a_task(struct buf *b)
{
	add_takers(b, KEY_NAME);
}

/* --- keys --- */

/* What stands there, behind a description. */
static void add_slot(struct buf *b, enum slot_kind kind, const char *const *choices)
{
	bool is_first = true;

	if (choices == NULL) {
		schema_add(b, ", '$ref': '#/$defs/");
		buf_addf(b, "%s\"", slot_schema_of(kind)->name);
		return;
	}
	schema_add(b, ", 'enum': [");
	for (; *choices != NULL; choices++) {
		next(b, &is_first);
		buf_addf(b, "\"%s\"", *choices);
	}
	schema_add(b, "]");
}

/* The brief of an operation, and its options. */
static void add_op_brief(struct buf *b, const struct op_info *op)
{
	struct buf text = { 0 };
	bool       is_first = true;

	buf_add_text(&text, brief_of_op(op->id)->text);
	for (uint32_t key = 0; key < KEY_COUNT; key++) {
		if (!takes(op, key))
			continue;
		buf_addf(&text, "%s%s", is_first ? " Options: " : ", ", key_info_of(key)->name);
		is_first = false;
	}
	buf_add_text(&text, is_first ? "" : ".");
	schema_add(b, "'description': ");
	if (text.failed == GD_OK)
		buf_add_json_string(b, text.at, text.bytes);
	else
		b->failed = text.failed;
	buf_close(&text);
}

static void add_op(struct buf *b, const struct op_info *op)
{
	schema_add(b, "{");
	add_op_brief(b, op);
	/* What branches are is decided by `for`. */
	if (op->operand == SLOT_BRANCHES)
		schema_add(b, ", 'type': ['array', 'object']");
	else
		add_slot(b, op->operand, op->choices);
	schema_add(b, "}");
}

void schema_add_properties(struct buf *b)
{
	bool is_first = true;

	for (uint32_t id = 0; id < ID_COUNT; id++) {
		schema_add_key(b, op_at(id)->name, &is_first);
		add_op(b, op_at(id));
	}
	for (uint32_t key = 0; key < KEY_COUNT; key++) {
		const struct key_info *info = key_info_of(key);

		if (!is_key(key))
			continue;
		schema_add_key(b, info->name, &is_first);
		schema_add(b, "{");
		add_brief(b, brief_of_key(key));
		add_slot(b, info->slot, info->choices);
		schema_add(b, "}");
	}
}

static void add_property_ref(struct buf *b, const char *name, bool *is_first)
{
	schema_add_key(b, name, is_first);
	schema_add(b, "{'$ref': '#/$defs/step/properties/");
	buf_addf(b, "%s\"}", name);
}

void schema_add_root_properties(struct buf *b)
{
	bool is_first = true;

	for (uint32_t id = 0; id < ID_COUNT; id++)
		add_property_ref(b, op_at(id)->name, &is_first);
	for (uint32_t key = 0; key < KEY_COUNT; key++) {
		const char *name = key_info_of(key)->name;

		/* No siblings at the root. */
		if (is_key(key) && key != KEY_AFTER && !header_has_key(name))
			add_property_ref(b, name, &is_first);
	}
}

static void add_bare(struct buf *b, enum op_id id)
{
	bool is_first = true;

	add_property_ref(b, op_at(id)->name, &is_first);
	for (uint32_t key = 0; key < KEY_COUNT; key++)
		if (takes(op_at(id), key) && key != KEY_DO)
			add_property_ref(b, key_info_of(key)->name, &is_first);
}

void schema_add_bare_call(struct buf *b)
{
	add_bare(b, ID_CALL);
}

void schema_add_bare_as_completed(struct buf *b)
{
	add_bare(b, ID_AS_COMPLETED);
}

/* --- operands --- */

static void add_branches(struct buf *b, const char *what, uint32_t but)
{
	bool is_first = true;

	for (uint32_t id = 0; id < ID_COUNT; id++) {
		if (op_at(id)->operand != SLOT_BRANCHES || id == but)
			continue;
		schema_add_key(b, op_at(id)->name, &is_first);
		schema_add(b, what);
	}
}

void schema_add_branches(struct buf *b)
{
	add_branches(b, "<branches>", ID_RACE);
}

void schema_add_single_branches(struct buf *b)
{
	add_branches(b, "<task>", ID_COUNT);
}

static void add_members(struct buf *b, enum slot_kind kind)
{
	uint32_t                  count;
	const struct member_info *members = slot_members(kind, &count);
	bool                      is_first = true;

	for (uint32_t i = 0; i < count; i++) {
		schema_add_key(b, members[i].name, &is_first);
		schema_add(b, "{");
		add_brief(b, brief_of_member(kind, i));
		add_slot(b, members[i].slot, NULL);
		schema_add(b, "}");
	}
}

void schema_add_error_members(struct buf *b)
{
	add_members(b, SLOT_ERROR);
}

void schema_add_request_members(struct buf *b)
{
	add_members(b, SLOT_REQUEST);
}

void schema_add_retry_members(struct buf *b)
{
	add_members(b, SLOT_RETRY);
}
