/*
 * launch.h - from what a job asks for to what the runner is told to start.
 *
 * The environment is built, never the daemon's: PATH, HOME, USER, LOGNAME, SHELL, LANG and what the
 * job says. Without a `cwd` a command starts in HOME, or in / where there is no such directory.
 *
 * Ownership: a launch owns all that its `start` points to. Threads: any; the request is only read.
 */
#ifndef GATHERD_EFFECT_LAUNCH_H
#define GATHERD_EFFECT_LAUNCH_H

#include "daemon/runner/run.h"
#include "daemon/value/value.h"
#include "proto/base/arena.h"
#include "proto/base/err.h"

struct launch {
	struct run_start start; /* ref and key are left to the caller, and tells_output */
	struct arena     arena;
};

/* `request` is the data of an ENGINE_EXEC. Errors, all of them its own fault, but for GD_NOMEM: see
 * `stage`; nothing is kept then. */
GD_NODISCARD enum gd_err launch_build(struct value request, struct launch *out,
                                      enum run_stage *stage, struct gd_error *why);
void                     launch_close(struct launch *l);

#endif
