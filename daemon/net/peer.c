#include "daemon/net/peer.h"

#include "daemon/net/request.h"
#include "daemon/net/stream.h"
#include "proto/base/check.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (16u << 10)
#define READS_PER_TURN 4u
#define LINGER_NSEC GD_NSEC_PER_SEC
#define TAKE_NSEC (2 * GD_NSEC_PER_MSEC) /* of one peer's requests in a lap; the others wait */
#define KEPT_OUTPUT_BYTES (64u << 10)    /* a larger buffer is given back when it is empty */

void peer_mark_dirty(struct peer *p)
{
	if (p->is_dirty)
		return;
	p->is_dirty = true;
	p->next_dirty = p->desk->dirty;
	p->desk->dirty = p;
}

void peer_die(struct peer *p)
{
	if (p->state == PEER_DEAD)
		return;
	p->state = PEER_DEAD;
	(void)event_del(p->readable);
	(void)event_del(p->writable);
	requests_let_go(p);
	streams_end(p);
	peer_mark_dirty(p);
}

void peer_close_when_written(struct peer *p)
{
	if (!peer_is_open(p))
		return;
	p->state = PEER_CLOSING;
	p->is_reading = false;
	(void)event_del(p->readable);
	peer_mark_dirty(p);
}

void peer_free(struct peer *p)
{
	CHECK(p->state == PEER_DEAD);
	if (p->previous != NULL)
		p->previous->next = p->next;
	else
		p->desk->peers = p->next;
	if (p->next != NULL)
		p->next->previous = p->previous;
	atomic_fetch_sub(&p->desk->net->connections, 1);
	event_free(p->readable);
	event_free(p->writable);
	(void)close(p->fd);
	buf_close(&p->in);
	buf_close(&p->out);
	free(p);
}

void peer_become(struct peer *p, const struct principal *who)
{
	p->who = *who;
	if (p->state != PEER_STRANGER)
		return;
	p->state = PEER_KNOWN;
	p->deadline = GD_NSEC_NEVER;
	frame_set_bytes_max(&p->scanner, FRAME_BYTES_MAX);
}

/* --- in --- */

static bool is_taking_more(const struct peer *p)
{
	return peer_is_open(p) && p->request_count < NET_REQUESTS_MAX &&
	       peer_unread(p) <= NET_OUTPUT_PAUSE_BYTES;
}

static void complain_limit(struct peer *p, const char *limit, uint64_t max)
{
	char data[96];

	(void)snprintf(data, sizeof data, "\"limit\":\"%s\",\"max\":%llu", limit,
	               (unsigned long long)max);
	request_complain(p, GD_LIMIT, "the message is more than this connection may send", data);
	peer_close_when_written(p);
}

/* False: no message can follow at the moment. */
static bool act_on(struct peer *p, enum frame_result found)
{
	switch (found) {
	case FRAME_MORE:
		return false;
	case FRAME_MESSAGE:
		request_take(p, p->in.at + p->scanned - p->scanner.bytes, p->scanner.bytes);
		return true;
	case FRAME_MALFORMED:
		request_complain(p, GD_PARSE, "this is not JSON", NULL);
		if (!p->has_spoken)
			peer_close_when_written(p);
		return true;
	case FRAME_TOO_LONG:
		complain_limit(p, "message_bytes", p->scanner.bytes_max);
		return false;
	case FRAME_TOO_DEEP:
		complain_limit(p, "message_depth", FRAME_DEPTH_MAX);
		return false;
	case FRAME_TOO_MANY:
		complain_limit(p, "message_values", FRAME_VALUES_MAX);
		return false;
	case FRAME_NOT_JSON:
		peer_die(p);
		return false;
	}
	CHECK_NEVER("act_on: unknown result");
}

/* Most reads bring whole messages: one buffer goes round among those who read, and none waits for
 * its next message with memory in its hands. */
static void put_in_away(struct peer *p)
{
	struct buf *spare = &p->desk->spare_in;

	if (spare->at != NULL || p->in.room > READ_BYTES) {
		buf_close(&p->in);
		return;
	}
	*spare = p->in;
	buf_clear(spare);
	p->in = (struct buf){ 0 };
}

static char *room_to_read(struct peer *p)
{
	if (p->in.at == NULL) {
		p->in = p->desk->spare_in;
		p->desk->spare_in = (struct buf){ 0 };
	}
	return buf_reserve(&p->in, READ_BYTES);
}

static void forget_taken(struct peer *p)
{
	size_t keep_from = p->scanned - (p->is_under_way ? p->scanner.bytes : 0);

	p->in.bytes -= keep_from;
	p->scanned -= keep_from;
	if (p->in.bytes == 0)
		put_in_away(p);
	else if (keep_from != 0)
		memmove(p->in.at, p->in.at + keep_from, p->in.bytes);
}

/* A message that has begun must be complete in time, or a slow stranger holds a place for ever. */
static void set_deadline(struct peer *p)
{
	if (p->state == PEER_STRANGER)
		return; /* it has one already, for its token */
	if (!p->is_under_way || p->scanner.bytes == 0) {
		p->deadline = GD_NSEC_NEVER;
		return;
	}
	if (p->deadline == GD_NSEC_NEVER) {
		p->deadline = loop_now(p->desk->loop) +
		              atomic_load(&p->desk->net->config->idle_timeout) * GD_NSEC_PER_SEC;
		desk_need_sweep(p->desk);
	}
}

static void stop_reading(struct peer *p)
{
	if (!p->is_reading)
		return;
	p->is_reading = false;
	(void)event_del(p->readable);
}

/* What came with it is for the next turn. Looked at behind a second message only: most reads bring
 * one. */
static bool is_enough(const struct peer *p, uint32_t taken)
{
	return taken > 1 && stopwatch_lap_so_far(&p->desk->loop->watch) > TAKE_NSEC;
}

static void take(struct peer *p)
{
	uint32_t taken = 0;

	while (p->scanned < p->in.bytes && is_taking_more(p)) {
		size_t            used;
		enum frame_result found;

		if (is_enough(p, taken++)) {
			p->has_rest = true;
			stop_reading(p);
			peer_mark_dirty(p);
			break;
		}
		found = frame_scan(&p->scanner, p->in.at + p->scanned, p->in.bytes - p->scanned,
		                   &used);
		p->scanned += used;
		p->is_under_way = found == FRAME_MORE;
		if (found == FRAME_MESSAGE && p->state == PEER_KNOWN)
			p->deadline = GD_NSEC_NEVER;
		if (!act_on(p, found))
			break;
	}
	if (!peer_is_open(p))
		return;
	forget_taken(p);
	set_deadline(p);
}

static bool has_hung_up(const struct peer *p)
{
	struct pollfd look = { .fd = p->fd };

	return poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

static void on_readable(evutil_socket_t fd, short what, void *ctx);

/* The peer has sent its last byte. It may still read: what is pending is answered first. From now
 * on we only want to hear that it has gone altogether, which an edge tells without a busy loop. */
static void take_eof(struct peer *p)
{
	p->has_eof = true;
	p->deadline = GD_NSEC_NEVER;
	stop_reading(p);
	if (has_hung_up(p)) {
		peer_die(p);
		return;
	}
	CHECK(event_assign(p->readable, p->desk->loop->base, p->fd, EV_READ | EV_PERSIST | EV_ET,
	                   on_readable, p) == 0);
	if (event_add(p->readable, NULL) != 0)
		peer_die(p);
	else
		peer_mark_dirty(p);
}

static void read_more(struct peer *p)
{
	for (uint32_t i = 0; i < READS_PER_TURN && p->is_reading; i++) {
		char   *to = room_to_read(p);
		ssize_t got;

		if (to == NULL) {
			peer_die(p);
			return;
		}
		got = recv(p->fd, to, READ_BYTES, 0);
		if (got < 0) {
			if (errno != EAGAIN && errno != EINTR)
				peer_die(p);
			else if (p->in.bytes == 0)
				put_in_away(p);
			return;
		}
		if (got == 0) {
			take_eof(p);
			return;
		}
		p->in.bytes += (size_t)got;
		take(p);
		if (!is_taking_more(p))
			stop_reading(p);
		if ((size_t)got < READ_BYTES)
			return;
	}
}

static void throw_away(struct peer *p)
{
	char    bytes[4096];
	ssize_t got = recv(p->fd, bytes, sizeof bytes, 0);

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		peer_die(p);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct peer *p = ctx;

	(void)fd;
	(void)what;
	stopwatch_begin(&p->desk->loop->watch, DOING_SOCKET);
	if (p->state == PEER_LINGERING)
		throw_away(p);
	else if (!p->has_eof)
		read_more(p);
	else if (has_hung_up(p))
		peer_die(p);
}

static void read_on(struct peer *p)
{
	if (p->is_reading || p->has_rest || !is_taking_more(p))
		return;
	take(p);
	if (p->has_eof || p->has_rest || !is_taking_more(p))
		return;
	if (event_add(p->readable, NULL) != 0)
		peer_die(p);
	else
		p->is_reading = true;
}

/* --- out --- */

void peer_write(struct peer *p)
{
	while (p->sent < p->out.bytes) {
		ssize_t put =
			send(p->fd, p->out.at + p->sent, p->out.bytes - p->sent, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0) {
			if (errno != EAGAIN || event_add(p->writable, NULL) != 0)
				peer_die(p);
			break;
		}
		p->sent += (size_t)put;
	}
	if (p->sent == p->out.bytes) {
		p->sent = 0;
		if (p->out.room > KEPT_OUTPUT_BYTES)
			buf_close(&p->out);
		else
			buf_clear(&p->out);
	} else if (p->sent > p->out.bytes / 2) {
		p->out.bytes -= p->sent;
		memmove(p->out.at, p->out.at + p->sent, p->out.bytes);
		p->sent = 0;
	}
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	peer_mark_dirty(ctx);
}

/* Nothing is left to do for a peer that will not ask again. */
static bool is_finished(const struct peer *p)
{
	if (peer_unread(p) != 0)
		return false;
	return p->has_eof &&
	       (p->state == PEER_CLOSING ||
	        (p->request_count == 0 && p->stream_count == 0 && p->scanned == p->in.bytes));
}

static void linger(struct peer *p)
{
	p->state = PEER_LINGERING;
	p->deadline = loop_now(p->desk->loop) + LINGER_NSEC;
	requests_let_go(p);
	streams_end(p);
	if (shutdown(p->fd, SHUT_WR) != 0 || event_add(p->readable, NULL) != 0)
		peer_die(p);
	else
		desk_need_sweep(p->desk);
}

bool peer_settle(struct peer *p)
{
	if (p->state == PEER_DEAD) {
		peer_free(p);
		return false;
	}
	/* It got more than it may hold, or memory has ended: a gap is no answer. */
	if (p->out.failed != GD_OK)
		peer_die(p);
	else
		peer_write(p);
	if (p->state != PEER_DEAD && peer_unread(p) <= NET_STREAM_LAG_BYTES / 2)
		streams_read_on(p);
	if (p->state != PEER_DEAD)
		read_on(p);
	if (p->state != PEER_DEAD && is_finished(p))
		peer_die(p);
	else if (p->state == PEER_CLOSING && peer_unread(p) == 0)
		linger(p);
	return true;
}

/* --- life --- */

static void link_first(struct peer *p)
{
	struct desk *d = p->desk;

	p->next = d->peers;
	if (d->peers != NULL)
		d->peers->previous = p;
	d->peers = p;
}

enum gd_err peer_open(struct desk *d, int fd, const struct principal *who, struct gd_error *why)
{
	struct peer *p = calloc(1, sizeof *p);

	if (p == NULL)
		goto close_fd;
	p->desk = d;
	p->fd = fd;
	p->line_max = NET_LINE_BYTES_DEFAULT;
	p->is_tcp = who == NULL;
	p->deadline = GD_NSEC_NEVER;
	p->out.cap = NET_OUTPUT_BYTES_MAX;
	p->readable = event_new(d->loop->base, fd, EV_READ | EV_PERSIST, on_readable, p);
	p->writable = event_new(d->loop->base, fd, EV_WRITE, on_writable, p);
	if (p->readable == NULL || p->writable == NULL || event_add(p->readable, NULL) != 0)
		goto free_peer;
	p->is_reading = true;
	frame_init(&p->scanner, who == NULL ? FRAME_STRANGER_BYTES_MAX : FRAME_BYTES_MAX);
	if (who != NULL) {
		p->state = PEER_KNOWN;
		p->who = *who;
	} else {
		p->deadline = loop_now(d->loop) +
		              atomic_load(&d->net->config->auth_timeout) * GD_NSEC_PER_SEC;
		desk_need_sweep(d);
	}
	link_first(p);
	return GD_OK;
free_peer:
	if (p->readable != NULL)
		event_free(p->readable);
	if (p->writable != NULL)
		event_free(p->writable);
	free(p);
close_fd:
	atomic_fetch_sub(&d->net->connections, 1);
	(void)close(fd);
	return gd_fail(why, GD_NOMEM, "no memory for a connection");
}
