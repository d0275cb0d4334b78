/*
 * brief.h - what a word of the job language means, in one line for the margin of an editor.
 *
 * The tables go with op_table.c: they have a line for each operation, key, member and header key,
 * in the same order. JOBS.md says the same at length.
 *
 * Ownership: static, read only. Threads: any.
 */
#ifndef GATHERD_LOAD_BRIEF_H
#define GATHERD_LOAD_BRIEF_H

#include "daemon/load/op_table.h"

/* The name stands beside the text so that an operation can be looked up by its id. */
struct op_brief {
	const char *name;
	const char *text;
};

const struct op_brief *brief_of_op(enum op_id id);
const char            *brief_of_key(enum key_id id);
/* A member of an object in a slot that has members; by its position there. */
const char            *brief_of_member(enum slot_kind kind, uint32_t member);

#endif
