/*
 * function_table.h - the built-in functions of to_thread and their parameters, as data.
 *
 * The loader checks names, counts and constants by it, and the schema of jobs says it. What the
 * functions do stands in blocking/, which takes the arguments by these names.
 *
 * Ownership: static, read only. Threads: any. Source: JOBS.md.
 */
#ifndef GATHERD_LOAD_FUNCTION_TABLE_H
#define GATHERD_LOAD_FUNCTION_TABLE_H

#include "daemon/load/op_table.h"

struct function_param {
	const char    *name;
	enum slot_kind slot;        /* of the value */
	bool           is_required; /* where not, null stands for "not given" */
};

struct function_info {
	const char *name;
	bool        changes; /* something outside: to run it twice is not the same */
	const struct function_param *params; /* in the order in which a list gives them */
	uint32_t                     param_count;
};

/* The names of all, in order, NULL behind the last: the choices of to_thread. */
extern const char *const FUNCTION_NAMES[];

const struct function_info *function_find(const char *name); /* NULL: there is none */
/* The position of a parameter, or `param_count`. */
uint32_t                    function_param_find(const struct function_info *f, const char *name);
void                        function_offer_params(struct nearest *n, const struct function_info *f);

#endif
