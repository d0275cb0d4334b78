/*
 * yields.h - what must be known of a spec before its first node is compiled.
 *
 * A def that yields is a generator, and a call of it may stand before it; a job with an `undo`
 * passes a scope to everything that it makes. Both walk through node positions as op_table.h
 * describes them, and take no notice of mistakes.
 *
 * Cost: linear in the spec. Threads: any.
 */
#ifndef GATHERD_LOAD_YIELDS_H
#define GATHERD_LOAD_YIELDS_H

#include <jansson.h>
#include <stdbool.h>

/* Whether the body of a def yields, in its own coroutine. */
bool node_yields(const json_t *body);
/* Whether an `undo` stands anywhere in a job, its defs included. */
bool spec_has_undo(const json_t *spec);

#endif
