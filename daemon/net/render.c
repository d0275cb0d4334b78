#include "daemon/net/render.h"

#include "daemon/run/apply.h"
#include "proto/rpc.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

static void write_large(struct buf *b, struct text value)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned      bytes = 0;

	buf_addf(b, "{\"$large\":{\"size\":%zu", value.bytes);
	/* Without its digest it can still be read. */
	if (EVP_Digest(value.at, value.bytes, digest, &bytes, EVP_sha256(), NULL) == 1) {
		buf_add_text(b, ",\"sha256\":\"");
		for (unsigned i = 0; i < bytes; i++)
			buf_addf(b, "%02x", digest[i]);
		buf_add_byte(b, '"');
	}
	buf_add_text(b, "}}");
}

void render_value(struct buf *b, struct text value, size_t bytes_max)
{
	if (value.at == NULL)
		buf_add_text(b, "null");
	else if (value.bytes > bytes_max)
		write_large(b, value);
	else
		buf_add(b, value.at, value.bytes);
}

void render_outcome(struct buf *b, enum job_status status, struct text result, struct text error,
                    size_t bytes_max)
{
	if (status == JOB_COMPLETED) {
		buf_add_text(b, ",\"result\":");
		render_value(b, result, bytes_max);
	} else if (job_status_is_final(status)) {
		buf_add_text(b, ",\"error\":");
		render_value(b, error, bytes_max);
	}
}

static void write_time(struct buf *b, const char *name, gd_nsec time)
{
	buf_add_text(b, ",\"");
	buf_add_text(b, name);
	buf_add_text(b, "\":");
	if (time == 0)
		buf_add_text(b, "null");
	else
		apply_write_time(b, time);
}

void render_job_open(struct buf *b, const struct store_job *j)
{
	buf_add_text(b, "{\"id\":");
	buf_add_u64(b, j->id);
	buf_add_text(b, ",\"title\":");
	if (j->title.at != NULL)
		buf_add_json_string(b, j->title.at, j->title.bytes);
	else
		buf_add_text(b, "null");
	buf_add_text(b, ",\"status\":\"");
	buf_add_text(b, job_status_name(j->status));
	buf_add_text(b, "\",\"owner\":");
	buf_add_json_string(b, j->owner.at != NULL ? j->owner.at : "", j->owner.bytes);
	buf_add_text(b, ",\"labels\":");
	buf_add_text(b, j->labels.at != NULL ? j->labels.at : "[]");
	if (j->key.at != NULL) {
		buf_add_text(b, ",\"key\":");
		buf_add_json_string(b, j->key.at, j->key.bytes);
	}
	if (j->parent != 0)
		buf_addf(b, ",\"parent\":%" PRIu64, j->parent);
	buf_addf(b, ",\"priority\":%d,\"loop\":%u,\"seq\":%" PRIu64, (int)j->priority,
	         (unsigned)j->loop, j->seq);
	write_time(b, "submitted", j->submitted);
	write_time(b, "started", j->started);
	write_time(b, "ended", j->ended);
}

/* The end of the JSON string that begins at `at`; apply.c wrote it, so it has one. */
static const char *skip_string(const char *at)
{
	for (at++; *at != '"'; at++)
		if (*at == '\\')
			at++;
	return at + 1;
}

struct text render_event_data(struct text body)
{
	const char *at = body.at;
	const char *end = body.at + body.bytes;

	while (at < end) {
		const char *name = at;

		at = skip_string(at) + 1; /* and the colon */
		if (strncmp(name, "\"data\"", 6) == 0)
			return (struct text){ at, (size_t)(end - at) }; /* always the last member */
		if (*at == '"')
			at = skip_string(at);
		while (at < end && *at != ',')
			at++;
		at++;
	}
	return (struct text){ 0 };
}

void render_event(struct buf *b, const char *subscription, const struct event *e, size_t bytes_max)
{
	struct text data = { 0 };

	buf_add_byte(b, '{');
	if (subscription != NULL) {
		buf_add_text(b, "\"subscription\":");
		buf_add_text(b, subscription);
		buf_add_byte(b, ',');
	}
	buf_add_text(b, "\"seq\":");
	buf_add_u64(b, e->seq);
	buf_add_byte(b, ',');
	if (e->body.bytes > bytes_max)
		data = render_event_data(e->body);
	if (data.at == NULL) {
		buf_add(b, e->body.at, e->body.bytes);
	} else {
		buf_add(b, e->body.at, e->body.bytes - data.bytes);
		write_large(b, data);
	}
	buf_add_byte(b, '}');
}

void render_event_line(struct buf *b, const char *subscription, const struct event *e,
                       size_t line_max)
{
	rpc_begin_notification(b, "event");
	render_event(b, subscription, e, line_max - RENDER_LINE_SLACK / 2);
	rpc_end(b);
	buf_add_byte(b, '\n');
}
