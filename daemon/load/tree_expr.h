/*
 * tree_expr.h - the grammar of expressions: text to tree.
 *
 * Recursive descent by Python's precedence, at most TREE_DEPTH_MAX deep; chains of operators of one
 * level are loops and only make the tree deep on its left. Linear in the text. The tree lives in
 * the caller's arena and borrows names from the text.
 *
 * Threads: none.
 */
#ifndef GATHERD_LOAD_TREE_EXPR_H
#define GATHERD_LOAD_TREE_EXPR_H

#include "daemon/expr/op.h"
#include "proto/base/arena.h"

#define TREE_DEPTH_MAX 64
#define TREE_MESSAGE_BYTES 320

enum tree_kind {
	TREE_CONST,   /* `constant`: null, a boolean, a float */
	TREE_INT,     /* `number` */
	TREE_TEXT,    /* `text` */
	TREE_NAME,    /* `text` */
	TREE_MEMBER,  /* child.text */
	TREE_INDEX,   /* child[child] */
	TREE_SLICE,   /* four children, null where left out */
	TREE_UNARY,   /* `op` child */
	TREE_BINARY,  /* child `op` child */
	TREE_COMPARE, /* children, each compared with the one before: `how` */
	TREE_AND,     /* two children */
	TREE_OR,
	TREE_IF,   /* condition, then, else */
	TREE_LIST, /* children */
	TREE_DICT, /* key, value, key, value ... */
	TREE_FOR,  /* item, source, condition or none; the variable is `text` */
	TREE_CALL  /* children; the function is `text` */
};

struct tree {
	enum tree_kind    kind;
	enum expr_opcode  op;
	enum expr_compare how;   /* this one with the one before it in a TREE_COMPARE */
	uint32_t          count; /* of children */
	struct tree      *first; /* child; NULL when there is none */
	struct tree      *last;
	struct tree      *next; /* sibling */
	const char       *text; /* not terminated */
	size_t            bytes;
	int64_t           number;
	struct value      constant;
};

/* Parses what stands behind a "${"; `*behind` is set to what follows its "}". NULL: `message` says
 * why, with the expression, or the arena has failed. */
struct tree *tree_parse(struct arena *a, const char *from, const char *end, const char **behind,
                        char message[TREE_MESSAGE_BYTES]);

#endif
