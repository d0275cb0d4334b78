/*
 * options.h - the command line, from one table of options.
 *
 * A command names the options it takes by their bits; an option that it does not take is a usage
 * error, and --help lists exactly those that it takes.
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

enum option_bit {
	OPTION_SOCKET = 1 << 0,
	OPTION_CONNECT = 1 << 1,
	OPTION_TOKEN_FILE = 1 << 2,
	OPTION_RECONNECT = 1 << 3,
	OPTION_HELP = 1 << 4,
	OPTION_VERSION = 1 << 5,
	OPTION_ARG = 1 << 6,
	OPTION_TITLE = 1 << 7,
	OPTION_LABEL = 1 << 8,
	OPTION_KEY = 1 << 9,
	OPTION_TIMEOUT = 1 << 10,
	OPTION_JSON = 1 << 11,
	OPTION_JSONL = 1 << 12,
	OPTION_STATUS = 1 << 13,
	OPTION_LIMIT = 1 << 14,
	OPTION_AFTER = 1 << 15,
	OPTION_FOLLOW = 1 << 16,
	OPTION_KIND = 1 << 17,
	OPTION_PATH = 1 << 18,
	OPTION_REASON = 1 << 19,
	OPTION_ANY = 1 << 20,
	OPTION_ROLE = 1 << 21,
	OPTION_SPEC = 1 << 22,
	OPTION_OLDEST = 1 << 23,
	OPTION_EXPIRES = 1 << 24,
	OPTION_RETAIN = 1 << 25,
	OPTION_EXEC = 1 << 26
};

#define OPTIONS_REACH (OPTION_SOCKET | OPTION_CONNECT | OPTION_TOKEN_FILE | OPTION_RECONNECT)
#define OPTIONS_JOB (OPTION_ARG | OPTION_TITLE | OPTION_LABEL | OPTION_KEY | OPTION_RETAIN)

struct options {
	unsigned     given; /* bits of what was said */
	const char  *socket;
	const char  *connect;
	const char  *token_file;
	double       reconnect; /* seconds */
	double       timeout;   /* seconds; only where OPTION_TIMEOUT is given */
	const char  *title;
	const char  *key;
	const char  *retain;
	const char  *path;
	const char  *reason;
	const char  *role;
	const char  *expires;
	json_t      *args;   /* object; owned */
	json_t      *labels; /* lists of texts; owned */
	json_t      *statuses;
	json_t      *kinds;
	json_t      *profiles;
	json_int_t   limit;
	json_int_t   after;
	const char **operands; /* owned list of borrowed texts */
	uint32_t     operand_count;
};

/* Prepares `o` for options_parse(). Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err options_open(struct options *o, uint32_t words, struct gd_error *why);
void                     options_close(struct options *o);
/* Reads words into `o`; options outside `allowed` are refused. Stops before the first operand when
 * `stops_at_operand`. `*used` is how many words were read. Errors: GD_INVALID_PARAMS, GD_NOMEM. */
GD_NODISCARD enum gd_err options_parse(struct options *o, char **words, uint32_t count,
                                       unsigned allowed, bool stops_at_operand, uint32_t *used,
                                       struct gd_error *why);
bool                     options_has(const struct options *o, enum option_bit bit);
/* The lines of --help for these options. */
void                     options_print_help(FILE *out, unsigned allowed);

#endif
