#include "client/log_tail.h"

#include "proto/base64.h"

#include <string.h>

#define LINE_BYTES_USUAL 200 /* with some to spare */

/* --- pieces --- */

/* The bytes of a piece, appended to `b`. */
static void read_piece(struct buf *b, const json_t *piece)
{
	const json_t *text = json_object_get(piece, "text");
	const json_t *coded = json_object_get(piece, "base64");

	if (json_is_string(text))
		buf_add(b, json_string_value(text), json_string_length(text));
	else if (json_is_string(coded))
		(void)base64_read(b, json_string_value(coded), json_string_length(coded));
}

static size_t bytes_of(const json_t *pieces)
{
	size_t        i, sum = 0;
	const json_t *piece;

	json_array_foreach (pieces, i, piece)
		sum += json_string_length(json_object_get(piece, "text")) +
		       json_string_length(json_object_get(piece, "base64")) / 4 * 3;
	return sum;
}

/* The piece without its first `bytes`; nothing is skipped before it any more. A cut behind a line's
 * end is one between characters. */
static void cut_piece(json_t *piece, const struct buf *whole, size_t bytes)
{
	struct buf  coded = { .cap = 0 };
	const char *at = whole->at + bytes;
	size_t      rest = whole->bytes - bytes;
	json_t     *offset = json_object_get(piece, "offset");

	(void)json_object_del(piece, "skipped");
	(void)json_integer_set(offset, json_integer_value(offset) + (json_int_t)bytes);
	if (json_object_get(piece, "text") != NULL) {
		(void)json_object_set_new(piece, "text", json_stringn(at, rest));
		return;
	}
	base64_write(&coded, at, rest);
	if (coded.failed == GD_OK)
		(void)json_object_set_new(piece, "base64", json_stringn(coded.at, coded.bytes));
	buf_close(&coded);
}

/* Where the last `*lines` lines of `b` begin; `*lines` counts down to what the pieces before have to
 * give. The end of the last line of all is no beginning of another. */
static size_t find_lines(const struct buf *b, bool is_last, json_int_t *lines)
{
	size_t end = b->bytes;

	if (is_last && end > 0 && b->at[end - 1] == '\n')
		end--;
	while (end > 0) {
		if (b->at[end - 1] == '\n' && --*lines == 0)
			return end;
		end--;
	}
	return 0;
}

bool log_tail_cut(json_t *pieces, json_int_t lines)
{
	bool is_last = true;

	for (size_t i = json_array_size(pieces); i-- > 0;) {
		json_t    *piece = json_array_get(pieces, i);
		struct buf whole = { .cap = 0 };
		size_t     begin;

		read_piece(&whole, piece);
		begin = whole.bytes == 0 ? 0 : find_lines(&whole, is_last, &lines);
		is_last = is_last && whole.bytes == 0;
		if (lines == 0) {
			cut_piece(piece, &whole, begin);
			while (i-- > 0)
				(void)json_array_remove(pieces, 0);
			buf_close(&whole);
			return true;
		}
		buf_close(&whole);
	}
	return false;
}

/* --- asking --- */

/* Up to where the command is now, or the bound. */
static enum gd_err collect(struct output *out, json_t *all, struct gd_error *why)
{
	json_t     *pieces = NULL;
	size_t      count;
	enum gd_err rc;

	do {
		rc = output_ask(out, &pieces, why);
		if (rc != GD_OK)
			return rc;
		count = json_array_size(pieces);
		(void)json_array_extend(all, pieces);
		json_decref(pieces);
	} while (count > 0 && !out->is_over && bytes_of(all) < LOG_TAIL_BYTES_MAX);
	return GD_OK;
}

/* One look at the last `bytes`, if need be with part of a line before the wanted ones. */
static enum gd_err look(struct output *out, json_int_t bytes, json_t **all, struct gd_error *why)
{
	json_decref(*all);
	*all = json_array();
	(void)json_object_del(out->params, "offset");
	if (json_object_set_new(out->params, "tail", json_integer(bytes)) != 0)
		return gd_fail(why, GD_NOMEM, "out of memory");
	return collect(out, *all, why);
}

enum gd_err log_tail_show(struct output *out, json_int_t lines, struct gd_error *why)
{
	json_int_t usual = lines < LOG_TAIL_BYTES_MAX / LINE_BYTES_USUAL ? lines * LINE_BYTES_USUAL
	                                                                 : LOG_TAIL_BYTES_MAX;
	json_t    *follow = json_incref(json_object_get(out->params, "follow"));
	json_t    *all = NULL;
	const json_t *piece;
	size_t        i;
	enum gd_err   rc;

	(void)json_object_del(out->params, "follow");
	rc = look(out, usual, &all, why);
	if (rc == GD_OK && lines > 0 && !log_tail_cut(all, lines) && bytes_of(all) >= (size_t)usual)
		rc = look(out, LOG_TAIL_BYTES_MAX, &all, why);
	if (rc == GD_OK && lines > 0) {
		(void)log_tail_cut(all, lines);
		json_array_foreach (all, i, piece)
			output_show(out, piece);
	}
	if (follow != NULL)
		(void)json_object_set_new(out->params, "follow", follow);
	json_decref(all);
	return rc;
}
