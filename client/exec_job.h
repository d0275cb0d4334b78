/*
 * exec_job.h - a command line as a job: one exec, with what the options say about it.
 *
 * A job is stored, so nothing of the caller's environment goes along in secret: the present
 * directory, PATH, HOME, LANG, LC_*, TERM, and what --env and --env-all name. With --profile not
 * even those by themselves, since a profile brings its own. What was typed reaches the command as
 * it was typed: a "${" in it is written as "$${".
 *
 * Threads: one; reads the environment.
 */
#ifndef GATHERD_CLIENT_EXEC_JOB_H
#define GATHERD_CLIENT_EXEC_JOB_H

#include "client/options.h"

#define EXEC_JOB_INPUT_MAX (1u << 20) /* bytes of standard input */
#define EXEC_JOB_TITLE_BYTES_MAX 100u /* of a title that is made of the command line */
#define EXEC_JOB_ARGUMENT "stdin"     /* the job's argument that holds the input */

/* The spec of the command in the operands. With --stdin it has an argument EXEC_JOB_ARGUMENT.
 * `*spec` is a new reference. Errors: GD_INVALID_PARAMS (something is not UTF-8, a variable that is
 * not set, --delay without --retry), GD_SYS (the present directory is gone), GD_NOMEM. */
GD_NODISCARD enum gd_err exec_job_make(const struct options *o, json_t **spec,
                                       struct gd_error *why);

/* `fd` to its end, as exec's stdin takes it: text, or {"base64": text} where it is no text that
 * JSON can hold. A new reference. Errors: GD_SYS, GD_LIMIT, GD_NOMEM. */
GD_NODISCARD enum gd_err exec_job_read_input(int fd, json_t **input, struct gd_error *why);

#endif
