#include "proto/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_ROOM 256

void buf_init(struct buf *b, size_t cap)
{
	*b = (struct buf){ .cap = cap };
}

void buf_close(struct buf *b)
{
	free(b->at);
	*b = (struct buf){ .cap = b->cap };
}

void buf_clear(struct buf *b)
{
	b->bytes = 0;
	b->failed = GD_OK;
}

static char *grow(struct buf *b, size_t need)
{
	size_t room = b->room == 0 ? BUF_FIRST_ROOM : b->room;
	char  *at;

	while (room < need)
		room += room;
	at = realloc(b->at, room);
	if (at == NULL) {
		b->failed = GD_NOMEM;
		return NULL;
	}
	b->at = at;
	b->room = room;
	return at + b->bytes;
}

char *buf_reserve(struct buf *b, size_t count)
{
	if (b->failed != GD_OK)
		return NULL;
	if (count > SIZE_MAX / 4 - b->bytes || (b->cap != 0 && b->bytes + count > b->cap)) {
		b->failed = GD_LIMIT;
		return NULL;
	}
	if (b->bytes + count <= b->room)
		return b->at + b->bytes;
	return grow(b, b->bytes + count);
}

void buf_add(struct buf *b, const void *bytes, size_t count)
{
	char *to;

	if (count == 0 || (to = buf_reserve(b, count)) == NULL)
		return;
	memcpy(to, bytes, count);
	b->bytes += count;
}

void buf_add_byte(struct buf *b, char byte)
{
	char *to = buf_reserve(b, 1);

	if (to != NULL) {
		*to = byte;
		b->bytes++;
	}
}

void buf_add_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_add_u64(struct buf *b, uint64_t number)
{
	char   digits[20];
	size_t first = sizeof digits;

	do
		digits[--first] = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	buf_add(b, digits + first, sizeof digits - first);
}

void buf_add_i64(struct buf *b, int64_t number)
{
	if (number < 0) {
		buf_add_byte(b, '-');
		buf_add_u64(b, UINT64_C(0) - (uint64_t)number);
		return;
	}
	buf_add_u64(b, (uint64_t)number);
}

static void add_escaped(struct buf *b, unsigned char c)
{
	switch (c) {
	case '"':
		buf_add(b, "\\\"", 2);
		return;
	case '\\':
		buf_add(b, "\\\\", 2);
		return;
	case '\n':
		buf_add(b, "\\n", 2);
		return;
	case '\r':
		buf_add(b, "\\r", 2);
		return;
	case '\t':
		buf_add(b, "\\t", 2);
		return;
	case '\b':
		buf_add(b, "\\b", 2);
		return;
	case '\f':
		buf_add(b, "\\f", 2);
		return;
	default:
		buf_addf(b, "\\u%04x", c);
	}
}

void buf_add_json_string(struct buf *b, const char *text, size_t bytes)
{
	size_t done = 0;

	buf_add_byte(b, '"');
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, text + done, i - done);
		add_escaped(b, c);
		done = i + 1;
	}
	buf_add(b, text + done, bytes - done);
	buf_add_byte(b, '"');
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	char   *to;
	int     need;

	va_start(args, fmt);
	need = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (need < 0 || (to = buf_reserve(b, (size_t)need + 1)) == NULL)
		return;
	va_start(args, fmt);
	(void)vsnprintf(to, (size_t)need + 1, fmt, args);
	va_end(args);
	b->bytes += (size_t)need;
}
