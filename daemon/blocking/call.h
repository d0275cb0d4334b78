/*
 * call.h - one call of a built-in function: its arguments, and how it fails.
 *
 * A function is `struct value blocking_NAME(struct call *c)`: its result, or VALUE_NONE after one of
 * the fail functions, which return VALUE_NONE so that they can be returned.
 *
 * Threads: a call belongs to one.
 */
#ifndef GATHERD_BLOCKING_CALL_H
#define GATHERD_BLOCKING_CALL_H

#include "daemon/blocking/blocking.h"

struct call {
	const struct blocking_config *config;
	const char                   *function;
	struct value                  args;
	struct value_heap            *heap;
	const atomic_bool            *is_unwanted; /* or NULL */
	struct blocking_outcome      *out;
};

static inline bool call_is_unwanted(const struct call *c)
{
	return c->is_unwanted != NULL && atomic_load_explicit(c->is_unwanted, memory_order_relaxed);
}

/* --- failures; the first one of a call counts --- */

struct value call_fail(struct call *c, const char *type, const char *fmt, ...) GD_PRINTF(3, 4);
/* The type that Python gives to errno `sys`, data {errno, path}. */
struct value call_fail_path(struct call *c, int sys, const char *path);
/* The same for any other number of the system: data {errno: `name`}. */
struct value call_fail_code(struct call *c, const char *name, const char *fmt, ...) GD_PRINTF(3, 4);
struct value call_fail_unwanted(struct call *c);
struct value call_fail_memory(struct call *c);

/* A text of a message, cut to what fits one: `room` belongs to the caller. */
struct call_shown {
	char at[160];
};
const char *call_show(struct call_shown *room, const char *text);

/* --- arguments; false or NULL after a TypeError or ValueError --- */

/* VALUE_NONE: not given, or null. Borrowed. */
struct value        call_arg(const struct call *c, const char *name);
/* A text that has to be given. */
const struct vtext *call_text(struct call *c, const char *name);
/* `*out` stays as it is where none is given. */
bool call_number(struct call *c, const char *name, int64_t min, int64_t max, int64_t *out);
/* What a value is called in a TypeError. */

/* --- the functions --- */

typedef struct value call_fn(struct call *c);

call_fn blocking_list_dir, blocking_read_file, blocking_resolve, blocking_sha256,
	blocking_sqlite_query, blocking_stat, blocking_write_file;

#endif
