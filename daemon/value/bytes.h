/*
 * bytes.h - bytes of the world as values: text where they are text, {"base64": text} where not.
 *
 * What a command has printed, what a file holds and what a database keeps come in this form; what a
 * job gives to them may, too.
 *
 * Threads: none, as value.h. Cost: O(bytes). Source: RFC 4648, section 4.
 */
#ifndef GATHERD_VALUE_BYTES_H
#define GATHERD_VALUE_BYTES_H

#include "daemon/value/value.h"

/* True when the bytes are what a text may hold: UTF-8 without NUL. */
bool                bytes_are_text(const void *bytes, size_t count);
/* New references; VALUE_NONE and h->failed when memory ends. The second one is {"base64": text}
 * whatever they are. */
struct value        bytes_new(struct value_heap *h, const void *bytes, size_t count);
struct value        bytes_new_base64(struct value_heap *h, const void *bytes, size_t count);
/* The text of {"base64": text}; NULL: `v` is something else. Borrowed. */
const struct vtext *bytes_coded(struct value v);

/* Appends them as base64. */
void bytes_code(struct buf *b, const void *bytes, size_t count);
/* Appends the bytes of a text; false where it is no base64. Strict: whole groups, padding at the end
 * alone, no bits left over. */
bool bytes_decode(struct buf *b, const struct vtext *text);

#endif
