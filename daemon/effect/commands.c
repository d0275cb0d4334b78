#include "daemon/effect/commands_inside.h"

#include "daemon/effect/outcome.h"
#include "daemon/log.h"
#include "daemon/run/inputs.h"
#include "proto/base/check.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void commands_out_of_memory(void)
{
	struct gd_error why;

	(void)gd_fail(&why, GD_NOMEM, "no memory for a command");
	pool_die("loop.no_memory", &why);
}

/* --- states --- */

static bool takes_slot(enum command_state state)
{
	return state != COMMAND_WAITING && state != COMMAND_HELD;
}

void commands_set_state(struct commands *cs, struct command *c, enum command_state state)
{
	cs->waiting += (uint32_t)(state == COMMAND_WAITING) - (c->state == COMMAND_WAITING);
	cs->running += (uint32_t)takes_slot(state) - takes_slot(c->state);
	c->state = state;
}

void commands_forget_adopted(struct commands *cs, struct command *c)
{
	if (c->is_adopted)
		cs->adopted--;
	c->is_adopted = false;
}

void commands_remove(struct commands *cs, struct command *c)
{
	commands_forget_adopted(cs, c);
	commands_set_state(cs, c, COMMAND_HELD); /* which is counted nowhere */
	command_remove(&cs->table, c);
}

/* --- what waits until its cause is durable --- */

static void stop(struct commands *cs, struct command *c, gd_nsec grace)
{
	struct run_ref ref = command_ref(c);

	if (c->state == COMMAND_ENDING)
		commands_end_with(cs, c, c->end);
	else if (c->state == COMMAND_STARTED)
		port_terminate(cs->port, cs->loop, &ref, grace);
	/* One that is COMMAND_BEGUN meets it when it should start. */
}

/* For a command that is there, in that attempt. */
static void run_for_command(struct commands *cs, const struct errand *e)
{
	struct command *c = command_find(&cs->table, e->ref.job, e->ref.exec);

	if (c == NULL || c->attempt != e->ref.attempt)
		return;
	switch ((int)e->kind) {
	case ERRAND_BEGIN:
		c->is_durable = true;
		commands_go(cs, c);
		return;
	case ERRAND_STOP:
		stop(cs, c, c->grace);
		return;
	case ERRAND_KILL:
		stop(cs, c, 0);
		return;
	case ERRAND_MORE:
		commands_serve_lines(cs, c);
		return;
	}
}

/* It outlives the runner's knowledge of the command. */
static void keep_output(struct commands *cs, const struct run_ref *ref)
{
	const struct output_ref of = { .job = ref->job,
		                       .ticket = ref->exec,
		                       .attempt = ref->attempt };
	struct gd_error         why;

	if (store_keep_output(cs->loop->pool->store, &of, loop_now(cs->loop), &why) != GD_OK)
		log_warn("exec.output_lost", "%s", why.text);
}

static void run_errand(const struct errand *e)
{
	struct commands *cs = e->cs;

	switch (e->kind) {
	case ERRAND_ACK:
		keep_output(cs, &e->ref);
		port_ack(cs->port, cs->loop, &e->ref);
		return;
	case ERRAND_TAKEN:
		port_taken(cs->port, cs->loop, &e->ref, e->bytes);
		return;
	case ERRAND_DROP:
		port_terminate(cs->port, cs->loop, &e->ref, 0);
		return;
	case ERRAND_BEGIN:
	case ERRAND_STOP:
	case ERRAND_KILL:
	case ERRAND_MORE:
		run_for_command(cs, e);
		return;
	}
	CHECK_NEVER("run_errand: unknown errand");
}

static void release_errand(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	_Static_assert(offsetof(struct errand, item) == 0, "an errand begins with its item");
	if (outcome == GD_OK && !l->is_stopping)
		run_errand((const struct errand *)(void *)item);
}

struct errand *commands_send(struct commands *cs, struct run_ref ref, enum errand_kind kind)
{
	/* Through a group also where nothing else has opened one: groups are reported in the order
	 * in which they were handed over. */
	struct store_group *g = loop_group(cs->loop);
	struct errand      *e = g == NULL ? NULL : arena_alloc(&g->arena, sizeof *e);

	if (e == NULL)
		commands_out_of_memory();
	*e = (struct errand){ .item.release = release_errand, .cs = cs, .ref = ref, .kind = kind };
	outbox_add(g->outbox, &e->item);
	return e;
}

/* --- inputs of the engine --- */

void commands_feed(struct commands *cs, const struct command *c, enum engine_in_kind kind,
                   gd_nsec time, uint64_t mark, struct value message)
{
	struct value_heap     *heap = engine_heap(cs->loop->engine);
	struct engine_in       in = { .kind = kind,
		                      .time = time,
		                      .job = c->entry.job,
		                      .message = message,
		                      .ticket = c->entry.ticket,
		                      .attempt = c->attempt,
		                      .mark = mark };
	struct engine_job_info job;

	if (heap->failed || value_is_none(message))
		commands_out_of_memory();
	CHECK(engine_job_info(cs->loop->engine, in.job, &job));
	if (in.time < job.now)
		in.time = job.now;
	inputs_feed(cs->loop, &in);
	value_release(heap, message);
}

void commands_end(struct commands *cs, struct command *c, gd_nsec time, struct value outcome)
{
	const struct run_ref ref = command_ref(c);

	commands_forget_adopted(cs, c);
	semaphores_release(cs->slots, c->entry.job, c->entry.ticket, loop_now(cs->loop));
	commands_feed(cs, c, ENGINE_EXITED, time, 0, outcome);
	(void)commands_send(cs, ref, ERRAND_ACK);
	commands_tell_watchers(cs, ref.job);
}

static void start(struct commands *cs, struct command *c)
{
	struct value    request = engine_request(cs->loop->engine, c->entry.job, c->entry.ticket);
	char            key[RUN_KEY_BYTES_MAX + 1], ref[RUN_REF_TEXT_BYTES];
	enum run_stage  stage;
	struct launch   launch;
	struct gd_error why;

	CHECK(!value_is_none(request));
	if (launch_build(cs->profiles, command_ref(c), request, &launch, &stage, &why) != GD_OK) {
		if (why.code == GD_NOMEM)
			commands_out_of_memory();
		commands_end(cs, c, loop_now(cs->loop),
		             outcome_of_failure(engine_heap(cs->loop->engine), stage, 0, why.text));
		return;
	}
	run_ref_text(&launch.start.ref, ref);
	(void)snprintf(key, sizeof key, "%s-%s", cs->key_prefix, ref);
	if ((launch.start.key = arena_copy(&launch.arena, key, strlen(key))) == NULL)
		commands_out_of_memory();
	launch.start.tells_output = c->gives_lines || commands_is_watched(cs, c->entry.job);
	commands_set_state(cs, c, COMMAND_STARTED);
	port_begin(cs->port, cs->loop, &launch);
}

void commands_go(struct commands *cs, struct command *c)
{
	if (c->is_stopped)
		commands_end(cs, c, loop_now(cs->loop),
		             outcome_of_nothing(engine_heap(cs->loop->engine)));
	else
		start(cs, c);
}

/* In the group of its BEGIN. */
static void note_begin(struct commands *cs, const struct command *c)
{
	struct store_group *g = loop_group(cs->loop);
	struct record      *r = g == NULL ? NULL : store_group_add(g, RECORD_COMMAND, c->entry.job);

	if (r == NULL)
		commands_out_of_memory();
	r->u.command.begun = c->begun;
	r->u.command.ticket = c->entry.ticket;
	r->u.command.attempt = c->attempt;
	r->u.command.path.bytes = c->path_bytes;
	if ((r->u.command.path.at = arena_copy(&g->arena, c->path, c->path_bytes)) == NULL)
		commands_out_of_memory();
}

void commands_begin(struct commands *cs, uint64_t job, uint32_t ticket, gd_nsec time)
{
	struct command *c = command_find(&cs->table, job, ticket);

	if (c == NULL || c->state != COMMAND_WAITING)
		return; /* recalled meanwhile, and its claim with it */
	loop_reach(cs->loop, time);
	commands_feed(cs, c, ENGINE_BEGIN, loop_now(cs->loop), cs->boot, VALUE_NULL);
	/* A deadline that had passed came first, and may have recalled it. */
	c = command_find(&cs->table, job, ticket);
	if (c == NULL || c->state != COMMAND_BEGUN)
		return;
	note_begin(cs, c);
	(void)commands_send(cs, command_ref(c), ERRAND_BEGIN);
	commands_tell_watchers(cs, job);
}

uint32_t commands_resume(struct commands *cs, uint64_t job, const char *path, const char *what)
{
	struct value_heap *heap = engine_heap(cs->loop->engine);
	uint32_t           count = 0;

	/* A step may take others away, so each is looked for anew. */
	for (struct command *c = command_next(&cs->table, NULL); c != NULL;) {
		if (c->entry.job != job || c->state != COMMAND_HELD ||
		    (path != NULL && strcmp(c->path, path) != 0)) {
			c = command_next(&cs->table, c);
			continue;
		}
		commands_feed(cs, c, ENGINE_RESUME, loop_now(cs->loop), 0,
		              value_text_new(heap, what, strlen(what)));
		count++;
		c = command_next(&cs->table, NULL);
	}
	return count;
}

/* --- who looks on --- */

void commands_each(const struct commands *cs, uint64_t job, commands_each_fn *fn, void *ctx)
{
	for (struct command *c = command_next(&cs->table, NULL); c != NULL;
	     c = command_next(&cs->table, c))
		if (c->entry.job == job)
			fn(ctx, c);
}

bool commands_is_watched(const struct commands *cs, uint64_t job)
{
	const struct command_watch *w = cs->watches;

	while (w != NULL && w->job != job)
		w = w->next;
	return w != NULL;
}

void commands_tell_watchers(struct commands *cs, uint64_t job)
{
	for (struct command_watch *w = cs->watches, *next; w != NULL; w = next) {
		next = w->next;
		if (w->job == job)
			w->told(w);
	}
}

/* Whether the runner tells of output, which a command that gives lines needs anyway. */
static void tell_output(struct commands *cs, uint64_t job, bool is_on)
{
	for (struct command *c = command_next(&cs->table, NULL); c != NULL;
	     c = command_next(&cs->table, c)) {
		struct run_ref ref = command_ref(c);

		if (c->entry.job == job && c->state == COMMAND_STARTED && !c->gives_lines)
			port_watch(cs->port, cs->loop, &ref, is_on);
	}
}

void commands_watch(struct commands *cs, struct command_watch *w)
{
	if (!commands_is_watched(cs, w->job))
		tell_output(cs, w->job, true);
	w->next = cs->watches;
	cs->watches = w;
}

void commands_unwatch(struct commands *cs, struct command_watch *w)
{
	struct command_watch **at = &cs->watches;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (!commands_is_watched(cs, w->job))
		tell_output(cs, w->job, false);
}

/* --- life --- */

void commands_close(struct commands *cs)
{
	command_table_close(&cs->table);
	if (cs->patience != NULL)
		event_free(cs->patience);
}
