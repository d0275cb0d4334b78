/*
 * exec.h - commands and calls under way, as the engine knows them.
 *
 * The engine knows no processes. It puts out what it wants to run (ENGINE_EXEC, ENGINE_CALL), is told when that
 * begins and how it ended, and says when it has to stop. What it promises to a job: nothing goes on
 * behind the end of a command, so a cancel, a deadline or a consumer that breaks off first stops the
 * command and is met when its end has come.
 *
 *     WAITING --BEGIN--> RUNNING --EXITED--------------------------> ENDED
 *      ^   |              | | `--cancel, deadline: STOP--> STOPPING --EXITED--> ENDED
 *      |   |              | `--EXITED interrupted, `hold`--> HELD --RESUME fail, cancel--> ENDED
 *      |   `--cancel: STOP, wanted no more--> ENDED           |
 *      `------ EXITED interrupted, `retry`; RESUME retry -----'    (an attempt more)
 *
 * A call, on a thread or by HTTP, is never STOPPING: who is cancelled does not wait for its end, which
 * is RECALLed and dropped. It may end before it BEGINs, which only some do.
 *
 * Ownership: counted. The slot of its op holds one reference, and the list of the job's claims one
 * until it has ENDED; a slot that is dropped before leaves a command that nobody waits for, which the
 * end of the job stops and awaits. Private to daemon/engine/. Threads: none.
 */
#ifndef GATHERD_ENGINE_EXEC_H
#define GATHERD_ENGINE_EXEC_H

#include "daemon/engine/coro.h"

enum exec_state { EXEC_WAITING, EXEC_RUNNING, EXEC_STOPPING, EXEC_HELD, EXEC_ENDED };

/* claim.sched.obj.flags */
#define EXEC_ARMED 1u  /* its deadline is in the heap */
#define EXEC_LATE 2u   /* stopped by it */
#define EXEC_DEAF 4u   /* nobody takes its lines any more */
#define EXEC_KILLED 8u /* said */

/* What is asked for. */
enum exec_kind { EXEC_COMMAND, EXEC_CALL };

struct exec_run {
	struct claim claim;   /* sched.obj.state: enum exec_state; sched.at: its deadline */
	struct value request; /* see ENGINE_EXEC */
	struct value path;    /* address of its op, text */
	struct value outcome; /* what EXITED said; VALUE_NONE before */
	struct value lines;   /* that have come and are not all taken; VALUE_NONE: all are */
	struct value cancel; /* that its task has met; raised when it has ended. VALUE_NONE: none */
	uint32_t     next_line;
	uint32_t     attempt;   /* from 1 */
	gd_nsec      timeout;   /* of a command, from BEGIN on; GD_NSEC_NEVER: none */
	uint8_t      kind;      /* enum exec_kind */
	uint8_t      interrupt; /* enum exec_interrupt */
	bool         checks;    /* an end that is no success is raised */
};

/* --- exec_run.c: its life --- */

/* For op `op` of the running task, put out; nothing is put out when a cancel of the task is due at its
 * next wait. NULL: raised, or heap.failed. */
struct exec_run *exec_open_command(struct running *r, const struct op *op);
struct exec_run *exec_open_call(struct running *r, const struct op *op);
void             exec_free(struct engine *e, struct exec_run *x);
/* BEGIN, EXITED, LINES, RESUME; one that fits no command in that state is ignored: it came twice, or
 * too late. */
void             exec_take(struct engine *e, struct job *j, const struct engine_in *in);
void             exec_expired(struct engine *e, struct exec_run *x); /* its deadline has come */
/* It is wanted no more. True when its end is still to come, which must be waited for. */
bool             exec_stop(struct engine *e, struct exec_run *x);
/* The same for what task `t` waits for: TASK_EXECUTING. */
bool             exec_stop_awaited(struct engine *e, struct task *t);
/* All that came is taken: more may come. */
void             exec_want_lines(struct engine *e, struct exec_run *x);
/* Nobody will ever wait for it. */
void             exec_abandon(struct engine *e, struct exec_run *x);
/* What is being stopped is killed, without its grace. */
void             exec_kill_all(struct engine *e, struct job *j);
/* No task is left, so that nobody waits: stops what runs. True when a command has not ended. */
bool             exec_is_left(struct engine *e, struct job *j);
void             exec_drop_all(struct engine *e, struct job *j); /* without a word */
/* The command that a task in TASK_EXECUTING waits for. */
struct exec_run *exec_awaited(const struct task *t);

/* --- exec_request.c --- */

/* Evaluates what a command wants, and checks it; false: raised, as TypeError, ValueError, LimitError or
 * what an expression raised. `*request` is a new reference. */
bool exec_request(struct running *r, const struct exec *spec, struct value *request,
                  gd_nsec *timeout);

/* --- exec_outcome.c: how it ended, for the job --- */

/* One that has ENDED. False: raised, as ExecError, InterruptedError, TimeoutError. */
bool                exec_outcome_check(struct running *r, const struct exec_run *x);
bool                exec_outcome_is_interrupted(struct value outcome);
/* {code, signal}, a new reference. */
struct value        exec_outcome_status(struct engine *e, struct value outcome);
/* The program, the profile, the function or the URL, for people; borrowed from the request. */
const struct vtext *exec_program(const struct exec_run *x);

void         exec_add_program(struct buf *b, const struct exec_run *x); /* clipped */
/* Raises what `b` says, and closes it. `data` is taken; VALUE_NONE: none. False. */
bool         exec_raise(struct running *r, const char *type, struct buf *b, struct value data);
/* A member; null where there is none, or no dict. Borrowed. */
struct value exec_member(struct value dict, const char *name);

/* --- outcall.c: calls --- */

const struct vtext *outcall_name(const struct exec_run *x); /* as exec_program() */

/* As exec_request(); `*interrupt`: what becomes of it when nobody knows how it ended. */
bool         outcall_request(struct running *r, const struct outcall *spec, struct value *request,
                             enum exec_interrupt *interrupt);
/* As exec_outcome_check(). */
bool         outcall_check(struct running *r, const struct exec_run *x);
struct value outcall_result(const struct exec_run *x); /* borrowed; of one that was checked */
/* What its event tells: {status}, or VALUE_NONE. A new reference. */
struct value outcall_status(struct engine *e, const struct exec_run *x);

#endif
