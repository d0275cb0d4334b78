#include "tests/sim/sim.h"

#include "daemon/load/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sim *sim_open(void)
{
	struct sim     *s = calloc(1, sizeof *s);
	struct gd_error why;

	assert_non_null(s);
	assert_int_equal(engine_open(&s->engine, &why), GD_OK);
	s->now = SIM_EPOCH;
	return s;
}

void sim_close(struct sim *s)
{
	engine_outs_close(s->engine, &s->outs);
	engine_close(s->engine);
	for (uint32_t i = 0; i < s->input_count; i++)
		program_release(s->inputs[i].program);
	free(s->inputs);
	buf_close(&s->transcript);
	free(s);
}

static const char *out_name(enum engine_out_kind kind)
{
	switch (kind) {
	case ENGINE_JOB_STARTED:
		return "job.started";
	case ENGINE_TASK_STARTED:
		return "task.started";
	case ENGINE_TASK_COMPLETED:
		return "task.completed";
	case ENGINE_TASK_FAILED:
		return "task.failed";
	case ENGINE_YIELD:
		return "yield";
	case ENGINE_JOB_COMPLETED:
		return "job.completed";
	case ENGINE_JOB_FAILED:
		return "job.failed";
	case ENGINE_JOB_CANCELLED:
		return "job.cancelled";
	case ENGINE_WANT_NOW:
		return "want.now";
	}
	abort();
}

static void write_out(struct sim *s, const struct engine_out *o)
{
	struct buf *b = &s->transcript;

	if (o->kind == ENGINE_WANT_NOW || (o->kind == ENGINE_JOB_STARTED && !s->has_job_lines))
		return;
	buf_addf(b, "[%6.0fms] job %llu %s", (double)(o->time - SIM_EPOCH) / 1e6,
	         (unsigned long long)o->job, out_name(o->kind));
	if (o->path != PROGRAM_NONE && o->kind != ENGINE_YIELD) {
		buf_add_byte(b, ' ');
		buf_add(b, s->outs.paths.at + o->path, o->path_bytes);
	}
	if (!value_is_none(o->data)) {
		buf_add_byte(b, ' ');
		value_write_json(b, o->data);
	}
	buf_add_byte(b, '\n');
}

static void feed(struct sim *s, struct engine_in *in);

/* What a daemon does with outputs: note them, and answer those that ask for the time. */
static void take_outs(struct sim *s)
{
	uint64_t wanting[64];
	uint32_t count = 0;

	for (uint32_t i = 0; i < s->outs.count; i++) {
		write_out(s, &s->outs.at[i]);
		if (s->on_output != NULL)
			s->on_output(s, &s->outs.at[i]);
		if (s->outs.at[i].kind == ENGINE_WANT_NOW && !s->is_replaying) {
			assert_true(count < 64);
			wanting[count++] = s->outs.at[i].job;
		}
	}
	engine_outs_clear(s->engine, &s->outs);
	for (uint32_t i = 0; i < count; i++)
		feed(s,
		     &(struct engine_in){ .kind = ENGINE_NOW, .time = s->now, .job = wanting[i] });
}

static void keep(struct sim *s, const struct engine_in *in)
{
	struct sim_input *k;

	if (s->input_count == s->input_room) {
		s->input_room = s->input_room == 0 ? 16 : s->input_room * 2;
		s->inputs = realloc(s->inputs, s->input_room * sizeof *s->inputs);
		assert_non_null(s->inputs);
	}
	k = &s->inputs[s->input_count++];
	*k = (struct sim_input){
		.kind = in->kind, .time = in->time, .job = in->job, .crash_at = s->now
	};
	if (in->kind == ENGINE_START)
		k->program = program_retain(in->program);
	if (in->kind == ENGINE_CANCEL && value_is_type(in->message, VALUE_T_TEXT))
		(void)snprintf(k->message, sizeof k->message, "%s", value_text(in->message)->at);
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
}

/* All that is due by now. */
static void catch_up(struct sim *s)
{
	do
		step(s, &(struct engine_in){ .kind = ENGINE_TIME, .time = s->now });
	while (engine_is_behind(s->engine));
}

static void start(struct sim *s, uint64_t id, struct program *p, gd_nsec time)
{
	struct value         args[64];
	struct load_problems problems = { 0 };

	assert_true(p->job_arg_count <= 64);
	assert_int_equal(load_args(engine_heap(s->engine), p, NULL, args, &problems, NULL), GD_OK);
	feed(s, &(struct engine_in){ .kind = ENGINE_START,
	                             .time = time,
	                             .job = id,
	                             .program = p,
	                             .args = args,
	                             .title = VALUE_NULL });
	for (uint32_t i = 0; i < p->job_arg_count; i++)
		value_release(engine_heap(s->engine), args[i]);
}

static struct program *compile(const char *spec)
{
	struct load_problems problems = { 0 };
	struct program      *p = NULL;
	struct buf           text = { 0 };
	json_t              *json = json_loads(spec, JSON_REJECT_DUPLICATES, NULL);
	enum gd_err          rc;

	if (json == NULL)
		fail_msg("not JSON: %s", spec);
	rc = load_program(json, &p, &problems, NULL);
	if (rc != GD_OK) {
		load_problems_write_json(&text, &problems);
		fail_msg("%.*s in %s", (int)text.bytes, text.at, spec);
	}
	load_problems_close(&problems);
	json_decref(json);
	return p;
}

uint64_t sim_submit(struct sim *s, const char *spec)
{
	struct program *p = compile(spec);

	start(s, ++s->last_job, p, s->now);
	program_release(p);
	catch_up(s);
	return s->last_job;
}

static void cancel_at(struct sim *s, uint64_t job, const char *message, gd_nsec time)
{
	struct value text = VALUE_NULL;

	if (message != NULL && message[0] != '\0')
		text = value_text_new(engine_heap(s->engine), message, strlen(message));
	feed(s, &(struct engine_in){
			.kind = ENGINE_CANCEL, .time = time, .job = job, .message = text });
	value_release(engine_heap(s->engine), text);
}

void sim_cancel(struct sim *s, uint64_t job, const char *message)
{
	cancel_at(s, job, message, s->now);
	catch_up(s);
}

void sim_advance(struct sim *s, gd_nsec by)
{
	s->now += by;
	catch_up(s);
}

void sim_run_until_idle(struct sim *s)
{
	gd_nsec due;

	catch_up(s);
	while (engine_next_due(s->engine, &due) && due != GD_NSEC_NEVER) {
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

void sim_replay(struct sim *s, const struct sim *of, uint32_t from, uint32_t to)
{
	s->is_replaying = true;
	for (uint32_t i = from; i < to; i++) {
		const struct sim_input *in = &of->inputs[i];

		if (in->kind == ENGINE_START)
			start(s, in->job, in->program, in->time);
		else if (in->kind == ENGINE_CANCEL)
			cancel_at(s, in->job, in->message, in->time);
		else
			feed(s, &(struct engine_in){
					.kind = ENGINE_NOW, .time = in->time, .job = in->job });
	}
	s->is_replaying = false;
	answer_the_rest(s, of);
}
