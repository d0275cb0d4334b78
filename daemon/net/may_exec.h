/*
 * may_exec.h - whether somebody may hand in a job with these commands.
 *
 * A command without a profile can be anything, and needs exec:raw. One with a profile needs
 * exec:NAME: admins have every profile; others have what their token names, and what names them in
 * the profile's `allow`. Then what is constant in it must fit the profile.
 *
 * Threads: any. Cost: nothing for a job without commands.
 */
#ifndef GATHERD_NET_MAY_EXEC_H
#define GATHERD_NET_MAY_EXEC_H

#include "daemon/net/auth.h"
#include "daemon/profile/profile_program.h"

#define MAY_EXEC_SCOPE_BYTES 48u

/* Errors: GD_FORBIDDEN: `why` and `problems` say where, and `scope` is the one that is missing;
 * GD_INVALID_SPEC with `problems`; GD_NOMEM. */
GD_NODISCARD enum gd_err may_exec(struct profile_book *book, const struct principal *who,
                                  const struct program *p, struct load_problems *problems,
                                  char scope[MAY_EXEC_SCOPE_BYTES], struct gd_error *why);

/* The scopes that somebody has now, as a list of texts, those of profiles included. */
void may_exec_write_scopes(struct buf *b, struct profile_book *book, const struct principal *who);

#endif
