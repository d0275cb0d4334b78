/*
 * clock.h - time types. Nothing here reads a clock; whoever may do so (run/, main) hands the
 * time in.
 */
#ifndef GATHERD_BASE_CLOCK_H
#define GATHERD_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds: since 1970-01-01T00:00:00Z where it names a moment, a length otherwise. */
typedef int64_t gd_nsec;

#define GD_NSEC_PER_SEC INT64_C(1000000000)
#define GD_NSEC_PER_MSEC INT64_C(1000000)
#define GD_NSEC_NEVER INT64_MAX /* a deadline that does not come */

/* From `at` on, on a scale that goes forward evenly, the clock on the wall is ahead of that scale
 * by so much: somebody has set it. */
struct gd_wall_step {
	gd_nsec at;
	gd_nsec ahead;
};

#endif
