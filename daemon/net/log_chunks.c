#include "daemon/net/log_chunks.h"

#include "proto/base/utf8.h"
#include "proto/base64.h"

#include <inttypes.h>
#include <string.h>

#define RUN_BYTES 16384u  /* of one chunk */
#define RUN_BYTES_MIN 64u /* however short the line must be */
#define ESCAPED_MAX 6u    /* what one byte can be as JSON */
#define KEYS_BYTES 160u   /* of a chunk, without path and text */

/* Bytes of one stream, one behind the other. */
struct span {
	enum run_stream stream;
	uint64_t        offset;
	uint64_t        skipped;
	size_t          bytes;
	char            at[RUN_BYTES];
};

static void open_log(struct run_log *log, struct store *s, uint64_t job,
                     const struct store_command *c, enum run_log_which which, uint64_t offset,
                     bool *has_files)
{
	const struct output_ref ref = { .job = job, .ticket = c->ticket, .attempt = c->attempt };
	int                     fd[RUN_STREAMS];

	store_open_output(s, &ref, fd);
	*has_files = fd[RUN_STDOUT] >= 0 || fd[RUN_STDERR] >= 0;
	run_log_give(log, fd, which, offset);
}

/* --- one chunk --- */

static void begin_chunk(struct log_page *p, const struct store_command *c)
{
	struct buf *b = p->chunks;

	buf_add_text(b, p->count++ == 0 ? "{\"path\":" : ",{\"path\":");
	buf_add_json_string(b, c->path.at, c->path.bytes);
	buf_addf(b, ",\"attempt\":%" PRIu32, c->attempt);
}

static void write_chunk(struct log_page *p, const struct store_command *c, const struct span *s,
                        size_t bytes, bool is_text)
{
	struct buf *b = p->chunks;

	begin_chunk(p, c);
	buf_addf(b, ",\"stream\":\"%s\",\"offset\":%" PRIu64,
	         s->stream == RUN_STDOUT ? "stdout" : "stderr", s->offset);
	if (s->skipped != 0)
		buf_addf(b, ",\"skipped\":%" PRIu64, s->skipped);
	if (is_text) {
		buf_add_text(b, ",\"text\":");
		buf_add_json_string(b, s->at, bytes);
		buf_add_byte(b, '}');
	} else {
		buf_add_text(b, ",\"base64\":\"");
		base64_write(b, s->at, bytes);
		buf_add_text(b, "\"}");
	}
}

/* The first `bytes` of it were written. */
static void advance(struct span *s, size_t bytes)
{
	memmove(s->at, s->at + bytes, s->bytes - bytes);
	s->offset += bytes;
	s->bytes -= bytes;
	s->skipped = 0;
}

/* Takes the rest of a character from the beginning of a tail. */
static void begin_tail(struct log_page *p, struct span *s)
{
	size_t rest = 0;

	while (rest < s->bytes && rest < 3 && ((unsigned char)s->at[rest] & 0xc0) == 0x80)
		rest++;
	if (utf8_prefix(s->at + rest, s->bytes - rest) != 0)
		advance(s, rest);
	p->is_tail = false;
}

/* All of it, but for the beginning of a character where the rest may still come. */
static void write_span(struct log_page *p, const struct store_command *c, struct span *s,
                       bool goes_on)
{
	size_t prefix;
	bool   is_cut;

	if (p->is_tail)
		begin_tail(p, s);
	prefix = utf8_prefix(s->at, s->bytes);
	is_cut = utf8_is_cut(s->at + prefix, s->bytes - prefix);

	if (prefix == s->bytes || is_cut) {
		if (prefix != 0)
			write_chunk(p, c, s, prefix, true);
		advance(s, prefix);
		if (goes_on || s->bytes == 0)
			return;
	}
	write_chunk(p, c, s, s->bytes, false);
	advance(s, s->bytes);
}

/* --- all of a command --- */

/* How many bytes may be in the next chunk; 0: the page is full. */
static size_t room_for_span(const struct log_page *p, const struct store_command *c)
{
	size_t used = p->chunks->bytes + KEYS_BYTES * 2 + c->path.bytes * 2;
	size_t room = used < p->bytes_max ? (p->bytes_max - used) / ESCAPED_MAX : 0;

	if (room < RUN_BYTES_MIN)
		return p->count == 0 ? RUN_BYTES_MIN : 0;
	return room < RUN_BYTES ? room : RUN_BYTES;
}

enum span_end {
	SPAN_FULL,  /* there may be more of it */
	SPAN_ENDED, /* of all that there is now */
	SPAN_OTHER  /* something else comes behind it */
};

/* Fills `s`, which may hold the beginning of a character. What belongs to another span is left to the
 * next call: the log goes back to it. */
static enum gd_err fill(struct run_log *log, struct span *s, size_t room, enum span_end *end,
                        struct gd_error *why)
{
	while (s->bytes < room) {
		char             bytes[RUN_BYTES];
		struct run_chunk chunk;
		enum gd_err      rc = run_log_read(log, bytes, room - s->bytes, &chunk, why);

		if (rc != GD_OK)
			return rc;
		*end = SPAN_ENDED;
		if (chunk.bytes == 0)
			return GD_OK;
		if (s->bytes == 0) {
			s->stream = chunk.stream;
			s->offset = chunk.offset;
			s->skipped = chunk.skipped;
		} else if (chunk.stream != s->stream || chunk.skipped != 0) {
			run_log_unread(log, &chunk);
			*end = SPAN_OTHER;
			return GD_OK;
		}
		memcpy(s->at + s->bytes, bytes, chunk.bytes);
		s->bytes += chunk.bytes;
	}
	*end = SPAN_FULL;
	return GD_OK;
}

static enum gd_err add_spans(struct log_page *p, struct run_log *log, const struct store_command *c,
                             bool is_over, uint64_t *offset, bool *is_all, struct gd_error *why)
{
	struct span   s = { 0 };
	enum span_end end = SPAN_OTHER;
	size_t        room;
	enum gd_err   rc = GD_OK;

	while (end != SPAN_ENDED && (room = room_for_span(p, c)) != 0) {
		if ((rc = fill(log, &s, room, &end, why)) != GD_OK)
			break;
		if (s.bytes != 0)
			write_span(p, c, &s, end == SPAN_FULL || (end == SPAN_ENDED && !is_over));
		*offset = s.bytes != 0 ? s.offset : log->next;
	}
	*is_all = end == SPAN_ENDED;
	return rc;
}

enum gd_err log_page_add(struct log_page *p, uint64_t job, const struct store_command *c,
                         bool is_over, uint64_t *offset, bool *is_all, struct gd_error *why)
{
	struct run_log log;
	bool           has_files;
	enum gd_err    rc;

	*is_all = room_for_span(p, c) != 0;
	if (!*is_all)
		return GD_OK;
	open_log(&log, p->store, job, c, p->which, *offset, &has_files);
	if (!has_files && is_over && *offset == 0 && store_is_output_expired(p->store, c->begun)) {
		begin_chunk(p, c);
		buf_add_text(p->chunks, ",\"expired\":true}");
	}
	rc = add_spans(p, &log, c, is_over, offset, is_all, why);
	run_log_close(&log);
	return rc;
}

enum gd_err log_tail(struct store *s, uint64_t job, const struct store_command *c,
                     enum run_log_which which, uint64_t bytes, uint64_t *offset,
                     struct gd_error *why)
{
	char             room[RUN_BYTES];
	struct run_log   log;
	struct run_chunk chunk;
	bool             has_files;
	enum gd_err      rc;

	open_log(&log, s, job, c, which, 0, &has_files);
	do
		rc = run_log_read(&log, room, sizeof room, &chunk, why);
	while (rc == GD_OK && chunk.bytes != 0);
	*offset = log.next > bytes ? log.next - bytes : 0;
	run_log_close(&log);
	return rc;
}
