/*
 * calls.h - the calls of the jobs of one loop, on threads and by HTTP: between its engine and those who
 * carry them out.
 *
 * A call is made when what it rests on is durable; its outcome becomes a journaled input, and a replay
 * uses that. One that must not happen twice has a start record (BEGIN), durable before it is made: when
 * the daemon ends before its outcome is journaled, it is interrupted, and its job decides. The others are
 * made again. No more than so many are made at a time; the rest stand in line.
 *
 * Whoever is cancelled does not wait: the call is recalled, a thread that has begun goes on for nobody,
 * and what comes of it is dropped.
 *
 * Ownership: effects.c owns one for each loop. Threads: the loop's own. Memory that ends here ends the
 * process, see loop_step().
 */
#ifndef GATHERD_EFFECT_CALLS_H
#define GATHERD_EFFECT_CALLS_H

#include "daemon/effect/pending.h"
#include "daemon/run/pool.h"

/* Handed to the threads by one loop and not back yet; those that wait there can be recalled. */
#define CALLS_THREAD_ROOM 1024u

struct calls {
	struct loop                  *loop; /* borrowed, as the next four */
	struct thread_pool           *threads;
	const struct blocking_config *blocking;
	struct http_client           *http; /* of this loop */
	const char                   *key_prefix;
	struct ticket_table           table; /* owned */
	struct pending_line           lines[CALL_KINDS];
	uint32_t                      out[CALL_KINDS];        /* BEGUN and RUNNING */
	uint32_t                      room[CALL_KINDS];       /* for those; set by the caller */
	uint32_t                      room_begun[CALL_KINDS]; /* the same, with a BEGIN */
	struct inbox_msg              pump;                   /* to this loop */
	bool                          is_pumping;             /* it is on its way */
	_Atomic uint32_t running[CALL_KINDS], waiting[CALL_KINDS]; /* for others to read */
};

/* What is borrowed, and how much room there is, is set by the caller; all else is zero. */
void calls_close(struct calls *cs); /* when no thread runs any more */
/* The loop has ended: nobody waits for what its threads do. */
void calls_hurry(struct calls *cs);

/* For the hooks of the loop, see loop_effects; of CALL, and of the tickets that calls_has(). */
bool calls_has(const struct calls *cs, uint64_t job, uint32_t ticket);
void calls_obey(struct calls *cs, const struct engine_out *out);
void calls_took(struct calls *cs, const struct engine_in *in);
void calls_forget(struct calls *cs, uint64_t job);
void calls_recovered(struct calls *cs);

/* Those of `job` that are held, all or at this address (NULL), go on: "retry" or "fail". How many. */
uint32_t calls_resume(struct calls *cs, uint64_t job, const char *path, const char *what);

#endif
