#include "daemon/http/http_queue.h"

#include "daemon/http/http_inside.h"
#include "proto/base/check.h"
#include "proto/base/sum.h"

#include <stdlib.h>
#include <string.h>

struct http_origin {
	struct http_origin  *chain;
	struct http_origin  *next, *before; /* while it is listed */
	struct transfer_list waiting;
	uint32_t             opening;
	uint32_t             users; /* transfers that are at it */
	uint32_t             freed; /* connections, as far as is known, that nobody took since */
	bool                 is_listed;
	bool                 is_https;
	bool                 is_shared; /* by HTTP/2 */
	uint16_t             port;
	char                 host[];
};

/* --- a list of transfers --- */

void list_add(struct transfer_list *l, struct http_transfer *t)
{
	t->next = NULL;
	t->before = l->last;
	if (l->last != NULL)
		l->last->next = t;
	else
		l->first = t;
	l->last = t;
	l->count++;
}

void list_remove(struct transfer_list *l, struct http_transfer *t)
{
	if (t->before != NULL)
		t->before->next = t->next;
	else
		l->first = t->next;
	if (t->next != NULL)
		t->next->before = t->before;
	else
		l->last = t->before;
	l->count--;
}

/* --- the list of origins --- */

static void put_last(struct http_queue *q, struct http_origin *o)
{
	o->next = NULL;
	o->before = q->last;
	if (q->last != NULL)
		q->last->next = o;
	else
		q->first = o;
	q->last = o;
	o->is_listed = true;
}

static void take_out(struct http_queue *q, struct http_origin *o)
{
	if (o->before != NULL)
		o->before->next = o->next;
	else
		q->first = o->next;
	if (o->next != NULL)
		o->next->before = o->before;
	else
		q->last = o->before;
	o->is_listed = false;
}

static void list_if_due(struct http_queue *q, struct http_origin *o)
{
	const uint32_t most = o->is_shared ? HTTP_ORIGIN_SHARED_MAX : HTTP_ORIGIN_OPENING_MAX;
	const bool     is_due = o->waiting.count != 0 && o->opening < most;

	if (is_due && !o->is_listed)
		put_last(q, o);
	else if (!is_due && o->is_listed)
		take_out(q, o);
}

/* --- origins --- */

static struct http_origin **chain_of(struct http_queue *q, const char *host, uint16_t port)
{
	const uint64_t sum = gd_sum(gd_sum(GD_SUM_START, host, strlen(host)), &port, sizeof port);

	return &q->chains[sum % HTTP_QUEUE_ROOM];
}

static bool is_of(const struct http_origin *o, const struct http_url *u)
{
	return o->port == u->port && o->is_https == u->is_https && strcmp(o->host, u->host) == 0;
}

bool queue_join(struct http_queue *q, struct http_transfer *t)
{
	const struct http_url *u = &t->url;
	struct http_origin   **chain = chain_of(q, u->host, u->port);
	struct http_origin    *o = *chain;

	CHECK(t->origin == NULL);
	while (o != NULL && !is_of(o, u))
		o = o->chain;
	if (o == NULL) {
		o = calloc(1, sizeof *o + strlen(u->host) + 1);
		if (o == NULL)
			return false;
		strcpy(o->host, u->host);
		o->port = u->port;
		o->is_https = u->is_https;
		o->chain = *chain;
		*chain = o;
	}
	o->users++;
	t->origin = o;
	return true;
}

void queue_leave(struct http_queue *q, struct http_transfer *t)
{
	struct http_origin  *o = t->origin;
	struct http_origin **at;

	t->origin = NULL;
	if (--o->users != 0)
		return;
	CHECK(!o->is_listed);
	at = chain_of(q, o->host, o->port);
	while (*at != o)
		at = &(*at)->chain;
	*at = o->chain;
	free(o);
}

/* --- turns --- */

void queue_add(struct http_queue *q, struct http_transfer *t)
{
	list_add(&t->origin->waiting, t);
	q->count++;
	list_if_due(q, t->origin);
}

void queue_remove(struct http_queue *q, struct http_transfer *t)
{
	list_remove(&t->origin->waiting, t);
	q->count--;
	list_if_due(q, t->origin);
}

void queue_opens(struct http_queue *q, struct http_transfer *t)
{
	t->origin->opening++;
	list_if_due(q, t->origin);
}

void queue_opened(struct http_queue *q, struct http_transfer *t)
{
	t->origin->opening--;
	list_if_due(q, t->origin);
}

void queue_frees(struct http_transfer *t)
{
	t->origin->freed++;
}

bool queue_needs_connection(struct http_transfer *t)
{
	struct http_origin *o = t->origin;

	if (o->freed != 0) {
		o->freed--;
		return false;
	}
	/* There may be some from before it was crowded; a few more do no harm. */
	return !o->is_https && o->users >= HTTP_ORIGIN_CROWD;
}

void queue_shares(struct http_queue *q, struct http_transfer *t)
{
	t->origin->is_shared = true;
	list_if_due(q, t->origin);
}

struct http_transfer *queue_next(struct http_queue *q)
{
	struct http_origin *o = q->first;

	if (o == NULL)
		return NULL;
	take_out(q, o);
	put_last(q, o);
	return o->waiting.first;
}

struct http_transfer *queue_any(struct http_queue *q)
{
	for (uint32_t i = 0; i < HTTP_QUEUE_ROOM && q->count != 0; i++) {
		for (struct http_origin *o = q->chains[i]; o != NULL; o = o->chain) {
			if (o->waiting.first != NULL)
				return o->waiting.first;
		}
	}
	return NULL;
}
