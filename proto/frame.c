#include "proto/frame.h"

#include "proto/base/check.h"

#include <string.h>

enum frame_state {
	FRAME_BETWEEN, /* white space only; a message may begin */
	FRAME_INSIDE,  /* a message, outside of texts */
	FRAME_TEXT,    /* between two quotes */
	FRAME_ESCAPE,  /* behind a backslash in a text */
	FRAME_SKIPPING /* a damaged stretch, up to the next LF */
};

/* What may come next inside a message. Enough of the grammar to see where a message that was cut
 * off runs into the next one; the rest is the parser's. */
enum frame_expects {
	FRAME_EXPECTS_VALUE,
	FRAME_EXPECTS_KEY,
	FRAME_EXPECTS_MORE /* a value or key has ended: comma, colon, closing bracket */
};

enum byte_class {
	BYTE_PLAIN, /* of a number or a word; what is wrong here is wrong to the parser too */
	BYTE_SPACE,
	BYTE_LF,
	BYTE_QUOTE,
	BYTE_OPENER,
	BYTE_CLOSER,
	BYTE_COMMA,
	BYTE_COLON,
	BYTE_CONTROL
};

static const uint8_t class_of[256] = {
	[0x00] = BYTE_CONTROL, [0x01] = BYTE_CONTROL, [0x02] = BYTE_CONTROL, [0x03] = BYTE_CONTROL,
	[0x04] = BYTE_CONTROL, [0x05] = BYTE_CONTROL, [0x06] = BYTE_CONTROL, [0x07] = BYTE_CONTROL,
	[0x08] = BYTE_CONTROL, ['\t'] = BYTE_SPACE,   ['\n'] = BYTE_LF,      [0x0b] = BYTE_CONTROL,
	[0x0c] = BYTE_CONTROL, ['\r'] = BYTE_SPACE,   [0x0e] = BYTE_CONTROL, [0x0f] = BYTE_CONTROL,
	[0x10] = BYTE_CONTROL, [0x11] = BYTE_CONTROL, [0x12] = BYTE_CONTROL, [0x13] = BYTE_CONTROL,
	[0x14] = BYTE_CONTROL, [0x15] = BYTE_CONTROL, [0x16] = BYTE_CONTROL, [0x17] = BYTE_CONTROL,
	[0x18] = BYTE_CONTROL, [0x19] = BYTE_CONTROL, [0x1a] = BYTE_CONTROL, [0x1b] = BYTE_CONTROL,
	[0x1c] = BYTE_CONTROL, [0x1d] = BYTE_CONTROL, [0x1e] = BYTE_CONTROL, [0x1f] = BYTE_CONTROL,
	[0x7f] = BYTE_CONTROL, [' '] = BYTE_SPACE,    ['"'] = BYTE_QUOTE,    ['{'] = BYTE_OPENER,
	['['] = BYTE_OPENER,   ['}'] = BYTE_CLOSER,   [']'] = BYTE_CLOSER,   [','] = BYTE_COMMA,
	[':'] = BYTE_COLON,
};

/* Bytes at which a text does not simply go on: its end, an escape, and control characters, which
 * JSON does not allow there. */
static const bool stops_text[256] = {
	[0x00] = true, [0x01] = true, [0x02] = true, [0x03] = true, [0x04] = true, [0x05] = true,
	[0x06] = true, [0x07] = true, [0x08] = true, [0x09] = true, [0x0a] = true, [0x0b] = true,
	[0x0c] = true, [0x0d] = true, [0x0e] = true, [0x0f] = true, [0x10] = true, [0x11] = true,
	[0x12] = true, [0x13] = true, [0x14] = true, [0x15] = true, [0x16] = true, [0x17] = true,
	[0x18] = true, [0x19] = true, [0x1a] = true, [0x1b] = true, [0x1c] = true, [0x1d] = true,
	[0x1e] = true, [0x1f] = true, ['"'] = true,  ['\\'] = true,
};

_Static_assert(FRAME_DEPTH_MAX <= 64, "is_object has one bit for each depth");

void frame_init(struct frame_scanner *s, size_t bytes_max)
{
	*s = (struct frame_scanner){ .bytes_max = bytes_max, .state = FRAME_BETWEEN };
}

void frame_set_bytes_max(struct frame_scanner *s, size_t bytes_max)
{
	s->bytes_max = bytes_max;
}

void frame_resync(struct frame_scanner *s)
{
	s->state = FRAME_SKIPPING;
	s->bytes = 0;
}

/* Is the container that `s` is in an object? Only inside a message. */
static bool in_object(const struct frame_scanner *s)
{
	return (s->is_object >> (s->depth - 1) & 1) != 0;
}

/* An opening bracket in a place where one may stand. */
static enum frame_result open_container(struct frame_scanner *s, unsigned char byte)
{
	if (s->depth == FRAME_DEPTH_MAX)
		return FRAME_TOO_DEEP;
	if (++s->values > FRAME_VALUES_MAX)
		return FRAME_TOO_MANY;
	if (byte == '{') {
		s->is_object |= UINT64_C(1) << s->depth;
		s->expects = FRAME_EXPECTS_KEY;
	} else {
		s->is_object &= ~(UINT64_C(1) << s->depth);
		s->expects = FRAME_EXPECTS_VALUE;
	}
	s->depth++;
	return FRAME_MORE;
}

static enum frame_result close_container(struct frame_scanner *s, unsigned char byte)
{
	if (in_object(s) != (byte == '}'))
		return FRAME_MALFORMED;
	s->expects = FRAME_EXPECTS_MORE;
	if (--s->depth > 0)
		return FRAME_MORE;
	s->state = FRAME_BETWEEN;
	s->has_message = true;
	return FRAME_MESSAGE;
}

/* A comma stands for the value behind it, an opener for itself: together they are at least as many
 * as there are values. */
static enum frame_result next_member(struct frame_scanner *s)
{
	if (s->expects != FRAME_EXPECTS_MORE)
		return FRAME_MALFORMED;
	if (++s->values > FRAME_VALUES_MAX)
		return FRAME_TOO_MANY;
	s->expects = in_object(s) ? FRAME_EXPECTS_KEY : FRAME_EXPECTS_VALUE;
	return FRAME_MORE;
}

/* One byte that means something inside a message. */
static enum frame_result step_inside(struct frame_scanner *s, unsigned char byte)
{
	switch ((enum byte_class)class_of[byte]) {
	case BYTE_QUOTE:
		if (s->expects == FRAME_EXPECTS_MORE)
			return FRAME_MALFORMED;
		s->state = FRAME_TEXT;
		return FRAME_MORE;
	case BYTE_COLON:
		if (s->expects != FRAME_EXPECTS_MORE)
			return FRAME_MALFORMED;
		s->expects = FRAME_EXPECTS_VALUE;
		return FRAME_MORE;
	case BYTE_COMMA:
		return next_member(s);
	case BYTE_OPENER:
		return s->expects == FRAME_EXPECTS_VALUE ? open_container(s, byte)
		                                         : FRAME_MALFORMED;
	case BYTE_CLOSER:
		return close_container(s, byte);
	case BYTE_PLAIN:
		s->expects = FRAME_EXPECTS_MORE;
		return FRAME_MORE;
	case BYTE_LF:
	case BYTE_SPACE:
		return FRAME_MORE;
	case BYTE_CONTROL:
		return FRAME_MALFORMED;
	}
	CHECK_NEVER("frame: unknown class");
}

/* Each of the following takes bytes from `at` on while nothing happens, and returns where it
 * stopped: the end, or behind the byte at which `*found` happened. */

static const unsigned char *skip_plain(const unsigned char *at, const unsigned char *end)
{
	while (at < end && class_of[*at] == BYTE_PLAIN)
		at++;
	return at;
}

static const unsigned char *scan_inside(struct frame_scanner *s, const unsigned char *at,
                                        const unsigned char *end, enum frame_result *found)
{
	while (at < end && s->state == FRAME_INSIDE) {
		unsigned char byte = *at;

		*found = step_inside(s, byte);
		if (*found == FRAME_MALFORMED && s->has_line_start && class_of[byte] == BYTE_OPENER)
			return at; /* the message was cut off; this one begins on a line of its own */
		at++;
		if (class_of[byte] == BYTE_PLAIN)
			at = skip_plain(at, end);
		if (class_of[byte] != BYTE_SPACE)
			s->has_line_start = byte == '\n';
		if (*found != FRAME_MORE)
			return at;
	}
	return at;
}

static const unsigned char *scan_text(struct frame_scanner *s, const unsigned char *at,
                                      const unsigned char *end, enum frame_result *found)
{
	while (end - at >= 4 &&
	       !(stops_text[at[0]] | stops_text[at[1]] | stops_text[at[2]] | stops_text[at[3]]))
		at += 4;
	while (at < end && !stops_text[*at])
		at++;
	if (at == end)
		return at;
	if (*at == '"') {
		s->state = FRAME_INSIDE;
		s->expects = FRAME_EXPECTS_MORE;
	} else if (*at == '\\') {
		s->state = FRAME_ESCAPE;
	} else {
		*found = FRAME_MALFORMED;
		s->has_line_start = *at == '\n';
	}
	return at + 1;
}

static const unsigned char *scan_between(struct frame_scanner *s, const unsigned char *at,
                                         const unsigned char *end, enum frame_result *found)
{
	while (at < end && (class_of[*at] == BYTE_SPACE || class_of[*at] == BYTE_LF))
		at++;
	if (at == end)
		return at;
	if (class_of[*at] == BYTE_OPENER) {
		s->state = FRAME_INSIDE;
		s->depth = 0;
		s->values = 0;
		s->bytes = 0;
		s->expects = FRAME_EXPECTS_VALUE;
		s->has_line_start = false;
		return at;
	}
	*found = s->has_message ? FRAME_MALFORMED : FRAME_NOT_JSON;
	s->has_line_start = false;
	return at + 1;
}

static const unsigned char *scan_skipping(struct frame_scanner *s, const unsigned char *at,
                                          const unsigned char *end)
{
	const unsigned char *lf = memchr(at, '\n', (size_t)(end - at));

	if (lf == NULL)
		return end;
	s->state = FRAME_BETWEEN;
	return lf + 1;
}

static const unsigned char *scan_escape(struct frame_scanner *s, const unsigned char *at)
{
	s->state = FRAME_TEXT;
	if (stops_text[*at] && *at != '"' && *at != '\\')
		return at; /* a control character: scan_text() says what is to be said */
	return at + 1;
}

static bool is_in_message(const struct frame_scanner *s)
{
	return s->state == FRAME_INSIDE || s->state == FRAME_TEXT || s->state == FRAME_ESCAPE;
}

/* A message, to its end or that of its room. */
static const unsigned char *scan_message(struct frame_scanner *s, const unsigned char *at,
                                         const unsigned char *end, enum frame_result *found)
{
	const unsigned char *from = at;

	if (s->bytes >= s->bytes_max) {
		*found = FRAME_TOO_LONG;
		return at;
	}
	if ((size_t)(end - at) > s->bytes_max - s->bytes)
		end = at + (s->bytes_max - s->bytes);
	while (at < end && *found == FRAME_MORE && is_in_message(s)) {
		if (s->state == FRAME_INSIDE)
			at = scan_inside(s, at, end, found);
		else if (s->state == FRAME_TEXT)
			at = scan_text(s, at, end, found);
		else
			at = scan_escape(s, at);
	}
	s->bytes += (size_t)(at - from);
	return at;
}

/* After a malformed message: it began anew on the line that has just begun, or the rest of the line
 * is lost. */
static void leave_damage(struct frame_scanner *s)
{
	s->bytes = 0;
	s->state = s->has_line_start ? FRAME_BETWEEN : FRAME_SKIPPING;
}

enum frame_result frame_scan(struct frame_scanner *s, const char *bytes, size_t count, size_t *used)
{
	const unsigned char *first = (const unsigned char *)bytes;
	const unsigned char *at = first;
	const unsigned char *end = first + count;
	enum frame_result    found = s->stuck;

	if (s->state == FRAME_BETWEEN)
		s->bytes = 0;
	while (found == FRAME_MORE && at < end) {
		if (is_in_message(s))
			at = scan_message(s, at, end, &found);
		else if (s->state == FRAME_BETWEEN)
			at = scan_between(s, at, end, &found);
		else
			at = scan_skipping(s, at, end);
	}
	*used = (size_t)(at - first);
	if (found == FRAME_MALFORMED)
		leave_damage(s);
	else if (found != FRAME_MORE && found != FRAME_MESSAGE)
		s->stuck = found;
	return found;
}
