/*
 * command.h - one command under way, and the table of those of one loop. Private to daemon/effect/.
 *
 *	          grant of its pool: BEGIN        durable: START        the runner's word
 *	WAITING --------------------------> BEGUN ------------> STARTED ----------------> (EXITED)
 *	                                       `--stopped before it was started: EXITED    |  |
 *	                                                                                   |  |
 *	   lines that its job has not taken yet: ENDING, then EXITED  <--------------------'  |
 *	   interrupted, and on_interrupt is hold: HELD, until RESUME  <-----------------------'
 *
 * After EXITED it is here no more, unless its job wants another attempt: then it is WAITING again.
 *
 * Ownership: the table owns its commands. Threads: none; one table for each loop. Cost: O(1); all of
 * one job: O(all).
 */
#ifndef GATHERD_EFFECT_COMMAND_H
#define GATHERD_EFFECT_COMMAND_H

#include "daemon/effect/lines.h"
#include "daemon/effect/ticket_table.h"
#include "proto/base/clock.h"

enum command_state {
	COMMAND_WAITING, /* has a claim in its pool */
	COMMAND_BEGUN,   /* its start record is journaled; the runner was not told of it, here */
	COMMAND_STARTED, /* the runner knows it, or will */
	COMMAND_ENDING,  /* has ended; its job has not taken all its lines */
	COMMAND_HELD
};

struct command {
	struct ticket_entry entry; /* first */
	uint32_t            attempt;
	enum command_state  state;
	bool                is_durable; /* BEGUN and on: the start record is */
	bool                is_adopted; /* BEGUN by a daemon before this one; not heard of yet */
	bool                is_running; /* the runner said so */
	bool                is_stopped;
	bool                gives_lines;
	bool                is_to_hold; /* when it is interrupted */
	uint32_t            owed;       /* LINES that its job is ready for */
	uint32_t            heard;      /* in which of the runner's accounts it stood */
	int32_t             pid;        /* 0: not known */
	gd_nsec             begun;
	gd_nsec             grace;
	uint64_t            boot;               /* of the host, in which it began */
	uint64_t            offset;             /* of stdout: its job has what is before it */
	uint64_t            bytes[RUN_STREAMS]; /* as far as was told */
	struct lines       *lines;              /* owned; NULL: not read from yet */
	struct run_state   *end;                /* owned; ENDING */
	size_t              path_bytes;
	char                path[]; /* address of its op, UTF-8, NUL behind it */
};

void            command_table_close(struct ticket_table *t); /* with the commands in it */
/* NULL: no memory. It must not be there. */
struct command *command_add(struct ticket_table *t, uint64_t job, uint32_t ticket, const char *path,
                            size_t path_bytes);
void            command_remove(struct ticket_table *t, struct command *c);
/* NULL: it is not there. */
static inline struct command *command_find(const struct ticket_table *t, uint64_t job,
                                           uint32_t ticket)
{
	return (struct command *)(void *)ticket_table_find(t, job, ticket);
}
/* See ticket_table_next(). */
static inline struct command *command_next(const struct ticket_table *t, const struct command *c)
{
	return (struct command *)(void *)ticket_table_next(t, c == NULL ? NULL : &c->entry);
}

/* For another attempt: nothing is known of it. */
void command_reset(struct command *c);

static inline struct run_ref command_ref(const struct command *c)
{
	return (struct run_ref){ .job = c->entry.job,
		                 .exec = c->entry.ticket,
		                 .attempt = c->attempt };
}

#endif
