/*
 * trusted_path.h - whether nobody but root and ourselves can decide what a path leads to.
 *
 * Every step of the way is looked at, symbolic links and what they lead through included: it belongs
 * to root or to the user of this process, and neither its group nor others may write to it. A
 * directory to which all may write is good if it is sticky (/tmp): what is ours in it stays ours. So
 * what was looked at is still the same when it is executed later.
 *
 * Threads: any. Source: sshd's rule for the way to authorized_keys.
 */
#ifndef GATHERD_PROFILE_TRUSTED_PATH_H
#define GATHERD_PROFILE_TRUSTED_PATH_H

#include "proto/base/err.h"

/* Of an absolute path to a plain file that can be executed. Errors: GD_FORBIDDEN, with the step that
 * is wrong; GD_SYS. */
GD_NODISCARD enum gd_err trusted_path_check(const char *path, struct gd_error *why);

#endif
