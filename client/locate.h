/*
 * locate.h - from a JSON Pointer to the place in the text.
 *
 * The text has been parsed before, so it is JSON; the scanner still never leaves it. Cost: linear
 * in the text. Threads: none. Source: RFC 6901 (JSON Pointer).
 */
#ifndef GATHERD_CLIENT_LOCATE_H
#define GATHERD_CLIENT_LOCATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes [from, to): a member from its key to the end of its value; anything else just its value. */
struct locate_span {
	size_t from;
	size_t to;
};

struct locate_place {
	uint32_t line;   /* from 1 */
	uint32_t column; /* from 1, in characters */
	size_t   line_from;
	size_t   line_to; /* without the line's end */
};

/* False when the pointer leads nowhere in this text. */
bool locate_pointer(const char *text, size_t bytes, const char *pointer, struct locate_span *out);
/* `offset` may be at most `bytes`. */
struct locate_place locate_offset(const char *text, size_t bytes, size_t offset);

#endif
