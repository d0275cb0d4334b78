#include "daemon/load/tree_parser.h"

#include "daemon/value/limits.h"

/* What nests goes through here, so that the depth of the recursion has a bound. */
static bool enter(struct tree_parser *p)
{
	if (p->depth == TREE_DEPTH_MAX) {
		tree_fail(p, "nested more than %d deep", TREE_DEPTH_MAX);
		return false;
	}
	p->depth++;
	return true;
}

static struct tree *unary_new(struct tree_parser *p, enum expr_opcode op, struct tree *operand)
{
	struct tree *t = tree_with_child(tree_node_new(p, TREE_UNARY), operand);

	if (t != NULL)
		t->op = op;
	return t;
}

static struct tree *parse_sign(struct tree_parser *p)
{
	struct tree *t;
	bool         is_minus = lex_is_op(&p->lex, '-');

	if (!is_minus && !lex_is_op(&p->lex, '+'))
		return tree_parse_postfix(p);
	if (!enter(p))
		return NULL;
	lex_step(&p->lex);
	if (is_minus && p->lex.token.kind == LEX_INT && p->lex.token.number > INT64_MAX)
		t = tree_int_new(p, INT64_MIN);
	else
		t = unary_new(p, is_minus ? XOP_MINUS : XOP_PLUS, parse_sign(p));
	p->depth--;
	return t;
}

static struct tree *binary_new(struct tree_parser *p, enum expr_opcode op, struct tree *a,
                               struct tree *b)
{
	struct tree *t = tree_pair_new(p, TREE_BINARY, a, b);

	if (t != NULL)
		t->op = op;
	return t;
}

static struct tree *parse_product(struct tree_parser *p)
{
	struct tree *t = parse_sign(p);

	while (t != NULL) {
		if (tree_accept_op(p, '*'))
			t = binary_new(p, XOP_MUL, t, parse_sign(p));
		else if (tree_accept_op(p, '/'))
			t = binary_new(p, XOP_DIV, t, parse_sign(p));
		else if (tree_accept_op(p, LEX_FLOOR_DIV))
			t = binary_new(p, XOP_FLOOR_DIV, t, parse_sign(p));
		else if (tree_accept_op(p, '%'))
			t = binary_new(p, XOP_MOD, t, parse_sign(p));
		else
			break;
	}
	return t;
}

static struct tree *parse_sum(struct tree_parser *p)
{
	struct tree *t = parse_product(p);

	while (t != NULL) {
		if (tree_accept_op(p, '+'))
			t = binary_new(p, XOP_ADD, t, parse_product(p));
		else if (tree_accept_op(p, '-'))
			t = binary_new(p, XOP_SUB, t, parse_product(p));
		else
			break;
	}
	return t;
}

static bool accept_comparison(struct tree_parser *p, enum expr_compare *how)
{
	static const struct {
		int               op;
		enum expr_compare how;
	} signs[] = { { LEX_EQ, XCMP_EQ }, { LEX_NE, XCMP_NE }, { '<', XCMP_LT },
		      { LEX_LE, XCMP_LE }, { '>', XCMP_GT },    { LEX_GE, XCMP_GE } };

	for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
		if (tree_accept_op(p, signs[i].op)) {
			*how = signs[i].how;
			return true;
		}
	*how = XCMP_IN;
	if (tree_accept_word(p, "in"))
		return true;
	if (!tree_accept_word(p, "not"))
		return false;
	*how = XCMP_NOT_IN;
	if (!tree_accept_word(p, "in"))
		tree_fail_expected(p, "\"in\"");
	return true;
}

static struct tree *parse_comparison(struct tree_parser *p)
{
	struct tree      *t = parse_sum(p), *chain = NULL;
	enum expr_compare how;

	while (t != NULL && p->message[0] == '\0' && accept_comparison(p, &how)) {
		struct tree *operand = parse_sum(p);

		if (operand == NULL)
			return NULL;
		operand->how = how;
		if (chain == NULL)
			chain = tree_with_child(tree_node_new(p, TREE_COMPARE), t);
		t = chain = tree_with_child(chain, operand);
	}
	return p->message[0] == '\0' ? t : NULL;
}

static struct tree *parse_not(struct tree_parser *p)
{
	struct tree *t;

	if (!lex_is_word(&p->lex, "not"))
		return parse_comparison(p);
	if (!enter(p))
		return NULL;
	lex_step(&p->lex);
	t = unary_new(p, XOP_NOT, parse_not(p));
	p->depth--;
	return t;
}

static struct tree *parse_and(struct tree_parser *p)
{
	struct tree *t = parse_not(p);

	while (t != NULL && tree_accept_word(p, "and"))
		t = tree_pair_new(p, TREE_AND, t, parse_not(p));
	return t;
}

struct tree *tree_parse_or(struct tree_parser *p)
{
	struct tree *t = parse_and(p);

	while (t != NULL && tree_accept_word(p, "or"))
		t = tree_pair_new(p, TREE_OR, t, parse_and(p));
	return t;
}

static struct tree *parse_if(struct tree_parser *p)
{
	struct tree *t = tree_parse_or(p), *condition;

	if (t == NULL || !tree_accept_word(p, "if"))
		return t;
	condition = tree_parse_or(p);
	if (condition == NULL)
		return NULL;
	if (!tree_accept_word(p, "else"))
		return tree_fail_expected(p, "\"else\"");
	return tree_with_child(tree_pair_new(p, TREE_IF, condition, t), tree_parse_any(p));
}

struct tree *tree_parse_any(struct tree_parser *p)
{
	struct tree *t;

	if (!enter(p))
		return NULL;
	t = parse_if(p);
	p->depth--;
	return t;
}

/* --- */

static size_t count_chars(const char *from, const char *end)
{
	size_t chars = 0;

	for (; from < end; from++)
		chars += ((unsigned char)*from & 0xc0) != 0x80;
	return chars;
}

struct tree *tree_parse(struct arena *a, const char *from, const char *end, const char **behind,
                        char message[TREE_MESSAGE_BYTES])
{
	struct tree_parser p = { .arena = a, .from = from, .message = message };
	struct tree       *t;

	message[0] = '\0';
	if ((size_t)(end - from) > TREE_SOURCE_BYTES_MAX)
		end = from + TREE_SOURCE_BYTES_MAX; /* what is longer is refused, read or not */
	lex_start(&p.lex, from, end);
	t = tree_parse_any(&p);
	if (t == NULL)
		return NULL;
	if (p.lex.token.kind == LEX_END || p.lex.token.kind == LEX_FAULT)
		return tree_fail_expected(&p, "}");
	if (!lex_is_op(&p.lex, '}'))
		return tree_fail(&p, "\"%.*s\" is not expected here",
		                 tree_shown_length(&p.lex.token), p.lex.token.at);
	if (count_chars(from, p.lex.token.at) > EXPR_SOURCE_CHARS_MAX)
		return tree_fail_length(&p);
	*behind = p.lex.token.at + 1;
	return t;
}
