/*
 * commands.h - the commands of the jobs of one loop: between its engine, the pools and the runner.
 *
 * What the engine puts out is obeyed when what it rests on is durable; what the runner says becomes
 * a journaled input; what the runner keeps is let go (ACK) when that is durable. So a start record
 * is on the disk before its command runs, and an end that a crash forgets is told again.
 *
 * After a restart replay fills the table. Then the runner's account decides on each command that had
 * begun: what it knows is adopted; what it does not know was never started, and starts now, as long
 * as the host has not been started anew in between: then nobody knows. Until the account is complete
 * no timer of the loop fires, so that what ended in time has ended in time; but for PATIENCE only.
 *
 * Ownership: processes.c owns one for each loop. Threads: the loop's own. Memory that ends here ends the
 * process, see loop_step().
 */
#ifndef GATHERD_EFFECT_COMMANDS_H
#define GATHERD_EFFECT_COMMANDS_H

#include "daemon/effect/command.h"
#include "daemon/effect/port.h"
#include "daemon/run/semaphores.h"

#define COMMANDS_PATIENCE_SECONDS 1
#define COMMANDS_POOL_USUAL "default" /* of a command that names none */

/* Somebody on this loop who wants to hear of a job's commands: one has more output, has begun, or is
 * over. `told` may end the watch. */
struct command_watch {
	struct command_watch *next;
	uint64_t              job;
	void (*told)(struct command_watch *w);
};

struct commands {
	struct loop          *loop; /* borrowed, as all but the table */
	struct port          *port;
	struct semaphores    *slots; /* the pools of processes */
	struct profile_book  *profiles;
	const char           *key_prefix;
	uint64_t              boot; /* which one of the host this is */
	struct ticket_table   table;
	struct command_watch *watches;
	struct event         *patience; /* owned; NULL: nobody was waited for */
	uint32_t              account;  /* counts the runner's accounts */
	uint32_t              adopted;  /* commands with is_adopted */
	bool                  is_impatient;
	_Atomic uint32_t      running, waiting; /* for others to read */
};

/* What is borrowed is set by the caller, and all else zero. */
void commands_close(struct commands *cs);

/* For the hooks of the loop, see loop_effects. */
void commands_obey(struct commands *cs, const struct engine_out *out);
void commands_took(struct commands *cs, const struct engine_in *in);
void commands_forget(struct commands *cs, uint64_t job, gd_nsec time);
bool commands_hold_time(struct commands *cs);

/* A semaphores_grant_fn's word: `ticket` of `job` may begin. */
void commands_begin(struct commands *cs, uint64_t job, uint32_t ticket, gd_nsec time);
/* A port_hear_fn's. */
bool commands_hear(struct commands *cs, struct port_word *w);

/* Live ones of a job, in no order; borrowed, until the next turn. */
typedef void commands_each_fn(void *ctx, const struct command *c);
void commands_each(const struct commands *cs, uint64_t job, commands_each_fn *fn, void *ctx);

/* Those of `job` that are held, all or at this address (NULL), go on: "retry" or "fail". How many. */
uint32_t commands_resume(struct commands *cs, uint64_t job, const char *path, const char *what);

/* From now until commands_unwatch(). */
void commands_watch(struct commands *cs, struct command_watch *w);
void commands_unwatch(struct commands *cs, struct command_watch *w);

#endif
