/*
 * semaphores.h - the semaphores of this process, by name: who holds a permit, and who waits.
 *
 *	          acquire                     release
 *	(nothing) -------> WAITING --grant--> HELD ------> (nothing)
 *	                      `-----release (withdrawn)---->'
 *
 * A claim is one wish for a permit, named by its job and ticket. Those of a semaphore are granted
 * in the order in which they came. A semaphore has one permit unless a put said otherwise; it is
 * here while it has claims, or other than one permit. Fewer permits than are held take nothing
 * away: they hold as permits come back.
 *
 * Callers see to it that what they tell is durable first: a grant that outlives a crash must not
 * rest on a release that does not. After a crash the table is built again: claims and the grants
 * that were journaled are told in any order, and semaphores_start() puts who waits in line.
 *
 * Ownership: names are copied. Threads: any, for everything; one lock. Cost: O(log names) a call
 * that gives a name, O(1) without.
 */
#ifndef GATHERD_RUN_SEMAPHORES_H
#define GATHERD_RUN_SEMAPHORES_H

#include "daemon/store/store.h"

#define SEMAPHORE_PERMITS_USUAL 1u
#define SEMAPHORE_PERMITS_MAX ((uint32_t)INT32_MAX)
#define SEMAPHORES_PUT_MAX 10000u /* with other than the usual permits */

struct semaphores;

/* Passes the word on, and no more: it is called under the lock. `time` is the latest moment of
 * which this semaphore has heard: the clock of who takes the permit must not be behind it. */
typedef void semaphores_grant_fn(void *ctx, uint64_t job, uint32_t ticket, gd_nsec time);

/* Errors: GD_NOMEM, GD_SYS. */
GD_NODISCARD enum gd_err semaphores_open(semaphores_grant_fn *grant, void *ctx,
                                         struct semaphores **out, struct gd_error *why);
void                     semaphores_close(struct semaphores *t);

/* Nothing is granted before it. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err semaphores_start(struct semaphores *t, struct gd_error *why);
/* Before semaphores_start(): this claim was granted before the restart. One that was given back
 * since is not here any more, and nothing happens. */
void                     semaphores_hold(struct semaphores *t, uint64_t job, uint32_t ticket);

/* `time` is the logical one of the job. A ticket is used once. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err semaphores_acquire(struct semaphores *t, uint64_t job, uint32_t ticket,
                                            struct text name, gd_nsec time);
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

#endif
