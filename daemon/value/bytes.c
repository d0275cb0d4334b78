#include "daemon/value/bytes.h"

#include "proto/base/utf8.h"

#define CODED "base64" /* the one key of {"base64": text} */

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool bytes_are_text(const void *bytes, size_t count)
{
	return count == 0 || utf8_prefix(bytes, count) == count;
}

void bytes_code(struct buf *b, const void *bytes, size_t count)
{
	const char *at = bytes;

	for (size_t i = 0; i < count; i += 3) {
		size_t   left = count - i;
		uint32_t group = (uint32_t)(unsigned char)at[i] << 16;
		char     out[4] = { '=', '=', '=', '=' };

		if (left > 1)
			group |= (uint32_t)(unsigned char)at[i + 1] << 8;
		if (left > 2)
			group |= (unsigned char)at[i + 2];
		for (size_t c = 0; c < 4 && c <= left; c++)
			out[c] = ALPHABET[group >> (18 - 6 * c) & 0x3f];
		buf_add(b, out, sizeof out);
	}
}

bool bytes_decode(struct buf *b, const struct vtext *text)
{
	size_t count = text->bytes;

	if (count % 4 != 0)
		return false;
	for (uint32_t pads = 0; count > 0 && text->at[count - 1] == '=' && pads < 2; pads++)
		count--;
	for (size_t i = 0; i < count; i += 4) {
		size_t   chars = count - i < 4 ? count - i : 4;
		uint32_t group = 0;
		char     out[3];

		for (size_t c = 0; c < chars; c++) {
			const char *at = memchr(ALPHABET, text->at[i + c], sizeof ALPHABET - 1);

			if (at == NULL)
				return false;
			group |= (uint32_t)(at - ALPHABET) << (18 - 6 * c);
		}
		if (chars < 2 || (group & (0xffffffu >> (8 * (chars - 1))) & 0xffffffu) != 0)
			return false;
		for (size_t c = 0; c + 1 < chars; c++)
			out[c] = (char)(group >> (16 - 8 * c));
		buf_add(b, out, chars - 1);
	}
	return true;
}

struct value bytes_new_base64(struct value_heap *h, const void *bytes, size_t count)
{
	struct buf   b = { 0 };
	struct value text = VALUE_NONE;

	bytes_code(&b, bytes, count);
	if (b.failed != GD_OK)
		h->failed = true;
	else
		text = value_text_new(h, b.at == NULL ? "" : b.at, b.bytes);
	buf_close(&b);
	return value_dict_put(h, value_dict_new(h, 1), value_text_new(h, CODED, strlen(CODED)),
	                      text);
}

struct value bytes_new(struct value_heap *h, const void *bytes, size_t count)
{
	if (bytes_are_text(bytes, count))
		return value_text_new(h, count == 0 ? "" : bytes, count);
	return bytes_new_base64(h, bytes, count);
}

const struct vtext *bytes_coded(struct value v)
{
	struct value text;

	if (!value_is_type(v, VALUE_T_DICT) || value_dict(v)->count != 1)
		return NULL;
	text = value_dict_get(v, CODED, strlen(CODED));
	return value_is_type(text, VALUE_T_TEXT) ? value_text(text) : NULL;
}
