/*
 * store_fixture.h - a store in a directory of its own, and short words to fill and ask it.
 *
 * Everything waits for the store by condition, never by time.
 */
#ifndef GATHERD_TESTS_STORE_FIXTURE_H
#define GATHERD_TESTS_STORE_FIXTURE_H

#include "daemon/store/store.h"

#include <pthread.h>

#define FIXTURE_T0 (INT64_C(1700000000) * GD_NSEC_PER_SEC)

#define FIXTURE_COMMITS_MAX 64

struct fixture {
	char                 root[256]; /* removed at the end */
	char                 dir[256];  /* the state directory, inside it */
	struct store        *store;     /* NULL: not open */
	bool                 accepts_rollback;
	pthread_mutex_t      lock;
	pthread_cond_t       changed;
	struct store_commit *reported[FIXTURE_COMMITS_MAX]; /* in order; released by the teardown */
	uint32_t             reported_count;
	uint32_t             taken_count;
	uint32_t             answered;
};

/* cmocka setup and teardown; *state is the fixture. The store is not open yet. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

void fixture_path(const struct fixture *f, const char *name, char out[512]); /* in the state dir */
enum gd_err fixture_try_open(struct fixture *f, struct gd_error *why);
void        fixture_open(struct fixture *f);  /* and start */
void        fixture_close(struct fixture *f); /* stop and close */
void        fixture_reopen(struct fixture *f);

struct text fixture_text(const char *text); /* borrowed; NULL gives no text */
void        fixture_expect_text(struct text is, const char *wanted); /* NULL: none */

/* Records. The job has owner "uid:1" and spec "{}"; change what the test is about. */
struct store_job *fixture_add_job(struct store_group *g, uint64_t id, enum job_status status);
struct record    *fixture_add_event(struct store_group *g, uint64_t job, uint32_t ordinal,
                                    enum event_kind kind, const char *body);
/* A job with its first event, and its last one when it has ended. */
struct store_job *fixture_add_whole_job(struct store_group *g, uint64_t id, enum job_status status);
struct record    *fixture_add_end(struct store_group *g, uint64_t job, enum job_status status);
struct record    *fixture_add_input(struct store_group *g, uint64_t job, uint32_t number,
                                    const char *bytes);

/* Hands in and waits for the report, which must be GD_OK. The commit lives until the teardown. */
struct store_commit *fixture_commit(struct fixture *f, struct store_group *g);
/* The same with a job of fixture_add_whole_job() alone. */
void                 fixture_commit_job(struct fixture *f, uint64_t id, enum job_status status);
/* `count` events of the jobs 1 and 2 in turn, some in each commit: 1 has the odd seqs. */
void                 fixture_fill_events(struct fixture *f, uint32_t count, uint32_t in_a_commit);
/* Waits for the next report that nobody has taken yet. */
struct store_commit *fixture_take(struct fixture *f);

/* Reads, answered when the call returns. Free with store_read_free(). */
struct store_read *fixture_new_read(enum read_kind kind);
void               fixture_read(struct fixture *f, struct store_read *r);
struct store_read *fixture_read_job(struct fixture *f, uint64_t id); /* spec and result too */
struct store_read *fixture_read_events(struct fixture *f, uint64_t after, uint32_t limit);

/* Files in the state directory. What is read is to be freed. */
void fixture_write_file(const struct fixture *f, const char *name, const void *bytes, size_t count);
char *fixture_read_file(const struct fixture *f, const char *name, size_t *count);
/* Cuts off what stands behind the last whole commit in the log's file. */
void  fixture_cut_log(const struct fixture *f);
bool  fixture_is_file(const struct fixture *f, const char *name);
/* The store must refuse to open with GD_STORE and words that hold `words`, and leave the database
 * byte for byte as it was. */
void  fixture_assert_refused(struct fixture *f, const char *words);

#endif
