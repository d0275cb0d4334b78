/*
 * gen_inside.h - what the parts of the generator of random jobs share.
 *
 * A job is written from the outside in, straight into the buffer. A scope says what may stand where
 * the pen is: it goes from a node to the nodes inside by value, so nothing has to be undone. Every
 * job is accepted by the loader, and ends: a task refers only to handles that were bound before it.
 */
#ifndef GATHERD_TESTS_GEN_INSIDE_H
#define GATHERD_TESTS_GEN_INSIDE_H

#include "tests/sim/gen.h"

struct gen {
	struct buf *b;
	struct rng *r;
	uint32_t    nodes_left; /* the job stays small: after that only leaves are written */
	uint32_t    last_name;  /* names end with a number of their own */
	bool        has_semaphores;
	bool        has_wall; /* looks at the clock on the wall, and waits for it */
	bool        has_commands;
	bool        has_events;
	bool        uses_f, uses_g, uses_h, uses_k; /* defs that are called */
};

struct scope {
	struct gen *g;
	uint32_t    depth;
	uint32_t    blocks;  /* a Python function may nest 20: loops, handlers, `with` */
	uint32_t    handles; /* t0 .. are visible handles */
	bool        has_n;   /* a number */
	bool        has_attempt;
	bool        has_error;     /* within a handler of this coroutine */
	bool        is_guarded;    /* within a `try`: an error does not end it all */
	bool        is_concurrent; /* no `return` */
	bool        is_in_def;
	bool        is_generator;
	bool        can_yield;
};

static inline uint32_t pick(struct scope s, uint32_t n)
{
	return rng_below(s.g->r, n);
}

static inline bool one_in(struct scope s, uint32_t n)
{
	return rng_below(s.g->r, n) == 0;
}

/* Whether `blocks` more may be opened here, and the scope inside them. */
bool         has_room(struct scope s, uint32_t blocks);
struct scope inside(struct scope s, uint32_t blocks);
/* The scope of a coroutine that is made here. */
struct scope of_branch(struct scope s);

/* Any node: the operation and what stands around it. */
void gen_node(struct scope s);
/* "[...]" of nodes and of steps that bind handles; its value is no handle. */
void gen_sequence(struct scope s);
/* A duration: a number, or an expression. */
void gen_duration(struct scope s);
void gen_number(struct scope s);

/* Each writes the members of a node without the braces. */
void gen_sleep(struct scope s);
void gen_event(struct scope s);
void gen_yield(struct scope s);
void gen_value(struct scope s);
void gen_raise(struct scope s);
void gen_return(struct scope s);
void gen_call(struct scope s);
void gen_shield(struct scope s);
void gen_block(struct scope s);
void gen_for(struct scope s);
void gen_while(struct scope s);
void gen_match(struct scope s);
void gen_try(struct scope s);
void gen_async_for(struct scope s);
void gen_gather(struct scope s);
void gen_as_completed(struct scope s);
void gen_task_group(struct scope s);
void gen_race(struct scope s);
void gen_exec(struct scope s);
/* A call on a thread, or a request. */
void gen_outcall(struct scope s);

/* The exec of an async_for. */
void gen_lines(struct scope s);

/* The completions of an as_completed: its branches and the options that belong to them. */
void gen_completions(struct scope s);
/* ,"as":...,"do":... for each item. */
void gen_consumer(struct scope s, bool is_completion);
/* {"await": one of the visible handles}, of which there is one. */
void gen_await(struct scope s);

#endif
