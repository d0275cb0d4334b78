#include "daemon/effect/lines.h"

#include "daemon/engine/engine.h"
#include "daemon/value/limits.h"

#include <string.h>

#define CHARACTER_REST_MAX 3 /* bytes of a character without its first */

enum gd_err lines_open(struct lines *l, const char *dir, const struct run_ref *ref, uint64_t offset,
                       struct gd_error *why)
{
	*l = (struct lines){ .offset = offset };
	buf_init(&l->rest, 0);
	return run_log_open(&l->log, dir, ref, RUN_LOG_STDOUT, offset, why);
}

void lines_close(struct lines *l)
{
	run_log_close(&l->log);
	buf_close(&l->rest);
}

static enum gd_err read_more(struct lines *l, struct gd_error *why)
{
	struct run_chunk chunk;
	enum gd_err      rc = GD_OK;

	do {
		char *to = buf_reserve(&l->rest, EXEC_LINE_BYTES_MAX);

		if (to == NULL)
			return gd_fail(why, GD_NOMEM, "no memory for lines of a command");
		rc = run_log_read(&l->log, to, EXEC_LINE_BYTES_MAX, &chunk, why);
		if (rc == GD_OK)
			l->rest.bytes += chunk.bytes;
	} while (rc == GD_OK && chunk.bytes > 0 && l->rest.bytes < EXEC_LINES_BYTES_MAX);
	return rc;
}

/* Bytes of the line that `at` begins with, and in `*used` those with its end; 0 used: it is not
 * whole. */
static size_t cut_line(const char *at, size_t bytes, bool is_over, size_t *used)
{
	size_t      seen = bytes > EXEC_LINE_BYTES_MAX + 1 ? EXEC_LINE_BYTES_MAX + 1 : bytes;
	const char *end = memchr(at, '\n', seen);
	size_t      part = EXEC_LINE_BYTES_MAX;

	if (end != NULL) {
		*used = (size_t)(end - at) + 1;
		return *used - 1;
	}
	if (bytes <= EXEC_LINE_BYTES_MAX) {
		*used = is_over ? bytes : 0;
		return *used;
	}
	/* Not inside of a character. */
	for (size_t i = 0; i < CHARACTER_REST_MAX && ((unsigned char)at[part] & 0xc0) == 0x80; i++)
		part--;
	*used = part;
	return part;
}

enum gd_err lines_next(struct lines *l, struct value_heap *h, bool is_over, struct value *out,
                       struct gd_error *why)
{
	enum gd_err  rc = GD_OK;
	struct value list;
	size_t       done = 0, used, bytes;

	*out = VALUE_NONE;
	if (l->rest.bytes < EXEC_LINES_BYTES_MAX && (rc = read_more(l, why)) != GD_OK)
		return rc;
	list = value_list_new(h, 0);
	for (uint32_t n = 0; n < EXEC_LINES_MAX && done < EXEC_LINES_BYTES_MAX; n++) {
		const char *at = l->rest.at + done;

		if (done == l->rest.bytes)
			break;
		bytes = cut_line(at, l->rest.bytes - done, is_over, &used);
		if (used == 0)
			break;
		list = value_list_append(h, list, engine_bytes(h, at, bytes, false));
		done += used;
	}
	if (done == 0) {
		value_release(h, list);
		return GD_OK;
	}
	memmove(l->rest.at, l->rest.at + done, l->rest.bytes - done);
	l->rest.bytes -= done;
	l->offset += done;
	*out = list;
	return GD_OK;
}
