/*
 * launch.h - from what a job asks for to what the runner is told to start.
 *
 * The environment is built, never the daemon's: see launch_env.h. Without a `cwd` a command starts in
 * HOME, or in / where there is no such directory.
 *
 * Where the job names a profile, all that it says is checked once more: what was worked out could not
 * be checked before, and the configuration, the program and the directories on the way to it may have
 * changed since. The profile that is in force now says the rest.
 *
 * Ownership: a launch owns all that its `start` points to. Threads: any; the request is only read.
 */
#ifndef GATHERD_EFFECT_LAUNCH_H
#define GATHERD_EFFECT_LAUNCH_H

#include "daemon/profile/profile_table.h"
#include "daemon/value/value.h"

struct launch {
	struct run_start start; /* key is left to the caller, and tells_output */
	struct arena     arena;
};

/* `request` is the data of an ENGINE_EXEC. Errors, all of them its own fault, but for GD_NOMEM: see
 * `stage`; nothing is kept then. */
GD_NODISCARD enum gd_err launch_build(struct profile_book *book, struct run_ref ref,
                                      struct value request, struct launch *out,
                                      enum run_stage *stage, struct gd_error *why);
void                     launch_close(struct launch *l);

#define LAUNCH_POOL_BYTES 256u

/* In which pool it waits, when its profile says so. False: as the request says. */
bool launch_pool(struct profile_book *book, struct value request, char out[LAUNCH_POOL_BYTES]);

#endif
