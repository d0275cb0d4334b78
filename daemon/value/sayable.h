/*
 * sayable.h - whether a value can leave the engine as JSON.
 *
 * Inside, values may hold handles, share themselves (a list of the same list twice, sixty times over,
 * has few nodes and no end of JSON), and be deeper than a reader follows. What leaves is checked here
 * first. Cost: O(bytes allowed), however large the value. Threads: any.
 */
#ifndef GATHERD_VALUE_SAYABLE_H
#define GATHERD_VALUE_SAYABLE_H

#include "daemon/value/value.h"

/* NULL when `v` is JSON of at most JOB_RESULT_BYTES_MAX bytes. Otherwise the type of the error, and
 * in `*why` what is wrong with "the result", "a yield", ...: "holds a task handle". `*bytes` is about
 * as many as its JSON has, or as were looked at. */
const char *value_unsayable(struct value v, size_t *bytes, const char **why);

#endif
