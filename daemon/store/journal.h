/*
 * journal.h - engine inputs to bytes and back; versioned, no padding, the same on every machine.
 *
 * Only inputs that come from outside are journaled: what follows from the program and the clock is
 * computed again. Threads: none.
 */
#ifndef GATHERD_STORE_JOURNAL_H
#define GATHERD_STORE_JOURNAL_H

#include "daemon/engine/engine.h"

/* Appends the encoding of an input; not of TIME and START. Failure sticks in `b`. */
void                     journal_encode(struct buf *b, const struct engine_in *in);
/* Fills kind, time, ticket, attempt and message (a new reference on `h`). Errors: GD_STORE (not an
 * encoding of this or an earlier version), GD_NOMEM. `job` is left to the caller. */
GD_NODISCARD enum gd_err journal_decode(struct value_heap *h, const void *bytes, size_t count,
                                        struct engine_in *in, struct gd_error *why);
/* Whether it is the encoding of a SIGNAL with this key. */
bool journal_is_signal(const void *bytes, size_t count, const char *key, size_t key_bytes);

#endif
