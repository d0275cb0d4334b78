#include "daemon/profile/rule.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"
#define BYTES_MAX 131071ul /* what Linux takes as one argument */

void rule_any(struct rule *out)
{
	*out = (struct rule){ .kind = RULE_ANY, .bytes_max = RULE_BYTES_DEFAULT };
}

static bool has_back_reference(const char *pattern)
{
	for (const char *at = strchr(pattern, '\\'); at != NULL; at = strchr(at, '\\')) {
		if (isdigit((unsigned char)at[1]))
			return true;
		at += at[1] == '\0' ? 1 : 2;
	}
	return false;
}

/* The brackets only give the anchors something to hold on to. One that closes them early, as in
 * "a)|(b", lets nothing in: what matched must be the whole text besides, see matches(). */
static enum gd_err compile(struct rule *r, const char *pattern, struct arena *a,
                           struct gd_error *why)
{
	size_t bytes = strlen(pattern) + sizeof "^()$";
	char  *whole = arena_alloc(a, bytes);
	char   words[80];
	int    failed;

	if (whole == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for an expression");
	if (has_back_reference(pattern))
		return gd_fail(why, GD_INVALID_PARAMS, "\"%.60s\" refers back to a part of itself",
		               pattern);
	(void)snprintf(whole, bytes, "^(%s)$", pattern);
	failed = regcomp(&r->regex, whole, REG_EXTENDED);
	if (failed == REG_ESPACE)
		return gd_fail(why, GD_NOMEM, "no memory for an expression");
	if (failed == 0)
		return GD_OK;
	(void)regerror(failed, &r->regex, words, sizeof words);
	return gd_fail(why, GD_INVALID_PARAMS, "\"%.60s\": %s", pattern, words);
}

static enum gd_err split(struct rule *r, const char *text, struct arena *a, struct gd_error *why)
{
	char *rest = arena_copy(a, text, strlen(text));
	char *word;

	r->words = arena_alloc(a, RULE_WORDS_MAX * sizeof *r->words);
	if (rest == NULL || r->words == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for words");
	while ((word = strtok_r(rest, BLANKS, &rest)) != NULL) {
		if (r->word_count == RULE_WORDS_MAX)
			return gd_fail(why, GD_INVALID_PARAMS, "more than %u words",
			               RULE_WORDS_MAX);
		r->words[r->word_count++] = word;
	}
	return GD_OK;
}

/* Reads ":100" behind a kind. False: it is none. */
static bool read_bytes(const char **at, uint32_t *out)
{
	unsigned long bytes;
	char         *end;

	if (**at != ':')
		return true;
	if (!isdigit((unsigned char)(*at)[1]))
		return false;
	bytes = strtoul(*at + 1, &end, 10);
	if (bytes < 1 || bytes > BYTES_MAX)
		return false;
	*out = (uint32_t)bytes;
	*at = end;
	return true;
}

/* Where `text` goes on behind the word. */
static const char *behind(const char *text, const char *word)
{
	size_t chars = strlen(word);

	return strncmp(text, word, chars) == 0 ? text + chars : NULL;
}

static enum gd_err parse(struct rule *r, const char *text, struct arena *a, struct gd_error *why)
{
	const char *at;
	const char *any = behind(text, "any");
	const char *match = behind(text, "match");
	const char *one_of = behind(text, "one-of");

	at = any != NULL ? any : match != NULL ? match : one_of;
	if (at == NULL || (at != one_of && !read_bytes(&at, &r->bytes_max)) ||
	    (*at != '\0' && strchr(BLANKS, *at) == NULL))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "\"%.40s\" is not any, match EXPRESSION or one-of WORD..., nor "
		               "any:BYTES or match:BYTES EXPRESSION with 1 to %lu bytes",
		               text, BYTES_MAX);
	at += strspn(at, BLANKS);
	if ((*at == '\0') != (any != NULL))
		return gd_fail(why, GD_INVALID_PARAMS,
		               any != NULL     ? "nothing can stand behind any"
		               : match != NULL ? "match needs an expression"
		                               : "one-of needs words");
	r->text = arena_copy(a, at, strlen(at));
	if (r->text == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for a rule");
	if (any != NULL)
		return GD_OK;
	r->kind = match != NULL ? RULE_MATCH : RULE_ONE_OF;
	return match != NULL ? compile(r, at, a, why) : split(r, at, a, why);
}

enum gd_err rule_parse(struct rule *out, const char *text, struct arena *a, struct gd_error *why)
{
	struct rule r;
	enum gd_err rc;

	rule_any(&r);
	rc = parse(&r, text, a, why);
	if (rc == GD_OK)
		*out = r;
	return rc;
}

void rule_close(struct rule *r)
{
	if (r->kind == RULE_MATCH)
		regfree(&r->regex);
	*r = (struct rule){ 0 };
}

/* --- checks --- */

/* POSIX: the leftmost match, and of those the longest. So when any match is the whole text, it is the
 * one that is found. */
static bool matches(const struct rule *r, const char *text, size_t bytes)
{
	regmatch_t whole;

	return regexec(&r->regex, text, 1, &whole, 0) == 0 && whole.rm_so == 0 &&
	       (size_t)whole.rm_eo == bytes;
}

static bool is_word(const struct rule *r, const char *text)
{
	for (uint32_t i = 0; i < r->word_count; i++) {
		if (strcmp(r->words[i], text) == 0)
			return true;
	}
	return false;
}

bool rule_takes(const struct rule *r, const char *text, size_t bytes,
                char refusal[RULE_WORDS_BYTES])
{
	if (bytes > r->bytes_max) {
		(void)snprintf(refusal, RULE_WORDS_BYTES, "has more than %u bytes", r->bytes_max);
		return false;
	}
	if (r->kind == RULE_MATCH && !matches(r, text, bytes)) {
		(void)snprintf(refusal, RULE_WORDS_BYTES, "does not match %.80s", r->text);
		return false;
	}
	if (r->kind == RULE_ONE_OF && !is_word(r, text)) {
		(void)snprintf(refusal, RULE_WORDS_BYTES, "is not one of %.80s", r->text);
		return false;
	}
	return true;
}
