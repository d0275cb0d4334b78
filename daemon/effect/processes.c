#include "daemon/effect/processes.h"

#include "proto/base/check.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct processes {
	struct pool       *pool; /* borrowed */
	struct port       *port;
	struct semaphores *slots;
	struct commands    at[POOL_LOOPS_MAX];
};

/* --- grants --- */

struct grant {
	struct inbox_msg  msg;
	struct processes *owner;
	uint64_t          job;
	gd_nsec           time;
	uint32_t          ticket;
};

static void take_grant(struct loop *l, struct inbox_msg *m)
{
	struct grant *g = (struct grant *)(void *)m;

	_Static_assert(offsetof(struct grant, msg) == 0, "a grant begins with its message");
	if (!l->is_stopping) /* the next start decides it again */
		commands_begin(&g->owner->at[l->index], g->job, g->ticket, g->time);
	free(g);
}

static void grant(void *ctx, uint64_t job, uint32_t ticket, gd_nsec time)
{
	struct processes *x = ctx;
	struct grant     *g = malloc(sizeof *g);

	if (g == NULL)
		pool_die("loop.no_memory", NULL);
	*g = (struct grant){
		.msg.run = take_grant, .owner = x, .job = job, .time = time, .ticket = ticket
	};
	loop_post_answer(pool_loop_of(x->pool, job), &g->msg);
}

/* --- words of the runner --- */

static bool hear(void *ctx, struct loop *l, struct port_word *w)
{
	struct processes *x = ctx;

	return commands_hear(&x->at[l->index], w);
}

/* --- life --- */

/* 0 where the system does not say which boot this is: then all are one. */
static uint64_t boot_number(void)
{
	char     id[STORE_BOOT_CHARS + 1];
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	clock_of_system.boot_id(clock_of_system.ctx, id);
	for (const char *at = id; *at != '\0'; at++)
		hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
	return id[0] == '\0' ? 0 : hash;
}

/* A command for each processor, unless somebody says otherwise. */
static uint32_t slots_usual(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count < 1 ? 1 : (uint32_t)count;
}

static enum gd_err open_parts(const struct processes_config *config, struct processes *x,
                              struct gd_error *why)
{
	const struct port_config port = { .state_dir = config->state_dir,
		                          .socket = config->runner_socket,
		                          .program = config->runner_program,
		                          .credentials = config->credentials,
		                          .pool = x->pool,
		                          .hear = hear,
		                          .ctx = x };
	enum gd_err              rc = semaphores_open(slots_usual(), grant, x, &x->slots, why);

	return rc == GD_OK ? port_open(&port, &x->port, why) : rc;
}

enum gd_err processes_open(const struct processes_config *config, struct pool *pool,
                           struct processes **out, struct gd_error *why)
{
	struct processes *x = calloc(1, sizeof *x);
	uint64_t          boot = boot_number();
	enum gd_err       rc;

	if (x == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for commands");
	x->pool = pool;
	if ((rc = open_parts(config, x, why)) != GD_OK) {
		processes_close(x);
		return rc;
	}
	for (uint32_t i = 0; i < pool->count; i++) {
		struct commands *cs = &x->at[i];

		cs->loop = pool_loop(pool, i);
		cs->port = x->port;
		cs->slots = x->slots;
		cs->profiles = config->profiles;
		cs->key_prefix = store_uuid(pool->store);
		cs->boot = boot;
	}
	pool->slots = x->slots;
	*out = x;
	return GD_OK;
}

void processes_close(struct processes *x)
{
	if (x == NULL)
		return;
	x->pool->slots = NULL;
	for (uint32_t i = 0; i < POOL_LOOPS_MAX; i++)
		commands_close(&x->at[i]);
	port_close(x->port);
	if (x->slots != NULL)
		semaphores_close(x->slots);
	free(x);
}

void processes_start(struct processes *x)
{
	port_start(x->port);
}

struct commands *processes_commands(struct processes *x, const struct loop *l)
{
	return &x->at[l->index];
}

void processes_count(const struct processes *x, uint32_t *running, uint32_t *waiting)
{
	*running = *waiting = 0;
	for (uint32_t i = 0; i < x->pool->count; i++) {
		*running += x->at[i].running;
		*waiting += x->at[i].waiting;
	}
}
