/*
 * http_text.h - bytes that somebody else keeps, and a name with its value.
 */
#ifndef GATHERD_HTTP_TEXT_H
#define GATHERD_HTTP_TEXT_H

#include <stddef.h>

struct http_text {
	const char *at; /* borrowed; no NUL needed behind it */
	size_t      bytes;
};

struct http_field {
	struct http_text name;
	struct http_text value;
};

#endif
