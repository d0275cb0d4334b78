/*
 * json_layout.h - JSON for people: what fits into a line stands in one.
 *
 * Ownership: appends to the caller's buffer. Cost: each value is written once for each level above
 * it that does not fit. Threads: any, with a buffer and a tree of their own.
 */
#ifndef GATHERD_LOAD_JSON_LAYOUT_H
#define GATHERD_LOAD_JSON_LAYOUT_H

#include "proto/base/buf.h"

#include <jansson.h>

#define JSON_LAYOUT_COLUMNS 100

/* Appends `json` and the end of its last line; members keep their order. `out` fails where memory
 * ends. */
void json_layout(struct buf *out, const json_t *json);

#endif
