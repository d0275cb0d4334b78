#include "daemon/value/limits.h"
#include "daemon/net/methods.h"
#include "daemon/net/render.h"
#include "daemon/run/recover.h"
#include "daemon/run/semaphores.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_ROWS_DEFAULT 100u

/* --- what is asked; who holds what is known when every job was replayed, so it waits until then --- */

struct ask {
	struct inbox_msg msg;
	struct request  *request; /* NULL: let go */
	void (*answer)(struct request *r, const struct ask *ask);
	enum semaphore_kind kind;
	uint32_t            number; /* permits, or rows */
	bool                has_name;
	char                name[SEMAPHORE_NAME_BYTES_MAX + 1];
};

static void name_ask(struct ask *ask, const char *name)
{
	ask->has_name = name != NULL;
	if (name != NULL)
		memcpy(ask->name, name, strlen(name) + 1);
}

static void let_ask_go(struct request *r, bool is_cancelled)
{
	struct ask *ask = r->work;

	(void)is_cancelled;
	ask->request = NULL;
}

static void take_ask(struct loop *l, struct inbox_msg *m)
{
	struct ask     *ask = (struct ask *)(void *)m;
	struct request *r = ask->request;
	struct gd_error why;

	_Static_assert(offsetof(struct ask, msg) == 0, "an ask begins with its message");
	if (r != NULL) {
		r->let_go = NULL;
		if (recover_was_cut(l, RECOVER_ALL)) {
			(void)gd_fail(&why, GD_UNAVAILABLE, "the daemon is stopping");
			reply_why(r, &why);
		} else {
			ask->answer(r, ask);
		}
	}
	free(ask);
}

static void answer_when_recovered(struct request *r, const struct ask *ask)
{
	struct loop *l = r->desk->loop;
	struct ask  *kept;

	if (l->recovery == NULL) {
		ask->answer(r, ask);
		return;
	}
	if ((kept = malloc(sizeof *kept)) == NULL) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		return;
	}
	*kept = *ask;
	kept->msg.run = take_ask;
	kept->request = r;
	r->work = kept;
	r->let_go = let_ask_go;
	if (!recover_defers(l, RECOVER_ALL, &kept->msg))
		take_ask(l, &kept->msg);
}

static const char *list_name(enum semaphore_kind kind)
{
	return kind == SEMAPHORE_POOL ? "pools" : "semaphores";
}

static void write_state(struct buf *b, const struct semaphore_state *s)
{
	buf_add_text(b, "{\"name\":");
	buf_add_json_string(b, s->name.at, s->name.bytes);
	buf_addf(b, ",\"permits\":%u,\"held\":%u,\"waiting\":%u}", (unsigned)s->permits,
	         (unsigned)s->held, (unsigned)s->waiting);
}

/* --- semaphore.put, pool.put --- */

/* In the arena of its group. */
struct put {
	struct outbox_item   item;
	struct request      *request;
	const struct record *record;
};

/* It counts from when it is durable, so that no grant rests on permits that a crash takes back. */
static void release_put(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	const struct put      *put = (struct put *)(void *)item;
	const struct record   *r = put->record;
	struct semaphores     *table = pool_semaphores(l->pool, r->u.semaphore.kind);
	struct semaphore_state state;
	struct gd_error        why;

	_Static_assert(offsetof(struct put, item) == 0, "a put begins with its item");
	if (outcome == GD_DURABILITY_UNKNOWN)
		return; /* the desk answers everybody, and the process ends */
	if (outcome != GD_OK) {
		(void)gd_fail(&why, outcome, "the daemon is stopping");
		reply_why(put->request, &why);
		return;
	}
	semaphores_put(table, r->u.semaphore.name, r->u.semaphore.permits, r->u.semaphore.serial,
	               &state);
	write_state(reply_begin(put->request), &state);
	reply_end(put->request);
}

static void refuse_put(struct request *r, enum semaphore_kind kind, const struct gd_error *why)
{
	char data[64];

	(void)snprintf(data, sizeof data, "\"limit\":\"%s\",\"max\":%u", list_name(kind),
	               SEMAPHORES_PUT_MAX);
	reply_error(r, why->code, why->text, why->code == GD_LIMIT ? data : NULL);
}

static void put_permits(struct request *r, const struct ask *ask)
{
	struct loop        *l = r->desk->loop;
	struct semaphores  *table = pool_semaphores(l->pool, ask->kind);
	struct store_group *g = loop_group(l);
	struct put         *put = g == NULL ? NULL : arena_alloc(&g->arena, sizeof *put);
	struct text         kept = { 0 };
	struct record      *record;
	struct gd_error     why;

	if (put != NULL)
		kept = (struct text){ arena_copy(&g->arena, ask->name, strlen(ask->name)),
			              strlen(ask->name) };
	if (kept.at == NULL) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		return;
	}
	if (semaphores_begin_put(table, kept, ask->number, &why) != GD_OK) {
		refuse_put(r, ask->kind, &why);
		return;
	}
	if ((record = store_group_add(g, RECORD_SEMAPHORE, 0)) == NULL) {
		(void)gd_fail(&why, GD_NOMEM, "no memory to store a semaphore");
		pool_die("loop.no_memory", &why);
	}
	record->u.semaphore.kind = ask->kind;
	record->u.semaphore.name = kept;
	record->u.semaphore.permits = ask->number;
	*put = (struct put){ .item.release = release_put, .request = r, .record = record };
	outbox_add(g->outbox, &put->item);
}

static void put(struct request *r, struct rpc_params *p, enum semaphore_kind kind)
{
	struct ask ask = { .answer = put_permits, .kind = kind, .number = SEMAPHORE_PERMITS_USUAL };
	const char     *name = NULL;
	struct gd_error why;

	rpc_require(p, "name");
	if (kind == SEMAPHORE_PLAIN)
		rpc_require(p, "permits");
	(void)rpc_text(p, "name", SEMAPHORE_NAME_BYTES_MAX, &name);
	(void)rpc_u32(p, "permits", 0, SEMAPHORE_PERMITS_MAX, &ask.number);
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	if (kind == SEMAPHORE_PLAIN && ask.number == 1)
		ask.number = SEMAPHORE_PERMITS_USUAL;
	name_ask(&ask, name);
	answer_when_recovered(r, &ask);
}

void method_semaphore_put(struct request *r, struct rpc_params *p)
{
	put(r, p, SEMAPHORE_PLAIN);
}

void method_pool_put(struct request *r, struct rpc_params *p)
{
	put(r, p, SEMAPHORE_POOL);
}

/* --- semaphore.list, pool.list --- */

struct page {
	struct buf *b;
	uint32_t    rows;
	uint32_t    limit;
	size_t      bytes_max; /* of `b`, so that the line is not too long */
	bool        has_more;
	size_t      last_bytes; /* length of the name written last */
	char        last[SEMAPHORE_NAME_BYTES_MAX];
};

static bool write_row(void *ctx, const struct semaphore_state *s)
{
	struct page *page = ctx;

	page->has_more =
		page->rows == page->limit || (page->rows != 0 && page->b->bytes > page->bytes_max);
	if (page->has_more)
		return false;
	if (page->rows++ != 0)
		buf_add_byte(page->b, ',');
	write_state(page->b, s);
	memcpy(page->last, s->name.at, s->name.bytes);
	page->last_bytes = s->name.bytes;
	return true;
}

static void write_page(struct request *r, const struct ask *ask)
{
	struct semaphores *table = pool_semaphores(r->desk->loop->pool, ask->kind);
	const char        *after = ask->has_name ? ask->name : NULL;
	struct page        page = { .limit = ask->number };

	page.b = reply_begin(r);
	page.bytes_max = page.b->bytes + request_line_max(r) - RENDER_LINE_SLACK;
	if (ask->kind == SEMAPHORE_POOL)
		buf_addf(page.b, "{\"usual\":%u,\"pools\":[", (unsigned)semaphores_usual(table));
	else
		buf_add_text(page.b, "{\"semaphores\":[");
	semaphores_each(table, (struct text){ after, after == NULL ? 0 : strlen(after) }, write_row,
	                &page);
	buf_add_text(page.b, "],\"next\":");
	if (page.has_more)
		buf_add_json_string(page.b, page.last, page.last_bytes);
	else
		buf_add_text(page.b, "null");
	buf_add_byte(page.b, '}');
	reply_end(r);
}

static void list(struct request *r, struct rpc_params *p, enum semaphore_kind kind)
{
	struct ask      ask = { .answer = write_page, .kind = kind, .number = LIST_ROWS_DEFAULT };
	const char     *after = NULL;
	struct gd_error why;

	(void)rpc_text(p, "after", SEMAPHORE_NAME_BYTES_MAX, &after);
	(void)rpc_u32(p, "limit", 1, NET_PAGE_ROWS, &ask.number);
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	name_ask(&ask, after);
	answer_when_recovered(r, &ask);
}

void method_semaphore_list(struct request *r, struct rpc_params *p)
{
	list(r, p, SEMAPHORE_PLAIN);
}

void method_pool_list(struct request *r, struct rpc_params *p)
{
	list(r, p, SEMAPHORE_POOL);
}
