/*
 * Any bytes as a journaled input and as a chunk of events. What can be read is written again and
 * must read as the same; what cannot be read is refused, without a step past its end.
 *
 * An input is a text that spells the bytes, so that a corpus can be read: pairs of hex digits,
 * "text" that stands for itself, and # with a comment to the end of the line. All else means
 * nothing.
 */
#include "daemon/store/chunk.h"
#include "daemon/store/journal.h"
#include "proto/base/check.h"
#include "tests/fuzz/expect.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SEQ UINT64_C(1000)

const uint32_t fuzz_rounds = 500000;

/* --- the spelling --- */

static int digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static void spell_out(struct buf *b, const uint8_t *data, size_t size)
{
	int high = -1; /* a digit that waits for the second one of its pair */

	for (size_t i = 0; i < size; i++) {
		if (data[i] == '#') {
			while (i + 1 < size && data[i + 1] != '\n')
				i++;
		} else if (data[i] == '"') {
			for (i++; i < size && data[i] != '"'; i++)
				buf_add_byte(b, (char)data[i]);
		} else if (digit_of(data[i]) >= 0 && high < 0) {
			high = digit_of(data[i]);
		} else if (digit_of(data[i]) >= 0) {
			buf_add_byte(b, (char)(high << 4 | digit_of(data[i])));
			high = -1;
		}
	}
}

/* --- an input of the engine --- */

static bool decode(struct value_heap *h, const struct buf *b, struct engine_in *in)
{
	struct gd_error why = { .code = GD_OK };

	*in = (struct engine_in){ .kind = ENGINE_TIME };
	if (journal_decode(h, b->at, b->bytes, in, &why) == GD_OK)
		return true;
	CHECK(why.code == GD_STORE);
	return false;
}

/* To bytes and back twice. */
static void expect_same_again(struct value_heap *h, const struct engine_in *in)
{
	struct engine_in again;
	struct buf       first = { 0 };
	struct buf       second = { 0 };

	journal_encode(&first, in);
	CHECK(first.failed == GD_OK);
	CHECK(decode(h, &first, &again));
	CHECK(again.kind == in->kind && again.time == in->time);
	CHECK(value_is_equal(again.message, in->message));
	journal_encode(&second, &again);
	CHECK(first.bytes == second.bytes && memcmp(first.at, second.at, first.bytes) == 0);
	value_release(h, again.message);
	buf_close(&first);
	buf_close(&second);
}

static void expect_input(const struct buf *bytes)
{
	struct value_heap heap = { 0 };
	struct engine_in  in;

	if (decode(&heap, bytes, &in)) {
		if (value_is_type(in.message, VALUE_T_TEXT))
			expect_utf8(value_text(in.message)->at, value_text(in.message)->bytes);
		expect_same_again(&heap, &in);
		value_release(&heap, in.message);
	}
	CHECK(heap.bytes == 0);
}

/* Any text may be the reason of a cancel. */
static void expect_reason(const struct buf *bytes)
{
	struct value_heap heap = { 0 };
	struct engine_in  in = { .kind = ENGINE_CANCEL, .time = 1 };
	json_t           *text = json_stringn(bytes->at, bytes->bytes);

	if (text == NULL)
		return; /* no UTF-8 */
	json_decref(text);
	in.message = value_text_new(&heap, bytes->at, bytes->bytes);
	expect_same_again(&heap, &in);
	value_release(&heap, in.message);
}

/* --- a chunk of events --- */

static struct text text_of(const struct buf *b)
{
	return (struct text){ b->at, b->bytes };
}

static bool is_nobodys(const void *ctx, uint64_t job)
{
	(void)ctx;
	(void)job;
	return false;
}

static bool is_odd(const void *ctx, uint64_t job)
{
	(void)ctx;
	return job % 2 == 1;
}

static bool is_same_event(const struct event *a, const struct event *b)
{
	return a->seq == b->seq && a->kind == b->kind && a->ordinal == b->ordinal &&
	       a->job == b->job && a->body.bytes == b->body.bytes &&
	       (a->body.bytes == 0 || memcmp(a->body.at, b->body.at, a->body.bytes) == 0);
}

/* The chunk without the events of some jobs has the others as they were, with their numbers. */
static void expect_others_kept(const struct buf *bytes, chunk_is_gone_fn *is_gone)
{
	struct buf          out = { 0 };
	struct chunk_reader old, kept;
	struct event        a, b;
	uint32_t            left;
	uint32_t            seen = 0;
	uint64_t            first = FIRST_SEQ;

	chunk_open(&old, FIRST_SEQ, text_of(bytes));
	left = chunk_without(&out, &old, is_gone, NULL);
	CHECK(out.failed == GD_OK && !old.is_damaged);
	chunk_open(&kept, FIRST_SEQ, text_of(&out));
	chunk_open(&old, FIRST_SEQ, text_of(bytes));
	while (chunk_next(&old, &a)) {
		if (is_gone(NULL, a.job))
			continue;
		CHECK(chunk_next(&kept, &b));
		CHECK(is_same_event(&a, &b));
		if (seen++ == 0)
			first = a.seq;
	}
	CHECK(!chunk_next(&kept, &b) && !kept.is_damaged);
	CHECK(kept.next_seq == old.next_seq);
	CHECK(seen == left);
	if (seen != 0)
		CHECK(chunk_first_kept(FIRST_SEQ, text_of(&out)) == first);
	buf_close(&out);
}

/* A chunk without holes is what a writer makes of its events. */
static void expect_chunk_again(const struct buf *bytes)
{
	struct chunk_writer w = { .first_seq = 0 };
	struct chunk_reader r;
	struct event        e;

	chunk_open(&r, FIRST_SEQ, text_of(bytes));
	while (chunk_next(&r, &e) && (chunk_is_empty(&w) || e.seq == w.last_seq + 1))
		chunk_add(&w, &e);
	CHECK(w.bytes.failed == GD_OK && w.bytes.bytes <= bytes->bytes);
	if (w.bytes.bytes == bytes->bytes) {
		CHECK(memcmp(w.bytes.at, bytes->at, bytes->bytes) == 0);
		CHECK(w.first_seq == FIRST_SEQ && w.last_seq == r.next_seq - 1);
	}
	chunk_close(&w);
}

static void expect_chunk(const struct buf *bytes)
{
	struct chunk_reader r;
	struct event        e;
	const char         *end = bytes->at + bytes->bytes;
	uint64_t            last = FIRST_SEQ;

	chunk_open(&r, FIRST_SEQ, text_of(bytes));
	while (chunk_next(&r, &e)) {
		CHECK(e.body.at <= end && e.body.bytes <= (size_t)(end - e.body.at));
		CHECK(e.seq >= last);
		last = e.seq + 1;
	}
	CHECK(!chunk_next(&r, &e));
	if (r.is_damaged)
		return;
	expect_others_kept(bytes, is_nobodys);
	expect_others_kept(bytes, is_odd);
	expect_chunk_again(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf spelt = { 0 };
	struct buf exact; /* with nothing behind it, so that a read past the end is seen */

	spell_out(&spelt, data, size);
	CHECK(spelt.failed == GD_OK);
	if (spelt.bytes != 0) {
		exact = (struct buf){ .at = malloc(spelt.bytes), .bytes = spelt.bytes };
		CHECK(exact.at != NULL);
		memcpy(exact.at, spelt.at, spelt.bytes);
		expect_input(&exact);
		expect_reason(&exact);
		expect_chunk(&exact);
		buf_close(&exact);
	}
	buf_close(&spelt);
	return 0;
}
