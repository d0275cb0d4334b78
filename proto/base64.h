/*
 * base64.h - bytes as text in JSON (RFC 4648, section 4, with padding).
 *
 * Threads: any. Needs libcrypto.
 */
#ifndef GATHERD_PROTO_BASE64_H
#define GATHERD_PROTO_BASE64_H

#include "proto/base/buf.h"

#define BASE64_BYTES_MAX (16u << 20) /* at once */

/* Appends the text. Failure sticks in `b`. */
void base64_write(struct buf *b, const void *bytes, size_t count);
/* Appends the bytes; false when it is no such text, and nothing was appended. Failure sticks in
 * `b`. */
bool base64_read(struct buf *b, const char *text, size_t chars);

#endif
