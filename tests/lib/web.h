/*
 * web.h - a small HTTP server on the event base of a test: what it answers is written down before,
 * byte by byte, and what it was asked can be looked at.
 *
 * Ownership: web_close() frees all. Threads: that of the base.
 */
#ifndef GATHERD_TESTS_WEB_H
#define GATHERD_TESTS_WEB_H

#include "proto/base/buf.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

struct web;

enum web_then {
	WEB_KEEP,  /* the connection stays open for the next request */
	WEB_CLOSE, /* behind the answer */
	WEB_FLOOD  /* the answer again and again, until nobody takes it any more */
};

struct web *web_open(struct event_base *base); /* on a free port of 127.0.0.1 */
void        web_close(struct web *w);
uint16_t    web_port(const struct web *w);
/* `path` as in the request, with its query. `answer` is borrowed; no bytes: never answered. What is
 * not listed is 404. */
void web_put(struct web *w, const char *path, const void *answer, size_t bytes, enum web_then then);
void web_say(struct web *w, const char *path, const char *answer); /* WEB_KEEP */

/* All that was asked, heads and bodies, in the order of arrival; ends with NUL. */
const char *web_heard(struct web *w);
uint32_t    web_asked(const struct web *w);       /* whole requests */
uint32_t    web_connections(const struct web *w); /* that were ever made */

#endif
