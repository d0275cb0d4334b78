/*
 * lex_expr.h - the text of an expression, token by token.
 *
 * Borrows the text and allocates nothing; every character is looked at once. A fault is a token
 * too, so that the parser has one place where it complains.
 *
 * Threads: none.
 */
#ifndef GATHERD_LOAD_LEX_EXPR_H
#define GATHERD_LOAD_LEX_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum lex_kind {
	LEX_END,   /* the text is over, and the closing } did not come */
	LEX_INT,   /* `number` */
	LEX_FLOAT, /* `real` */
	LEX_TEXT,  /* with its quotes and escapes, see lex_unescape() */
	LEX_NAME,  /* and every word, also "if" and "in" */
	LEX_OP,    /* `op` */
	LEX_FAULT  /* `fault` */
};

/* Operators of two characters; those of one are their character. */
enum { LEX_FLOOR_DIV = 256, LEX_EQ, LEX_NE, LEX_LE, LEX_GE };

struct lex_token {
	enum lex_kind kind;
	const char   *at; /* borrowed */
	size_t        bytes;
	int           op;
	uint64_t      number; /* up to 2 ** 63, which only a minus before it makes an int */
	double        real;
	const char   *fault; /* static: "is not a number" */
};

struct lexer {
	const char      *next;
	const char      *end;
	struct lex_token token; /* the one to look at */
	struct lex_token
		before; /* the one that was accepted last; kind LEX_END when there is none */
};

/* Reads the first token of what stands in [from, end). */
void lex_start(struct lexer *l, const char *from, const char *end);
/* Accepts the token and reads the next one. After LEX_END and LEX_FAULT there is no next one. */
void lex_step(struct lexer *l);

/* What the token is; asked many times for each, so that both are here. */
static inline bool lex_is_op(const struct lexer *l, int op)
{
	return l->token.kind == LEX_OP && l->token.op == op;
}

static inline bool lex_is_word(const struct lexer *l, const char *word)
{
	return l->token.kind == LEX_NAME && l->token.at[0] == word[0] &&
	       l->token.bytes == strlen(word) && memcmp(l->token.at, word, l->token.bytes) == 0;
}

/* Writes what a LEX_TEXT means; `out` has room for `token->bytes`. Returns NULL, or what is wrong
 * (static). As in Python, a backslash before anything unknown stays. */
const char *lex_unescape(const struct lex_token *token, char *out, size_t *bytes);

#endif
