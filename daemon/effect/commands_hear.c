#include "daemon/effect/commands_inside.h"

#include "daemon/effect/outcome.h"
#include "daemon/log.h"
#include "daemon/run/busy.h"
#include "daemon/run/recover.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- ends --- */

/* When it ended, on our scale. What ended in an earlier boot ended before anything that happens
 * now. */
static gd_nsec time_of_end(struct commands *cs, const struct command *c, const struct run_state *s)
{
	gd_nsec now = loop_now(cs->loop), time = now;

	if (s->phase == RUN_EXITED && s->exit.ended_boot != 0)
		time = clock_of_boot(cs->loop->pool->clock, s->exit.ended_boot);
	else if (s->phase == RUN_EXITED)
		time = c->begun;
	time = time < c->begun ? c->begun : time;
	return time > now ? now : time;
}

void commands_end_with(struct commands *cs, struct command *c, const struct run_state *state)
{
	enum outcome_streams streams = c->gives_lines ? OUTCOME_ONLY_ERROR : OUTCOME_APART;

	commands_end(cs, c, time_of_end(cs, c, state),
	             outcome_of_state(engine_heap(cs->loop->engine), port_output_dir(cs->port),
	                              state, streams));
}

/* --- lines --- */

/* False: there are none now. */
static bool read_lines(struct commands *cs, struct command *c, struct value *out)
{
	struct value_heap *heap = engine_heap(cs->loop->engine);
	struct run_ref     ref = command_ref(c);
	struct gd_error    why;
	enum gd_err        rc = GD_OK;

	*out = VALUE_NONE;
	if (c->lines == NULL) {
		if ((c->lines = malloc(sizeof *c->lines)) == NULL)
			commands_out_of_memory();
		rc = lines_open(c->lines, port_output_dir(cs->port), &ref, c->offset, &why);
	}
	if (rc == GD_OK)
		rc = lines_next(c->lines, heap, c->state == COMMAND_ENDING, out, &why);
	if (rc == GD_NOMEM || heap->failed)
		commands_out_of_memory();
	if (rc != GD_OK)
		log_warn("exec.output_lost", "%s", why.text);
	return !value_is_none(*out);
}

void commands_serve_lines(struct commands *cs, struct command *c)
{
	const struct run_ref ref = command_ref(c);
	struct errand       *taken;
	struct value         lines;

	while (c != NULL && c->attempt == ref.attempt && c->owed > 0 && !c->is_stopped) {
		if (!read_lines(cs, c, &lines)) {
			if (c->state == COMMAND_ENDING)
				commands_end_with(cs, c, c->end);
			return;
		}
		/* The runner may drop them when they are journaled. */
		taken = commands_send(cs, ref, ERRAND_TAKEN);
		taken->bytes[RUN_STDOUT] = c->lines->offset;
		taken->bytes[RUN_STDERR] = c->bytes[RUN_STDERR];
		commands_feed(cs, c, ENGINE_LINES, loop_now(cs->loop), c->lines->offset, lines);
		c = command_find(&cs->table, ref.job, ref.exec);
	}
}

/* --- one command --- */

/* Of no command of ours: its job is gone, or its end is journaled already. */
static void hear_of_stray(struct commands *cs, const struct run_state *s)
{
	if (s->phase == RUN_RUNNING) {
		log_warn("exec.stray", "job=%" PRIu64 " pid=%d belongs to no job; it is killed",
		         s->ref.job, (int)s->pid);
		port_terminate(cs->port, cs->loop, &s->ref, 0);
		return;
	}
	(void)commands_send(cs, s->ref, ERRAND_ACK); /* behind its end, if that is on its way */
}

static void hear_of_running(struct commands *cs, struct command *c, const struct run_state *s)
{
	c->pid = s->pid;
	c->is_running = true;
	commands_set_state(cs, c, COMMAND_STARTED);
	if (c->is_stopped)
		port_terminate(cs->port, cs->loop, &s->ref, c->grace);
	/* Who adopts it has to say so again. */
	if (c->gives_lines || commands_is_watched(cs, c->entry.job))
		port_watch(cs->port, cs->loop, &s->ref, true);
	commands_tell_watchers(cs, c->entry.job);
}

static void hear_of_end(struct commands *cs, struct command *c, const struct run_state *s)
{
	if (s->phase != RUN_EXITED || !c->gives_lines || c->is_stopped) {
		commands_end_with(cs, c, s);
		return;
	}
	if ((c->end = malloc(sizeof *c->end)) == NULL)
		commands_out_of_memory();
	*c->end = *s;
	commands_set_state(cs, c, COMMAND_ENDING);
	commands_serve_lines(cs, c);
}

static void hear_state(struct commands *cs, const struct run_state *s)
{
	struct command *c = command_find(&cs->table, s->ref.job, s->ref.exec);

	if (c == NULL || c->attempt != s->ref.attempt || c->state == COMMAND_WAITING ||
	    c->state == COMMAND_HELD) {
		hear_of_stray(cs, s);
		return;
	}
	c->heard = cs->account;
	commands_forget_adopted(cs, c);
	if (c->state == COMMAND_ENDING)
		return; /* that is known */
	if (s->phase == RUN_RUNNING)
		hear_of_running(cs, c, s);
	else
		hear_of_end(cs, c, s);
}

static void hear_output(struct commands *cs, const struct port_word *w)
{
	const struct run_ref *ref = &w->output.ref;
	struct command       *c = command_find(&cs->table, ref->job, ref->exec);

	if (c == NULL || c->attempt != ref->attempt)
		return;
	memcpy(c->bytes, w->output.bytes, sizeof c->bytes);
	commands_tell_watchers(cs, c->entry.job);
	if (c->gives_lines)
		commands_serve_lines(cs, c);
}

/* --- the whole account --- */

/* The account is complete, and this one that has begun was not in it. */
static void miss(struct commands *cs, struct command *c)
{
	struct value_heap *heap = engine_heap(cs->loop->engine);
	gd_nsec            now = loop_now(cs->loop);

	commands_forget_adopted(cs, c);
	if (c->is_running)
		commands_end(cs, c, now,
		             outcome_of_interruption(heap, "gatherd-runner has lost it"));
	else if (c->boot != cs->boot)
		commands_end(cs, c, now,
		             outcome_of_interruption(heap, "the host was started anew"));
	else
		commands_go(cs, c);
}

static bool is_missed(const struct commands *cs, const struct command *c)
{
	return (c->state == COMMAND_BEGUN || c->state == COMMAND_STARTED) && c->is_durable &&
	       c->heard != cs->account;
}

static void end_account(struct commands *cs)
{
	struct run_ref *missed = malloc((cs->table.count + 1) * sizeof *missed);
	uint32_t        count = 0;

	if (missed == NULL)
		commands_out_of_memory();
	for (struct command *c = command_next(&cs->table, NULL); c != NULL;
	     c = command_next(&cs->table, c))
		if (is_missed(cs, c))
			missed[count++] = command_ref(c);
	/* A step may take others of them away. */
	for (uint32_t i = 0; i < count; i++) {
		struct command *c = command_find(&cs->table, missed[i].job, missed[i].exec);

		if (c == NULL || !is_missed(cs, c))
			continue;
		c->heard = cs->account;
		miss(cs, c);
	}
	free(missed);
}

bool commands_hear(struct commands *cs, struct port_word *w)
{
	uint64_t job = RECOVER_ALL;

	if (cs->loop->is_stopping)
		return false;
	if (w->kind == RUN_WELCOME) {
		cs->account++;
		return false;
	}
	if (w->kind == RUN_STATE)
		job = w->state.ref.job;
	else if (w->kind == RUN_OUTPUT)
		job = w->output.ref.job;
	if (recover_defers(cs->loop, job, &w->msg) || busy_defers(cs->loop, job, &w->msg))
		return true;
	if (recover_was_cut(cs->loop, job))
		return false;
	if (w->kind == RUN_STATE)
		hear_state(cs, &w->state);
	else if (w->kind == RUN_OUTPUT)
		hear_output(cs, w);
	else
		end_account(cs);
	return false;
}
