/*
 * store.h - everything that is kept: jobs, their journaled inputs, events, results.
 *
 * One writer thread owns the only database connection. Loops hand it groups of records; it takes
 * all that has arrived, commits them as one transaction, gives every event its number, and reports
 * the commit. Nothing that comes from state may leave the process before its group was reported
 * with GD_OK. Reads are short statements on the same thread, between commits, so a read handed in
 * after a group sees that group.
 *
 * Ownership: a submitted group or read belongs to the store until it is reported back.
 * Threads: store_submit() and store_read() from any thread; callbacks run on the writer thread and
 * must only pass the message on. Cost: one sync for each commit, however many groups it holds.
 *
 * The interface is all that the rest sees, so that another database can take SQLite's place.
 */
#ifndef GATHERD_STORE_STORE_H
#define GATHERD_STORE_STORE_H

#include "proto/base/arena.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

#include <stdatomic.h>
#include <stdint.h>

struct text {
	const char *at; /* UTF-8, NUL behind it; NULL: not there */
	size_t      bytes;
};

/* --- jobs --- */

enum job_status {
	JOB_QUEUED, /* accepted, not begun (its start_at lies ahead, or it waits for its commit) */
	JOB_RUNNING,
	JOB_COMPLETED,
	JOB_FAILED,
	JOB_CANCELLED
};
const char        *job_status_name(enum job_status status); /* "queued", ... */
static inline bool job_status_is_final(enum job_status s)
{
	return s >= JOB_COMPLETED;
}

/* Values are stored: never renumber. */
enum event_kind {
	EVENT_JOB_QUEUED = 1,
	EVENT_JOB_STARTED = 2,
	EVENT_JOB_COMPLETED = 3,
	EVENT_JOB_FAILED = 4,
	EVENT_JOB_CANCELLED = 5,
	EVENT_TASK_STARTED = 6,
	EVENT_TASK_COMPLETED = 7,
	EVENT_TASK_FAILED = 8,
	EVENT_TASK_RETRYING = 9,
	EVENT_YIELD = 10,
	EVENT_LOG = 11
};
const char *event_kind_name(enum event_kind kind); /* "job.queued", ... */

/* What the start knows of a job's way so far; see READ_LIVE. */
struct store_past {
	uint32_t from; /* ordinal of the first of its events that `sum` is of; 0: of none */
	uint32_t sum;  /* store_event_sum() over those from there to the last one */
};
/* Goes on from `sum` (0 at first) with one more event; `path` is a JSON string, quotes and all, or
 * nothing. */
uint32_t store_event_sum(uint32_t sum, enum event_kind kind, struct text path);

#define JOB_PRIORITY_MAX 10
#define STORE_RETAIN_WITH_PARENT (-1) /* a child's: its row leaves with its parent's */

/* What makes a job a child of another one. Its spec, and its owner, are the parent's. */
struct store_child {
	uint64_t    parent;
	uint32_t    ticket; /* of the parent, from 1; no other child of it has the same */
	struct text code;   /* JSON Pointer of its body in the spec */
	struct text base; /* the address at which it was made, where that holds rounds; else NULL */
	struct text captures; /* what its body sees: bytes, see journal_value.h */
};

/* A job as it is stored. Texts live in the arena of the record or answer that holds it. */
struct store_job {
	uint64_t            id;
	enum job_status     status;
	struct text         owner; /* principal: "uid:1000" */
	struct text         key;   /* idempotency key, unique for each owner */
	struct text         title;
	struct text         labels;   /* JSON list of texts */
	struct text         spec;     /* JSON */
	struct text         args;     /* JSON object */
	int32_t             priority; /* -JOB_PRIORITY_MAX..JOB_PRIORITY_MAX, higher first */
	uint32_t            loop;
	/* All three on the daemon's scale, 0: not yet; but of a queued job `started` is the
	 * start_at that it waits for, on the wall. */
	gd_nsec             submitted, started, ended;
	gd_nsec             retain; /* how long it is kept after its end; 0: as long as any other */
	uint64_t            seq;    /* of job.queued */
	uint64_t            end_seq; /* of the final event; 0: not yet */
	struct text         result;  /* JSON, status completed */
	struct text         error;   /* JSON, status failed or cancelled */
	uint64_t            parent;  /* 0: it is no child */
	struct store_past   past;    /* set by READ_LIVE */
	/* JOB records and READ_LIVE, of a child; else NULL. With it the record needs no spec and no
	 * owner. */
	struct store_child *child;
};

/* --- records: what a group is made of --- */

/* Whose output: an attempt of a command. */
struct output_ref {
	uint64_t job;
	uint32_t ticket;
	uint32_t attempt;
};

enum record_kind {
	RECORD_JOB,        /* a new job, perhaps already ended */
	RECORD_STARTED,    /* status running, `started` */
	RECORD_ENDED,      /* final status, `ended`, result or error */
	RECORD_INPUT,      /* an engine input, journaled */
	RECORD_EVENT,      /* numbered by the writer */
	RECORD_DELETE,     /* an ended job, with all that belongs to it */
	RECORD_SEMAPHORE,  /* the permits of a semaphore or pool; job 0 */
	RECORD_CLOCK_STEP, /* the clock on the wall was set; job 0. May be there already */
	RECORD_COMMAND, /* an attempt of a command begins; no other has its time, ticket and attempt */
	RECORD_LOOP     /* a name means a loop from now on; job 0. May be there already */
};

/* What has permits. Each kind has names of its own. Values are stored: never renumber. */
enum semaphore_kind {
	SEMAPHORE_PLAIN = 0,
	SEMAPHORE_POOL = 1 /* of processes */
};
#define STORE_PERMITS_USUAL UINT32_MAX /* what a name has that nobody put */

/* An attempt of a command of a job. */
struct store_command {
	gd_nsec     begun; /* on the daemon's scale */
	uint32_t    ticket;
	uint32_t    attempt; /* from 1 */
	struct text path;    /* the address of its step, as in events */
};

struct event {
	uint64_t        seq; /* set by the writer */
	uint64_t        job;
	uint32_t        ordinal; /* within the job; 0 is job.queued */
	enum event_kind kind;
	/* JSON members after seq: "time":..,"job":..,"kind":..[,"path":..][,"name":..][,"data":..] */
	struct text     body;
};

struct record {
	enum record_kind kind;
	struct record   *next;
	uint64_t         job; /* id */
	union {
		struct store_job *submit; /* JOB; the writer sets seq and end_seq */
		struct {
			enum job_status status;
			gd_nsec         time;
			struct text     result;
			struct text     error;
		} change; /* STARTED, ENDED */
		struct {
			uint32_t    number; /* within the job, from 1 */
			gd_nsec     time;
			struct text bytes; /* journal.h's encoding */
		} input;
		struct event event;
		struct {
			enum semaphore_kind kind;
			struct text         name;
			uint32_t permits; /* 1 of a plain one is the usual number as well */
			uint64_t serial;  /* set by the writer: higher is later */
		} semaphore;
		struct gd_wall_step  clock_step;
		struct store_command command;
		struct {
			struct text name;
			uint32_t    index;
		} loop;
	} u;
	/* Set by the writer. STARTED, ENDED, INPUT, COMMAND: GD_NOT_FOUND when there was no such job in a status
	 * that allows it; nothing was stored then. JOB with a key that exists: GD_CONFLICT when the
	 * stored spec or args differ, and `existing` is that job; GD_OK with `existing` set when they
	 * are the same. In both cases nothing was stored, and the group's other records of this job id
	 * were skipped. DELETE: GD_NOT_FOUND, or GD_CONFLICT when the job has not ended, or `existing`
	 * has not: its parent, or itself when that has children that live. */
	enum gd_err outcome;
	uint64_t    existing;
	uint64_t    existing_seq;
};

/* Built by one loop, then handed over whole. A job's job.queued stands in the group of its JOB
 * record, its final event in that of its final status; the ordinals of a job's events only grow.
 * The deletions of a group come after all else in it. */
struct store_group {
	struct store_group *next;  /* for whoever holds it */
	struct arena        arena; /* of all that its records point to */
	struct record      *first;
	struct record      *last;
	uint32_t            count;
	uint32_t            loop;   /* who built it */
	gd_nsec             latest; /* the builder's time: nothing in it is of a later moment */
	void               *outbox; /* the builder's: what waits for this group */
};

struct store_group *store_group_new(uint32_t loop); /* NULL: no memory */
void                store_group_free(struct store_group *g);
struct record      *store_group_add(struct store_group *g, enum record_kind kind,
                                    uint64_t job); /* NULL: no memory */

/* What one transaction made durable. Shared between loops: the last release frees the groups. */
struct store_commit {
	atomic_uint         refs;      /* set by the callback before it shares the commit */
	enum gd_err         outcome;   /* GD_OK, or GD_DURABILITY_UNKNOWN: the process must end */
	struct gd_error     why;       /* unless GD_OK: what went wrong, for the log */
	uint64_t            first_seq; /* of its events; first_seq > last_seq: none */
	uint64_t            last_seq;
	struct store_group *groups; /* in the order in which they were committed */
};
void store_commit_release(struct store_commit *c);

/* --- reads --- */

enum read_kind {
	READ_JOB,    /* job */
	READ_JOBS,   /* jobs by id, filtered */
	READ_EVENTS, /* events with seq > after */
	READ_INFO,
	READ_BACKUP,
	READ_LIVE,   /* jobs that are not over, by id, with their journaled inputs: for recovery */
	READ_ABSENT, /* of `ids`, those of no job */
	READ_OUTCOMES, /* what has become of `outcomes`, as far as `bytes_max` goes */
	READ_COMMANDS, /* a job, and its commands in the order in which they began */
	READ_SIGNAL    /* a job, and the signal that it got under a key, as far as that is known */
};

struct store_input {
	uint32_t    number;
	gd_nsec     time;
	struct text bytes;
};

struct store_live {
	struct store_job    job;               /* with its `past` */
	uint32_t            last_ordinal;      /* of its stored events */
	uint32_t            last_ticket;       /* of its children; 0: it has none */
	bool                knows_no_children; /* all its tasks run on its own loop, see schema.c */
	uint32_t            input_count;
	struct store_input *inputs; /* in order */
};

/* A child, as its parent knows it. */
struct store_outcome {
	uint64_t        parent;
	uint32_t        ticket;
	bool            is_known; /* it was looked for */
	uint64_t        job;      /* 0: there is none */
	enum job_status status;
	gd_nsec         ended;
	struct text     result, error;
};

/* READ_BACKUP: what is asked of the one backup that there can be; backup.h draws its phases. */
enum backup_ask {
	BACKUP_BEGIN, /* gives its id */
	BACKUP_LOOK,
	BACKUP_PIECE, /* bytes from `after` on, up to `limit`; when it is READY */
	BACKUP_END    /* it is no longer needed */
};

enum backup_phase { BACKUP_NONE, BACKUP_COPYING, BACKUP_CHECKING, BACKUP_READY, BACKUP_FAILED };

struct backup_state {
	uint64_t          id;
	enum backup_phase phase;
	uint64_t          pages; /* of the database, and how many of them are still to be copied */
	uint64_t          pages_left;
	uint64_t          bytes; /* READY: of the copy, and their gd_sum() */
	uint64_t          sum;
};

#define READ_WITH_SPEC 1u   /* READ_JOB, READ_JOBS: spec, args */
#define READ_WITH_RESULT 2u /* result, error */

struct store_read {
	struct store_read *next;
	enum read_kind     kind;
	uint32_t           loop;            /* who asks */
	void (*done)(struct store_read *r); /* on the writer thread: hand it to its loop, no more */
	void *owner;                        /* the asker's */

	/* asked */
	unsigned flags;
	uint64_t
		job; /* JOB, COMMANDS, SIGNAL; EVENTS: only of this job (0: of all); LIVE: only ids below it */
	struct text owner_filter; /* JOBS, EVENTS: only of this principal's jobs; NULL: of all */
	struct text title_filter; /* JOBS: exact */
	struct text label_filter; /* JOBS, EVENTS */
	struct text path_filter;  /* COMMANDS: exact; NULL: all */
	struct text signal_key;   /* SIGNAL */
	struct store_command after_command; /* COMMANDS: the ones behind this one; all zero: all */
	unsigned             status_mask;   /* JOBS: bits 1u << enum job_status; 0: all */
	gd_nsec              since;         /* JOBS: submitted at or after */
	bool                 is_newest_first; /* JOBS, COMMANDS */
	uint64_t             parent_filter;   /* JOBS: only children of this one; 0: of any, and */
	bool                 has_children;    /* whether there are children among them */
	uint64_t             kinds_mask;      /* EVENTS: bits 1 << enum event_kind; 0: all */
	uint64_t
		  after; /* EVENTS: seq; BACKUP: offset; JOBS, LIVE: id of the last row of the page before, 0: from the start */
	uint32_t  limit; /* rows; BACKUP: bytes */
	uint64_t *ids;   /* ABSENT: the asker's; the first `id_count` of them are the answer */
	uint32_t  id_count;
	struct store_outcome *outcomes; /* OUTCOMES: the asker's, filled in */
	uint32_t              outcome_count;
	uint32_t        part, parts; /* LIVE: only ids that leave `part` when divided by `parts` */
	enum backup_ask backup_ask;
	size_t bytes_max; /* EVENTS: stop after this many bytes of bodies; LIVE: of all that was read
	                   * (one row at least) */

	/* answered; all in `arena` */
	struct arena          arena;
	/* GD_OK, GD_NOT_FOUND, GD_STORE, GD_NOMEM; LIVE: GD_UNAVAILABLE when the store has failed since
	 * it was opened, so that GD_STORE means damage. */
	enum gd_err           outcome;
	struct gd_error       why;
	struct store_job     *jobs; /* COMMANDS, SIGNAL: the one, without its long texts */
	uint32_t              job_count;
	struct store_command *commands;
	uint32_t              command_count;
	/* COMMANDS: whether there may be more, behind `next_command`; its path is NULL. */
	bool                  has_more_commands;
	struct store_command  next_command;
	struct store_input    signal; /* its `bytes` NULL: there is none among the latest inputs */
	struct event         *events;
	uint32_t              event_count;
	struct store_live    *live;
	uint32_t              live_count;
	uint64_t next_after; /* EVENTS: read after this seq next; JOBS, LIVE: id, 0: no more */
	uint64_t oldest;     /* EVENTS: the lowest seq that is still kept */
	bool     is_expired; /* EVENTS: some that were asked for are gone, by age or number */
	uint64_t seq;        /* the highest seq that is durable */
	uint64_t jobs_by_status[5];                              /* INFO */
	uint64_t database_bytes, wal_bytes, output_bytes, queue; /* INFO */
	struct backup_state backup;                              /* BACKUP; asked: its id */
	struct text         piece;
};
void store_read_free(struct store_read *r); /* from malloc, with its arena */

/* --- the store --- */

struct store;

/* How much is kept; 0: no such bound. A bound on jobs is one on those that have ended: the ones
 * whose time is nearest leave first. Events leave from the oldest on, in pieces of up to 64 KiB.
 * What jobs ask for themselves (`retain`) holds as long as no number is passed. */
struct store_retention {
	gd_nsec jobs_age; /* after its end, for a job that asks for nothing; at its end it counts */
	gd_nsec events_age;
	uint64_t jobs_max;
	uint64_t events_max;
	uint64_t bytes_max;  /* of the database without its free pages; jobs and events leave */
	uint64_t output_max; /* bytes of output_keep(); that of the longest ended commands leaves */
};

struct store_config {
	const char *dir; /* state directory; made (0700) when it is not there */
	/* On the writer thread, in commit order. */
	void (*on_commit)(void *ctx, struct store_commit *c);
	void *ctx;
	/* The disk is full: `why` says so. NULL: there is room again. On the writer thread; may be NULL.
	 */
	void (*on_full)(void *ctx, const struct gd_error *why);
	/* The time on the scale that records are in; asked from store_start() on, on the writer
	 * thread. NULL: the wall. */
	gd_nsec (*now)(void *ctx);
	void *now_ctx;
	/* Takes a database that is older than the one that was here, or another one: what was
	 * acknowledged since is lost, and it gets a new uuid. */
	bool  accepts_rollback;
};

/* Locks the directory, checks, opens, migrates. No thread yet. Errors, with words that say what to
 * do: GD_CONFLICT (another daemon has it: exit 75), GD_STORE (foreign, newer, damaged or older
 * database than the one that was here: exit 78, nothing overwritten), GD_SYS, GD_NOMEM. */
GD_NODISCARD enum gd_err store_open(const struct store_config *cfg, struct store **out,
                                    struct gd_error *why);
/* Before store_start(): every semaphore of a kind whose permits are kept, by name. */
typedef enum gd_err      store_semaphore_fn(void *ctx, struct text name, uint32_t permits,
                                            struct gd_error *why);
GD_NODISCARD enum gd_err store_each_semaphore(struct store *s, enum semaphore_kind kind,
                                              store_semaphore_fn *fn, void *ctx,
                                              struct gd_error *why);
/* The same for the names of loops. */
typedef enum gd_err      store_loop_fn(void *ctx, struct text name, uint32_t index,
                                       struct gd_error *why);
GD_NODISCARD enum gd_err store_each_loop(struct store *s, store_loop_fn *fn, void *ctx,
                                         struct gd_error *why);
uint64_t                 store_next_job_id(
			const struct store *s); /* above every id ever given out; before store_start() */
uint64_t    store_seq(const struct store *s);  /* highest durable seq */
const char *store_uuid(const struct store *s); /* of this database, 36 characters */
/* Acknowledged commits are missing from the database, and it was opened with accepts_rollback. */
bool        store_was_older(const struct store *s);

uint64_t store_live_count(const struct store *s); /* jobs that are not over; before store_start() */

/* Which job is being replayed, by which loop, stands in a file meanwhile, so that the next start
 * knows which one ended this one. Gives how often in a row a daemon has ended there. Each loop on
 * its own thread. */
uint32_t store_replay_begin(struct store *s, uint32_t loop, uint64_t job);
void     store_replay_end(struct store *s, uint32_t loop);
/* Somebody is suspected: jobs are to be replayed one at a time, so that it is known whom to blame. */
bool     store_replay_is_suspect(const struct store *s);
/* Every job was replayed, and what came of it is durable. Once, when no loop replays any more. */
void     store_replay_over(struct store *s);

/* How the daemon's time scale stands to the clocks of the host. */
#define STORE_BOOT_CHARS 36
struct store_clock {
	char    boot[STORE_BOOT_CHARS + 1]; /* the boot in which `offset` is good; "": none */
	gd_nsec offset;                     /* scale minus CLOCK_BOOTTIME */
	gd_nsec horizon; /* nothing stored is later; STORE_HORIZON_NSEC too late, at most */
	const struct gd_wall_step
		*steps; /* of the wall; the first one counts for all before as well */
	uint32_t step_count;
};
/* So seldom, at most, is it stored how far time has come. */
#define STORE_HORIZON_NSEC (100 * GD_NSEC_PER_MSEC)
/* Before store_start(): as it was found. Without a job that old, many steps were made one. */
const struct store_clock *store_clock(const struct store *s);
/* Before store_start(): boot and offset, and the steps behind those that were found; durable when
 * it returns. */
GD_NODISCARD enum gd_err  store_put_clock(struct store *s, const struct store_clock *clock,
                                          struct gd_error *why);

GD_NODISCARD enum gd_err store_start(struct store *s, struct gd_error *why);
/* From now on. Before the first call there are no bounds but what jobs ask for. Any thread. */
void                     store_retain(struct store *s, const struct store_retention *bounds);
void                     store_submit(struct store *s, struct store_group *g);
void                     store_read(struct store *s, struct store_read *r);
/* A commit waits for room on the disk. What was handed in is kept and tried again until it fits, in
 * its order; nothing of it is reported before. Reads are answered meanwhile, and see what is
 * durable: not the groups that wait. It turns false before the commit is reported. Any thread. */
bool                     store_is_full(const struct store *s);
uint64_t store_queued(const struct store *s); /* records handed in, not yet committed */
/* A number that grows whenever the writer has made progress or has nothing to do; for watchdogs. */
uint64_t store_heartbeat(const struct store *s);
/* --- what commands have printed, see output.h; any thread, after store_start() --- */

/* The command has ended: its output, so far in DIR/runner, stays as long as its job, when the runner
 * has let go of it. `ended` is on the daemon's scale. Errors: GD_SYS. */
GD_NODISCARD enum gd_err store_keep_output(struct store *s, const struct output_ref *ref,
                                           gd_nsec ended, struct gd_error *why);
/* Stdout and stderr, for run_log_give(), while the command runs and after; -1: nothing is there. The
 * caller closes them. */
void store_open_output(struct store *s, const struct output_ref *ref, int fd[2]);
/* Output of a command that has ended and began then, if it had any, may have left for want of room. */
bool store_is_output_expired(const struct store *s, gd_nsec begun);

/* Commits what was handed in, ends the thread. After it nothing may be submitted. What has no room
 * on the disk even then is reported as GD_DURABILITY_UNKNOWN. */
void store_stop(struct store *s);
void store_close(struct store *s); /* checkpoint, close, unlock */

#endif
