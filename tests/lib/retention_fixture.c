#include "tests/lib/retention_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

gd_nsec fixture_now;

static gd_nsec told_now(void *ctx)
{
	(void)ctx;
	return fixture_now;
}

void fixture_open_bounded(struct fixture *f, const struct store_retention *bounds)
{
	struct gd_error why = { 0 };

	if (fixture_try_open(f, &why) != GD_OK)
		fail_msg("%s", why.text);
	f->store->now = told_now;
	store_retain(f->store, bounds);
}

void fixture_open_again(struct fixture *f, const struct store_retention *bounds)
{
	store_close(f->store);
	fixture_open_bounded(f, bounds);
}

int fixture_setup_clock(void **state)
{
	fixture_now = FIXTURE_T0 + HOUR;
	return fixture_setup(state);
}

struct store_commit *fixture_commit_here(struct fixture *f, struct store_group *g)
{
	struct store_commit *c = group_commit(g);

	commit_groups(f->store, c);
	if (c->outcome != GD_OK)
		fail_msg("%s", c->why.text);
	atomic_init(&c->refs, 1);
	f->reported[f->reported_count++] = c;
	return c;
}

struct store_job *fixture_add_ended(struct store_group *g, uint64_t id, gd_nsec retain)
{
	struct store_job *j = fixture_add_whole_job(g, id, JOB_COMPLETED);

	j->ended = fixture_now;
	j->retain = retain;
	return j;
}

void fixture_commit_ended(struct fixture *f, uint64_t id, gd_nsec retain)
{
	struct store_group *g = store_group_new(0);

	(void)fixture_add_ended(g, id, retain);
	(void)fixture_commit_here(f, g);
}

uint32_t fixture_settle(struct fixture *f)
{
	uint32_t moments = 0;

	assert_int_equal(retention_measure(f->store, NULL), GD_OK);
	for (; retention_is_due(f->store) && moments < 1000; moments++)
		upkeep_when_idle(f->store);
	if (f->store->failure.code != GD_OK)
		fail_msg("%s", f->store->failure.text);
	assert_in_range(moments, 0, 999);
	return moments;
}

static void on_answer(struct store_read *r)
{
	(void)r;
}

struct store_read *fixture_ask(enum read_kind kind, uint64_t job)
{
	struct store_read *r = fixture_new_read(kind);

	r->done = on_answer;
	r->job = job;
	return r;
}

bool fixture_is_there(struct fixture *f, uint64_t job)
{
	struct store_read *r = fixture_ask(READ_JOB, job);
	bool               found;

	read_answer(f->store, r);
	found = r->outcome == GD_OK;
	if (!found)
		assert_int_equal(r->outcome, GD_NOT_FOUND);
	store_read_free(r);
	return found;
}

struct store_read *fixture_read_here(struct fixture *f, uint64_t job, uint64_t after)
{
	struct store_read *r = fixture_ask(READ_EVENTS, job);

	r->after = after;
	read_answer(f->store, r);
	return r;
}

void fixture_expect_events(struct fixture *f, uint64_t job, uint64_t after, bool is_expired,
                           uint32_t count)
{
	struct store_read *r = fixture_read_here(f, job, after);

	assert_int_equal(r->outcome, GD_OK);
	assert_int_equal(r->is_expired, is_expired);
	if (!is_expired)
		assert_int_equal(r->event_count, count);
	store_read_free(r);
}

int64_t fixture_number(struct fixture *f, const char *sql)
{
	int64_t number = -1;

	assert_int_equal(db_number(&f->store->db, sql, &number, NULL), GD_OK);
	return number;
}
