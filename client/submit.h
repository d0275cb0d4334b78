/*
 * submit.h - handing in a job, for the commands that do so.
 *
 * Threads: one.
 */
#ifndef GATHERD_CLIENT_SUBMIT_H
#define GATHERD_CLIENT_SUBMIT_H

#include "client/client.h"

/* A job that is to be handed in. */
struct submission {
	struct source source;
	json_t       *args; /* owned; NULL: none */
};

/* Reads the job that the operand names, or makes one of the command line behind "--". CLIENT_DONE,
 * or CLIENT_USAGE after the words were printed. `sub` is to be closed in every case. */
int  submit_read(const struct options *o, struct submission *sub);
void submit_close(struct submission *sub);
/* Calls job.submit with it, the options and a key (a random one where none was given). CLIENT_DONE
 * with `*reply`, a new reference; anything else after the words were printed. */
int  submit_job(struct session *s, const struct options *o, const struct submission *sub,
                json_t **reply);
/* What --print-spec asks for: the whole job on stdout, its input as the default of its argument. */
int  submit_print(const struct submission *sub);

#endif
