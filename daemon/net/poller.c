#include "daemon/net/poller.h"

#include "daemon/net/render.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct poller {
	struct poller      *next;    /* of the desk's */
	struct request     *request; /* NULL: answered or let go; a page is on its way */
	struct desk        *desk;
	struct event       *timer;  /* NULL: waits for nothing */
	struct event_filter filter; /* its texts are in `texts` */
	struct arena        texts;
	uint64_t            after;
	uint32_t            limit;
	bool                is_reading;
	bool                is_late;
};

static void free_poller(struct poller *p)
{
	arena_close(&p->texts);
	free(p);
}

static void forget(struct poller *p)
{
	struct poller **at = &p->desk->pollers;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	desk_listen_no_more(p->desk);
	p->request = NULL;
	if (p->timer != NULL)
		event_free(p->timer);
	p->timer = NULL;
	if (!p->is_reading)
		free_poller(p);
}

static void let_poller_go(struct request *r, bool is_cancelled)
{
	(void)is_cancelled;
	forget(r->work);
}

static void answer(struct poller *p, const struct store_read *read)
{
	struct request *r = p->request;
	size_t          line_max = request_line_max(r);
	uint64_t        next = read->next_after;
	struct buf     *b = reply_begin(r);
	size_t          start = b->bytes;

	buf_add_text(b, "{\"events\":[");
	for (uint32_t i = 0; i < read->event_count; i++) {
		const struct event *e = &read->events[i];

		/* The first one always fits: what is too large in it is left out. */
		if (i != 0 && b->bytes - start + e->body.bytes + RENDER_LINE_SLACK > line_max) {
			next = read->events[i - 1].seq;
			break;
		}
		if (i != 0)
			buf_add_byte(b, ',');
		render_event(b, NULL, e, line_max - RENDER_LINE_SLACK);
	}
	buf_addf(b, "],\"next\":%" PRIu64 ",\"seq\":%" PRIu64 "}", next, read->seq);
	reply_end(r);
}

static void refuse(struct request *r, const struct store_read *read)
{
	char data[160];

	if (read->outcome == GD_NOT_FOUND) {
		reply_not_found(r, read->job);
	} else if (read->outcome != GD_OK) {
		reply_why(r, &read->why);
	} else {
		(void)snprintf(data, sizeof data,
		               "\"oldest\":%" PRIu64 ",\"seq\":%" PRIu64 ",\"store\":\"%s\"",
		               read->oldest, read->seq, store_uuid(r->desk->net->pool->store));
		reply_error(r, GD_CURSOR_EXPIRED, "events after this cursor are no longer kept",
		            data);
	}
}

static void look(struct poller *p);

static void take_page(struct loop *l, struct loop_read *read, void *ctx)
{
	struct poller *p = ctx;

	(void)l;
	p->is_reading = false;
	if (p->request == NULL) {
		free_poller(p);
	} else if (read->read.outcome != GD_OK || read->read.is_expired) {
		p->request->let_go = NULL;
		refuse(p->request, &read->read);
		forget(p);
	} else if (read->read.event_count != 0 || p->timer == NULL || p->is_late) {
		p->request->let_go = NULL;
		answer(p, &read->read);
		forget(p);
	} else {
		p->after = read->read.next_after;
		if (p->after < p->desk->seq)
			look(p); /* something was committed meanwhile */
	}
	store_read_free(&read->read);
}

static void look(struct poller *p)
{
	struct loop_read *read;

	if (p->is_reading)
		return;
	if ((read = events_read_new(&p->filter, p->after, p->limit)) == NULL) {
		p->request->let_go = NULL;
		reply_error(p->request, GD_NOMEM, "no memory for the answer", NULL);
		forget(p);
		return;
	}
	p->is_reading = true;
	loop_read_start(p->desk->loop, read, take_page, p);
}

void pollers_look(struct desk *d)
{
	for (struct poller *p = d->pollers; p != NULL;) {
		struct poller *next = p->next;

		look(p);
		p = next;
	}
}

static void on_timeout(evutil_socket_t fd, short what, void *ctx)
{
	struct poller *p = ctx;

	(void)fd;
	(void)what;
	stopwatch_begin(&p->desk->loop->watch, DOING_TIMER);
	p->is_late = true;
	look(p); /* a last one: it also says where to go on */
}

static bool start_timer(struct poller *p, gd_nsec wait)
{
	struct timeval tv = { .tv_sec = (time_t)(wait / GD_NSEC_PER_SEC),
		              .tv_usec = (suseconds_t)(wait % GD_NSEC_PER_SEC / 1000) };

	if (wait == 0)
		return true;
	p->timer = evtimer_new(p->desk->loop->base, on_timeout, p);
	return p->timer != NULL && evtimer_add(p->timer, &tv) == 0;
}

static const char *kept(struct arena *a, const char *text)
{
	return text == NULL ? NULL : arena_copy(a, text, strlen(text));
}

void poller_start(struct request *r, const struct event_filter *filter, uint64_t after,
                  uint32_t limit, gd_nsec wait)
{
	struct poller *p = calloc(1, sizeof *p);

	if (p == NULL) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		return;
	}
	p->request = r;
	p->desk = r->desk;
	p->filter = *filter;
	p->filter.label = kept(&p->texts, filter->label);
	p->filter.owner = kept(&p->texts, filter->owner);
	p->after = after;
	p->limit = limit;
	p->next = p->desk->pollers;
	p->desk->pollers = p;
	desk_listen(p->desk);
	r->work = p;
	r->let_go = let_poller_go;
	if (p->texts.failed || !start_timer(p, wait)) {
		r->let_go = NULL;
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		forget(p);
		return;
	}
	look(p);
}
