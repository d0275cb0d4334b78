/*
 * emit_expr.h - trees of expressions to code, with constant parts computed once.
 *
 * Private to load/parse_expr.c and load/emit_expr.c. An emitter appends to its builder's code; what
 * turns out constant is evaluated at once and replaced by its result. Folding is bounded in steps
 * and bytes, so that a small spec cannot become a large program; what is beyond stays code.
 *
 * Threads: none.
 */
#ifndef GATHERD_LOAD_EMIT_EXPR_H
#define GATHERD_LOAD_EMIT_EXPR_H

#include "daemon/load/parse_expr.h"
#include "daemon/load/tree_expr.h"

/* What an expression depends on; the lowest of its parts counts. */
enum emit_level {
	EMIT_DYNAMIC, /* something that only a running job knows */
	EMIT_LOCAL,   /* at most the variable of the comprehension around it */
	EMIT_CONST    /* nothing */
};

struct emitter {
	struct expr_builder     *b;
	const struct expr_scope *scope;
	struct buf               path;  /* pointer to the text, relative to the whole value */
	uint32_t                 depth; /* values on the stack at this point of the code */
	uint32_t                 most;
	uint32_t                 lazy;       /* > 0: inside something that may never be evaluated */
	const struct tree       *loop;       /* the comprehension whose item this is, or NULL */
	uint32_t                 loop_place; /* of its variable on the stack */
	bool     is_bad;   /* a problem in this text, or no memory: the rest is skipped */
	uint32_t problems; /* in all texts */
};

/* A place in the code and the constants, to fold or to go back to. */
struct emit_mark {
	uint32_t op;
	uint32_t constant;
};

struct emit_mark emit_mark(const struct emitter *e);
/* Forgets the code since `mark`, and destroys the constants. */
void             emit_cut(struct emitter *e, struct emit_mark mark);

/* Appends an instruction that changes the depth of the stack by `change`. */
void            emit_op(struct emitter *e, enum expr_opcode code, uint32_t small, uint32_t arg,
                        int32_t change);
/* Appends the constant `v` (taken, made immortal) and the instruction that pushes it. */
void            emit_const(struct emitter *e, struct value v);
/* Code for a tree. `is_lazy_range`: when it is a call of range(), let it give a lazy one. */
enum emit_level emit_tree(struct emitter *e, const struct tree *t, bool is_lazy_range);
/* Evaluates the constant code since `mark` and puts its result there instead. What can only fail is
 * a problem, unless it may never be evaluated. Returns what is true of the code now. */
enum emit_level emit_fold(struct emitter *e, struct emit_mark mark);

void emit_problem(struct emitter *e, const char *message, const char *hint);

#endif
