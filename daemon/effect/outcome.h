/*
 * outcome.h - how a command ended, in the words of the engine (ENGINE_EXITED).
 *
 * Threads: that of the heap. Errors: h->failed. Output that cannot be read is told in the log and
 * counts as dropped.
 */
#ifndef GATHERD_EFFECT_OUTCOME_H
#define GATHERD_EFFECT_OUTCOME_H

#include "daemon/runner/run.h"
#include "daemon/value/value.h"

enum outcome_streams {
	OUTCOME_APART,     /* stdout and stderr */
	OUTCOME_ONLY_ERROR /* stdout went to the job, line by line */
};

/* A new reference. `dir` is where its output lies, `state` one that is over: exited, failed, lost. */
struct value outcome_of_state(struct value_heap *h, const char *dir, const struct run_state *state,
                              enum outcome_streams streams);
/* It could not be started, for a reason that was found here. */
struct value outcome_of_failure(struct value_heap *h, enum run_stage stage, int number,
                                const char *words);
/* It was never started, since it was stopped before. */
struct value outcome_of_nothing(struct value_heap *h);
struct value outcome_of_interruption(struct value_heap *h, const char *words);

#endif
