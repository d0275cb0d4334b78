/*
 * sim.h - the engine under a virtual clock, with a transcript.
 *
 * A sim holds one engine, what was fed to it (its journal) and what came out, one line for each
 * output. Time moves only when a test says so, or from deadline to deadline. Any failure of a call
 * fails the running test.
 */
#ifndef GATHERD_TESTS_SIM_H
#define GATHERD_TESTS_SIM_H

#include "daemon/engine/engine.h"
#include "daemon/engine/wall.h"
#include "daemon/load/load.h"
#include "tests/sim/family.h"
#include "tests/sim/played.h"

#define SIM_EPOCH (INT64_C(1700000000) * GD_NSEC_PER_SEC) /* where a sim's clock begins */

/* A journaled input, as recovery would read it back. */
struct sim_input {
	enum engine_in_kind kind;
	gd_nsec             time;
	uint64_t            job;
	struct program     *program;  /* START: owned */
	gd_nsec             start_at; /* START */
	struct buf          bytes;    /* the others: as they stand in the journal */
	gd_nsec             crash_at; /* how far time had gone when it was fed */
	size_t              said;     /* how long the transcript was */
};

/* Who has a permit of a semaphore, or waits for one. Every semaphore of a sim has one permit. */
struct sim_permit {
	char     name[32];
	uint64_t job;
	uint32_t ticket;
	bool     is_held;
};

struct sim {
	struct engine     *engine;
	struct engine_outs outs;
	gd_nsec            now;
	gd_nsec            start; /* SIM_EPOCH, or when it last started over */
	uint64_t           last_job;
	struct buf         transcript;
	struct sim_input  *inputs;
	uint32_t           input_count, input_room;
	struct sim_permit *permits; /* in the order of asking */
	uint32_t           permit_count, permit_room;
	struct played      runner;
	struct family      family;
	struct wall        wall; /* the steps that the engine was told of */
	bool has_commands; /* a job has an exec, or children: time goes from deadline to deadline */
	bool has_job_lines; /* job.started as well */
	void (*on_output)(struct sim              *s,
	                  const struct engine_out *o); /* NULL: only the transcript */
	bool is_replaying; /* the journal answers all that is asked of the outside */
};

const char *sim_out_name(enum engine_out_kind kind); /* as in events: "job.started" */

struct sim *sim_open(void);
/* An empty journal and transcript, from now on, where the last job has ended: another job may then
 * run on the same engine. False: it has not ended. */
bool        sim_start_over(struct sim *s);
void        sim_close(struct sim *s);

/* Compiles and starts a job now; returns its id (1, 2, ...). */
uint64_t sim_submit(struct sim *s, const char *spec);
/* The same; 0 when the loader refuses it. `problems` (zeroed) says why: close it in any case. */
uint64_t sim_try_submit(struct sim *s, const char *spec, struct load_problems *problems);
/* Starts it when the wall shows `start_at`. */
uint64_t sim_submit_at(struct sim *s, const char *spec, gd_nsec start_at);
void     sim_cancel(struct sim *s, uint64_t job, const char *message);
/* Signals `event` with a value, as JSON; `key`: NULL for none. What engine_check_signal() says of it:
 * only what is new is fed. */
struct engine_signal_check sim_signal(struct sim *s, uint64_t job, const char *event,
                                      const char *json, const char *key);
/* Somebody sets the clock on the wall, by so much: it is now off by that much more from sim.now. */
void                       sim_set_wall(struct sim *s, gd_nsec by);
/* The next moment at which anything happens; false: there is none. */
bool                       sim_next_due(const struct sim *s, gd_nsec *due);
/* Moves the clock, firing what is due on the way. */
void                       sim_advance(struct sim *s, gd_nsec by);
/* From deadline to deadline until nothing is left to wait for. */
void                       sim_run_until_idle(struct sim *s);

/* Appends the line of an output; it has none where only the outside is asked, but for commands. */
void sim_write_out(struct sim *s, const struct engine_out *o); /* transcript.c */
/* The whole transcript must be this. Lines: "[ 3000ms] job 1 yield \"x\"\n". */
void sim_expect(struct sim *s, const char *transcript);
/* Runs `spec` alone to its end; the last line must say: completed with this JSON. */
void sim_expect_result(const char *spec, const char *json);
/* The same, but it must fail with this type and message. */
void sim_expect_error(const char *spec, const char *type, const char *message);

/* Throws the engine away and rebuilds it from the journal, as a restart does. It must say again all
 * that was said. */
void sim_forget(struct sim *s);
/* The steps of the wall that another sim had, all of them. */
void sim_take_wall(struct sim *s, const struct sim *of);
/* Feeds inputs [from, to) of another sim's journal at their times, as recovery does. */
void sim_replay(struct sim *s, const struct sim *of, uint32_t from, uint32_t to);

#endif
