#include "daemon/net/methods.h"
#include "daemon/net/render.h"
#include "proto/base64.h"

#include <stdlib.h>

#define PIECE_BYTES_MIN 1024u

/* In the order of enum backup_phase. */
static const char *const phase_names[] = { "none", "copying", "checking", "ready", "failed" };

static void write_state(struct buf *b, const struct backup_state *s)
{
	buf_addf(b, "{\"backup\":%llu,\"state\":\"%s\",\"pages\":%llu,\"pages_left\":%llu",
	         (unsigned long long)s->id, phase_names[s->phase], (unsigned long long)s->pages,
	         (unsigned long long)s->pages_left);
	if (s->phase == BACKUP_READY)
		buf_addf(b, ",\"bytes\":%llu,\"sum\":\"%016llx\"", (unsigned long long)s->bytes,
		         (unsigned long long)s->sum);
	buf_add_byte(b, '}');
}

static void write_piece(struct buf *b, const struct store_read *read)
{
	uint64_t next = read->after + read->piece.bytes;

	buf_add_text(b, "{\"chunk\":\"");
	base64_write(b, read->piece.at, read->piece.bytes);
	buf_add_text(b, "\",\"next\":");
	if (next < read->backup.bytes)
		buf_add_u64(b, next);
	else
		buf_add_text(b, "null");
	buf_addf(b, ",\"total\":%llu}", (unsigned long long)read->backup.bytes);
}

static void take_answer(struct loop *l, struct loop_read *read, void *ctx)
{
	struct request *r = ctx;

	(void)l;
	if (read->read.outcome == GD_NOT_FOUND) {
		reply_error(r, GD_NOT_FOUND, read->read.why.text, "\"kind\":\"backup\"");
	} else if (read->read.outcome != GD_OK) {
		reply_why(r, &read->read.why);
	} else if (read->read.backup_ask == BACKUP_END) {
		reply_empty(r);
	} else {
		struct buf *b = reply_begin(r);

		if (read->read.backup_ask == BACKUP_PIECE)
			write_piece(b, &read->read);
		else
			write_state(b, &read->read.backup);
		reply_end(r);
	}
	store_read_free(&read->read);
}

/* The rest of a method: the parameters are all read. */
static void ask(struct request *r, struct rpc_params *p, enum backup_ask what,
                const struct store_read *asked)
{
	struct gd_error   why;
	struct loop_read *read;

	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	read = loop_read_new(READ_BACKUP);
	if (read == NULL) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		return;
	}
	read->read.backup_ask = what;
	read->read.backup.id = asked->backup.id;
	read->read.after = asked->after;
	read->read.limit = asked->limit;
	loop_read_start(r->desk->loop, read, take_answer, r);
}

static void take_id(struct rpc_params *p, struct store_read *asked)
{
	rpc_require(p, "backup");
	(void)rpc_u64(p, "backup", 1, INT64_MAX, &asked->backup.id);
}

void method_backup_start(struct request *r, struct rpc_params *p)
{
	const struct store_read asked = { .kind = READ_BACKUP };

	ask(r, p, BACKUP_BEGIN, &asked);
}

void method_backup_status(struct request *r, struct rpc_params *p)
{
	struct store_read asked = { .kind = READ_BACKUP };

	take_id(p, &asked);
	ask(r, p, BACKUP_LOOK, &asked);
}

void method_backup_read(struct request *r, struct rpc_params *p)
{
	struct store_read asked = { .kind = READ_BACKUP };
	size_t            fits = (request_line_max(r) - RENDER_LINE_SLACK / 4) / 4 * 3;
	uint32_t          length = UINT32_MAX;

	take_id(p, &asked);
	rpc_require(p, "offset");
	(void)rpc_u64(p, "offset", 0, INT64_MAX, &asked.after);
	(void)rpc_u32(p, "length", PIECE_BYTES_MIN, UINT32_MAX, &length);
	asked.limit = length < fits ? length : (uint32_t)fits;
	ask(r, p, BACKUP_PIECE, &asked);
}

void method_backup_end(struct request *r, struct rpc_params *p)
{
	struct store_read asked = { .kind = READ_BACKUP };

	take_id(p, &asked);
	ask(r, p, BACKUP_END, &asked);
}
