/*
 * token.h - bearer tokens: their text, and the line that a token file keeps of each.
 *
 * A token is gat_ID_SECRET with a secret of 32 random bytes as 43 base64url characters. A token
 * file holds lines `ID SHA256 ROLE [EXPIRES] [exec:NAME]...`: the digest, in hex, of the whole text
 * of the token, the moment (RFC 3339) from which it is refused, and the exec profiles that it may
 * use beside those of its role (exec:* for all). A secret this long needs no slow hash.
 *
 * Ownership: none. Threads: any. Needs libcrypto.
 */
#ifndef GATHERD_PROTO_TOKEN_H
#define GATHERD_PROTO_TOKEN_H

#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_ID_CHARS_MAX 32u
#define TOKEN_SECRET_CHARS 43u
#define TOKEN_CHARS_MAX (4u + TOKEN_ID_CHARS_MAX + 1u + TOKEN_SECRET_CHARS)
#define TOKEN_DIGEST_BYTES 32u
#define TOKEN_EXEC_BYTES_MAX 255u /* of all names, with a blank between them */
#define TOKEN_EXEC "exec:"

enum token_role { TOKEN_VIEWER, TOKEN_SUBMITTER, TOKEN_OPERATOR, TOKEN_ADMIN };

/* One line of a token file. */
struct token_entry {
	char            id[TOKEN_ID_CHARS_MAX + 1];
	uint8_t         digest[TOKEN_DIGEST_BYTES];
	enum token_role role;
	gd_nsec         expires;                        /* GD_NSEC_NEVER: does not */
	char            exec[TOKEN_EXEC_BYTES_MAX + 1]; /* "backup deploy", or "*" */
};

const char *token_role_name(enum token_role role); /* static storage */
bool        token_role_parse(const char *text, enum token_role *out);
/* Letters, digits, '.', '_' and '-'; 1 to TOKEN_ID_CHARS_MAX of them. */
bool        token_id_is_good(const char *id);

/* What a name of an exec profile is: 1 to 32 letters, digits, '.', '_' or '-'; or "*". Adds it to
 * `exec`, unless it is there. False: it is none, or there is no room. */
bool token_exec_add(char exec[TOKEN_EXEC_BYTES_MAX + 1], const char *name);
/* Whether `exec` has this profile. */
bool token_exec_has(const char *exec, const char *name);

/* Makes a token with id, role, expires and exec of `as`: `token` gets its text, `line` the line for
 * the token file, both without LF; they are appended. Errors: GD_INVALID_PARAMS (the id), GD_SYS (no
 * randomness), GD_NOMEM. */
GD_NODISCARD enum gd_err token_create(const struct token_entry *as, struct buf *token,
                                      struct buf *line, struct gd_error *why);

/* Splits a token that somebody showed. False when it does not look like one. */
bool token_read(const char *text, struct token_entry *out); /* fills id and digest */

/* Reads one line, which is neither empty nor a comment. Errors: GD_INVALID_PARAMS with words that do
 * not repeat the digest. */
GD_NODISCARD enum gd_err token_line_read(const char *line, struct token_entry *out,
                                         struct gd_error *why);

#endif
