/*
 * op.h - the instructions of compiled expressions. Private to this folder and to
 * load/emit_expr.c, which writes them.
 *
 * A stack machine. Each instruction says in brackets what it takes from the stack and what it
 * leaves, the top last. `name` and `k` are indexes of struct expr_code's consts. Jumps are relative
 * to the instruction behind the jump, so that code can be placed anywhere.
 */
#ifndef GATHERD_EXPR_OP_H
#define GATHERD_EXPR_OP_H

#include "daemon/expr/expr.h"

#define EXPR_TRIES_MAX 64 /* default() inside default() */

enum expr_opcode {
	XOP_CONST,   /* [] -> [consts[arg]] */
	XOP_SLOT,    /* [] -> [slot `small`]; arg: its name, for an error */
	XOP_LOCAL,   /* [] -> [what is `arg` below the top]: the variable of a comprehension */
	XOP_NOW,     /* [] -> [now] */
	XOP_JOB,     /* [] -> [{id, title, attempt}] */
	XOP_ATTEMPT, /* [] -> [attempt] */
	XOP_ADD,     /* [a b] -> [a + b], and so on */
	XOP_SUB,
	XOP_MUL,
	XOP_DIV,
	XOP_FLOOR_DIV,
	XOP_MOD,
	XOP_MINUS, /* [a] -> [-a] */
	XOP_PLUS,
	XOP_NOT,
	XOP_COMPARE,     /* [a b] -> [a `small` b]: enum expr_compare */
	XOP_CHAIN,       /* [a b] -> [b] when a `small` b is true, else -> [false] and jump */
	XOP_JUMP,        /* [] -> [] */
	XOP_JUMP_UNLESS, /* [a] -> [], jump unless true */
	XOP_AND,         /* [a] -> [a] and jump unless true, else -> [] */
	XOP_OR,          /* [a] -> [a] and jump if true, else -> [] */
	XOP_MEMBER,      /* [a] -> [a.name], arg: name */
	XOP_INDEX,       /* [a i] -> [a[i]] */
	XOP_SLICE,       /* [a first end step] -> [a[first:end:step]], null where left out */
	XOP_LIST,        /* [arg items] -> [list] */
	XOP_DICT,        /* [arg times key, value] -> [dict] */
	XOP_TEXT,        /* [arg parts] -> [text of all] */
	XOP_CALL,        /* [arg arguments] -> [result of EXPR_FNS[small]] */
	XOP_LAZY_RANGE,  /* [arg arguments] -> [range] */
	XOP_TRY,         /* [] -> []; a KeyError or IndexError from here on cuts back and jumps */
	XOP_TRY_END,     /* [] -> []; forgets the newest TRY and jumps */
	/* A comprehension keeps three places: the items, how many are done, the list it makes. */
	XOP_ITER,    /* [items] -> [items 0 []] */
	XOP_NEXT,    /* [items i made] -> [items i+1 made item], or jump after the last one */
	XOP_APPEND,  /* [... made item x] -> [... made], with x in `made`; jump */
	XOP_SKIP,    /* [... item] -> [...]; jump */
	XOP_ITER_END /* [items i made] -> [made] */
};

enum expr_compare { XCMP_EQ, XCMP_NE, XCMP_LT, XCMP_LE, XCMP_GT, XCMP_GE, XCMP_IN, XCMP_NOT_IN };

#endif
