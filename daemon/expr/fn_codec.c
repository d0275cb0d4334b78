/* json(), b64encode(), b64decode() */
#include "daemon/expr/fn.h"

#include "daemon/value/limits.h"

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct value expr_fn_json(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct buf b = { .cap = EXPR_RESULT_BYTES_MAX };

	(void)count;
	if (!expr_charge_data(r, args[0], "become JSON"))
		return VALUE_NONE;
	value_write_json(&b, args[0]);
	return expr_text_of_buf(r, &b);
}

static const struct vtext *text_of(struct expr_run *r, struct value v, const char *name)
{
	if (!value_is_type(v, VALUE_T_TEXT)) {
		if (!expr_refuse_handle(r, v, "be text"))
			expr_raise_type(r, "%s() argument must be str, not '%s'", name,
			                expr_type_name(v));
		return NULL;
	}
	return expr_charge(r, value_text(v)->bytes) ? value_text(v) : NULL;
}

void expr_base64(struct buf *b, const char *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 3) {
		size_t   left = bytes - i;
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

struct value expr_fn_b64encode(struct expr_run *r, const struct value *args, uint32_t count)
{
	const struct vtext *text = text_of(r, args[0], "b64encode");
	struct buf          b = { .cap = EXPR_RESULT_BYTES_MAX };

	(void)count;
	if (text == NULL)
		return VALUE_NONE;
	expr_base64(&b, text->at, text->bytes);
	return expr_text_of_buf(r, &b);
}

bool expr_base64_read(struct buf *b, const struct vtext *text)
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

struct value expr_fn_b64decode(struct expr_run *r, const struct value *args, uint32_t count)
{
	const struct vtext *text = text_of(r, args[0], "b64decode");
	struct buf          b = { .cap = EXPR_RESULT_BYTES_MAX };
	char                shown[EXPR_SHOWN_BYTES + 8];

	(void)count;
	if (text == NULL)
		return VALUE_NONE;
	if (!expr_base64_read(&b, text)) {
		buf_close(&b);
		return expr_raise(r, "ValueError", "not base64: %s", expr_show(args[0], shown));
	}
	if (b.failed == GD_OK && !expr_is_text(b.at, b.bytes)) {
		buf_close(&b);
		return expr_raise(r, "ValueError", "what %s decodes to is not UTF-8 text",
		                  expr_show(args[0], shown));
	}
	return expr_text_of_buf(r, &b);
}
