/*
 * coro.h - what an engine is made of inside: tasks, frames, joins, waiters, jobs.
 *
 * A task is a coroutine that the loop can resume: asyncio's Task. Its frames are the bodies it is
 * in: the outermost lies inside the task, a called def adds one, and so does a generator while it
 * runs for its consumer. A join is a combinator under way (join.h). A waiter is a done-callback
 * that somebody left on a task.
 *
 *      READY --step--> RUNNING --sleep--> SLEEPING --timer--> READY
 *        ^                |  |--await--> AWAITING --its task ended (steps at once)--> RUNNING
 *        |                |  `--combinator, next completion--> JOINING --join--> READY
 *        |                |--before its first op: `after` --> HELD --siblings done--> READY
 *        |                |                       `limit` --> LIMITED --permit--> READY
 *        |                |--with--> ACQUIRING --permit of the daemon--> READY
 *        |                |--event--> LISTENING --signal--> READY
 *        |                |--exec--> EXECUTING --its end, a line--> READY
 *        |                |--a child job--> PARENTING --its end--> READY
 *        `----------------'--end, error, cancel--> DONE
 *
 * A task in the ready queue is READY, or THROWN: then it raises `result` when it steps.
 *
 * Whatever can stand in a job's ready queue or have a deadline begins with a struct sched. The
 * ready queue is FIFO and takes the ticks that asyncio takes: a task that ends stands in it once
 * more, as "call my done-callbacks".
 *
 * Private to daemon/engine/. Threads: none.
 */
#ifndef GATHERD_ENGINE_CORO_H
#define GATHERD_ENGINE_CORO_H

#include "daemon/engine/engine.h"
#include "daemon/value/limits.h"
#include "daemon/engine/slab.h"
#include "daemon/engine/timer_heap.h"
#include "daemon/engine/wall.h"
#include "proto/base/check.h"

/* A task is never in the ready queue and in the timer heap at one time, so one word serves both. */
struct sched {
	struct vobj obj;
	union {
		struct sched     *next; /* in the ready queue */
		struct timer_node timer;
	} at;
};

enum task_state {
	TASK_READY,
	TASK_RUNNING,
	TASK_SLEEPING,
	TASK_AWAITING,  /* waiting_on: a waiter */
	TASK_JOINING,   /* waiting_on: a join */
	TASK_ACQUIRING, /* waits for a permit of a semaphore outside */
	TASK_LISTENING, /* waiting_on: the wait for an event (job_event.h) */
	TASK_EXECUTING, /* waits for a command (exec.h), whatever cancels it */
	TASK_PARENTING, /* waits for a child job (child.h), whatever cancels it */
	TASK_LIMITED,   /* waits for a permit of its join */
	TASK_HELD,      /* waits for its siblings (`after`) */
	TASK_THROWN,
	TASK_DONE
};

/* obj.flags of a task */
#define TASK_FAILED 1u       /* ended with an exception, which is `result` */
#define TASK_CANCELLED 2u    /* FAILED, and the exception is a CancelledError */
#define TASK_MUST_CANCEL 4u  /* CancelledError is raised when it next steps */
#define TASK_STARTED 8u      /* its body has begun */
#define TASK_HAS_PERMIT 16u  /* of its join's limit */
#define TASK_OF_JOIN 32u     /* `callbacks` is its join */
#define TASK_RETRY_OP 64u    /* the op at pc runs again on resumption */
#define TASK_WAIT_ENDED 128u /* MUST_CANCEL, and its wait was ended by that cancel */

struct frame {
	struct frame *caller; /* owned; NULL for the outermost */
	uint32_t      code;   /* in program->codes */
	uint32_t      pc;     /* in program->ops; of a task that has ended: which of them it was */
	struct value  slots[];
};

/* What few tasks need. */
struct task_extra {
	struct task *prev, *next; /* the job's tasks that no join holds, in creation order */
	struct value name;        /* text, or VALUE_NONE */
	struct value
		base; /* address of the op that made it, when that holds rounds; else VALUE_NONE */
	struct value cancel_message;
	uint32_t     base_node; /* that op's node */
	uint32_t     cancels;   /* asyncio's cancelling(), in programs where it can be seen */
	bool         is_listed;
};

struct task {
	struct sched  sched;
	struct job   *job;
	struct frame *top;
	struct sched *
		callbacks; /* TASK_OF_JOIN: its join (counted); else the last struct waiter of a ring */
	struct value       result; /* DONE: result or exception. SLEEPING: what the sleep will give.
	                       * THROWN: the exception. Before its first op: how many of the siblings
	                       * that it waits for are done. While undos run: a cancel to raise then */
	struct sched      *waiting_on; /* AWAITING, JOINING, LISTENING: counted */
	struct task_extra *extra;      /* owned; NULL for most */
	uint32_t           index;      /* branch of its join; otherwise the number of the last
	                                * as_completed that took it (see join.c) */
	uint32_t           serial;     /* counts the job's tasks; creation order */
	struct frame       frame;      /* the outermost */
};

/* obj.flags of a waiter */
#define WAITER_NO_AFTER 1u   /* those that wait for the branch hear of it from another waiter */
#define WAITER_ONLY_AFTER 2u /* this one */

struct join_run; /* join.h */

/* A done-callback. Either `awaiter` waits, or branch `index` of `join` is counted. */
struct waiter {
	struct sched     sched;
	struct waiter   *prev, *next; /* in the ring of task->callbacks; NULL: in none */
	struct task     *on;          /* counted */
	struct task     *awaiter;     /* borrowed: it cannot end while it waits */
	struct join_run *join;        /* counted */
	uint32_t         index;
};

/* A `timeout` under way: asyncio.timeout(). */
struct timeout_run {
	struct sched sched; /* obj.state: enum timeout_state */
	struct job  *job;
	struct task *task; /* borrowed: whose scope it is; it leaves the scope before it ends */
	gd_nsec      length;
	uint32_t     cancels; /* of the task when it entered */
};

/* A def that yields, between its consumer's calls for values. */
struct generator {
	struct vobj  obj; /* obj.state: enum generator_state */
	struct job  *job;
	struct frame frame;
};

/* What a task has asked of the outside under a ticket: a permit, a command (exec.h), or a child job
 * (child.h). */
struct claim {
	struct sched  sched; /* its type says which */
	struct job   *job;
	struct claim *prev, *next; /* the job's, in the order of their tickets */
	struct claim *chain;       /* in the job's table of them */
	struct task  *task;        /* borrowed: it gives the claim up before it ends */
	uint32_t      ticket;
};

/*      WAITING --granted--> HELD --end of its scope--> RETURNED
 *         `--cancelled: not wanted any more--------------^ */
enum permit_state { PERMIT_WAITING, PERMIT_HELD, PERMIT_RETURNED };

/* One `with` under way. */
struct permit {
	struct claim claim; /* sched.obj.state: enum permit_state */
	struct value name;  /* of the semaphore */
};

enum job_phase {
	JOB_IN_BODY,
	JOB_BODY_DONE, /* the tick in which the body's end was seen is finished first */
	JOB_SWEEPING   /* what was left was cancelled */
};

struct job {
	uint64_t    id;
	struct job *chain; /* in the engine's table; once it is gone from there, among `ended` */
	struct job *active_next;
	struct program *program; /* counted */
	struct task    *main;    /* counted */
	gd_nsec         now;
	struct sched   *ready_first, *ready_last;
	struct sched   *tick_last; /* the tick ends after this one */
	struct sched   *due_first,
		*due_last;       /* timeouts of no length: behind what is ready, next tick */
	struct task     *resume; /* stopped by the budget in the middle of a step */
	struct task     *made_first, *made_last; /* tasks that no join holds */
	struct join_run *joins;
	struct claim    *claims, *claims_last;
	struct claim   **claim_table; /* chained hash by ticket; owned; NULL while they are few */
	uint32_t         claim_room, claim_count;
	struct events   *events; /* owned; NULL: none has been named */
	struct value     title;
	int64_t          value_bytes; /* held, as of the last time it ran */
	uint32_t         ticks;       /* since a timer fired */
	uint32_t         ops;         /* of the running task since it was resumed */
	uint32_t         ordinal;
	uint32_t         serial;
	uint32_t         join_serial;
	uint32_t         ticket_serial;
	uint32_t         tasks_live, tasks_done;
	uint32_t         sweep_serial; /* the last sweep cancelled what was not newer */
	uint32_t         sweep_left;   /* how many of those have not ended */
	uint8_t          phase;        /* enum job_phase */
	uint8_t          parent_cancels;
	uint8_t          sweep_ticks; /* until the next sweep; 0: none is due */
	bool             is_active;
	bool             wants_now;
	bool             is_cancel_requested;
	bool             is_tick_last; /* the entry under way ends the tick */
};

/* Of the objects that the engine makes itself: errors, completions. */
enum member {
	MEMBER_DATA,
	MEMBER_DONE,
	MEMBER_EXCEPTIONS,
	MEMBER_INDEX,
	MEMBER_MESSAGE,
	MEMBER_NAME,
	MEMBER_PATH,
	MEMBER_PENDING,
	MEMBER_RESULT,
	MEMBER_TYPE,
	MEMBER_COUNT
};

struct engine {
	struct value_heap   heap;
	struct slab         slab;
	struct timer_heap   timers;
	struct wall         wall;
	struct job        **table; /* chained hash by id; owned */
	uint32_t            table_room;
	uint32_t            job_count;
	struct job         *ended; /* since the outputs were cleared; owned */
	struct job         *active_first, *active_last;
	uint32_t            waiting_for_now;
	uint32_t            budget; /* for each step */
	int64_t             left;   /* of this step's budget */
	gd_nsec             moment; /* whose timers were fired in part */
	bool                is_in_moment;
	bool                is_behind;
	int64_t             heap_base; /* heap.bytes - heap_base: what the running job holds */
	struct engine_outs *outs;      /* of this step */
	struct buf          scratch;
	struct value        members[MEMBER_COUNT]; /* immortal texts */
	uint32_t            cancel_depth; /* gathers that the cancel under way has gone through */
	uint32_t            free_depth;   /* of objects that free each other */
	struct sched       *to_free;      /* tasks that wait for their turn in that */
};

/* What an op did. */
enum step {
	STEP_NEXT,   /* pc went on; run the next op */
	STEP_WAIT,   /* the task is suspended, or done */
	STEP_RAISED, /* an exception is in `exc` of struct running */
	STEP_PREEMPT /* the budget is used up; run this op again later */
};

/* The task being stepped. */
struct running {
	struct engine *e;
	struct job    *j;
	struct task   *t;   /* NULL: it has ended, and may be gone */
	struct value   exc; /* after STEP_RAISED: a new reference */
};

/* --- ready.c, engine.c --- */

void          ready_push(struct job *j, struct sched *s);
void          due_push(struct job *j, struct sched *s);
void          due_to_ready(struct job *j);
struct sched *ready_pop(struct job *j);
void          engine_activate(struct engine *e, struct job *j);
void          engine_deactivate(struct engine *e, struct job *j);

/* --- members.c --- */

bool         members_open(struct engine *e); /* false: no memory */
void         members_close(struct engine *e);
/* `dict` with a further member; both are taken. */
struct value member_put(struct engine *e, struct value dict, enum member member, struct value v);

/* --- job.c --- */

bool        job_table_open(struct engine *e);
void        job_table_close(struct engine *e); /* drops every job */
struct job *job_find(const struct engine *e, uint64_t id);
struct job *job_new(struct engine *e, const struct engine_in *in); /* NULL: no memory */
void        job_drop(struct engine *e, struct job *j);             /* without a word */
/* The live tasks in creation order; room for tasks_live. Returns how many. */
uint32_t    job_live_tasks(const struct job *j, struct task **all);
void job_sweep(struct engine *e, struct job *j);  /* cancels what is left, in creation order */
void job_finish(struct engine *e, struct job *j); /* puts out how it ended; frees it */
void job_forget_ended(struct engine *e);          /* and the programs that they held */

/* --- out.c --- */

/* Appends an output; false when memory ends (heap.failed is set). `data` is retained. The path and
 * name are those of `t`, where it is not NULL. */
bool engine_put(struct engine *e, struct job *j, enum engine_out_kind kind, struct value data,
                struct task *t);
/* The same for what a claim asks: under its ticket, without an ordinal. NULL: heap.failed. */
struct engine_out *engine_put_claim(struct engine *e, const struct claim *c,
                                    enum engine_out_kind kind, struct value data);
void               engine_free_object(struct value_heap *h, struct vobj *obj);

/* --- task.c: the life of a task and its frames --- */

/* A task that will run `code`, not ready yet; its first slots are copies of `from[i]`, or of
 * `from[code's captures[i]]` where the code has captures. NULL: heap.failed is set. */
struct task *task_new(struct engine *e, struct job *j, uint32_t code, const struct value *from);
/* The same from values that were captured earlier, in the order of the code's first slots. */
struct task *task_new_captured(struct engine *e, struct job *j, uint32_t code,
                               const struct value *captured);
struct task_extra *task_extra(struct engine *e, struct task *t); /* NULL: heap.failed */
void task_list(struct job *j, struct task *t); /* into the job's list of made tasks; has extra */
bool task_makes_events(const struct task *t);
void task_wake(struct job *j, struct task *t);            /* into the ready queue */
void task_stop_waiting(struct engine *e, struct task *t); /* lets go of what it waits for */
/* Ends it: `result` is taken. */
void task_end(struct engine *e, struct job *j, struct task *t, struct value result, unsigned flags);
/* Calls the done-callbacks of a task that has ended. */
void task_run_callbacks(struct engine *e, struct job *j, struct task *t);
void task_drop(struct engine *e, struct job *j,
               struct task *t);                             /* ends a live one without a word */
void task_free(struct engine *e, struct task *t);           /* its last reference has gone */
void task_drop_callbacks(struct engine *e, struct task *t); /* without calling them */
size_t frame_bytes(const struct code *c);                   /* of one that a call adds */
void   frame_drop_slots(struct engine *e, const struct program *p, struct frame *f);

/* --- coro.c: steps --- */

/* Runs from a ready-queue entry, or when what it awaited has ended. */
void task_step(struct engine *e, struct job *j, struct task *t);

/* --- frame.c: calls, returns, and what exceptions and `return` pass on their way out --- */

/* Fills a new frame for a call, its arguments evaluated; `f` has room for its code. False: raised,
 * and its slots are empty again. */
bool      frame_fill_args(struct running *r, const struct call *call, struct frame *f);
bool      frame_has_room(struct running *r);                    /* for one more; false: raised */
void      frame_push(struct task *t, struct frame *f);          /* it runs next */
void      frame_pop(struct engine *e, struct task *t);          /* the top one, of several */
enum step frame_return(struct running *r, struct value result); /* `result` is taken */
/* What leaves the running op: a handler takes it, or the frame ends, and so on outwards.
 * `v` is taken. */
enum step unwind(struct running *r, enum leave how, struct value v);
/* The task ends with r->exc. */
void      fail_task(struct running *r);

/* --- cancel.c --- */

/* asyncio's task.cancel(): true when the request was taken. `message`: text, or null. */
bool         task_cancel(struct engine *e, struct job *j, struct task *t, struct value message);
/* What a task that was cancelled while it ran meets at its suspension. */
void         task_cancel_at_suspension(struct engine *e, struct job *j, struct task *t);
/* Takes the cancel that a task is about to see off it: a CancelledError with its message. */
struct value task_take_cancel(struct engine *e, struct job *j, struct task *t);
uint32_t     task_cancels(const struct task *t); /* asyncio's cancelling() */
uint32_t     task_uncancel(struct task *t);

/* --- waiter.c --- */

void waiter_call(struct engine *e, struct job *j, struct waiter *w); /* drops the waiter */
/* NULL: no memory. The waiter belongs to the callbacks of `on`. */
struct waiter *waiter_add(struct engine *e, struct job *j, struct task *on, struct task *awaiter,
                          struct join_run *join, uint32_t index);
void waiter_remove(struct engine *e, struct waiter *w); /* from a task that has not ended */
void waiter_free(struct engine *e, struct waiter *w);

/* --- claim.c --- */

/* Gives a zeroed claim of `t` its ticket and its place among the job's. */
void          claim_open(struct claim *c, enum value_type type, struct task *t);
void          claim_close(struct claim *c); /* takes it out again */
/* NULL: none of this type has the ticket. O(1). */
struct claim *claim_find(const struct job *j, enum value_type type, uint32_t ticket);

/* --- timeout.c, op_with.c, generator.c, undo.c: objects in slots --- */

void timeout_expired(struct engine *e, struct timeout_run *tr);
void permit_granted(struct job *j, uint32_t ticket);
void permit_free(struct engine *e, struct permit *p);
void timeout_leave(struct engine *e, struct timeout_run *tr); /* it does not expire any more */
void timeout_free(struct engine *e, struct timeout_run *tr);
/* The generator whose frame `f` is, when its code is one. */
struct generator *generator_of(struct frame *f);
/* Its frame has left the task: it never runs again. */
void              generator_end(struct engine *e, struct generator *g);
void              generator_free(struct engine *e, struct generator *g);
struct undo_scope;
void undo_scope_free(struct engine *e, struct undo_scope *u);

/* --- raise.c: exceptions and addresses --- */

struct value exception_new(struct engine *e, struct job *j, struct task *t, const char *type,
                           const char *message, size_t message_bytes);
enum step    raise_text(struct running *r, const char *type, const char *fmt, ...) GD_PRINTF(3, 4);
enum step    raise_value(struct running *r, struct value exc); /* `exc` is taken */
/* value_unsayable(), which counts as work. */
const char  *engine_unsayable(struct engine *e, struct value v, const char **why);
/* False: raised, and `v` was released. `what`: "a yield", ... */
bool         must_be_sayable(struct running *r, struct value v, const char *what);
/* The exception as it can leave the engine: without its data when that is too much. New reference. */
struct value exception_said(struct engine *e, struct value exc);
bool         exception_is(struct value exc, const char *type);
/* Whether "*" catches it: neither CancelledError nor GeneratorExit. */
bool         exception_is_ordinary(struct value exc);
/* Evaluates expression `x`; false: raised, or heap.failed. */
bool         eval(struct running *r, uint32_t x, struct value *out);
void         address_write(struct buf *b, const struct job *j, const struct task *t);
/* The address of the running op when it holds rounds, else VALUE_NONE; for what it makes. */
struct value address_base(struct running *r);
void         slot_set(struct running *r, uint32_t slot, struct value v); /* `v` is taken */

static inline struct task *task_of(struct value v)
{
	return (struct task *)(void *)value_obj(v);
}
/* Where the slot of an armed timer lies inside what it wakes. */
static inline struct sched *sched_of_timer(const struct timer_node *n)
{
	return (struct sched *)(void *)((char *)(uintptr_t)n - offsetof(struct sched, at));
}
static inline bool timer_arm(struct engine *e, struct sched *s, gd_nsec due)
{
	if (!timer_heap_reserve(&e->timers)) {
		e->heap.failed = true;
		return false;
	}
	timer_heap_arm(&e->timers, &s->at.timer, due);
	return true;
}
/* When the wall shows `until`; `due` is when that is, as far as is known. */
static inline bool timer_arm_wall(struct engine *e, struct sched *s, gd_nsec due)
{
	if (!timer_heap_reserve(&e->timers)) {
		e->heap.failed = true;
		return false;
	}
	timer_heap_arm_wall(&e->timers, &s->at.timer, due);
	return true;
}
static inline void sched_release(struct engine *e, struct sched *s)
{
	value_release_obj(&e->heap, &s->obj);
}

#endif
