#include "daemon/store/journal_value.h"

#include "proto/base/check.h"

/*
 *	null | text: bytes u32, UTF-8 | list: count u32, values |
 *	dict: count u32, (text without its tag, value) each |
 *	false | true | int: i64 | float: the bits of a double
 *
 * Stored: never renumber.
 */
enum tag {
	TAG_NULL = 0,
	TAG_TEXT = 1,
	TAG_LIST = 2,
	TAG_DICT = 3,
	TAG_FALSE = 4,
	TAG_TRUE = 5,
	TAG_INT = 6,
	TAG_FLOAT = 7
};

/* --- to bytes --- */

void journal_add_number(struct buf *b, uint64_t number, int bytes)
{
	for (int i = 0; i < bytes; i++)
		buf_add_byte(b, (char)(number >> (8 * i) & 0xff));
}

static void add_text(struct buf *b, const struct vtext *text)
{
	journal_add_number(b, text->bytes, 4);
	buf_add(b, text->at, text->bytes);
}

static void add_list(struct buf *b, const struct vlist *list)
{
	buf_add_byte(b, TAG_LIST);
	journal_add_number(b, list->count, 4);
	for (uint32_t i = 0; i < list->count; i++)
		journal_add_value(b, list->at[i]);
}

static void add_dict(struct buf *b, const struct vdict *dict)
{
	buf_add_byte(b, TAG_DICT);
	journal_add_number(b, dict->count, 4);
	for (uint32_t i = 0; i < dict->count; i++) {
		add_text(b, value_text(dict->at[i].key));
		journal_add_value(b, dict->at[i].value);
	}
}

void journal_add_value(struct buf *b, struct value v)
{
	switch ((int)value_type(v)) {
	case VALUE_T_NULL:
		buf_add_byte(b, TAG_NULL);
		return;
	case VALUE_T_BOOL:
		buf_add_byte(b, value_as_bool(v) ? TAG_TRUE : TAG_FALSE);
		return;
	case VALUE_T_INT:
		buf_add_byte(b, TAG_INT);
		journal_add_number(b, (uint64_t)value_as_int(v), 8);
		return;
	case VALUE_T_FLOAT:
		buf_add_byte(b, TAG_FLOAT);
		journal_add_number(b, v.bits, 8);
		return;
	case VALUE_T_TEXT:
		buf_add_byte(b, TAG_TEXT);
		add_text(b, value_text(v));
		return;
	case VALUE_T_LIST:
		add_list(b, value_list(v));
		return;
	case VALUE_T_DICT:
		add_dict(b, value_dict(v));
		return;
	}
	CHECK_NEVER("journal: a value that is no JSON");
}

/* --- and back --- */

static const unsigned char *get_bytes(struct journal_cursor *c, size_t count)
{
	const unsigned char *at = c->at;

	if (c->is_bad || count > c->left) {
		c->is_bad = true;
		return NULL;
	}
	c->at += count;
	c->left -= count;
	return at;
}

uint64_t journal_get_number(struct journal_cursor *c, int bytes)
{
	const unsigned char *at = get_bytes(c, (size_t)bytes);
	uint64_t             number = 0;

	for (int i = 0; at != NULL && i < bytes; i++)
		number |= (uint64_t)at[i] << (8 * i);
	return number;
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

static struct value get_text(struct value_heap *h, struct journal_cursor *c)
{
	size_t               bytes = (size_t)journal_get_number(c, 4);
	const unsigned char *at = get_bytes(c, bytes);

	if (at == NULL || !is_utf8(at, bytes)) {
		c->is_bad = true;
		return VALUE_NONE;
	}
	return value_text_new(h, (const char *)at, bytes);
}

static struct value get_value(struct value_heap *h, struct journal_cursor *c, int depth);

/* Room is made as items come: a count is believed only as far as there are bytes for it. */
static struct value get_list(struct value_heap *h, struct journal_cursor *c, int depth)
{
	uint64_t     count = journal_get_number(c, 4);
	struct value list = value_list_new(h, 0);

	for (uint64_t i = 0; i < count && !c->is_bad; i++)
		list = value_list_append(h, list, get_value(h, c, depth));
	return list;
}

static struct value get_dict(struct value_heap *h, struct journal_cursor *c, int depth)
{
	uint64_t     count = journal_get_number(c, 4);
	struct value dict = value_dict_new(h, 0), key, v;

	for (uint64_t i = 0; i < count && !c->is_bad; i++) {
		key = get_text(h, c);
		v = get_value(h, c, depth);
		if (c->is_bad || h->failed) {
			value_release(h, key);
			value_release(h, v);
			c->is_bad = true;
			break;
		}
		dict = value_dict_put(h, dict, key, v);
	}
	return dict;
}

#define EXPONENT UINT64_C(0x7ff0000000000000)

static struct value get_float(struct journal_cursor *c)
{
	struct value v = { journal_get_number(c, 8) };

	if ((v.bits & EXPONENT) == EXPONENT) /* infinities, and what are no floats */
		c->is_bad = true;
	return c->is_bad ? VALUE_NONE : v;
}

static struct value get_value(struct value_heap *h, struct journal_cursor *c, int depth)
{
	uint64_t tag = journal_get_number(c, 1);

	if (c->is_bad || ((tag == TAG_LIST || tag == TAG_DICT) && depth == 0)) {
		c->is_bad = true;
		return VALUE_NONE;
	}
	switch (tag) {
	case TAG_NULL:
		return VALUE_NULL;
	case TAG_TEXT:
		return get_text(h, c);
	case TAG_LIST:
		return get_list(h, c, depth - 1);
	case TAG_DICT:
		return get_dict(h, c, depth - 1);
	case TAG_FALSE:
	case TAG_TRUE:
		return value_bool(tag == TAG_TRUE);
	case TAG_INT:
		return value_int(h, (int64_t)journal_get_number(c, 8));
	case TAG_FLOAT:
		return get_float(c);
	default:
		c->is_bad = true;
		return VALUE_NONE;
	}
}

struct value journal_get_value(struct value_heap *h, struct journal_cursor *c)
{
	struct value v = get_value(h, c, JOURNAL_DEPTH_MAX);

	if (!c->is_bad && !h->failed)
		return v;
	c->is_bad = true;
	value_release(h, v);
	return VALUE_NONE;
}
