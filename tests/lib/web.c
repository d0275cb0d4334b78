#include "tests/lib/web.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 32
#define PATH_CHARS_MAX 200

struct page {
	char          path[PATH_CHARS_MAX];
	const void   *answer;
	size_t        bytes;
	enum web_then then;
};

struct visitor {
	struct visitor     *next, **at;
	struct web         *web;
	struct bufferevent *stream;
	const struct page  *page; /* that is being sent and sent */
};

struct web {
	struct event_base     *base;
	struct evconnlistener *listener;
	struct visitor        *visitors;
	struct page            pages[PAGES_MAX];
	uint32_t               page_count;
	struct buf             heard;
	uint32_t               asked;
	uint32_t               connections;
};

static const char NOT_FOUND[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

static void visitor_free(struct visitor *v)
{
	*v->at = v->next;
	if (v->next != NULL)
		v->next->at = v->at;
	bufferevent_free(v->stream);
	free(v);
}

static const struct page *find_page(const struct web *w, const char *head)
{
	const char *path = strchr(head, ' ');
	size_t      chars = path == NULL ? 0 : strcspn(path + 1, " \r");

	for (uint32_t i = 0; i < w->page_count; i++) {
		if (strlen(w->pages[i].path) == chars &&
		    memcmp(w->pages[i].path, path + 1, chars) == 0)
			return &w->pages[i];
	}
	return NULL;
}

/* False: the visitor is gone. */
static bool answer(struct visitor *v, const char *head)
{
	const struct page *page = find_page(v->web, head);

	if (page == NULL) {
		(void)bufferevent_write(v->stream, NOT_FOUND, sizeof NOT_FOUND - 1);
		return true;
	}
	if (page->then == WEB_CLOSE && page->bytes == 0) {
		visitor_free(v);
		return false;
	}
	v->page = page->then == WEB_KEEP ? NULL : page;
	if (page->bytes != 0)
		(void)bufferevent_write(v->stream, page->answer, page->bytes);
	return true;
}

/* A whole request is taken out. False: there is none yet, or no visitor any more. */
static bool take_request(struct visitor *v)
{
	struct evbuffer    *in = bufferevent_get_input(v->stream);
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	size_t              bytes = 0;
	const char         *length;
	char               *text;
	bool                goes_on;

	if (end.pos < 0)
		return false;
	text = calloc(1, (size_t)end.pos + 5);
	if (text == NULL)
		abort();
	(void)evbuffer_copyout(in, text, (size_t)end.pos + 4);
	length = strcasestr(text, "\r\ncontent-length:");
	if (length != NULL)
		bytes = strtoul(length + 17, NULL, 10);
	bytes += (size_t)end.pos + 4;
	goes_on = evbuffer_get_length(in) >= bytes;
	if (goes_on) {
		buf_add(&v->web->heard, evbuffer_pullup(in, (ev_ssize_t)bytes), bytes);
		(void)evbuffer_drain(in, bytes);
		v->web->asked++;
		goes_on = answer(v, text);
	}
	free(text);
	return goes_on;
}

static void on_read(struct bufferevent *stream, void *ctx)
{
	(void)stream;
	while (take_request(ctx))
		;
}

static void on_written(struct bufferevent *stream, void *ctx)
{
	struct visitor *v = ctx;

	if (v->page == NULL)
		return;
	if (v->page->then == WEB_FLOOD)
		(void)bufferevent_write(stream, v->page->answer, v->page->bytes);
	else
		visitor_free(v);
}

static void on_gone(struct bufferevent *stream, short what, void *ctx)
{
	(void)stream;
	(void)what;
	visitor_free(ctx);
}

static void on_visitor(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                       int bytes, void *ctx)
{
	struct web     *w = ctx;
	struct visitor *v = calloc(1, sizeof *v);

	(void)listener;
	(void)from;
	(void)bytes;
	if (v == NULL)
		abort();
	v->web = w;
	v->stream = bufferevent_socket_new(w->base, fd, BEV_OPT_CLOSE_ON_FREE);
	v->at = &w->visitors;
	v->next = w->visitors;
	if (v->next != NULL)
		v->next->at = &v->next;
	w->visitors = v;
	w->connections++;
	bufferevent_setcb(v->stream, on_read, on_written, on_gone, v);
	(void)bufferevent_enable(v->stream, EV_READ | EV_WRITE);
}

struct web *web_open(struct event_base *base)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct web        *w = calloc(1, sizeof *w);

	if (w == NULL)
		abort();
	w->base = base;
	w->listener = evconnlistener_new_bind(base, on_visitor, w, LEV_OPT_CLOSE_ON_FREE, 1024,
	                                      (struct sockaddr *)&address, sizeof address);
	if (w->listener == NULL)
		abort();
	return w;
}

void web_close(struct web *w)
{
	while (w->visitors != NULL)
		visitor_free(w->visitors);
	evconnlistener_free(w->listener);
	buf_close(&w->heard);
	free(w);
}

uint16_t web_port(const struct web *w)
{
	struct sockaddr_in address;
	socklen_t          bytes = sizeof address;

	if (getsockname(evconnlistener_get_fd(w->listener), (struct sockaddr *)&address, &bytes) !=
	    0)
		abort();
	return ntohs(address.sin_port);
}

void web_put(struct web *w, const char *path, const void *answer_bytes, size_t bytes,
             enum web_then then)
{
	struct page *page = &w->pages[w->page_count++];

	if (w->page_count > PAGES_MAX || strlen(path) >= PATH_CHARS_MAX)
		abort();
	strcpy(page->path, path);
	page->answer = answer_bytes;
	page->bytes = bytes;
	page->then = then;
}

void web_say(struct web *w, const char *path, const char *answer_text)
{
	web_put(w, path, answer_text, strlen(answer_text), WEB_KEEP);
}

const char *web_heard(struct web *w)
{
	buf_add_byte(&w->heard, '\0');
	w->heard.bytes--;
	return w->heard.at;
}

uint32_t web_asked(const struct web *w)
{
	return w->asked;
}

uint32_t web_connections(const struct web *w)
{
	return w->connections;
}
