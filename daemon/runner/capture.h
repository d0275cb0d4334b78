/*
 * capture.h - one output stream of one command, on disk, bounded, readable while it is written.
 *
 * The file is a header and then segments: what one read from the pipe gave, or several that came
 * one behind the other. When more than `keep` bytes are there, the oldest segments go: the
 * header says where the file begins now, and the blocks before that are given back to the disk
 * (FALLOC_FL_PUNCH_HOLE). So the tail stays, offsets never change, and nothing is copied.
 *
 *	header   magic "gdlog1\0\0", key u64, from u64 (place of the first segment)
 *	segment  key u64, offset u64, order u64, bytes u32, 0 u32; the bytes
 *
 * `offset` counts the bytes of this stream, `order` those of both streams of the command: it puts
 * the two files together again in the order in which the runner read them. `key` is random, so that
 * no output can look like a segment. A segment that grows gets its bytes first and its length
 * after: what the length covers is always there.
 *
 * The pipe is drained whatever happens: where the disk is full bytes are counted and not kept. On
 * a file system that cannot punch holes the first `keep` bytes stay instead of the last.
 *
 * Disk: at most 2 * keep + CAPTURE_SLACK_BYTES. Cost: one pwritev for each read of a flood, two for
 * small ones; no file until the first byte. Threads: one writer; readers in any process.
 */
#ifndef GATHERD_RUNNER_CAPTURE_H
#define GATHERD_RUNNER_CAPTURE_H

#include "daemon/runner/run.h"

#define CAPTURE_MAGIC UINT64_C(0x000031676f6c6467) /* "gdlog1" */
#define CAPTURE_SEGMENT_BYTES_MAX (64u << 10)
#define CAPTURE_SLACK_BYTES (256u << 10)
#define CAPTURE_NAME_BYTES (RUN_REF_TEXT_BYTES + 4u)

/* As they lie in the file, in the byte order of the machine: reader and writer share it. */
struct capture_head {
	uint64_t magic;
	uint64_t key;
	uint64_t from;
};
struct capture_segment {
	uint64_t key;
	uint64_t offset;
	uint64_t order;
	uint32_t bytes;
	uint32_t zero;
};

struct capture {
	int                    dir_fd; /* borrowed */
	int                    fd;     /* owned; -1: no file yet */
	struct run_ref         ref;
	enum run_stream        stream;
	uint64_t               keep;
	uint64_t               bytes; /* got from the command, all of them */
	uint64_t               key;
	uint64_t               from;       /* place of the first segment */
	uint64_t               whole_from; /* nothing is missing from this offset on */
	uint64_t               last;       /* place of the last one */
	uint64_t               end;        /* place behind it */
	struct capture_segment tail;       /* the last one, as it is in the file */
	bool                   has_tail;
	bool                   is_full; /* holes are not to be had: nothing more is kept */
	int                    failed;  /* errno of the last write that did not work; 0 */
};

/* "JOB-EXEC-ATTEMPT.out" or ".err". */
void capture_name(const struct run_ref *ref, enum run_stream stream, char out[CAPTURE_NAME_BYTES]);

/* Never fails: what cannot be kept is counted. */
void capture_init(struct capture *c, int dir_fd, const struct run_ref *ref, enum run_stream stream,
                  uint64_t keep);
/* The next bytes; `order` is how many came on both streams before them. */
void capture_add(struct capture *c, const void *bytes, size_t count, uint64_t order);
/* How many of the last bytes can be read, without a gap. */
uint64_t capture_kept(const struct capture *c);
/* 0 or errno. */
int      capture_sync(struct capture *c);
void     capture_close(struct capture *c); /* the file stays */
void     capture_remove(const struct capture *c);

#endif
