#include "daemon/store/journal.h"

#include "proto/base/check.h"

/*
 * Version 1, little-endian:
 *
 *	version u8 | kind u8 | time i64 | rest
 *
 * and the rest is nothing (NOW), the ticket u32 (GRANT), or a message (CANCEL): 0 for null, or 1
 * and a text: bytes u32 | UTF-8.
 */
#define JOURNAL_VERSION 1
#define HEAD_BYTES 10
#define TICKET_BYTES 4
#define MESSAGE_NULL 0
#define MESSAGE_TEXT 1

/* Stored: never renumber. */
enum journal_kind { JOURNAL_CANCEL = 1, JOURNAL_NOW = 2, JOURNAL_GRANT = 3 };

static void add_number(struct buf *b, uint64_t number, int bytes)
{
	for (int i = 0; i < bytes; i++)
		buf_add_byte(b, (char)(number >> (8 * i) & 0xff));
}

static uint64_t get_number(const unsigned char *at, int bytes)
{
	uint64_t number = 0;

	for (int i = 0; i < bytes; i++)
		number |= (uint64_t)at[i] << (8 * i);
	return number;
}

static void add_head(struct buf *b, enum journal_kind kind, gd_nsec time)
{
	buf_add_byte(b, JOURNAL_VERSION);
	buf_add_byte(b, (char)kind);
	add_number(b, (uint64_t)time, 8);
}

static void add_message(struct buf *b, struct value message)
{
	const struct vtext *text;

	if (!value_is_type(message, VALUE_T_TEXT)) {
		buf_add_byte(b, MESSAGE_NULL);
		return;
	}
	text = value_text(message);
	buf_add_byte(b, MESSAGE_TEXT);
	add_number(b, text->bytes, 4);
	buf_add(b, text->at, text->bytes);
}

void journal_encode(struct buf *b, const struct engine_in *in)
{
	switch (in->kind) {
	case ENGINE_CANCEL:
		add_head(b, JOURNAL_CANCEL, in->time);
		add_message(b, in->message);
		return;
	case ENGINE_GRANT:
		add_head(b, JOURNAL_GRANT, in->time);
		add_number(b, in->ticket, TICKET_BYTES);
		return;
	case ENGINE_NOW:
		add_head(b, JOURNAL_NOW, in->time);
		return;
	case ENGINE_TIME:
	case ENGINE_START:
		CHECK_NEVER("journal: an input that follows from others");
	}
	CHECK_NEVER("journal: unknown input");
}

/* How many bytes the sequence at `at` has by RFC 3629; 0 when it is none. */
static size_t utf8_step(const unsigned char *at, size_t left)
{
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t        more;

	if (at[0] < 0x80)
		return 1;
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 0;
	more = at[0] < 0xe0 ? 1 : at[0] < 0xf0 ? 2 : 3;
	if (at[0] == 0xe0)
		low = 0xa0;
	else if (at[0] == 0xed)
		high = 0x9f;
	else if (at[0] == 0xf0)
		low = 0x90;
	else if (at[0] == 0xf4)
		high = 0x8f;
	if (left <= more || at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i <= more; i++) {
		if (at[i] < 0x80 || at[i] > 0xbf)
			return 0;
	}
	return more + 1;
}

static bool is_utf8(const unsigned char *at, size_t count)
{
	size_t step;

	for (size_t i = 0; i < count; i += step) {
		step = utf8_step(at + i, count - i);
		if (step == 0)
			return false;
	}
	return true;
}

static enum gd_err fail_foreign(struct gd_error *why)
{
	return gd_fail(why, GD_STORE, "a journaled input cannot be read");
}

static enum gd_err get_message(struct value_heap *h, const unsigned char *at, size_t count,
                               struct value *out, struct gd_error *why)
{
	if (count == 1 && at[0] == MESSAGE_NULL) {
		*out = VALUE_NULL;
		return GD_OK;
	}
	if (count < 5 || at[0] != MESSAGE_TEXT || get_number(at + 1, 4) != count - 5 ||
	    !is_utf8(at + 5, count - 5))
		return fail_foreign(why);
	*out = value_text_new(h, (const char *)at + 5, count - 5);
	return value_is_none(*out) ? gd_fail(why, GD_NOMEM, "journal: out of memory") : GD_OK;
}

enum gd_err journal_decode(struct value_heap *h, const void *bytes, size_t count,
                           struct engine_in *in, struct gd_error *why)
{
	const unsigned char *at = bytes;

	if (count < HEAD_BYTES || at[0] != JOURNAL_VERSION)
		return fail_foreign(why);
	in->time = (gd_nsec)get_number(at + 2, 8);
	in->message = VALUE_NULL;
	switch (at[1]) {
	case JOURNAL_CANCEL:
		in->kind = ENGINE_CANCEL;
		return get_message(h, at + HEAD_BYTES, count - HEAD_BYTES, &in->message, why);
	case JOURNAL_GRANT:
		if (count != HEAD_BYTES + TICKET_BYTES)
			return fail_foreign(why);
		in->kind = ENGINE_GRANT;
		in->ticket = (uint32_t)get_number(at + HEAD_BYTES, TICKET_BYTES);
		return GD_OK;
	case JOURNAL_NOW:
		in->kind = ENGINE_NOW;
		return count == HEAD_BYTES ? GD_OK : fail_foreign(why);
	default:
		return fail_foreign(why);
	}
}
