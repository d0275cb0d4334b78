/*
 * engine.h - the pure state machine that runs coroutines.
 *
 * Inputs carry the moment at which they happened; outputs come back in the order in which they
 * must be obeyed. It reads no clock, opens no file, starts no thread: the same object code runs in
 * the daemon, in recovery, in the simulator and under the fuzzer. A job is a pure function of its
 * program, arguments, start time and journaled inputs.
 *
 * Inputs are fed as they happen, before they are on the disk: what leaves the process waits in the
 * outbox behind the record of the input that caused it, so running ahead shows nothing to anyone.
 *
 * Its time is a scale that only goes forward, evenly. What people mean by a time is the clock on
 * the wall: that scale and a list of steps by which the clock was set (engine_step_wall). `now`,
 * `sleep_until` and start_at go by the wall; `sleep`, timeouts and pauses do not feel a step.
 *
 * Ownership: the engine owns its jobs and their values; a job keeps a reference to its program.
 * Outputs hold references, and the engine holds the programs of jobs that have ended, until
 * engine_outs_clear(): what is put out can be read until then. Threads: one at a
 * time. Cost: a step is O(log timers); starting a child of a gather is O(1).
 *
 * Commands. Each is a claim of its job under a ticket, and may take several attempts.
 *
 *	engine                                    outside
 *	EXEC ticket, attempt, request  ------->   queue of its pool
 *	                               <-------   BEGIN: journaled, durable; then it is started
 *	[MORE, for each LINES taken]   <------->  [LINES: one for EXEC, then one for each MORE]
 *	[STOP, perhaps then KILL]      ------->   TERM, after the grace KILL; or KILL
 *	                               <-------   EXITED, once, when nothing of it is left
 *	RECALL, in place of all that, before BEGIN, and for one that is held
 *
 * EXEC's `data` is {argv: [text], grace: seconds} and, where they are given, stdin (text, or
 * {base64}), env (text, or {secret: name} for what only the outside knows), cwd, pool, stdout
 * "DEVNULL", stderr "DEVNULL" or "STDOUT", yield "lines", on_interrupt; profile, and then timeout in
 * seconds: argv are the arguments behind the profile's own, and may be none. All of it was checked:
 * text without NUL, sizes below limits.h. Every attempt has the same request.
 *
 * EXITED's `message` is one of
 *	{code, signal, stdout, stderr}		how it ended, code or signal null; truncated: true
 *						where a head was dropped. The result of the step
 *	{error: {stage, errno, message}}	it could not be started
 *	{interrupted: text, or true}		nobody knows; what survives of it is gone
 * stdout and stderr, and lines, are text or {base64}: see engine_bytes(). Both are "" where they
 * went elsewhere. What had been said before a STOP belongs to it as well.
 *
 * Its `time` is when it ended, as the runner says (but in the engine's time), so that what ended
 * before its deadline has not missed it however late that was heard; but not before the job's own
 * clock (engine_job_info), which may have gone on.
 *
 * Calls, on a thread or by HTTP, go the same way, with less of it: CALL in place of EXEC, no LINES, and
 * no STOP: a RECALL at any time says that nobody waits any more, and whatever comes of it is dropped.
 * CALL's `data` is {function: name, args: dict}, or the parts of a request as the language has
 * them, timeout in seconds; all JSON, otherwise checked by nobody. With on_interrupt: "fail" or "hold"
 * it needs a BEGIN, which is durable before it begins, for after that nobody knows; without, it may
 * happen twice, and EXITED comes alone. EXITED's `message` is one of
 *	{result: value}				of a request {status, ...}
 *	{error: {type, message, data}}
 *	{interrupted: text, or true}
 *
 * What the outside knows of a ticket follows from outputs and inputs alone, each input taken down
 * behind its step: a replayed input may be fed in the step that brings out what it answers. An
 * EXEC of a known ticket is its next attempt; an input of an earlier attempt changes nothing; LINES
 * that are owed are a count. After a replay the tickets that are left are
 *	not begun		wait for their turn (again)
 *	begun			are asked for at the runner: one that runs, or has ended, is
 *				adopted. One that it does not know, though it has lived since,
 *				was never started, and starts now. Else: EXITED {interrupted}
 *	begun, STOP		the same, and STOP is said again; what was never started need not
 *				be: EXITED {code: null, signal: null, stdout: "", stderr: ""}
 *	interrupted, hold	wait for RESUME
 * A job that ends has no command left: its outcome comes behind the last EXITED.
 *
 * Signals. SIGNAL's `message` is {event: text, value, key: text, where it has one}: it sets that
 * event of the job for good, with this value. What engine_check_signal() refuses, or knows already,
 * is neither journaled nor fed.
 *
 * Child jobs. A create_task with `loop` is a claim as well: SPAWN asks for a job that runs the body of
 * a struct child, STOP and KILL for cancels of it. CHILD_ENDED's `message` is {result: value},
 * {error: exception} or {cancelled: exception}; its `time` is the child's own when it ended, but not
 * before the job's clock. A child lives as its parent's clock goes: it starts at the time of its SPAWN.
 * A SPAWN is put out again in a replay; what it led to before is for the outside to know.
 */
#ifndef GATHERD_ENGINE_ENGINE_H
#define GATHERD_ENGINE_ENGINE_H

#include "daemon/engine/program.h"

struct engine;

enum engine_in_kind {
	ENGINE_TIME,   /* it is now `time`: every timer due by then fires. With `job`: of that one
	                * only, those that are due first */
	ENGINE_START,  /* a new job; its logical clock starts at `time` */
	ENGINE_CANCEL, /* job.cancel with `message` (text, or null); journaled */
	ENGINE_GRANT,  /* answers ENGINE_ACQUIRE `ticket`; journaled */
	ENGINE_NOW,    /* answers ENGINE_WANT_NOW: the job's clock goes to `time`; journaled */
	/* Of the command that ENGINE_EXEC asked for, `ticket` and `attempt`; all journaled: */
	ENGINE_BEGIN,       /* its turn has come: the start record */
	ENGINE_EXITED,      /* it has ended, see above; once for each BEGIN */
	ENGINE_LINES,       /* `message`: list of lines of its stdout */
	ENGINE_RESUME,      /* one that was held goes on; `message`: "retry" or "fail" */
	ENGINE_CHILD_ENDED, /* the child job of ENGINE_SPAWN `ticket` is over, see below; journaled */
	ENGINE_SIGNAL       /* job.signal, see above; journaled */
};

struct engine_in {
	enum engine_in_kind kind;
	gd_nsec             time;
	uint64_t            job;     /* all but ENGINE_TIME: 0, all of them */
	struct program     *program; /* START: borrowed; the job takes its own reference */
	uint32_t            code;    /* START: whose body it runs: 0, or that of a struct child */
	const struct value *args;  /* START: one for each arg of the program, or for each capture of
	                              * the code; copied (retained) */
	struct value        title; /* START: text or null; copied */
	gd_nsec             start_at; /* START: the job does not begin before the wall shows this */
	struct value
		 message; /* CANCEL, EXITED, LINES, RESUME, SIGNAL, CHILD_ENDED: copied. START of a
	                               * child: the address at which it was made, or null */
	uint32_t ticket;  /* GRANT, CHILD_ENDED, and all of a command */
	uint32_t attempt; /* all of a command */
	bool     is_of_parent; /* CANCEL: it is the parent's that says so; journaled */
	uint64_t mark;         /* BEGIN, LINES: the outside's own, journaled; not looked at */
};

enum engine_out_kind {
	ENGINE_JOB_STARTED,
	ENGINE_TASK_STARTED,
	ENGINE_TASK_COMPLETED, /* data: the result */
	ENGINE_TASK_FAILED,    /* data: the error, {type, message, path, data?} */
	ENGINE_YIELD,          /* data: the value */
	ENGINE_JOB_COMPLETED,  /* data: the result */
	ENGINE_JOB_FAILED,     /* data: the error */
	ENGINE_JOB_CANCELLED,  /* data: the error */
	ENGINE_ACQUIRE,        /* data: name of a semaphore; `ticket` wants a permit of it */
	ENGINE_RELEASE,  /* data: the name; `ticket` gives its permit back, or waits no longer */
	ENGINE_WANT_NOW, /* the job span for JOB_TICKS_PER_NOW ticks and rests: journal an ENGINE_NOW
	                  * and feed it; no timer of the engine fires until then */
	ENGINE_EXEC, /* data: what to run, see above. `ticket` wants attempt `attempt` of it to begin,
	              * in its turn */
	ENGINE_RECALL, /* `ticket`, which has not begun or is held, is wanted no more */
	ENGINE_STOP,   /* `ticket`, which has begun, shall end, with its grace */
	ENGINE_KILL,   /* the same at once; behind a STOP */
	ENGINE_MORE,   /* `ticket` has taken the lines that it was given */
	ENGINE_CALL,   /* as EXEC, for a call */
	ENGINE_SPAWN,  /* a child job is to run for `ticket`, from `time` on: see engine_child() */
	ENGINE_SPAWN_STOP, /* data: text, or null; the child is to be cancelled with it */
	ENGINE_SPAWN_KILL  /* it is to be cancelled once more; behind a STOP */
};

struct engine_out {
	enum engine_out_kind kind;
	uint32_t             attempt; /* of a command, from 1 */
	uint64_t             job;
	uint32_t
		ordinal; /* counts the job's outputs from 1, the same in every replay. 0 for ACQUIRE,
	                  * RELEASE, WANT_NOW, SPAWN* and all of a command */
	uint32_t
		ticket; /* ACQUIRE, RELEASE, SPAWN* and all of a command: counts those of the job */
	gd_nsec time;   /* logical, the engine's */
	struct value data;
	struct value name; /* label of the task, text, or VALUE_NONE */
	uint32_t     path; /* offset of the address in outs->paths; PROGRAM_NONE: none */
	uint32_t     path_bytes;
};

struct engine_outs {
	struct engine_out *at;
	uint32_t           count;
	uint32_t           room;
	struct buf         paths;
};

GD_NODISCARD enum gd_err engine_open(struct engine **out, struct gd_error *why);
void                     engine_close(struct engine *e);

/* One input. It does at most about as many steps of work as the budget says, beyond what the input
 * itself needs; engine_is_behind() then says whether work is left, and an ENGINE_TIME with the same
 * or a later time does more of it. An input for a job first fires that job's timers due by `time`,
 * then applies. Inputs for an unknown job are ignored (it ended first).
 * Errors: GD_NOMEM (the engine is then only good for engine_close), GD_CONFLICT when START names a
 * job that exists. */
GD_NODISCARD enum gd_err engine_step(struct engine *e, const struct engine_in *in,
                                     struct engine_outs *outs, struct gd_error *why);
void                     engine_set_budget(struct engine *e, uint32_t steps);
/* What the last step has left of its budget. */
uint32_t                 engine_budget_left(const struct engine *e);
bool                     engine_is_behind(const struct engine *e);
/* Somebody has set the clock on the wall. The step is later than all before it and than the time of
 * every input so far; before the first one the wall is ahead as from that one on. A job that is
 * replayed finds all steps here up to where its journal ends. Timers that wait for the wall move.
 * Errors: GD_NOMEM, and nothing has happened. */
GD_NODISCARD enum gd_err engine_step_wall(struct engine *e, struct gd_wall_step step,
                                          struct gd_error *why);
/* What the wall shows at `time` of the engine. */
gd_nsec                  engine_wall(const struct engine *e, gd_nsec time);
/* The job is gone without a word. Nothing when there is no such job. */
void                     engine_drop(struct engine *e, uint64_t job);
/* The soonest deadline; false when there is none. */
bool                     engine_next_due(const struct engine *e, gd_nsec *due);

/* Values for inputs (arguments, messages) are made on this heap. */
struct value_heap *engine_heap(struct engine *e);

/* What the command under this ticket of a job is to do, see EXEC above; borrowed, good until the next
 * step. VALUE_NONE: there is no such command (any more). */
struct value engine_request(const struct engine *e, uint64_t job, uint32_t ticket);

/* What would become of an ENGINE_SIGNAL with this message, which took `bytes` of memory. */
struct engine_signal_check {
	enum gd_err code;     /* GD_OK; GD_NOT_FOUND: no such job; GD_CONFLICT: its key was that of
	                       * another signal; GD_LIMIT */
	bool        is_known; /* GD_OK: the same was said before under its key */
	const char *limit;    /* GD_LIMIT: which */
	uint64_t    value, max;
};
struct engine_signal_check engine_check_signal(const struct engine *e, uint64_t job,
                                               struct value signal, size_t bytes);

/* Bytes of a command as a value: text where they are UTF-8 without NUL, else {base64: text}. With
 * `is_tail` the head was cut off, perhaps inside a character: what is left of that is dropped.
 * VALUE_NONE: no memory (heap.failed). */
struct value engine_bytes(struct value_heap *h, const void *bytes, size_t count, bool is_tail);

/* What the child under this ticket of a job is made of; borrowed, good until the next step. */
struct engine_child_info {
	struct program *program;
	uint32_t        child;    /* index in its children */
	struct value    captures; /* list: one for each capture of its code */
	struct value    loop;     /* text or int, checked */
	struct value    name;     /* label of the task, or VALUE_NONE */
	struct value    base;     /* text, or VALUE_NONE: see START */
	gd_nsec         spawned;  /* time of its SPAWN */
};
/* False: there is none that has not ended. */
bool engine_child(const struct engine *e, uint64_t job, uint32_t ticket,
                  struct engine_child_info *out);

struct engine_job_info {
	uint32_t tasks_live;
	uint32_t tasks_done;
	uint32_t parent_cancels; /* CANCELs with is_of_parent; 2 is many */
	uint32_t ordinal;        /* of its last output that has one */
	uint32_t tickets;        /* the last one that it has given out */
	gd_nsec  now;            /* the job's logical clock */
	bool     wants_now;      /* ENGINE_WANT_NOW was put out and not answered yet */
	bool     is_busy;        /* the budget has ended in the middle of what it does */
};
bool engine_job_info(const struct engine *e, uint64_t job, struct engine_job_info *out);
/* The soonest deadline of one job that is due by `until`. False: none, or it rests until it knows the
 * time. Cost: the timers of all jobs that are due by then. */
bool engine_next_due_of(const struct engine *e, uint64_t job, gd_nsec until, gd_nsec *due);

/* What a task that has not ended waits for. */
enum engine_wait_kind {
	ENGINE_WAIT_NOTHING,  /* its turn on the loop */
	ENGINE_WAIT_TIME,     /* `until` */
	ENGINE_WAIT_TASK,     /* the one whose address is `on` */
	ENGINE_WAIT_BRANCHES, /* `left` of `count` have not ended */
	ENGINE_WAIT_LIMIT,    /* others that the `limit` let in first */
	ENGINE_WAIT_SIBLINGS, /* those that are named in `after` */
	ENGINE_WAIT_PERMIT,   /* of the semaphore `name`, under `ticket` */
	ENGINE_WAIT_EVENT,    /* `name`, of its job */
	ENGINE_WAIT_TURN,     /* of its command, in the pool `name` (VALUE_NONE: the default one) */
	ENGINE_WAIT_COMMAND,  /* the end of one that runs */
	ENGINE_WAIT_STOP,     /* the end of one that is being stopped */
	ENGINE_WAIT_RESUME,   /* ENGINE_RESUME: it was interrupted, and is held */
	ENGINE_WAIT_CALL,     /* the outcome of a call; `program`: the function, or the URL */
	ENGINE_WAIT_CHILD     /* the end of the child job under `ticket` */
};

struct engine_wait {
	enum engine_wait_kind kind;
	uint32_t              ticket;      /* PERMIT, CHILD, and all of a command */
	uint32_t              attempt;     /* of a command */
	bool                  is_stopping; /* CHILD: it has been told to end */
	uint32_t              left, count;
	gd_nsec               until; /* its deadline, on the wall; GD_NSEC_NEVER: none is known */
	const char           *op;    /* NULL: none */
	struct value          label; /* of the task; VALUE_NONE: none */
	struct value          name;
	struct value          program; /* of a command: argv[0] */
	struct buf            address; /* of the task, without a NUL */
	struct buf            on;
};

/* False: enough. All of `w` is borrowed, and gone when this returns. */
typedef bool             engine_wait_fn(void *ctx, const struct engine_wait *w);
/* In creation order. GD_NOT_FOUND: the job is not here. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err engine_each_wait(const struct engine *e, uint64_t job, engine_wait_fn *fn,
                                          void *ctx);

/* Adds members to a row, each with a comma before it. */
typedef void engine_stack_fn(void *ctx, const struct engine_wait *w, struct buf *b);
/* The await tree of a job as JSON: a list of {address, op, state, waiting_for?, until?, name?}, with
 * what `more` (or NULL) adds, in creation order, at most `limit` rows and no more than the cap of `b`
 * takes; `until` is on the wall. False when the job is not here. */
bool         engine_write_stack(const struct engine *e, uint64_t job, uint32_t limit, struct buf *b,
                                engine_stack_fn *more, void *ctx);

/* Drops what the outputs hold and empties them; engine_outs_close also frees the memory. */
void engine_outs_clear(struct engine *e, struct engine_outs *outs);
void engine_outs_close(struct engine *e, struct engine_outs *outs);

#endif
