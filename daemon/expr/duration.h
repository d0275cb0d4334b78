/*
 * duration.h - lengths of time and moments, as a job writes them.
 *
 * A duration is a number of seconds (any, also negative) or text such as "250ms", "90s", "1h30m",
 * "1.5d": numbers with the units d h m s ms us ns, added up. A moment is a number of seconds since
 * the epoch or RFC 3339 text with an offset. What is too long or too far away saturates.
 *
 * Cost: linear in the text. Threads: none. No libc time functions: no time zone, no locale.
 * Source: RFC 3339; days from civil by H. Hinnant, "chrono-compatible low-level date algorithms".
 */
#ifndef GATHERD_EXPR_DURATION_H
#define GATHERD_EXPR_DURATION_H

#include "daemon/expr/expr.h"

/* Nanoseconds; more than 0 and less than 1 becomes 1. Beyond int64: GD_NSEC_NEVER, or minus that.
 * On false `why` holds a TypeError (no number, no text) or a ValueError (bad text). */
bool duration_of_value(struct value v, gd_nsec *out, struct expr_error *why);

/* Nanoseconds since the epoch; after the year 2262 GD_NSEC_NEVER. Errors as above. */
bool time_of_value(struct value v, gd_nsec *out, struct expr_error *why);

#endif
