/*
 * render.h - what people read: JSON with short numbers, events, times, tables.
 *
 * All of it goes into a struct buf. Nothing that comes from a job can move the cursor of a
 * terminal: control characters, C1 ones too, leave as escapes. Threads: none.
 */
#ifndef GATHERD_CLIENT_RENDER_H
#define GATHERD_CLIENT_RENDER_H

#include "proto/base/buf.h"

#include <jansson.h>

/* JSON with each number as short as it reads back the same; `indent` spaces a level, 0: compact. */
void render_json(struct buf *b, const json_t *value, unsigned indent);
/* Text as it is, control characters as \u00XX. */
void render_text(struct buf *b, const char *text);
/* What a command printed, for a terminal: ends of lines, tabs and colours (SGR) as they are, other
 * control characters as \u00XX. A colour that `text` only begins counts as such a character. */
void render_output(struct buf *b, const char *text, size_t bytes);
/* One line: `+3.000s  yield  "value"`. `start` is the moment (seconds since the epoch) that offsets
 * count from; 0: none is shown. */
void render_event(struct buf *b, const json_t *event, double start, bool is_coloured);
/* "2026-01-31 09:15:00", local time; "-" for no number. */
void render_time(struct buf *b, const json_t *seconds);
/* "0.250s", "2m03s"; "-" unless both are numbers. */
void render_span(struct buf *b, const json_t *from, const json_t *to);

/* A table of texts. Cells are added from left to right; a row ends by itself. */
#define RENDER_COLUMNS_MAX 8
struct render_table {
	uint32_t   columns;
	uint32_t   widths[RENDER_COLUMNS_MAX]; /* characters */
	uint32_t   cells;
	struct buf text; /* the cells, each ended by NUL */
};
void render_table_init(struct render_table *t, uint32_t columns, const char *const *titles);
/* Printable text; control characters leave as escapes. NULL: "". */
void render_table_add(struct render_table *t, const char *cell);
void render_table_write(struct buf *b, const struct render_table *t);
void render_table_close(struct render_table *t);

#endif
