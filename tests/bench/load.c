/*
 * load.c - asks a server on a Unix socket as fast as it answers, and says how fast that was.
 *
 *	load SOCKET CONNECTIONS DEPTH COUNT BAD REQUEST...
 *
 * Does COUNT jobs over CONNECTIONS connections, DEPTH of each under way. A job is its REQUESTs one
 * after the other, each sent when the one before was answered by a line. The digits 1000000 in a
 * request become a running number of the same length, so that all requests have the same size and
 * are written out before the clock starts. Replies are not parsed, but the bytes BAD must not occur
 * in any. Prints the seconds that passed and the median of a job's time in microseconds. It knows
 * no protocol, so that every server is asked by the same code.
 *
 * Replies of one connection are matched with its requests in order. A server that answers in
 * another order makes the median a little wrong, unless DEPTH is 1.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FIRST_NUMBER 1000000u
#define NUMBER_CHARS 7
#define COUNT_MAX 8999999
#define CONNECTIONS_MAX 1024
#define DEPTH_MAX 256
#define REQUESTS_MAX 4
#define REQUEST_BYTES_MAX 1024
#define OUT_BYTES (DEPTH_MAX * REQUEST_BYTES_MAX)

struct pending {
	int64_t  since;   /* when its job began, ns */
	uint32_t number;  /* of the job */
	uint32_t request; /* which of the job's requests waits for its reply */
};

struct connection {
	int            fd;
	uint32_t       first; /* of `pending`, a ring */
	uint32_t       count;
	struct pending pending[DEPTH_MAX];
};

struct request {
	char  *text;  /* for every job, one behind the other */
	size_t bytes; /* of one */
};

struct load {
	struct connection *connections;
	struct request     requests[REQUESTS_MAX];
	uint32_t           request_count; /* of a job */
	uint32_t           count;         /* jobs: asked for, begun, done */
	uint32_t           begun;
	uint32_t           done;
	uint32_t          *waits; /* microseconds, one for each job */
	const char        *bad;
	char               out[OUT_BYTES]; /* what one connection is about to be sent */
	size_t             out_bytes;
};

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint32_t number_or_die(const char *text, uint32_t max)
{
	char         *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*end != '\0' || number == 0 || number > max) {
		fprintf(stderr, "load: not a number from 1 to %u: %s\n", max, text);
		exit(2);
	}
	return (uint32_t)number;
}

static void write_requests(struct load *l, struct request *r, const char *request)
{
	char number[NUMBER_CHARS + 1];

	r->bytes = strlen(request);
	if (r->bytes > REQUEST_BYTES_MAX || (r->text = malloc(r->bytes * l->count + 1)) == NULL)
		die("memory for the requests");
	for (uint32_t i = 0; i < l->count; i++) {
		char *at = r->text + i * r->bytes;

		memcpy(at, request, r->bytes + 1);
		snprintf(number, sizeof number, "%u", FIRST_NUMBER + i);
		while ((at = strstr(at, "1000000")) != NULL) {
			memcpy(at, number, NUMBER_CHARS);
			at += NUMBER_CHARS;
		}
	}
}

static int connect_or_die(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int                fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof to.sun_path) {
		errno = ENAMETOOLONG;
		die(path);
	}
	strcpy(to.sun_path, path);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0)
		die(path);
	return fd;
}

static void add_request(struct load *l, struct connection *c, struct pending p)
{
	const struct request *r = &l->requests[p.request];

	c->pending[(c->first + c->count++) % DEPTH_MAX] = p;
	memcpy(l->out + l->out_bytes, r->text + p.number * r->bytes, r->bytes);
	l->out_bytes += r->bytes;
}

static void begin_job(struct load *l, struct connection *c, int64_t now)
{
	if (l->begun < l->count)
		add_request(l, c, (struct pending){ .since = now, .number = l->begun++ });
}

/* At most DEPTH requests are under way, which the socket's buffer holds; so this may block. */
static void send_out(struct load *l, const struct connection *c)
{
	const char *at = l->out;

	while (l->out_bytes > 0) {
		ssize_t done = send(c->fd, at, l->out_bytes, MSG_NOSIGNAL);

		if (done < 0)
			die("send");
		at += done;
		l->out_bytes -= (size_t)done;
	}
}

static void on_reply(struct load *l, struct connection *c, int64_t now)
{
	struct pending p = c->pending[c->first];

	if (c->count == 0) {
		fputs("load: a reply that nobody asked for\n", stderr);
		exit(1);
	}
	c->first = (c->first + 1) % DEPTH_MAX;
	c->count--;
	if (++p.request < l->request_count) {
		add_request(l, c, p);
		return;
	}
	l->waits[l->done++] = (uint32_t)((now - p.since) / 1000);
	begin_job(l, c, now);
}

static void on_bytes(struct load *l, struct connection *c)
{
	static char bytes[1 << 16];
	ssize_t     count = recv(c->fd, bytes, sizeof bytes, 0);
	int64_t     now = now_ns();

	if (count <= 0)
		die("the server went away");
	if (memmem(bytes, (size_t)count, l->bad, strlen(l->bad)) != NULL) {
		fprintf(stderr, "load: a bad reply: %.*s\n", (int)count, bytes);
		exit(1);
	}
	for (const char *at = bytes, *end = bytes + count;
	     at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
		on_reply(l, c, now);
	send_out(l, c);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double run(struct load *l, uint32_t connections, uint32_t depth)
{
	struct epoll_event ready[64];
	int                epoll = epoll_create1(0);
	int64_t            start = now_ns();

	if (epoll < 0)
		die("epoll");
	for (uint32_t i = 0; i < connections; i++) {
		struct connection *c = &l->connections[i];
		struct epoll_event ask = { .events = EPOLLIN, .data.ptr = c };

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ask) != 0)
			die("epoll");
		for (uint32_t j = 0; j < depth; j++)
			begin_job(l, c, now_ns());
		send_out(l, c);
	}
	while (l->done < l->count) {
		int count = epoll_wait(epoll, ready, 64, -1);

		for (int i = 0; i < count; i++)
			on_bytes(l, ready[i].data.ptr);
	}
	return (double)(now_ns() - start) / 1e9;
}

int main(int argc, char **argv)
{
	static struct load l;
	uint32_t           connections;
	uint32_t           depth;
	double             seconds;

	if (argc < 7 || argc > 6 + REQUESTS_MAX) {
		fputs("usage: load SOCKET CONNECTIONS DEPTH COUNT BAD REQUEST...\n", stderr);
		return 2;
	}
	connections = number_or_die(argv[2], CONNECTIONS_MAX);
	depth = number_or_die(argv[3], DEPTH_MAX);
	l.count = number_or_die(argv[4], COUNT_MAX);
	l.bad = argv[5];
	for (int i = 6; i < argc; i++)
		write_requests(&l, &l.requests[l.request_count++], argv[i]);
	l.waits = calloc(l.count, sizeof *l.waits);
	l.connections = calloc(connections, sizeof *l.connections);
	if (l.waits == NULL || l.connections == NULL)
		die("memory");
	for (uint32_t i = 0; i < connections; i++)
		l.connections[i].fd = connect_or_die(argv[1]);
	seconds = run(&l, connections, depth);
	qsort(l.waits, l.count, sizeof *l.waits, by_size);
	printf("%.6f %u\n", seconds, l.waits[l.count / 2]);
	return 0;
}
