#include "daemon/load/json_layout.h"

#include <stdlib.h>
#include <string.h>

#define INDENT 2

static void write_value(struct buf *out, const json_t *json, int indent, size_t column);

static void new_line(struct buf *out, int indent)
{
	buf_addf(out, "\n%*s", indent, "");
}

static void write_object(struct buf *out, const json_t *json, int indent)
{
	const char *key, *comma = "";
	json_t     *item;

	buf_add_byte(out, '{');
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		size_t bytes = strlen(key);

		buf_add_text(out, comma);
		new_line(out, indent);
		buf_add_json_string(out, key, bytes);
		buf_add_text(out, ": ");
		write_value(out, item, indent, (size_t)indent + bytes + strlen("\"\": "));
		comma = ",";
	}
	new_line(out, indent - INDENT);
	buf_add_byte(out, '}');
}

static void write_array(struct buf *out, const json_t *json, int indent)
{
	const char *comma = "";
	json_t     *item;
	size_t      i;

	buf_add_byte(out, '[');
	json_array_foreach (json, i, item) {
		buf_add_text(out, comma);
		new_line(out, indent);
		write_value(out, item, indent, (size_t)indent);
		comma = ",";
	}
	new_line(out, indent - INDENT);
	buf_add_byte(out, ']');
}

/* `column`: where it begins; a comma may follow. */
static void write_value(struct buf *out, const json_t *json, int indent, size_t column)
{
	char *line = json_dumps(json, JSON_ENCODE_ANY);

	if (line == NULL)
		out->failed = GD_NOMEM;
	else if ((!json_is_object(json) && !json_is_array(json)) ||
	         column + strlen(line) + 1 <= JSON_LAYOUT_COLUMNS)
		buf_add_text(out, line);
	else if (json_is_object(json))
		write_object(out, json, indent + INDENT);
	else
		write_array(out, json, indent + INDENT);
	free(line);
}

void json_layout(struct buf *out, const json_t *json)
{
	write_value(out, json, 0, 0);
	buf_add_byte(out, '\n');
}
