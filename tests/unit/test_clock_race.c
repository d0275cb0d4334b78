/* Loops that ask for the time at the same time, while somebody sets the clock on the wall. */
#include "daemon/log.h"
#include "daemon/run/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#define SEC GD_NSEC_PER_SEC
#define T0 (INT64_C(1700000000) * SEC)

#define RACERS 3
#define READINGS 40000

/* Time goes on by a nanosecond with each reading; the last racer sets the wall now and then. */
struct race {
	_Atomic gd_nsec boot;
	_Atomic gd_nsec shift;
	struct clock   *clock;
	struct racer {
		struct race      *race;
		struct clock_hand hand;
		pthread_t         thread;
		uint32_t late; /* steps that came for a moment which it was already given */
		uint32_t taken;
	} racers[RACERS];
};

static gd_nsec race_boot(void *ctx)
{
	return atomic_fetch_add(&((struct race *)ctx)->boot, 1);
}

static gd_nsec race_wall(void *ctx)
{
	struct race *r = ctx;

	return T0 + race_boot(ctx) + atomic_load(&r->shift);
}

static void race_boot_id(void *ctx, char out[STORE_BOOT_CHARS + 1])
{
	(void)ctx;
	out[0] = '\0';
}

static void *run_racer(void *ctx)
{
	struct racer *me = ctx;
	bool          is_setter = me == &me->race->racers[RACERS - 1];
	gd_nsec       given = 0;

	for (int i = 0; i < READINGS; i++) {
		gd_nsec time = clock_now(me->race->clock, &me->hand);

		while (me->taken < clock_step_count(me->race->clock))
			if (clock_step(me->race->clock, me->taken++).at <= given)
				me->late++;
		given = time;
		if (is_setter && i % 100 == 0)
			atomic_store(&me->race->shift, i % 200 == 0 ? SEC : -SEC);
	}
	return NULL;
}

static void given_loops_that_race_when_the_wall_is_set_then_none_has_acted_where_a_step_comes(
	void **state)
{
	static struct race        r = { .boot = 1000 };
	const struct clock_source source = { race_boot, race_wall, race_boot_id, &r };
	struct gd_wall_step       base = { 0, 0 };
	struct store_clock        past = { .steps = &base, .step_count = 1 }, next;

	(void)state;
	assert_int_equal(clock_open(&source, &r.clock, NULL), GD_OK);
	assert_int_equal(clock_start(r.clock, &past, &next, NULL), GD_OK);
	for (uint32_t i = 0; i < RACERS; i++) {
		r.racers[i] = (struct racer){ .race = &r, .taken = next.step_count };
		clock_add_hand(r.clock, &r.racers[i].hand);
	}
	for (uint32_t i = 0; i < RACERS; i++)
		assert_int_equal(pthread_create(&r.racers[i].thread, NULL, run_racer, &r.racers[i]),
		                 0);
	for (uint32_t i = 0; i < RACERS; i++)
		assert_int_equal(pthread_join(r.racers[i].thread, NULL), 0);

	assert_true(clock_step_count(r.clock) > 50);
	for (uint32_t i = 0; i < RACERS; i++)
		assert_int_equal(r.racers[i].late, 0);
	clock_close(r.clock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_loops_that_race_when_the_wall_is_set_then_none_has_acted_where_a_step_comes),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("clock_race", tests, NULL, NULL);
}
