#include "daemon/effect/effects.h"

#include "daemon/effect/thread_pool.h"
#include "daemon/log.h"
#include "proto/base/check.h"

#include <stdlib.h>

#define THREADS_PATIENCE (200 * GD_NSEC_PER_MSEC) /* of the end, with calls that nobody waits for */

struct on_loop {
	struct commands *commands;
	struct calls     calls;
};

struct effects {
	struct pool            *pool; /* borrowed */
	struct processes       *processes;
	struct thread_pool     *threads;
	struct blocking_config *blocking;
	struct http_policy     *policy;
	struct on_loop          at[POOL_LOOPS_MAX];
	uint32_t                left; /* threads that nothing ends; what they use stays */
	bool                    is_stopped;
};

/* --- the hooks of a loop --- */

static void obey(void *ctx, const struct engine_out *out)
{
	struct on_loop *x = ctx;

	if (out->kind == ENGINE_CALL || calls_has(&x->calls, out->job, out->ticket))
		calls_obey(&x->calls, out);
	else
		commands_obey(x->commands, out);
}

static void took(void *ctx, const struct engine_in *in)
{
	struct on_loop *x = ctx;

	if (calls_has(&x->calls, in->job, in->ticket))
		calls_took(&x->calls, in);
	else
		commands_took(x->commands, in);
}

static void forget(void *ctx, uint64_t job, gd_nsec time)
{
	struct on_loop *x = ctx;

	calls_forget(&x->calls, job);
	commands_forget(x->commands, job, time);
}

static void recovered(void *ctx)
{
	calls_recovered(&((struct on_loop *)ctx)->calls);
}

static bool holds_time(void *ctx)
{
	return commands_hold_time(((struct on_loop *)ctx)->commands);
}

/* --- life --- */

static void http_begins(void *loop)
{
	stopwatch_begin(&((struct loop *)loop)->watch, DOING_HTTP);
}

static enum gd_err open_on_loop(struct effects *x, const struct effects_config *config, uint32_t i,
                                struct gd_error *why)
{
	struct on_loop *at = &x->at[i];
	struct loop    *l = pool_loop(x->pool, i);
	enum gd_err     rc;

	at->commands = processes_commands(x->processes, l);
	at->calls.loop = l;
	at->calls.threads = x->threads;
	at->calls.key_prefix = store_uuid(x->pool->store);
	at->calls.room[CALL_THREAD] = CALLS_THREAD_ROOM;
	at->calls.blocking = x->blocking;
	at->calls.room_begun[CALL_THREAD] = 2 * config->threads;
	at->calls.room[CALL_HTTP] = at->calls.room_begun[CALL_HTTP] = config->http.transfers;
	l->effects = (struct loop_effects){ .obey = obey,
		                            .took = took,
		                            .forget = forget,
		                            .recovered = recovered,
		                            .holds_time = holds_time,
		                            .ctx = at };
	rc = http_client_open(l->base, x->policy, &config->http, &at->calls.http, why);
	if (rc == GD_OK)
		http_client_watch(at->calls.http, http_begins, l);
	return rc;
}

enum gd_err effects_open(const struct effects_config *config, struct pool *pool,
                         struct effects **out, struct gd_error *why)
{
	struct effects *x = calloc(1, sizeof *x);
	enum gd_err     rc;

	if (x == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for what jobs ask for");
	x->pool = pool;
	if ((rc = processes_open(&config->processes, pool, &x->processes, why)) != GD_OK ||
	    (rc = blocking_config_open(&config->blocking, &x->blocking, why)) != GD_OK ||
	    (rc = http_policy_open(&config->policy, &x->policy, why)) != GD_OK ||
	    (rc = thread_pool_open(config->threads, &x->threads, why)) != GD_OK) {
		effects_close(x);
		return rc;
	}
	for (uint32_t i = 0; i < pool->count && rc == GD_OK; i++)
		rc = open_on_loop(x, config, i, why);
	if (rc != GD_OK) {
		effects_close(x);
		return rc;
	}
	*out = x;
	return GD_OK;
}

void effects_start(struct effects *x)
{
	processes_start(x->processes);
}

void effects_stop(struct effects *x)
{
	x->is_stopped = true;
	if (x->threads == NULL)
		return;
	for (uint32_t i = 0; i < x->pool->count; i++)
		calls_hurry(&x->at[i].calls);
	x->left = thread_pool_stop(x->threads, THREADS_PATIENCE);
	if (x->left != 0)
		log_warn("threads.left", "%u threads are in calls that do not end; they end now",
		         (unsigned)x->left);
}

void effects_close(struct effects *x)
{
	if (x == NULL)
		return;
	if (!x->is_stopped)
		effects_stop(x);
	/* Whoever still runs ends with the process, and needs what it uses until then. */
	for (uint32_t i = 0; i < x->pool->count && x->left == 0; i++)
		calls_close(&x->at[i].calls);
	thread_pool_close(x->threads);
	for (uint32_t i = 0; i < x->pool->count; i++)
		http_client_close(x->at[i].calls.http);
	http_policy_close(x->policy);
	processes_close(x->processes);
	if (x->left != 0)
		return;
	blocking_config_close(x->blocking);
	free(x);
}

const struct blocking_config *effects_blocking(const struct effects *x)
{
	return x->blocking;
}

const struct http_policy *effects_http(const struct effects *x)
{
	return x->policy;
}

struct commands *effects_commands(struct effects *x, const struct loop *l)
{
	return x->at[l->index].commands;
}

struct calls *effects_calls(struct effects *x, const struct loop *l)
{
	return &x->at[l->index].calls;
}

uint32_t effects_resume(struct effects *x, const struct loop *l, uint64_t job, const char *path,
                        const char *what)
{
	struct on_loop *at = &x->at[l->index];

	return commands_resume(at->commands, job, path, what) +
	       calls_resume(&at->calls, job, path, what);
}

struct effects_counts effects_count(const struct effects *x)
{
	struct effects_counts sum = { 0 };

	processes_count(x->processes, &sum.commands_running, &sum.commands_waiting);
	for (uint32_t i = 0; i < x->pool->count; i++)
		for (int kind = 0; kind < CALL_KINDS; kind++) {
			sum.running[kind] += x->at[i].calls.running[kind];
			sum.waiting[kind] += x->at[i].calls.waiting[kind];
		}
	return sum;
}
