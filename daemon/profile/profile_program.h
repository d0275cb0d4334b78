/*
 * profile_program.h - what a job says of its commands, against the profiles they name.
 *
 * When a job is submitted, everything that is constant in it can be judged: then whoever wrote it
 * hears of it, and not whoever runs it later. What is worked out is judged when the command starts.
 *
 * Threads: any. Cost: one check for each constant of each command.
 */
#ifndef GATHERD_PROFILE_PROFILE_PROGRAM_H
#define GATHERD_PROFILE_PROFILE_PROGRAM_H

#include "daemon/load/load.h"
#include "daemon/profile/profile_table.h"

/* The profile of a command. NULL: it names none. Otherwise `*name`; and `*out` is NULL where there is
 * no such profile. */
const char *profile_of_exec(const struct profile_table *t, const struct program *p,
                            const struct exec *x, const struct profile **out);

/* Adds a problem for each constant of the command that `profile` refuses. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err profile_check_exec(const struct profile *profile, const struct program *p,
                                            const struct exec *x, struct load_problems *out,
                                            struct gd_error *why);
/* The same for one that names a profile which is not there. */
GD_NODISCARD enum gd_err profile_is_missing(const struct profile_table *t, const char *name,
                                            const struct program *p, const struct exec *x,
                                            struct load_problems *out, struct gd_error *why);

#endif
