/* What a command has said, as a value. */
#include "daemon/engine/engine.h"
#include "daemon/value/bytes.h"

#define REST_MAX 3 /* bytes of a character without its first */

struct value engine_bytes(struct value_heap *h, const void *bytes, size_t count, bool is_tail)
{
	const char *at = bytes;
	size_t      skipped = 0;

	while (is_tail && skipped < REST_MAX && skipped < count && (at[skipped] & 0xc0) == 0x80)
		skipped++;
	if (skipped > 0 && bytes_are_text(at + skipped, count - skipped))
		return value_text_new(h, at + skipped, count - skipped);
	return bytes_new(h, bytes, count);
}
