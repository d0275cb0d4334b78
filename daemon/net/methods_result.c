#include "daemon/net/methods.h"
#include "daemon/net/render.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES_DEFAULT (64u << 10)
#define PIECE_BYTES_MAX (1u << 20)
#define PATH_SEQ "seq:"

/* job.result: the JSON text of a result, or of an event's data, cut where a character ends. */
struct piece {
	struct request *request;
	uint64_t        job;
	uint64_t        event; /* its seq; 0: the job's result */
	uint64_t        offset;
	size_t          length;
};

static size_t start_of_char(struct text t, size_t at)
{
	while (at > 0 && at < t.bytes && ((unsigned char)t.at[at] & 0xc0) == 0x80)
		at--;
	return at;
}

static void answer_piece(const struct piece *piece, struct text whole)
{
	struct request *r = piece->request;
	size_t          from = piece->offset < whole.bytes ? (size_t)piece->offset : whole.bytes;
	size_t          to;
	struct buf     *b;

	from = start_of_char(whole, from);
	to = whole.bytes - from > piece->length ? start_of_char(whole, from + piece->length)
	                                        : whole.bytes;
	b = reply_begin(r);
	buf_add_text(b, "{\"chunk\":");
	buf_add_json_string(b, whole.at + from, to - from);
	buf_add_text(b, ",\"next\":");
	if (to < whole.bytes)
		buf_add_u64(b, to);
	else
		buf_add_text(b, "null");
	buf_addf(b, ",\"total\":%zu}", whole.bytes);
	reply_end(r);
}

static void take_event(struct loop *l, struct loop_read *read, void *ctx)
{
	struct piece *piece = ctx;
	struct text   data = { 0 };

	(void)l;
	if (read->read.outcome == GD_OK && read->read.event_count == 1 &&
	    read->read.events[0].seq == piece->event)
		data = render_event_data(read->read.events[0].body);
	if (data.at != NULL)
		answer_piece(piece, data);
	else
		reply_error(piece->request, GD_NOT_FOUND, "the job has no such event with data",
		            "\"kind\":\"event\"");
	store_read_free(&read->read);
	free(piece);
}

static void read_event(struct loop *l, struct piece *piece)
{
	struct loop_read *read = loop_read_new(READ_EVENTS);

	if (read == NULL) {
		reply_error(piece->request, GD_NOMEM, "no memory for a request", NULL);
		free(piece);
		return;
	}
	read->read.job = piece->job;
	read->read.after = piece->event - 1;
	read->read.limit = 1;
	read->read.bytes_max = 1;
	loop_read_start(l, read, take_event, piece);
}

static void take_job(struct loop *l, struct loop_read *read, void *ctx)
{
	struct piece           *piece = ctx;
	struct request         *r = piece->request;
	const struct store_job *job = read->read.jobs;

	if (read->read.outcome != GD_OK && read->read.outcome != GD_NOT_FOUND) {
		reply_why(r, &read->read.why);
	} else if (read->read.outcome != GD_OK ||
	           !request_may(r, job->owner, AUTH_OBSERVE_OWN, AUTH_OBSERVE_ANY)) {
		reply_not_found(r, piece->job);
	} else if (piece->event != 0) {
		read_event(l, piece);
		piece = NULL;
	} else if (!job_status_is_final(job->status)) {
		reply_error(r, GD_CONFLICT, "the job has not ended", "\"why\":\"not ended\"");
	} else {
		answer_piece(piece, job->status == JOB_COMPLETED ? job->result : job->error);
	}
	store_read_free(&read->read);
	free(piece);
}

static void read_path(struct rpc_params *p, const char *path, uint64_t *event)
{
	char *end;

	if (strncmp(path, PATH_SEQ, strlen(PATH_SEQ)) == 0 && path[strlen(PATH_SEQ)] >= '1' &&
	    path[strlen(PATH_SEQ)] <= '9') {
		*event = strtoull(path + strlen(PATH_SEQ), &end, 10);
		if (*end == '\0')
			return;
	}
	rpc_fault(p, "/path", "a path is seq:N, the number of an event of this job");
}

void method_job_result(struct request *r, struct rpc_params *p)
{
	struct piece      ask = { .request = r };
	uint32_t          length = PIECE_BYTES_DEFAULT;
	const char       *path = NULL;
	struct gd_error   why;
	struct piece     *piece;
	struct loop_read *read;

	rpc_require(p, "id");
	(void)rpc_u64(p, "id", 1, INT64_MAX, &ask.job);
	(void)rpc_u64(p, "offset", 0, INT64_MAX, &ask.offset);
	(void)rpc_u32(p, "length", 4, PIECE_BYTES_MAX, &length);
	if (rpc_text(p, "path", 32, &path))
		read_path(p, path, &ask.event);
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	/* Escaped, a piece can take twice its length. */
	ask.length = (request_line_max(r) - RENDER_LINE_SLACK / 4) / 2;
	if (length < ask.length)
		ask.length = length;
	read = loop_read_new(READ_JOB);
	piece = malloc(sizeof *piece);
	if (read == NULL || piece == NULL) {
		if (read != NULL)
			store_read_free(&read->read);
		free(piece);
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		return;
	}
	*piece = ask;
	read->read.job = ask.job;
	read->read.flags = ask.event != 0 ? 0 : READ_WITH_RESULT;
	loop_read_start(r->desk->loop, read, take_job, piece);
}
