/*
 * run.h - watching a job that was handed in until it is over.
 *
 * The first Ctrl-C cancels the job and goes on watching, since its clean-up is worth seeing; the
 * second one leaves.
 *
 * Ownership: everything in struct run is borrowed. Threads: one.
 */
#ifndef GATHERD_CLIENT_RUN_H
#define GATHERD_CLIENT_RUN_H

#include "client/client.h"

struct run {
	const struct options *o;
	struct session       *session;
	json_int_t            id;
	gd_nsec               deadline;
	int                   interrupts_seen;
};

/* Both watch until the job is over, and give its end as {id, status, result or error}, a new
 * reference. CLIENT_DONE with `*outcome`; anything else after words. */
int run_events(struct run *r, json_int_t seq, json_t **outcome); /* from event `seq` on */
int run_output(struct run *r, json_t **outcome);                 /* shows what commands print */

enum run_turn { RUN_GOES_ON, RUN_CANCELS, RUN_LEAVES };
/* What the Ctrl-Cs up to now ask for; RUN_CANCELS once, after words. */
enum run_turn run_look(struct run *r);
/* Says why nobody watches any more and how to go on; gives `exit_code`. */
int           run_tell_where(const struct run *r, int exit_code, const char *what);
/* The same after a call that failed, with the words and the exit code of that. */
int           run_fail(const struct run *r, enum gd_err rc, const struct gd_error *why);
/* `value` is taken. */
json_t       *run_make_outcome(const struct run *r, const char *status, json_t *value);

#endif
