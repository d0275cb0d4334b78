#include "daemon/run/commit.h"
#include "daemon/run/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A stop: the loops and the store have ended, and messages are still on their way. */
struct asker {
	struct inbox_msg   msg;
	struct outbox_item item;
	struct loop       *tells; /* another loop that hears of it; NULL: nobody */
	struct asker      *next;  /* what that one gets */
	enum gd_err        outcome;
	int                released;
};

static void nothing(void *ctx)
{
	(void)ctx;
}

static struct pool *open_pool(uint32_t loops)
{
	struct pool    *p;
	struct gd_error why;

	assert_int_equal(pool_open(loops, &p, &why), GD_OK);
	for (uint32_t i = 0; i < loops; i++)
		pool_loop(p, i)->hooks.on_turn_end = nothing;
	return p;
}

static void note(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	struct asker *a = (struct asker *)(void *)((char *)item - offsetof(struct asker, item));

	(void)l;
	a->outcome = outcome;
	a->released++;
	if (a->tells != NULL)
		loop_post_answer(a->tells, &a->next->msg);
}

static void ask(struct loop *l, struct inbox_msg *m)
{
	struct asker *a = (struct asker *)(void *)m;

	_Static_assert(offsetof(struct asker, msg) == 0, "an asker begins with its message");
	a->item.release = note;
	assert_int_equal(loop_when_durable(l, &a->item), GD_OK);
}

static void given_one_who_waits_for_a_commit_when_none_can_come_then_it_is_told_so(void **state)
{
	struct pool *p = open_pool(1);
	struct asker a = { .msg.run = ask };

	(void)state;
	loop_post_answer(pool_loop(p, 0), &a.msg);

	pool_drain(p);

	assert_int_equal(a.released, 1);
	assert_int_equal(a.outcome, GD_UNAVAILABLE);
	pool_close(p);
}

static void given_one_who_passes_it_on_when_drained_then_the_other_is_told_too(void **state)
{
	struct pool *p = open_pool(2);
	struct asker second = { .msg.run = ask };
	struct asker first = { .msg.run = ask, .tells = pool_loop(p, 0), .next = &second };

	(void)state;
	loop_post_answer(pool_loop(p, 1), &first.msg);

	pool_drain(p);

	assert_int_equal(first.released, 1);
	assert_int_equal(second.released, 1);
	assert_int_equal(second.outcome, GD_UNAVAILABLE);
	pool_close(p);
}

/* --- a commit that nobody knows of --- */

static int told;

static void count(void *ctx)
{
	(void)ctx;
	told++;
}

static void given_commits_in_doubt_one_after_another_then_everybody_is_told_once(void **state)
{
	struct pool        *p = open_pool(2);
	struct store_commit first = { .outcome = GD_DURABILITY_UNKNOWN };
	struct store_commit second = { .outcome = GD_DURABILITY_UNKNOWN };

	(void)state;
	told = 0;
	pool_loop(p, 0)->hooks.on_durability_unknown = count;
	commit_post(pool_loop(p, 0), &first);
	commit_post(pool_loop(p, 0), &second);

	(void)loop_drain(pool_loop(p, 0)); /* the other loop has not heard of it: nothing ends */

	assert_int_equal(told, 1);
	pool_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_one_who_waits_for_a_commit_when_none_can_come_then_it_is_told_so),
		cmocka_unit_test(
			given_one_who_passes_it_on_when_drained_then_the_other_is_told_too),
		cmocka_unit_test(
			given_commits_in_doubt_one_after_another_then_everybody_is_told_once),
	};

	return cmocka_run_group_tests_name("drain", tests, NULL, NULL);
}
