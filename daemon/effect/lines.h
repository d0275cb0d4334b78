/*
 * lines.h - the stdout of a command that runs, as lines for its job.
 *
 * It reads the file that the runner writes (run_log.h). Where it stands is an offset in the stream;
 * the caller keeps that in the journal beside each batch, so that a restart goes on from there.
 *
 * Threads: none. Memory: one batch, EXEC_LINES_BYTES_MAX and a line.
 */
#ifndef GATHERD_EFFECT_LINES_H
#define GATHERD_EFFECT_LINES_H

#include "daemon/runner/run_log.h"
#include "daemon/value/value.h"
#include "proto/base/buf.h"

struct lines {
	struct run_log log;
	struct buf     rest;   /* what was read and not given yet */
	uint64_t       offset; /* of its first byte */
};

/* Errors: GD_LIMIT, a path that is too long. */
GD_NODISCARD enum gd_err lines_open(struct lines *l, const char *dir, const struct run_ref *ref,
                                    uint64_t offset, struct gd_error *why);
void                     lines_close(struct lines *l);

/* The next lines that are whole, as a list of text or {base64}; with `is_over` also what stands
 * behind the last newline. A line longer than EXEC_LINE_BYTES_MAX comes in parts. VALUE_NONE: there
 * is none, now. Errors: GD_SYS, GD_NOMEM. */
GD_NODISCARD enum gd_err lines_next(struct lines *l, struct value_heap *h, bool is_over,
                                    struct value *out, struct gd_error *why);

#endif
