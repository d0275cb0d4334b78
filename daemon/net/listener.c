#include "daemon/net/listener.h"

#include "daemon/net/peer.h"
#include "proto/base/check.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 1024
#define ACCEPTS_PER_TURN 64
#define REST_USEC 100000

/* A TCP peer that has gone without a word is found after about two minutes. */
#define TCP_IDLE_SECONDS 60
#define TCP_PROBE_SECONDS 15
#define TCP_PROBES 4

struct listener {
	struct listeners *all;
	int               fd;
	bool              is_tcp;
	struct event     *ready;
};

struct listeners {
	struct net     *net;
	struct listener at[CONFIG_LISTEN_MAX + 1];
	uint32_t        count;
	uint32_t        next_loop;
	struct event   *rest;       /* ends a pause */
	gd_nsec         last_words; /* when the log last heard of a refusal */
	dev_t           socket_dev; /* of the file we made; 0: none */
	ino_t           socket_ino;
};

/* --- accepting --- */

struct arrival {
	struct inbox_msg msg;
	struct desk     *desk;
	struct principal who;
	int              fd;
	bool             is_known;
};

static void take_arrival(struct loop *l, struct inbox_msg *m)
{
	struct arrival *a = (struct arrival *)(void *)m;
	struct gd_error why;

	(void)l;
	if (peer_open(a->desk, a->fd, a->is_known ? &a->who : NULL, &why) != GD_OK)
		log_warn("net.refused", "why=%s", why.text);
	free(a);
}

/* At most one line a second: who is refused comes again. */
static void say_refused(struct listeners *s, const char *why)
{
	gd_nsec now = loop_now(s->net->at[0].loop);

	if (now - s->last_words < GD_NSEC_PER_SEC)
		return;
	s->last_words = now;
	log_warn("net.refused", "why=%s", why);
}

static void rest(struct listeners *s)
{
	const struct timeval pause = { .tv_usec = REST_USEC };

	for (uint32_t i = 0; i < s->count; i++)
		(void)event_del(s->at[i].ready);
	CHECK(evtimer_add(s->rest, &pause) == 0);
}

static void on_rest_end(evutil_socket_t fd, short what, void *ctx)
{
	struct listeners *s = ctx;

	(void)fd;
	(void)what;
	for (uint32_t i = 0; i < s->count; i++)
		if (event_add(s->at[i].ready, NULL) != 0)
			rest(s);
}

/* Over TCP the end of what a peer sends is not its end, and one that is gone altogether is silent.
 * So the kernel asks now and then; a stream without events would keep its connection for ever. */
static void set_up_tcp(int fd)
{
	const int yes = 1;
	const int idle = TCP_IDLE_SECONDS;
	const int between = TCP_PROBE_SECONDS;
	const int probes = TCP_PROBES;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

static void hand_over(struct listener *from, int fd)
{
	struct listeners *s = from->all;
	struct net       *n = s->net;
	struct arrival   *a = calloc(1, sizeof *a);
	struct gd_error   why;

	/* Counted from here on; peer.c counts down. */
	if (atomic_fetch_add(&n->connections, 1) >= atomic_load(&n->config->max_connections) ||
	    a == NULL) {
		say_refused(s, a == NULL ? "no memory" : "max_connections");
		goto refuse;
	}
	a->is_known = !from->is_tcp;
	if (a->is_known && auth_of_peer(fd, &a->who, &why) != GD_OK) {
		say_refused(s, why.text);
		goto refuse;
	}
	if (from->is_tcp)
		set_up_tcp(fd);
	a->fd = fd;
	a->msg.run = take_arrival;
	a->desk = &n->at[s->next_loop];
	s->next_loop = (s->next_loop + 1) % n->pool->count;
	if (loop_post(a->desk->loop, &a->msg))
		return;
	say_refused(s, "a loop has too much to do");
refuse:
	atomic_fetch_sub(&n->connections, 1);
	free(a);
	(void)close(fd);
}

static void on_ready(evutil_socket_t fd, short what, void *ctx)
{
	struct listener *from = ctx;

	(void)what;
	stopwatch_begin(&from->all->net->at[0].loop->watch, DOING_SOCKET);
	for (uint32_t i = 0; i < ACCEPTS_PER_TURN; i++) {
		int got = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (got >= 0) {
			hand_over(from, got);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			say_refused(from->all, strerror(errno));
			rest(from->all);
		}
		/* Everything else concerns that one connection, which has gone (accept(2)). */
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

/* --- sockets --- */

static enum gd_err add(struct listeners *s, int fd, bool is_tcp, struct gd_error *why)
{
	struct listener *l = &s->at[s->count];

	*l = (struct listener){ .all = s, .fd = fd, .is_tcp = is_tcp };
	l->ready = event_new(s->net->at[0].loop->base, fd, EV_READ | EV_PERSIST, on_ready, l);
	if (l->ready == NULL || event_add(l->ready, NULL) != 0) {
		if (l->ready != NULL)
			event_free(l->ready);
		(void)close(fd);
		return gd_fail(why, GD_NOMEM, "no memory for a listener");
	}
	s->count++;
	return GD_OK;
}

static int open_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* A file that nobody answers at is left from a daemon that was killed. The state directory's lock
 * says that there is no other daemon of ours; somebody else's socket is not touched. */
static enum gd_err remove_stale(const struct sockaddr_un *at, struct gd_error *why)
{
	struct stat st;
	int         fd, rc;

	if (lstat(at->sun_path, &st) != 0)
		return GD_OK;
	if (!S_ISSOCK(st.st_mode))
		return gd_fail(why, GD_CONFLICT, "%s is there and is no socket", at->sun_path);
	if ((fd = open_socket(AF_UNIX)) < 0)
		return gd_fail_sys(why, errno, "no socket");
	rc = connect(fd, (const struct sockaddr *)(const void *)at, sizeof *at);
	(void)close(fd);
	if (rc == 0)
		return gd_fail(why, GD_CONFLICT, "somebody answers at %s", at->sun_path);
	if (unlink(at->sun_path) != 0 && errno != ENOENT)
		return gd_fail_sys(why, errno, "cannot remove the stale %s", at->sun_path);
	return GD_OK;
}

static enum gd_err open_unix(struct listeners *s, struct gd_error *why)
{
	const struct config *config = s->net->config;
	struct sockaddr_un   at = { .sun_family = AF_UNIX };
	enum gd_err          rc;
	struct stat          st;
	mode_t               before;
	int                  fd, bound, sys;

	memcpy(at.sun_path, config->socket, sizeof at.sun_path);
	if ((rc = remove_stale(&at, why)) != GD_OK)
		return rc;
	if ((fd = open_socket(AF_UNIX)) < 0)
		return gd_fail_sys(why, errno, "no socket");
	/* No moment in which others could connect: the mode is right when the file appears. */
	before = umask(~(mode_t)config->socket_mode & 0777);
	bound = bind(fd, (const struct sockaddr *)&at, sizeof at);
	sys = errno;
	(void)umask(before);
	if (bound != 0 || listen(fd, BACKLOG) != 0) {
		sys = bound != 0 ? sys : errno;
		(void)close(fd);
		return gd_fail_sys(why, sys, "cannot listen at %s", at.sun_path);
	}
	if (lstat(at.sun_path, &st) == 0) {
		s->socket_dev = st.st_dev;
		s->socket_ino = st.st_ino;
	}
	return add(s, fd, false, why);
}

static enum gd_err open_tcp(struct listeners *s, const struct config_listen *where,
                            struct gd_error *why)
{
	const int yes = 1;
	int       fd = open_socket(where->address.any.sa_family);
	int       sys;

	if (fd < 0)
		return gd_fail_sys(why, errno, "no socket for %s", where->text);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(fd, &where->address.any, where->address_bytes) != 0 || listen(fd, BACKLOG) != 0) {
		sys = errno;
		(void)close(fd);
		return gd_fail_sys(why, sys, "cannot listen at %s", where->text);
	}
	return add(s, fd, true, why);
}

enum gd_err listeners_open(struct net *n, struct listeners **out, struct gd_error *why)
{
	struct listeners *s = calloc(1, sizeof *s);
	enum gd_err       rc = GD_OK;

	if (s == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for listeners");
	s->net = n;
	if ((s->rest = evtimer_new(n->at[0].loop->base, on_rest_end, s)) == NULL)
		rc = gd_fail(why, GD_NOMEM, "no memory for listeners");
	if (rc == GD_OK)
		rc = open_unix(s, why);
	for (uint32_t i = 0; i < n->config->listen_count && rc == GD_OK; i++)
		rc = open_tcp(s, &n->config->listen[i], why);
	if (rc != GD_OK) {
		listeners_close(s);
		return rc;
	}
	*out = s;
	return GD_OK;
}

void listeners_stop(struct listeners *s)
{
	(void)evtimer_del(s->rest);
	for (uint32_t i = 0; i < s->count; i++) {
		event_free(s->at[i].ready);
		(void)close(s->at[i].fd);
	}
	s->count = 0;
}

static void remove_file(const struct listeners *s)
{
	const char *path = s->net->config->socket;
	struct stat st;

	/* Somebody may have put another one in its place. */
	if (s->socket_ino != 0 && lstat(path, &st) == 0 && st.st_dev == s->socket_dev &&
	    st.st_ino == s->socket_ino)
		(void)unlink(path);
}

void listeners_close(struct listeners *s)
{
	if (s->rest != NULL) {
		listeners_stop(s);
		event_free(s->rest);
	}
	remove_file(s);
	free(s);
}
