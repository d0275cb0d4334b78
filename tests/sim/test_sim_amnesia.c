/*
 * Amnesia: at every moment at which anything happens, the engine is thrown away and rebuilt from its
 * journal. It must say again what it has said, and go on as if nothing had been.
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

#define SEEDS_DEFAULT 450
#define MOMENTS_MAX 400 /* of one job: each costs a replay of all before it */

/* What comes from outside on the way. */
struct plot {
	gd_nsec  cancels[2]; /* when */
	uint32_t cancel_count;
	gd_nsec  steps[6]; /* of the wall: one at each moment of the run, until there are no more */
	uint32_t step_count;
	gd_nsec  start_at;
	gd_nsec  signals[8]; /* when; what: the numbers of an event and of a key */
	uint32_t signalled[8], keys[8];
	uint32_t signal_count;
};

static const struct plot nothing_happens;

static void signal_it(struct sim *s, uint64_t job, const struct plot *p, uint32_t i)
{
	char event[8], key[8];

	(void)snprintf(event, sizeof event, GEN_EVENT "%u", p->signalled[i]);
	(void)snprintf(key, sizeof key, "k%u", p->keys[i]);
	sim_advance(s, p->signals[i] > s->now ? p->signals[i] - s->now : 0);
	(void)sim_signal(s, job, event, i % 2 == 0 ? "{\"n\":[1]}" : "\"x\"", key);
}

/* Whether one of `count` moments is left, and comes before the other two. */
static bool is_next(const gd_nsec *at, uint32_t next, uint32_t count, gd_nsec due, gd_nsec other)
{
	return next < count && at[next] <= due && at[next] <= other;
}

/* From deadline to deadline. */
static void run(struct sim *s, uint64_t job, const struct plot *p, bool has_amnesia)
{
	gd_nsec  due;
	uint32_t moments = 0;

	for (uint32_t next = 0, said = 0; moments < MOMENTS_MAX; moments++) {
		bool    has_due = sim_next_due(s, &due);
		gd_nsec signal = said < p->signal_count ? p->signals[said] : GD_NSEC_NEVER;

		if (has_amnesia)
			sim_forget(s);
		if (moments < p->step_count) {
			sim_set_wall(s, p->steps[moments]);
			has_due = engine_next_due(s->engine, &due) && due != GD_NSEC_NEVER;
		}
		if (!has_due)
			due = GD_NSEC_NEVER;
		if (is_next(p->cancels, next, p->cancel_count, due, signal)) {
			sim_advance(s, p->cancels[next] > s->now ? p->cancels[next] - s->now : 0);
			sim_cancel(s, job, next++ == 0 ? "enough" : "");
		} else if (is_next(p->signals, said, p->signal_count, due, GD_NSEC_NEVER)) {
			signal_it(s, job, p, said++);
		} else if (has_due) {
			sim_advance(s, due > s->now ? due - s->now : 0);
		} else {
			return;
		}
	}
}

static struct sim *story_of(const char *spec, const struct plot *p, bool has_amnesia)
{
	struct sim *s = sim_open();

	s->has_job_lines = true;
	run(s, sim_submit_at(s, spec, p->start_at), p, has_amnesia);
	return s;
}

static void expect_no_difference(const char *spec, const struct plot *p, uint64_t seed)
{
	struct sim *a = story_of(spec, p, false);
	struct sim *b = story_of(spec, p, true);

	if (a->transcript.bytes != b->transcript.bytes ||
	    (a->transcript.bytes != 0 &&
	     memcmp(a->transcript.at, b->transcript.at, a->transcript.bytes) != 0))
		fail_msg("SEED=%llu\n%s\n--- with its memory\n%.*s--- without\n%.*s",
		         (unsigned long long)seed, spec, (int)a->transcript.bytes, a->transcript.at,
		         (int)b->transcript.bytes, b->transcript.at);
	sim_close(a);
	sim_close(b);
}

static void plot_steps(struct plot *p, struct rng *r)
{
	p->step_count = rng_below(r, 7);
	for (uint32_t i = 0; i < p->step_count; i++)
		p->steps[i] = ((gd_nsec)rng_below(r, 9) - 4) * 500 * GD_NSEC_PER_MSEC;
	if (rng_below(r, 3) == 0)
		p->start_at = SIM_EPOCH + (gd_nsec)rng_below(r, 6) * GD_NSEC_PER_SEC;
}

static void plot_signals(struct plot *p, struct rng *r)
{
	for (; p->signal_count < 8; p->signal_count++) {
		uint32_t i = p->signal_count;

		p->signals[i] = (i == 0 ? SIM_EPOCH : p->signals[i - 1]) +
		                (gd_nsec)rng_below(r, 4) * 500 * GD_NSEC_PER_MSEC;
		/* The last ones end every wait. */
		p->signalled[i] = i < 8 - GEN_EVENTS ? rng_below(r, GEN_EVENTS) : 8 - 1 - i;
		p->keys[i] = i < 8 - GEN_EVENTS ? rng_below(r, 3) : 10 + i;
	}
}

static void one_seed(uint64_t seed)
{
	struct rng  r = { seed };
	struct buf  spec = { 0 };
	struct plot p = { 0 };

	switch (rng_below(&r, 6)) {
	case 0:
	case 1:
		gen_job_with_commands(&spec, &r);
		break;
	case 2:
		gen_job(&spec, &r);
		break;
	case 3:
		gen_job_with_semaphores(&spec, &r);
		break;
	case 4:
		gen_job_with_events(&spec, &r);
		plot_signals(&p, &r);
		break;
	default:
		gen_job_with_wall(&spec, &r);
		plot_steps(&p, &r);
	}
	buf_add_byte(&spec, '\0');
	p.cancel_count = rng_below(&r, 3);
	for (uint32_t i = 0; i < p.cancel_count; i++)
		p.cancels[i] = (i == 0 ? SIM_EPOCH : p.cancels[i - 1]) +
		               (gd_nsec)rng_below(&r, 3000) * GD_NSEC_PER_MSEC;
	expect_no_difference(spec.at, &p, seed);
	buf_close(&spec);
}

static void given_random_jobs_when_each_moment_forgets_then_nothing_is_different(void **state)
{
	struct seeds seeds = seeds_asked(SEEDS_DEFAULT);

	(void)state;
	for (uint64_t seed = seeds.first; seed < seeds.end; seed++)
		one_seed(seed);
}

static void given_permits_that_go_round_when_forgotten_then_each_is_held_by_one(void **state)
{
	const char *spec = "{\"gather\": {\"do\": [{\"yield\": \"in ${n}\"}, {\"sleep\": 1}, "
			   "{\"yield\": \"out ${n}\"}], \"with\": \"door\"}, \"for\": \"n\", "
			   "\"in\": \"${range(4)}\"}";

	(void)state;
	expect_no_difference(spec, &nothing_happens, 0);
}

static void given_a_retry_with_jitter_when_forgotten_then_the_pauses_are_the_same(void **state)
{
	const char *spec =
		"{\"gather\": {\"do\": [{\"yield\": \"${attempt}\"}, {\"raise\": \"A\"}], "
		"\"retry\": {\"attempts\": 5, \"delay\": 1, \"backoff\": 2, \"jitter\": true}}, "
		"\"for\": \"n\", \"in\": \"${range(3)}\", \"return_exceptions\": true}";

	(void)state;
	expect_no_difference(spec, &nothing_happens, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_random_jobs_when_each_moment_forgets_then_nothing_is_different),
		cmocka_unit_test(
			given_permits_that_go_round_when_forgotten_then_each_is_held_by_one),
		cmocka_unit_test(
			given_a_retry_with_jitter_when_forgotten_then_the_pauses_are_the_same),
	};

	return cmocka_run_group_tests_name("amnesia", tests, NULL, NULL);
}
