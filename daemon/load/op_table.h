/*
 * op_table.h - every operation and key of the job language, as data.
 *
 * The one table that checking, hints and the refusal of what comes later are driven by.
 *
 * Ownership: static, read only. Cost: a look-up compares at most some thirty short names.
 * Threads: any. Source: JOBS.md.
 */
#ifndef GATHERD_LOAD_OP_TABLE_H
#define GATHERD_LOAD_OP_TABLE_H

#include "daemon/load/nearest.h"

#include <stdbool.h>
#include <stdint.h>

enum op_id {
	ID_AS_COMPLETED,
	ID_AWAIT,
	ID_CALL,
	ID_CANCEL,
	ID_CREATE_TASK,
	ID_DO,
	ID_GATHER,
	ID_RETURN,
	ID_SET,
	ID_SLEEP,
	ID_SLEEP_UNTIL,
	ID_VALUE,
	ID_YIELD,
	ID_LATER /* known, but not in this version */
};

/* Options and modifiers. */
enum key_id {
	KEY_ARGS,
	KEY_AS,
	KEY_DO,
	KEY_ELSE,
	KEY_FOR,
	KEY_IF,
	KEY_IN,
	KEY_LIMIT,
	KEY_LOOP,
	KEY_MESSAGE,
	KEY_NAME,
	KEY_RESULT,
	KEY_RETURN_EXCEPTIONS,
	KEY_TIMEOUT,
	KEY_WHILE,
	KEY_COUNT,
	KEY_LATER = KEY_COUNT /* those that are not in this version at all */
};

#define KEY_BIT(key) (1u << (key))

/* What stands in the slot of an operation or a key. */
enum slot_kind {
	SLOT_ARGS,       /* an array or object of values */
	SLOT_ASSIGNMENT, /* {name: value, ...} */
	SLOT_BOOL,       /* true or false, constant */
	SLOT_BRANCHES,   /* an array or object of nodes; with `for` one node */
	SLOT_COUNT,      /* value: an integer from 1 */
	SLOT_CONDITION,  /* value: true, false or text with ${...} */
	SLOT_DEF,        /* name of a def */
	SLOT_DURATION,   /* value: seconds, or text such as "1h30m" */
	SLOT_ITEMS,      /* value: what a `for` goes over */
	SLOT_LOOP,       /* value: name or number of an event loop */
	SLOT_MOMENT,     /* value: seconds since the epoch, or RFC 3339 text */
	SLOT_NAME,       /* a name, which becomes bound */
	SLOT_NODE,
	SLOT_VALUE
};

struct op_info {
	const char    *name;
	enum op_id     id;
	enum slot_kind operand;
	uint32_t       keys;      /* KEY_BIT()s of its options; modifiers go with every operation */
	bool           is_simple; /* its op writes the result last, after all that it reads */
};

struct key_info {
	const char    *name;
	enum key_id    id;
	enum slot_kind slot;
	bool           is_modifier; /* allowed beside every operation */
	bool           is_later;    /* as a modifier it is not in this version */
};

/* NULL when there is none of that name. */
const struct op_info  *op_find(const char *name);
const struct key_info *key_find(const char *name);
const struct key_info *key_info_of(enum key_id id);
/* Whether `key` may stand beside `op` in this version. */
bool                   op_has_key(const struct op_info *op, const struct key_info *key);

/* Keys that only the root of a job may have, besides those of a node. */
bool header_has_key(const char *name);

void op_offer_all(struct nearest *n);                            /* every operation */
void op_offer_keys(struct nearest *n, const struct op_info *op); /* every key beside `op` */
void header_offer_keys(struct nearest *n);

#endif
