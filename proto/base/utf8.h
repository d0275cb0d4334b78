/*
 * utf8.h - how far bytes from strangers are text (RFC 3629). NUL is none here.
 *
 * Threads: any. Cost: O(bytes).
 */
#ifndef GATHERD_BASE_UTF8_H
#define GATHERD_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* How many of the first bytes are whole characters. */
size_t utf8_prefix(const char *at, size_t bytes);
/* Whether these bytes, where utf8_prefix() has stopped, may be the beginning of a character whose
 * end is still to come. */
bool   utf8_is_cut(const char *at, size_t bytes);

#endif
