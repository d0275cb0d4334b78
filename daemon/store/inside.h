/*
 * inside.h - the store as its own files see it.
 *
 * Who may touch what: the queue is shared and under its lock; the atomics are read by everyone;
 * all the rest belongs to the writer thread (before store_start() and after store_stop(): to the
 * one who calls).
 */
#ifndef GATHERD_STORE_INSIDE_H
#define GATHERD_STORE_INSIDE_H

#include "daemon/store/backup.h"
#include "daemon/store/chunk.h"
#include "daemon/store/db.h"
#include "daemon/store/job_map.h"
#include "daemon/store/last_commit.h"
#include "daemon/store/output.h"
#include "daemon/store/state_dir.h"
#include "daemon/store/store.h"
#include "daemon/store/suspects.h"

#include <pthread.h>

#define STORE_UUID_CHARS 36
#define STATUS_COUNT 5

/* One transaction holds whole groups and ends after this much, so that a flood is committed in
 * pieces and its senders hear of the first one early. */
#define TRANSACTION_RECORDS_MAX 4096
#define TRANSACTION_BYTES_MAX (8u << 20)

/* What there is, in few numbers. The row of table `state` has them, or the last chunk. */
struct state_row {
	uint64_t next_job;
	uint64_t seq;
	uint64_t jobs[STATUS_COUNT]; /* by status */
	uint64_t commits;            /* groups of groups, ever */
	uint64_t listed;             /* the ends of jobs up to this seq are listed in `expiry` */
	uint32_t unlisted;           /* commits since then */
};

/* Jobs that ended lately and leave at the same time: the next row of table `expiry`. */
struct ended_list {
	struct buf ids; /* decimal, a blank behind each */
	uint32_t   count;
	gd_nsec    began; /* when the first one was added */
	gd_nsec    ended; /* of the last one */
	gd_nsec    retain;
};

/* Kept from one transaction to the next for its memory. */
struct transaction {
	struct job_map      jobs;    /* whose events this one has */
	struct job_map      gone;    /* deleted by this one */
	struct buf          scrub;   /* uint64_t: first seqs of the chunks that hold their events */
	struct chunk_writer chunk;   /* events not yet written */
	struct buf          again;   /* a chunk without the events that are gone */
	struct buf          outputs; /* struct output_ref: commands whose jobs it deletes */
	struct buf          leaving; /* the ids of one row of `expiry` */
	struct state_row    before;  /* as it was before this one */
	gd_nsec             horizon_before;
	struct ended_list   ended_before;
	bool                has_now; /* its last chunk says what is in s->row */
	bool                is_done; /* and nothing else has to be written */
};

/* Ids whose RECORD_JOB was answered with an older job. Their builders may have sent more of them
 * before they heard; a few ten thousand are remembered, in two generations. */
#define VOIDED_PER_GENERATION 32768
struct voided {
	struct job_map young;
	struct job_map old;
};

/* What expires, and when there is something to do about it. The bounds are read by the writer and
 * set by anybody; the rest is the writer's. */
struct retention {
	_Atomic gd_nsec jobs_age, events_age;
	atomic_ullong   jobs_max, events_max, bytes_max;
	gd_nsec         next_due;   /* of the first row of `expiry`; GD_NSEC_NEVER: there is none */
	gd_nsec         mark_time;  /* of the last row of `event_marks`; 0: none */
	uint64_t        mark_seq;   /* of the same */
	gd_nsec         first_mark; /* of its first row; GD_NSEC_NEVER: none */
	uint64_t        trimmed;    /* events up to this seq have expired */
	uint64_t        first_end;  /* the last seq of the oldest chunk; 0: there is none */
	uint64_t        credit;     /* what was written since the last slice, see upkeep.c */
	bool            is_too_large; /* the database, and there is something to take from it */
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
	void (*on_full)(void *ctx, const struct gd_error *why); /* NULL: nobody asked */
	void                   *ctx;
	char                    uuid[STORE_UUID_CHARS + 1];
	struct state_row        row;
	struct last_commit_file last;        /* what a start must at least find */
	gd_nsec                 last_synced; /* monotonic */
	struct transaction      tx;
	struct ended_list       ended; /* not yet written, some of them for some commits */
	struct voided           voided;
	struct retention        retention;
	gd_nsec (*now)(void *ctx);         /* the time on the scale of the records */
	struct gd_error     failure;       /* code is not GD_OK: nothing more is written, ever */
	uint32_t            checkpoint_at; /* WAL pages at which a busy writer checkpoints */
	bool                is_behind;     /* the last end has left jobs that are not listed */
	bool                has_freed;  /* rows were deleted since the file was last made smaller */
	bool                has_shrunk; /* pages were given back, and the file is not cut yet */
	uint64_t            semaphore_serial; /* of the last put since the start */
	struct backup       backup;
	struct output       output;
	struct suspects     suspects;    /* the loops' while they replay */
	struct live_chunks *live_chunks; /* of the pages read last; NULL: none are known */

	void                *now_ctx;
	struct store_clock   clock;
	struct gd_wall_step *steps; /* of `clock`; owned */

	struct queue  queue;
	pthread_t     thread;
	bool          is_started;
	atomic_ullong seq; /* durable */
	atomic_ullong queued;
	atomic_ullong heartbeat;
	atomic_bool   is_full; /* a commit waits for room on the disk */
	bool          was_older;
};

/* group.c: the commit that begins with this group */
struct store_commit *group_commit(struct store_group *groups);

/* commit.c: a list of groups, as one transaction. Outcome GD_UNAVAILABLE: there was no room, nothing
 * has happened, and the same commit may be tried again. After any other error the store has failed
 * for good. */
void                     commit_groups(struct store *s, struct store_commit *c);
/* The body and then, unless it has set tx.is_done, state_settle(), as one transaction; one try. After an error nothing more may be
 * written, but for one of db_is_without_room(): then transaction_forget() makes it as if nothing
 * had been tried. */
typedef enum gd_err      transaction_body(struct store *s, void *ctx, struct gd_error *why);
GD_NODISCARD enum gd_err transaction_run(struct store *s, transaction_body *body, void *ctx,
                                         struct gd_error *why);
void                     transaction_forget(struct store *s);
void                     transaction_close(struct transaction *tx);

/* state_row.c: what each commit leaves behind in few numbers */
GD_NODISCARD enum gd_err state_load(struct store *s, bool *is_clean, struct gd_error *why);
GD_NODISCARD enum gd_err state_put(struct store *s, struct gd_error *why);
void                     state_bind_counts(struct bind *b, const struct state_row *row);
/* Whether a commit may end without state_settle(): its last chunk says all, and what a start would
 * have to look at for the sake of `expiry` is little. */
bool                     state_may_wait(const struct store *s);
/* Inside a transaction, at its end: lists what has ended, and writes the row. */
GD_NODISCARD enum gd_err state_settle(struct store *s, struct gd_error *why);
/* The same as a transaction of its own, when something is left to be settled. */
void                     state_settle_rest(struct store *s);

/* records.c: one group, inside a transaction */
GD_NODISCARD enum gd_err records_write(struct store *s, struct store_group *g,
                                       struct gd_error *why);
void                     voided_close(struct voided *v);

/* drop.c: a job's rows. Its events go as well when it is deleted; when it expires they stay in the
 * log, and with them a row in `ghosts` that knows whose they are. */
GD_NODISCARD enum gd_err drop_deleted(struct store *s, struct record *r, struct gd_error *why);
/* A job that has ended, or is not there; *is_done false: it has so many rows that some are left. */
GD_NODISCARD enum gd_err drop_expired(struct store *s, uint64_t job, bool *is_done,
                                      struct gd_error *why);

/* expiry.c: jobs that have ended, by when they leave */
#define EXPIRY_LIST_MAX 256 /* jobs in a row */
GD_NODISCARD enum gd_err expiry_load(struct store *s, struct gd_error *why);
GD_NODISCARD enum gd_err expiry_add(struct store *s, uint64_t job, gd_nsec ended, gd_nsec retain,
                                    struct gd_error *why);
GD_NODISCARD enum gd_err expiry_flush(struct store *s, struct gd_error *why);
enum gd_err              expiry_copy(struct ended_list *to, const struct ended_list *from);
bool                     expiry_is_due(const struct store *s, gd_nsec now);
/* Inside a transaction: the jobs of a few rows, fewer than two lists' full. */
GD_NODISCARD enum gd_err expiry_slice(struct store *s, gd_nsec now, struct gd_error *why);

/* event_log.c: the log of events, by age and length */
GD_NODISCARD enum gd_err event_log_load(struct store *s, struct gd_error *why);
/* Inside a transaction, at its end: remembers now and then that the log had come so far. */
GD_NODISCARD enum gd_err event_log_mark(struct store *s, struct gd_error *why);
bool                     event_log_needs_mark(const struct store *s, gd_nsec now);
bool                     event_log_is_due(const struct store *s, gd_nsec now);
GD_NODISCARD enum gd_err event_log_slice(struct store *s, gd_nsec now, struct gd_error *why);

/* retention.c: what has to leave, a slice at a time */
GD_NODISCARD enum gd_err retention_load(struct store *s, struct gd_error *why);
bool                     retention_is_due(const struct store *s);
/* Is the database too large? Cost: two numbers that SQLite keeps in memory. */
GD_NODISCARD enum gd_err retention_measure(struct store *s, struct gd_error *why);
void                     retention_run(struct store *s, uint32_t slices); /* one transaction */
gd_nsec                  retention_wait(const struct store *s); /* until something is due */

static inline gd_nsec store_now(const struct store *s)
{
	return s->now(s->now_ctx);
}

/* clock_rows.c */
GD_NODISCARD enum gd_err clock_rows_load(struct store *s, struct gd_error *why);
GD_NODISCARD enum gd_err clock_rows_put_step(struct store *s, struct gd_wall_step step,
                                             struct gd_error *why);
/* Inside a transaction of things up to `latest`. */
GD_NODISCARD enum gd_err clock_rows_reach(struct store *s, gd_nsec latest, struct gd_error *why);

/* store_output.c */
GD_NODISCARD enum gd_err store_output_open(struct store *s, struct gd_error *why);

/* semaphore_rows.c */
GD_NODISCARD enum gd_err semaphore_rows_put(struct store *s, struct record *r,
                                            struct gd_error *why);

/* loop_rows.c */
GD_NODISCARD enum gd_err loop_rows_put(struct store *s, const struct record *r,
                                       struct gd_error *why);

/* child_rows.c: what makes a job a child of another one */
GD_NODISCARD enum gd_err child_rows_put(struct store *s, const struct store_job *j,
                                        struct gd_error *why);
/* A job below `job` that has no children: `job` itself when it has none. */
GD_NODISCARD enum gd_err child_rows_leaf(struct store *s, uint64_t job, uint64_t *leaf,
                                         struct gd_error *why);
/* Whether `job` or one below it has not ended. Cost: linear in how many there are. */
GD_NODISCARD enum gd_err child_rows_is_live_below(struct store *s, uint64_t job, bool *is_live,
                                                  struct gd_error *why);
GD_NODISCARD enum gd_err child_rows_read_outcomes(struct store *s, struct store_read *r,
                                                  struct gd_error *why);

/* command_rows.c. What is dropped is noted in tx.outputs. */
GD_NODISCARD enum gd_err command_rows_drop(struct store *s, uint64_t job, struct gd_error *why);
/* At most so many; *is_done: there were fewer. */
GD_NODISCARD enum gd_err command_rows_drop_some(struct store *s, uint64_t job, uint32_t count,
                                                bool *is_done, struct gd_error *why);
GD_NODISCARD enum gd_err command_rows_put(struct store *s, struct record *r, struct gd_error *why);
GD_NODISCARD enum gd_err command_rows_read(struct store *s, struct store_read *r,
                                           struct gd_error *why);

/* event_rows.c: events into chunks, chunks into rows. The last one of a transaction also says what is
 * in s->row, which must not change any more. */
GD_NODISCARD enum gd_err event_rows_add(struct store *s, struct event *e, struct job_note *note,
                                        struct gd_error *why);
GD_NODISCARD enum gd_err event_rows_finish(struct store *s, struct gd_error *why);
/* Takes a job's events out at the end of this transaction; `seq` is that of its job.queued. */
GD_NODISCARD enum gd_err event_rows_drop(struct store *s, uint64_t job, uint64_t seq,
                                         struct gd_error *why);
GD_NODISCARD enum gd_err event_rows_scrub(struct store *s, struct gd_error *why);

/* read.c, read_events.c */
void                     read_answer(struct store *s, struct store_read *r);
GD_NODISCARD enum gd_err read_events(struct store *s, struct store_read *r, struct gd_error *why);
/* A row of SQL_JOB_GET or SQL_LIVE; the texts are the row's. */
struct store_job         rows_job(const struct bind *b);
void                     read_keep_job(struct arena *a, struct store_job *j); /* copies its texts */
/* Adds job `r->job` to the answer. GD_NOT_FOUND. */
GD_NODISCARD enum gd_err read_job(struct store *s, struct store_read *r, struct gd_error *why);
/* Rows looked at for one page, so that the next commit need not wait long. */
#define SCAN_ROWS_MAX 8192

/* read_signal.c */
GD_NODISCARD enum gd_err read_signal(struct store *s, struct store_read *r, struct gd_error *why);

/* live.c */
GD_NODISCARD enum gd_err read_live(struct store *s, struct store_read *r, struct gd_error *why);
void                     live_chunks_free(struct store *s);

/* rollback.c */
struct last_commit       store_last_commit(const struct store *s); /* as it is now */
/* Before anything is written. *is_older: the database is not what `last` says that it was; then
 * GD_STORE, unless that is accepted. */
GD_NODISCARD enum gd_err rollback_check(struct store *s, bool is_accepted, struct last_commit *last,
                                        bool *is_older, struct gd_error *why);
GD_NODISCARD enum gd_err rollback_accept(struct store *s, const struct last_commit *last,
                                         struct gd_error *why);

/* upkeep.c: what is done when nothing else is */
#define UPKEEP_QUIET_MSEC 30 /* this long without a commit is a quiet moment */
#define WAL_FRAME_BYTES (4096u + 24u)
#define WAL_BUSY_BYTES \
	(32u << 20) /* of the log, not to be passed even when there is no such moment */
bool                     upkeep_is_due(const struct store *s);
void                     upkeep_when_idle(struct store *s);
GD_NODISCARD enum gd_err upkeep_load(struct store *s, struct gd_error *why);
/* After a commit of so many records and bytes. */
void                     upkeep_when_busy(struct store *s, uint64_t records, size_t bytes);
/* How long nothing must have come before it is done. */
int64_t                  upkeep_wait_msec(const struct store *s);
void                     upkeep_sync_note(struct store *s);

/* wal_room.c: after a commit; what cannot be done is left */
void wal_room_make(struct store *s);

#endif
