/*
 * submit.h - handing in a job, for the commands that do so.
 *
 * Threads: one.
 */
#ifndef GATHERD_CLIENT_SUBMIT_H
#define GATHERD_CLIENT_SUBMIT_H

#include "client/client.h"

/* Reads the job that the operand names. CLIENT_DONE, or CLIENT_USAGE after the words were printed.
 * `source` is to be closed in every case. */
int submit_read(const struct options *o, struct source *source);
/* Calls job.submit with it, the options and a key (a random one where none was given). CLIENT_DONE
 * with `*reply`, a new reference; anything else after the words were printed. */
int submit_job(struct session *s, const struct options *o, const struct source *source,
               json_t **reply);

#endif
