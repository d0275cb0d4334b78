/*
 * inputs.h - what happens to a job from outside: journaled, and fed to the engine at once.
 *
 * The journal row goes into the open group before what it causes, so both become durable together
 * or not at all, and nothing of it is seen before. Memory that ends here ends the process.
 * What happened before the restart, and is heard of now, is of an earlier time than some of what the job
 * had done already: timers need no journal. So a job of an earlier life is first taken to where it was,
 * as far as anybody can tell: until all of its stored events have come out again, and all of its children
 * were asked for.
 *
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
/* The parent of a job that may live here wants it cancelled, once for all or for the second time:
 * `wanted` is 1 or 2. `message` is UTF-8 or NULL. What it has heard already is not repeated. */
void inputs_stop(struct loop *l, uint64_t job, uint32_t wanted, const char *message, gd_nsec time);
/* A child of `job`, which lives here, is over; `outcome` is its result or error, JSON. */
void inputs_child_ended(struct loop *l, uint64_t job, uint32_t ticket, enum job_status status,
                        gd_nsec time, struct text outcome);
/* Whether a job that lives here has not come to where it was before the restart. */
bool inputs_is_behind(const struct loop *l, uint64_t job);
/* Gives every job that wants to know the time an ENGINE_NOW. */
void inputs_answer_wants(struct loop *l);

#endif
