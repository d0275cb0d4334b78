/*
 * log_tail.h - the last lines of a log, which knows bytes only.
 *
 * Threads: none. Bound: LOG_TAIL_BYTES_MAX of output in memory.
 */
#ifndef GATHERD_CLIENT_LOG_TAIL_H
#define GATHERD_CLIENT_LOG_TAIL_H

#include "client/output.h"

#define LOG_TAIL_BYTES_MAX (4u << 20) /* more than a daemon keeps of one command */

/* Shows the last `lines` lines of what the command that began last has printed up to now; `out` is
 * new, and goes on behind them. Errors: as output_next(). */
GD_NODISCARD enum gd_err log_tail_show(struct output *out, json_int_t lines, struct gd_error *why);

/* Takes off the front of `pieces`, as job.log gives them, what is before the last `lines` lines.
 * False: there are no more than that, so what came before them may belong to the first. */
bool log_tail_cut(json_t *pieces, json_int_t lines);

#endif
