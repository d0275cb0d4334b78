/*
 * environment.h - the environment of a command: what START says, its key, its secrets.
 *
 * Nothing of the runner's own environment is in it. Secrets are read here and nowhere else, from
 * files of the credential directory, so that the daemon, its database and its logs never hold them.
 */
#ifndef GATHERD_RUNNER_ENVIRONMENT_H
#define GATHERD_RUNNER_ENVIRONMENT_H

#include "daemon/runner/run.h"

struct environment {
	char **list; /* ends in NULL; owned, the strings of START borrowed */
	char  *own;  /* the key and the secrets; owned */
	size_t own_bytes;
};

/* `secrets_dir_fd` -1: there are none. Returns RUN_STAGE_NONE, or the stage with errno in `failed`;
 * `e` is closed then. */
enum run_stage environment_build(struct environment *e, const struct run_start *start,
                                 int secrets_dir_fd, int *failed);
void           environment_close(struct environment *e); /* wipes it */

#endif
