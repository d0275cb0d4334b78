/*
 * port.h - the way to gatherd-runner and back, for all loops.
 *
 * The connection belongs to loop 0. What a loop asks for goes there by its inbox; what the runner
 * says goes to the loop of the job, in the order in which it was said. Where there is no runner and
 * somebody needs one, it is started (unless the configuration says that another does that) and
 * tried again until it is there.
 *
 *	AWAY --need, or a runner is there--> CONNECTED --WELCOME..STATE_END--> HEARD
 *	  ^                                      |                               |
 *	  `-----------------it is gone-----------+-------------------------------'
 *
 * What is asked while there is no connection is dropped: each new one begins with the runner telling
 * all that it has, and with that the commands see what is missing.
 *
 * Ownership: the port belongs to processes.c. Threads: port_*() on the loop that they are given; open and
 * close on the main thread while no loop runs.
 */
#ifndef GATHERD_EFFECT_PORT_H
#define GATHERD_EFFECT_PORT_H

#include "daemon/effect/launch.h"
#include "daemon/run/pool.h"
#include "daemon/runner/link.h"

struct port;

/* What the runner says, on the thread of the job's loop. `m` runs again later when recover_defers()
 * takes it; otherwise the port frees it. */
struct port_word {
	struct inbox_msg msg; /* first */
	struct port     *port;
	enum run_kind    kind; /* WELCOME, STATE_END, STATE, OUTPUT */
	union {
		struct run_state state;
		struct {
			struct run_ref ref;
			uint64_t       bytes[RUN_STREAMS];
		} output;
	};
};
/* True: `w` is kept by recover_defers(). */
typedef bool port_hear_fn(void *ctx, struct loop *l, struct port_word *w);

struct port_config {
	const char   *state_dir;
	const char   *socket;      /* NULL or "": in the state directory */
	const char   *program;     /* absolute, of gatherd-runner; NULL: somebody else starts it */
	const char   *credentials; /* of the one that we start; NULL or "": none */
	struct pool  *pool;
	port_hear_fn *hear;
	void         *ctx;
};

/* Errors: GD_NOMEM, GD_LIMIT (the path of the socket is too long). */
GD_NODISCARD enum gd_err port_open(const struct port_config *config, struct port **out,
                                   struct gd_error *why);
void                     port_close(struct port *p); /* NULL: nothing */
/* Looks once whether a runner is there. Before the loops run. */
void                     port_start(struct port *p);
/* DIR/runner, where output lies while the runner knows the command. */
const char              *port_output_dir(const struct port *p);

/* A runner is wanted. */
void port_need(struct port *p, struct loop *l);
/* The launch is taken. When even the request cannot be said, the answer is a STATE, failed. */
void port_begin(struct port *p, struct loop *l, struct launch *launch);
void port_terminate(struct port *p, struct loop *l, const struct run_ref *ref, gd_nsec grace);
void port_ack(struct port *p, struct loop *l, const struct run_ref *ref);
void port_watch(struct port *p, struct loop *l, const struct run_ref *ref, bool is_on);
void port_taken(struct port *p, struct loop *l, const struct run_ref *ref,
                const uint64_t bytes[RUN_STREAMS]);

#endif
