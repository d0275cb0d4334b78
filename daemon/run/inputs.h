/*
 * inputs.h - what happens to a job from outside: journaled, and fed to the engine at once.
 *
 * The journal row goes into the open group before what it causes, so both become durable together
 * or not at all, and nothing of it is seen before. Memory that ends here ends the process.
 * Threads: the loop's own.
 */
#ifndef GATHERD_RUN_INPUTS_H
#define GATHERD_RUN_INPUTS_H

#include "daemon/load/load.h"
#include "daemon/run/loop.h"

/* job.cancel. `reason` is UTF-8 or NULL. False when the job does not live here (any more), or
 * ended by itself before the cancel reached it. `*ended` is set when the job ended at once, with `*status`. */
bool inputs_cancel(struct loop *l, uint64_t job, const char *reason, bool *ended,
                   enum job_status *status);
/* job.signal. All is borrowed. */
struct signal {
	const char   *event; /* UTF-8, 1 to EVENT_NAME_BYTES_MAX */
	const json_t *value; /* of at most SIGNAL_VALUE_BYTES_MAX; NULL: null */
	const char   *key;   /* NULL: none */
};
/* What has become of it. GD_OK: the job has it, or had it before (is_known); GD_NOT_FOUND: the job
 * does not live here (any more), or ended by itself before the signal reached it; else as
 * engine_check_signal(), or GD_NOMEM, and nothing has happened. The job has begun (submit_defers()). */
struct engine_signal_check inputs_signal(struct loop *l, uint64_t job, const struct signal *s);
/* Whether a stored input (READ_SIGNAL) is this signal. Memory that ends is a no. */
bool inputs_is_signal(struct loop *l, const struct store_input *stored, const struct signal *s);
/* A permit was granted to `ticket` of `job`; the loop's clock goes to `time` if it is behind.
 * Nothing happens to a job that does not live here any more: it has given the permit back. */
void inputs_grant(struct loop *l, uint64_t job, uint32_t ticket, gd_nsec time);
/* What answers an effect (BEGIN, EXITED, LINES, RESUME), with its time, which is not before the clock
 * of its job; the message is borrowed. The job lives here. */
void inputs_feed(struct loop *l, const struct engine_in *in);
/* Gives every job that wants to know the time an ENGINE_NOW. */
void inputs_answer_wants(struct loop *l);

#endif
