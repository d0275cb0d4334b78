/*
 * rule.h - what one text of a command may be: an argument, or a variable.
 *
 *	any			every text
 *	match [a-z0-9-]+	an extended regular expression (POSIX), which fits the whole text
 *	one-of daily weekly	one of these words
 *
 * `any:100` and `match:100 ...` take at most 100 bytes, without a number it is RULE_BYTES_DEFAULT.
 * Expressions see bytes, not characters, as in the C locale; a letter beyond ASCII fits `.` once for
 * each of its bytes. Back references are refused, since matching them may take for ever.
 *
 * Ownership: rule_close() frees the compiled expression; the texts are the arena's. Threads: reading
 * and checking from any. Cost of a check: linear in the text for one that begins to match at all.
 */
#ifndef GATHERD_PROFILE_RULE_H
#define GATHERD_PROFILE_RULE_H

#include "proto/base/arena.h"
#include "proto/base/err.h"

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#define RULE_BYTES_DEFAULT 4096u
#define RULE_WORDS_MAX 64u

enum rule_kind { RULE_ANY, RULE_MATCH, RULE_ONE_OF };

/* All zero takes nothing but the empty text. */
struct rule {
	enum rule_kind kind;
	uint32_t       bytes_max;
	const char    *text;  /* the expression, or the words as they were written */
	regex_t        regex; /* RULE_MATCH */
	const char   **words; /* RULE_ONE_OF */
	uint32_t       word_count;
};

void                     rule_any(struct rule *out);
/* Errors: GD_INVALID_PARAMS, GD_NOMEM; nothing needs to be closed then. */
GD_NODISCARD enum gd_err rule_parse(struct rule *out, const char *text, struct arena *a,
                                    struct gd_error *why);
void                     rule_close(struct rule *r);

#define RULE_WORDS_BYTES 100u

/* True when `text`, which has no NUL inside, is allowed. Otherwise `refusal` says what it fails, to
 * be read behind the text: "does not match [a-z]+". */
bool rule_takes(const struct rule *r, const char *text, size_t bytes,
                char refusal[RULE_WORDS_BYTES]);

#endif
