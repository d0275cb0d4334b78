#include "tests/sim/sim.h"

#include "daemon/store/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void take_step(struct sim *s, struct gd_wall_step step)
{
	assert_true(wall_reserve(&s->wall));
	wall_add(&s->wall, step);
	assert_int_equal(engine_step_wall(s->engine, step, NULL), GD_OK);
}

struct sim *sim_open(void)
{
	struct sim     *s = calloc(1, sizeof *s);
	struct gd_error why;

	assert_non_null(s);
	assert_int_equal(engine_open(&s->engine, &why), GD_OK);
	s->now = s->start = SIM_EPOCH;
	take_step(s, (struct gd_wall_step){ 0, 0 });
	return s;
}

static void journal_clear(struct sim *s)
{
	for (uint32_t i = 0; i < s->input_count; i++) {
		program_release(s->inputs[i].program);
		buf_close(&s->inputs[i].bytes);
	}
	s->input_count = 0;
}

bool sim_start_over(struct sim *s)
{
	struct engine_job_info info;

	if (engine_job_info(s->engine, s->last_job, &info))
		return false;
	journal_clear(s);
	buf_clear(&s->transcript);
	s->permit_count = 0;
	assert_int_equal(s->runner.count, 0); /* no job ends before its commands */
	s->has_commands = false;
	s->start = s->now;
	return true;
}

void sim_close(struct sim *s)
{
	engine_outs_close(s->engine, &s->outs);
	family_close(&s->family, engine_heap(s->engine));
	engine_close(s->engine);
	journal_clear(s);
	free(s->inputs);
	free(s->permits);
	wall_close(&s->wall);
	played_close(&s->runner);
	buf_close(&s->transcript);
	free(s);
}

static void feed(struct sim *s, struct engine_in *in);
static void step(struct sim *s, const struct engine_in *in);

static void *grown(void *at, uint32_t *room, uint32_t count, size_t bytes)
{
	if (count < *room)
		return at;
	*room = *room == 0 ? 16 : *room * 2;
	at = realloc(at, *room * bytes);
	assert_non_null(at);
	return at;
}

/* --- semaphores --- */

static void note_acquire(struct sim *s, const struct engine_out *o)
{
	struct sim_permit *p;

	s->permits = grown(s->permits, &s->permit_room, s->permit_count, sizeof *s->permits);
	p = &s->permits[s->permit_count++];
	*p = (struct sim_permit){ .job = o->job, .ticket = o->ticket };
	(void)snprintf(p->name, sizeof p->name, "%s", value_text(o->data)->at);
}

static struct sim_permit *find_permit(struct sim *s, uint64_t job, uint32_t ticket)
{
	for (uint32_t i = 0; i < s->permit_count; i++)
		if (s->permits[i].job == job && s->permits[i].ticket == ticket)
			return &s->permits[i];
	return NULL;
}

static void note_release(struct sim *s, const struct engine_out *o)
{
	struct sim_permit *p = find_permit(s, o->job, o->ticket);

	assert_non_null(p);
	s->permit_count--;
	memmove(p, p + 1, (size_t)(s->permits + s->permit_count - p) * sizeof *p);
}

static bool is_free(const struct sim *s, const char *name)
{
	for (uint32_t i = 0; i < s->permit_count; i++)
		if (s->permits[i].is_held && strcmp(s->permits[i].name, name) == 0)
			return false;
	return true;
}

/* First come, first served. A grant may make others possible: they are looked for again. */
static void grant_permits(struct sim *s)
{
	for (uint32_t i = 0; i < s->permit_count && !s->is_replaying; i++) {
		struct sim_permit *p = &s->permits[i];

		if (p->is_held || !is_free(s, p->name))
			continue;
		p->is_held = true;
		feed(s, &(struct engine_in){ .kind = ENGINE_GRANT,
		                             .time = s->now,
		                             .job = p->job,
		                             .ticket = p->ticket });
		i = UINT32_MAX; /* and from the first again */
	}
}

/* --- outputs and inputs --- */

/* A child is built anew from what its parent says, so that only the parent's journal is kept. */
static void play_family(struct sim *s)
{
	struct engine_in in;

	while (!s->is_replaying && family_next(&s->family, s->engine, &in)) {
		if (family_is_child(in.job))
			step(s, &in);
		else
			feed(s, &in);
		value_release(engine_heap(s->engine), in.message);
		program_release(in.program);
	}
}

/* What a daemon does with outputs: note them, and answer those that ask for something. */
static void take_outs(struct sim *s)
{
	uint64_t wanting[64];
	uint32_t count = 0;

	for (uint32_t i = 0; i < s->outs.count; i++) {
		const struct engine_out *o = &s->outs.at[i];

		family_note(&s->family, engine_heap(s->engine), o);
		if (!family_is_child(o->job))
			sim_write_out(s, o);
		if (s->on_output != NULL && !family_is_child(o->job))
			s->on_output(s, o);
		played_note_out(&s->runner, o);
		if (o->kind == ENGINE_ACQUIRE)
			note_acquire(s, o);
		if (o->kind == ENGINE_RELEASE)
			note_release(s, o);
		if (o->kind == ENGINE_WANT_NOW && !s->is_replaying) {
			assert_true(count < 64);
			wanting[count++] = o->job;
		}
	}
	engine_outs_clear(s->engine, &s->outs);
	for (uint32_t i = 0; i < count; i++)
		feed(s,
		     &(struct engine_in){ .kind = ENGINE_NOW, .time = s->now, .job = wanting[i] });
	grant_permits(s);
	play_family(s);
}

static void keep(struct sim *s, const struct engine_in *in)
{
	struct sim_input *k;

	s->inputs = grown(s->inputs, &s->input_room, s->input_count, sizeof *s->inputs);
	k = &s->inputs[s->input_count++];
	*k = (struct sim_input){ .kind = in->kind,
		                 .time = in->time,
		                 .job = in->job,
		                 .start_at = in->start_at,
		                 .crash_at = s->now,
		                 .said = s->transcript.bytes };
	if (in->kind == ENGINE_START)
		k->program = program_retain(in->program);
	else
		journal_encode(&k->bytes, in);
	assert_int_equal(k->bytes.failed, GD_OK);
}

static void step(struct sim *s, const struct engine_in *in)
{
	struct gd_error why;

	assert_int_equal(engine_step(s->engine, in, &s->outs, &why), GD_OK);
	take_outs(s);
}

static void feed(struct sim *s, struct engine_in *in)
{
	keep(s, in);
	step(s, in);
	played_note_in(&s->runner, in);
}

/* The first of what the commands do now, when nothing else can happen. */
static bool play(struct sim *s)
{
	struct engine_in in;

	if (s->is_replaying || !played_next(&s->runner, s->now, engine_heap(s->engine), &in))
		return false;
	feed(s, &in);
	value_release(engine_heap(s->engine), in.message);
	return true;
}

/* All that is due by now. */
static void catch_up(struct sim *s)
{
	do
		do
			step(s, &(struct engine_in){ .kind = ENGINE_TIME, .time = s->now });
		while (engine_is_behind(s->engine));
	while (play(s));
}

static void start(struct sim *s, uint64_t id, struct program *p, gd_nsec time, gd_nsec start_at)
{
	struct value         args[64];
	struct load_problems problems = { 0 };

	assert_true(p->job_arg_count <= 64);
	s->has_commands = s->has_commands || p->exec_count + p->outcall_count + p->child_count > 0;
	assert_int_equal(load_args(engine_heap(s->engine), p, NULL, args, &problems, NULL), GD_OK);
	feed(s, &(struct engine_in){ .kind = ENGINE_START,
	                             .time = time,
	                             .job = id,
	                             .program = p,
	                             .args = args,
	                             .start_at = start_at,
	                             .title = VALUE_NULL });
	for (uint32_t i = 0; i < p->job_arg_count; i++)
		value_release(engine_heap(s->engine), args[i]);
}

/* NULL with the problems in `problems`; what is no JSON fails the test. */
static struct program *try_compile(const char *spec, struct load_problems *problems)
{
	struct program *p = NULL;
	json_t         *json = json_loads(spec, JSON_REJECT_DUPLICATES, NULL);
	enum gd_err     rc;

	if (json == NULL)
		fail_msg("not JSON: %s", spec);
	rc = load_program(json, &p, problems, NULL);
	json_decref(json);
	return rc == GD_OK ? p : NULL;
}

static uint64_t submit(struct sim *s, struct program *p, gd_nsec start_at)
{
	start(s, ++s->last_job, p, s->now, start_at);
	program_release(p);
	catch_up(s);
	return s->last_job;
}

uint64_t sim_submit(struct sim *s, const char *spec)
{
	return sim_submit_at(s, spec, 0);
}

uint64_t sim_submit_at(struct sim *s, const char *spec, gd_nsec start_at)
{
	struct load_problems problems = { 0 };
	struct program      *p = try_compile(spec, &problems);
	struct buf           text = { 0 };

	if (p == NULL) {
		load_problems_write_json(&text, &problems);
		fail_msg("%.*s in %s", (int)text.bytes, text.at, spec);
	}
	load_problems_close(&problems);
	return submit(s, p, start_at);
}

uint64_t sim_try_submit(struct sim *s, const char *spec, struct load_problems *problems)
{
	struct program *p = try_compile(spec, problems);

	return p == NULL ? 0 : submit(s, p, 0);
}

void sim_cancel(struct sim *s, uint64_t job, const char *message)
{
	struct value text = VALUE_NULL;

	if (message != NULL && message[0] != '\0')
		text = value_text_new(engine_heap(s->engine), message, strlen(message));
	feed(s, &(struct engine_in){
			.kind = ENGINE_CANCEL, .time = s->now, .job = job, .message = text });
	value_release(engine_heap(s->engine), text);
	catch_up(s);
}

static struct value with(struct value_heap *h, struct value dict, const char *name,
                         struct value item)
{
	return value_dict_put(h, dict, value_text_new(h, name, strlen(name)), item);
}

static struct value signal_of(struct value_heap *h, const char *event, const char *json,
                              const char *key)
{
	json_t      *parsed = json_loads(json, JSON_DECODE_ANY, NULL);
	struct value said = value_dict_new(h, 3);

	if (parsed == NULL)
		fail_msg("not JSON: %s", json);
	said = with(h, said, "event", value_text_new(h, event, strlen(event)));
	said = with(h, said, "value", load_value(h, parsed));
	if (key != NULL)
		said = with(h, said, "key", value_text_new(h, key, strlen(key)));
	json_decref(parsed);
	return said;
}

struct engine_signal_check sim_signal(struct sim *s, uint64_t job, const char *event,
                                      const char *json, const char *key)
{
	struct value_heap         *h = engine_heap(s->engine);
	size_t                     before = h->bytes;
	struct value               said = signal_of(h, event, json, key);
	struct engine_signal_check check =
		engine_check_signal(s->engine, job, said, h->bytes - before);

	if (check.code == GD_OK && !check.is_known)
		feed(s,
		     &(struct engine_in){
			     .kind = ENGINE_SIGNAL, .time = s->now, .job = job, .message = said });
	value_release(h, said);
	catch_up(s);
	return check;
}

bool sim_next_due(const struct sim *s, gd_nsec *due)
{
	gd_nsec played = played_next_due(&s->runner, s->now);

	if (!engine_next_due(s->engine, due) || played < *due)
		*due = played;
	return *due != GD_NSEC_NEVER;
}

void sim_advance(struct sim *s, gd_nsec by)
{
	gd_nsec to = s->now + by, due;

	while (s->has_commands && !s->is_replaying && sim_next_due(s, &due) && due < to) {
		if (due > s->now)
			s->now = due;
		catch_up(s);
	}
	s->now = to;
	catch_up(s);
}

void sim_set_wall(struct sim *s, gd_nsec by)
{
	gd_nsec at = s->now < s->wall.last.at ? s->wall.last.at : s->now;

	/* A loop has read its clock up to s->now. */
	take_step(s, (struct gd_wall_step){ at + 1, s->wall.last.ahead + by });
}

void sim_take_wall(struct sim *s, const struct sim *of)
{
	for (uint32_t i = s->wall.count; i < of->wall.count; i++)
		take_step(s, of->wall.at[i]);
}

void sim_run_until_idle(struct sim *s)
{
	gd_nsec due;

	catch_up(s);
	while (sim_next_due(s, &due)) {
		if (due > s->now)
			s->now = due;
		catch_up(s);
	}
}

void sim_expect(struct sim *s, const char *transcript)
{
	buf_add_byte(&s->transcript, '\0');
	assert_string_equal(s->transcript.at, transcript);
	s->transcript.bytes--;
}

/* The transcript of one job alone, with a NUL behind it. */
static struct sim *run_alone(const char *spec)
{
	struct sim *s = sim_open();

	(void)sim_submit(s, spec);
	sim_run_until_idle(s);
	buf_add_byte(&s->transcript, '\0');
	return s;
}

static const char *last_line(const struct sim *s)
{
	const char *at = s->transcript.at, *last = at;

	for (; *at != '\0'; at++)
		if (*at == '\n' && at[1] != '\0')
			last = at + 1;
	return last;
}

void sim_expect_result(const char *spec, const char *json)
{
	struct sim *s = run_alone(spec);
	char        want[4096];

	(void)snprintf(want, sizeof want, "job 1 job.completed %s\n", json);
	if (strcmp(strchr(last_line(s), ']') + 2, want) != 0)
		fail_msg("%s\n gave: %s wanted: %s", spec, last_line(s), want);
	sim_close(s);
}

void sim_expect_error(const char *spec, const char *type, const char *message)
{
	struct sim *s = run_alone(spec);
	char        want[1024];

	(void)snprintf(want, sizeof want, "job 1 job.failed {\"type\":\"%s\",\"message\":\"%s\"",
	               type, message);
	if (strncmp(strchr(last_line(s), ']') + 2, want, strlen(want)) != 0)
		fail_msg("%s\n gave: %s wanted: %s", spec, last_line(s), want);
	sim_close(s);
}

/* Whoever asked for the time when the journal ended is answered now. */
static void answer_the_rest(struct sim *s, const struct sim *of)
{
	struct engine_job_info info;

	for (uint32_t i = 0; i < of->input_count; i++) {
		uint64_t job = of->inputs[i].job;

		if (of->inputs[i].kind == ENGINE_START && engine_job_info(s->engine, job, &info) &&
		    info.wants_now)
			feed(s,
			     &(struct engine_in){ .kind = ENGINE_NOW, .time = s->now, .job = job });
	}
}

/* Feeding an answer brings out what asked for it, as far as that was a timer's doing. */
static void replay_input(struct sim *s, const struct sim_input *kept)
{
	struct value_heap *h = engine_heap(s->engine);
	struct engine_in   in = { .job = kept->job };
	struct sim_permit *p;

	assert_int_equal(journal_decode(h, kept->bytes.at, kept->bytes.bytes, &in, NULL), GD_OK);
	in.job = kept->job;
	feed(s, &in);
	value_release(h, in.message);
	p = find_permit(s, in.job, in.ticket);
	if (in.kind == ENGINE_GRANT && p != NULL)
		p->is_held = true;
}

static void feed_journal(struct sim *s, const struct sim *of, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		const struct sim_input *in = &of->inputs[i];

		if (in->kind == ENGINE_START)
			start(s, in->job, in->program, in->time, in->start_at);
		else
			replay_input(s, in);
	}
}

void sim_replay(struct sim *s, const struct sim *of, uint32_t from, uint32_t to)
{
	s->is_replaying = true;
	feed_journal(s, of, from, to);
	s->is_replaying = false;
	answer_the_rest(s, of);
	grant_permits(s);
}

void sim_forget(struct sim *s)
{
	struct sim    *t = sim_open();
	struct engine *old = s->engine;

	t->has_job_lines = s->has_job_lines;
	t->is_replaying = true;
	sim_take_wall(t, s);
	feed_journal(t, s, 0, s->input_count);
	t->now = s->now;
	catch_up(t);
	if (t->transcript.bytes != s->transcript.bytes ||
	    (s->transcript.bytes != 0 &&
	     memcmp(t->transcript.at, s->transcript.at, s->transcript.bytes) != 0))
		fail_msg("--- said\n%.*s--- after a restart\n%.*s", (int)s->transcript.bytes,
		         s->transcript.at, (int)t->transcript.bytes, t->transcript.at);
	if (!played_is_same(&t->runner, &s->runner))
		fail_msg("after a restart other commands are under way");
	s->engine = t->engine;
	t->engine = old;
	sim_close(t);
}
