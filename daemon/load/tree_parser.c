#include "daemon/load/tree_parser.h"

#include "daemon/value/limits.h"
#include "proto/base/check.h"

#include <stdarg.h>
#include <stdio.h>

/* --- faults --- */

/* How much of the expression a message shows: up to the } at or behind the fault. */
static size_t shown_bytes(const struct tree_parser *p)
{
	const char *fault = p->lex.token.at, *close;
	size_t      bytes;

	close = memchr(fault, '}', (size_t)(p->lex.end - fault));
	bytes = (size_t)((close == NULL ? p->lex.end : close) - p->from);
	if (bytes <= TREE_SHOWN_BYTES)
		return bytes;
	for (bytes = TREE_SHOWN_BYTES; ((unsigned char)p->from[bytes] & 0xc0) == 0x80;)
		bytes--;
	return bytes;
}

struct tree *tree_fail(struct tree_parser *p, const char *fmt, ...)
{
	size_t  bytes = shown_bytes(p);
	va_list args;
	int     used;

	if (p->message[0] != '\0')
		return NULL;
	used = snprintf(p->message, TREE_MESSAGE_BYTES, "in ${%.*s%s: ", (int)bytes, p->from,
	                p->from + bytes == p->lex.end ? ""
	                : p->from[bytes] == '}'       ? "}"
	                                              : "...");
	va_start(args, fmt);
	(void)vsnprintf(p->message + used, TREE_MESSAGE_BYTES - (size_t)used, fmt, args);
	va_end(args);
	return NULL;
}

int tree_shown_length(const struct lex_token *token)
{
	size_t bytes = token->bytes;

	if (bytes > TREE_SHOWN_BYTES / 2)
		for (bytes = TREE_SHOWN_BYTES / 2;
		     ((unsigned char)token->at[bytes] & 0xc0) == 0x80;)
			bytes--;
	return (int)bytes;
}

struct tree *tree_fail_length(struct tree_parser *p)
{
	return tree_fail(p, "an expression has at most %d characters", EXPR_SOURCE_CHARS_MAX);
}

/* "expected `what`" and behind what. */
struct tree *tree_fail_expected(struct tree_parser *p, const char *what)
{
	const struct lex_token *token = &p->lex.token, *before = &p->lex.before;

	if ((size_t)(p->lex.next - p->from) == TREE_SOURCE_BYTES_MAX)
		return tree_fail_length(p);
	if (token->kind == LEX_FAULT)
		return tree_fail(p, "\"%.*s\" %s", tree_shown_length(token), token->at,
		                 token->fault);
	if (token->kind == LEX_END)
		return tree_fail(p, "the closing } is missing");
	if (before->kind == LEX_END)
		return tree_fail(p, "expected %s", what);
	if (before->kind == LEX_TEXT)
		return tree_fail(p, "expected %s after %.*s", what, tree_shown_length(before),
		                 before->at);
	return tree_fail(p, "expected %s after \"%.*s\"", what, tree_shown_length(before),
	                 before->at);
}

bool tree_accept_op(struct tree_parser *p, int op)
{
	if (!lex_is_op(&p->lex, op))
		return false;
	lex_step(&p->lex);
	return true;
}

bool tree_accept_word(struct tree_parser *p, const char *word)
{
	if (!lex_is_word(&p->lex, word))
		return false;
	lex_step(&p->lex);
	return true;
}

/* --- nodes --- */

struct tree *tree_node_new(struct tree_parser *p, enum tree_kind kind)
{
	struct tree *t = arena_alloc(p->arena, sizeof *t);

	if (t != NULL)
		t->kind = kind;
	return t;
}

/* Both may be NULL after a fault; then so is the result. */
struct tree *tree_with_child(struct tree *t, struct tree *child)
{
	if (t == NULL || child == NULL)
		return NULL;
	CHECK(child->next == NULL);
	if (t->first == NULL)
		t->first = child;
	else
		t->last->next = child;
	t->last = child;
	t->count++;
	return t;
}

struct tree *tree_pair_new(struct tree_parser *p, enum tree_kind kind, struct tree *a,
                           struct tree *b)
{
	return tree_with_child(tree_with_child(tree_node_new(p, kind), a), b);
}

struct tree *tree_const_new(struct tree_parser *p, struct value v)
{
	struct tree *t = tree_node_new(p, TREE_CONST);

	if (t != NULL)
		t->constant = v;
	return t;
}

struct tree *tree_text_new(struct tree_parser *p, enum tree_kind kind, const char *text,
                           size_t bytes)
{
	struct tree *t = tree_node_new(p, kind);

	if (t != NULL) {
		t->text = text;
		t->bytes = bytes;
	}
	return t;
}

struct tree *tree_int_new(struct tree_parser *p, int64_t number)
{
	struct tree *t = tree_node_new(p, TREE_INT);

	if (t != NULL)
		t->number = number;
	lex_step(&p->lex);
	return t;
}
