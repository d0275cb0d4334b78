/*
 * semaphores.h - permits by name: who holds one, and who waits.
 *
 * One table is the semaphores of `with`, another one the pools in which commands wait for their
 * turn.
 *
 *	          acquire                     release
 *	(nothing) -------> WAITING --grant--> HELD ------> (nothing)
 *	                      `-----release (withdrawn)---->'
 *
 * A claim is one wish for a permit, named by its job and ticket. Those of a semaphore are granted
 * by priority, the higher first, and in the order in which they came. A semaphore has the usual
 * number of permits of its table unless a put said another one; it is here while it has claims, or a
 * number of its own. Fewer permits than are held take nothing away: they hold as permits come back.
 *
 * Callers see to it that what they tell is durable first: a grant that outlives a crash must not
 * rest on a release that does not. After a crash the table is built again: claims and the grants
 * that were journaled are told in any order, and semaphores_start() puts who waits in line.
 *
 * Ownership: names are copied. Threads: any, for everything; one lock. Cost: O(log names) a call
 * that gives a name, O(1) without. A claim that waits takes 56 bytes and its place in a hash table,
 * a name about 100.
 */
#ifndef GATHERD_RUN_SEMAPHORES_H
#define GATHERD_RUN_SEMAPHORES_H

#include "daemon/store/store.h"

#define SEMAPHORE_PERMITS_MAX ((uint32_t)INT32_MAX)
#define SEMAPHORE_PERMITS_USUAL STORE_PERMITS_USUAL /* put: as if nobody had */
#define SEMAPHORES_PUT_MAX 10000u                   /* names with a number of their own */
#define SEMAPHORES_BEFORE_MAX 10000u                /* see struct semaphore_place */

struct semaphores;

/* Passes the word on, and no more: it is called under the lock. `time` is the latest moment of
 * which this semaphore has heard: the clock of who takes the permit must not be behind it. */
typedef void semaphores_grant_fn(void *ctx, uint64_t job, uint32_t ticket, gd_nsec time);

/* `usual`: how many permits a name has that nobody put. Errors: GD_NOMEM, GD_SYS. */
GD_NODISCARD enum gd_err semaphores_open(uint32_t usual, semaphores_grant_fn *grant, void *ctx,
                                         struct semaphores **out, struct gd_error *why);
void                     semaphores_close(struct semaphores *t);

/* Nothing is granted before it. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err semaphores_start(struct semaphores *t, struct gd_error *why);
/* Before semaphores_start(): this claim was granted before the restart, at `time`. One that was
 * given back since is not here any more, and nothing happens. */
void semaphores_hold(struct semaphores *t, uint64_t job, uint32_t ticket, gd_nsec time);

/* `time` is the logical one of the job, `priority` as in struct store_job. A job has one
 * claim under a ticket at a time. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err semaphores_acquire(struct semaphores *t, uint64_t job, uint32_t ticket,
                                            struct text name, int priority, gd_nsec time);
/* Gives a permit back, or asks for it no more. An unknown claim is none. */
void semaphores_release(struct semaphores *t, uint64_t job, uint32_t ticket, gd_nsec time);

/* The job is no more: all its claims, as if each had been released. Cost: O(all claims). */
void semaphores_forget(struct semaphores *t, uint64_t job, gd_nsec time);

struct semaphore_state {
	struct text name; /* good until the call that gave it returns */
	uint32_t    permits;
	uint32_t    held;
	uint32_t    waiting;
};

/* A put is on its way to the disk: keeps a place for it, which semaphores_put() takes. Errors, with
 * nothing done: GD_LIMIT (SEMAPHORES_PUT_MAX), GD_NOMEM. */
GD_NODISCARD enum gd_err semaphores_begin_put(struct semaphores *t, struct text name,
                                              uint32_t permits, struct gd_error *why);
/* It is durable, `serial` says in which order: a later one that was told first stays. `*out` may be
 * NULL; its name is the caller's. */
void semaphores_put(struct semaphores *t, struct text name, uint32_t permits, uint64_t serial,
                    struct semaphore_state *out);

/* By name, those behind `after` (NULL: all), under the lock, until `fn` gives false or none is
 * left. */
typedef bool semaphores_each_fn(void *ctx, const struct semaphore_state *s);
void semaphores_each(struct semaphores *t, struct text after, semaphores_each_fn *fn, void *ctx);

struct semaphore_claim {
	uint64_t job;
	uint32_t ticket;
	int      priority;
	bool     is_held;
	gd_nsec  since; /* it holds, or waits */
};

/* Who holds a permit, in the order of the grants, then who waits, first the first to be granted;
 * under the lock, until `fn` gives false or none is left. False: nobody claims this name. */
typedef bool semaphores_who_fn(void *ctx, const struct semaphore_claim *c);
bool semaphores_who(struct semaphores *t, struct text name, semaphores_who_fn *fn, void *ctx);

struct semaphore_place {
	struct semaphore_claim claim;
	struct semaphore_state state;  /* without the name */
	uint32_t               before; /* who is granted before it, when it waits */
	bool is_more; /* `before` counts SEMAPHORES_BEFORE_MAX of its own priority, and there are more */
};
/* False: there is no such claim. Cost: O(before). */
bool semaphores_place(struct semaphores *t, uint64_t job, uint32_t ticket,
                      struct semaphore_place *out);

uint32_t semaphores_usual(const struct semaphores *t);
/* The claims of all names. */
void     semaphores_count(struct semaphores *t, uint32_t *held, uint32_t *waiting);

#endif
