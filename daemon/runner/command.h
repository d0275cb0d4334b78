/*
 * command.h - one command, from its START to the daemon's ACK.
 *
 *	                 main process reaped     stdout and stderr at their end,
 *	                                         or RUN_DRAIN is over
 *	START --> RUNNING ---------------> DRAINING ----+-------------------> ENDED --ACK--> gone
 *	  |                                             | a TERMINATE came      ^
 *	  |                                             `--> LEAVING -----------+
 *	  `-- it could not be started ------------------------ tree is gone ----'
 *
 * A command that ends by itself is told of as soon as it did; what it left behind is killed after
 * that. One that was terminated is told of when nothing of it is left. The true status always wins:
 * a process that was reaped before its SIGKILL has ended by itself.
 *
 * TERMINATE sets `kill_due`; when that is over the tree is killed, in whatever step the command is.
 *
 * Ownership: the table owns commands. Threads: one.
 */
#ifndef GATHERD_RUNNER_COMMAND_H
#define GATHERD_RUNNER_COMMAND_H

#include "daemon/runner/capture.h"
#include "daemon/runner/reactor.h"
#include "daemon/runner/ring.h"
#include "daemon/runner/run.h"

#include <sys/resource.h>
#include <sys/types.h>

struct cgroup;
struct runner;
struct spool_record;

enum command_step { COMMAND_RUNNING, COMMAND_DRAINING, COMMAND_LEAVING, COMMAND_ENDED };

struct command {
	struct runner    *runner; /* borrowed */
	struct command   *next_by_ref, *next_by_pid, *next_by_key;
	struct ring       alive;    /* until it is ENDED */
	struct ring       waiting;  /* while one of the three times below is set */
	struct ring       young;    /* not told yet that it is RUNNING */
	struct ring       telling;  /* owes an OUTPUT */
	struct ring       unsynced; /* ENDED, not safe on the disk */
	enum command_step step;
	struct run_state  state;
	char             *key;    /* owned */
	struct cgroup    *cgroup; /* owned; NULL: none, or given back */
	gd_nsec           born;   /* CLOCK_BOOTTIME, as the next three; GD_NSEC_NEVER: not set */
	gd_nsec           drain_due;
	gd_nsec           kill_due;
	gd_nsec           patience_due;
	struct capture    capture[RUN_STREAMS];
	struct reactor_fd output[RUN_STREAMS];
	struct reactor_fd input;
	char             *text; /* for stdin; owned, until it is written */
	size_t            text_bytes, text_done;
	uint64_t          order; /* bytes of both streams so far */
	uint64_t          taken[RUN_STREAMS];
	uint64_t          pace; /* untaken bytes at which a stream is held up; 0: never */
	uint32_t          left; /* of its processes, at the last sweep */
	bool              is_reaped;
	bool              is_terminating;
	bool              is_killing;
	bool              is_lost;    /* the runner stops: whatever it ends with is not its own */
	bool              is_written; /* its end is in the spool */
	bool              tells_output;
	bool              has_files;
	bool              is_this_boot; /* read from the spool: the host is the one it ran on */
};

/* What an earlier runner wrote about it. NULL: no memory. */
struct command *command_restore(struct runner *r, const struct spool_record *record);
/* An earlier runner started it and nobody saw it end. */
void            command_lose(struct command *c);
/* Frees it, out of the table. */
void            command_free(struct command *c);

/* To the daemon: its state. */
void command_tell(struct command *c);

/* What the daemon asks for. START is answered with the state of the command, whatever it is: at
 * once, or within RUN_TELL_DELAY when it runs. */
void command_start(struct runner *r, const struct run_start *start);
void command_signal(struct command *c, int number);
void command_terminate(struct command *c, gd_nsec grace);
void command_taken(struct command *c, const uint64_t bytes[RUN_STREAMS]);
void command_forget(struct command *c); /* ACK: nothing happens unless it is ENDED */

/* What happens to it. */
void    command_reaped(struct command *c, int status, const struct rusage *usage);
void    command_tick(struct command *c, gd_nsec now);
void    command_left(struct command *c); /* LEAVING, and nothing of its tree is left */
/* The soonest of its times. */
gd_nsec command_due(const struct command *c);
/* Its end again to the spool, if it was not taken. */
bool    command_write_end(struct command *c);

/* Inside: streams.c, the pipes of a command. */
void streams_read_rest(struct command *c);
void streams_close(struct command *c);
bool streams_are_over(const struct command *c);
/* Takes the ends that are ours over. 0 or errno. */
int  streams_watch(struct command *c, int input_fd, const int output_fd[RUN_STREAMS]);
void streams_resume(struct command *c);
void streams_tell(struct command *c); /* how much there is, where the daemon wants to know */
/* The main process is gone and so are both pipes. */
void command_drained(struct command *c);

#endif
