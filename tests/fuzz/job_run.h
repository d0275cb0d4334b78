/*
 * job_run.h - one job in an engine of its own, under a virtual clock, and again from its journal.
 *
 * A script says what happens to the job, a byte for each act; bytes without a meaning are passed
 * over:
 *
 *	.   a little of what is due now         c   a cancel with a reason
 *	+   a millisecond passes                C   a cancel without one
 *	>   on to the next deadline             s   the await tree is asked for
 *	g   a permit for who asked first        e   its event "go" is signalled, each time with
 *	E   the same under one key                  another value
 *
 * After the script all permits are given, and it goes from deadline to deadline, up to a bound. Then
 * a second engine gets the inputs alone, as recovery would, and must say the same. What must hold on
 * the way stops the process: outputs are numbered, in time, JSON; a job ends once; nothing of it
 * stays behind.
 *
 * Threads: none. Cost: at most about 2 * JOB_RUN_STEPS * JOB_RUN_BUDGET ops.
 */
#ifndef GATHERD_TESTS_FUZZ_JOB_RUN_H
#define GATHERD_TESTS_FUZZ_JOB_RUN_H

#include "daemon/engine/program.h"

#define JOB_RUN_STEPS 400u
#define JOB_RUN_BUDGET 16u
#define JOB_RUN_INPUTS_MAX 64u

/* With the defaults of its args. */
void job_run_twice(struct program *p, const uint8_t *script, size_t count);

#endif
