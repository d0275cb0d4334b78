/*
 * load.h - JSON to program, with every problem and its place.
 *
 * Cost: linear in the size of the spec. Threads: none; any thread may load. A program may be
 * shared. Source: JOBS.md is the language.
 */
#ifndef GATHERD_LOAD_LOAD_H
#define GATHERD_LOAD_LOAD_H

#include "daemon/value/limits.h"
#include "daemon/engine/program.h"

#include <jansson.h>

struct load_problem {
	char *pointer; /* JSON Pointer into the spec; owned */
	char *message; /* owned */
	char *hint;    /* owned; NULL when there is none */
};

/* In document order; at most SPEC_PROBLEMS_MAX. All zero is empty. */
struct load_problems {
	struct load_problem at[SPEC_PROBLEMS_MAX];
	uint32_t            count;
	bool                is_cut; /* there were more */
};

void load_problems_close(struct load_problems *p);
/* One more, of somebody who looked at the program, behind those that are there; all is copied, and
 * `hint` may be NULL. False: no memory. */
bool load_problems_add(struct load_problems *p, const char *pointer, const char *message,
                       const char *hint);
/* [{"pointer", "message", "hint"?}, ...] */
void load_problems_write_json(struct buf *b, const struct load_problems *p);

/* Compiles a spec. On GD_OK `*out` is a new reference. Errors: GD_INVALID_SPEC with `problems`
 * filled, GD_NOMEM. `problems` is the caller's to close in every case. */
GD_NODISCARD enum gd_err load_program(const json_t *spec, struct program **out,
                                      struct load_problems *problems, struct gd_error *why);

/* The same for a job that was accepted when `loop` of a create_task was not looked at: all its tasks
 * run on its own loop. */
GD_NODISCARD enum gd_err load_program_old(const json_t *spec, struct program **out,
                                          struct load_problems *problems, struct gd_error *why);

/* One value for each arg of the program: what `args` (object, or NULL) says, else the default.
 * `out` has room for p->job_arg_count; on GD_OK each is a new reference on `h`. Errors:
 * GD_INVALID_SPEC with `problems` (an arg that the header does not name), GD_NOMEM. */
GD_NODISCARD enum gd_err load_args(struct value_heap *h, const struct program *p,
                                   const json_t *args, struct value *out,
                                   struct load_problems *problems, struct gd_error *why);

/* A JSON value as a value, new reference; VALUE_NONE when memory ends (h->failed). */
struct value             load_value(struct value_heap *h, const json_t *json);
/* A length of time: a number of seconds, or text such as "1h30m". Errors: GD_INVALID_PARAMS. */
GD_NODISCARD enum gd_err load_duration(struct value_heap *h, const json_t *json, gd_nsec *out,
                                       struct gd_error *why);

#endif
