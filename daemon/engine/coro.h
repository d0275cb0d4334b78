/*
 * coro.h - what an engine is made of inside: tasks, frames, joins, waiters, jobs.
 *
 * A task is a coroutine that the loop can resume: asyncio's Task. Its frames are the bodies it is
 * in: the outermost lies inside the task, a called def adds one. A join is a gather or an
 * as_completed under way. A waiter is a done-callback that somebody left on a task.
 *
 *      READY --step--> RUNNING --sleep--> SLEEPING --timer--> READY
 *        ^                |  |--await--> AWAITING --its task ended (steps at once)--> RUNNING
 *        |                |  |--gather, next completion--> JOINING --join--> READY
 *        |                |  `--limit of its join--> LIMITED --permit--> READY
 *        `----------------'--end, error, cancel--> DONE
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
#include "daemon/engine/limits.h"
#include "daemon/engine/slab.h"
#include "daemon/engine/timer_heap.h"
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
	TASK_AWAITING, /* waiting_on: a waiter */
	TASK_JOINING,  /* waiting_on: a join */
	TASK_LIMITED,  /* waits for a permit of its join */
	TASK_DONE
};

/* obj.flags of a task */
#define TASK_FAILED 1u      /* ended with an exception, which is `result` */
#define TASK_CANCELLED 2u   /* FAILED, and the exception is a CancelledError */
#define TASK_MUST_CANCEL 4u /* CancelledError is raised when it next steps */
#define TASK_STARTED 8u     /* its body has begun */
#define TASK_HAS_PERMIT 16u /* of its join's limit */
#define TASK_OF_JOIN 32u    /* `callbacks` is its join */
#define TASK_RETRY_OP 64u   /* the op at pc runs again on resumption */

struct frame {
	struct frame *caller; /* owned; NULL for the outermost */
	uint32_t      code;   /* in program->codes */
	uint32_t      pc;     /* in program->ops */
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
	bool         is_listed;
};

struct task {
	struct sched  sched;
	struct job   *job;
	struct frame *top;
	struct sched *
		callbacks; /* TASK_OF_JOIN: its join (counted); else the last struct waiter of a ring */
	struct value  result; /* DONE: result or exception. SLEEPING: what the sleep will give */
	struct sched *waiting_on;  /* AWAITING, JOINING: counted */
	struct task_extra *extra;  /* owned; NULL for most */
	uint32_t           index;  /* branch of its join; otherwise the number of the last
	                                * as_completed that took it (see join.c) */
	uint32_t           serial; /* counts the job's tasks; creation order */
	struct frame       frame;  /* the outermost */
};

/* A done-callback. Either `awaiter` waits, or branch `index` of `join` is counted. */
struct waiter {
	struct sched     sched;
	struct waiter   *next;    /* in the ring of task->callbacks */
	struct task     *on;      /* counted */
	struct task     *awaiter; /* borrowed: it cannot end while it waits */
	struct join_run *join;    /* counted */
	uint32_t         index;
};

/* obj.flags of a join */
#define JOIN_SETTLED 1u          /* gather: the outcome is fixed */
#define JOIN_FAILED 2u           /* gather: the outcome is an exception */
#define JOIN_CANCEL_REQUESTED 4u /* gather: its owner was cancelled */
#define JOIN_TIMED_OUT 8u        /* as_completed */
#define JOIN_TIMEOUT_ARMED 16u
#define JOIN_HAS_TASKS 32u /* as_completed: some branches are tasks of others */

struct join_run {
	struct sched       sched;
	struct job        *job;
	const struct join *spec;
	struct task       *owner;       /* waits for it now; NULL: nobody does */
	struct join_run   *prev, *next; /* the job's joins */
	struct value       slots;       /* list: a task while it runs, then (gather) its result */
	struct value       items;   /* what the branches are made from; VALUE_NONE when listed */
	struct value       outcome; /* gather: exception */
	struct value       base;    /* as task_extra.base, for its branches */
	uint32_t           base_node;
	uint32_t          *finished; /* as_completed: indexes in completion order; owned */
	uint32_t           finished_count, finished_taken;
	uint32_t           count;    /* branches in all */
	uint32_t           made;     /* branches begun */
	uint32_t           expected; /* completions to come in all: `count` less duplicates */
	uint32_t           done;
	uint32_t           permits; /* UINT32_MAX: no limit */
	uint32_t           next_limited;
	uint32_t           serial;
};

enum job_phase {
	JOB_IN_BODY,
	JOB_BODY_DONE, /* the tick in which the body's end was seen is finished first */
	JOB_SWEEPING   /* what is left was cancelled */
};

struct job {
	uint64_t        id;
	struct job     *chain; /* in the engine's table */
	struct job     *active_next;
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
	struct value     title;
	int64_t          value_bytes; /* held, as of the last time it ran */
	uint32_t         ticks;       /* since a timer fired */
	uint32_t         ops;         /* of the running task since it was resumed */
	uint32_t         ordinal;
	uint32_t         serial;
	uint32_t         join_serial;
	uint32_t         tasks_live, tasks_done;
	uint8_t          phase; /* enum job_phase */
	bool             is_active;
	bool             wants_now;
	bool             is_cancel_requested;
	bool             is_tick_last; /* the entry under way ends the tick */
};

struct engine {
	struct value_heap   heap;
	struct slab         slab;
	struct timer_heap   timers;
	struct job        **table; /* chained hash by id; owned */
	uint32_t            table_room;
	uint32_t            job_count;
	struct job         *active_first, *active_last;
	uint32_t            waiting_for_now;
	uint32_t            budget; /* for each step */
	int64_t             left;   /* of this step's budget */
	bool                is_behind;
	int64_t             heap_base; /* heap.bytes - heap_base: what the running job holds */
	struct engine_outs *outs;      /* of this step */
	struct buf          scratch;
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
	struct task   *t;
	struct value   exc; /* after STEP_RAISED: a new reference */
};

/* --- engine.c: the ready queue --- */

void          ready_push(struct job *j, struct sched *s);
void          due_push(struct job *j, struct sched *s);
struct sched *ready_pop(struct job *j);
void          engine_activate(struct engine *e, struct job *j);
void          engine_deactivate(struct engine *e, struct job *j);

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

/* --- out.c --- */

/* Appends an output; false when memory ends (heap.failed is set). `data` is retained. The path and
 * name are those of `t`, where it is not NULL. */
bool engine_put(struct engine *e, struct job *j, enum engine_out_kind kind, struct value data,
                struct task *t);
void engine_free_object(struct value_heap *h, struct vobj *obj);

/* --- task.c: the life of a task and its frames --- */

/* A task that will run `code`, not ready yet; its first slots are copies of `from[i]`, or of
 * `from[code's captures[i]]` where the code has captures. NULL: heap.failed is set. */
struct task *task_new(struct engine *e, struct job *j, uint32_t code, const struct value *from);
struct task_extra *task_extra(struct engine *e, struct task *t); /* NULL: heap.failed */
void task_list(struct job *j, struct task *t); /* into the job's list of made tasks; has extra */
bool task_makes_events(const struct task *t);
void task_stop_waiting(struct engine *e, struct task *t); /* lets go of what it waits for */
/* Ends it: `result` is taken. */
void task_end(struct engine *e, struct job *j, struct task *t, struct value result, unsigned flags);
/* Calls the done-callbacks of a task that has ended. */
void task_run_callbacks(struct engine *e, struct job *j, struct task *t);
void task_drop(struct engine *e, struct job *j,
               struct task *t);                   /* ends a live one without a word */
void task_free(struct engine *e, struct task *t); /* its last reference has gone */
size_t frame_bytes(const struct code *c);         /* of one that a call adds */
void   frame_drop_slots(struct engine *e, const struct program *p, struct frame *f);

/* --- coro.c: steps and calls --- */

/* Runs from a ready-queue entry, or when what it awaited has ended. */
void      task_step(struct engine *e, struct job *j, struct task *t);
enum step frame_return(struct running *r, struct value result); /* `result` is taken */
enum step call_enter(struct running *r, const struct op *op);

/* --- raise.c: exceptions and addresses --- */

struct value exception_new(struct engine *e, struct job *j, struct task *t, const char *type,
                           const char *message, size_t message_bytes);
enum step    raise_text(struct running *r, const char *type, const char *fmt, ...) GD_PRINTF(3, 4);
enum step    raise_value(struct running *r, struct value exc); /* `exc` is taken */
/* Evaluates expression `x`; false: raised, or heap.failed. */
bool         eval(struct running *r, uint32_t x, struct value *out);
void         address_write(struct buf *b, const struct job *j, const struct task *t);
/* The address of the running op when it holds rounds, else VALUE_NONE; for what it makes. */
struct value address_base(struct running *r);
void         slot_set(struct running *r, uint32_t slot, struct value v); /* `v` is taken */

/* --- op_time.c, op_flow.c, op_task.c, join.c: one function for each op --- */

enum step    op_sleep(struct running *r, const struct op *op);
enum step    op_sleep_until(struct running *r, const struct op *op);
enum step    op_eval(struct running *r, const struct op *op);
enum step    op_jump_unless(struct running *r, const struct op *op);
/* What a `for` goes over: a list, a lazy range, the keys of a dict. `v` is taken; VALUE_NONE:
 * raised. */
struct value iterable_of(struct running *r, struct value v);
uint32_t     iterable_count(struct value v);
struct value iterable_at(struct value_heap *h, struct value v, uint32_t i); /* new reference */
enum step    op_iter(struct running *r, const struct op *op);
enum step    op_next(struct running *r, const struct op *op);
enum step    op_append(struct running *r, const struct op *op);
enum step    op_yield(struct running *r, const struct op *op);
enum step    op_return(struct running *r, const struct op *op);
enum step    op_create_task(struct running *r, const struct op *op);
enum step    op_await(struct running *r, const struct op *op);
enum step    op_await_resume(struct running *r, const struct op *op);
enum step    op_cancel(struct running *r, const struct op *op);
enum step    op_join(struct running *r, const struct op *op);
enum step    op_join_resume(struct running *r, const struct op *op);
enum step    op_join_next(struct running *r, const struct op *op);

/* asyncio's task.cancel(): true when the request was taken. `message`: text, or null. */
bool task_cancel(struct engine *e, struct job *j, struct task *t, struct value message);
void waiter_call(struct engine *e, struct job *j, struct waiter *w); /* drops the waiter */
bool waiter_add(struct engine *e, struct job *j, struct task *on, struct task *awaiter,
                struct join_run *join, uint32_t index);
void waiter_free(struct engine *e, struct waiter *w);

const struct branch *join_branch(const struct program *p, const struct join *spec, uint32_t i);
void gather_child_done(struct engine *e, struct job *j, struct join_run *jr, uint32_t index,
                       struct task *t);
void join_child_done(struct engine *e, struct job *j, struct join_run *jr, uint32_t index,
                     struct task *t);
bool join_cancel(struct engine *e, struct job *j, struct join_run *jr, struct value message);
void join_timed_out(struct engine *e, struct job *j, struct join_run *jr);
/* Asks for a permit; false: the task now waits for one. */
bool join_acquire(struct job *j, struct join_run *jr, struct task *t);
void join_release_permit(struct engine *e, struct job *j, struct join_run *jr);
void join_free(struct engine *e, struct join_run *jr);

static inline struct task *task_of(struct value v)
{
	return (struct task *)(void *)value_obj(v);
}
static inline void sched_release(struct engine *e, struct sched *s)
{
	value_release_obj(&e->heap, &s->obj);
}

#endif
