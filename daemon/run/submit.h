/*
 * submit.h - a job enters: its record, its event, its first step.
 *
 * Without a key a job starts at once, and all that it does in its first turn is one group. With a
 * key nobody knows yet whether the job is new: it starts when its commit has said so.
 *
 * Ownership: a submission borrows all it points to. Threads: submit_here() on the loop that will
 * own the job, submit_elsewhere() on another one.
 */
#ifndef GATHERD_RUN_SUBMIT_H
#define GATHERD_RUN_SUBMIT_H

#include "daemon/load/load.h"
#include "daemon/run/loop.h"

#define SUBMIT_QUEUE_MAX \
	200000u /* records that wait for the writer; above it nothing is taken in */

struct submission {
	uint64_t        id; /* from pool_take_id() for the owning loop */
	struct program *program;
	const json_t   *args; /* object, or NULL; load_args() has accepted it */
	struct text     owner;
	struct text     key;    /* NULL: none */
	struct text     title;  /* NULL: the program's */
	struct text     labels; /* JSON list; NULL: none */
	struct text     spec;
	struct text     args_text; /* JSON object; NULL: none */
	struct text     loop_name; /* by which its loop was chosen; NULL: another way */
	gd_nsec         start_at;  /* on the wall; 0: at once */
	gd_nsec         retain;    /* as in struct store_job */
	int32_t         priority;  /* the same */
};

/* Memory that ends half-way ends the process, see loop_step(). Errors, with nothing done:
 * GD_NOMEM. */
GD_NODISCARD enum gd_err submit_here(struct loop *l, const struct submission *s,
                                     struct gd_error *why);
/* The same on another loop; everything is copied. Errors: GD_NOMEM, GD_UNAVAILABLE (its inbox is
 * full). What follows is seen in the commits. */
GD_NODISCARD enum gd_err submit_elsewhere(struct loop *to, const struct submission *s,
                                          struct gd_error *why);
/* Whether the store can take jobs in. Errors: GD_UNAVAILABLE, it is too far behind or the disk is
 * full. Any thread. */
GD_NODISCARD enum gd_err submit_admit(const struct pool *p, struct gd_error *why);

/* A job with a key that waits for its commit: it is cancelled as soon as it has started. */
void submit_cancel_waiting(struct job_start *start);
/* True: `job` is one of those, and `m` runs on this loop when it has begun, or was never to begin. */
bool submit_defers(struct loop *l, uint64_t job, struct inbox_msg *m);
void submit_forget_waiting(struct loop *l); /* frees all of them */

/* The first step of a child that is in the table: of `code`, which is its body; at `time`. Errors:
 * GD_STORE, with words: its captures are not those of the code. GD_NOMEM. */
GD_NODISCARD enum gd_err submit_begin_child(struct loop *l, uint64_t job, struct program *program,
                                            uint32_t code, const struct store_child *child,
                                            struct text title, gd_nsec time, struct gd_error *why);

/* For recovery: the first step of a job that is in the table; at `time`, but not before the wall
 * shows `start_at`. `args` are borrowed. */
void submit_begin(struct loop *l, uint64_t job, struct program *program, const struct value *args,
                  struct text title, gd_nsec time, gd_nsec start_at);

#endif
