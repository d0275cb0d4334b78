/*
 * commands_inside.h - what the files of commands.h share. Private to them.
 *
 *	commands.c	life, the inputs it feeds, what waits until it is durable
 *	commands_obey.c	what the loop's hooks tell, now or in a replay
 *	commands_hear.c	what the runner says
 */
#ifndef GATHERD_EFFECT_COMMANDS_INSIDE_H
#define GATHERD_EFFECT_COMMANDS_INSIDE_H

#include "daemon/effect/commands.h"

#include <string.h>

_Noreturn void commands_out_of_memory(void);

static inline struct value request_member(struct value dict, const char *name)
{
	return value_dict_get(dict, name, strlen(name));
}

/* --- commands.c --- */

void commands_set_state(struct commands *cs, struct command *c, enum command_state state);
void commands_forget_adopted(struct commands *cs, struct command *c);
void commands_remove(struct commands *cs, struct command *c);
void commands_tell_watchers(struct commands *cs, uint64_t job);
bool commands_is_watched(const struct commands *cs, uint64_t job);

enum errand_kind {
	ERRAND_BEGIN, /* its start record is durable */
	ERRAND_STOP,
	ERRAND_KILL,
	ERRAND_MORE, /* its job has taken its lines */
	ERRAND_ACK,
	ERRAND_TAKEN, /* with `bytes` */
	ERRAND_DROP   /* its job is gone: whatever runs is killed */
};

/* In the arena of its group. */
struct errand {
	struct outbox_item item;
	struct commands   *cs;
	struct run_ref     ref;
	uint64_t           bytes[RUN_STREAMS];
	enum errand_kind   kind;
};

/* Done when all that has happened here so far is durable. */
struct errand *commands_send(struct commands *cs, struct run_ref ref, enum errand_kind kind);

/* Journals and feeds an input of a command; `message` is taken. The command may be gone then. */
void commands_feed(struct commands *cs, const struct command *c, enum engine_in_kind kind,
                   gd_nsec time, uint64_t mark, struct value message);
/* Nothing of it is left; `outcome` is taken. The command is gone then, or has another state. */
void commands_end(struct commands *cs, struct command *c, gd_nsec time, struct value outcome);
/* Its start record is durable: it is started, unless it was stopped before. */
void commands_go(struct commands *cs, struct command *c);

/* --- commands_hear.c --- */

/* By this state of it, which is over. */
void commands_end_with(struct commands *cs, struct command *c, const struct run_state *state);
/* Gives its job the lines that it is ready for, and its end when they are all given. The command may
 * be gone then. */
void commands_serve_lines(struct commands *cs, struct command *c);

#endif
