/*
 * runner_fixture.h - a gatherd-runner of its own for a test, and the daemon's end of it.
 *
 * A daemon is played by this process: it connects, starts, hears states. Waits end as soon as what
 * is waited for is there; after RUNNER_PATIENCE_MSEC the test fails. Everything is gone after
 * runner_fixture_close(), whatever happened.
 */
#ifndef GATHERD_TESTS_RUNNER_FIXTURE_H
#define GATHERD_TESTS_RUNNER_FIXTURE_H

#include "daemon/runner/link.h"
#include "daemon/runner/run_log.h"

#include <sys/types.h>

#define RUNNER_PATIENCE_MSEC 20000
#define RUNNER_STATES_MAX 20000

struct runner_fixture {
	char                dir[64];     /* the state directory */
	char                cgroup[256]; /* "": none */
	char                socket[96];
	pid_t               pid;         /* of the runner; 0: not running */
	int                 exit_status; /* of the last that ended; minus a signal */
	struct runner_link *link;
	uint32_t            state_count;  /* told since the last connect */
	uint32_t            output_count; /* RUN_OUTPUT since then */
	uint32_t            states_told;  /* since then, as the next */
	uint32_t            ends_told;
	bool                has_all; /* RUN_STATE_END came */
	struct run_message  welcome;
	struct run_state   *state;             /* the last for each ref */
	uint64_t            told[RUN_STREAMS]; /* by the last RUN_OUTPUT */
};

/* With control groups when `wants_cgroup`; false: this machine has none to give. */
bool runner_fixture_open(struct runner_fixture *f, bool wants_cgroup);
/* The same, and no runner yet. False: no directory. */
bool runner_fixture_make(struct runner_fixture *f);
void runner_fixture_close(struct runner_fixture *f);

/* The same for a group of cmocka, with one fixture for all its tests: `*state`. NULL there: the
 * machine has no control groups to give. */
int runner_setup(void **state);
int runner_setup_grouped(void **state);
int runner_teardown(void **state);

void runner_launch(struct runner_fixture *f);
void runner_run_again(struct runner_fixture *f); /* starts the runner, and connects */
void runner_kill(struct runner_fixture *f);      /* SIGKILL, reaped */
int  runner_stop(struct runner_fixture *f);      /* SIGTERM; its exit status */
void runner_connect(struct runner_fixture *f);   /* hears the state of all */
void runner_disconnect(struct runner_fixture *f);
/* False: the runner has ended; see `exit_status`. */
bool runner_try_connect(struct runner_fixture *f);

/* A command with all output kept, the runner's PATH, key "DIR/JOB". Fields may be changed before
 * runner_start(). */
struct run_start runner_command(struct runner_fixture *f, uint64_t job, const char *const *argv);
void             runner_start(struct runner_fixture *f, const struct run_start *s);
/* sh -c SCRIPT */
void             runner_shell(struct runner_fixture *f, uint64_t job, const char *script);

/* What was told of `job` (exec 1, attempt 1); NULL: nothing yet. */
const struct run_state *runner_state(struct runner_fixture *f, uint64_t job);
/* Waits until it is told to be in this phase, or has ended. */
const struct run_state *runner_wait(struct runner_fixture *f, uint64_t job, enum run_phase phase);
/* The exit of a command that is waited for; fails the test when it ended in another way. */
const struct run_exit  *runner_exit(struct runner_fixture *f, uint64_t job);
/* Takes what comes within so many ms; ends earlier when something came. */
void                    runner_pump(struct runner_fixture *f, int msec);
/* False: the connection has ended. */
bool                    runner_try_pump(struct runner_fixture *f, int msec);
void                    runner_ack(struct runner_fixture *f, uint64_t job);
void                    runner_terminate(struct runner_fixture *f, uint64_t job, int grace_msec);
/* The kept output, as text; static storage of 4 MiB. */
const char    *runner_output(struct runner_fixture *f, uint64_t job, enum run_log_which which);
struct run_ref runner_ref(uint64_t job);

/* Fails the test, with what the runner has logged: `what` did not come. */
void runner_give_up(struct runner_fixture *f, const char *what);

/* The number behind the last `word` in the runner's log; fails the test when it is not there. */
uint64_t runner_logged(struct runner_fixture *f, const char *word);

/* Of this machine. */
int64_t  now_msec(void);
/* The number on the first line of DIR/NAME, waited for: a command wrote it. */
long     runner_number(struct runner_fixture *f, const char *name);
/* Whether the process is gone, waited for at most so many ms. */
bool     process_ends(long pid, int msec);
uint32_t count_fds(pid_t pid);
uint32_t count_children(pid_t pid);

#endif
