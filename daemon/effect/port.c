#include "daemon/effect/port.h"

#include "daemon/log.h"
#include "proto/base/check.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_FIRST_MSEC 2u
#define RETRY_MOST_MSEC 1000u
#define SPAWN_EVERY_MSEC 2000u /* at most; an attempt that fails says why in its log */

struct port {
	struct pool        *pool;
	port_hear_fn       *hear;
	void               *ctx;
	char               *state_dir, *dir, *socket; /* owned */
	char               *program;                  /* owned; NULL: somebody else starts it */
	char               *credentials;              /* owned; NULL: none */
	/* all below: loop 0's */
	struct runner_link *link;
	struct event       *event; /* of the link's descriptor; NULL: no link */
	struct event       *flush;
	struct event       *retry;
	unsigned            wait_msec, since_spawn_msec;
	bool                is_needed; /* by somebody who waits for it */
	bool                is_missed; /* and that was told in the log */
};

static struct loop *home(const struct port *p)
{
	return pool_loop(p->pool, 0);
}

static _Noreturn void out_of_memory(void)
{
	struct gd_error why;

	(void)gd_fail(&why, GD_NOMEM, "no memory for what the runner is told, or says");
	pool_die("loop.no_memory", &why);
}

/* --- from the runner --- */

static void take_word(struct loop *l, struct inbox_msg *m)
{
	struct port_word *w = (struct port_word *)(void *)m;

	_Static_assert(offsetof(struct port_word, msg) == 0, "a word begins with its message");
	if (!w->port->hear(w->port->ctx, l, w))
		free(w);
}

static void say_to(struct port *p, struct loop *l, const struct port_word *word)
{
	struct port_word *w = malloc(sizeof *w);

	if (w == NULL)
		out_of_memory();
	*w = *word;
	w->msg = (struct inbox_msg){ .run = take_word };
	w->port = p;
	if (l == home(p))
		take_word(l, &w->msg);
	else
		loop_post_answer(l, &w->msg);
}

static void say_to_all(struct port *p, enum run_kind kind)
{
	for (uint32_t i = 0; i < p->pool->count; i++)
		say_to(p, pool_loop(p->pool, i), &(struct port_word){ .kind = kind });
}

static void say_failed(struct port *p, const struct run_ref *ref, enum run_stage stage, int number)
{
	say_to(p, pool_loop_of(p->pool, ref->job),
	       &(struct port_word){ .kind = RUN_STATE,
	                            .state = { .ref = *ref,
	                                       .phase = RUN_FAILED,
	                                       .stage = stage,
	                                       .error = number } });
}

static void dispatch(struct port *p, const struct run_message *m)
{
	struct port_word w = { .kind = m->kind };

	switch ((int)m->kind) {
	case RUN_WELCOME:
		log_info("runner.connected", "instance=%llx",
		         (unsigned long long)m->welcome.instance);
		say_to_all(p, RUN_WELCOME);
		return;
	case RUN_STATE_END:
		p->is_needed = false;
		say_to_all(p, RUN_STATE_END);
		return;
	case RUN_STATE:
		w.state = m->state;
		say_to(p, pool_loop_of(p->pool, m->state.ref.job), &w);
		return;
	case RUN_OUTPUT:
		w.output.ref = m->ref;
		w.output.bytes[RUN_STDOUT] = m->bytes[RUN_STDOUT];
		w.output.bytes[RUN_STDERR] = m->bytes[RUN_STDERR];
		say_to(p, pool_loop_of(p->pool, m->ref.job), &w);
		return;
	}
}

/* --- the connection --- */

static void retry_in(struct port *p, unsigned msec)
{
	const struct timeval tv = { .tv_sec = msec / 1000,
		                    .tv_usec = (suseconds_t)(msec % 1000) * 1000 };

	if (event_add(p->retry, &tv) != 0)
		out_of_memory();
}

static void hang_up(struct port *p, const struct gd_error *why)
{
	if (p->link == NULL)
		return;
	log_warn("runner.gone", "%s", why->text);
	event_free(p->event);
	p->event = NULL;
	runner_link_close(p->link);
	p->link = NULL;
	/* It may have had commands of ours. */
	p->is_needed = true;
	p->wait_msec = RETRY_FIRST_MSEC;
	p->since_spawn_msec = SPAWN_EVERY_MSEC;
	retry_in(p, p->wait_msec);
}

/* EV_WRITE only as long as there is something left. */
static void flush(struct port *p)
{
	struct gd_error why;
	short           wanted = EV_READ | EV_PERSIST;

	if (p->link == NULL)
		return;
	if (runner_link_flush(p->link, &why) != GD_OK) {
		hang_up(p, &why);
		return;
	}
	if (runner_link_wants_to_write(p->link))
		wanted |= EV_WRITE;
	if (wanted == event_get_events(p->event))
		return;
	(void)event_del(p->event);
	(void)event_assign(p->event, home(p)->base, runner_link_fd(p->link), wanted,
	                   event_get_callback(p->event), p);
	if (event_add(p->event, NULL) != 0)
		out_of_memory();
}

static void on_flush(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	stopwatch_begin(&home(ctx)->watch, DOING_RUNNER);
	flush(ctx);
}

static void on_link(evutil_socket_t fd, short what, void *ctx)
{
	struct port       *p = ctx;
	struct run_message m;
	struct gd_error    why;
	enum gd_err        rc = GD_OK;

	(void)fd;
	stopwatch_begin(&home(p)->watch, DOING_RUNNER);
	if ((what & EV_READ) != 0)
		rc = runner_link_read(p->link, &why);
	while (p->link != NULL && runner_link_next(p->link, &m))
		dispatch(p, &m);
	if (rc == GD_OK)
		flush(p);
	else
		hang_up(p, &why);
}

static bool connect_now(struct port *p, struct gd_error *why)
{
	if (runner_link_open(p->socket, &p->link, why) != GD_OK)
		return false;
	p->event =
		event_new(home(p)->base, runner_link_fd(p->link), EV_READ | EV_PERSIST, on_link, p);
	if (p->event == NULL || event_add(p->event, NULL) != 0)
		out_of_memory();
	p->is_missed = false;
	p->wait_msec = RETRY_FIRST_MSEC;
	flush(p);
	return p->link != NULL;
}

static void try_to_start_one(struct port *p)
{
	const struct runner_spawn how = { .program = p->program,
		                          .state_dir = p->state_dir,
		                          .socket = p->socket,
		                          .credentials = p->credentials };
	struct gd_error           why;

	if (p->program == NULL || p->since_spawn_msec < SPAWN_EVERY_MSEC)
		return;
	p->since_spawn_msec = 0;
	if (runner_spawn(&how, &why) != GD_OK)
		log_error("runner.not_started", "%s", why.text);
}

static void on_retry(evutil_socket_t fd, short what, void *ctx)
{
	struct port    *p = ctx;
	struct gd_error why;

	(void)fd;
	(void)what;
	stopwatch_begin(&home(p)->watch, DOING_RUNNER);
	if (p->link != NULL || connect_now(p, &why))
		return;
	if (!p->is_needed)
		return;
	try_to_start_one(p);
	if (p->wait_msec == RETRY_MOST_MSEC && !p->is_missed) {
		log_warn("runner.missing", "%s; commands wait for it", why.text);
		p->is_missed = true;
	}
	retry_in(p, p->wait_msec);
	p->since_spawn_msec += p->wait_msec;
	p->wait_msec = p->wait_msec * 2 > RETRY_MOST_MSEC ? RETRY_MOST_MSEC : p->wait_msec * 2;
}

static void need(struct port *p)
{
	if (p->link != NULL || p->is_needed)
		return;
	p->is_needed = true;
	p->wait_msec = RETRY_FIRST_MSEC;
	p->since_spawn_msec = SPAWN_EVERY_MSEC;
	event_active(p->retry, EV_TIMEOUT, 0);
}

void port_start(struct port *p)
{
	event_active(p->retry, EV_TIMEOUT, 0);
}

/* --- to the runner --- */

/* On its way to loop 0. */
struct ask {
	struct inbox_msg msg;
	struct port     *port;
	enum run_kind kind; /* START, TERMINATE, ACK, WATCH, TAKEN; LIST: somebody needs a runner */
	struct run_ref ref;
	union {
		struct launch launch;
		gd_nsec       grace;
		bool          is_on;
		uint64_t      bytes[RUN_STREAMS];
	};
};

static enum gd_err queue_start(struct port *p, struct launch *launch, struct gd_error *why)
{
	enum gd_err rc = runner_link_start(p->link, &launch->start, why);

	if (rc != GD_LIMIT || runner_link_wants_to_write(p->link))
		return rc;
	say_failed(p, &launch->start.ref, RUN_STAGE_LIMIT, E2BIG);
	return GD_OK;
}

static enum gd_err queue_ask(struct port *p, struct ask *c, struct gd_error *why)
{
	switch ((int)c->kind) {
	case RUN_START:
		return queue_start(p, &c->launch, why);
	case RUN_TERMINATE:
		return runner_link_terminate(p->link, &c->ref, c->grace, why);
	case RUN_ACK:
		return runner_link_ack(p->link, &c->ref, why);
	case RUN_WATCH:
		return runner_link_watch(p->link, &c->ref, c->is_on, why);
	case RUN_TAKEN:
		return runner_link_taken(p->link, &c->ref, c->bytes, why);
	}
	return GD_OK;
}

static void make_ask(struct port *p, struct ask *c)
{
	struct gd_error why;

	if (c->kind == RUN_START || c->kind == RUN_LIST)
		need(p);
	if (p->link != NULL) {
		if (queue_ask(p, c, &why) == GD_OK)
			event_active(p->flush, EV_TIMEOUT, 0);
		else
			hang_up(p, &why);
	}
	if (c->kind == RUN_START)
		launch_close(&c->launch);
}

static void take_ask(struct loop *l, struct inbox_msg *m)
{
	struct ask *c = (struct ask *)(void *)m;

	_Static_assert(offsetof(struct ask, msg) == 0, "what is asked begins with its message");
	if (!l->is_stopping)
		make_ask(c->port, c);
	else if (c->kind == RUN_START)
		launch_close(&c->launch);
	free(c);
}

static void ask(struct port *p, struct loop *l, const struct ask *c)
{
	struct ask *kept;

	if (l == home(p)) {
		struct ask now = *c;

		make_ask(p, &now);
		return;
	}
	if ((kept = malloc(sizeof *kept)) == NULL)
		out_of_memory();
	*kept = *c;
	kept->msg = (struct inbox_msg){ .run = take_ask };
	kept->port = p;
	loop_post_answer(home(p), &kept->msg);
}

void port_need(struct port *p, struct loop *l)
{
	ask(p, l, &(struct ask){ .kind = RUN_LIST });
}

void port_begin(struct port *p, struct loop *l, struct launch *launch)
{
	ask(p, l, &(struct ask){ .kind = RUN_START, .launch = *launch });
	*launch = (struct launch){ 0 };
}

void port_terminate(struct port *p, struct loop *l, const struct run_ref *ref, gd_nsec grace)
{
	ask(p, l, &(struct ask){ .kind = RUN_TERMINATE, .ref = *ref, .grace = grace });
}

void port_ack(struct port *p, struct loop *l, const struct run_ref *ref)
{
	ask(p, l, &(struct ask){ .kind = RUN_ACK, .ref = *ref });
}

void port_watch(struct port *p, struct loop *l, const struct run_ref *ref, bool is_on)
{
	ask(p, l, &(struct ask){ .kind = RUN_WATCH, .ref = *ref, .is_on = is_on });
}

void port_taken(struct port *p, struct loop *l, const struct run_ref *ref,
                const uint64_t bytes[RUN_STREAMS])
{
	ask(p, l,
	    &(struct ask){ .kind = RUN_TAKEN,
	                   .ref = *ref,
	                   .bytes = { bytes[RUN_STDOUT], bytes[RUN_STDERR] } });
}

/* --- life --- */

const char *port_output_dir(const struct port *p)
{
	return p->dir;
}

/* NULL: no memory. */
static bool is_given(const char *path)
{
	return path != NULL && path[0] != '\0';
}

static char *join(const char *dir, const char *name)
{
	char *at = NULL;

	return asprintf(&at, "%s%s", dir, name) < 0 ? NULL : at;
}

enum gd_err port_open(const struct port_config *config, struct port **out, struct gd_error *why)
{
	struct port *p = calloc(1, sizeof *p);

	if (p == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for the way to the runner");
	p->pool = config->pool;
	p->hear = config->hear;
	p->ctx = config->ctx;
	p->state_dir = join(config->state_dir, "");
	p->dir = join(config->state_dir, "/runner");
	p->socket = is_given(config->socket) ? join(config->socket, "")
	                                     : join(config->state_dir, "/runner/sock");
	if (config->program != NULL)
		p->program = join(config->program, "");
	if (is_given(config->credentials))
		p->credentials = join(config->credentials, "");
	p->flush = event_new(home(p)->base, -1, 0, on_flush, p);
	p->retry = event_new(home(p)->base, -1, 0, on_retry, p);
	if (p->state_dir == NULL || p->dir == NULL || p->socket == NULL || p->flush == NULL ||
	    p->retry == NULL || (config->program != NULL && p->program == NULL) ||
	    (is_given(config->credentials) && p->credentials == NULL)) {
		port_close(p);
		return gd_fail(why, GD_NOMEM, "no memory for the way to the runner");
	}
	*out = p;
	return GD_OK;
}

void port_close(struct port *p)
{
	if (p == NULL)
		return;
	if (p->event != NULL)
		event_free(p->event);
	runner_link_close(p->link);
	if (p->flush != NULL)
		event_free(p->flush);
	if (p->retry != NULL)
		event_free(p->retry);
	free(p->state_dir);
	free(p->dir);
	free(p->socket);
	free(p->program);
	free(p->credentials);
	free(p);
}
