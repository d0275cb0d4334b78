#include "client/render.h"

#include "proto/base/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- text --- */

/* The bytes at `text` that form one control character; 0: none is here. */
static size_t control_bytes(const char *text)
{
	unsigned char c = (unsigned char)text[0];

	if (c < 0x20 || c == 0x7f)
		return 1;
	/* U+0080..U+009F: some terminals obey these like ESC sequences. */
	return c == 0xc2 && ((unsigned char)text[1] & 0xe0) == 0x80 ? 2 : 0;
}

static void add_control(struct buf *b, const char *text, size_t bytes)
{
	buf_addf(b, "\\u%04x", (unsigned char)text[bytes - 1]);
}

void render_text(struct buf *b, const char *text)
{
	while (*text != '\0') {
		size_t bytes = control_bytes(text);

		if (bytes == 0)
			buf_add_byte(b, *text++);
		else
			add_control(b, text, bytes);
		text += bytes;
	}
}

/* The bytes at `text` that only choose colours, ESC [ numbers m; 0: none do. */
static size_t colour_bytes(const char *text, size_t bytes)
{
	size_t at = 2;

	if (bytes < 3 || text[0] != '\033' || text[1] != '[')
		return 0;
	while (at < bytes &&
	       ((text[at] >= '0' && text[at] <= '9') || text[at] == ';' || text[at] == ':'))
		at++;
	return at < bytes && text[at] == 'm' ? at + 1 : 0;
}

/* The same as control_bytes() where no NUL ends the text; 0: print it as it is. */
static size_t unwanted_bytes(const char *text, size_t bytes)
{
	if (text[0] == '\n' || text[0] == '\t')
		return 0;
	return bytes == 1 && (unsigned char)text[0] == 0xc2 ? 0 : control_bytes(text);
}

void render_output(struct buf *b, const char *text, size_t bytes)
{
	while (bytes > 0) {
		size_t unwanted = unwanted_bytes(text, bytes);
		size_t taken = unwanted == 0 ? 1 : colour_bytes(text, bytes);

		if (taken > 0) {
			buf_add(b, text, taken);
		} else {
			add_control(b, text, unwanted);
			taken = unwanted;
		}
		text += taken;
		bytes -= taken;
	}
}

/* --- JSON --- */

static void json_text(struct buf *b, const json_t *string)
{
	const char *text = json_string_value(string);
	size_t      bytes = json_string_length(string), done = 0;

	buf_add_byte(b, '"');
	for (size_t i = 0; i < bytes; i++) {
		size_t control = (unsigned char)text[i] < 0x20 ? 0 : control_bytes(text + i);

		if (control == 0 && (unsigned char)text[i] >= 0x20 && text[i] != '"' &&
		    text[i] != '\\')
			continue;
		buf_add(b, text + done, i - done);
		if (control != 0) {
			add_control(b, text + i, control);
			i += control - 1;
		} else if (text[i] == '\n') {
			buf_add_text(b, "\\n");
		} else if (text[i] == '\t') {
			buf_add_text(b, "\\t");
		} else if (text[i] == '"' || text[i] == '\\') {
			buf_add_byte(b, '\\');
			buf_add_byte(b, text[i]);
		} else {
			add_control(b, text + i, 1);
		}
		done = i + 1;
	}
	buf_add(b, text + done, bytes - done);
	buf_add_byte(b, '"');
}

static void json_real_text(struct buf *b, double number)
{
	char text[40];

	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, number);
		if (strtod(text, NULL) >= number && strtod(text, NULL) <= number)
			break;
	}
	buf_add_text(b, text);
	if (strpbrk(text, ".en") == NULL)
		buf_add_text(b, ".0"); /* stays a float */
}

static void add_break(struct buf *b, unsigned indent, unsigned level)
{
	if (indent == 0)
		return;
	buf_add_byte(b, '\n');
	for (unsigned i = 0; i < indent * level; i++)
		buf_add_byte(b, ' ');
}

static void json_write(struct buf *b, const json_t *value, unsigned indent, unsigned level);

static void json_write_array(struct buf *b, const json_t *value, unsigned indent, unsigned level)
{
	size_t        i;
	const json_t *item;

	buf_add_byte(b, '[');
	json_array_foreach (value, i, item) {
		if (i > 0)
			buf_add_byte(b, ',');
		add_break(b, indent, level + 1);
		json_write(b, item, indent, level + 1);
	}
	if (json_array_size(value) > 0)
		add_break(b, indent, level);
	buf_add_byte(b, ']');
}

static void json_write_object(struct buf *b, const json_t *value, unsigned indent, unsigned level)
{
	bool is_first = true;

	buf_add_byte(b, '{');
	for (void *at = json_object_iter((json_t *)(uintptr_t)value); at != NULL;
	     at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
		json_t *key = json_stringn(json_object_iter_key(at), json_object_iter_key_len(at));

		if (!is_first)
			buf_add_byte(b, ',');
		is_first = false;
		add_break(b, indent, level + 1);
		if (key == NULL)
			b->failed = GD_NOMEM;
		else
			json_text(b, key);
		json_decref(key);
		buf_add_text(b, indent == 0 ? ":" : ": ");
		json_write(b, json_object_iter_value(at), indent, level + 1);
	}
	if (!is_first)
		add_break(b, indent, level);
	buf_add_byte(b, '}');
}

static void json_write(struct buf *b, const json_t *value, unsigned indent, unsigned level)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		json_write_object(b, value, indent, level);
		return;
	case JSON_ARRAY:
		json_write_array(b, value, indent, level);
		return;
	case JSON_STRING:
		json_text(b, value);
		return;
	case JSON_INTEGER:
		buf_add_i64(b, json_integer_value(value));
		return;
	case JSON_REAL:
		json_real_text(b, json_real_value(value));
		return;
	case JSON_TRUE:
		buf_add_text(b, "true");
		return;
	case JSON_FALSE:
		buf_add_text(b, "false");
		return;
	case JSON_NULL:
		buf_add_text(b, "null");
		return;
	}
}

void render_json(struct buf *b, const json_t *value, unsigned indent)
{
	json_write(b, value, indent, 0);
}

/* --- times --- */

void render_time(struct buf *b, const json_t *seconds)
{
	time_t    when = (time_t)json_number_value(seconds);
	struct tm local;
	char      text[32];

	if (!json_is_number(seconds) || localtime_r(&when, &local) == NULL) {
		buf_add_byte(b, '-');
		return;
	}
	(void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
	buf_add_text(b, text);
}

void render_span(struct buf *b, const json_t *from, const json_t *to)
{
	double  seconds = json_number_value(to) - json_number_value(from);
	int64_t whole = (int64_t)seconds;

	if (!json_is_number(from) || !json_is_number(to))
		buf_add_byte(b, '-');
	else if (seconds < 60)
		buf_addf(b, "%.3fs", seconds);
	else if (seconds < 3600)
		buf_addf(b, "%dm%02ds", (int)(whole / 60), (int)(whole % 60));
	else
		buf_addf(b, "%lldh%02dm", (long long)(whole / 3600), (int)(whole / 60 % 60));
}

/* --- events --- */

static const char *kind_colour(const char *kind)
{
	if (strstr(kind, "failed") != NULL)
		return "\033[31m";
	if (strstr(kind, "cancelled") != NULL || strstr(kind, "retrying") != NULL)
		return "\033[33m";
	if (strstr(kind, "completed") != NULL)
		return "\033[32m";
	return strcmp(kind, "yield") == 0 ? "\033[36m" : "\033[2m";
}

void render_event(struct buf *b, const json_t *event, double start, bool is_coloured)
{
	const char   *kind = json_string_value(json_object_get(event, "kind"));
	const char   *name = json_string_value(json_object_get(event, "name"));
	const char   *path = json_string_value(json_object_get(event, "path"));
	const json_t *data = json_object_get(event, "data");
	char          offset[32];

	if (kind == NULL)
		return;
	if (start > 0) {
		(void)snprintf(offset, sizeof offset, "%+.3fs",
		               json_number_value(json_object_get(event, "time")) - start);
		buf_addf(b, "%10s", offset);
	}
	buf_addf(b, "  %s", is_coloured ? kind_colour(kind) : "");
	if (name == NULL && path == NULL && data == NULL)
		buf_addf(b, "%s", kind);
	else
		buf_addf(b, "%-14s", kind);
	if (is_coloured)
		buf_add_text(b, "\033[0m");
	if (name != NULL || path != NULL) {
		buf_add_text(b, "  ");
		render_text(b, name != NULL ? name : path);
	}
	if (data != NULL) {
		buf_add_text(b, "  ");
		render_json(b, data, 0);
	}
	buf_add_byte(b, '\n');
}

/* --- tables --- */

static uint32_t count_characters(const char *text, size_t bytes)
{
	uint32_t count = 0;

	for (size_t i = 0; i < bytes; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}

void render_table_init(struct render_table *t, uint32_t columns, const char *const *titles)
{
	CHECK(columns <= RENDER_COLUMNS_MAX);
	*t = (struct render_table){ .columns = columns };
	for (uint32_t i = 0; i < columns; i++)
		render_table_add(t, titles[i]);
}

void render_table_add(struct render_table *t, const char *cell)
{
	size_t   from = t->text.bytes;
	uint32_t column = t->cells++ % t->columns, width;

	render_text(&t->text, cell == NULL ? "" : cell);
	if (t->text.failed != GD_OK)
		return;
	width = count_characters(t->text.at + from, t->text.bytes - from);
	if (width > t->widths[column])
		t->widths[column] = width;
	buf_add_byte(&t->text, '\0');
}

void render_table_write(struct buf *b, const struct render_table *t)
{
	const char *cell = t->text.at;

	for (uint32_t i = 0; t->text.failed == GD_OK && i < t->cells; i++) {
		uint32_t column = i % t->columns;
		size_t   bytes = strlen(cell);

		buf_add(b, cell, bytes);
		if (column + 1 == t->columns) {
			while (b->bytes > 0 && b->at[b->bytes - 1] == ' ')
				b->bytes--;
			buf_add_byte(b, '\n');
		} else {
			uint32_t width = count_characters(cell, bytes);

			for (uint32_t pad = width; pad < t->widths[column] + 2; pad++)
				buf_add_byte(b, ' ');
		}
		cell += bytes + 1;
	}
}

void render_table_close(struct render_table *t)
{
	buf_close(&t->text);
}
