/*
 * journal_value.h - a value to bytes and back, as part of a journaled input.
 *
 * Little-endian, a tag and what follows it; the same value gives the same bytes on every machine.
 * Threads: none. Cost: linear.
 */
#ifndef GATHERD_STORE_JOURNAL_VALUE_H
#define GATHERD_STORE_JOURNAL_VALUE_H

#include "daemon/value/value.h"

/* Lists and dicts inside each other: any value, and what stands around it. */
#define JOURNAL_DEPTH_MAX (VALUE_DEPTH_MAX + 2)

/* Appends a value that is JSON, of at most JOURNAL_DEPTH_MAX. Failure sticks in `b`. */
void journal_add_value(struct buf *b, struct value v);
void journal_add_number(struct buf *b, uint64_t number, int bytes);

/* What is left to read. `is_bad` sticks: it is no encoding, or memory ended (then heap.failed). */
struct journal_cursor {
	const unsigned char *at;
	size_t               left;
	bool                 is_bad;
};

/* A new reference; VALUE_NONE when it is bad. */
struct value journal_get_value(struct value_heap *h, struct journal_cursor *c);
uint64_t     journal_get_number(struct journal_cursor *c, int bytes); /* 0 when it is bad */

#endif
