#include "daemon/effect/commands_inside.h"

#include "proto/base/check.h"

#include <stdlib.h>

static bool is_replay(const struct commands *cs, const struct command *c)
{
	return c->entry.job == cs->loop->replay_job;
}

/* --- outputs --- */

static bool is_word(struct value v, const char *word)
{
	return value_is_type(v, VALUE_T_TEXT) && strcmp(value_text(v)->at, word) == 0;
}

/* Another attempt of one that was interrupted. */
static void begin_again(struct commands *cs, struct command *c, gd_nsec time)
{
	commands_forget_adopted(cs, c);
	semaphores_release(cs->slots, c->entry.job, c->entry.ticket, time);
	commands_set_state(cs, c, COMMAND_WAITING);
	command_reset(c);
}

static struct command *add(struct commands *cs, const struct engine_out *out)
{
	struct command *c = command_add(&cs->table, out->job, out->ticket,
	                                cs->loop->outs.paths.at + out->path, out->path_bytes);

	if (c == NULL)
		commands_out_of_memory();
	cs->waiting++; /* that is how it begins */
	return c;
}

static void obey_exec(struct commands *cs, const struct engine_out *out)
{
	struct command *c = command_find(&cs->table, out->job, out->ticket);
	struct value    pool = request_member(out->data, "pool");
	struct text     name = { COMMANDS_POOL_USUAL, sizeof COMMANDS_POOL_USUAL - 1 };
	char            forced[LAUNCH_POOL_BYTES];

	if (c != NULL)
		begin_again(cs, c, out->time);
	else
		c = add(cs, out);
	c->attempt = out->attempt;
	c->owed = 1;
	c->gives_lines = is_word(request_member(out->data, "yield"), "lines");
	c->is_to_hold = is_word(request_member(out->data, "on_interrupt"), "hold");
	c->grace = (gd_nsec)(value_as_float(request_member(out->data, "grace")) * 1e9);
	if (launch_pool(cs->profiles, out->data, forced))
		name = (struct text){ forced, strlen(forced) };
	else if (!value_is_none(pool))
		name = (struct text){ value_text(pool)->at, value_text(pool)->bytes };
	/* Nothing that is durable rests on a claim: it may be told at once. */
	if (semaphores_acquire(cs->slots, c->entry.job, c->entry.ticket, name,
	                       jobs_find(&cs->loop->jobs, c->entry.job)->priority,
	                       out->time) != GD_OK)
		commands_out_of_memory();
}

/* In a replay it is the runner's account that brings it up again. */
static void send_unless_replay(struct commands *cs, struct command *c, enum errand_kind kind)
{
	if (!is_replay(cs, c))
		(void)commands_send(cs, command_ref(c), kind);
}

void commands_obey(struct commands *cs, const struct engine_out *out)
{
	struct command *c;

	if (out->kind == ENGINE_EXEC) {
		obey_exec(cs, out);
		return;
	}
	c = command_find(&cs->table, out->job, out->ticket);
	CHECK(c != NULL && c->attempt == out->attempt);
	switch ((int)out->kind) {
	case ENGINE_RECALL:
		semaphores_release(cs->slots, c->entry.job, c->entry.ticket, out->time);
		commands_remove(cs, c);
		return;
	case ENGINE_STOP:
		c->is_stopped = true;
		send_unless_replay(cs, c, ERRAND_STOP);
		return;
	case ENGINE_KILL:
		c->grace = 0;
		send_unless_replay(cs, c, ERRAND_KILL);
		return;
	case ENGINE_MORE:
		c->owed++;
		send_unless_replay(cs, c, ERRAND_MORE);
		return;
	}
	CHECK_NEVER("obey: not of a command");
}

/* --- inputs that were taken --- */

static void took_begin(struct commands *cs, struct command *c, const struct engine_in *in)
{
	commands_set_state(cs, c, COMMAND_BEGUN);
	c->boot = in->mark;
	c->begun = in->time;
	if (!is_replay(cs, c))
		return;
	semaphores_hold(cs->slots, c->entry.job, c->entry.ticket, in->time);
	c->is_durable = true;
	c->is_adopted = true;
	cs->adopted++;
}

static void took_exited(struct commands *cs, struct command *c, const struct engine_in *in)
{
	bool is_interrupted = !value_is_none(request_member(in->message, "interrupted"));

	semaphores_release(cs->slots, c->entry.job, c->entry.ticket, in->time);
	commands_forget_adopted(cs, c);
	if (is_interrupted && c->is_to_hold && !c->is_stopped)
		commands_set_state(cs, c, COMMAND_HELD);
	else
		commands_remove(cs, c);
}

void commands_took(struct commands *cs, const struct engine_in *in)
{
	struct command *c = command_find(&cs->table, in->job, in->ticket);

	if (c == NULL || c->attempt != in->attempt)
		return; /* it waits for another attempt already */
	switch ((int)in->kind) {
	case ENGINE_BEGIN:
		took_begin(cs, c, in);
		return;
	case ENGINE_LINES:
		c->owed--;
		c->offset = in->mark;
		return;
	case ENGINE_EXITED:
		took_exited(cs, c, in);
		return;
	case ENGINE_RESUME:
		commands_remove(cs, c);
		return;
	}
}

/* --- jobs that are gone --- */

void commands_forget(struct commands *cs, uint64_t job, gd_nsec time)
{
	for (struct command *c = command_next(&cs->table, NULL), *next; c != NULL; c = next) {
		next = command_next(&cs->table, c);
		if (c->entry.job != job)
			continue;
		if (c->state == COMMAND_BEGUN || c->state == COMMAND_STARTED)
			(void)commands_send(cs, command_ref(c), ERRAND_DROP);
		commands_remove(cs, c);
	}
	semaphores_forget(cs->slots, job, time);
}

/* --- time --- */

static void on_patience(evutil_socket_t fd, short what, void *ctx)
{
	struct commands *cs = ctx;

	(void)fd;
	(void)what;
	cs->is_impatient = true;
}

bool commands_hold_time(struct commands *cs)
{
	const struct timeval tv = { .tv_sec = COMMANDS_PATIENCE_SECONDS };

	if (cs->adopted == 0 || cs->is_impatient)
		return false;
	if (cs->patience != NULL)
		return true;
	port_need(cs->port, cs->loop);
	cs->patience = event_new(cs->loop->base, -1, 0, on_patience, cs);
	if (cs->patience == NULL || event_add(cs->patience, &tv) != 0)
		commands_out_of_memory();
	return true;
}
