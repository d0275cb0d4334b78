/*
 * program_builder.h - the arrays of a program while they grow.
 *
 * Everything is added and never removed. The first failure to get memory sticks in `failed`; what
 * is added then goes nowhere, and indices returned then mean nothing.
 *
 * Ownership: the builder owns the program until program_builder_finish() hands it out.
 * Cost: additions are amortised O(1). Threads: none.
 */
#ifndef GATHERD_LOAD_PROGRAM_BUILDER_H
#define GATHERD_LOAD_PROGRAM_BUILDER_H

#include "daemon/engine/program.h"
#include "daemon/load/parse_expr.h"

struct program_builder {
	struct program     *program; /* owned */
	struct expr_builder exprs;
	struct value_heap   heap;
	struct buf          keys;   /* NUL-ended keys of the nodes; become program->text */
	uint32_t           *key_at; /* where in `keys` each node's key begins; owned */
	uint32_t op_room, code_room, node_room, key_room, join_room, branch_room, call_room,
		arg_room, exec_room, outcall_room, child_room, handler_room, after_room,
		dependent_room, retry_room, retry_on_room;
	bool failed;
};

/* Errors: GD_NOMEM; `b` is then only good for program_builder_close. */
GD_NODISCARD enum gd_err program_builder_init(struct program_builder *b, struct gd_error *why);
void                     program_builder_close(struct program_builder *b);
/* Moves everything into the program: a new reference. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err program_builder_finish(struct program_builder *b, struct program **out,
                                                struct gd_error *why);
bool                     program_builder_failed(const struct program_builder *b);

/* A node; the key is copied, `op` static. */
uint32_t build_node(struct program_builder *b, uint32_t parent, const char *key, const char *op);
void     build_node_is_branch(struct program_builder *b, uint32_t node);
void     build_node_counter(struct program_builder *b, uint32_t node, uint32_t slot);
void     build_node_attempt(struct program_builder *b, uint32_t node, uint32_t slot);
void     build_node_op(struct program_builder *b, uint32_t node, const char *op);

/* A code is numbered first and filled in when its body is known: `captures` is taken, the ops are
 * and handlers are copied, and what counts from the first of them, jumps, landings and handlers, is
 * moved to where they come to lie. */
uint32_t build_code(struct program_builder *b);
void     build_code_set(struct program_builder *b, uint32_t code, struct code body,
                        const struct op *ops, const struct handler *handlers, uint32_t handler_count);

uint32_t build_join(struct program_builder *b, struct join join);
/* `count` empty ones in a row; the first index. */
uint32_t build_branches(struct program_builder *b, uint32_t count);
void     build_branch_set(struct program_builder *b, uint32_t branch, struct branch body);
/* A call with room for its args in the program's `args`, all PROGRAM_NONE. */
uint32_t build_call(struct program_builder *b, uint32_t code, uint32_t arg_count);
void     build_call_arg(struct program_builder *b, uint32_t call, uint32_t arg, uint32_t x);
/* A command with room for its arguments and variables, as many as it says. */
uint32_t build_exec(struct program_builder *b, struct exec exec);
void     build_exec_arg(struct program_builder *b, uint32_t exec, uint32_t arg, uint32_t x);
void     build_exec_env(struct program_builder *b, uint32_t exec, uint32_t variable, uint32_t name,
                        uint32_t x);
/* An outcall with room for its parts, as many as it says. */
uint32_t build_outcall(struct program_builder *b, struct outcall outcall);
void build_outcall_part(struct program_builder *b, uint32_t outcall, uint32_t part, uint32_t name,
                        uint32_t x);
uint32_t     build_child(struct program_builder *b, struct child child);
/* `count` in a row, which are not filled in yet; the first index. */
uint32_t     build_afters(struct program_builder *b, uint32_t count);
uint32_t     build_dependents(struct program_builder *b, uint32_t count);
/* A retry; then the types that it is for, one by one. */
uint32_t     build_retry(struct program_builder *b, struct retry retry);
void         build_retry_on(struct program_builder *b, uint32_t retry, const char *type);
/* Text that lives as long as the program. */
struct value build_text(struct program_builder *b, const char *text);

#endif
