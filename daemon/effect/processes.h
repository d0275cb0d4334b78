/*
 * processes.h - commands of jobs, for the whole process: the pools, the runner, and each loop's part.
 *
 *	engine -> commands (one for each loop) -> port (on loop 0) -> gatherd-runner
 *	             ^     `-> pools --grant--'
 *	             `---------- what the runner says --------'
 *
 * Ownership: opaque; processes_close() frees. Threads: processes_open() and processes_close() on the main thread
 * while no loop runs; processes_commands() and what it gives on the loop's own; processes_count() from any.
 */
#ifndef GATHERD_EFFECT_PROCESSES_H
#define GATHERD_EFFECT_PROCESSES_H

#include "daemon/effect/commands.h"

struct processes;

struct processes_config {
	const char          *state_dir;
	const char          *runner_socket;  /* NULL or "": in the state directory */
	const char          *runner_program; /* absolute; NULL: somebody else starts it */
	const char          *credentials;    /* of the runner that we start; NULL or "": none */
	struct profile_book *profiles;       /* borrowed */
};

/* After pool_use_store(), before recover_open(). The pool gets its `slots`. Errors: GD_NOMEM, GD_SYS, GD_LIMIT. */
GD_NODISCARD enum gd_err processes_open(const struct processes_config *config, struct pool *pool,
                                        struct processes **out, struct gd_error *why);
void                     processes_close(struct processes *x);
/* Looks for a runner that is there already. Before the loops run. */
void                     processes_start(struct processes *x);

struct commands *processes_commands(struct processes *x, const struct loop *l);
/* Commands that have begun and not ended, and those that wait for their turn. */
void             processes_count(const struct processes *x, uint32_t *running, uint32_t *waiting);

#endif
