/*
 * auth.h - who somebody is, and what they may do.
 *
 * A principal is a name and a set of scopes: `uid:N` for a peer on the Unix socket, whom the
 * kernel vouches for, and `token:ID` for one that showed a token. Scopes come from roles. Default
 * is deny: a principal that is all zero may do nothing.
 *
 * Tokens can be revoked while connections live: ask auth_still() before each request of a token
 * principal. It costs two comparisons until the token file was read again.
 *
 * exec:raw, any program at all, is a shell account: only the daemon's own user has it, and only by the
 * Unix socket. What else may be executed are profiles; may_exec.h decides.
 *
 * Ownership: struct auth owns its table. Threads: any, for everything but open and close.
 */
#ifndef GATHERD_NET_AUTH_H
#define GATHERD_NET_AUTH_H

#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/token.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PRINCIPAL_NAME_BYTES 64u
#define AUTH_TOKENS_MAX 4096u

enum auth_scope {
	AUTH_SUBMIT = 1u << 0,
	AUTH_OBSERVE_OWN = 1u << 1,
	AUTH_OBSERVE_ANY = 1u << 2,
	AUTH_CANCEL_OWN = 1u << 3,
	AUTH_CANCEL_ANY = 1u << 4,
	AUTH_ADMIN = 1u << 5,
	AUTH_EXEC_ANY = 1u << 6, /* every profile */
	AUTH_EXEC_RAW = 1u << 7
};
#define AUTH_SCOPES_ALL 0xffu

struct principal {
	char            name[PRINCIPAL_NAME_BYTES]; /* "": nobody */
	unsigned        scopes;                     /* bits of enum auth_scope */
	enum token_role role;
	char            exec[TOKEN_EXEC_BYTES_MAX + 1]; /* profiles that its token names */
	bool            is_token;
	/* what auth_still() compares; only for tokens */
	uint8_t         digest[TOKEN_DIGEST_BYTES];
	gd_nsec         expires;
	uint64_t        generation;
};

/* True when all of `scopes` are there; none asked for is always granted. */
bool principal_may(const struct principal *p, unsigned scopes);

unsigned auth_role_scopes(enum token_role role);
/* ["submit","observe:own"] */
void     auth_write_scopes(struct buf *b, unsigned scopes);
/* The same without the brackets. */
void     auth_list_scopes(struct buf *b, unsigned scopes);

/* A peer on a Unix socket. Root and the daemon's own user are admins, others submitters: that they
 * could connect is the permission of the socket. Errors: GD_SYS, GD_UNAUTHORIZED for uid 65534, which
 * is how the kernel shows users that it cannot name here. */
GD_NODISCARD enum gd_err auth_of_peer(int fd, struct principal *out, struct gd_error *why);
GD_NODISCARD enum gd_err auth_of_uid(uid_t uid, uid_t self, struct principal *out,
                                     struct gd_error *why);

struct auth;

/* `token_file` is NULL or "" for none: then every token is refused. Errors: GD_SYS,
 * GD_INVALID_PARAMS (FILE:LINE and what is wrong), GD_FORBIDDEN (others may read or write the file),
 * GD_LIMIT, GD_NOMEM. */
GD_NODISCARD enum gd_err auth_open(const char *token_file, struct auth **out, struct gd_error *why);
void                     auth_close(struct auth *a);
/* Reads the file again. On an error (as above) the old tokens stay. */
GD_NODISCARD enum gd_err auth_reload(struct auth *a, struct gd_error *why);

/* Errors: GD_UNAUTHORIZED, without saying whether id, secret or date was the reason. */
GD_NODISCARD enum gd_err auth_of_token(struct auth *a, const char *token, gd_nsec now,
                                       struct principal *out, struct gd_error *why);
/* Whether `p` may go on: not expired, and still in the file with the same secret. Scopes follow the
 * file. False: close the connection. */
bool                     auth_still(struct auth *a, struct principal *p, gd_nsec now);

#endif
