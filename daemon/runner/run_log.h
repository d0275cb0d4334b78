/*
 * run_log.h - reads the output of a command, while it is written or after.
 *
 *	struct run_log   log;
 *	struct run_chunk chunk;
 *
 *	run_log_open(&log, "/var/lib/gatherd/runner", &ref, RUN_LOG_BOTH, offset);
 *	while (run_log_read(&log, room, sizeof room, &chunk, why) == GD_OK && chunk.bytes > 0)
 *		...
 *	run_log_close(&log);
 *
 * Nothing is asked of the runner, so it works from any process, also when the runner is gone. To
 * follow, read again when RUN_OUTPUT tells of more bytes. Offsets count the bytes of the stream,
 * or, for RUN_LOG_BOTH, of both in the order in which they came; they never change. What was
 * dropped meanwhile (capture.h) is passed over, and `chunk.skipped` says how much that was.
 *
 * Cost: two or three preads a chunk; to begin at an offset it walks over the segments before it,
 * one pread for 64 KiB. A log takes two descriptors at most. Threads: none; one log per reader.
 */
#ifndef GATHERD_RUNNER_RUN_LOG_H
#define GATHERD_RUNNER_RUN_LOG_H

#include "daemon/runner/capture.h"
#include "proto/base/err.h"

enum run_log_which { RUN_LOG_STDOUT, RUN_LOG_STDERR, RUN_LOG_BOTH };

struct run_chunk {
	enum run_stream stream;
	uint64_t        offset;  /* of the first byte, as this log counts */
	uint64_t        skipped; /* bytes before it that are gone */
	size_t          bytes;   /* 0: that is all there is now */
};

/* Inside: where the reader is in one of the files. */
struct run_log_file {
	int                    fd; /* -1: not there, yet */
	char                   path[4096];
	uint64_t               key;
	uint64_t               at;   /* place of `now` */
	struct capture_segment now;  /* the segment at hand */
	uint32_t               done; /* bytes of it that were read */
	bool                   has_now;
};

struct run_log {
	enum run_log_which  which;
	uint64_t            next; /* the offset to go on from */
	struct run_log_file file[RUN_STREAMS];
};

/* `dir` is DIR/runner of the runner's state directory. Whether there is output is not asked here: a
 * log without any is empty. Errors: GD_LIMIT, a path that is too long. */
GD_NODISCARD enum gd_err run_log_open(struct run_log *log, const char *dir,
                                      const struct run_ref *ref, enum run_log_which which,
                                      uint64_t offset, struct gd_error *why);
/* The same for files that are open already, taken from here on; -1: that stream has none. */
void run_log_give(struct run_log *log, const int fd[RUN_STREAMS], enum run_log_which which,
                  uint64_t offset);
void run_log_close(struct run_log *log);

/* The next bytes into `room`: of one stream, at most `room_bytes`. Errors: GD_SYS. */
GD_NODISCARD enum gd_err run_log_read(struct run_log *log, void *room, size_t room_bytes,
                                      struct run_chunk *out, struct gd_error *why);
/* Puts back what was read last: it is read again. */
void                     run_log_unread(struct run_log *log, const struct run_chunk *chunk);

#endif
