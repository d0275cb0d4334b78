/*
 * children.h - child jobs of one loop, and the children of jobs that live on it: between engines.
 *
 *	parent's loop                                    child's loop
 *	SPAWN --durable--> given birth to -------------> recorded and begun, in one group
 *	   `--its child's id is known <----------------- when that is durable
 *	SPAWN_STOP, SPAWN_KILL --durable---------------> a cancel, journaled
 *	CHILD_ENDED, journaled <------------------------ its outcome, when its end is durable
 *
 * A parent's journal says nothing of a SPAWN, which follows from what it says: a child is found again by
 * its parent's id and the ticket. After a restart each child that lives tells its parent's loop of itself;
 * what has been told by none has ended, which the store knows, or was never recorded, and is given birth
 * to now. So nothing is lost or done twice, wherever a crash was.
 *
 * Words from other loops stand in line here and are taken a slice at a time, so that a parent of a
 * hundred thousand blocks nobody.
 *
 * After a restart what is overdue is served in its order within a family: see children_settle.c.
 *
 * Ownership: a loop owns its part. Threads: the loop's own. Memory that ends here ends the process, see
 * loop_step().
 */
#ifndef GATHERD_RUN_CHILDREN_H
#define GATHERD_RUN_CHILDREN_H

#include "daemon/run/loop.h"

struct children;

/* For loop.c. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err children_open(struct loop *l, struct gd_error *why);
void                     children_close(struct children *c); /* NULL is allowed */
/* What has come, as far as one turn goes. True: there is more to do at once. */
bool                     children_slice(struct loop *l);
/* No timer may fire yet. */
bool                     children_hold_time(struct loop *l);

/* A job of a program that may have children begins here, or is replayed. */
void     children_add_parent(struct loop *l, uint64_t job);
/* The last child that this one had before the restart; 0: none. */
void     children_set_last_ticket(struct loop *l, uint64_t job, uint32_t ticket);
uint32_t children_last_ticket(const struct loop *l, uint64_t job);
/* A child is replayed; before it can put out anything. */
void     children_add_child(struct loop *l, uint64_t job, uint64_t parent, uint32_t ticket);
/* The job is over; `outcome` is its result or error, and lives as long as the open group. */
void     children_job_ended(struct loop *l, uint64_t job, enum job_status status, gd_nsec time,
                            struct text outcome);
/* For apply.c: SPAWN, SPAWN_STOP, SPAWN_KILL. */
void     children_obey(struct loop *l, const struct engine_out *out);
/* For replay.c: CHILD_ENDED was fed. */
void     children_took(struct loop *l, const struct engine_in *in);
/* For recover.c: every loop has replayed its jobs. */
void     children_recovered(struct loop *l);

/* What is known of the child under a ticket. False: nothing that is durable. */
bool children_find(const struct loop *l, uint64_t job, uint32_t ticket, uint64_t *child);

#endif
