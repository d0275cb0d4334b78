/*
 * options.h - the command line, from one table of options.
 *
 * A command names the options it takes by their bits; an option that it does not take is a usage
 * error, and --help lists exactly those that it takes. A word may stand for two options that never
 * belong to the same command.
 *
 * Ownership: texts are borrowed from argv; options_close() frees the rest. Threads: none.
 */
#ifndef GATHERD_CLIENT_OPTIONS_H
#define GATHERD_CLIENT_OPTIONS_H

#include "proto/base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* One bit each. */
#define OPTION_SOCKET (UINT64_C(1) << 0)
#define OPTION_CONNECT (UINT64_C(1) << 1)
#define OPTION_TOKEN_FILE (UINT64_C(1) << 2)
#define OPTION_RECONNECT (UINT64_C(1) << 3)
#define OPTION_HELP (UINT64_C(1) << 4)
#define OPTION_VERSION (UINT64_C(1) << 5)
#define OPTION_ARG (UINT64_C(1) << 6)
#define OPTION_TITLE (UINT64_C(1) << 7)
#define OPTION_LABEL (UINT64_C(1) << 8)
#define OPTION_KEY (UINT64_C(1) << 9)
#define OPTION_TIMEOUT (UINT64_C(1) << 10)
#define OPTION_JSON (UINT64_C(1) << 11)
#define OPTION_JSONL (UINT64_C(1) << 12)
#define OPTION_STATUS (UINT64_C(1) << 13)
#define OPTION_LIMIT (UINT64_C(1) << 14)
#define OPTION_AFTER (UINT64_C(1) << 15)
#define OPTION_FOLLOW (UINT64_C(1) << 16)
#define OPTION_KIND (UINT64_C(1) << 17)
#define OPTION_PATH (UINT64_C(1) << 18)
#define OPTION_REASON (UINT64_C(1) << 19)
#define OPTION_ANY (UINT64_C(1) << 20)
#define OPTION_ROLE (UINT64_C(1) << 21)
#define OPTION_SPEC (UINT64_C(1) << 22)
#define OPTION_OLDEST (UINT64_C(1) << 23)
#define OPTION_EXPIRES (UINT64_C(1) << 24)
#define OPTION_RETAIN (UINT64_C(1) << 25)
#define OPTION_CWD (UINT64_C(1) << 26)
#define OPTION_DELAY (UINT64_C(1) << 27)
#define OPTION_ENV (UINT64_C(1) << 28)
#define OPTION_ENV_ALL (UINT64_C(1) << 29)
#define OPTION_EXIT_CODE (UINT64_C(1) << 30)
#define OPTION_FAIL (UINT64_C(1) << 31)
#define OPTION_GRACE (UINT64_C(1) << 32)
#define OPTION_ON_INTERRUPT (UINT64_C(1) << 33)
#define OPTION_POOL (UINT64_C(1) << 34)
#define OPTION_PRINT_SPEC (UINT64_C(1) << 35)
#define OPTION_PRIORITY (UINT64_C(1) << 36)
#define OPTION_PROFILE (UINT64_C(1) << 37)
#define OPTION_RETRY (UINT64_C(1) << 38)
#define OPTION_START_AT (UINT64_C(1) << 39)
#define OPTION_STDIN (UINT64_C(1) << 40)
#define OPTION_TIME_LIMIT (UINT64_C(1) << 41)
#define OPTION_ADDRESS (UINT64_C(1) << 42)
#define OPTION_PREFIX (UINT64_C(1) << 43)
#define OPTION_STREAM (UINT64_C(1) << 44)
#define OPTION_EXEC (UINT64_C(1) << 45)
#define OPTION_TAIL (UINT64_C(1) << 46)
#define OPTION_TEXT (UINT64_C(1) << 47)
#define OPTION_PARENT (UINT64_C(1) << 48)
#define OPTION_CHILDREN (UINT64_C(1) << 49)

#define OPTIONS_REACH (OPTION_SOCKET | OPTION_CONNECT | OPTION_TOKEN_FILE | OPTION_RECONNECT)
/* How a job is handed in, whatever it is. */
#define OPTIONS_JOB                                                                   \
	(OPTION_TITLE | OPTION_LABEL | OPTION_KEY | OPTION_RETAIN | OPTION_PRIORITY | \
	 OPTION_START_AT)
/* What a command on the command line runs with. */
#define OPTIONS_EXEC                                                                   \
	(OPTION_CWD | OPTION_ENV | OPTION_ENV_ALL | OPTION_STDIN | OPTION_TIME_LIMIT | \
	 OPTION_GRACE | OPTION_RETRY | OPTION_DELAY | OPTION_POOL | OPTION_PROFILE |   \
	 OPTION_ON_INTERRUPT | OPTION_PRINT_SPEC)

struct options {
	uint64_t     given; /* bits of what was said */
	const char  *socket;
	const char  *connect;
	const char  *token_file;
	double       reconnect; /* seconds */
	double       timeout;   /* seconds; only where OPTION_TIMEOUT is given */
	const char  *title;
	const char  *key;
	const char  *retain;
	const char  *path; /* of OPTION_PATH and OPTION_ADDRESS */
	const char  *reason;
	const char  *role;
	const char  *expires;
	const char  *cwd;
	const char  *pool;
	const char  *profile;
	const char  *on_interrupt;
	const char  *stream;
	const char  *start_at;   /* a moment, in the daemon's words */
	const char  *time_limit; /* these three: lengths, in the daemon's words */
	const char  *grace;
	const char  *delay;
	json_int_t   retry; /* attempts */
	json_int_t   priority;
	json_int_t   tail;   /* lines */
	json_t      *args;   /* object; owned */
	json_t      *labels; /* lists of texts; owned */
	json_t      *statuses;
	json_t      *kinds;
	json_t      *profiles;
	json_t      *env; /* NAME or NAME=VALUE, in order */
	json_int_t   limit;
	json_int_t   parent;
	json_int_t   after;
	const char **operands; /* owned list of borrowed texts */
	uint32_t     operand_count;
	bool         is_command; /* the operands are a command line: they stood behind "--" */
};

/* Prepares `o` for options_parse(). Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err options_open(struct options *o, uint32_t words, struct gd_error *why);
void                     options_close(struct options *o);
/* Reads words into `o`; options outside `allowed` are refused. Stops before the first operand when
 * `stops_at_operand`. `*used` is how many words were read. Errors: GD_INVALID_PARAMS, GD_NOMEM. */
GD_NODISCARD enum gd_err options_parse(struct options *o, char **words, uint32_t count,
                                       uint64_t allowed, bool stops_at_operand, uint32_t *used,
                                       struct gd_error *why);
/* Where the "--" stands that ends the options; `count`: nowhere. What follows an option that needs
 * a value is that value. */
uint32_t                 options_find_end(char **words, uint32_t count);
bool                     options_has(const struct options *o, uint64_t bits); /* any of them */
/* The lines of --help for these options. */
void                     options_print_help(FILE *out, uint64_t allowed);

#endif
