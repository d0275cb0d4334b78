/*
 * launch_check.h - what a job asks for, against the profile that it names.
 *
 * Threads: any.
 */
#ifndef GATHERD_EFFECT_LAUNCH_CHECK_H
#define GATHERD_EFFECT_LAUNCH_CHECK_H

#include "daemon/profile/profile.h"
#include "daemon/value/value.h"

/* `request` is the data of an ENGINE_EXEC. Errors: GD_FORBIDDEN with the rule that refuses it, and
 * GD_FORBIDDEN or GD_SYS when the program cannot be trusted any more. */
GD_NODISCARD enum gd_err launch_check(const struct profile *p, struct value request,
                                      struct gd_error *why);

#endif
