/*
 * Replay equality: whatever prefix of the journal a job is rebuilt from, it says and does the same.
 * The original runs with small random budgets and clock steps and with random cancels; the rebuilt
 * one gets the inputs alone.
 */
#include "tests/sim/gen.h"
#include "tests/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS_DEFAULT 400

/* Up to two seconds forward or back. */
static void set_wall_somehow(struct sim *s, struct rng *r)
{
	sim_set_wall(s, ((gd_nsec)rng_below(r, 9) - 4) * 500 * GD_NSEC_PER_MSEC);
}

/* The run that is compared with. */
struct original {
	struct sim *sim;
};

/* Any of the events of random jobs, now and then a second time under the same key. */
static void signal_somehow(struct sim *s, struct rng *r, uint64_t job)
{
	char event[8], json[8], key[8];

	(void)snprintf(event, sizeof event, GEN_EVENT "%u", rng_below(r, GEN_EVENTS));
	(void)snprintf(json, sizeof json, "%u", rng_below(r, 2));
	(void)snprintf(key, sizeof key, "k%u", rng_below(r, 4));
	(void)sim_signal(s, job, event, json, rng_below(r, 2) == 0 ? key : NULL);
}

static void signal_all(struct sim *s, uint64_t job)
{
	char event[8];

	for (uint32_t i = 0; i < GEN_EVENTS; i++) {
		(void)snprintf(event, sizeof event, GEN_EVENT "%u", i);
		(void)sim_signal(s, job, event, "null", NULL);
		sim_run_until_idle(s);
	}
}

/* What random jobs are about. */
enum about { ABOUT_ANYTHING, ABOUT_WALL, ABOUT_EVENTS };

static void run_original(struct original *o, struct rng *r, const char *spec, enum about about)
{
	bool        has_wall = about == ABOUT_WALL;
	struct sim *s = sim_open();
	gd_nsec     start_at = 0;
	uint64_t    job;

	o->sim = s;
	engine_set_budget(s->engine, 1 + rng_below(r, 40));
	s->has_job_lines = true;
	if (has_wall && rng_below(r, 3) == 0)
		start_at = SIM_EPOCH + (gd_nsec)rng_below(r, 6) * GD_NSEC_PER_SEC;
	job = sim_submit_at(s, spec, start_at);
	for (uint32_t steps = has_wall ? rng_below(r, 6) : 0; steps > 0; steps--) {
		sim_advance(s, (gd_nsec)rng_below(r, 40) * 100 * GD_NSEC_PER_MSEC);
		set_wall_somehow(s, r);
	}
	for (uint32_t n = about == ABOUT_EVENTS ? rng_below(r, 6) : 0; n > 0; n--) {
		sim_advance(s, (gd_nsec)rng_below(r, 5) * 500 * GD_NSEC_PER_MSEC);
		signal_somehow(s, r, job);
	}
	for (uint32_t cancels = rng_below(r, 3); cancels > 0; cancels--) {
		sim_advance(s, (gd_nsec)rng_below(r, 4000) * GD_NSEC_PER_MSEC);
		if (has_wall)
			set_wall_somehow(s, r);
		sim_cancel(s, job, rng_below(r, 2) == 0 ? "enough" : "");
	}
	sim_run_until_idle(s);
	if (about == ABOUT_EVENTS)
		signal_all(s, job);
}

static void expect_same(const struct sim *a, size_t bytes, const struct sim *b, uint64_t seed,
                        uint32_t prefix, const char *spec)
{
	if (b->transcript.bytes == bytes &&
	    (bytes == 0 || memcmp(a->transcript.at, b->transcript.at, bytes) == 0))
		return;
	fail_msg("seed %llu, rebuilt from %u inputs\n%s\n--- original\n%.*s--- rebuilt\n%.*s",
	         (unsigned long long)seed, prefix, spec, (int)bytes, a->transcript.at,
	         (int)b->transcript.bytes, b->transcript.at);
}

static void rebuild(const struct original *o, uint32_t prefix, uint64_t seed, const char *spec)
{
	struct sim *s = sim_open();

	s->has_job_lines = true;
	sim_take_wall(s, o->sim);
	sim_replay(s, o->sim, 0, prefix);
	if (prefix < o->sim->input_count) {
		s->is_replaying = true; /* what comes next stands in the journal */
		s->now = o->sim->inputs[prefix].crash_at;
		sim_advance(s, 0);
		expect_same(o->sim, o->sim->inputs[prefix].said, s, seed, prefix, spec);
		sim_replay(s, o->sim, prefix, o->sim->input_count);
	}
	s->now = o->sim->now;
	sim_run_until_idle(s);
	expect_same(o->sim, o->sim->transcript.bytes, s, seed, prefix, spec);
	sim_close(s);
}

static void one_seed(uint64_t seed, enum about about)
{
	struct original o = { 0 };
	struct rng      r = { seed };
	struct buf      spec = { 0 };

	if (about == ABOUT_WALL)
		gen_job_with_wall(&spec, &r);
	else if (about == ABOUT_EVENTS)
		gen_job_with_events(&spec, &r);
	else if (rng_below(&r, 2) == 0)
		gen_job(&spec, &r);
	else
		gen_job_with_commands(&spec, &r);
	buf_add_byte(&spec, '\0');
	run_original(&o, &r, spec.at, about);
	for (uint32_t prefix = 1; prefix <= o.sim->input_count; prefix++)
		rebuild(&o, prefix, seed, spec.at);
	sim_close(o.sim);
	buf_close(&spec);
}

static void given_random_jobs_when_rebuilt_from_every_prefix_then_the_transcript_is_the_same(
	void **state)
{
	struct seeds seeds = seeds_asked(SEEDS_DEFAULT);

	(void)state;
	for (uint64_t seed = seeds.first; seed < seeds.end; seed++)
		one_seed(seed, ABOUT_ANYTHING);
}

/* The original hears of each step when it comes; the rebuilt one knows them all from the start. */
static void given_a_wall_that_is_set_again_and_again_when_rebuilt_then_the_transcript_is_the_same(
	void **state)
{
	struct seeds seeds = seeds_asked(SEEDS_DEFAULT);

	(void)state;
	for (uint64_t seed = seeds.first; seed < seeds.end; seed++)
		one_seed(seed, ABOUT_WALL);
}

static void given_events_that_are_signalled_when_rebuilt_then_the_transcript_is_the_same(
	void **state)
{
	struct seeds seeds = seeds_asked(SEEDS_DEFAULT);

	(void)state;
	for (uint64_t seed = seeds.first; seed < seeds.end; seed++)
		one_seed(seed, ABOUT_EVENTS);
}

static void given_a_spinning_job_when_rebuilt_then_the_journaled_times_are_used(void **state)
{
	struct original o = { .sim = sim_open() };
	const char     *spec =
		"[{\"gather\":[[{\"sleep\":1},{\"yield\":\"t\"}],"
		"{\"do\":{\"sleep\":0},\"for\":\"i\",\"in\":\"${range(25000)}\"}]},{\"value\":2}]";

	(void)state;
	(void)sim_submit(o.sim, spec);
	sim_run_until_idle(o.sim);
	assert_int_equal(o.sim->input_count, 3);

	for (uint32_t prefix = 1; prefix <= o.sim->input_count; prefix++) {
		struct sim *s = sim_open();

		sim_replay(s, o.sim, 0, prefix);
		sim_run_until_idle(s);
		expect_same(o.sim, o.sim->transcript.bytes, s, 0, prefix, spec);
		sim_close(s);
	}
	sim_close(o.sim);
}

/* Closing checks that every frame was given back. */
static void given_random_jobs_under_way_when_the_engine_is_closed_then_nothing_is_left(void **state)
{
	struct buf spec = { 0 };

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS_DEFAULT; seed++) {
		struct rng  r = { seed };
		struct sim *s = sim_open();

		buf_clear(&spec);
		if (rng_below(&r, 2) == 0)
			gen_job_with_events(&spec, &r);
		else
			gen_job_with_commands(&spec, &r);
		buf_add_byte(&spec, '\0');
		engine_set_budget(s->engine, 1 + rng_below(&r, 40));
		(void)sim_submit(s, spec.at);
		sim_advance(s, (gd_nsec)rng_below(&r, 4000) * GD_NSEC_PER_MSEC);
		sim_close(s);
	}
	buf_close(&spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_random_jobs_when_rebuilt_from_every_prefix_then_the_transcript_is_the_same),
		cmocka_unit_test(
			given_a_wall_that_is_set_again_and_again_when_rebuilt_then_the_transcript_is_the_same),
		cmocka_unit_test(
			given_events_that_are_signalled_when_rebuilt_then_the_transcript_is_the_same),
		cmocka_unit_test(
			given_a_spinning_job_when_rebuilt_then_the_journaled_times_are_used),
		cmocka_unit_test(
			given_random_jobs_under_way_when_the_engine_is_closed_then_nothing_is_left),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
