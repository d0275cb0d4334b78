/*
 * bare_echo.c - the limit for a request and its reply: libevent reads a line, jansson parses it and
 * writes it back. Nothing is stored.
 *
 *	bare_echo SOCKET	until it is killed
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static void on_bytes(struct bufferevent *peer, void *context)
{
	struct evbuffer *in = bufferevent_get_input(peer);
	struct evbuffer *out = bufferevent_get_output(peer);
	char            *line;
	size_t           bytes;

	(void)context;
	while ((line = evbuffer_readln(in, &bytes, EVBUFFER_EOL_LF)) != NULL) {
		json_t *message = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
		char   *text = json_dumps(message, JSON_COMPACT);

		evbuffer_add_printf(out, "%s\n", text == NULL ? "error" : text);
		free(text);
		json_decref(message);
		free(line);
	}
}

static void on_end(struct bufferevent *peer, short what, void *context)
{
	(void)what;
	(void)context;
	bufferevent_free(peer);
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
                          struct sockaddr *from, int from_bytes, void *base)
{
	struct bufferevent *peer = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)listener;
	(void)from;
	(void)from_bytes;
	bufferevent_setcb(peer, on_bytes, NULL, on_end, NULL);
	bufferevent_enable(peer, EV_READ | EV_WRITE);
}

int main(int argc, char **argv)
{
	struct sockaddr_un     at = { .sun_family = AF_UNIX };
	struct event_base     *base = event_base_new();
	struct evconnlistener *listener;

	if (argc != 2 || strlen(argv[1]) >= sizeof at.sun_path) {
		fputs("usage: bare_echo SOCKET\n", stderr);
		return 2;
	}
	strcpy(at.sun_path, argv[1]);
	listener = evconnlistener_new_bind(base, on_connection, base, LEV_OPT_CLOSE_ON_FREE, 128,
	                                   (struct sockaddr *)&at, sizeof at);
	if (listener == NULL) {
		perror(argv[1]);
		return 1;
	}
	event_base_dispatch(base);
	evconnlistener_free(listener);
	event_base_free(base);
	return 0;
}
