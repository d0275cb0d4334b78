/*
 * blocking.h - the built-in functions of to_thread: files, names of hosts, queries.
 *
 * Each blocks its thread until it is through, and asks nobody: what it may touch was decided when the
 * configuration was read. Paths are confined to roots, which are opened once, at the start. The kernel
 * walks every path beneath its root (openat2(2) with RESOLVE_BENEATH): there is no check that somebody
 * could overtake with a symbolic link. Only regular files are read.
 *
 * Nothing here is known to engine or loop: values go in, a value or an exception comes out. What each
 * function takes and gives is in JOBS.md.
 *
 * Ownership: a configuration is read only once it is open, and outlives all calls. Threads: any; a
 * heap and its values belong to one call. Bounds: below.
 */
#ifndef GATHERD_BLOCKING_BLOCKING_H
#define GATHERD_BLOCKING_BLOCKING_H

#include "daemon/value/value.h"
#include "proto/base/err.h"

#include <stdatomic.h>

#define BLOCKING_ROOTS_MAX 16u              /* to read, and as many to write */
#define BLOCKING_READ_BYTES_MAX (1u << 20)  /* of one read_file */
#define BLOCKING_WRITE_BYTES_MAX (1u << 20) /* of one write_file */
/* Of names and rows: a loop copies and journals a result, and does nothing else meanwhile. */
#define BLOCKING_NAMES_MAX 10000u
#define BLOCKING_ROWS_MAX 5000u
#define BLOCKING_NAME_BYTES_MAX (1u << 20)
#define BLOCKING_ADDRESSES_MAX 64u
/* Of a statement, and of the views of a database: SQLite goes down some twenty bytes of its stack for
 * each byte of selects inside selects. */
#define BLOCKING_SQL_BYTES_MAX 65536u
#define BLOCKING_ROWS_BYTES_MAX (1u << 20)
#define BLOCKING_QUERY_SECONDS 60
#define BLOCKING_BUSY_SECONDS 5             /* that a query waits for a writer */
#define BLOCKING_SORT_BYTES_MAX (64u << 20) /* of one temporary file of a query */
#define BLOCKING_MESSAGE_BYTES 400u

struct blocking_config;

/* What becomes of a configuration; all borrowed. */
struct blocking_options {
	const char *const *read_roots; /* absolute, without ".." */
	uint32_t           read_root_count;
	const char *const *write_roots;
	uint32_t           write_root_count;
	/* What no job may reach: no root may hold one or lie within one. Those that are not there are
	 * passed over. */
	const char *const *private_paths;
	uint32_t           private_count;
};

/* Opens the roots. Errors: GD_INVALID_PARAMS (a root that is not there, is no directory, or meets a
 * private path), GD_SYS (a kernel without openat2, /proc not mounted), GD_NOMEM. */
GD_NODISCARD enum gd_err blocking_config_open(const struct blocking_options *options,
                                              struct blocking_config **out, struct gd_error *why);
void                     blocking_config_close(struct blocking_config *c); /* NULL is allowed */

/* How a call has ended. */
struct blocking_outcome {
	struct value
		result;    /* of the heap of the call, a new reference; VALUE_NONE: it has failed */
	const char  *type; /* of the exception; static */
	char         message[BLOCKING_MESSAGE_BYTES]; /* of the exception; UTF-8 */
	struct value data; /* of the exception: a dict, or VALUE_NONE; a new reference */
};

/* Calls `function`, which must be one of them. `args` is a dict of its arguments by name, on the heap
 * `h` and borrowed; the names are known to be right, the values are checked here. Where `is_unwanted`
 * (NULL: never) becomes true, nobody waits any more: what takes long soon ends with a CancelledError. */
void blocking_run(const struct blocking_config *c, const char *function, struct value args,
                  struct value_heap *h, const atomic_bool *is_unwanted,
                  struct blocking_outcome *out);

/* Whether a `path` of `function` lies below a root, as far as its text can tell. Looks at no file; a
 * function without paths takes any. Errors: GD_FORBIDDEN with words that begin with what is wrong. */
GD_NODISCARD enum gd_err blocking_check_path(const struct blocking_config *c, const char *function,
                                             const char *path, struct gd_error *why);

#endif
