/*
 * pending.h - one call under way, and the table of those of one loop. Private to daemon/effect/.
 *
 *	      durable: stands in line           has room                 its outcome
 *	ASKED ------------------------> IN_LINE ---------------> RUNNING ----------> (EXITED)
 *	                                   | needs a BEGIN          ^                   |
 *	                                   `---------> BEGUN -------'                   |
 *	                                               durable                          |
 *	   interrupted, and on_interrupt is hold: HELD, until RESUME  <-----------------'
 *
 * A BEGUN one of an earlier life is interrupted: nobody knows how far it came.
 *
 * Ownership: the table owns its calls. Threads: none; one table for each loop. Cost: O(1).
 */
#ifndef GATHERD_EFFECT_PENDING_H
#define GATHERD_EFFECT_PENDING_H

#include "daemon/effect/ticket_table.h"
#include "daemon/runner/run.h"

enum call_kind { CALL_THREAD, CALL_HTTP, CALL_KINDS };

enum call_state {
	CALL_ASKED, /* what it rests on is on its way to the disk */
	CALL_IN_LINE,
	CALL_BEGUN, /* its start record is journaled */
	CALL_RUNNING,
	CALL_HELD
};

struct pending {
	struct ticket_entry   entry;           /* first */
	struct pending       *before, *behind; /* in its line; NULL: none */
	uint32_t              attempt;
	enum call_kind        kind;
	enum call_state       state;
	bool                  needs_begin; /* it must not happen twice */
	bool                  is_to_hold;  /* when it is interrupted */
	struct thread_call   *thread;      /* RUNNING; borrowed: it frees itself */
	struct http_transfer *transfer;    /* RUNNING; the client's */
	struct calls         *calls;       /* whose it is; borrowed */
	size_t                path_bytes;
	char                  path[]; /* address of its op, UTF-8, NUL behind it */
};

void            pending_table_close(struct ticket_table *t); /* with the calls in it */
/* NULL: no memory. It must not be there. */
struct pending *pending_add(struct ticket_table *t, uint64_t job, uint32_t ticket, const char *path,
                            size_t path_bytes);
void            pending_remove(struct ticket_table *t, struct pending *c);
/* NULL: it is not there. */
static inline struct pending *pending_find(const struct ticket_table *t, uint64_t job,
                                           uint32_t ticket)
{
	return (struct pending *)(void *)ticket_table_find(t, job, ticket);
}
/* See ticket_table_next(). */
static inline struct pending *pending_next(const struct ticket_table *t, const struct pending *c)
{
	return (struct pending *)(void *)ticket_table_next(t, c == NULL ? NULL : &c->entry);
}

/* Calls in the order in which they came; all zero is empty. */
struct pending_line {
	struct pending *first, *last;
	uint32_t        count;
};

void pending_line_add(struct pending_line *line, struct pending *c);
void pending_line_remove(struct pending_line *line, struct pending *c);

static inline struct run_ref pending_ref(const struct pending *c)
{
	return (struct run_ref){ .job = c->entry.job,
		                 .exec = c->entry.ticket,
		                 .attempt = c->attempt };
}

#endif
