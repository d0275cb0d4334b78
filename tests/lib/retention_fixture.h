/*
 * retention_fixture.h - a store without its thread, under a clock that the test moves.
 *
 * For what depends on time: commits and quiet moments come when the test says so. It is the
 * fixture of store_fixture.h; fixture_teardown() ends it. Threads: one.
 */
#ifndef GATHERD_TESTS_RETENTION_FIXTURE_H
#define GATHERD_TESTS_RETENTION_FIXTURE_H

#include "daemon/store/inside.h"
#include "tests/lib/store_fixture.h"

#define SECOND GD_NSEC_PER_SEC
#define HOUR (3600 * SECOND)

extern gd_nsec fixture_now; /* of the store's clock */

int  fixture_setup_clock(void **state); /* cmocka setup, in the place of fixture_setup() */
void fixture_open_bounded(struct fixture *f, const struct store_retention *bounds);
void fixture_open_again(struct fixture *f, const struct store_retention *bounds);

/* The commit lives until the teardown. */
struct store_commit *fixture_commit_here(struct fixture *f, struct store_group *g);
/* A job that ends now. */
struct store_job    *fixture_add_ended(struct store_group *g, uint64_t id, gd_nsec retain);
void                 fixture_commit_ended(struct fixture *f, uint64_t id, gd_nsec retain);
/* Quiet moments until nothing is due; how many there were. */
uint32_t             fixture_settle(struct fixture *f);

bool               fixture_is_there(struct fixture *f, uint64_t job);
/* A read to be answered with read_answer(); free it with store_read_free(). */
struct store_read *fixture_ask(enum read_kind kind, uint64_t job);
struct store_read *fixture_read_here(struct fixture *f, uint64_t job, uint64_t after);
/* Of a job, 0: of all; `count` counts when it is not expired. */
void    fixture_expect_events(struct fixture *f, uint64_t job, uint64_t after, bool is_expired,
                              uint32_t count);
int64_t fixture_number(struct fixture *f, const char *sql);

#endif
