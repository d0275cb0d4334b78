/*
 * parse_expr.h - value positions and the text of expressions to struct expr.
 *
 * A builder collects the expressions, code and constants of one program while it is loaded; load
 * moves its arrays into the program at the end. Names are resolved here and now, through the
 * scope that load passes in, so that nothing is looked up by name when a job runs.
 *
 * Ownership: the builder owns its arrays until load takes them. Threads: none.
 */
#ifndef GATHERD_LOAD_PARSE_EXPR_H
#define GATHERD_LOAD_PARSE_EXPR_H

#include "daemon/expr/expr.h"

#include <jansson.h>

struct expr_builder {
	struct value_heap *heap; /* for constants, which become immortal */
	struct expr       *exprs;
	uint32_t           expr_count, expr_room;
	struct expr_code   code;
	uint32_t           op_room, const_room;
	uint32_t           heavy_folds; /* constant parts so far whose folding may be dear */
	bool               failed;      /* memory ended */
};

void expr_builder_close(struct expr_builder *b); /* frees what was not taken */

/* How load answers questions and hears of problems. */
struct expr_scope {
	void *ctx;
	/* The slot of a visible name; false when there is none. */
	bool (*find)(void *ctx, const char *name, size_t bytes, uint32_t *slot);
	/* The nearest visible name, for a hint; NULL when nothing is near. Lives until the next call. */
	const char *(*nearest)(void *ctx, const char *name, size_t bytes);
	/* A problem. `pointer` is relative to the value that was passed in: "" for itself,
	 * "/a/0" for a text deeper inside. `hint` may be NULL. */
	void (*problem)(void *ctx, const char *pointer, const char *message, const char *hint);
};

#define EXPR_LAZY_RANGE 1u /* a range(...) that is the whole value gives a VALUE_T_RANGE */

/* Compiles a value position: any JSON whose texts may hold ${...}. Object keys are not scanned.
 * What is constant is folded to EXPR_CONST; a constant part that can only fail is a problem.
 * Returns the index of the new expression, or UINT32_MAX after at least one problem (or failed). */
uint32_t expr_build_value(struct expr_builder *b, const struct expr_scope *scope,
                          const json_t *json, uint32_t node, unsigned flags);
/* A constant as an expression; `v` (fresh, or immediate) is taken and made immortal. */
uint32_t expr_build_const(struct expr_builder *b, struct value v, uint32_t node);
/* A slot as an expression. */
uint32_t expr_build_slot(struct expr_builder *b, uint32_t slot, uint32_t node);

#endif
