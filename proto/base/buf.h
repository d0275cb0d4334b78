/*
 * buf.h - a byte buffer that grows up to a stated cap.
 *
 * The first failure (no memory, or the cap) sticks: later appends do nothing, and one look at
 * `failed` at the end is enough. All zero is a valid empty buffer without a cap.
 *
 * Ownership: buf_close() frees the bytes. Cost: appends are amortised O(1). Threads: none.
 */
#ifndef GATHERD_BASE_BUF_H
#define GATHERD_BASE_BUF_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char       *at;     /* owned; not terminated */
	size_t      bytes;  /* in use */
	size_t      room;   /* allocated */
	size_t      cap;    /* never more than this; 0: no cap */
	enum gd_err failed; /* GD_OK, GD_NOMEM or GD_LIMIT */
};

void buf_init(struct buf *b, size_t cap);
void buf_close(struct buf *b);
/* Empties it for reuse, forgets a failure, keeps the memory. */
void buf_clear(struct buf *b);

void  buf_add(struct buf *b, const void *bytes, size_t count);
void  buf_add_byte(struct buf *b, char byte);
void  buf_add_text(struct buf *b, const char *text);
void  buf_add_u64(struct buf *b, uint64_t number);
void  buf_add_i64(struct buf *b, int64_t number);
/* A JSON string with its quotes; control characters, quotes and backslashes escaped, UTF-8 as it
 * is. `text` must be valid UTF-8. */
void  buf_add_json_string(struct buf *b, const char *text, size_t bytes);
void  buf_addf(struct buf *b, const char *fmt, ...) GD_PRINTF(2, 3);
/* Room for `count` more bytes at the returned place, or NULL with `failed` set; the caller writes
 * there and then adds to `bytes`. */
char *buf_reserve(struct buf *b, size_t count);

#endif
