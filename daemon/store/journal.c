#include "daemon/store/journal.h"

#include "daemon/store/journal_value.h"
#include "proto/base/check.h"

/*
 * Version 1, little-endian:
 *
 *	version u8 | kind u8 | time i64 | rest
 *
 * and the rest is nothing (NOW), the ticket u32 (GRANT), a message (CANCEL and PARENT_CANCEL: null or
 * text), ticket u32 | message (CHILD_ENDED), what a SIGNAL says: its key (null or text), the name of its
 * event, the value; or what belongs to a command: ticket u32 | attempt u32 | mark u64 (BEGIN, LINES) |
 * message (but for BEGIN). These, and a message, are values: see journal_value.c.
 */
#define JOURNAL_VERSION 1

/* Stored: never renumber. */
enum journal_kind {
	JOURNAL_CANCEL = 1,
	JOURNAL_NOW = 2,
	JOURNAL_GRANT = 3,
	JOURNAL_BEGIN = 4,
	JOURNAL_EXITED = 5,
	JOURNAL_LINES = 6,
	JOURNAL_RESUME = 7,
	JOURNAL_SIGNAL = 8,
	JOURNAL_CHILD_ENDED = 9,
	JOURNAL_PARENT_CANCEL = 10 /* CANCEL with is_of_parent */
};

static void add_head(struct buf *b, enum journal_kind kind, gd_nsec time)
{
	buf_add_byte(b, JOURNAL_VERSION);
	buf_add_byte(b, (char)kind);
	journal_add_number(b, (uint64_t)time, 8);
}

static void add_command(struct buf *b, enum journal_kind kind, const struct engine_in *in)
{
	add_head(b, kind, in->time);
	journal_add_number(b, in->ticket, 4);
	journal_add_number(b, in->attempt, 4);
	if (kind == JOURNAL_BEGIN || kind == JOURNAL_LINES)
		journal_add_number(b, in->mark, 8);
	if (kind != JOURNAL_BEGIN)
		journal_add_value(b, in->message);
}

static struct value member(struct value signal, const char *name)
{
	struct value v = value_dict_get(signal, name, strlen(name));

	return value_is_none(v) ? VALUE_NULL : v;
}

static void add_signal(struct buf *b, const struct engine_in *in)
{
	add_head(b, JOURNAL_SIGNAL, in->time);
	journal_add_value(b, member(in->message, "key"));
	journal_add_value(b, member(in->message, "event"));
	journal_add_value(b, member(in->message, "value"));
}

void journal_encode(struct buf *b, const struct engine_in *in)
{
	switch (in->kind) {
	case ENGINE_CANCEL:
		add_head(b, in->is_of_parent ? JOURNAL_PARENT_CANCEL : JOURNAL_CANCEL, in->time);
		journal_add_value(b, value_is_type(in->message, VALUE_T_TEXT) ? in->message
		                                                              : VALUE_NULL);
		return;
	case ENGINE_GRANT:
		add_head(b, JOURNAL_GRANT, in->time);
		journal_add_number(b, in->ticket, 4);
		return;
	case ENGINE_NOW:
		add_head(b, JOURNAL_NOW, in->time);
		return;
	case ENGINE_BEGIN:
		add_command(b, JOURNAL_BEGIN, in);
		return;
	case ENGINE_EXITED:
		add_command(b, JOURNAL_EXITED, in);
		return;
	case ENGINE_LINES:
		add_command(b, JOURNAL_LINES, in);
		return;
	case ENGINE_RESUME:
		add_command(b, JOURNAL_RESUME, in);
		return;
	case ENGINE_SIGNAL:
		add_signal(b, in);
		return;
	case ENGINE_CHILD_ENDED:
		add_head(b, JOURNAL_CHILD_ENDED, in->time);
		journal_add_number(b, in->ticket, 4);
		journal_add_value(b, in->message);
		return;
	case ENGINE_TIME:
	case ENGINE_START:
		CHECK_NEVER("journal: an input that follows from others");
	}
	CHECK_NEVER("journal: unknown input");
}

/* What kind of value the message may be. */
static bool fits(const struct engine_in *in)
{
	switch ((int)in->kind) {
	case ENGINE_CANCEL:
		return value_is_null(in->message) || value_is_type(in->message, VALUE_T_TEXT);
	case ENGINE_EXITED:
	case ENGINE_CHILD_ENDED:
		return value_is_type(in->message, VALUE_T_DICT);
	case ENGINE_LINES:
		return value_is_type(in->message, VALUE_T_LIST);
	case ENGINE_RESUME:
		return value_is_type(in->message, VALUE_T_TEXT);
	case ENGINE_SIGNAL:
		return value_is_type(in->message, VALUE_T_DICT) &&
		       value_is_type(member(in->message, "event"), VALUE_T_TEXT) &&
		       (value_is_null(member(in->message, "key")) ||
		        value_is_type(member(in->message, "key"), VALUE_T_TEXT));
	default:
		return true;
	}
}

static void get_command(struct value_heap *h, struct journal_cursor *c, enum engine_in_kind kind,
                        struct engine_in *in)
{
	in->kind = kind;
	in->ticket = (uint32_t)journal_get_number(c, 4);
	in->attempt = (uint32_t)journal_get_number(c, 4);
	if (kind == ENGINE_BEGIN || kind == ENGINE_LINES)
		in->mark = journal_get_number(c, 8);
	if (kind != ENGINE_BEGIN)
		in->message = journal_get_value(h, c);
}

/* `item` is taken. */
static struct value with(struct value_heap *h, struct value dict, const char *name,
                         struct value item)
{
	return value_dict_put(h, dict, value_text_new(h, name, strlen(name)), item);
}

static void get_signal(struct value_heap *h, struct journal_cursor *c, struct engine_in *in)
{
	struct value key = journal_get_value(h, c);
	struct value said = value_dict_new(h, 3);

	said = with(h, said, "event", journal_get_value(h, c));
	said = with(h, said, "value", journal_get_value(h, c));
	if (!value_is_null(key))
		said = with(h, said, "key", key);
	in->kind = ENGINE_SIGNAL;
	in->message = said;
}

static void get_rest(struct value_heap *h, struct journal_cursor *c, uint64_t kind,
                     struct engine_in *in)
{
	switch (kind) {
	case JOURNAL_CANCEL:
	case JOURNAL_PARENT_CANCEL:
		in->kind = ENGINE_CANCEL;
		in->is_of_parent = kind == JOURNAL_PARENT_CANCEL;
		in->message = journal_get_value(h, c);
		return;
	case JOURNAL_NOW:
		in->kind = ENGINE_NOW;
		return;
	case JOURNAL_GRANT:
		in->kind = ENGINE_GRANT;
		in->ticket = (uint32_t)journal_get_number(c, 4);
		return;
	case JOURNAL_BEGIN:
		get_command(h, c, ENGINE_BEGIN, in);
		return;
	case JOURNAL_EXITED:
		get_command(h, c, ENGINE_EXITED, in);
		return;
	case JOURNAL_LINES:
		get_command(h, c, ENGINE_LINES, in);
		return;
	case JOURNAL_RESUME:
		get_command(h, c, ENGINE_RESUME, in);
		return;
	case JOURNAL_SIGNAL:
		get_signal(h, c, in);
		return;
	case JOURNAL_CHILD_ENDED:
		in->kind = ENGINE_CHILD_ENDED;
		in->ticket = (uint32_t)journal_get_number(c, 4);
		in->message = journal_get_value(h, c);
		return;
	default:
		c->is_bad = true;
	}
}

enum gd_err journal_decode(struct value_heap *h, const void *bytes, size_t count,
                           struct engine_in *in, struct gd_error *why)
{
	struct journal_cursor c = { .at = bytes, .left = count };
	uint64_t              kind;

	in->message = VALUE_NULL;
	if (journal_get_number(&c, 1) != JOURNAL_VERSION)
		c.is_bad = true;
	kind = journal_get_number(&c, 1);
	in->time = (gd_nsec)journal_get_number(&c, 8);
	if (!c.is_bad)
		get_rest(h, &c, kind, in);
	if (!c.is_bad && c.left == 0 && fits(in))
		return GD_OK;
	value_release(h, in->message);
	in->message = VALUE_NULL;
	if (h->failed)
		return gd_fail(why, GD_NOMEM, "journal: out of memory");
	return gd_fail(why, GD_STORE, "a journaled input cannot be read");
}

bool journal_is_signal(const void *bytes, size_t count, const char *key, size_t key_bytes)
{
	struct journal_cursor c = { .at = bytes, .left = count };
	struct value_heap     h = { 0 };
	struct value          v;
	bool                  is_it;

	if (journal_get_number(&c, 1) != JOURNAL_VERSION ||
	    journal_get_number(&c, 1) != JOURNAL_SIGNAL)
		return false;
	(void)journal_get_number(&c, 8);
	v = journal_get_value(&h, &c);
	is_it = value_is_type(v, VALUE_T_TEXT) && value_text(v)->bytes == key_bytes &&
	        memcmp(value_text(v)->at, key, key_bytes) == 0;
	value_release(&h, v);
	return is_it;
}
