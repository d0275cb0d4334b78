/*
 * expr.h - ${...} and value positions, compiled.
 *
 * Everything in a value position of a job is one struct expr: a constant, a slot, or code for a
 * small stack machine. load/parse_expr.c makes them; expr_eval() runs one, with fuel. Python
 * decides what an expression means; JOBS.md lists the closed set of functions.
 *
 * Ownership: exprs live in their program's arrays, immutable, shared between threads. Cost: a
 * constant or a slot costs a few loads. Threads: none of its own; evaluation touches the heap of
 * the calling engine.
 */
#ifndef GATHERD_EXPR_EXPR_H
#define GATHERD_EXPR_EXPR_H

#include "daemon/value/value.h"
#include "proto/base/clock.h"

enum expr_kind {
	EXPR_CONST, /* `constant` */
	EXPR_SLOT,  /* the name in `slot` of the running frame */
	EXPR_CODE   /* ops [first, first + count) of the program's expression code */
};

struct expr {
	enum expr_kind kind;
	uint32_t       slot;
	struct value   constant; /* immortal; for EXPR_SLOT the text of the name, or VALUE_NONE */
	uint32_t       first;    /* in struct expr_code */
	uint32_t       count;
	uint32_t       stack; /* most values on the stack at one time */
	uint32_t       node;  /* struct node that an error points to */
};

/* One instruction; what `arg` means is private to expr.c and parse_expr.c (see op.h). */
struct expr_op {
	uint16_t code;
	uint16_t small;
	uint32_t arg;
};

/* All expression code of one program, and the constants it uses. Owned by the program. */
struct expr_code {
	struct expr_op *ops;
	uint32_t        op_count;
	struct value   *consts; /* immortal */
	uint32_t        const_count;
};

/* What an expression may see of its surroundings. All borrowed. */
struct expr_env {
	struct value *slots;  /* of the running frame; VALUE_NONE where not bound yet */
	gd_nsec       now;    /* `now`: the job's logical time when the node started */
	uint64_t      job_id; /* `job.id` */
	struct value  job_title;
	int64_t       job_attempt;
	int64_t       attempt;
};

/* An exception that an evaluation raised. `type` is static; `message` says what was wrong, with
 * the value. */
struct expr_error {
	const char *type; /* "KeyError", "TypeError", ... */
	char        message[200];
};

/* Evaluates `x` with at most `*fuel` steps, usually EXPR_FUEL, and leaves there what is left of them.
 * What is constant needs no `env`. On true `*out` is a new reference. On false either `why` is filled (an exception
 * of the job), or h->failed is set (no memory; `why` then says nothing). A handle may come out
 * where the expression is one name or holds it inside a list or dict display; every operator and
 * function refuses it with a TypeError. */
bool expr_eval(struct value_heap *h, const struct expr_code *code, const struct expr *x,
               const struct expr_env *env, uint32_t *fuel, struct value *out,
               struct expr_error *why);

#endif
