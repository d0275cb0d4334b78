#include "daemon/load/lex_expr.h"

#include "daemon/expr/fn.h"
#include "proto/base/check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_CHARS_MAX 400

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Letters beyond ASCII are letters, and nobody asks which. */
static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
	       (unsigned char)c >= 0x80;
}

static char peek(const struct lexer *l, size_t ahead)
{
	return ahead < (size_t)(l->end - l->next) ? l->next[ahead] : '\0';
}

static void take(struct lexer *l, enum lex_kind kind, size_t bytes)
{
	l->token.kind = kind;
	l->token.at = l->next;
	l->token.bytes = bytes;
	l->next += bytes;
}

static void take_fault(struct lexer *l, size_t bytes, const char *fault)
{
	take(l, LEX_FAULT, bytes);
	l->token.fault = fault;
}

/* --- numbers --- */

static uint32_t digit_of(char c)
{
	if (is_digit(c))
		return (uint32_t)(c - '0');
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
		return (uint32_t)((c | 0x20) - 'a' + 10);
	return UINT32_MAX;
}

static uint32_t base_of(const struct lexer *l)
{
	char letter = (char)(peek(l, 1) | 0x20);

	if (peek(l, 0) != '0')
		return 10;
	return letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
}

/* Digits, single underscores between them; how many bytes. */
static size_t digits_at(const struct lexer *l, size_t from, uint32_t base)
{
	size_t at = from;

	while (digit_of(peek(l, at)) < base ||
	       (peek(l, at) == '_' && at > from && digit_of(peek(l, at + 1)) < base))
		at++;
	return at - from;
}

static void take_int(struct lexer *l, uint32_t base, size_t first, size_t bytes)
{
	uint64_t number = 0;
	bool     is_over = false;

	for (size_t i = first; i < bytes; i++) {
		if (l->next[i] == '_')
			continue;
		is_over = is_over || __builtin_mul_overflow(number, base, &number) ||
		          __builtin_add_overflow(number, digit_of(l->next[i]), &number);
	}
	if (is_over || number > UINT64_C(1) << 63) {
		take_fault(l, bytes, "is more than a 64-bit integer");
		return;
	}
	if (base == 10 && peek(l, 0) == '0' && number != 0) {
		take_fault(l, bytes, "is not a number: it begins with 0");
		return;
	}
	take(l, LEX_INT, bytes);
	l->token.number = number;
}

static void take_float(struct lexer *l, size_t bytes)
{
	char   digits[NUMBER_CHARS_MAX + 1];
	size_t used = 0;

	for (size_t i = 0; i < bytes && used < NUMBER_CHARS_MAX; i++)
		if (l->next[i] != '_')
			digits[used++] = l->next[i];
	digits[used] = '\0';
	if (used == NUMBER_CHARS_MAX) {
		take_fault(l, bytes, "has too many digits");
		return;
	}
	l->token.real = strtod(digits, NULL);
	if (fabs(l->token.real) <= DBL_MAX)
		take(l, LEX_FLOAT, bytes);
	else
		take_fault(l, bytes, "is too large for a float");
}

static void take_number(struct lexer *l)
{
	uint32_t base = base_of(l);
	size_t   first = base == 10 ? 0 : 2, bytes = first + digits_at(l, first, base);
	bool     is_float = false, is_good = base == 10 || bytes > first;

	if (base == 10 && peek(l, bytes) == '.') {
		is_float = true;
		bytes += 1 + digits_at(l, bytes + 1, 10);
	}
	if (base == 10 && (peek(l, bytes) | 0x20) == 'e') {
		size_t sign = peek(l, bytes + 1) == '+' || peek(l, bytes + 1) == '-' ? 1 : 0;
		size_t digits = digits_at(l, bytes + 1 + sign, 10);

		is_float = true;
		is_good = digits > 0;
		bytes += 1 + sign + digits;
	}
	if (is_name_char(peek(l, bytes)))
		is_good = false;
	while (is_name_char(peek(l, bytes)))
		bytes++;
	if (!is_good)
		take_fault(l, bytes, "is not a number");
	else if (is_float)
		take_float(l, bytes);
	else
		take_int(l, base, first, bytes);
}

/* --- the rest --- */

static void take_text(struct lexer *l)
{
	char   quote = peek(l, 0);
	size_t bytes = 1;

	while (bytes < (size_t)(l->end - l->next) && peek(l, bytes) != quote) {
		if (peek(l, bytes) == '\n')
			break;
		bytes += peek(l, bytes) == '\\' ? 2 : 1;
	}
	if (bytes >= (size_t)(l->end - l->next) || peek(l, bytes) != quote)
		take_fault(l, 1, "opens a text that is not closed");
	else
		take(l, LEX_TEXT, bytes + 1);
}

static void take_op(struct lexer *l)
{
	static const struct {
		char chars[3];
		int  op;
	} twos[] = { { "//", LEX_FLOOR_DIV },
		     { "==", LEX_EQ },
		     { "!=", LEX_NE },
		     { "<=", LEX_LE },
		     { ">=", LEX_GE } };

	for (size_t i = 0; i < sizeof twos / sizeof twos[0]; i++)
		if (peek(l, 0) == twos[i].chars[0] && peek(l, 1) == twos[i].chars[1]) {
			take(l, LEX_OP, 2);
			l->token.op = twos[i].op;
			return;
		}
	l->token.op = (unsigned char)peek(l, 0);
	if (strchr("+-*/%<>()[]{},:.", l->token.op) != NULL && l->token.op != 0)
		take(l, LEX_OP, 1);
	else if (l->token.op == '=')
		take_fault(l, 1, "assigns nothing here; == compares");
	else
		take_fault(l, 1, "means nothing here");
}

static void read_token(struct lexer *l)
{
	size_t bytes = 0;

	while (l->next < l->end && strchr(" \t\n\r", *l->next) != NULL && *l->next != '\0')
		l->next++;
	if (l->next == l->end) {
		take(l, LEX_END, 0);
	} else if (is_digit(peek(l, 0)) || (peek(l, 0) == '.' && is_digit(peek(l, 1)))) {
		take_number(l);
	} else if (is_name_char(peek(l, 0))) {
		while (is_name_char(peek(l, bytes)))
			bytes++;
		take(l, LEX_NAME, bytes);
	} else if (peek(l, 0) == '"' || peek(l, 0) == '\'') {
		take_text(l);
	} else {
		take_op(l);
	}
}

void lex_start(struct lexer *l, const char *from, const char *end)
{
	*l = (struct lexer){ .next = from, .end = end };
	read_token(l);
}

void lex_step(struct lexer *l)
{
	l->before = l->token;
	read_token(l);
}

/* --- escapes --- */

/* `count` hexadecimal digits at `*at`, which moves behind them. */
static bool read_hex(const char **at, const char *end, uint32_t count, uint32_t *out)
{
	*out = 0;
	for (; count > 0; count--, ++*at) {
		if (*at == end || digit_of(**at) > 15)
			return false;
		*out = *out << 4 | digit_of(**at);
	}
	return true;
}

static bool read_octal(const char **at, const char *end, uint32_t *out)
{
	*out = 0;
	for (uint32_t i = 0; i < 3 && *at < end && digit_of(**at) < 8; i++, ++*at)
		*out = *out << 3 | digit_of(**at);
	return true;
}

/* A character by its number: `*at` stands on what follows the backslash. */
static const char *unescape_number(const char **at, const char *end, char *out, size_t *bytes)
{
	uint32_t point;
	char     letter = **at;
	bool     is_good;

	if (is_digit(letter)) {
		is_good = read_octal(at, end, &point);
	} else {
		++*at;
		is_good = read_hex(at, end, letter == 'x' ? 2 : letter == 'u' ? 4 : 8, &point);
	}
	if (!is_good)
		return "has an escape without its digits";
	if (point == 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return "has an escape for what is no character of a text";
	*bytes += expr_put_char(out + *bytes, point);
	return NULL;
}

/* `*at` stands behind a backslash. */
static const char *unescape_one(const char **at, const char *end, char *out, size_t *bytes)
{
	static const char names[] = "\\'\"abfnrtv", meanings[] = "\\'\"\a\b\f\n\r\t\v";
	const char       *name;

	if (digit_of(**at) < 8 || **at == 'x' || **at == 'u' || **at == 'U')
		return unescape_number(at, end, out, bytes);
	name = **at == '\0' ? NULL : strchr(names, **at);
	if (**at == 'N')
		return "has an escape by name, which is not supported";
	if (name != NULL) {
		out[(*bytes)++] = meanings[name - names];
		++*at;
	} else if (**at == '\n') {
		++*at;
	} else {
		out[(*bytes)++] = '\\';
	}
	return NULL;
}

const char *lex_unescape(const struct lex_token *token, char *out, size_t *bytes)
{
	const char *at = token->at + 1, *end = token->at + token->bytes - 1, *fault;

	CHECK(token->kind == LEX_TEXT);
	*bytes = 0;
	while (at < end) {
		if (*at != '\\') {
			out[(*bytes)++] = *at++;
			continue;
		}
		at++;
		fault = unescape_one(&at, end, out, bytes);
		if (fault != NULL)
			return fault;
	}
	return NULL;
}
