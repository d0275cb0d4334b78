#include "daemon/load/op_table.h"

#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define BRANCH_KEYS (KEY_BIT(KEY_FOR) | KEY_BIT(KEY_IN) | KEY_BIT(KEY_LIMIT))

static const struct op_info OPS[] = {
	{ "as_completed", ID_AS_COMPLETED, SLOT_BRANCHES,
	  BRANCH_KEYS | KEY_BIT(KEY_TIMEOUT) | KEY_BIT(KEY_DO), false },
	{ "await", ID_AWAIT, SLOT_VALUE, 0, true },
	{ "call", ID_CALL, SLOT_DEF, KEY_BIT(KEY_ARGS), true },
	{ "cancel", ID_CANCEL, SLOT_VALUE, KEY_BIT(KEY_MESSAGE), true },
	{ "create_task", ID_CREATE_TASK, SLOT_NODE, KEY_BIT(KEY_LOOP), true },
	{ "do", ID_DO, SLOT_NODE, BRANCH_KEYS | KEY_BIT(KEY_WHILE), false },
	{ "gather", ID_GATHER, SLOT_BRANCHES, BRANCH_KEYS | KEY_BIT(KEY_RETURN_EXCEPTIONS), true },
	{ "return", ID_RETURN, SLOT_VALUE, 0, true },
	{ "set", ID_SET, SLOT_ASSIGNMENT, 0, false },
	{ "sleep", ID_SLEEP, SLOT_DURATION, KEY_BIT(KEY_RESULT), true },
	{ "sleep_until", ID_SLEEP_UNTIL, SLOT_MOMENT, 0, true },
	{ "value", ID_VALUE, SLOT_VALUE, 0, true },
	{ "yield", ID_YIELD, SLOT_VALUE, 0, true },
	{ "async_for", ID_LATER, SLOT_NODE, 0, false },
	{ "event", ID_LATER, SLOT_VALUE, 0, false },
	{ "exec", ID_LATER, SLOT_VALUE, 0, false },
	{ "http", ID_LATER, SLOT_VALUE, 0, false },
	{ "match", ID_LATER, SLOT_VALUE, 0, false },
	{ "race", ID_LATER, SLOT_BRANCHES, 0, false },
	{ "raise", ID_LATER, SLOT_VALUE, 0, false },
	{ "shield", ID_LATER, SLOT_NODE, 0, false },
	{ "task_group", ID_LATER, SLOT_BRANCHES, 0, false },
	{ "to_thread", ID_LATER, SLOT_VALUE, 0, false },
	{ "try", ID_LATER, SLOT_NODE, 0, false },
	{ "wait", ID_LATER, SLOT_VALUE, 0, false },
};

/* Those of this version are in the order of enum key_id. */
static const struct key_info KEYS[] = {
	{ "args", KEY_ARGS, SLOT_ARGS, false, false },
	{ "as", KEY_AS, SLOT_NAME, true, false },
	{ "do", KEY_DO, SLOT_NODE, false, false },
	{ "else", KEY_ELSE, SLOT_NODE, true, false },
	{ "for", KEY_FOR, SLOT_NAME, false, false },
	{ "if", KEY_IF, SLOT_CONDITION, true, false },
	{ "in", KEY_IN, SLOT_ITEMS, false, false },
	{ "limit", KEY_LIMIT, SLOT_COUNT, false, false },
	{ "loop", KEY_LOOP, SLOT_LOOP, false, false },
	{ "message", KEY_MESSAGE, SLOT_VALUE, false, false },
	{ "name", KEY_NAME, SLOT_VALUE, true, false },
	{ "result", KEY_RESULT, SLOT_VALUE, false, false },
	{ "return_exceptions", KEY_RETURN_EXCEPTIONS, SLOT_BOOL, false, false },
	{ "timeout", KEY_TIMEOUT, SLOT_DURATION, true, true },
	{ "while", KEY_WHILE, SLOT_CONDITION, false, false },
	{ "after", KEY_LATER, SLOT_VALUE, true, true },
	{ "retry", KEY_LATER, SLOT_VALUE, true, true },
	{ "undo", KEY_LATER, SLOT_NODE, true, true },
	{ "with", KEY_LATER, SLOT_VALUE, true, true },
};

static const char *const HEADER_KEYS[] = { "args", "def", "events", "gatherd", "loop", "title" };

const struct op_info *op_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(OPS); i++)
		if (strcmp(OPS[i].name, name) == 0)
			return &OPS[i];
	return NULL;
}

const struct key_info *key_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(KEYS); i++)
		if (strcmp(KEYS[i].name, name) == 0)
			return &KEYS[i];
	return NULL;
}

const struct key_info *key_info_of(enum key_id id)
{
	return &KEYS[id];
}

bool op_has_key(const struct op_info *op, const struct key_info *key)
{
	if (key->is_modifier && !key->is_later)
		return true;
	return (op->keys & KEY_BIT(key->id)) != 0;
}

bool header_has_key(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(HEADER_KEYS); i++)
		if (strcmp(HEADER_KEYS[i], name) == 0)
			return true;
	return false;
}

void op_offer_all(struct nearest *n)
{
	for (size_t i = 0; i < COUNT_OF(OPS); i++)
		nearest_offer(n, OPS[i].name);
}

void op_offer_keys(struct nearest *n, const struct op_info *op)
{
	for (size_t i = 0; i < COUNT_OF(KEYS); i++)
		if (KEYS[i].is_modifier || op_has_key(op, &KEYS[i]))
			nearest_offer(n, KEYS[i].name);
}

void header_offer_keys(struct nearest *n)
{
	for (size_t i = 0; i < COUNT_OF(HEADER_KEYS); i++)
		nearest_offer(n, HEADER_KEYS[i]);
}
