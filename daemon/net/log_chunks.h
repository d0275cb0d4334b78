/*
 * log_chunks.h - what a command has printed, as the chunks of a reply to job.log.
 *
 *	{"path": "/do/0", "attempt": 1, "stream": "stdout", "offset": 0, "text": "hello\n"}
 *
 * `skipped` says how many bytes before it are gone; bytes that are no UTF-8 come as `base64` in the
 * place of `text`, a character that is not yet whole not at all while its command may go on.
 *
 * Threads: none. Cost: a few preads a chunk, and what run_log.h says of a beginning at an offset.
 */
#ifndef GATHERD_NET_LOG_CHUNKS_H
#define GATHERD_NET_LOG_CHUNKS_H

#include "daemon/runner/run_log.h"
#include "daemon/store/store.h"
#include "proto/base/buf.h"

struct log_page {
	struct store      *store; /* borrowed, as `chunks` */
	struct buf        *chunks;
	size_t             bytes_max; /* of `chunks` */
	enum run_log_which which;
	bool               is_tail; /* begins wherever, perhaps inside a character */
	uint32_t           count;
};

/* Adds what there is behind `*offset`, and moves that. *is_all false: the page is full. `is_over`: no
 * more will come. Errors: GD_SYS. */
GD_NODISCARD enum gd_err log_page_add(struct log_page *p, uint64_t job,
                                      const struct store_command *c, bool is_over, uint64_t *offset,
                                      bool *is_all, struct gd_error *why);
/* Where the last `bytes` of what it has printed so far begin. Cost: reads all that is kept. */
GD_NODISCARD enum gd_err log_tail(struct store *s, uint64_t job, const struct store_command *c,
                                  enum run_log_which which, uint64_t bytes, uint64_t *offset,
                                  struct gd_error *why);

#endif
