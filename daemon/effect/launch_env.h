/*
 * launch_env.h - the environment of a command, built from nothing.
 *
 * PATH, LANG, GATHERD_JOB, and HOME, USER, LOGNAME, SHELL of the user as whom it runs; then what the
 * profile says; then what the job says. What comes later goes before. The runner adds the secrets,
 * whose names are all that the daemon knows, and GATHERD_ATTEMPT_KEY.
 *
 * Ownership: all in the launch's arena. Threads: any.
 */
#ifndef GATHERD_EFFECT_LAUNCH_ENV_H
#define GATHERD_EFFECT_LAUNCH_ENV_H

#include "daemon/effect/launch.h"

/* Fills start.env and start.secrets; `given` is a dict of texts and {secret: name}, or VALUE_NONE,
 * `profile` may be NULL. The home of the user, or NULL. Memory: arena.failed. */
const char *launch_env(struct launch *l, const struct profile *profile, struct value given);

#endif
