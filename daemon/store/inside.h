/*
 * inside.h - the store as its own files see it.
 *
 * Who may touch what: the queue is shared and under its lock; the atomics are read by everyone;
 * all the rest belongs to the writer thread (before store_start() and after store_stop(): to the
 * one who calls).
 */
#ifndef GATHERD_STORE_INSIDE_H
#define GATHERD_STORE_INSIDE_H

#include "daemon/store/chunk.h"
#include "daemon/store/db.h"
#include "daemon/store/job_map.h"
#include "daemon/store/state_dir.h"
#include "daemon/store/store.h"

#include <pthread.h>

#define STORE_UUID_CHARS 36
#define STATUS_COUNT 5

/* One transaction holds whole groups and ends after this much, so that a flood is committed in
 * pieces and its senders hear of the first one early. */
#define TRANSACTION_RECORDS_MAX 4096
#define TRANSACTION_BYTES_MAX (8u << 20)

/* The row of table `state`. */
struct state_row {
	uint64_t next_job;
	uint64_t seq;
	uint64_t jobs[STATUS_COUNT]; /* by status */
};

/* Kept from one transaction to the next for its memory. */
struct transaction {
	struct job_map      jobs;   /* whose events this one has */
	struct job_map      gone;   /* deleted by this one */
	struct buf          scrub;  /* uint64_t: first seqs of the chunks that hold their events */
	struct chunk_writer chunk;  /* events not yet written */
	struct buf          again;  /* a chunk without the events that are gone */
	struct state_row    before; /* to see whether the row must be written */
};

/* Ids whose RECORD_JOB was answered with an older job. Their builders may have sent more of them
 * before they heard; a few ten thousand are remembered, in two generations. */
#define VOIDED_PER_GENERATION 32768
struct voided {
	struct job_map young;
	struct job_map old;
};

struct queue {
	pthread_mutex_t     lock;
	pthread_cond_t      changed; /* on CLOCK_MONOTONIC */
	struct store_group *first_group, *last_group;
	struct store_read  *first_read, *last_read;
	bool                is_stopping;
};

struct store {
	struct state_dir dir;
	struct db        db;
	void (*on_commit)(void *ctx, struct store_commit *c);
	void              *ctx;
	char               uuid[STORE_UUID_CHARS + 1];
	struct state_row   row;
	struct transaction tx;
	struct voided      voided;
	struct gd_error    failure;       /* code is not GD_OK: nothing more is written, ever */
	uint32_t           checkpoint_at; /* WAL pages at which a busy writer checkpoints */
	bool               has_freed; /* rows were deleted since the file was last made smaller */
	uint64_t           semaphore_serial; /* of the last put since the start */

	struct queue  queue;
	pthread_t     thread;
	bool          is_started;
	atomic_ullong seq; /* durable */
	atomic_ullong queued;
	atomic_ullong heartbeat;
};

/* group.c: the commit that begins with this group */
struct store_commit *group_commit(struct store_group *groups);

/* commit.c: a list of groups, as one transaction. On an error the store has failed for good. */
void commit_groups(struct store *s, struct store_commit *c);
void transaction_close(struct transaction *tx);

/* records.c: one group, inside a transaction */
GD_NODISCARD enum gd_err records_write(struct store *s, struct store_group *g,
                                       struct gd_error *why);
void                     voided_close(struct voided *v);

/* semaphore_rows.c */
GD_NODISCARD enum gd_err semaphore_rows_put(struct store *s, struct record *r,
                                            struct gd_error *why);

/* event_rows.c: events into chunks, chunks into rows */
GD_NODISCARD enum gd_err event_rows_add(struct store *s, struct event *e, struct job_note *note,
                                        struct gd_error *why);
GD_NODISCARD enum gd_err event_rows_flush(struct store *s, struct gd_error *why);
/* Takes a job's events out at the end of this transaction; `seq` is that of its job.queued. */
GD_NODISCARD enum gd_err event_rows_drop(struct store *s, uint64_t job, uint64_t seq,
                                         struct gd_error *why);
GD_NODISCARD enum gd_err event_rows_scrub(struct store *s, struct gd_error *why);

/* read.c, read_events.c */
void                     read_answer(struct store *s, struct store_read *r);
GD_NODISCARD enum gd_err read_events(struct store *s, struct store_read *r, struct gd_error *why);
/* A row of SQL_JOB_GET or SQL_LIVE; the texts are the row's. */
struct store_job         rows_job(const struct bind *b);

/* upkeep.c: what is done when nothing else is */
bool upkeep_is_due(const struct store *s);
void upkeep_when_idle(struct store *s);
void upkeep_when_busy(struct store *s);

#endif
