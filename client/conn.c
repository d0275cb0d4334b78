#include "client/conn.h"

#include "proto/base/buf.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct conn {
	int        fd;
	json_int_t next_id;
	struct buf in; /* received, not taken yet: from `taken` on */
	size_t     taken;
	size_t     scanned; /* no LF before this offset */
};

gd_nsec conn_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (gd_nsec)now.tv_sec * GD_NSEC_PER_SEC + now.tv_nsec;
}

gd_nsec conn_deadline(double seconds)
{
	return conn_now() + (gd_nsec)(seconds * 1e9);
}

/* Waits with SIGINT let in. */
static enum conn_got wait_for(struct pollfd *fds, nfds_t count, gd_nsec deadline)
{
	struct timespec left, *timeout = NULL;
	sigset_t        none;
	int             rc;

	if (deadline != GD_NSEC_NEVER) {
		gd_nsec rest = deadline - conn_now();

		if (rest < 0)
			rest = 0;
		left.tv_sec = (time_t)(rest / GD_NSEC_PER_SEC);
		left.tv_nsec = (long)(rest % GD_NSEC_PER_SEC);
		timeout = &left;
	}
	sigemptyset(&none);
	rc = ppoll(fds, count, timeout, &none);
	if (rc < 0)
		return CONN_INTERRUPTED; /* EINTR; the others are mistakes of ours */
	return rc == 0 ? CONN_LATE : CONN_MESSAGE;
}

enum conn_got conn_pause(gd_nsec until)
{
	return wait_for(NULL, 0, until);
}

static int connect_unix(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int                sys;

	if (fd < 0)
		return -1;
	memcpy(to.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	sys = errno;
	close(fd);
	errno = sys;
	return -1;
}

static int connect_one(const struct addrinfo *to)
{
	struct timeval patience = { .tv_sec = CONN_CONNECT_SECONDS };
	int            fd = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC, to->ai_protocol);
	int            sys;

	if (fd < 0)
		return -1;
	/* On Linux the time limit for sending holds for connect() too. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
		return fd;
	sys = errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(fd);
	errno = sys;
	return -1;
}

static int connect_tcp(const char *host, const char *port)
{
	struct addrinfo  want = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int              fd = -1;

	if (getaddrinfo(host, port, &want, &found) != 0) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
		fd = connect_one(at);
	freeaddrinfo(found);
	return fd;
}

enum gd_err conn_open(const struct address *a, struct conn **out, struct gd_error *why)
{
	struct conn *c = calloc(1, sizeof *c);
	char         where[300];

	if (c == NULL)
		return gd_fail(why, GD_NOMEM, "out of memory");
	c->fd = a->is_tcp ? connect_tcp(a->host, a->port) : connect_unix(a->socket);
	if (c->fd < 0) {
		int sys = errno;

		free(c);
		address_write(a, where, sizeof where);
		return gd_fail_sys(why, sys, "no daemon at %s", where);
	}
	buf_init(&c->in, CONN_LINE_MAX);
	*out = c;
	return GD_OK;
}

void conn_close(struct conn *c)
{
	if (c == NULL)
		return;
	close(c->fd);
	buf_close(&c->in);
	free(c);
}

static enum gd_err send_all(int fd, const char *at, size_t bytes, struct gd_error *why)
{
	while (bytes > 0) {
		ssize_t sent = send(fd, at, bytes, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return gd_fail_sys(why, errno, "connection lost");
		at += sent;
		bytes -= (size_t)sent;
	}
	return GD_OK;
}

enum gd_err conn_send(struct conn *c, const char *method, json_t *params, json_int_t *id,
                      struct gd_error *why)
{
	json_t     *request;
	char       *line;
	size_t      bytes;
	enum gd_err rc;

	*id = ++c->next_id;
	request = json_pack("{s:s, s:I, s:s, s:O}", "jsonrpc", "2.0", "id", *id, "method", method,
	                    "params", params);
	line = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (line == NULL)
		return gd_fail(why, GD_NOMEM, "out of memory");
	bytes = strlen(line);
	line[bytes] = '\n'; /* in the place of the NUL: one write, one packet */
	rc = send_all(c->fd, line, bytes + 1, why);
	free(line);
	return rc;
}

/* A whole line out of the buffer; NULL when there is none yet. `*is_bad`: a line that is not
 * JSON. */
static json_t *take_line(struct conn *c, bool *is_bad)
{
	char   *from, *lf;
	json_t *message;

	if (c->in.bytes == c->scanned)
		return NULL;
	lf = memchr(c->in.at + c->scanned, '\n', c->in.bytes - c->scanned);
	if (lf == NULL) {
		c->scanned = c->in.bytes;
		return NULL;
	}
	from = c->in.at + c->taken;
	message = json_loadb(from, (size_t)(lf - from), 0, NULL);
	*is_bad = message == NULL;
	c->taken = c->scanned = (size_t)(lf + 1 - c->in.at);
	return message;
}

/* Moves what is left to the front once nothing whole is left before it. */
static void compact(struct conn *c)
{
	if (c->taken == 0)
		return;
	memmove(c->in.at, c->in.at + c->taken, c->in.bytes - c->taken);
	c->in.bytes -= c->taken;
	c->scanned -= c->taken;
	c->taken = 0;
}

static bool read_more(struct conn *c)
{
	const size_t room = 64 * 1024;
	char        *to;
	ssize_t      got;

	compact(c);
	to = buf_reserve(&c->in, room);
	if (to == NULL)
		return false;
	do
		got = recv(c->fd, to, room, 0);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return false;
	c->in.bytes += (size_t)got;
	return true;
}

enum conn_got conn_receive(struct conn *c, gd_nsec deadline, json_t **message)
{
	for (;;) {
		struct pollfd fd = { .fd = c->fd, .events = POLLIN };
		bool          is_bad = false;
		enum conn_got got;

		*message = take_line(c, &is_bad);
		if (*message != NULL)
			return CONN_MESSAGE;
		if (is_bad)
			return CONN_LOST;
		got = wait_for(&fd, 1, deadline);
		if (got != CONN_MESSAGE)
			return got;
		if (!read_more(c))
			return CONN_LOST;
	}
}

enum conn_got conn_receive_reply(struct conn *c, json_int_t id, gd_nsec deadline, json_t **reply)
{
	for (;;) {
		enum conn_got got = conn_receive(c, deadline, reply);

		if (got != CONN_MESSAGE)
			return got;
		if (json_is_integer(json_object_get(*reply, "id")) &&
		    json_integer_value(json_object_get(*reply, "id")) == id)
			return CONN_MESSAGE;
		/* An error with a null id is about the connection itself, e.g. a line too long. */
		if (json_is_null(json_object_get(*reply, "id")) &&
		    json_object_get(*reply, "error") != NULL)
			return CONN_MESSAGE;
		json_decref(*reply);
		*reply = NULL;
	}
}
