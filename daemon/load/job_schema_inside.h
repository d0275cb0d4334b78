/*
 * job_schema_inside.h - what the files that write the schema of jobs share. Private to them.
 *
 * All append to a buffer, whose first failure sticks. Threads: any.
 */
#ifndef GATHERD_LOAD_JOB_SCHEMA_INSIDE_H
#define GATHERD_LOAD_JOB_SCHEMA_INSIDE_H

#include "proto/base/buf.h"

/* Text of a schema: ' for ", <name> for a reference to that part, @name for what one of the
 * functions below writes. */
void schema_add(struct buf *b, const char *text);
/* A key with a comma before it, unless it is the first. */
void schema_add_key(struct buf *b, const char *key, bool *is_first);

/* --- job_schema_keys.c: what op_table.h knows; members of an object where nothing else is said --- */

/* Every key that a node can have; by reference those that the root can have, without the header's;
 * and an operation with its options, where no modifier may stand. */
void schema_add_properties(struct buf *b);
void schema_add_root_properties(struct buf *b);
void schema_add_bare_call(struct buf *b);
void schema_add_bare_as_completed(struct buf *b);
/* What branches are: several, `race` apart; or, with `for`, one body. */
void schema_add_branches(struct buf *b);
void schema_add_single_branches(struct buf *b);
/* The members of an object of options. */
void schema_add_error_members(struct buf *b);
void schema_add_request_members(struct buf *b);
void schema_add_retry_members(struct buf *b);

/* A list of schemas, one of which fits: the operation that a node has. */
void schema_add_one_op(struct buf *b);
/* Which options want which operation; and the same for those that are words of the header, too. */
void schema_add_wants(struct buf *b);
void schema_add_header_wants(struct buf *b);
/* Keywords: an operation that takes a label. */
void schema_add_makes_a_task(struct buf *b);

/* --- job_schema_functions.c: what function_table.h knows --- */

/* A member with what each function takes, and a comma behind it; nothing where no function can be
 * called yet. */
void schema_add_functions(struct buf *b);

#endif
