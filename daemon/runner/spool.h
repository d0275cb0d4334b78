/*
 * spool.h - what the runner must not forget, in one append-only file.
 *
 * A record is bytes u32, sum u64 of the payload, payload (kind u8 and its fields, see wire.h). What
 * does not check out ends the file: such a tail was never told to anybody, so it is cut off.
 *
 *	OPEN     a runner began; the boot id of its host
 *	STARTED  written by the child itself, before its program can run
 *	ENDED    how it ended: FAILED, EXITED or LOST
 *	FORGOT   the daemon has it
 *
 * Records are written at a place that the spool knows, not at the end of the file: one that was cut
 * short by a full disk is overwritten by the next.
 *
 * Cost: one pwrite a record, none of its own for one that is put for later; syncs only in
 * spool_sync() and spool_rewrite(). Bound: the caller rewrites it, with what is still open, when
 * spool_is_long(). Threads: one.
 */
#ifndef GATHERD_RUNNER_SPOOL_H
#define GATHERD_RUNNER_SPOOL_H

#include "daemon/runner/wire.h"
#include "proto/base/buf.h"

#define SPOOL_LONG_BYTES (4u << 20)
#define SPOOL_RECORD_BYTES_MAX 1024u
#define SPOOL_LATER_BYTES 4096u

enum spool_kind { SPOOL_OPEN = 1, SPOOL_STARTED, SPOOL_ENDED, SPOOL_FORGOT };

struct spool_record {
	enum spool_kind  kind;
	struct run_state state; /* STARTED, ENDED; FORGOT: its ref */
	const char      *key;   /* STARTED; inside the record when read */
	/* STARTED: CLOCK_BOOTTIME, when the process already was. A process with this pid that began
	 * later is another one, since a pid is not given away while it is in use. */
	gd_nsec          born;
	const char      *boot_id; /* OPEN */
};

struct spool {
	int        dir_fd;          /* borrowed */
	int        fd;              /* owned */
	uint64_t   bytes;           /* where the next record goes */
	uint64_t   rewritten_bytes; /* how long it was after the last rewrite */
	struct buf scratch;         /* what was put for later; behind it the record at hand */
};

/* Opens DIR/spool, or makes it, hands every record to `take` in order, cuts off what is torn and
 * tells how many bytes that were. Errors: GD_SYS, GD_NOMEM; `s` is closed then. */
GD_NODISCARD enum gd_err spool_open(struct spool *s, int dir_fd,
                                    void (*take)(void *ctx, const struct spool_record *record),
                                    void *ctx, uint64_t *cut_bytes, struct gd_error *why);
void                     spool_close(struct spool *s);

/* The next five: 0 or errno. After an error the spool is as it was, but for what spool_flush() could
 * not write: that is lost. spool_put() may be called in the child between clone and exec. */
GD_NODISCARD int spool_put(struct spool *s, const struct spool_record *record);
/* One that may be lost: it goes into the file with the next that is put, or with spool_flush(). */
GD_NODISCARD int spool_put_later(struct spool *s, const struct spool_record *record);
GD_NODISCARD int spool_flush(struct spool *s);
GD_NODISCARD int spool_sync(struct spool *s);
/* A new file of what `fill` puts takes the place of the old one, durably. */
GD_NODISCARD int spool_rewrite(struct spool *s, int (*fill)(struct spool *s, void *ctx), void *ctx);
/* It has grown past SPOOL_LONG_BYTES, and to twice what it held when it was written anew. */
bool             spool_is_long(const struct spool *s);

#endif
