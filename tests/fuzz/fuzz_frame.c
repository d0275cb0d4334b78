/*
 * Any bytes through the frame scanner, as a connection would feed it. However they are cut into
 * pieces, the same messages come out; what is one JSON message to the parser is one to the scanner;
 * and the parser is never given more depth or values than the limits.
 */
#include "proto/base/buf.h"
#include "proto/base/check.h"
#include "proto/frame.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <string.h>

#define SMALL_BYTES_MAX 48u /* so that short inputs can be too long */

const uint32_t fuzz_rounds = 60000;

struct connection {
	struct frame_scanner scanner;
	const char          *bytes;
	size_t               scanned;
	uint32_t             messages;
	struct buf           told; /* what came out, a line each */
};

static uint32_t depth_of(const json_t *json, uint32_t *values)
{
	uint32_t    deepest = 0;
	uint32_t    depth;
	const char *key;
	json_t     *item;
	size_t      i;

	++*values;
	json_array_foreach (json, i, item) {
		depth = depth_of(item, values);
		deepest = depth > deepest ? depth : deepest;
	}
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		depth = depth_of(item, values);
		deepest = depth > deepest ? depth : deepest;
	}
	return json_is_array(json) || json_is_object(json) ? deepest + 1 : 0;
}

/* Whether the parser takes it; if not, the line is lost. */
static bool is_json(const char *at, size_t bytes)
{
	json_t  *json = json_loadb(at, bytes, 0, NULL);
	uint32_t values = 0;

	if (json == NULL)
		return false;
	CHECK(depth_of(json, &values) <= FRAME_DEPTH_MAX);
	CHECK(values <= FRAME_VALUES_MAX);
	json_decref(json);
	return true;
}

static void take_message(struct connection *c)
{
	size_t      bytes = c->scanner.bytes;
	const char *at;

	CHECK(bytes >= 2 && bytes <= c->scanner.bytes_max && bytes <= c->scanned);
	at = c->bytes + c->scanned - bytes;
	CHECK((at[0] == '{' && at[bytes - 1] == '}') || (at[0] == '[' && at[bytes - 1] == ']'));
	c->messages++;
	buf_addf(&c->told, "message %zu to %zu\n", c->scanned - bytes, c->scanned);
	if (!is_json(at, bytes)) {
		buf_add_text(&c->told, "not JSON\n");
		frame_resync(&c->scanner);
	}
}

/* False: it sticks. */
static bool take(struct connection *c, enum frame_result found)
{
	switch (found) {
	case FRAME_MORE:
		return true;
	case FRAME_MESSAGE:
		take_message(c);
		return true;
	case FRAME_MALFORMED:
		buf_addf(&c->told, "malformed at %zu\n", c->scanned);
		return true;
	case FRAME_TOO_LONG:
	case FRAME_TOO_DEEP:
	case FRAME_TOO_MANY:
	case FRAME_NOT_JSON:
		buf_addf(&c->told, "stuck: %d\n", (int)found);
		return false;
	}
	CHECK_NEVER("frame: unknown result");
}

static bool feed(struct connection *c, size_t count)
{
	const size_t      end = c->scanned + count;
	enum frame_result found;
	size_t            used;

	do {
		found = frame_scan(&c->scanner, c->bytes + c->scanned, end - c->scanned, &used);
		CHECK(used <= end - c->scanned);
		CHECK(found != FRAME_MORE || used == end - c->scanned);
		c->scanned += used;
		CHECK(c->scanner.bytes <= c->scanned);
		if (!take(c, found)) {
			CHECK(frame_scan(&c->scanner, "{}", 2, &used) == found && used == 0);
			return false;
		}
	} while (found != FRAME_MORE);
	return true;
}

/* Pieces of 1 to `piece_max` bytes; the same ones for the same input. */
static void run(struct connection *c, const uint8_t *data, size_t size, size_t bytes_max,
                uint32_t piece_max)
{
	uint32_t mix = 1;

	*c = (struct connection){ .bytes = (const char *)data };
	frame_init(&c->scanner, bytes_max);
	while (c->scanned < size) {
		size_t piece = 1 + (mix >> 16) % piece_max;

		mix = mix * 1103515245u + 12345u + data[c->scanned];
		if (!feed(c, piece > size - c->scanned ? size - c->scanned : piece))
			break;
	}
	CHECK(c->told.failed == GD_OK);
}

static void expect_same(const struct connection *a, const struct connection *b)
{
	CHECK(a->scanned == b->scanned);
	CHECK(a->told.bytes == b->told.bytes);
	CHECK(a->told.bytes == 0 || memcmp(a->told.at, b->told.at, a->told.bytes) == 0);
}

/* The parser finds one message, and nothing else, in all of it. It passes over a NUL behind a
 * number, which is no JSON. */
static void expect_one_message(const struct connection *c, const uint8_t *data, size_t size)
{
	bool     has_nul = memchr(data, '\0', size) != NULL;
	json_t  *json = has_nul ? NULL : json_loadb((const char *)data, size, 0, NULL);
	uint32_t values = 0;

	if (json == NULL)
		return;
	if (depth_of(json, &values) <= FRAME_DEPTH_MAX && size <= FRAME_BYTES_MAX &&
	    values < FRAME_VALUES_MAX / 2)
		CHECK(c->messages == 1 && strncmp(c->told.at, "message ", 8) == 0 &&
		      memchr(c->told.at, '\n', c->told.bytes) == c->told.at + c->told.bytes - 1);
	json_decref(json);
}

static void run_all(const uint8_t *data, size_t size, size_t bytes_max)
{
	static const uint32_t pieces[] = { 1, 3, 17 };
	struct connection     whole;
	struct connection     cut;

	whole = (struct connection){ .bytes = (const char *)data };
	frame_init(&whole.scanner, bytes_max);
	(void)feed(&whole, size);
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		run(&cut, data, size, bytes_max, pieces[i]);
		expect_same(&whole, &cut);
		buf_close(&cut.told);
	}
	if (bytes_max == FRAME_BYTES_MAX)
		expect_one_message(&whole, data, size);
	buf_close(&whole.told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run_all(data, size, FRAME_BYTES_MAX);
	run_all(data, size, SMALL_BYTES_MAX);
	return 0;
}
