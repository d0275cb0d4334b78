#include "daemon/net/stream.h"

#include "daemon/net/render.h"
#include "daemon/run/apply.h"
#include "proto/base/check.h"
#include "proto/rpc.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES (256u << 10)

enum stream_state {
	STREAM_PAGED,
	STREAM_LIVE,
	STREAM_ENDED /* a page is on its way to it; freed when that arrives */
};

struct stream {
	struct peer        *peer;
	struct stream      *next_of_peer;
	struct stream      *next_of_desk; /* those that watch no single job */
	struct watch        watch;        /* the others */
	enum stream_state   state;
	bool                is_reading; /* a page is on its way */
	bool                is_first;   /* no page has come yet, and somebody waits for it */
	uint64_t            cursor;
	struct event_filter filter; /* its texts are in `texts` */
	struct arena        texts;
	struct stream_user  user;
	gd_nsec             heartbeat; /* 0: none */
	gd_nsec             next_beat;
	char                name[STREAM_NAME_BYTES];
};

static bool is_for_store(const struct stream *s)
{
	return s->filter.label != NULL || s->filter.owner != NULL;
}

/* --- pages --- */

static struct text text_of(struct arena *a, const char *at)
{
	size_t bytes = at == NULL ? 0 : strlen(at);

	return (struct text){ arena_copy(a, at, bytes), bytes };
}

struct loop_read *events_read_new(const struct event_filter *f, uint64_t after, uint32_t limit)
{
	struct loop_read *r = loop_read_new(READ_EVENTS);

	if (r == NULL)
		return NULL;
	r->read.job = f->job;
	r->read.kinds_mask = f->kinds;
	r->read.label_filter = text_of(&r->read.arena, f->label);
	r->read.owner_filter = text_of(&r->read.arena, f->owner);
	r->read.after = after;
	r->read.limit = limit;
	r->read.bytes_max = PAGE_BYTES;
	if (r->read.arena.failed) {
		store_read_free(&r->read);
		return NULL;
	}
	return r;
}

static void free_stream(struct stream *s)
{
	arena_close(&s->texts);
	free(s);
}

static void advance(struct stream *s, uint64_t cursor)
{
	if (cursor > s->cursor)
		s->cursor = cursor;
	if (s->user.on_advance != NULL)
		s->user.on_advance(s);
}

static void send_event(struct stream *s, const struct event *e)
{
	render_event_line(&s->peer->out, s->name, e, s->peer->line_max);
	peer_mark_dirty(s->peer);
}

static bool is_welcome(struct stream *s, const struct store_read *r)
{
	bool is_first = s->is_first;

	s->is_first = false;
	return !is_first || s->user.on_first == NULL || s->user.on_first(s, r);
}

static void take_page(struct loop *l, struct loop_read *r, void *ctx)
{
	struct stream *s = ctx;
	struct peer   *p = s->peer; /* lives on, unless the stream has ended */
	bool           is_first;
	uint64_t       next;

	(void)l;
	s->is_reading = false;
	if (s->state == STREAM_ENDED) {
		free_stream(s);
		store_read_free(&r->read);
		return;
	}
	is_first = s->is_first;
	/* Otherwise not GD_OK: a job went under its reader, or the store has failed. */
	if (!is_welcome(s, &r->read) || r->read.outcome != GD_OK ||
	    (r->read.is_expired && !is_first)) {
		/* A reader was too slow for the log. Whoever comes again with the same cursor is told
		 * what is left; a gap without a word would be a lie. job.run asks for its job. */
		if (!is_first && (r->read.outcome == GD_OK || s->user.on_first != NULL))
			peer_close_when_written(p);
		stream_end(s);
		store_read_free(&r->read);
		return;
	}
	for (uint32_t i = 0; i < r->read.event_count; i++)
		send_event(s, &r->read.events[i]);
	next = r->read.next_after;
	store_read_free(&r->read);
	/* Commits that passed while the page was read are in the next one. */
	if (next >= p->desk->seq && !is_for_store(s))
		s->state = STREAM_LIVE;
	advance(s, next);   /* may end it */
	peer_mark_dirty(p); /* the end of the turn reads on, when there is room */
}

static void read_page(struct stream *s)
{
	struct loop_read *r;

	if (s->state != STREAM_PAGED || s->is_reading)
		return;
	if (!s->is_first && s->cursor >= s->peer->desk->seq)
		return; /* nothing new for a filter that only the store can answer */
	r = events_read_new(&s->filter, s->cursor, NET_PAGE_ROWS);
	if (r == NULL) {
		peer_die(s->peer); /* a stream with a gap would be a lie */
		return;
	}
	s->is_reading = true;
	loop_read_start(s->peer->desk->loop, r, take_page, s);
}

void streams_read_on(struct peer *p)
{
	for (struct stream *s = p->streams; s != NULL && p->state != PEER_DEAD; s = s->next_of_peer)
		read_page(s);
}

/* --- live --- */

void stream_offer(struct stream *s, const struct event *e)
{
	if (s->state != STREAM_LIVE || e->seq <= s->cursor)
		return;
	if (peer_unread(s->peer) > NET_STREAM_LAG_BYTES) {
		s->state = STREAM_PAGED;
		return;
	}
	if (s->filter.kinds == 0 || (s->filter.kinds >> e->kind & 1) != 0)
		send_event(s, e);
	s->cursor = e->seq;
}

static void on_job_record(struct watch *w, const struct record *r)
{
	struct stream *s = (struct stream *)(void *)((char *)w - offsetof(struct stream, watch));

	if (r->kind == RECORD_EVENT)
		stream_offer(s, &r->u.event);
}

void streams_tell(struct desk *d, const struct record *r)
{
	if (r->kind != RECORD_EVENT)
		return;
	for (struct stream *s = d->streams; s != NULL; s = s->next_of_desk)
		stream_offer(s, &r->u.event);
}

void streams_commit_ended(struct desk *d)
{
	for (struct stream *s = d->streams; s != NULL; s = s->next_of_desk)
		if (s->state == STREAM_PAGED && peer_unread(s->peer) <= NET_STREAM_LAG_BYTES / 2)
			peer_mark_dirty(s->peer);
}

/* --- heartbeats --- */

void stream_set_heartbeat(struct stream *s, gd_nsec every)
{
	s->heartbeat = every;
	s->next_beat = loop_now(s->peer->desk->loop) + every;
	if (every != 0)
		desk_need_sweep(s->peer->desk);
}

static void beat(struct stream *s, gd_nsec now)
{
	struct buf *b = &s->peer->out;

	s->next_beat = now + s->heartbeat;
	if (peer_unread(s->peer) > NET_STREAM_LAG_BYTES)
		return; /* it has enough to read */
	rpc_begin_notification(b, "event");
	buf_addf(b, "{\"subscription\":%s,\"seq\":%llu,\"time\":", s->name,
	         (unsigned long long)s->peer->desk->seq);
	apply_write_time(b, loop_wall(s->peer->desk->loop, now));
	buf_add_text(b, ",\"kind\":\"heartbeat\"}");
	rpc_end(b);
	buf_add_byte(b, '\n');
	peer_mark_dirty(s->peer);
}

bool streams_beat(struct peer *p, gd_nsec now)
{
	bool is_any = false;

	for (struct stream *s = p->streams; s != NULL; s = s->next_of_peer) {
		is_any = is_any || s->heartbeat != 0;
		if (s->heartbeat != 0 && now >= s->next_beat && !s->is_first)
			beat(s, now);
	}
	return is_any;
}

/* --- life --- */

uint64_t stream_cursor(const struct stream *s)
{
	return s->cursor;
}

const char *stream_name(const struct stream *s)
{
	return s->name;
}

void *stream_ctx(const struct stream *s)
{
	return s->user.ctx;
}

struct stream *stream_find(struct peer *p, const char *name, void (*on_end)(struct stream *s))
{
	struct stream *s = p->streams;

	while (s != NULL && (s->user.on_end != on_end || strcmp(s->name, name) != 0))
		s = s->next_of_peer;
	return s;
}

static bool keep_filter(struct stream *s, const struct event_filter *filter)
{
	s->filter = *filter;
	if (filter->label != NULL)
		s->filter.label = arena_copy(&s->texts, filter->label, strlen(filter->label));
	if (filter->owner != NULL)
		s->filter.owner = arena_copy(&s->texts, filter->owner, strlen(filter->owner));
	return !s->texts.failed;
}

struct stream *stream_open(struct peer *p, const char *name, const struct event_filter *filter,
                           bool is_from_cursor, uint64_t after, const struct stream_user *user)
{
	struct desk   *d = p->desk;
	struct stream *s = calloc(1, sizeof *s);

	CHECK(strlen(name) < STREAM_NAME_BYTES);
	if (s == NULL)
		return NULL;
	s->peer = p;
	s->user = *user;
	memcpy(s->name, name, strlen(name) + 1);
	s->watch.on_record = on_job_record;
	if (!keep_filter(s, filter) ||
	    (filter->job != 0 && desk_watch(d, &s->watch, filter->job) != GD_OK)) {
		free_stream(s);
		return NULL;
	}
	if (filter->job == 0 || is_for_store(s)) {
		s->next_of_desk = d->streams;
		d->streams = s;
	}
	desk_listen(d);
	s->next_of_peer = p->streams;
	p->streams = s;
	p->stream_count++;
	s->cursor = is_from_cursor ? after : d->seq;
	s->is_first = is_from_cursor;
	s->state = is_from_cursor || is_for_store(s) ? STREAM_PAGED : STREAM_LIVE;
	read_page(s);
	return s;
}

void stream_end(struct stream *s)
{
	struct peer    *p = s->peer;
	struct stream **at = &p->streams;

	while (*at != s)
		at = &(*at)->next_of_peer;
	*at = s->next_of_peer;
	p->stream_count--;
	for (at = &p->desk->streams; *at != NULL; at = &(*at)->next_of_desk)
		if (*at == s) {
			*at = s->next_of_desk;
			break;
		}
	desk_unwatch(p->desk, &s->watch);
	desk_listen_no_more(p->desk);
	if (s->user.on_end != NULL)
		s->user.on_end(s);
	peer_mark_dirty(p); /* it may have been the last thing to wait for */
	if (s->is_reading)
		s->state = STREAM_ENDED;
	else
		free_stream(s);
}

void streams_end(struct peer *p)
{
	while (p->streams != NULL)
		stream_end(p->streams);
}
