/*
 * ops.h - one function for each op that has a file of its own: op_*.c and those named below.
 *
 * An op reads pc's struct op, works on the top frame, and says how it went on (enum step). The
 * *_resume functions are the second half of an op that suspended. Private to daemon/engine/.
 */
#ifndef GATHERD_ENGINE_OPS_H
#define GATHERD_ENGINE_OPS_H

#include "daemon/engine/coro.h"

/* op_time.c */
enum step op_sleep(struct running *r, const struct op *op);
enum step op_sleep_until(struct running *r, const struct op *op);
enum step op_sleep_resume(struct running *r, const struct op *op);
/* Waits until `due`; the op gives `result` (taken) when it resumes. */
enum step sleep_until(struct running *r, gd_nsec due, struct value result);

/* op_flow.c */
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
enum step    op_return(struct running *r, const struct op *op);
enum step    op_match_text(struct running *r, const struct op *op);
enum step    op_case(struct running *r, const struct op *op);

/* op_raise.c */
enum step op_raise(struct running *r, const struct op *op);
enum step op_except(struct running *r, const struct op *op);
enum step op_normal(struct running *r, const struct op *op);
/* What the pair of slots holds goes on outwards; nothing: the next op. */
enum step op_leave(struct running *r, const struct op *op);
enum step op_reraise(struct running *r, const struct op *op);

/* op_task.c */
/* The label that expression `x` (or PROGRAM_NONE) gives a task, text or VALUE_NONE; false: raised. */
bool         task_label(struct running *r, uint32_t x, struct value *out);
/* A task of `code`, ready; its handle goes where the op says. `name` is taken. NULL: heap.failed. */
struct task *task_create(struct running *r, const struct op *op, uint32_t code, struct value name);
enum step    op_create_task(struct running *r, const struct op *op);
enum step    op_await(struct running *r, const struct op *op);
enum step    op_await_resume(struct running *r, const struct op *op);
/* Raises what `t` ended with, or gives its result. */
enum step    outcome_of(struct running *r, struct task *t, struct value *out);

/* cancel.c */
enum step op_cancel(struct running *r, const struct op *op);

/* timeout.c */
enum step op_timeout(struct running *r, const struct op *op);
enum step op_timeout_end(struct running *r, const struct op *op);

/* op_with.c */
enum step op_with(struct running *r, const struct op *op);
enum step op_with_end(struct running *r, const struct op *op);
void      permit_return(struct running *r, struct permit *p); /* or asks for it no more */
void      with_leave(struct running *r, uint32_t slot);       /* the permit in it */

/* op_retry.c */
enum step op_retry_begin(struct running *r, const struct op *op);
enum step op_retry(struct running *r, const struct op *op);
enum step op_retry_resume(struct running *r, const struct op *op);

/* undo.c */
enum step op_undo_open(struct running *r, const struct op *op);
enum step op_undo_add(struct running *r, const struct op *op);
enum step op_undo_close(struct running *r, const struct op *op);
enum step op_undo_resume(struct running *r, const struct op *op);
/* A cancel, or another exception (taken), comes while undos run. */
enum step undo_meet(struct running *r, const struct op *op, struct value exc);

/* generator.c */
enum step op_gen_new(struct running *r, const struct op *op);
enum step op_gen_next(struct running *r, const struct op *op);
enum step op_gen_close(struct running *r, const struct op *op);
enum step op_yield(struct running *r, const struct op *op);

/* job_event.c */
enum step op_event(struct running *r, const struct op *op);
enum step op_event_resume(struct running *r, const struct op *op);

/* op_exec.c */
enum step op_exec(struct running *r, const struct op *op);
enum step op_exec_resume(struct running *r, const struct op *op);
enum step op_exec_open(struct running *r, const struct op *op);
enum step op_exec_line(struct running *r, const struct op *op);
enum step op_exec_close(struct running *r, const struct op *op);
enum step op_exec_closed(struct running *r, const struct op *op);
/* A cancel (taken) meets the task, which waits for its command. */
enum step exec_meet(struct running *r, const struct op *op, struct value exc);

/* op_child.c */
enum step op_create_child(struct running *r, const struct op *op);
enum step op_child(struct running *r, const struct op *op);
enum step op_child_resume(struct running *r, const struct op *op);

/* join.c, as_completed.c, wait.c */
enum step op_join(struct running *r, const struct op *op);
enum step op_join_resume(struct running *r, const struct op *op);
enum step op_join_next(struct running *r, const struct op *op);
enum step op_wait(struct running *r, const struct op *op);
enum step op_wait_resume(struct running *r, const struct op *op);

#endif
