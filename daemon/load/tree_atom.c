/* Literals, names, calls, displays, and what stands behind them: a.b, a[...]. */
#include "daemon/load/tree_parser.h"

/* --- what is smallest --- */

static struct tree *parse_int(struct tree_parser *p)
{
	if (p->lex.token.number > INT64_MAX)
		return tree_fail(p, "\"%.*s\" is more than a 64-bit integer",
		                 tree_shown_length(&p->lex.token), p->lex.token.at);
	return tree_int_new(p, (int64_t)p->lex.token.number);
}

static struct tree *parse_float(struct tree_parser *p)
{
	struct tree *t = tree_const_new(p, value_float(p->lex.token.real));

	lex_step(&p->lex);
	return t;
}

/* Texts side by side are one, as in Python. */
static struct tree *parse_text(struct tree_parser *p)
{
	const char *last = p->lex.token.at;
	size_t      bytes = 0, part;
	char       *text;

	for (struct lexer ahead = p->lex; ahead.token.kind == LEX_TEXT; lex_step(&ahead))
		last = ahead.next;
	text = arena_alloc(p->arena, (size_t)(last - p->lex.token.at));
	if (text == NULL)
		return NULL;
	while (p->lex.token.kind == LEX_TEXT) {
		const char *fault = lex_unescape(&p->lex.token, text + bytes, &part);

		if (fault != NULL)
			return tree_fail(p, "the text %.*s %s", tree_shown_length(&p->lex.token),
			                 p->lex.token.at, fault);
		bytes += part;
		lex_step(&p->lex);
	}
	return tree_text_new(p, TREE_TEXT, text, bytes);
}

static bool is_keyword(const struct lexer *l)
{
	static const char *const words[] = { "and", "or", "not", "if",    "else",
		                             "for", "in", "is",  "lambda" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (lex_is_word(l, words[i]))
			return true;
	return false;
}

/* Items up to `close`, which is accepted; a comma behind the last one is allowed. */
static struct tree *parse_items(struct tree_parser *p, struct tree *t, int close,
                                const char *expected)
{
	while (t != NULL && !tree_accept_op(p, close)) {
		t = tree_with_child(t, tree_parse_any(p));
		if (t == NULL || tree_accept_op(p, ','))
			continue;
		if (!lex_is_op(&p->lex, close))
			return tree_fail_expected(p, expected);
	}
	return t;
}

static struct tree *parse_word(struct tree_parser *p)
{
	struct lex_token name = p->lex.token;

	lex_step(&p->lex);
	if (tree_accept_op(p, '('))
		return parse_items(p, tree_text_new(p, TREE_CALL, name.at, name.bytes), ')',
		                   "\",\" or \")\"");
	return tree_text_new(p, TREE_NAME, name.at, name.bytes);
}

static struct tree *parse_name(struct tree_parser *p)
{
	if (tree_accept_word(p, "null") || tree_accept_word(p, "None"))
		return tree_const_new(p, VALUE_NULL);
	if (tree_accept_word(p, "true") || tree_accept_word(p, "True"))
		return tree_const_new(p, value_bool(true));
	if (tree_accept_word(p, "false") || tree_accept_word(p, "False"))
		return tree_const_new(p, value_bool(false));
	if (is_keyword(&p->lex))
		return tree_fail_expected(p, "a value");
	return parse_word(p);
}

/* --- displays --- */

static bool has_for(const struct tree *t)
{
	if (t->kind == TREE_FOR)
		return true;
	for (const struct tree *child = t->first; child != NULL; child = child->next)
		if (has_for(child))
			return true;
	return false;
}

/* Behind "[item for". As in Python, neither the source nor the condition is an x if c else y. */
static struct tree *parse_for(struct tree_parser *p, struct tree *item)
{
	struct tree *t = tree_text_new(p, TREE_FOR, p->lex.token.at, p->lex.token.bytes);
	struct tree *condition = NULL;

	if (p->lex.token.kind != LEX_NAME || is_keyword(&p->lex))
		return tree_fail_expected(p, "a name");
	lex_step(&p->lex);
	if (!tree_accept_word(p, "in"))
		return tree_fail_expected(p, "\"in\"");
	t = tree_with_child(tree_with_child(t, item), tree_parse_or(p));
	if (t != NULL && tree_accept_word(p, "if"))
		t = tree_with_child(t, condition = tree_parse_or(p));
	if (t == NULL)
		return NULL;
	if (has_for(item) || (condition != NULL && has_for(condition)))
		return tree_fail(p, "a comprehension cannot use another one for each item");
	if (lex_is_word(&p->lex, "for") || lex_is_word(&p->lex, "if"))
		return tree_fail(p, "a comprehension has one \"for\" and at most one \"if\"");
	if (!tree_accept_op(p, ']'))
		return tree_fail_expected(p, "\"]\"");
	return t;
}

static struct tree *parse_list(struct tree_parser *p)
{
	struct tree *t, *item;

	if (tree_accept_op(p, ']'))
		return tree_node_new(p, TREE_LIST);
	item = tree_parse_any(p);
	if (item != NULL && tree_accept_word(p, "for"))
		return parse_for(p, item);
	t = item == NULL ? NULL : tree_with_child(tree_node_new(p, TREE_LIST), item);
	if (t == NULL || tree_accept_op(p, ']'))
		return t;
	if (!tree_accept_op(p, ','))
		return tree_fail_expected(p, "\",\" or \"]\"");
	return parse_items(p, t, ']', "\",\" or \"]\"");
}

static struct tree *parse_dict(struct tree_parser *p)
{
	struct tree *t = tree_node_new(p, TREE_DICT);

	while (t != NULL && !tree_accept_op(p, '}')) {
		t = tree_with_child(t, tree_parse_any(p));
		if (t != NULL && !tree_accept_op(p, ':'))
			return tree_fail_expected(p, "\":\"");
		t = tree_with_child(t, t == NULL ? NULL : tree_parse_any(p));
		if (t == NULL || tree_accept_op(p, ','))
			continue;
		if (!lex_is_op(&p->lex, '}'))
			return tree_fail_expected(p, "\",\" or \"}\"");
	}
	return t;
}

static struct tree *parse_group(struct tree_parser *p)
{
	struct tree *t = tree_parse_any(p);

	if (t != NULL && !tree_accept_op(p, ')'))
		return tree_fail_expected(p, "\")\"");
	return t;
}

static struct tree *parse_atom(struct tree_parser *p)
{
	switch (p->lex.token.kind) {
	case LEX_INT:
		return parse_int(p);
	case LEX_FLOAT:
		return parse_float(p);
	case LEX_TEXT:
		return parse_text(p);
	case LEX_NAME:
		return parse_name(p);
	case LEX_OP:
		if (tree_accept_op(p, '('))
			return parse_group(p);
		if (tree_accept_op(p, '['))
			return parse_list(p);
		if (tree_accept_op(p, '{'))
			return parse_dict(p);
		break;
	case LEX_END:
	case LEX_FAULT:
		break;
	}
	return tree_fail_expected(p, "a value");
}

/* --- a.b, a[...] --- */

static struct tree *parse_member(struct tree_parser *p, struct tree *t)
{
	struct lex_token name = p->lex.token;

	if (name.kind != LEX_NAME)
		return tree_fail_expected(p, "a name");
	lex_step(&p->lex);
	if (lex_is_op(&p->lex, '('))
		return tree_fail(p, "there are no methods; functions are called as f(x)");
	return tree_with_child(tree_text_new(p, TREE_MEMBER, name.at, name.bytes), t);
}

/* One bound of a slice; null when it is left out. */
static struct tree *parse_bound(struct tree_parser *p)
{
	if (lex_is_op(&p->lex, ':') || lex_is_op(&p->lex, ']'))
		return tree_const_new(p, VALUE_NULL);
	return tree_parse_any(p);
}

static struct tree *parse_subscript(struct tree_parser *p, struct tree *t)
{
	struct tree *first = parse_bound(p), *s;

	if (first == NULL)
		return NULL;
	if (!lex_is_op(&p->lex, ':')) {
		if (lex_is_op(&p->lex, ']') && p->lex.before.kind == LEX_OP &&
		    p->lex.before.op == '[')
			return tree_fail_expected(p, "a value");
		t = tree_pair_new(p, TREE_INDEX, t, first);
	} else {
		lex_step(&p->lex);
		s = tree_with_child(tree_pair_new(p, TREE_SLICE, t, first), parse_bound(p));
		t = tree_with_child(s, s != NULL && tree_accept_op(p, ':')
		                               ? parse_bound(p)
		                               : tree_const_new(p, VALUE_NULL));
	}
	if (t != NULL && !tree_accept_op(p, ']'))
		return tree_fail_expected(p, "\"]\"");
	return t;
}

struct tree *tree_parse_postfix(struct tree_parser *p)
{
	struct tree *t = parse_atom(p);

	while (t != NULL) {
		if (tree_accept_op(p, '.'))
			t = parse_member(p, t);
		else if (tree_accept_op(p, '['))
			t = parse_subscript(p, t);
		else if (lex_is_op(&p->lex, '('))
			return tree_fail(p, "only a function can be called, by its name");
		else
			break;
	}
	return t;
}
