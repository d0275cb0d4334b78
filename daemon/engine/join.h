/*
 * join.h - combinators under way: gather, as_completed, task_group, race, shield, wait.
 *
 * A join holds its branches' tasks and counts their ends. Its owner is the task that waits for it:
 * in state TASK_JOINING, with the join in `waiting_on`. What an end means to the owner, and what
 * a cancel of the owner means to the branches, is each kind's own (gather.c, task_group.c, ...).
 *
 * Ownership: counted by its owner's waiting_on (as_completed: by a slot), by each branch that has
 * not ended, and by each waiter of a task of others. Threads: none. Private to daemon/engine/.
 */
#ifndef GATHERD_ENGINE_JOIN_H
#define GATHERD_ENGINE_JOIN_H

#include "daemon/engine/coro.h"

/* obj.flags of a join */
#define JOIN_SETTLED 1u          /* gather: the outcome is fixed. wait: it is over */
#define JOIN_FAILED 2u           /* gather: the outcome is an exception */
#define JOIN_CANCEL_REQUESTED 4u /* gather: its owner was cancelled */
#define JOIN_TIMED_OUT 8u        /* as_completed, wait */
#define JOIN_TIMEOUT_ARMED 16u
#define JOIN_HAS_TASKS 32u     /* some branches are tasks of others */
#define JOIN_ABORTING 64u      /* task_group, race: what is left was cancelled */
#define JOIN_OWNER_CANCEL 128u /* task_group: it cancelled its owner itself */

struct join_run {
	struct sched       sched;
	struct job        *job;
	const struct join *spec;
	struct task       *owner;       /* waits for it now; NULL: nobody does */
	struct join_run   *prev, *next; /* the job's joins */
	struct value       slots;       /* list: a task while it runs, then (gather) its result */
	struct value       items;   /* what the branches are made from; VALUE_NONE when listed */
	struct value       outcome; /* the exception that it ends with; VALUE_NONE: none so far */
	struct value       errors; /* task_group: list of its branches' exceptions, or VALUE_NONE */
	struct value       base;   /* as task_extra.base, for its branches */
	uint32_t           base_node;
	uint32_t          *finished;  /* as_completed, race: indexes in completion order; owned */
	struct waiter    **waiters;   /* JOIN_HAS_TASKS: on tasks of others, by index; owned. It may
	                              * be looked at while that task has not ended */
	uint64_t          *ended;     /* a bit for each branch whose end was seen; owned */
	uint64_t           ended_few; /* its place where 64 bits do */
	struct task       *limited_first, *limited_last; /* wait for a permit, first come first */
	uint32_t           finished_count, finished_taken;
	uint32_t           count;    /* branches in all */
	uint32_t           made;     /* branches begun */
	uint32_t           expected; /* completions to come in all: `count` less duplicates */
	uint32_t           done;
	uint32_t           losers;  /* race: cancelled and not done yet */
	uint32_t           permits; /* UINT32_MAX: no limit */
	uint32_t           serial;
};

static inline struct join_run *join_of(struct sched *s)
{
	return (struct join_run *)(void *)s;
}
static inline bool join_has_ended(const struct join_run *jr, uint32_t index)
{
	return (jr->ended[index / 64] >> (index % 64) & 1) != 0;
}
static inline void join_set_ended(struct join_run *jr, uint32_t index)
{
	jr->ended[index / 64] |= UINT64_C(1) << (index % 64);
}
/* The task of a branch that has not ended. */
static inline struct task *join_task(const struct join_run *jr, uint32_t index)
{
	return task_of(value_list(jr->slots)->at[index]);
}

/* --- join.c: what all kinds share --- */

const struct branch *join_branch(const struct program *p, const struct join *spec, uint32_t i);
/* NULL: heap.failed. */
struct join_run     *join_new(struct running *r, const struct op *op, const struct join *spec);
bool                 join_reserve(struct running *r, struct join_run *jr); /* for jr->count */
/* `t` is the next branch of it, and becomes ready. */
void                 join_adopt(struct running *r, struct join_run *jr, struct task *t);
bool                 join_start_timeout(struct running *r, struct join_run *jr);
enum step            join_wait(struct running *r, struct join_run *jr);
enum step            join_abandon(struct running *r, struct join_run *jr);
/* Its owner goes on: what it waited for is there. */
void                 join_wake_owner(struct join_run *jr);
void                 join_disarm(struct engine *e, struct join_run *jr);
/* The owner has all it wanted from it. */
void                 join_leave(struct running *r, struct join_run *jr);
/* Cancels every branch that has not ended, in order; true when one took it. */
bool                 join_cancel_branches(struct engine *e, struct job *j, struct join_run *jr,
                                          struct value message);
/* The results in order, or by name. */
struct value         join_results(struct running *r, struct join_run *jr);
void join_child_done(struct engine *e, struct job *j, struct join_run *jr, uint32_t index,
                     struct task *t);
void join_timed_out(struct engine *e, struct join_run *jr);
void join_free(struct engine *e, struct join_run *jr);

/* --- listen.c --- */

/* False: no memory. */
bool join_listen_to(struct running *r, struct join_run *jr, uint32_t index);
/* To all tasks of others that are its branches, when these have begun. */
bool join_listen(struct running *r, struct join_run *jr);
/* Tasks of others that go on need not tell it any more. */
void join_stop_listening(struct engine *e, struct join_run *jr);

/* --- limit.c --- */

/* Asks for a permit; false: the task now waits for one. */
bool join_acquire(struct join_run *jr, struct task *t);
void join_release_permit(struct job *j, struct join_run *jr);
void join_leave_queue(struct join_run *jr, struct task *t); /* it waits for a permit no longer */

/* --- after.c --- */

/* Whether a branch may begin; false: it waits for its siblings. */
bool after_is_met(struct join_run *jr, struct task *t);
/* Branches that are tasks which have ended already: their dependents hear of it behind the join. */
bool after_listen(struct running *r, struct join_run *jr);
void after_sibling_done(struct engine *e, struct job *j, struct join_run *jr, uint32_t index,
                        struct task *t);

/* --- the kinds --- */

void      gather_child_done(struct engine *e, struct job *j, struct join_run *jr, uint32_t index,
                            struct task *t);
bool      gather_cancel(struct engine *e, struct job *j, struct join_run *jr, struct value message);
enum step gather_resume(struct running *r, const struct op *op, struct join_run *jr);
void      as_completed_child_done(struct engine *e, struct join_run *jr, uint32_t index);
void task_group_child_done(struct engine *e, struct job *j, struct join_run *jr, uint32_t index,
                           struct task *t);
void race_child_done(struct join_run *jr, uint32_t index, struct task *t);
void wait_child_done(struct engine *e, struct join_run *jr, struct task *t);
/* `exc`: what the owner meets instead of its wake-up (a cancel), or VALUE_NONE; taken. */
enum step    task_group_resume(struct running *r, const struct op *op, struct join_run *jr,
                               struct value exc);
enum step    race_resume(struct running *r, const struct op *op, struct join_run *jr,
                         struct value exc);
enum step    wait_resume(struct running *r, const struct op *op, struct join_run *jr,
                         struct value exc);
enum step    shield_resume(struct running *r, const struct op *op, struct join_run *jr);
/* The same for a task that had ended when it was shielded: it is that task. */
enum step    shield_done(struct running *r, const struct op *op, struct join_run *jr);
/* {name, result} or {index, result}. */
struct value join_completion(struct running *r, struct join_run *jr, uint32_t index,
                             struct value result);

#endif
