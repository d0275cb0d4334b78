/*
 * run.h - what the daemon and gatherd-runner talk about: a command, how it starts, how it ended.
 *
 * A command has one name for ever, its run_ref, given by the daemon. The runner never starts the
 * same ref twice: a second START is answered by what became of the first (until it was ACKed).
 *
 *	          START
 *	            |
 *	   FAILED <-+-> RUNNING --> EXITED      the true status, once
 *	                   `------> LOST        the runner or the host ended first: nobody knows
 *
 * FAILED, EXITED and LOST are ends: written down before they are told, told again to each new
 * connection, forgotten (with the output) after the daemon's ACK.
 *
 * Threads: plain values. Times: `gd_nsec` since 1970 unless another clock is named.
 */
#ifndef GATHERD_RUNNER_RUN_H
#define GATHERD_RUNNER_RUN_H

#include "proto/base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#define RUN_COMMANDS_MAX 65536u                 /* known to one runner, running or not ACKed */
#define RUN_FRAME_BYTES_MAX (4u << 20)          /* one message: argv, environment and stdin */
#define RUN_KEY_BYTES_MAX 200u                  /* of GATHERD_ATTEMPT_KEY */
#define RUN_TEXTS_MAX 65536u                    /* arguments, variables */
#define RUN_RLIMITS_MAX 16u                     /* as many as Linux has */
#define RUN_KEEP_DEFAULT (UINT64_C(1) << 20)    /* bytes of one stream that stay readable */
#define RUN_KEEP_MAX (UINT64_C(1) << 30)        /* and the most that may be asked for */
#define RUN_SECRET_BYTES_MAX (64u << 10)        /* of one secret */
#define RUN_DRAIN (500 * GD_NSEC_PER_MSEC)      /* for output after the process, see run_exit */
#define RUN_TELL_DELAY (5 * GD_NSEC_PER_MSEC)   /* who ends sooner is never told to be RUNNING */
#define RUN_KILL_PATIENCE (2 * GD_NSEC_PER_SEC) /* then EXITED is told with `is_left_behind` */
#define RUN_ID_NONE UINT32_MAX                  /* uid, gid: as the runner */
#define RUN_KEY_VARIABLE "GATHERD_ATTEMPT_KEY"

struct run_ref {
	uint64_t job;
	uint32_t exec;    /* which exec of the job */
	uint32_t attempt; /* counts from 1 */
};

#define RUN_REF_TEXT_BYTES 48u /* room for "JOB-EXEC-ATTEMPT" and its NUL */
void run_ref_text(const struct run_ref *ref, char out[RUN_REF_TEXT_BYTES]);
/* The opposite; `end` is where the text goes on. */
bool run_ref_parse(const char *text, struct run_ref *out, const char **end);
bool run_ref_equal(const struct run_ref *a, const struct run_ref *b);

enum run_stream { RUN_STDOUT, RUN_STDERR, RUN_STREAMS };

/* Where a start failed; the name is what an ExecError tells. */
#define RUN_STAGE_LIST(X)                                                              \
	X(RUN_STAGE_NONE, "none")                                                      \
	X(RUN_STAGE_LIMIT, "limit")       /* the runner has no room for it */          \
	X(RUN_STAGE_STOPPING, "stopping") /* the runner is being stopped */            \
	X(RUN_STAGE_ARGV, "argv")         /* empty, or with a NUL */                   \
	X(RUN_STAGE_SECRET, "secret")     /* not there, or unfit for a variable */     \
	X(RUN_STAGE_PIPE, "pipe")         /* no descriptors */                         \
	X(RUN_STAGE_CGROUP, "cgroup")     /* could not be made or joined */            \
	X(RUN_STAGE_FORK, "fork")         /* EAGAIN, ENOMEM: no process to be had */   \
	X(RUN_STAGE_SPOOL, "spool")       /* its start could not be written down */    \
	X(RUN_STAGE_SESSION, "session")   /* setsid, signals, descriptors */           \
	X(RUN_STAGE_RLIMIT, "rlimit")                                                  \
	X(RUN_STAGE_NICE, "nice")                                                      \
	X(RUN_STAGE_USER, "user") /* may not become this user */                       \
	X(RUN_STAGE_CWD, "cwd")                                                        \
	X(RUN_STAGE_INTERPRETER, "interpreter") /* the file is there, its #! is not */ \
	X(RUN_STAGE_EXEC, "exec")                                                      \
	X(RUN_STAGE_PROFILE, "profile") /* the daemon itself: its profile refuses it */

enum run_stage {
#define RUN_STAGE_ENUM(symbol, name) symbol,
	RUN_STAGE_LIST(RUN_STAGE_ENUM)
#undef RUN_STAGE_ENUM
		RUN_STAGE_COUNT
};
const char *run_stage_name(enum run_stage stage);

struct run_rlimit {
	uint32_t resource; /* RLIMIT_CPU, ... */
	uint64_t soft;     /* RLIM_INFINITY: none */
	uint64_t hard;
};

/* Everything a START says. All pointers are borrowed by whoever is given one; lists end in NULL.
 * All zero but ref, key and argv is a plain command: /dev/null for stdin, nothing of its output
 * kept. Always so: a session of its own, no terminal, signals as on the first day, exactly the
 * descriptors 0, 1 and 2, no new privileges by setuid programs, no core files. */
struct run_start {
	struct run_ref     ref;
	const char        *key;  /* GATHERD_ATTEMPT_KEY; no other daemon's command has the same */
	const char *const *argv; /* looked for in PATH of `env` when the first has no slash */
	const char *const *env;  /* the whole environment but the key and the secrets; NULL: none */
	const char *const *secrets; /* "VARIABLE=NAME": the file NAME of the credential directory */
	const char        *cwd;     /* NULL: / */
	const void        *input;   /* for stdin, then end of file; NULL: /dev/null */
	size_t             input_bytes;
	uint64_t keep[RUN_STREAMS]; /* the last bytes that stay readable; 0: goes to /dev/null */
	const struct run_rlimit *rlimits;
	uint32_t                 rlimit_count;
	uint32_t pids_max; /* processes of the whole tree, where cgroups can; 0: any */
	uint32_t umask;    /* e.g. 077 */
	int32_t  nice;     /* added to the runner's */
	uint32_t uid, gid; /* RUN_ID_NONE; uid 0 and gid 0 mean root */
	/* Nothing is dropped: the command is held up once `keep` bytes were not yet taken (run_taken).
	 * Otherwise it never waits for a reader, and the oldest bytes go. */
	bool     is_paced;
	bool     merges_error; /* stderr goes where stdout goes */
	bool     tells_output; /* RUN_OUTPUT while it runs; can be changed later */
	bool     has_nul;      /* set by the decoder: some text was not one C string */
};

struct run_exit {
	int32_t  code;   /* -1: ended by a signal */
	int32_t  signal; /* 0: ended by itself */
	bool     has_core;
	gd_nsec  ended;
	gd_nsec  ended_boot;   /* the same on CLOCK_BOOTTIME; 0: the host was restarted since */
	gd_nsec  took;         /* CLOCK_BOOTTIME */
	gd_nsec  user, system; /* CPU, with the children it waited for */
	uint64_t peak_bytes;   /* resident, of the largest of them */
	uint64_t bytes[RUN_STREAMS]; /* written, exactly */
	uint64_t kept[RUN_STREAMS];  /* how many of the last ones can be read; less: truncated */
	/* Something else still held stdout or stderr RUN_DRAIN after the end; not waited for. */
	bool     is_incomplete;
	/* After a TERMINATE: some process of the tree could not be killed (it hangs in the kernel). */
	bool     is_left_behind;
};

enum run_phase { RUN_RUNNING = 1, RUN_FAILED, RUN_EXITED, RUN_LOST };

struct run_state {
	struct run_ref  ref;
	enum run_phase  phase;
	int32_t         pid;     /* RUN_RUNNING; for people, not for kill() */
	gd_nsec         started; /* 0: it never was */
	enum run_stage  stage;   /* RUN_FAILED */
	int32_t         error;   /* RUN_FAILED: errno */
	struct run_exit exit;    /* RUN_EXITED */
};

#endif
