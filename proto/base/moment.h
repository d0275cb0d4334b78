/*
 * moment.h - RFC 3339 text to a moment and back.
 *
 * Takes 2030-01-31T09:00:00Z, a fraction of a second of up to nine digits, and offsets such as
 * +02:00; a text without offset is refused, since nobody can say when it is. A leap second (:60) is
 * the first moment of the next minute. Years 1970 to 2261.
 *
 * Threads: any. Source: RFC 3339 section 5.6; days from civil after H. Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms".
 */
#ifndef GATHERD_BASE_MOMENT_H
#define GATHERD_BASE_MOMENT_H

#include "proto/base/clock.h"

#include <stdbool.h>
#include <stddef.h>

#define MOMENT_TEXT_BYTES 32u /* room for moment_write() */

bool moment_read(const char *text, gd_nsec *out);
/* UTC, without a fraction when there is none in milliseconds: 2030-01-31T09:00:00.250Z. */
void moment_write(gd_nsec moment, char out[MOMENT_TEXT_BYTES]);

#endif
