/*
 * loop.h - one thread: event base, engine, the jobs that live here, and the connections it serves.
 *
 * A loop goes round in turns. A turn: serve whatever sockets, messages and the timer have for us;
 * run the engine up to its budget; hand what the turn produced to the store as one group; let the
 * hooks flush their output. Nothing produced in a turn leaves before its group was reported as
 * durable.
 *
 *	sockets, inbox --> turn --> engine --> open group --> store
 *	      ^                                                 |
 *	      `----- replies, events <-- outbox <-- commit -----'
 *
 * Time is the daemon's own scale (clock.h); deadlines are moments of it, which survive a restart.
 * What people see of it, or give, is the clock on the wall: loop_wall().
 *
 * Ownership: the pool owns loops. Threads: everything here belongs to the loop's own thread, but
 * for loop_post() and loop_post_answer(). Before pool_start() and after pool_stop() that is the
 * main thread.
 */
#ifndef GATHERD_RUN_LOOP_H
#define GATHERD_RUN_LOOP_H

#include "daemon/engine/engine.h"
#include "daemon/load/cache.h"
#include "daemon/run/clock.h"
#include "daemon/run/inbox.h"
#include "daemon/run/jobs.h"
#include "daemon/run/outbox.h"
#include "daemon/run/stopwatch.h"
#include "daemon/store/store.h"

#include <event2/event.h>

#define LOOP_INBOX_ROOM 65536u
/* Of the engine: for all that inputs set going in one turn, and then for what is due. */
#define LOOP_BUDGET_STEPS 10000u            /* about 3 ms */
#define LOOP_UNSYNCED_BYTES_MAX (64u << 20) /* handed to the store and not reported yet */
/* Above this the engine rests: it would only run further ahead of the disk, and reads stand in line
 * behind all that was handed over. */
#define LOOP_AHEAD_BYTES_MAX (1u << 20)

struct children;
struct pool;

/* What the connections' side does when the loop has something for it. All on the loop's thread. */
struct loop_hooks {
	void (*on_group)(void *ctx, const struct store_commit *c, const struct store_group *g);
	void (*on_commit_end)(void *ctx, const struct store_commit *c); /* after its last group */
	void (*on_durability_unknown)(
		void *ctx); /* answer everybody, flush; the process ends then */
	void (*on_turn_end)(void *ctx);
	void *ctx;
};

/* What the rest of the daemon does when a job asks the world for something; all on the loop's thread. */
struct loop_effects {
	/* EXEC, RECALL, STOP, KILL, MORE, CALL, of a job that is here. No step may be taken in it. */
	void (*obey)(void *ctx, const struct engine_out *out);
	/* An input that answers one of those was fed, now or in a replay; the outputs of its step have
	 * been obeyed. */
	void (*took)(void *ctx, const struct engine_in *in);
	/* The job is gone, without a word of its engine. */
	void (*forget)(void *ctx, uint64_t job, gd_nsec time);
	/* Every stored job of this loop was replayed: what was asked for before goes on. */
	void (*recovered)(void *ctx);
	/* No timer may fire yet: something that happened before is still to be heard of. */
	bool (*holds_time)(void *ctx);
	void *ctx;
};

struct loop {
	uint32_t             index;
	struct pool         *pool; /* borrowed */
	struct event_base   *base; /* owned */
	struct inbox         inbox;
	struct event        *inbox_event;
	int                  timer_fd; /* CLOCK_BOOTTIME, absolute; owned */
	struct event        *timer_event;
	int                  set_fd; /* readable when somebody sets CLOCK_REALTIME; owned */
	struct event        *set_event;
	gd_nsec              armed; /* what timer_fd is set to; GD_NSEC_NEVER: disarmed */
	struct clock_hand    hand;
	uint32_t             steps_taken; /* of the clock's steps, into the engine */
	struct engine       *engine;      /* owned */
	uint32_t             budget;      /* left of LOOP_BUDGET_STEPS */
	struct engine_outs   outs;
	struct program_cache programs;
	struct jobs          jobs;
	struct children     *children; /* owned */
	struct inbox_msg    *for_busy; /* messages, oldest first; see busy.h */
	struct inbox_msg    *for_busy_last;
	uint32_t             busy_round; /* from 1 on */
	uint64_t            *wants;      /* jobs that want to know the time; owned */
	uint32_t             want_count;
	uint32_t             want_room;
	struct store_group  *open; /* what this turn produced; NULL: nothing yet */
	uint32_t             open_number;
	size_t               unsynced_bytes;
	struct recovery     *recovery;    /* NULL: every stored job is here, see recover.h; owned */
	uint64_t             replay_job;  /* the job under replay; 0: none */
	uint32_t             replay_left; /* stored inputs that it has still to get */
	bool                has_quarantined; /* some outputs at hand may be of a job that is gone */
	struct buf          scratch;         /* for one rendering at a time */
	struct stopwatch    watch;           /* every callback of its base begins with it */
	struct loop_hooks   hooks;
	struct loop_effects effects;   /* all zero: no job here may ask for any */
	uint64_t            ended_job; /* the last job that ended here, and how */
	enum job_status     ended_status;
	gd_nsec             ended_time; /* on its own clock */
	bool                is_stopping;
	bool                is_lost;   /* nobody knows what is durable, and all here were told so */
	bool                is_busy;   /* work is left: do not sleep */
	_Atomic uint32_t    job_count; /* of `jobs`, for others to read */
	_Atomic uint32_t    listeners; /* those here who must hear of what other loops commit */
};

GD_NODISCARD enum gd_err loop_init(struct loop *l, uint32_t index, struct pool *pool,
                                   struct gd_error *why);
void                     loop_close(struct loop *l);
/* Turns until loop_stop(). */
void                     loop_run(struct loop *l);
void                     loop_stop(struct loop *l);
void loop_turn(struct loop *l); /* one turn; waits until there is something to do */
/* After its thread and the store have ended: takes what has come since, and gives up what that
 * produces: whoever waits for it is told that it did not happen. False: there was nothing. */
bool loop_drain(struct loop *l);

gd_nsec                  loop_now(struct loop *l);
/* Time is not before `time`: another loop was there already. */
void                     loop_reach(struct loop *l, gd_nsec time);
/* What the clock on the wall shows, or showed, at `time`. */
gd_nsec                  loop_wall(struct loop *l, gd_nsec time);
gd_nsec                  loop_wall_now(struct loop *l);
/* After clock_start(): the engine knows the steps that are stored. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err loop_take_stored_steps(struct loop *l, struct gd_error *why);
/* The open group, made when there is none. NULL: no memory. */
struct store_group      *loop_group(struct loop *l);
/* `item` is released when what the turn has produced so far is durable; with nothing produced it
 * waits for a group of its own. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err loop_when_durable(struct loop *l, struct outbox_item *item);
/* Everything that happened here is durable. */
bool                     loop_is_settled(const struct loop *l);
/* The store is too far behind for more work to be taken in. */
bool                     loop_is_choked(const struct loop *l);
/* It has enough to do for the moment; a commit wakes us. */
bool                     loop_is_ahead(const struct loop *l);
/* Feeds one input and obeys the outputs. Memory that ends here ends the process: a step cannot be
 * taken back, and the journal replays. */
void                     loop_step(struct loop *l, const struct engine_in *in);
/* Between the two every commit comes by here; otherwise only those with a group of this loop do.
 * What the store has after loop_listen() and is not told of was durable before: read it. */
void                     loop_listen(struct loop *l);
void                     loop_listen_no_more(struct loop *l);
static inline bool       loop_is_listening(const struct loop *l)
{
	return atomic_load(&l->listeners) != 0;
}
/* Remembers that `job` waits for ENGINE_NOW, which the next turn gives it. */
void loop_want_now(struct loop *l, uint64_t job);

/* False: its inbox is full, and the message stays with the caller. */
bool loop_post(struct loop *l, struct inbox_msg *m);
void loop_post_answer(struct loop *l, struct inbox_msg *m);

/* A read that comes back to the loop that asked; GD_UNAVAILABLE when the loop is stopping. `read`
 * is filled by the asker; `done` frees it with store_read_free(&r->read). */
struct loop_read;
typedef void loop_read_fn(struct loop *l, struct loop_read *r, void *ctx);

struct loop_read {
	struct store_read read; /* first: store_read_free() frees the whole */
	struct inbox_msg  msg;
	struct loop      *loop;
	loop_read_fn     *done;
	void             *ctx;
};

struct loop_read *loop_read_new(enum read_kind kind); /* NULL: no memory */
void loop_read_start(struct loop *l, struct loop_read *r, loop_read_fn *done, void *ctx);

#endif
