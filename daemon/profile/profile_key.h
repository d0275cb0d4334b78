/*
 * profile_key.h - the keys of a section `[exec NAME]`, and how their texts become a profile.
 *
 * For profile_table.c. Threads: any, each with a profile of its own.
 */
#ifndef GATHERD_PROFILE_PROFILE_KEY_H
#define GATHERD_PROFILE_PROFILE_KEY_H

#include "daemon/profile/profile.h"

/* What a profile is that says nothing. */
void                     profile_preset(struct profile *p);
/* Errors: GD_INVALID_PARAMS, GD_NOMEM; with the name of the key. */
GD_NODISCARD enum gd_err profile_key_set(struct profile *p, const char *key, const char *value,
                                         int line, struct arena *a, struct gd_error *why);
/* Fills in what depends on several keys. Errors: GD_INVALID_PARAMS. */
GD_NODISCARD enum gd_err profile_finish(struct profile *p, struct gd_error *why);

#endif
