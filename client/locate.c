#include "client/locate.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct scan {
	const char *text;
	size_t      bytes;
	size_t      at;
};

static bool is_at(const struct scan *s, char c)
{
	return s->at < s->bytes && s->text[s->at] == c;
}

static void skip_space(struct scan *s)
{
	while (is_at(s, ' ') || is_at(s, '\t') || is_at(s, '\n') || is_at(s, '\r'))
		s->at++;
}

static void skip_string(struct scan *s)
{
	for (s->at++; s->at < s->bytes && s->text[s->at] != '"'; s->at++)
		if (s->text[s->at] == '\\' && s->at + 1 < s->bytes)
			s->at++;
	if (s->at < s->bytes)
		s->at++;
}

static void skip_word(struct scan *s)
{
	while (s->at < s->bytes && strchr(",:]} \t\r\n", s->text[s->at]) == NULL)
		s->at++;
}

static void skip_value(struct scan *s)
{
	size_t depth = 0;

	do {
		skip_space(s);
		if (s->at >= s->bytes)
			return;
		switch (s->text[s->at]) {
		case '{':
		case '[':
			depth++;
			s->at++;
			break;
		case '}':
		case ']':
			if (depth == 0)
				return;
			depth--;
			s->at++;
			break;
		case ',':
		case ':':
			if (depth == 0)
				return;
			s->at++;
			break;
		case '"':
			skip_string(s);
			break;
		default:
			skip_word(s);
		}
	} while (depth > 0);
}

/* Whether the key text[from, to), with its quotes, is the name `token`. */
static bool is_key(const struct scan *s, size_t from, size_t to, const char *token)
{
	json_t *key = json_loadb(s->text + from, to - from, JSON_DECODE_ANY, NULL);
	bool    is_same = json_is_string(key) && strcmp(json_string_value(key), token) == 0;

	json_decref(key);
	return is_same;
}

/* At '{': moves to the value of member `token`; `*key` is where its key begins. */
static bool enter_member(struct scan *s, const char *token, size_t *key)
{
	for (s->at++;; s->at++) {
		size_t from;

		skip_space(s);
		if (!is_at(s, '"'))
			return false;
		from = s->at;
		skip_string(s);
		if (is_key(s, from, s->at, token)) {
			skip_space(s);
			if (!is_at(s, ':'))
				return false;
			s->at++;
			skip_space(s);
			*key = from;
			return true;
		}
		skip_space(s);
		s->at += is_at(s, ':');
		skip_value(s);
		skip_space(s);
		if (!is_at(s, ','))
			return false;
	}
}

/* At '[': moves to element `token`. */
static bool enter_element(struct scan *s, const char *token)
{
	char         *end;
	unsigned long index = strtoul(token, &end, 10);

	if (token[0] < '0' || token[0] > '9' || *end != '\0')
		return false;
	for (s->at++;; s->at++) {
		skip_space(s);
		if (s->at >= s->bytes || is_at(s, ']'))
			return false;
		if (index-- == 0)
			return true;
		skip_value(s);
		skip_space(s);
		if (!is_at(s, ','))
			return false;
	}
}

/* The next token of a pointer that stands at '/', unescaped; the rest of the pointer, or NULL when
 * the token is too long. */
static const char *take_token(const char *pointer, char *out, size_t room)
{
	size_t used = 0;

	for (pointer++; *pointer != '\0' && *pointer != '/'; pointer++) {
		char c = *pointer;

		if (c == '~' && (pointer[1] == '0' || pointer[1] == '1'))
			c = *++pointer == '0' ? '~' : '/';
		if (used + 1 >= room)
			return NULL;
		out[used++] = c;
	}
	out[used] = '\0';
	return pointer;
}

bool locate_pointer(const char *text, size_t bytes, const char *pointer, struct locate_span *out)
{
	struct scan s = { .text = text, .bytes = bytes };
	char        token[1024];
	size_t      from;

	skip_space(&s);
	from = s.at;
	while (*pointer != '\0') {
		size_t key = SIZE_MAX;

		if (*pointer != '/' || (pointer = take_token(pointer, token, sizeof token)) == NULL)
			return false;
		if (!(is_at(&s, '{') ? enter_member(&s, token, &key)
		                     : is_at(&s, '[') && enter_element(&s, token)))
			return false;
		from = key == SIZE_MAX ? s.at : key;
	}
	skip_value(&s);
	*out = (struct locate_span){ .from = from, .to = s.at };
	return true;
}

struct locate_place locate_offset(const char *text, size_t bytes, size_t offset)
{
	struct locate_place p = { .line = 1, .column = 1 };
	const char         *lf;

	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			p.line++;
			p.column = 1;
			p.line_from = i + 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			p.column++;
		}
	}
	/* Inside a character: its own column. */
	if (offset < bytes && ((unsigned char)text[offset] & 0xc0) == 0x80 && p.column > 1)
		p.column--;
	lf = memchr(text + p.line_from, '\n', bytes - p.line_from);
	p.line_to = lf == NULL ? bytes : (size_t)(lf - text);
	if (p.line_to > p.line_from && text[p.line_to - 1] == '\r')
		p.line_to--;
	return p;
}
