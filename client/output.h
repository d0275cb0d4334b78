/*
 * output.h - what the commands of a job print, while it comes or as it is kept.
 *
 * What was stdout goes to stdout, what was stderr to stderr, in the order in which it came. Each
 * byte comes once: job.log says where it goes on, and a call that was lost is sent again.
 *
 * Ownership: the session and the options are borrowed. Threads: one. Bound: one reply.
 */
#ifndef GATHERD_CLIENT_OUTPUT_H
#define GATHERD_CLIENT_OUTPUT_H

#include "client/session.h"

/* How it is shown. */
enum output_look {
	OUTPUT_BARE,    /* as it is, also to a terminal */
	OUTPUT_HEADERS, /* a line on stderr where another command goes on than the job's only one */
	OUTPUT_PREFIX,  /* each line begins with the address of its command */
	OUTPUT_JSONL    /* a line of JSON for each piece */
};

struct output {
	struct session  *session;
	enum output_look look;
	json_t          *params;     /* of the next job.log; owned */
	json_t          *path;       /* of the command that came last; owned, NULL: none yet */
	json_int_t       attempt;    /* of it */
	json_int_t       skipped[2]; /* bytes of stdout and stderr, told at the end */
	bool             has_told;   /* where the first gap was */
	FILE            *unended;    /* has got the begin of a line; NULL: neither has */
	bool             is_safe[2]; /* stdout, stderr: no terminal, or one that may get it all */
	bool             is_over;    /* nothing more will come, or nobody takes it */
};

/* `params` are those of job.log, taken in any case. */
void output_open(struct output *out, struct session *s, json_t *params, enum output_look look);
void output_close(struct output *out); /* tells what was dropped meanwhile */
/* Asks once and writes what there is; with "follow" it waits for some. `*count` is how many pieces
 * came. Errors: as session_call(). */
GD_NODISCARD enum gd_err output_next(struct output *out, size_t *count, struct gd_error *why);

/* The two halves of it. `*pieces` is a new reference to what comes next, a list. */
GD_NODISCARD enum gd_err output_ask(struct output *out, json_t **pieces, struct gd_error *why);
void                     output_show(struct output *out, const json_t *piece);

#endif
