/*
 * tree_parser.h - what the parts of the parser share. Private to load/tree_*.c.
 *
 * After a fault every function gives NULL, and takes NULL for a tree: what failed once is passed on
 * without looking. Threads: none.
 */
#ifndef GATHERD_LOAD_TREE_PARSER_H
#define GATHERD_LOAD_TREE_PARSER_H

#include "daemon/load/lex_expr.h"
#include "daemon/load/tree_expr.h"

#define TREE_SHOWN_BYTES 60
/* A character has at most four; and the }. */
#define TREE_SOURCE_BYTES_MAX (EXPR_SOURCE_CHARS_MAX * 4 + 1)

struct tree_parser {
	struct lexer  lex;
	struct arena *arena; /* borrowed, like the rest */
	const char   *from;
	char         *message; /* of TREE_MESSAGE_BYTES; empty until something is wrong */
	uint32_t      depth;
};

/* --- faults: tree_parser.c; the first one counts --- */

struct tree *tree_fail(struct tree_parser *p, const char *fmt, ...) GD_PRINTF(2, 3);
struct tree *tree_fail_length(struct tree_parser *p);
/* "expected `what`", and behind what; or what is wrong with the token itself. */
struct tree *tree_fail_expected(struct tree_parser *p, const char *what);
int          tree_shown_length(const struct lex_token *token); /* how much of it a message shows */

/* --- tokens and nodes --- */

/* Steps over the token when it is that one. */
bool tree_accept_op(struct tree_parser *p, int op);
bool tree_accept_word(struct tree_parser *p, const char *word);

struct tree *tree_node_new(struct tree_parser *p, enum tree_kind kind);
struct tree *tree_with_child(struct tree *t, struct tree *child); /* t */
struct tree *tree_pair_new(struct tree_parser *p, enum tree_kind kind, struct tree *a,
                           struct tree *b);
struct tree *tree_const_new(struct tree_parser *p, struct value v);
struct tree *tree_text_new(struct tree_parser *p, enum tree_kind kind, const char *text,
                           size_t bytes);
struct tree *tree_int_new(struct tree_parser *p, int64_t number); /* steps over its token */

/* --- the grammar --- */

struct tree *tree_parse_any(struct tree_parser *p); /* x if c else y, and below */
struct tree *tree_parse_or(struct tree_parser *p);  /* without that */
struct tree *tree_parse_postfix(
	struct tree_parser *p); /* tree_atom.c: an atom, its members, items */

#endif
