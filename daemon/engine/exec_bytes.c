/* What a command has said, as a value. */
#include "daemon/engine/engine.h"
#include "daemon/expr/fn.h"

#define REST_MAX 3 /* bytes of a character without its first */

static struct value base64_of(struct value_heap *h, const char *at, size_t count)
{
	struct buf   b = { 0 };
	struct value text = VALUE_NONE;

	expr_base64(&b, at, count);
	if (b.failed != GD_OK)
		h->failed = true;
	else
		text = value_text_new(h, b.at == NULL ? "" : b.at, b.bytes);
	buf_close(&b);
	return value_dict_put(h, value_dict_new(h, 1), value_text_new(h, "base64", 6), text);
}

struct value engine_bytes(struct value_heap *h, const void *bytes, size_t count, bool is_tail)
{
	const char *at = bytes;
	size_t      skipped = 0;

	while (is_tail && skipped < REST_MAX && skipped < count && (at[skipped] & 0xc0) == 0x80)
		skipped++;
	if (expr_is_text(at + skipped, count - skipped))
		return value_text_new(h, at + skipped, count - skipped);
	return base64_of(h, at, count);
}
