#include "daemon/store/chunk.h"

#include "proto/base/check.h"

#include <string.h>

#define CHUNK_VERSION 1
#define HEAD_BYTES 17
#define KIND_HOLE 0
#define SEQS_MAX (CHUNK_BYTES_MAX / HEAD_BYTES) /* of one chunk, holes and all */

static void put_u32(char *to, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		to[i] = (char)(number >> (8 * i) & 0xff);
}

static void put_u64(char *to, uint64_t number)
{
	put_u32(to, (uint32_t)number);
	put_u32(to + 4, (uint32_t)(number >> 32));
}

static uint32_t get_u32(const unsigned char *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t get_u64(const unsigned char *at)
{
	return get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

static void add_one(struct buf *b, unsigned kind, uint32_t ordinal, uint64_t job, struct text body)
{
	char *to;

	CHECK(body.bytes <= UINT32_MAX - HEAD_BYTES);
	to = buf_reserve(b, HEAD_BYTES + body.bytes);
	if (to == NULL)
		return;
	to[0] = (char)kind;
	put_u32(to + 1, ordinal);
	put_u64(to + 5, job);
	put_u32(to + 13, (uint32_t)body.bytes);
	if (body.bytes != 0)
		memcpy(to + HEAD_BYTES, body.at, body.bytes);
	b->bytes += HEAD_BYTES + body.bytes;
}

bool chunk_has_room(const struct chunk_writer *w, size_t body_bytes)
{
	return chunk_is_empty(w) || w->bytes.bytes + HEAD_BYTES + body_bytes <= CHUNK_BYTES_MAX;
}

void chunk_add(struct chunk_writer *w, const struct event *e)
{
	if (chunk_is_empty(w)) {
		buf_add_byte(&w->bytes, CHUNK_VERSION);
		w->first_seq = e->seq;
	} else {
		CHECK(e->seq == w->last_seq + 1);
	}
	w->last_seq = e->seq;
	add_one(&w->bytes, (unsigned)e->kind, e->ordinal, e->job, e->body);
}

void chunk_clear(struct chunk_writer *w)
{
	buf_clear(&w->bytes);
}

void chunk_close(struct chunk_writer *w)
{
	buf_close(&w->bytes);
}

void chunk_open(struct chunk_reader *r, uint64_t first_seq, struct text bytes)
{
	const unsigned char *at = (const unsigned char *)bytes.at;

	*r = (struct chunk_reader){ .next_seq = first_seq, .seqs_left = SEQS_MAX };
	if (bytes.bytes == 0 || at[0] != CHUNK_VERSION) {
		r->is_damaged = true;
		return;
	}
	r->at = at + 1;
	r->end = at + bytes.bytes;
}

/* The next event or hole. */
static bool next_entry(struct chunk_reader *r, struct event *out)
{
	size_t   left = (size_t)(r->end - r->at);
	size_t   body;
	uint32_t seqs;

	if (left == 0)
		return false;
	if (left < HEAD_BYTES || (body = get_u32(r->at + 13)) > left - HEAD_BYTES ||
	    (seqs = r->at[0] == KIND_HOLE ? get_u32(r->at + 1) : 1) > r->seqs_left) {
		r->is_damaged = true;
		r->at = r->end;
		return false;
	}
	out->seq = r->next_seq;
	out->kind = (enum event_kind)r->at[0];
	out->ordinal = get_u32(r->at + 1);
	out->job = get_u64(r->at + 5);
	out->body = (struct text){ (const char *)r->at + HEAD_BYTES, body };
	r->next_seq += seqs;
	r->seqs_left -= seqs;
	r->at += HEAD_BYTES + body;
	return true;
}

bool chunk_next(struct chunk_reader *r, struct event *out)
{
	while (next_entry(r, out)) {
		if ((unsigned)out->kind != KIND_HOLE)
			return true;
	}
	return false;
}

uint64_t chunk_first_kept(uint64_t first_seq, struct text head)
{
	const unsigned char *at = (const unsigned char *)head.at;

	if (head.bytes < 1 + HEAD_BYTES || at[1] != KIND_HOLE)
		return first_seq;
	return first_seq + get_u32(at + 2);
}

uint32_t chunk_without(struct buf *out, struct chunk_reader *r, chunk_is_gone_fn *is_gone,
                       const void *ctx)
{
	const struct text nothing = { NULL, 0 };
	struct event      e;
	uint32_t          hole = 0;
	uint32_t          kept = 0;

	buf_add_byte(out, CHUNK_VERSION);
	while (next_entry(r, &e)) {
		if ((unsigned)e.kind == KIND_HOLE || is_gone(ctx, e.job)) {
			hole += (unsigned)e.kind == KIND_HOLE ? e.ordinal : 1;
			continue;
		}
		if (hole != 0)
			add_one(out, KIND_HOLE, hole, 0, nothing);
		hole = 0;
		add_one(out, (unsigned)e.kind, e.ordinal, e.job, e.body);
		kept++;
	}
	if (hole != 0)
		add_one(out, KIND_HOLE, hole, 0, nothing);
	return kept;
}
