/*
 * source.h - the text of a job: an argument, a file, standard input or made here; and faults shown
 * in it.
 *
 * Ownership: source_close() frees. Bound: SOURCE_BYTES_MAX. Threads: none.
 */
#ifndef GATHERD_CLIENT_SOURCE_H
#define GATHERD_CLIENT_SOURCE_H

#include "client/locate.h"
#include "proto/base/buf.h"

#include <jansson.h>

#define SOURCE_BYTES_MAX (1u << 20)

struct source {
	const char *name; /* for messages; borrowed */
	struct buf  text;
	json_t     *json; /* owned */
};

/* Reads and parses `operand`: text that begins with { or [, "-", or the name of a file. Errors:
 * GD_SYS, GD_LIMIT, GD_PARSE (the fault is shown on stderr, `why` says it in words), GD_NOMEM. `s`
 * is to be closed in every case. */
GD_NODISCARD enum gd_err source_read(struct source *s, const char *operand, struct gd_error *why);
/* The text of `json`, which is taken, under `name`. Errors: GD_LIMIT, GD_NOMEM. */
GD_NODISCARD enum gd_err source_write(struct source *s, const char *name, json_t *json,
                                      struct gd_error *why);
void                     source_close(struct source *s);

/* Appends "name:line:column: message", the line of the source and a caret under it. */
void source_write_fault(struct buf *b, const struct source *s, const struct locate_span *span,
                        const char *message);
/* The same for each of the daemon's problems [{pointer, message, hint?}]. */
void source_write_problems(struct buf *b, const struct source *s, const json_t *problems);

#endif
