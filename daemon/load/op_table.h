/*
 * op_table.h - every operation and key of the job language, as data.
 *
 * The one table that checking, hints and the schema are driven by. It says
 * enough of every slot to write a JSON Schema from it: what kind of thing stands there, which words
 * may, and which members where it is an object of options.
 *
 * Ownership: static, read only. Cost: a look-up compares at most six short names.
 * Threads: any. Source: JOBS.md.
 */
#ifndef GATHERD_LOAD_OP_TABLE_H
#define GATHERD_LOAD_OP_TABLE_H

#include "daemon/load/nearest.h"

#include <stdbool.h>
#include <stdint.h>

/* In the order of their names. */
enum op_id {
	ID_AS_COMPLETED,
	ID_ASYNC_FOR,
	ID_AWAIT,
	ID_CALL,
	ID_CANCEL,
	ID_CREATE_TASK,
	ID_DO,
	ID_EVENT,
	ID_EXEC,
	ID_GATHER,
	ID_HTTP,
	ID_MATCH,
	ID_RACE,
	ID_RAISE,
	ID_RETURN,
	ID_SET,
	ID_SHIELD,
	ID_SLEEP,
	ID_SLEEP_UNTIL,
	ID_TASK_GROUP,
	ID_TO_THREAD,
	ID_TRY,
	ID_VALUE,
	ID_WAIT,
	ID_YIELD,
	ID_COUNT
};

/* Options and modifiers, in the order of their names. */
enum key_id {
	KEY_AFTER,
	KEY_ARGS,
	KEY_AS,
	KEY_CASE,
	KEY_CHECK,
	KEY_CWD,
	KEY_DO,
	KEY_ELSE,
	KEY_ENV,
	KEY_EXCEPT,
	KEY_FINALLY,
	KEY_FOR,
	KEY_GRACE,
	KEY_IF,
	KEY_IN,
	KEY_LIMIT,
	KEY_LOOP,
	KEY_MESSAGE,
	KEY_NAME,
	KEY_ON_INTERRUPT,
	KEY_POOL,
	KEY_PROFILE,
	KEY_RESULT,
	KEY_RETRY,
	KEY_RETURN_EXCEPTIONS,
	KEY_RETURN_WHEN,
	KEY_STDERR,
	KEY_STDIN,
	KEY_STDOUT,
	KEY_TIMEOUT,
	KEY_UNDO,
	KEY_UNTIL,
	KEY_WHILE,
	KEY_WITH,
	KEY_YIELD,
	KEY_COUNT
};

#define KEY_BIT(key) (UINT64_C(1) << (key))

/* What stands in the slot of an operation, a key or a member of such a slot. "value" is any JSON
 * whose texts may hold ${...}; what is said of it holds for what it gives. No text holds a NUL:
 * neither JSON nor an expression can write one. */
enum slot_kind {
	SLOT_ARGS,       /* an array or object of values */
	SLOT_ARGV,       /* an array of values, texts; without `profile` at least one, the first not
	                  * empty */
	SLOT_ASSIGNMENT, /* {name: value, ...} */
	SLOT_BOOL,       /* true or false, constant */
	SLOT_BRANCHES,   /* an array or object of nodes; with `for` one node */
	SLOT_BYTES,      /* value: text, or {"base64": text} */
	SLOT_CASES,      /* {literal: node, ...} */
	SLOT_CHOICE,     /* a constant: one of the choices */
	SLOT_CONDITION,  /* value: true, false or text with ${...} */
	SLOT_COUNT,      /* value: an integer from 1 */
	SLOT_DEF,        /* name of a def */
	SLOT_DURATION,   /* value: seconds, or text such as "1h30m" */
	SLOT_ERROR,      /* null; value: the type of an exception, or an object with members */
	SLOT_EXCEPT,     /* {type of an exception or "*": node, ...} */
	SLOT_FACTOR,     /* value: a number from 0 */
	SLOT_GENERATOR,  /* a node that is a generator */
	SLOT_HANDLES,    /* value: a list of handles of tasks */
	SLOT_INPUT,      /* value: text, null, or {"base64": text} */
	SLOT_ITEMS,      /* value: what a `for` goes over */
	SLOT_LABEL,      /* value: text of 1 to 200 bytes */
	SLOT_LOOP,       /* value: name or number of an event loop */
	SLOT_METHOD,     /* value: text, an HTTP method */
	SLOT_MOMENT,     /* value: seconds since the epoch, or RFC 3339 text */
	SLOT_NAME,       /* a name, which becomes bound */
	SLOT_NODE,       /* a node that runs in this coroutine */
	SLOT_PATH,       /* value: text, not empty */
	SLOT_PAUSE,      /* a duration that is not negative */
	SLOT_PROFILE,    /* name of an exec profile, constant */
	SLOT_REQUEST,    /* value: the URL; or an object with members */
	SLOT_RETRY,      /* a count; or an object with members */
	SLOT_SIBLINGS,   /* array of names of branches, constant */
	SLOT_SIZE,       /* value: an integer from 0 */
	SLOT_TASK,       /* a node that runs in a coroutine of its own */
	SLOT_TEXT,       /* value: text */
	SLOT_TEXTS,      /* {name: value that is text, ...} */
	SLOT_TIMEOUT,    /* a duration; null: no end */
	SLOT_TYPES,      /* array of types of exceptions, at least one, constant */
	SLOT_URL,        /* value: text, http:// or https:// */
	SLOT_VALUE
};

struct op_info {
	const char        *name;
	enum op_id         id;
	enum slot_kind     operand;
	uint64_t           keys; /* KEY_BIT()s of its options; modifiers go with every operation */
	bool               is_simple; /* its op writes the result last, after all that it reads */
	const char *const *choices;   /* of a SLOT_CHOICE, NULL behind the last */
};

struct key_info {
	const char        *name;
	enum key_id        id;
	enum slot_kind     slot;
	bool               is_modifier; /* allowed beside every operation */
	const char *const *choices;
};

/* A member of an object in a slot: an option of `retry`, a part of an HTTP request. */
struct member_info {
	const char    *name;
	enum slot_kind slot;
};

/* NULL when there is none of that name. */
const struct op_info  *op_find(const char *name);
const struct key_info *key_find(const char *name);
const struct key_info *key_info_of(enum key_id id);
/* Whether `key` may stand beside `op`, and whether as an option of its own meaning there. */
bool                   op_has_key(const struct op_info *op, const struct key_info *key);
bool                   op_has_option(const struct op_info *op, enum key_id key);

/* The members that an object in such a slot may have, in the order of their names; NULL and 0 when
 * it has no fixed ones. */
const struct member_info *slot_members(enum slot_kind kind, uint32_t *count);
/* The position of a member in `slot_members()`, or `count`. */
uint32_t                  slot_member_find(enum slot_kind kind, const char *name);

/* Positions of the members of SLOT_ERROR, SLOT_REQUEST, SLOT_RETRY. */
enum { ERROR_DATA, ERROR_MESSAGE, ERROR_PATH, ERROR_TYPE, ERROR_MEMBERS };
enum {
	REQUEST_BODY,
	REQUEST_HEADERS,
	REQUEST_JSON,
	REQUEST_METHOD,
	REQUEST_QUERY,
	REQUEST_TIMEOUT,
	REQUEST_URL,
	REQUEST_MEMBERS
};
enum {
	RETRY_ATTEMPTS,
	RETRY_BACKOFF,
	RETRY_DELAY,
	RETRY_JITTER,
	RETRY_MAX_DELAY,
	RETRY_ON,
	RETRY_TIMEOUT,
	RETRY_MEMBERS
};
#define SLOT_MEMBERS_MAX 8

/* Keys that only the root of a job may have, besides those of a node. */
bool header_has_key(const char *name);

void op_offer_all(struct nearest *n);                            /* every operation */
void op_offer_keys(struct nearest *n, const struct op_info *op); /* every key beside `op` */
void header_offer_keys(struct nearest *n);
void slot_offer_members(struct nearest *n, enum slot_kind kind);
void choices_offer(struct nearest *n, const char *const *choices);

#endif
