#include "daemon/load/op_table.h"

#include "daemon/load/function_table.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define BRANCH_KEYS (KEY_BIT(KEY_FOR) | KEY_BIT(KEY_IN) | KEY_BIT(KEY_LIMIT))
#define EXEC_KEYS                                                                                \
	(KEY_BIT(KEY_CHECK) | KEY_BIT(KEY_CWD) | KEY_BIT(KEY_ENV) | KEY_BIT(KEY_GRACE) |         \
	 KEY_BIT(KEY_ON_INTERRUPT) | KEY_BIT(KEY_POOL) | KEY_BIT(KEY_PROFILE) |                  \
	 KEY_BIT(KEY_STDERR) | KEY_BIT(KEY_STDIN) | KEY_BIT(KEY_STDOUT) | KEY_BIT(KEY_TIMEOUT) | \
	 KEY_BIT(KEY_YIELD))

static const char *const INTERRUPTS[] = { "fail", "retry", "hold", NULL };
static const char *const LINES[] = { "lines", NULL };
static const char *const STDERRS[] = { "PIPE", "DEVNULL", "STDOUT", NULL };
static const char *const STDOUTS[] = { "PIPE", "DEVNULL", NULL };
static const char *const UNTILS[] = { "success", NULL };
static const char *const WHENS[] = { "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION", NULL };

static const struct op_info OPS[] = {
	{ "as_completed", ID_AS_COMPLETED, SLOT_BRANCHES,
	  BRANCH_KEYS | KEY_BIT(KEY_TIMEOUT) | KEY_BIT(KEY_DO), false, NULL },
	{ "async_for", ID_ASYNC_FOR, SLOT_GENERATOR, KEY_BIT(KEY_DO), false, NULL },
	{ "await", ID_AWAIT, SLOT_VALUE, 0, true, NULL },
	{ "call", ID_CALL, SLOT_DEF, KEY_BIT(KEY_ARGS), true, NULL },
	{ "cancel", ID_CANCEL, SLOT_VALUE, KEY_BIT(KEY_MESSAGE), true, NULL },
	{ "create_task", ID_CREATE_TASK, SLOT_TASK, KEY_BIT(KEY_LOOP), true, NULL },
	{ "do", ID_DO, SLOT_NODE, BRANCH_KEYS | KEY_BIT(KEY_WHILE), false, NULL },
	{ "event", ID_EVENT, SLOT_LABEL, 0, true, NULL },
	{ "exec", ID_EXEC, SLOT_ARGV, EXEC_KEYS, true, NULL },
	{ "gather", ID_GATHER, SLOT_BRANCHES, BRANCH_KEYS | KEY_BIT(KEY_RETURN_EXCEPTIONS), true,
	  NULL },
	{ "http", ID_HTTP, SLOT_REQUEST, KEY_BIT(KEY_CHECK) | KEY_BIT(KEY_ON_INTERRUPT), true,
	  NULL },
	{ "match", ID_MATCH, SLOT_VALUE, KEY_BIT(KEY_CASE), false, NULL },
	{ "race", ID_RACE, SLOT_BRANCHES, BRANCH_KEYS | KEY_BIT(KEY_UNTIL), true, NULL },
	{ "raise", ID_RAISE, SLOT_ERROR, 0, true, NULL },
	{ "return", ID_RETURN, SLOT_VALUE, 0, true, NULL },
	{ "set", ID_SET, SLOT_ASSIGNMENT, 0, false, NULL },
	{ "shield", ID_SHIELD, SLOT_TASK, 0, true, NULL },
	{ "sleep", ID_SLEEP, SLOT_DURATION, KEY_BIT(KEY_RESULT), true, NULL },
	{ "sleep_until", ID_SLEEP_UNTIL, SLOT_MOMENT, 0, true, NULL },
	{ "task_group", ID_TASK_GROUP, SLOT_BRANCHES, BRANCH_KEYS, true, NULL },
	{ "to_thread", ID_TO_THREAD, SLOT_CHOICE, KEY_BIT(KEY_ARGS) | KEY_BIT(KEY_ON_INTERRUPT),
	  true, FUNCTION_NAMES },
	{ "try", ID_TRY, SLOT_NODE, KEY_BIT(KEY_EXCEPT) | KEY_BIT(KEY_FINALLY), false, NULL },
	{ "value", ID_VALUE, SLOT_VALUE, 0, true, NULL },
	{ "wait", ID_WAIT, SLOT_HANDLES, KEY_BIT(KEY_RETURN_WHEN) | KEY_BIT(KEY_TIMEOUT), true,
	  NULL },
	{ "yield", ID_YIELD, SLOT_VALUE, 0, true, NULL },
};
_Static_assert(COUNT_OF(OPS) == ID_COUNT, "one line for each operation");

static const struct key_info KEYS[] = {
	{ "after", KEY_AFTER, SLOT_SIBLINGS, true, NULL },
	{ "args", KEY_ARGS, SLOT_ARGS, false, NULL },
	{ "as", KEY_AS, SLOT_NAME, true, NULL },
	{ "case", KEY_CASE, SLOT_CASES, false, NULL },
	{ "check", KEY_CHECK, SLOT_BOOL, false, NULL },
	{ "cwd", KEY_CWD, SLOT_PATH, false, NULL },
	{ "do", KEY_DO, SLOT_NODE, false, NULL },
	{ "else", KEY_ELSE, SLOT_NODE, true, NULL },
	{ "env", KEY_ENV, SLOT_TEXTS, false, NULL },
	{ "except", KEY_EXCEPT, SLOT_EXCEPT, false, NULL },
	{ "finally", KEY_FINALLY, SLOT_NODE, false, NULL },
	{ "for", KEY_FOR, SLOT_NAME, false, NULL },
	{ "grace", KEY_GRACE, SLOT_PAUSE, false, NULL },
	{ "if", KEY_IF, SLOT_CONDITION, true, NULL },
	{ "in", KEY_IN, SLOT_ITEMS, false, NULL },
	{ "limit", KEY_LIMIT, SLOT_COUNT, false, NULL },
	{ "loop", KEY_LOOP, SLOT_LOOP, false, NULL },
	{ "message", KEY_MESSAGE, SLOT_VALUE, false, NULL },
	{ "name", KEY_NAME, SLOT_VALUE, true, NULL },
	{ "on_interrupt", KEY_ON_INTERRUPT, SLOT_CHOICE, false, INTERRUPTS },
	{ "pool", KEY_POOL, SLOT_LABEL, false, NULL },
	{ "profile", KEY_PROFILE, SLOT_PROFILE, false, NULL },
	{ "result", KEY_RESULT, SLOT_VALUE, false, NULL },
	{ "retry", KEY_RETRY, SLOT_RETRY, true, NULL },
	{ "return_exceptions", KEY_RETURN_EXCEPTIONS, SLOT_BOOL, false, NULL },
	{ "return_when", KEY_RETURN_WHEN, SLOT_CHOICE, false, WHENS },
	{ "stderr", KEY_STDERR, SLOT_CHOICE, false, STDERRS },
	{ "stdin", KEY_STDIN, SLOT_INPUT, false, NULL },
	{ "stdout", KEY_STDOUT, SLOT_CHOICE, false, STDOUTS },
	{ "timeout", KEY_TIMEOUT, SLOT_TIMEOUT, true, NULL },
	{ "undo", KEY_UNDO, SLOT_TASK, true, NULL },
	{ "until", KEY_UNTIL, SLOT_CHOICE, false, UNTILS },
	{ "while", KEY_WHILE, SLOT_CONDITION, false, NULL },
	{ "with", KEY_WITH, SLOT_LABEL, true, NULL },
	{ "yield", KEY_YIELD, SLOT_CHOICE, false, LINES },
};
_Static_assert(COUNT_OF(KEYS) == KEY_COUNT && KEY_COUNT <= 64, "one line and one bit for each key");

static const struct member_info ERROR_PARTS[] = {
	[ERROR_DATA] = { "data", SLOT_VALUE },
	[ERROR_MESSAGE] = { "message", SLOT_TEXT },
	[ERROR_PATH] = { "path", SLOT_VALUE },
	[ERROR_TYPE] = { "type", SLOT_LABEL },
};

static const struct member_info REQUEST_PARTS[] = {
	[REQUEST_BODY] = { "body", SLOT_TEXT },    [REQUEST_HEADERS] = { "headers", SLOT_TEXTS },
	[REQUEST_JSON] = { "json", SLOT_VALUE },   [REQUEST_METHOD] = { "method", SLOT_METHOD },
	[REQUEST_QUERY] = { "query", SLOT_TEXTS }, [REQUEST_TIMEOUT] = { "timeout", SLOT_TIMEOUT },
	[REQUEST_URL] = { "url", SLOT_URL },
};

static const struct member_info RETRY_PARTS[] = {
	[RETRY_ATTEMPTS] = { "attempts", SLOT_COUNT },
	[RETRY_BACKOFF] = { "backoff", SLOT_FACTOR },
	[RETRY_DELAY] = { "delay", SLOT_PAUSE },
	[RETRY_JITTER] = { "jitter", SLOT_CONDITION },
	[RETRY_MAX_DELAY] = { "max_delay", SLOT_PAUSE },
	[RETRY_ON] = { "on", SLOT_TYPES },
	[RETRY_TIMEOUT] = { "timeout", SLOT_TIMEOUT },
};
_Static_assert(REQUEST_MEMBERS <= SLOT_MEMBERS_MAX && RETRY_MEMBERS <= SLOT_MEMBERS_MAX,
               "room for the members of every slot");

static const char *const HEADER_KEYS[] = { "args", "def", "events", "gatherd", "loop", "title" };

/* Every entry of the tables begins with its name. */
static int compare(const void *name, const void *entry)
{
	return strcmp(name, *(const char *const *)entry);
}

const struct op_info *op_find(const char *name)
{
	return bsearch(name, OPS, COUNT_OF(OPS), sizeof OPS[0], compare);
}

const struct key_info *key_find(const char *name)
{
	return bsearch(name, KEYS, COUNT_OF(KEYS), sizeof KEYS[0], compare);
}

const struct key_info *key_info_of(enum key_id id)
{
	return &KEYS[id];
}

bool op_has_option(const struct op_info *op, enum key_id key)
{
	return (op->keys & KEY_BIT(key)) != 0;
}

bool op_has_key(const struct op_info *op, const struct key_info *key)
{
	return key->is_modifier || op_has_option(op, key->id);
}

const struct member_info *slot_members(enum slot_kind kind, uint32_t *count)
{
	*count = kind == SLOT_ERROR     ? ERROR_MEMBERS
	         : kind == SLOT_REQUEST ? REQUEST_MEMBERS
	         : kind == SLOT_RETRY   ? RETRY_MEMBERS
	                                : 0;
	return kind == SLOT_ERROR     ? ERROR_PARTS
	       : kind == SLOT_REQUEST ? REQUEST_PARTS
	       : kind == SLOT_RETRY   ? RETRY_PARTS
	                              : NULL;
}

uint32_t slot_member_find(enum slot_kind kind, const char *name)
{
	uint32_t                  count, i = 0;
	const struct member_info *members = slot_members(kind, &count);

	while (i < count && strcmp(members[i].name, name) != 0)
		i++;
	return i;
}

bool header_has_key(const char *name)
{
	return bsearch(name, HEADER_KEYS, COUNT_OF(HEADER_KEYS), sizeof HEADER_KEYS[0], compare) !=
	       NULL;
}

void op_offer_all(struct nearest *n)
{
	for (size_t i = 0; i < COUNT_OF(OPS); i++)
		nearest_offer(n, OPS[i].name);
}

void op_offer_keys(struct nearest *n, const struct op_info *op)
{
	for (size_t i = 0; i < COUNT_OF(KEYS); i++)
		if (op_has_key(op, &KEYS[i]))
			nearest_offer(n, KEYS[i].name);
}

void header_offer_keys(struct nearest *n)
{
	for (size_t i = 0; i < COUNT_OF(HEADER_KEYS); i++)
		nearest_offer(n, HEADER_KEYS[i]);
}

void slot_offer_members(struct nearest *n, enum slot_kind kind)
{
	uint32_t                  count;
	const struct member_info *members = slot_members(kind, &count);

	for (uint32_t i = 0; i < count; i++)
		nearest_offer(n, members[i].name);
}

void choices_offer(struct nearest *n, const char *const *choices)
{
	for (; *choices != NULL; choices++)
		nearest_offer(n, *choices);
}
