/*
 * chunk.h - many events as the bytes of one row.
 *
 * A row for each event would cost more than the event. A chunk is a version byte, then events in
 * seq order, little-endian:
 *
 *	kind u8 | ordinal u32 | job u64 | body bytes u32 | body
 *
 * The first has the chunk's first seq, each following one the next. A hole (kind 0) stands for
 * `ordinal` seqs whose events were deleted, so that the others keep their numbers.
 *
 * Threads: none.
 */
#ifndef GATHERD_STORE_CHUNK_H
#define GATHERD_STORE_CHUNK_H

#include "daemon/store/store.h"
#include "proto/base/buf.h"

#define CHUNK_BYTES_MAX (64 * 1024) /* a larger event is a chunk of its own */

struct chunk_writer {
	struct buf bytes; /* owned; empty: no event yet */
	uint64_t   first_seq;
	uint64_t   last_seq;
};

static inline bool chunk_is_empty(const struct chunk_writer *w)
{
	return w->bytes.bytes == 0;
}

/* Whether an event of so many bytes still belongs into this chunk; an empty one takes any. */
bool chunk_has_room(const struct chunk_writer *w, size_t body_bytes);
/* Appends; e->seq follows the last one. Failure sticks in w->bytes. */
void chunk_add(struct chunk_writer *w, const struct event *e);
void chunk_clear(struct chunk_writer *w);
void chunk_close(struct chunk_writer *w);

/* Borrows the bytes. */
struct chunk_reader {
	const unsigned char *at;
	const unsigned char *end;
	uint64_t             next_seq;
	uint32_t             seqs_left;  /* that a chunk may still hold */
	bool                 is_damaged; /* the bytes are not a chunk; reading has stopped there */
};

void     chunk_open(struct chunk_reader *r, uint64_t first_seq, struct text bytes);
/* False: no more. The body points into the chunk; nothing stands behind it. */
bool     chunk_next(struct chunk_reader *r, struct event *out);
/* The seq of the first event, given at least the first 32 bytes of a chunk. */
uint64_t chunk_first_kept(uint64_t first_seq, struct text head);

typedef bool chunk_is_gone_fn(const void *ctx, uint64_t job);
/* Writes the chunk again with holes for the events of some jobs; returns how many events are left.
 * Look at out->failed and r->is_damaged afterwards. */
uint32_t     chunk_without(struct buf *out, struct chunk_reader *r, chunk_is_gone_fn *is_gone,
                           const void *ctx);

#endif
