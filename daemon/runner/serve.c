#include "daemon/runner/serve.h"

#include "daemon/log.h"
#include "daemon/runner/runner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_BYTES (64u << 10)

/* --- to the peer --- */

static void peer_close(struct serve_peer *p)
{
	if (p->serve->daemon == p)
		p->serve->daemon = NULL;
	reactor_drop(&p->serve->runner->reactor, &p->fd);
	buf_close(&p->in);
	buf_close(&p->out);
	p->sent = 0;
}

static size_t unsent(const struct serve_peer *p)
{
	return p->out.bytes - p->sent;
}

/* What is not taken stays; the peer is closed when it is gone. */
static void peer_flush(struct serve_peer *p)
{
	ssize_t done;

	if (p->fd.fd < 0)
		return;
	while (unsent(p) > 0) {
		done = send(p->fd.fd, p->out.at + p->sent, unsent(p), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (done < 0 && errno == EAGAIN)
			break;
		if (done < 0) {
			peer_close(p);
			return;
		}
		p->sent += (size_t)done;
	}
	if (unsent(p) == 0) {
		buf_clear(&p->out);
		p->sent = 0;
		if (p->out.room > SERVE_UNREAD_BYTES)
			buf_close(&p->out);
	}
	reactor_want(&p->serve->runner->reactor, &p->fd,
	             (unsent(p) > 0 ? EPOLLOUT : 0u) |
	                     (unsent(p) < SERVE_UNREAD_BYTES ? EPOLLIN : 0u));
}

static void peer_put(struct serve_peer *p, const struct run_message *m)
{
	run_message_put(&p->out, m);
	if (p->out.failed != GD_OK) {
		/* Without memory nothing can be told; the next connection hears all of it. */
		log_error("runner.no_memory", "the connection to the daemon ends");
		peer_close(p);
	}
}

static void peer_refuse(struct serve_peer *p, const char *words)
{
	log_warn("runner.refused", "%s", words);
	peer_put(p, &(struct run_message){ .kind = RUN_REFUSED, .words = words });
	peer_flush(p);
	if (p->fd.fd >= 0)
		peer_close(p);
}

void serve_state(struct serve *s, const struct run_state *state)
{
	if (s->daemon != NULL)
		peer_put(s->daemon, &(struct run_message){ .kind = RUN_STATE, .state = *state });
}

bool serve_output(struct serve *s, struct command *c)
{
	struct run_message m = { .kind = RUN_OUTPUT, .ref = c->state.ref };

	if (s->daemon == NULL || unsent(s->daemon) > SERVE_OUTPUT_BYTES)
		return false;
	if (c->young.next != NULL)
		command_tell(c); /* that it runs is told before what it prints */
	if (s->daemon == NULL)
		return false;
	for (int i = 0; i < RUN_STREAMS; i++)
		m.bytes[i] = c->capture[i].bytes;
	peer_put(s->daemon, &m);
	return true;
}

/* --- from the peer --- */

static void put_state(struct command *c, void *ctx)
{
	(void)ctx;
	command_tell(c);
}

static void tell_all(struct serve_peer *p)
{
	struct serve *s = p->serve;

	table_each(&s->runner->table, put_state, NULL);
	if (s->daemon == p)
		peer_put(p, &(struct run_message){ .kind = RUN_STATE_END });
}

static void greet(struct serve_peer *p, const struct run_message *m)
{
	struct serve      *s = p->serve;
	struct run_message welcome = { .kind = RUN_WELCOME };
	char               words[WIRE_WORDS_MAX];

	if (m->version != WIRE_VERSION) {
		(void)snprintf(words, sizeof words,
		               "this gatherd-runner speaks version %u and not %u; let its commands "
		               "end, then stop it: the daemon starts its own",
		               WIRE_VERSION, (unsigned)m->version);
		peer_refuse(p, words);
		return;
	}
	if (s->daemon != NULL && s->daemon != p)
		peer_close(s->daemon);
	s->daemon = p;
	welcome.welcome.version = WIRE_VERSION;
	welcome.welcome.instance = s->runner->instance;
	memcpy(welcome.welcome.boot_id, s->runner->boot_id, sizeof welcome.welcome.boot_id);
	peer_put(p, &welcome);
	if (s->daemon == p)
		tell_all(p);
}

/* Nothing more may come for a long time, so what is there already is told at once. */
static void watch(struct command *c, bool is_on)
{
	c->tells_output = is_on;
	if (c->order > 0)
		streams_tell(c);
}

static void obey_command(struct runner *r, const struct run_message *m)
{
	struct command *c = table_by_ref(&r->table, &m->ref);

	if (c == NULL)
		return;
	if (m->kind == RUN_SIGNAL)
		command_signal(c, m->signal);
	else if (m->kind == RUN_TERMINATE)
		command_terminate(c, m->grace);
	else if (m->kind == RUN_WATCH)
		watch(c, m->is_on);
	else if (m->kind == RUN_TAKEN)
		command_taken(c, m->bytes);
	else if (m->kind == RUN_ACK)
		command_forget(c);
}

static void obey(struct serve_peer *p, const struct run_message *m)
{
	struct runner *r = p->serve->runner;

	if (m->kind != RUN_HELLO && p->serve->daemon != p) {
		peer_refuse(p, "the first message is HELLO");
		return;
	}
	switch (m->kind) {
	case RUN_HELLO:
		greet(p, m);
		return;
	case RUN_START:
		command_start(r, &m->start);
		return;
	case RUN_LIST:
		tell_all(p);
		return;
	case RUN_SIGNAL:
	case RUN_TERMINATE:
	case RUN_WATCH:
	case RUN_TAKEN:
	case RUN_ACK:
		obey_command(r, m);
		return;
	case RUN_WELCOME:
	case RUN_REFUSED:
	case RUN_STATE:
	case RUN_OUTPUT:
	case RUN_STATE_END:
		break;
	}
	peer_refuse(p, "this message is for the daemon");
}

/* All whole frames that are there, as long as the peer takes its answers. */
static void obey_all(struct serve_peer *p)
{
	struct run_message m;
	enum wire_found    found = WIRE_MORE;
	size_t             done = 0, used;

	while (p->fd.fd >= 0 && unsent(p) < SERVE_UNREAD_BYTES &&
	       (found = run_message_get(p->in.at + done, p->in.bytes - done, &m, &used)) ==
	               WIRE_MESSAGE) {
		done += used;
		obey(p, &m);
		run_message_close(&m);
	}
	if (p->fd.fd < 0)
		return;
	if (found == WIRE_BAD || found == WIRE_NOMEM) {
		peer_refuse(p, found == WIRE_BAD ? "a malformed message" : "no memory");
		return;
	}
	if (done == 0)
		return;
	memmove(p->in.at, p->in.at + done, p->in.bytes - done);
	p->in.bytes -= done;
	if (p->in.bytes == 0 && p->in.room > 4 * READ_BYTES)
		buf_close(&p->in);
}

void serve_flush(struct serve *s)
{
	for (int i = 0; i < SERVE_PEERS; i++) {
		struct serve_peer *p = &s->peer[i];

		peer_flush(p);
		/* What waited until it was read from again: no event tells of that. */
		if (p->fd.fd >= 0 && p->in.bytes > 0) {
			obey_all(p);
			peer_flush(p);
		}
	}
}

static void on_peer(struct reactor_fd *f, uint32_t events)
{
	struct serve_peer *p = f->ctx;
	ssize_t            got = 0;
	char              *to;

	if ((events & EPOLLIN) != 0 && unsent(p) < SERVE_UNREAD_BYTES) {
		to = buf_reserve(&p->in, READ_BYTES);
		if (to != NULL)
			got = recv(f->fd, to, READ_BYTES, MSG_DONTWAIT);
		if (to == NULL || got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
			peer_close(p);
			return;
		}
		p->in.bytes += got > 0 ? (size_t)got : 0;
	} else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
		peer_close(p);
		return;
	}
	peer_flush(p);
	if (p->fd.fd >= 0)
		obey_all(p);
}

/* --- the listener --- */

static bool is_welcome(int fd)
{
	struct ucred who;
	socklen_t    bytes = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) == 0 &&
	       (who.uid == 0 || who.uid == geteuid());
}

static void on_listener(struct reactor_fd *f, uint32_t events)
{
	struct serve      *s = f->ctx;
	struct serve_peer *p = NULL;
	int                fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	for (int i = 0; i < SERVE_PEERS && p == NULL; i++)
		p = s->peer[i].fd.fd < 0 ? &s->peer[i] : NULL;
	if (p == NULL || !is_welcome(fd)) {
		log_warn("runner.refused", "a connection: %s",
		         p == NULL ? "too many" : "another user's");
		(void)close(fd);
		return;
	}
	p->fd = (struct reactor_fd){ .fd = fd, .ready = on_peer, .ctx = p };
	if (reactor_add(&s->runner->reactor, &p->fd, EPOLLIN) != 0)
		reactor_drop(&s->runner->reactor, &p->fd);
}

static int bind_at(int fd, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	mode_t             before = umask(0177);
	int                rc;

	(void)snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	(void)unlink(path);
	rc = bind(fd, (const struct sockaddr *)&to, sizeof to);
	(void)umask(before);
	return rc == 0 ? listen(fd, SERVE_PEERS) : rc;
}

enum gd_err serve_open(struct serve *s, struct runner *r, const char *path, struct gd_error *why)
{
	s->runner = r;
	for (int i = 0; i < SERVE_PEERS; i++) {
		s->peer[i] = (struct serve_peer){ .serve = s, .fd.fd = -1 };
		buf_init(&s->peer[i].in, RUN_FRAME_BYTES_MAX + 2 * READ_BYTES);
	}
	if (strlen(path) >= sizeof s->path)
		return gd_fail(why, GD_INVALID_PARAMS, "the path of the socket is too long: %s",
		               path);
	s->listener = (struct reactor_fd){ .ready = on_listener, .ctx = s };
	s->listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listener.fd < 0 || bind_at(s->listener.fd, path) != 0)
		return gd_fail_sys(why, errno, "socket %s", path);
	(void)snprintf(s->path, sizeof s->path, "%s", path);
	if (reactor_add(&r->reactor, &s->listener, EPOLLIN) != 0)
		return gd_fail_sys(why, errno, "socket %s", path);
	return GD_OK;
}

void serve_close(struct serve *s)
{
	if (s->runner == NULL)
		return;
	serve_flush(s);
	for (int i = 0; i < SERVE_PEERS; i++)
		peer_close(&s->peer[i]);
	reactor_drop(&s->runner->reactor, &s->listener);
	if (s->path[0] != '\0')
		(void)unlink(s->path);
}
