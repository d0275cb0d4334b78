/*
 * config_file.h - the configuration file, line by line.
 *
 * Below [gatherd] stand the keys of config_key.h; each section [exec NAME] is a profile.
 *
 * For config.c. Ownership: none kept. Threads: as config.h.
 */
#ifndef GATHERD_CONFIG_FILE_H
#define GATHERD_CONFIG_FILE_H

#include "daemon/config.h"

#define CONFIG_SECTION "gatherd"
#define PROFILE_SECTION "exec"

/* Reads c->file: into `c` what no flag gave, and into `profiles`, which is empty. Errors:
 * GD_INVALID_PARAMS with FILE:LINE, GD_SYS, GD_NOMEM; both are then half filled. */
GD_NODISCARD enum gd_err config_file_read(struct config *c, struct profile_table *profiles,
                                          struct gd_error *why);

#endif
