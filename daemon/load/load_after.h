/*
 * load_after.h - which branches of an object wait for which of their siblings.
 *
 * Read for all branches of a combinator before the first of them is compiled, so that names are
 * known and circles found. Private to load_branches.c, load_node.c and load_after.c.
 *
 * Ownership: lives on the stack of whoever compiles the branches; its arrays are its own.
 * Cost: linear in the branches and in what their lists name. Threads: none.
 */
#ifndef GATHERD_LOAD_LOAD_AFTER_H
#define GATHERD_LOAD_LOAD_AFTER_H

#include "daemon/load/loader.h"

/* One branch. */
struct after_node {
	const char   *name;         /* borrowed */
	const json_t *json;         /* its list, or NULL */
	uint32_t      index;        /* of the list among the members of the branch */
	uint32_t      first, count; /* in the program's afters: for whom it waits */
	uint32_t      first_dependent, dependent_count; /* who waits for it */
	uint32_t      left;                             /* scratch */
};

struct after_graph {
	struct after_node *node; /* one for each branch; NULL when none waits */
	uint32_t           count;
	uint32_t           branch; /* the one that is being compiled */
};

/* Reads the lists of the branches in `json`, an object at `at`; problems are said. False, with an
 * empty graph, when there is no list. */
bool after_open(struct after_graph *g, struct loader *l, const struct place *at,
                const json_t *json);
void after_close(struct after_graph *g);

/* Fills in what the branch that is being compiled has to know. */
void after_fill(const struct after_graph *g, struct branch *b);
/* Binds the names of its siblings that the text of its body mentions, in slots behind the captures
 * of `d`. */
void after_bind(const struct after_graph *g, struct loader *l, const struct draft *d,
                const json_t *body);
/* After its body: keeps the slots that something reads. */
void after_settle(const struct after_graph *g, struct loader *l, const struct draft *d);

#endif
