/*
 * explain.h - why a job is not running, or not done: seen on its loop, told in words and data.
 *
 * Seen are the first EXPLAIN_WAITS_MAX tasks (without those that have a very long address), and of each semaphore or pool that one waits for the
 * first EXPLAIN_HOLDERS_MAX who hold it. Who asks may not know of every job: `holder->is_hidden` is
 * the caller's to set between the two; a hidden one is counted and not named.
 *
 * Ownership: all that is seen is copied. Threads: none. Cost: some tens of kilobytes.
 */
#ifndef GATHERD_NET_EXPLAIN_H
#define GATHERD_NET_EXPLAIN_H

#include "daemon/effect/effects.h"
#include "daemon/run/loop.h"

#define EXPLAIN_WAITS_MAX 50u
#define EXPLAIN_HOLDERS_MAX 8u

struct explain_holder {
	uint64_t job;
	gd_nsec  since;    /* on the wall, as all times here */
	bool     is_asked; /* the caller's own */
	bool     is_hidden;
};

/* What is known of a permit, or a turn, that a task waits for. */
struct explain_line {
	bool                  is_known;
	bool                  is_more; /* `before` is not all */
	uint32_t              permits, held, waiting;
	uint32_t              before; /* who comes first */
	uint32_t              holder_count;
	gd_nsec               since;
	struct explain_holder holders[EXPLAIN_HOLDERS_MAX];
};

struct explain_wait {
	enum engine_wait_kind kind;
	struct text           address;
	struct text           on;    /* TASK: its address */
	struct text           label; /* JSON, as name and program; NULL: none */
	struct text           name;
	struct text           program;
	const char           *op; /* NULL: none */
	uint32_t              attempt;
	uint32_t              left, count;
	uint64_t              child;       /* CHILD: its id; 0: not known yet */
	uint32_t              loop;        /* that it lives on */
	bool                  is_stopping; /* CHILD */
	gd_nsec               until;       /* GD_NSEC_NEVER: no deadline */
	gd_nsec               begun;       /* of a command; 0: not known */
	gd_nsec               grace;       /* the same, a length */
	int32_t               pid;         /* 0: not known */
	struct explain_line   line;
};

struct explanation {
	struct arena         arena;
	struct explain_wait *at; /* in the arena */
	uint32_t             count;
	uint32_t             more;       /* tasks that were not seen */
	uint64_t             recovering; /* jobs of an earlier life that are still to be replayed */
	bool                 is_missing; /* this one among them */
	bool                 is_unsaved; /* it waits for its record to be on the disk */
	bool                 is_full;    /* the disk */
};

void explain_close(struct explanation *x);
/* On the loop of the job. Errors: arena.failed. */
void explain_see(struct explanation *x, struct loop *l, const struct commands *cs, uint64_t job);
/* The members "why" and "waits", a comma before each; `job` is as people see it, with its error. With
 * more than `bytes_max` of either, the rest is left out and counted in "more". */
void explain_write(struct buf *b, const struct explanation *x, const struct store_job *job,
                   size_t bytes_max);

#endif
