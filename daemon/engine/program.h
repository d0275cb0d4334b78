/*
 * program.h - a compiled job: flat arrays, immutable, shared by every job with an equal spec.
 *
 * load/ makes one; the engine runs it. A program holds several codes: code 0 is the body of the
 * job, then one for each branch, task and def. A code is a range of ops and a number of slots;
 * every name and every intermediate result has its slot, so that a frame needs no stack.
 *
 * Ownership: counted; program_retain()/program_release() are atomic, since loops share programs.
 * Everything inside is owned by the program and freed with it.
 */
#ifndef GATHERD_ENGINE_PROGRAM_H
#define GATHERD_ENGINE_PROGRAM_H

#include "daemon/expr/expr.h"

#include <stdatomic.h>

#define PROGRAM_NONE UINT32_MAX /* "not there", for every index below */

/* What one op does. `dst` is a slot of the running frame; the result goes there, and what was
 * there is released, after everything the op reads was read. a, b, c as listed; "x" is an index
 * into exprs, PROGRAM_NONE where optional. A pc counts from the program's first op, not the code's. */
enum op_kind {
	OP_EVAL,        /* dst = x[a] */
	OP_JUMP,        /* pc = a */
	OP_JUMP_UNLESS, /* pc = a unless x[b] is true */
	OP_SLEEP,       /* wait duration x[a]; dst = x[b]? or null */
	OP_SLEEP_UNTIL, /* wait until time x[a] (RFC 3339 text or seconds); dst = null */
	OP_ITER, /* dst, dst+1 = iterator over x[a] (list, dict keys, lazy range); else TypeError */
	OP_NEXT, /* dst = next of the iterator in slots b, b+1; pc = a when it has ended */
	OP_LIST_NEW,  /* dst = [] */
	OP_APPEND,    /* slot dst (a list) gets slot b appended; b becomes VALUE_NONE */
	OP_JOIN,      /* start join[a]; gather: dst = result once complete;
	                  * as_completed: dst = the join itself, at once */
	OP_JOIN_NEXT, /* as_completed in slot b: dst = {name|index, result} of the next completion;
	                  * pc = a when there is none left, and slot b becomes VALUE_NONE */
	OP_JOIN_RESULT,  /* the same, but dst = the result alone */
	OP_CREATE_TASK,  /* dst = handle of a new task running code a, labelled x[b]? */
	OP_CREATE_CHILD, /* dst = handle of a new task that waits for a child job, child[a], labelled
	                  * x[b]? */
	OP_CHILD, /* in that task: dst = result of child[a]; slot b holds the claim meanwhile, slots
	           * CHILD_CAPTURES and CHILD_LOOP what it is made of */
	OP_AWAIT, /* dst = result of the handle x[a]; of a list: the list of results. c, c+1, c+2:
	                  * three scratch slots */
	OP_CANCEL, /* cancel handle(s) x[a] with message x[b]?; dst = bool or list of bool */
	OP_CALL,   /* dst = result of def code call[a] */
	OP_YIELD, /* x[a] goes to the job's output stream, in a generator to its consumer; dst = null */
	OP_RETURN, /* the code (a def's or the job's) ends with x[a], through its FINALLY handlers */
	OP_END,    /* the code ends with the value in slot dst */

	/* Exceptions. "pair b" is the pair of slots of a handler, see struct handler. */
	OP_RAISE,   /* raise x[a]: text is a type; a dict is {type, message?, data?} */
	OP_RERAISE, /* raise what pair b holds */
	OP_EXCEPT, /* dst = the exception that pair b holds, if its type is x[c] (constant text; "*" is
	                 * any Exception, so neither CancelledError nor GeneratorExit); else pc = a */
	OP_NORMAL, /* pair dst = nothing is under way */
	OP_LEAVE,  /* end of a FINALLY part: what pair b holds goes on; nothing: the next op */

	/* Scopes: each lies in slot dst from its opening op on. */
	OP_TIMEOUT,     /* dst = the task is cancelled when duration x[a] has passed; null: never */
	OP_TIMEOUT_END, /* leaves the scope in slot dst: as OP_LEAVE with pair b, but a CancelledError
	                      * that its deadline caused becomes a TimeoutError */
	OP_RETRY_BEGIN, /* dst = options of retry[a], evaluated and checked */
	OP_RETRY, /* attempt number in slot c failed with what pair b holds: waits the pause that
	                      * the options in slot dst give; raises it again when it was the last, or is
	                      * of a type that retry[a] does not retry */
	OP_UNDO_OPEN, /* dst = scope for undos within the one in slot b, where b is a slot */
	OP_UNDO_ADD, /* a step has succeeded: registers code a with the scope in slot b. A scope that
	                      * has failed already runs it at once */
	OP_UNDO_CLOSE, /* leaves the scope in slot dst: when pair b holds an exception runs what is
	                      * registered, last first, otherwise hands it to the outer scope. A cancel
	                      * meanwhile takes the place of what pair b holds. Then the next op */
	OP_EXEC,       /* dst = result of the command exec[a]; slot b holds it meanwhile */
	OP_OUTCALL,    /* the same for outcall[a] */

	OP_EVENT, /* dst = value of the job's event named x[a], once it is set */

	OP_WITH,     /* dst = permit of the semaphore named x[a], once it is granted */
	OP_WITH_END, /* gives back the permit in slot dst; then as OP_LEAVE with pair b */

	/* Generators. */
	OP_GEN_NEW,   /* dst = generator of def code call[a], not begun */
	OP_GEN_NEXT,  /* dst = next value of the generator in slot b; pc = a at its end */
	OP_GEN_CLOSE, /* closes the generator in slot b: GeneratorExit is raised at its yield */

	/* A command as a generator of its lines. */
	OP_EXEC_OPEN,  /* slot b = the command exec[a], begun */
	OP_EXEC_LINE,  /* dst = next line of the command in slot b; pc = a at its end */
	OP_EXEC_CLOSE, /* stops the command in slot b and waits for its end */

	OP_WAIT,       /* handles of join[a] (kind JOIN_WAIT); dst = {done, pending} */
	OP_MATCH_TEXT, /* dst = x[a] as `match` compares it: text itself, the rest as compact JSON */
	OP_CASE        /* pc = a unless the text in slot b equals x[c] (constant) */
};

#define OP_OF_GENERATOR 1u /* flag of OP_YIELD: to the consumer */

struct op {
	uint8_t  kind; /* enum op_kind */
	uint8_t  flags;
	uint16_t dst;
	uint32_t a;
	uint32_t b;
	uint32_t c;
	uint32_t node;    /* where it stands in the spec */
	uint32_t handler; /* the innermost that covers it, or PROGRAM_NONE */
};

/* Who takes an exception, or a `return`, that leaves the ops it covers. It puts what happened into
 * its pair of slots (LEAVE_*, and the exception or the value) and goes on at `landing`. */
enum handler_kind {
	HANDLER_EXCEPT, /* exceptions only */
	HANDLER_FINALLY /* `return` as well */
};

enum leave { LEAVE_NORMAL, LEAVE_RAISE, LEAVE_RETURN };

struct handler {
	uint32_t landing; /* op; in the code of the ops it covers */
	uint32_t outer;   /* the next one outwards in the same code, or PROGRAM_NONE */
	uint32_t code;
	uint16_t pair; /* slots pair (an int, enum leave) and pair + 1 */
	uint8_t  kind; /* enum handler_kind */
};

#define CAPTURE_UNREAD UINT16_MAX /* of a child's body: nothing reads that slot */

/* One coroutine body. The first `capture_count` slots are filled when a coroutine starts: from
 * the maker's slots captures[i] for branches and tasks (a snapshot), from the arguments in order
 * for defs and for the job. The other slots start as VALUE_NONE. */
struct code {
	uint32_t  first_op;
	uint32_t  op_count;
	uint32_t  node; /* the branch, task or def body */
	uint16_t  slot_count;
	uint16_t  capture_count;
	uint16_t *captures;     /* slots of the maker; NULL for defs and the job */
	bool      is_generator; /* a def that yields: only OP_GEN_NEW may call it */
};

/* Where an op stands: its JSON Pointer is the parent's plus "/" and `key`, escaped (~0 ~1). */
struct node {
	uint32_t    parent;  /* PROGRAM_NONE for the root */
	const char *key;     /* member name or decimal index; "" for the root */
	const char *op;      /* operation there ("sleep", ...), static; NULL when none */
	uint32_t    counter; /* slot that holds the count of rounds of the loop whose body this is
	                         * (an OP_ITER's dst + 1, an int), else PROGRAM_NONE. It is 1 in the
	                         * first round: the address shows one less */
	uint32_t    attempt; /* slot of its `retry` that counts attempts, else PROGRAM_NONE: "@n" */
	bool        is_branch; /* body of a comprehension: "#index of the task" follows the key */
};

enum join_kind {
	JOIN_GATHER,
	JOIN_AS_COMPLETED,
	JOIN_TASK_GROUP,
	JOIN_RACE,
	JOIN_SHIELD, /* one listed branch; the value is that branch's */
	JOIN_WAIT    /* no branches: `in` gives a handle or a list of handles */
};

#define JOIN_RETURN_EXCEPTIONS 1u
#define JOIN_OBJECT 2u /* branches have names: gather gives a dict, a completion has `name` */
#define JOIN_EVENTS 4u /* its branches make task events */
#define JOIN_UNTIL_SUCCESS 8u    /* race: failures do not decide it */
#define JOIN_FIRST_COMPLETED 16u /* wait: return_when; neither flag: ALL_COMPLETED */
#define JOIN_FIRST_EXCEPTION 32u
#define JOIN_HAS_AFTER 64u /* some branch has `after` */

/* One branch. `await` is the expression of a branch that is exactly {"await": x}: when x is a
 * handle, the branch is that task; otherwise (and where `await` is PROGRAM_NONE) a new coroutine
 * runs `code`. */
struct branch {
	uint32_t     code;
	uint32_t     await; /* x, or PROGRAM_NONE */
	struct value name;  /* immortal text for JOIN_OBJECT, else VALUE_NONE */
	uint32_t     label; /* x of the modifier `name`, or PROGRAM_NONE */
	/* `after`: it begins when these siblings are done; their results go into its slots. */
	uint32_t     first_after; /* in afters */
	uint32_t     after_count;
	/* The other way round: who waits for it. */
	uint32_t     first_dependent; /* in dependents: indexes of branches of this join */
	uint32_t     dependent_count;
};

struct after {
	uint32_t branch; /* index of the sibling in the join */
	uint32_t slot;   /* of the waiting branch's code, for its result; PROGRAM_NONE: not read */
};

/* The options of a `retry`; x's, PROGRAM_NONE where not given. */
struct retry {
	uint32_t attempts, delay, backoff, max_delay, jitter;
	uint32_t first_on; /* in retry_on: immortal texts; on_count 0: all but CancelledError */
	uint32_t on_count;
};

/* The branches of a combinator: listed, or one body for each item of x[in]. */
struct join {
	enum join_kind kind;
	uint32_t       flags;        /* JOIN_* */
	uint32_t       first_branch; /* in branches; with `in` there is exactly one, the body */
	uint32_t       branch_count;
	uint32_t       in;      /* x, or PROGRAM_NONE */
	uint16_t       var;     /* slot of the maker that holds the `for` variable meanwhile */
	uint32_t       limit;   /* x, or PROGRAM_NONE */
	uint32_t       timeout; /* x, or PROGRAM_NONE (as_completed, wait) */
	uint32_t       node;
};

struct call {
	uint32_t code;
	uint32_t first_arg; /* in args: one x for each parameter, in the def's order */
	uint32_t arg_count;
};

/* What becomes of a command, or a call, whose outcome nobody knows. */
enum exec_interrupt {
	EXEC_INTERRUPT_FAIL,
	EXEC_INTERRUPT_RETRY,
	EXEC_INTERRUPT_HOLD,
	EXEC_INTERRUPT_BY_METHOD /* of an HTTP request that does not say: again if that is safe */
};

#define EXEC_CHECKS 1u      /* a code other than 0, or a signal, is an ExecError */
#define EXEC_GIVES_LINES 2u /* its stdout goes to an async_for, line by line */
#define EXEC_DROPS_OUT 4u   /* stdout: DEVNULL */
#define EXEC_DROPS_ERR 8u   /* stderr: DEVNULL */
#define EXEC_MERGES_ERR 16u /* stderr: STDOUT */

/* A command; x's, PROGRAM_NONE where not given. */
struct exec {
	uint32_t first_arg; /* in args: one x for each argument; without a profile the program's
	                     * name first */
	uint32_t arg_count;
	uint32_t first_env; /* in args: for each variable the x of its name, a constant, and of
	                     * its value */
	uint32_t env_count;
	uint32_t input, cwd, timeout, grace, pool;
	uint32_t profile;   /* x of its name, a constant; the arguments are what stands behind it */
	uint32_t node;      /* where it stands */
	uint8_t  interrupt; /* enum exec_interrupt */
	uint8_t  flags;     /* EXEC_* */
};

enum outcall_kind { OUTCALL_THREAD, OUTCALL_HTTP };

/* A call that leaves the engine: of a built-in function on a thread, or an HTTP request. */
struct outcall {
	uint32_t first_arg; /* in args: for each part of the request the x of its name, a constant,
	                     * and of its value. Of a thread: the function, a constant, then its
	                     * arguments */
	uint32_t arg_count; /* parts */
	uint32_t node;      /* where it stands */
	uint8_t  kind;      /* enum outcall_kind */
	uint8_t  interrupt; /* enum exec_interrupt */
	bool     checks;    /* HTTP: a status that is not 2xx is an HttpError */
	bool     is_listed; /* thread: the arguments stand in a list */
	bool     is_bare;   /* HTTP: the URL stands alone, not in an object */
};

/* A task that is a job of its own. The slots of the code that waits for it are these. */
enum { CHILD_CAPTURES, CHILD_LOOP, CHILD_CLAIM, CHILD_RESULT, CHILD_SLOTS };

struct child {
	uint32_t code;  /* its body; captures are slots of the maker, or CAPTURE_UNREAD */
	uint32_t proxy; /* code of the task that waits for it: OP_CHILD, OP_END */
	uint32_t loop;  /* x: a name or a number */
	uint32_t node;  /* of its create_task; its body's is the one below */
};

struct program {
	atomic_uint      refs;
	struct op       *ops;
	uint32_t         op_count;
	struct code     *codes; /* [0]: the job */
	uint32_t         code_count;
	struct expr     *exprs;
	uint32_t         expr_count;
	struct expr_code expr_code;
	struct node     *nodes;
	uint32_t         node_count;
	struct join     *joins;
	uint32_t         join_count;
	struct branch   *branches;
	uint32_t         branch_count;
	struct call     *calls;
	uint32_t         call_count;
	uint32_t        *args;
	uint32_t         arg_count;
	struct exec     *execs;
	uint32_t         exec_count;
	struct outcall  *outcalls;
	uint32_t         outcall_count;
	struct child    *children;
	uint32_t         child_count;
	struct handler  *handlers;
	uint32_t         handler_count;
	struct after    *afters;
	uint32_t         after_count;
	uint32_t        *dependents;
	uint32_t         dependent_count;
	struct retry    *retries;
	uint32_t         retry_count;
	struct value    *retry_on; /* immortal text */
	uint32_t         retry_on_count;
	struct value    *arg_names; /* of the job: immortal text, in the order of code 0's slots */
	struct value *arg_defaults; /* immortal; VALUE_NONE never: a header's arg has a default */
	uint32_t      job_arg_count;
	struct value  title;           /* immortal text, or VALUE_NULL */
	struct value  loop;            /* header `loop`: immortal text or int, or VALUE_NULL */
	bool          only_job_events; /* "events": "job" */
	bool          counts_cancels;  /* it has a timeout or a task_group somewhere */
	size_t        bytes;           /* about what it holds, for caches */
	char         *text;            /* storage of the keys */
};

struct program *program_retain(struct program *p);
void            program_release(struct program *p); /* NULL is allowed */

/* The JSON Pointer of a node, without rounds: "/do/2/gather/a". */
void program_write_pointer(struct buf *b, const struct program *p, uint32_t node);
/* A key as a part of one: "a/b" is written "a~1b". */
void program_write_key(struct buf *b, const char *key);

#endif
