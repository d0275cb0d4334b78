/*
 * profile.h - what a job may run without being trusted with a shell.
 *
 * A profile is a section `[exec NAME]` of the configuration: the program, what stands in front of the
 * arguments, a rule for each argument that a job may give, and everything around it. A job names the
 * profile; stored jobs hold that name only, so what is allowed is always what the configuration says
 * now. The same checks are made when a job is submitted, for what is constant in it, and when a
 * command starts, for everything.
 *
 * What a job says is refused with the rule that refused it. What the profile says is never changed by
 * a job.
 *
 * Ownership: profiles belong to their table (profile_table.h), which never changes once it is in
 * force. Threads: checks from any.
 */
#ifndef GATHERD_PROFILE_PROFILE_H
#define GATHERD_PROFILE_PROFILE_H

#include "daemon/profile/rule.h"
#include "daemon/runner/run.h"

#define PROFILE_NAME_BYTES_MAX 32u
#define PROFILE_PREFIX_MAX 64u
#define PROFILE_ARGS_MAX 64u /* with a rule of their own */
#define PROFILE_REST_MAX 10000u
#define PROFILE_ENV_MAX 64u
#define PROFILE_ALLOW_MAX 64u
#define PROFILE_RLIMITS_MAX 5u
#define PROFILE_SECRET "secret:" /* begins the value of a variable that is the name of a secret */

struct profile_variable {
	const char *name;
	const char *value; /* NULL: what the job says, when it says so */
	struct rule rule;  /* then */
};

/* What becomes of a command that nobody knows the end of; bits of `interrupts`. */
enum { PROFILE_INTERRUPT_FAIL = 1u, PROFILE_INTERRUPT_RETRY = 2u, PROFILE_INTERRUPT_HOLD = 4u };

/* Texts are the table's; NULL where nothing was said. */
struct profile {
	const char             *name;
	int                     line;    /* of the file: its first key */
	const char             *program; /* absolute */
	int                     program_line;
	const char             *prefix[PROFILE_PREFIX_MAX];
	uint32_t                prefix_count;
	struct rule             args[PROFILE_ARGS_MAX];
	uint32_t                arg_count; /* of rules */
	struct rule             rest;      /* for the arguments behind those */
	bool                    has_rest;
	uint32_t                args_min, args_max;
	struct profile_variable env[PROFILE_ENV_MAX];
	uint32_t                env_count;
	const char             *cwd;       /* always this */
	const char             *cwd_below; /* this, or what the job says, below it */
	const char             *user;
	int                     user_line;
	uint32_t                uid, gid; /* RUN_ID_NONE: the runner's own */
	uint32_t                umask;
	uint32_t                nice;
	struct run_rlimit       rlimits[PROFILE_RLIMITS_MAX];
	uint32_t                rlimit_count;
	uint32_t                pids_max; /* of all its processes; 0: any */
	bool                    takes_input;
	uint64_t                keep;       /* bytes of each stream */
	gd_nsec                 timeout;    /* the longest; 0: none is needed */
	const char             *pool;       /* always this */
	unsigned                interrupts; /* PROFILE_INTERRUPT_* that a job may choose */
	const char             *allow[PROFILE_ALLOW_MAX]; /* "uid:1000", "token:ci", "role:admin" */
	uint32_t                allow_count;
	uint64_t                said; /* bits of the keys that came, see profile_keys.c */
};

/* All of these: GD_OK, or GD_FORBIDDEN with the rule that refuses. */

/* How many arguments; then each of them, from 1. */
GD_NODISCARD enum gd_err profile_check_count(const struct profile *p, uint32_t count,
                                             struct gd_error *why);
GD_NODISCARD enum gd_err profile_check_arg(const struct profile *p, uint32_t number,
                                           const char *text, size_t bytes, struct gd_error *why);
/* Whether a job may say something for a variable; then what. */
GD_NODISCARD enum gd_err profile_check_variable(const struct profile *p, const char *name,
                                                struct gd_error *why);
GD_NODISCARD enum gd_err profile_check_value(const struct profile *p, const char *name,
                                             const char *text, size_t bytes, struct gd_error *why);
/* For a variable that a job wants to fill with a secret: refused, a profile names its own. */
GD_NODISCARD enum gd_err profile_check_secret(const struct profile *p, const char *name,
                                              struct gd_error *why);
GD_NODISCARD enum gd_err profile_check_cwd(const struct profile *p, const char *cwd,
                                           struct gd_error *why);
GD_NODISCARD enum gd_err profile_check_input(const struct profile *p, struct gd_error *why);
/* GD_NSEC_NEVER: none. */
GD_NODISCARD enum gd_err profile_check_timeout(const struct profile *p, gd_nsec timeout,
                                               struct gd_error *why);
GD_NODISCARD enum gd_err profile_check_pool(const struct profile *p, const char *pool,
                                            struct gd_error *why);
GD_NODISCARD enum gd_err profile_check_interrupt(const struct profile *p, unsigned interrupt,
                                                 struct gd_error *why);

/* Whether the profile itself names somebody: "uid:1000", "role:submitter". */
bool profile_allows(const struct profile *p, const char *who);

/* What the world must look like: nobody else can change the program, and we may become its user.
 * Errors: GD_FORBIDDEN, GD_SYS; `*line` is that of the key. */
GD_NODISCARD enum gd_err profile_trust(const struct profile *p, int *line, struct gd_error *why);

#endif
