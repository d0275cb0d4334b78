#include "daemon/expr/fn.h"

#include "daemon/value/limits.h"

/* --- characters --- */

uint32_t expr_point_at(const char *at, size_t *bytes)
{
	unsigned char first = (unsigned char)*at;
	uint32_t      point = first;

	*bytes = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (*bytes > 1)
		point = first & (0x7fu >> *bytes);
	for (size_t i = 1; i < *bytes; i++)
		point = point << 6 | ((unsigned char)at[i] & 0x3fu);
	return point;
}

/* Source: str.isspace() of CPython 3.11 over all code points. */
static bool is_space(uint32_t point)
{
	return (point >= 0x09 && point <= 0x0d) || (point >= 0x1c && point <= 0x20) ||
	       point == 0x85 || point == 0xa0 || point == 0x1680 ||
	       (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 ||
	       point == 0x202f || point == 0x205f || point == 0x3000;
}

size_t expr_space_at(const char *at, const char *end)
{
	size_t bytes;

	if (at == end || !is_space(expr_point_at(at, &bytes)))
		return 0;
	return bytes;
}

size_t expr_put_char(char out[4], uint32_t point)
{
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (char)(0xc0 | point >> 6);
		out[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		out[0] = (char)(0xe0 | point >> 12);
		out[1] = (char)(0x80 | (point >> 6 & 0x3f));
		out[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | point >> 18);
	out[1] = (char)(0x80 | (point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

/* --- arguments --- */

static bool is_text(struct expr_run *r, struct value v, const char *name)
{
	if (value_is_type(v, VALUE_T_TEXT))
		return true;
	if (!expr_refuse_handle(r, v, "be text"))
		expr_raise_type(r, "%s() argument must be str, not '%s'", name, value_type_name(v));
	return false;
}

/* --- str(), type() --- */

struct value expr_fn_str(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct buf b = { .cap = EXPR_RESULT_BYTES_MAX };

	(void)count;
	if (value_is_type(args[0], VALUE_T_TEXT))
		return value_retain(args[0]);
	if (!expr_charge_data(r, args[0], "become text"))
		return VALUE_NONE;
	value_write_json(&b, args[0]);
	return expr_text_of_buf(r, &b);
}

struct value expr_fn_type(struct expr_run *r, const struct value *args, uint32_t count)
{
	const char *name;

	(void)count;
	if (expr_refuse_handle(r, args[0], "have its type asked"))
		return VALUE_NONE;
	name = value_type_name(args[0]);
	return expr_text(r, name, strlen(name));
}

/* --- join(), split() --- */

static struct value join(struct expr_run *r, const struct vtext *sep, const struct vlist *items)
{
	struct buf b = { .cap = EXPR_RESULT_BYTES_MAX };

	for (uint32_t i = 0; i < items->count && b.failed == GD_OK; i++) {
		struct value item = items->at[i];

		if (!value_is_type(item, VALUE_T_TEXT)) {
			buf_close(&b);
			if (expr_refuse_handle(r, item, "be text"))
				return VALUE_NONE;
			return expr_raise_type(r,
			                       "sequence item %u: expected str instance, %s found",
			                       i, value_type_name(item));
		}
		if (!expr_charge(r, 1)) {
			buf_close(&b);
			return VALUE_NONE;
		}
		if (i > 0)
			buf_add(&b, sep->at, sep->bytes);
		buf_add(&b, value_text(item)->at, value_text(item)->bytes);
	}
	return expr_text_of_buf(r, &b);
}

struct value expr_fn_join(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct value items, text;

	(void)count;
	if (!is_text(r, args[0], "join"))
		return VALUE_NONE;
	items = expr_items(r, args[1]);
	if (value_is_none(items))
		return VALUE_NONE;
	text = join(r, value_text(args[0]), value_list(items));
	value_release(r->heap, items);
	return text;
}

/* Appends text of [from, to), for at least the price of a step. */
static struct value append_part(struct expr_run *r, struct value list, const char *from,
                                const char *to)
{
	struct value part = VALUE_NONE;

	if (expr_charge(r, EXPR_UNITS_PER_STEP))
		part = expr_text(r, from, (size_t)(to - from));
	if (!value_is_none(part))
		return value_list_append(r->heap, list, part);
	value_release(r->heap, list);
	return VALUE_NONE;
}

static struct value split_at_space(struct expr_run *r, const struct vtext *text)
{
	struct value list = value_list_new(r->heap, 0);
	const char  *at = text->at, *end = text->at + text->bytes;

	while (!value_is_none(list)) {
		const char *from;
		size_t      bytes;

		while ((bytes = expr_space_at(at, end)) > 0)
			at += bytes;
		if (at == end)
			break;
		from = at;
		while (at < end && expr_space_at(at, end) == 0)
			at++;
		list = append_part(r, list, from, at);
	}
	return list;
}

static struct value split_at(struct expr_run *r, const struct vtext *text, const struct vtext *sep)
{
	struct value list;
	const char  *at = text->at, *end = text->at + text->bytes, *next;

	if (sep->bytes == 0)
		return expr_raise(r, "ValueError", "empty separator");
	list = value_list_new(r->heap, 0);
	while (!value_is_none(list)) {
		next = memmem(at, (size_t)(end - at), sep->at, sep->bytes);
		list = append_part(r, list, at, next == NULL ? end : next);
		if (next == NULL)
			break;
		at = next + sep->bytes;
	}
	return list;
}

struct value expr_fn_split(struct expr_run *r, const struct value *args, uint32_t count)
{
	if (!is_text(r, args[0], "split") || !expr_charge(r, value_text(args[0])->bytes / 2))
		return VALUE_NONE;
	if (count == 1 || value_is_null(args[1]))
		return split_at_space(r, value_text(args[0]));
	if (!is_text(r, args[1], "split"))
		return VALUE_NONE;
	return split_at(r, value_text(args[0]), value_text(args[1]));
}

/* --- strip() --- */

/* Whether the character at `at` goes: white space, or one of `set`. */
static bool is_stripped(const char *at, const char *end, const struct vtext *set)
{
	size_t bytes;

	if (set == NULL)
		return expr_space_at(at, end) > 0;
	(void)expr_point_at(at, &bytes);
	return memmem(set->at, set->bytes, at, bytes) != NULL;
}

static const char *previous(const char *at)
{
	do
		at--;
	while (((unsigned char)*at & 0xc0) == 0x80);
	return at;
}

struct value expr_fn_strip(struct expr_run *r, const struct value *args, uint32_t count)
{
	const struct vtext *text, *set = NULL;
	const char         *from, *to;
	size_t              bytes;

	if (!is_text(r, args[0], "strip"))
		return VALUE_NONE;
	if (count == 2 && !value_is_null(args[1])) {
		if (!is_text(r, args[1], "strip"))
			return VALUE_NONE;
		set = value_text(args[1]);
	}
	text = value_text(args[0]);
	/* Each character may be looked for in the whole set. */
	if (!expr_charge(r, text->bytes / 2 * (set == NULL ? 1 : 1 + set->bytes / 16)))
		return VALUE_NONE;
	from = text->at;
	to = text->at + text->bytes;
	while (from < to && is_stripped(from, to, set)) {
		(void)expr_point_at(from, &bytes);
		from += bytes;
	}
	while (from < to && is_stripped(previous(to), to, set))
		to = previous(to);
	return expr_text(r, from, (size_t)(to - from));
}

/* --- replace() --- */

/* Before each character and at the end: what replacing "" means in Python. */
static void put_between(struct buf *b, const struct vtext *text, const struct vtext *new)
{
	const char *at = text->at, *end = text->at + text->bytes;
	size_t      bytes;

	buf_add(b, new->at, new->bytes);
	while (at < end && b->failed == GD_OK) {
		(void)expr_point_at(at, &bytes);
		buf_add(b, at, bytes);
		buf_add(b, new->at, new->bytes);
		at += bytes;
	}
}

static void put_replaced(struct buf *b, const struct vtext *text, const struct vtext *old,
                         const struct vtext *new)
{
	const char *at = text->at, *end = text->at + text->bytes, *next;

	while (b->failed == GD_OK &&
	       (next = memmem(at, (size_t)(end - at), old->at, old->bytes)) != NULL) {
		buf_add(b, at, (size_t)(next - at));
		buf_add(b, new->at, new->bytes);
		at = next + old->bytes;
	}
	buf_add(b, at, (size_t)(end - at));
}

struct value expr_fn_replace(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct buf b = { .cap = EXPR_RESULT_BYTES_MAX };

	for (uint32_t i = 0; i < count; i++)
		if (!is_text(r, args[i], "replace"))
			return VALUE_NONE;
	if (!expr_charge(r, value_text(args[0])->bytes))
		return VALUE_NONE;
	if (value_text(args[1])->bytes == 0)
		put_between(&b, value_text(args[0]), value_text(args[2]));
	else
		put_replaced(&b, value_text(args[0]), value_text(args[1]), value_text(args[2]));
	return expr_text_of_buf(r, &b);
}

/* --- startswith(), endswith() --- */

struct value expr_fn_startswith(struct expr_run *r, const struct value *args, uint32_t count)
{
	const struct vtext *text, *part;

	(void)count;
	if (!is_text(r, args[0], "startswith") || !is_text(r, args[1], "startswith"))
		return VALUE_NONE;
	text = value_text(args[0]);
	part = value_text(args[1]);
	if (!expr_charge(r, part->bytes / EXPR_READ_BYTES_PER_UNIT))
		return VALUE_NONE;
	return value_bool(part->bytes <= text->bytes &&
	                  memcmp(text->at, part->at, part->bytes) == 0);
}

struct value expr_fn_endswith(struct expr_run *r, const struct value *args, uint32_t count)
{
	const struct vtext *text, *part;

	(void)count;
	if (!is_text(r, args[0], "endswith") || !is_text(r, args[1], "endswith"))
		return VALUE_NONE;
	text = value_text(args[0]);
	part = value_text(args[1]);
	if (!expr_charge(r, part->bytes / EXPR_READ_BYTES_PER_UNIT))
		return VALUE_NONE;
	return value_bool(part->bytes <= text->bytes &&
	                  memcmp(text->at + text->bytes - part->bytes, part->at, part->bytes) == 0);
}
