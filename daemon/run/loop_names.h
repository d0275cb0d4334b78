/*
 * loop_names.h - which loop a name means.
 *
 * A name is given a loop when it is used for the first time: the one that has the fewest names, the
 * lowest number among equals. It keeps that loop, also across restarts. Where there are fewer loops
 * than there were, it means the one whose number its own leaves when it is divided by their count.
 *
 * Whoever uses a name puts a record of it into the group of what rests on it, until one is known to
 * be durable.
 *
 * Ownership: names are copied. Threads: any, under one lock, after the start. Cost: O(log names).
 */
#ifndef GATHERD_RUN_LOOP_NAMES_H
#define GATHERD_RUN_LOOP_NAMES_H

#include "daemon/run/loop.h"

#define LOOP_NAMES_MAX 4096u

struct loop_names;

/* Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err loop_names_open(struct loop_names **out, struct gd_error *why);
void                     loop_names_close(struct loop_names *t); /* NULL is allowed */

/* One that is stored. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err loop_names_add(struct loop_names *t, struct text name, uint32_t index,
                                        struct gd_error *why);
/* The loop of a name, of `count` that there are. Errors, with nothing done: GD_LIMIT (a name too
 * many), GD_NOMEM. */
GD_NODISCARD enum gd_err loop_names_use(struct loop_names *t, struct text name, uint32_t count,
                                        uint32_t *index, struct gd_error *why);
/* What the open group of `l` holds rests on this name, which was used. Memory that ends here ends the
 * process. */
void                     loop_names_note(struct loop *l, struct text name);

#endif
