#include "client/source.h"

#include "client/render.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_COLUMNS 96 /* of a source line */

static enum gd_err read_all(struct source *s, int fd, struct gd_error *why)
{
	for (;;) {
		const size_t room = 16 * 1024;
		char        *to = buf_reserve(&s->text, room);
		ssize_t      got;

		if (to == NULL)
			return gd_fail(why, s->text.failed, "%s: a job has at most %u bytes",
			               s->name, SOURCE_BYTES_MAX);
		got = read(fd, to, room);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return gd_fail_sys(why, errno, "%s", s->name);
		if (got == 0)
			return GD_OK;
		s->text.bytes += (size_t)got;
	}
}

static enum gd_err read_file(struct source *s, const char *path, struct gd_error *why)
{
	int         fd = open(path, O_RDONLY | O_CLOEXEC);
	enum gd_err rc;

	if (fd < 0)
		return gd_fail_sys(why, errno, "%s", path);
	rc = read_all(s, fd, why);
	close(fd);
	return rc;
}

static enum gd_err parse(struct source *s, struct gd_error *why)
{
	json_error_t       fault;
	struct locate_span span;
	struct buf         b = { .cap = 0 };

	s->json = json_loadb(s->text.bytes == 0 ? "" : s->text.at, s->text.bytes,
	                     JSON_REJECT_DUPLICATES, &fault);
	if (s->json != NULL)
		return GD_OK;
	/* The position is behind the last token that was read. */
	span.to = fault.position < 0 ? 0 : (size_t)fault.position;
	if (span.to > s->text.bytes)
		span.to = s->text.bytes;
	span.from = span.to == 0 ? 0 : span.to - 1;
	source_write_fault(&b, s, &span, fault.text);
	(void)fwrite(b.at, 1, b.bytes, stderr);
	buf_close(&b);
	return gd_fail(why, GD_PARSE, "%s is not JSON", s->name);
}

enum gd_err source_read(struct source *s, const char *operand, struct gd_error *why)
{
	char        first = operand[strspn(operand, " \t\r\n")];
	enum gd_err rc = GD_OK;

	*s = (struct source){ .name = operand };
	buf_init(&s->text, SOURCE_BYTES_MAX + 16 * 1024);
	if (first == '{' || first == '[') {
		s->name = "argument";
		buf_add_text(&s->text, operand);
		if (s->text.failed != GD_OK)
			rc = gd_fail(why, s->text.failed, "the job is too large");
	} else if (strcmp(operand, "-") == 0) {
		s->name = "<stdin>";
		rc = read_all(s, STDIN_FILENO, why);
	} else {
		rc = read_file(s, operand, why);
	}
	return rc == GD_OK ? parse(s, why) : rc;
}

enum gd_err source_write(struct source *s, const char *name, json_t *json, struct gd_error *why)
{
	*s = (struct source){ .name = name, .json = json };
	buf_init(&s->text, SOURCE_BYTES_MAX);
	render_json(&s->text, json, 0);
	return s->text.failed == GD_OK ? GD_OK
	                               : gd_fail(why, s->text.failed, "the job is too large");
}

void source_close(struct source *s)
{
	buf_close(&s->text);
	json_decref(s->json);
	s->json = NULL;
}

static bool is_inside_character(const char *text, size_t at)
{
	return ((unsigned char)text[at] & 0xc0) == 0x80;
}

/* The line with a mark under the part of [from, to) that is on it. A long line is cut to a window
 * around the mark. */
static void write_marked_line(struct buf *b, const struct source *s, const struct locate_place *p,
                              const struct locate_span *span)
{
	const char *text = s->text.at;
	size_t      first = p->line_from, last = p->line_to;

	if (span->from > first + SHOWN_COLUMNS / 2 && last - first > SHOWN_COLUMNS)
		first = span->from - SHOWN_COLUMNS / 4;
	while (first > p->line_from && is_inside_character(text, first))
		first--;
	if (last - first > SHOWN_COLUMNS)
		last = first + SHOWN_COLUMNS;
	while (last < p->line_to && is_inside_character(text, last))
		last++;
	buf_add_text(b, "    ");
	for (size_t i = first; i < last; i++) /* one column for each control character */
		buf_add_byte(b, (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i]);
	buf_add_text(b, "\n    ");
	for (size_t i = first; i < span->from; i++)
		if (!is_inside_character(text, i))
			buf_add_byte(b, ' ');
	buf_add_byte(b, '^');
	for (size_t i = span->from + 1; i < span->to && i < last; i++)
		if (!is_inside_character(text, i))
			buf_add_byte(b, '~');
	buf_add_byte(b, '\n');
}

void source_write_fault(struct buf *b, const struct source *s, const struct locate_span *span,
                        const char *message)
{
	struct locate_place p = locate_offset(s->text.at, s->text.bytes, span->from);

	buf_addf(b, "%s:%u:%u: ", s->name, p.line, p.column);
	render_text(b, message);
	buf_add_byte(b, '\n');
	if (p.line_to > p.line_from)
		write_marked_line(b, s, &p, span);
}

static void write_problem(struct buf *b, const struct source *s, const json_t *problem)
{
	const char        *pointer = json_string_value(json_object_get(problem, "pointer"));
	const char        *message = json_string_value(json_object_get(problem, "message"));
	const char        *hint = json_string_value(json_object_get(problem, "hint"));
	struct buf         whole = { .cap = 0 };
	struct locate_span span;

	buf_add_text(&whole, message == NULL ? "refused" : message);
	if (hint != NULL)
		buf_addf(&whole, "; %s", hint);
	buf_add_byte(&whole, '\0');
	if (whole.failed == GD_OK && pointer != NULL &&
	    locate_pointer(s->text.at, s->text.bytes, pointer, &span)) {
		source_write_fault(b, s, &span, whole.at);
	} else if (whole.failed == GD_OK) { /* e.g. about an argument, which is not in this text */
		buf_addf(b, "%s: ", s->name);
		render_text(b, whole.at);
		if (pointer != NULL && pointer[0] != '\0') {
			buf_add_text(b, " (");
			render_text(b, pointer);
			buf_add_byte(b, ')');
		}
		buf_add_byte(b, '\n');
	}
	buf_close(&whole);
}

void source_write_problems(struct buf *b, const struct source *s, const json_t *problems)
{
	size_t        i;
	const json_t *problem;

	json_array_foreach (problems, i, problem)
		write_problem(b, s, problem);
}
