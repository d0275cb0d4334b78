/*
 * effects.h - what jobs can ask of the world, for the whole process: commands, threads, HTTP.
 *
 *	engine -> commands -> port -> gatherd-runner		processes.h
 *	       `-> calls ---> thread pool -> blocking/		calls.h
 *	             `------> http/ (one client for each loop)
 *
 * Here it is decided who hears what a loop puts out, and what it takes.
 *
 * Ownership: opaque; effects_close() frees. Threads: open, start, stop and close on the main thread;
 * effects_commands(), effects_calls() and what they give on the loop's own; effects_count() from any.
 */
#ifndef GATHERD_EFFECT_EFFECTS_H
#define GATHERD_EFFECT_EFFECTS_H

#include "daemon/blocking/blocking.h"
#include "daemon/effect/calls.h"
#include "daemon/effect/processes.h"
#include "daemon/http/http.h"

struct effects;

/* What it points to is borrowed while it opens, but for the parts of `processes`. */
struct effects_config {
	struct processes_config   processes;
	uint32_t                  threads; /* at least 1 */
	struct blocking_options   blocking;
	struct http_policy_config policy;
	struct http_limits        http; /* of each loop */
};

struct effects_counts {
	uint32_t commands_running, commands_waiting;
	uint32_t running[CALL_KINDS], waiting[CALL_KINDS];
};

/* After pool_use_store(), before recover_open(): from now on the loops know what to do with what jobs
 * ask for. Errors: GD_NOMEM, GD_SYS, GD_LIMIT, GD_INVALID_PARAMS (a root, or the certificates). */
GD_NODISCARD enum gd_err effects_open(const struct effects_config *config, struct pool *pool,
                                      struct effects **out, struct gd_error *why);
/* Before the loops run. */
void                     effects_start(struct effects *x);
/* When no loop runs any more, before pool_drain(): what threads have done by now is there then. */
void                     effects_stop(struct effects *x);
void                     effects_close(struct effects *x); /* NULL: nothing */

/* Where jobs may read and write; read only. */
const struct blocking_config *effects_blocking(const struct effects *x);
/* Where jobs may go; read only. */
const struct http_policy     *effects_http(const struct effects *x);
struct commands              *effects_commands(struct effects *x, const struct loop *l);
struct calls                 *effects_calls(struct effects *x, const struct loop *l);
/* What is held of `job`, all or at this address (NULL), goes on: "retry" or "fail". How many. On the
 * loop's own thread. */
uint32_t effects_resume(struct effects *x, const struct loop *l, uint64_t job, const char *path,
                        const char *what);
struct effects_counts effects_count(const struct effects *x);

#endif
