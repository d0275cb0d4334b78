#include "client/output.h"

#include "client/client.h"
#include "client/render.h"
#include "proto/base64.h"

#include <string.h>
#include <unistd.h>

void output_open(struct output *out, struct session *s, json_t *params, enum output_look look)
{
	bool is_bare = look == OUTPUT_BARE;

	*out = (struct output){ .session = s,
		                .look = look,
		                .params = params,
		                .is_safe = { is_bare || !isatty(STDOUT_FILENO),
		                             is_bare || !isatty(STDERR_FILENO) } };
}

/* A command that prints faster than anybody reads leaves many gaps. */
static void tell_skipped(const struct output *out)
{
	static const char *const names[] = { "stdout", "stderr" };

	for (int i = 0; i < 2; i++)
		if (out->skipped[i] > 0)
			(void)fprintf(stderr,
			              "gatherctl: %" JSON_INTEGER_FORMAT
			              " bytes of %s are no longer kept\n",
			              out->skipped[i], names[i]);
}

void output_close(struct output *out)
{
	tell_skipped(out);
	json_decref(out->params);
	json_decref(out->path);
	out->params = out->path = NULL;
}

/* --- bytes --- */

static void write_bytes(const struct output *out, FILE *to, const char *at, size_t bytes)
{
	struct buf b = { .cap = 0 };

	if (out->is_safe[to == stderr]) {
		(void)fwrite(at, 1, bytes, to);
		return;
	}
	render_output(&b, at, bytes);
	(void)fwrite(b.at, 1, b.bytes, to);
	buf_close(&b);
}

static void write_prefix(const struct output *out, FILE *to)
{
	struct buf b = { .cap = 0 };

	buf_add_text(&b, "");
	if (json_string_length(out->path) == 0)
		buf_add_text(&b, "(job)");
	else
		render_text(&b, json_string_value(out->path));
	if (out->attempt > 1)
		buf_addf(&b, " (attempt %" JSON_INTEGER_FORMAT ")", out->attempt);
	buf_add_text(&b, out->look == OUTPUT_PREFIX ? " | " : "");
	(void)fwrite(b.at, 1, b.bytes, to);
	buf_close(&b);
}

/* A line that another command or the other stream breaks off is ended first. */
static void end_line(struct output *out)
{
	if (out->unended != NULL)
		(void)fputc('\n', out->unended);
	out->unended = NULL;
}

static void write_lines(struct output *out, FILE *to, const char *at, size_t bytes)
{
	const char *end = at + bytes;

	if (out->unended != to)
		end_line(out);
	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		const char *next = lf == NULL ? end : lf + 1;

		if (out->unended == NULL)
			write_prefix(out, to);
		write_bytes(out, to, at, (size_t)(next - at));
		out->unended = lf == NULL ? to : NULL;
		at = next;
	}
}

static void write_piece(struct output *out, FILE *to, const char *at, size_t bytes)
{
	if (bytes == 0)
		return;
	if (out->look == OUTPUT_PREFIX) {
		write_lines(out, to, at, bytes);
	} else {
		write_bytes(out, to, at, bytes);
		out->unended = at[bytes - 1] == '\n' ? NULL : to;
	}
}

/* --- pieces --- */

/* The job's own command, the first time it runs, goes without saying. */
static bool is_alone(const struct output *out)
{
	return out->path == NULL || (json_string_length(out->path) == 0 && out->attempt <= 1);
}

/* Notes whose output comes now; another one than before is announced. */
static void go_on_with(struct output *out, const json_t *piece)
{
	json_t    *path = json_object_get(piece, "path");
	json_int_t attempt = json_integer_value(json_object_get(piece, "attempt"));
	bool       was_alone = is_alone(out);

	if (out->path != NULL && json_equal(out->path, path) && out->attempt == attempt)
		return;
	json_decref(out->path);
	out->path = json_incref(path);
	out->attempt = attempt;
	if (out->look == OUTPUT_PREFIX)
		end_line(out);
	if (out->look != OUTPUT_HEADERS || (was_alone && is_alone(out)))
		return;
	end_line(out);
	(void)fflush(stdout);
	(void)fputs("==> ", stderr);
	write_prefix(out, stderr);
	(void)fputs(" <==\n", stderr);
}

/* The first gap is told where it is, later ones as a sum. */
static void note_skipped(struct output *out, const json_t *piece, bool is_stderr)
{
	json_int_t skipped = json_integer_value(json_object_get(piece, "skipped"));

	if (skipped <= 0)
		return;
	out->skipped[is_stderr] += skipped;
	if (out->has_told)
		return;
	out->has_told = true;
	tell_skipped(out);
	out->skipped[is_stderr] = 0;
}

void output_show(struct output *out, const json_t *piece)
{
	const char *stream = json_string_value(json_object_get(piece, "stream"));
	json_t     *text = json_object_get(piece, "text");
	json_t     *coded = json_object_get(piece, "base64");
	bool        is_stderr = stream != NULL && strcmp(stream, "stderr") == 0;
	FILE       *to = is_stderr ? stderr : stdout;
	struct buf  bytes = { .cap = 0 };

	if (out->look == OUTPUT_JSONL) {
		client_print_line(piece);
		return;
	}
	go_on_with(out, piece);
	note_skipped(out, piece, is_stderr);
	if (json_is_string(text))
		write_piece(out, to, json_string_value(text), json_string_length(text));
	else if (json_is_string(coded) &&
	         base64_read(&bytes, json_string_value(coded), json_string_length(coded)))
		write_piece(out, to, bytes.at, bytes.bytes);
	buf_close(&bytes);
	(void)fflush(to);
}

enum gd_err output_ask(struct output *out, json_t **pieces, struct gd_error *why)
{
	json_t     *result = NULL;
	enum gd_err rc = session_call(out->session, "job.log", out->params, &result, why);

	if (rc != GD_OK)
		return rc;
	(void)json_object_del(out->params, "tail");
	if (json_object_set(out->params, "offset", json_object_get(result, "next")) != 0) {
		json_decref(result);
		return gd_fail(why, GD_INTERNAL, "the daemon did not say where the log goes on");
	}
	*pieces = json_incref(json_object_get(result, "chunks"));
	out->is_over = json_is_true(json_object_get(result, "eof"));
	json_decref(result);
	return GD_OK;
}

enum gd_err output_next(struct output *out, size_t *count, struct gd_error *why)
{
	json_t       *pieces = NULL;
	const json_t *piece;
	size_t        i;
	enum gd_err   rc = output_ask(out, &pieces, why);

	if (rc != GD_OK)
		return rc;
	json_array_foreach (pieces, i, piece)
		output_show(out, piece);
	*count = i;
	json_decref(pieces);
	if (ferror(stdout) != 0)
		out->is_over = true;
	return GD_OK;
}
