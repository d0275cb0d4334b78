/*
 * frame.h - bytes in, messages out.
 *
 * Finds where one JSON message ends and the next begins, so that newline delimited, CRLF,
 * concatenated and pretty-printed JSON all work. It looks at each byte once: the scanner is fed
 * the pieces of a buffer in turn and carries its state from one to the next. It copies nothing and
 * judges only as much as it needs; the JSON parser judges the rest. What it does judge is what a
 * parser must not be given: more bytes, depth or values than the limits.
 *
 * The caller keeps the bytes. After each call, the last `s->bytes` of the bytes scanned so far
 * belong to the message under way (or just completed); whatever lies before them may be dropped.
 *
 *	do {
 *		found = frame_scan(&s, piece, count, &used);
 *		... advance by `used`, act on `found` ...
 *	} while (found != FRAME_MORE);
 *
 * Ownership: none. Threads: none; one scanner per connection. Cost: linear, no memory.
 * Source: RFC 8259 (JSON), RFC 7464 section 2.4 on resynchronising after a damaged text.
 */
#ifndef GATHERD_PROTO_FRAME_H
#define GATHERD_PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_BYTES_MAX (1u << 20)     /* of one message */
#define FRAME_STRANGER_BYTES_MAX 4096u /* the same, over TCP before a token was shown */
#define FRAME_DEPTH_MAX 64u
#define FRAME_VALUES_MAX 16384u

enum frame_result {
	FRAME_MORE,    /* every byte was used; the message under way is not complete */
	FRAME_MESSAGE, /* a message ends here: an object or a list, `s->bytes` long */
	FRAME_MALFORMED, /* not JSON: answer ParseError. The scanner goes on after the next LF by itself;
	                  * before the first message of a connection, close after the answer instead */
	/* These stick: what follows is never looked at. Answer LimitExceeded with a null id, close. */
	FRAME_TOO_LONG,
	FRAME_TOO_DEEP,
	FRAME_TOO_MANY, /* values */
	FRAME_NOT_JSON /* the connection does not begin with { or [: close without a word. Sticks. */
};

struct frame_scanner {
	size_t   bytes_max;
	size_t   bytes;     /* of the message under way or just completed */
	uint64_t is_object; /* bit d - 1: the container at depth d is an object, not a list */
	uint32_t depth;
	uint32_t values;
	uint8_t  state;          /* enum frame_state, see frame.c */
	uint8_t  expects;        /* enum frame_expects, see frame.c */
	bool     has_line_start; /* only white space since the last LF */
	bool     has_message;    /* one message was complete */
	enum frame_result stuck; /* one of those that stick, or FRAME_MORE */
};

void frame_init(struct frame_scanner *s, size_t bytes_max);
/* Takes effect at once, also for the message under way. */
void frame_set_bytes_max(struct frame_scanner *s, size_t bytes_max);

/* Scans `count` bytes that follow those of the last call; `*used` says how many it took. For every
 * result but FRAME_MORE the rest is left for the next call. FRAME_MALFORMED is told once for each
 * damaged stretch. */
enum frame_result frame_scan(struct frame_scanner *s, const char *bytes, size_t count,
                             size_t *used);

/* Drops everything up to and including the next LF: for a message that looked complete here and
 * that the JSON parser refused. */
void frame_resync(struct frame_scanner *s);

#endif
