#include "daemon/store/statements.h"
#include "proto/base/sum.h"
#include "tests/lib/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_BYTES (1 << 20)

static void commit_job(struct fixture *f, uint64_t id)
{
	struct store_group *g = store_group_new(0);

	(void)fixture_add_whole_job(g, id, JOB_COMPLETED);
	(void)fixture_commit(f, g);
}

/* A job with a MiB of events, so that a copy takes more than one step. */
static void commit_large_job(struct fixture *f, uint64_t id)
{
	struct store_group *g = store_group_new(0);
	char               *body = malloc(BODY_BYTES + 1);

	assert_non_null(body);
	memset(body, 'x', BODY_BYTES);
	body[BODY_BYTES] = '\0';
	(void)fixture_add_whole_job(g, id, JOB_COMPLETED);
	(void)fixture_add_event(g, id, 2, EVENT_YIELD, body);
	(void)fixture_commit(f, g);
	free(body);
}

static struct store_read *ask(struct fixture *f, enum backup_ask what, uint64_t id)
{
	struct store_read *r = fixture_new_read(READ_BACKUP);

	r->backup_ask = what;
	r->backup.id = id;
	r->limit = 65536;
	fixture_read(f, r);
	return r;
}

static enum gd_err outcome_of(struct fixture *f, enum backup_ask what, uint64_t id)
{
	struct store_read *r = ask(f, what, id);
	enum gd_err        outcome = r->outcome;

	store_read_free(r);
	return outcome;
}

static uint64_t begin(struct fixture *f)
{
	struct store_read *r = ask(f, BACKUP_BEGIN, 0);
	uint64_t           id = r->backup.id;

	if (r->outcome != GD_OK)
		fail_msg("%s", r->why.text);
	store_read_free(r);
	return id;
}

static struct backup_state wait_until_ready(struct fixture *f, uint64_t id)
{
	struct backup_state now = { .phase = BACKUP_COPYING };

	while (now.phase != BACKUP_READY) {
		struct store_read *r = ask(f, BACKUP_LOOK, id);

		if (r->outcome != GD_OK)
			fail_msg("%s", r->why.text);
		now = r->backup;
		store_read_free(r);
		(void)sched_yield();
	}
	return now;
}

/* Carries a ready one away, into a state directory that has nothing else. */
static void carry_away(struct fixture *f, uint64_t id, struct backup_state now, const char *name)
{
	char     path[600];
	FILE    *out;
	uint64_t at = 0;
	uint64_t sum = GD_SUM_START;

	(void)snprintf(path, sizeof path, "%s/%s", f->root, name);
	out = fopen(path, "we");
	assert_non_null(out);
	while (at < now.bytes) {
		struct store_read *r = fixture_new_read(READ_BACKUP);

		r->backup_ask = BACKUP_PIECE;
		r->backup.id = id;
		r->after = at;
		r->limit = 50000;
		fixture_read(f, r);
		assert_int_equal(r->outcome, GD_OK);
		assert_true(r->piece.bytes > 0);
		assert_int_equal(fwrite(r->piece.at, 1, r->piece.bytes, out), r->piece.bytes);
		sum = gd_sum(sum, r->piece.at, r->piece.bytes);
		at += r->piece.bytes;
		store_read_free(r);
	}
	assert_int_equal(fclose(out), 0);
	assert_int_equal(at, now.bytes);
	assert_true(sum == now.sum);
}

static int64_t number_in(const struct fixture *f, const char *name, const char *sql)
{
	char          path[600];
	sqlite3      *link;
	sqlite3_stmt *ask_it;
	int64_t       number;

	(void)snprintf(path, sizeof path, "%s/%s", f->root, name);
	assert_int_equal(sqlite3_open_v2(path, &link, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(link, sql, -1, &ask_it, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(ask_it), SQLITE_ROW);
	number = sqlite3_column_int64(ask_it, 0);
	assert_int_equal(sqlite3_finalize(ask_it), SQLITE_OK);
	assert_int_equal(sqlite3_close(link), SQLITE_OK);
	return number;
}

static void given_a_store_in_use_when_backed_up_then_the_copy_is_whole_and_one_file(void **state)
{
	struct fixture     *f = *state;
	uint64_t            id;
	struct backup_state now;

	fixture_open(f);
	for (uint64_t job = 1; job <= 5; job++)
		commit_job(f, job);
	id = begin(f);
	now = wait_until_ready(f, id);

	carry_away(f, id, now, "copy");

	assert_int_equal(number_in(f, "copy", "SELECT count(*) FROM jobs"), 5);
	assert_int_equal(number_in(f, "copy",
	                           "SELECT journal_mode = 'delete' FROM"
	                           " pragma_journal_mode"),
	                 1);
	assert_int_equal(outcome_of(f, BACKUP_END, id), GD_OK);
	assert_false(fixture_is_file(f, "backup.db"));
	assert_false(fixture_is_file(f, "backup.new"));
}

/* Commits go on while pages are copied; the copy is what was there when it ended, and no step makes
 * it begin again. */
static void given_commits_meanwhile_when_backed_up_then_they_are_in_it_as_a_whole(void **state)
{
	struct fixture     *f = *state;
	uint64_t            id;
	uint64_t            during = 0;
	struct backup_state now;

	fixture_open(f);
	for (uint64_t job = 1; job <= 16; job++)
		commit_large_job(f, job);
	id = begin(f);
	do {
		struct store_read *r;

		commit_job(f, 100 + during++);
		r = ask(f, BACKUP_LOOK, id);
		assert_int_equal(r->outcome, GD_OK);
		now = r->backup;
		store_read_free(r);
	} while (now.phase == BACKUP_COPYING && during < 40);
	now = wait_until_ready(f, id);

	carry_away(f, id, now, "copy");

	assert_true(during >= 2);
	assert_in_range(number_in(f, "copy", "SELECT count(*) FROM jobs WHERE id >= 100"),
	                during - 1, during);
	assert_int_equal(
		number_in(f, "copy",
	                  "SELECT completed = (SELECT count(*) FROM jobs) FROM " SQL_STATE_NOW),
		1);
	assert_int_equal(
		number_in(f, "copy", "SELECT integrity_check = 'ok' FROM pragma_integrity_check"),
		1);
}

static void given_one_under_way_when_another_is_asked_for_then_it_is_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t        id;

	fixture_open(f);
	id = begin(f);

	assert_int_equal(outcome_of(f, BACKUP_BEGIN, 0), GD_CONFLICT);

	(void)wait_until_ready(f, id);
	assert_int_equal(outcome_of(f, BACKUP_BEGIN, 0), GD_CONFLICT);
	assert_int_equal(outcome_of(f, BACKUP_END, id), GD_OK);
	assert_true(begin(f) != id);
}

static void given_an_id_that_is_not_known_when_asked_then_it_is_not_found(void **state)
{
	struct fixture *f = *state;
	uint64_t        id;

	fixture_open(f);
	assert_int_equal(outcome_of(f, BACKUP_LOOK, 0), GD_NOT_FOUND);
	assert_int_equal(outcome_of(f, BACKUP_PIECE, 7), GD_NOT_FOUND);
	id = begin(f);

	assert_int_equal(outcome_of(f, BACKUP_LOOK, id + 1), GD_NOT_FOUND);

	assert_int_equal(outcome_of(f, BACKUP_END, id), GD_OK);
	assert_int_equal(outcome_of(f, BACKUP_LOOK, id), GD_NOT_FOUND);
}

static void given_a_store_that_closes_when_backing_up_then_nothing_is_left(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	for (uint64_t job = 1; job <= 8; job++)
		commit_large_job(f, job);
	(void)begin(f);

	fixture_close(f);

	assert_false(fixture_is_file(f, "backup.db"));
	assert_false(fixture_is_file(f, "backup.new"));
	fixture_open(f);
	assert_int_equal(store_next_job_id(f->store), 9);
}

static void given_a_half_written_copy_when_a_start_finds_it_then_it_is_thrown_away(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->dir, 0700), 0);
	fixture_write_file(f, "backup.new", "SQLite format 3, half", 21);
	fixture_write_file(f, "backup.new-wal", "", 0);
	fixture_write_file(f, "backup.new-shm", "", 0);
	fixture_write_file(f, "backup.db", "nobody fetched it", 17);

	fixture_open(f);

	assert_false(fixture_is_file(f, "backup.new"));
	assert_false(fixture_is_file(f, "backup.new-wal"));
	assert_false(fixture_is_file(f, "backup.new-shm"));
	assert_false(fixture_is_file(f, "backup.db"));
	(void)wait_until_ready(f, begin(f));
}

/* The rows of a database that is wrong in itself must not become a backup that is called good. */
static void given_rows_that_do_not_add_up_when_backed_up_then_it_fails(void **state)
{
	struct fixture *f = *state;
	char            path[512];
	sqlite3        *link;
	uint64_t        id;
	enum gd_err     outcome = GD_OK;

	fixture_open(f);
	commit_job(f, 1);
	fixture_close(f);
	fixture_path(f, "gatherd.db", path);
	assert_int_equal(sqlite3_open(path, &link), SQLITE_OK);
	assert_int_equal(sqlite3_exec(link, "UPDATE state SET failed = 3", NULL, NULL, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_close(link), SQLITE_OK);
	fixture_open(f);
	id = begin(f);

	while (outcome == GD_OK) {
		outcome = outcome_of(f, BACKUP_LOOK, id);
		(void)sched_yield();
	}

	assert_int_equal(outcome, GD_STORE);
	assert_false(fixture_is_file(f, "backup.db"));
}

static void given_a_backup_put_back_when_opened_then_it_needs_to_be_accepted(void **state)
{
	struct fixture     *f = *state;
	struct backup_state now;
	uint64_t            id;
	char                from[600];
	char                to[512];

	fixture_open(f);
	commit_job(f, 1);
	id = begin(f);
	now = wait_until_ready(f, id);
	carry_away(f, id, now, "copy");
	assert_int_equal(outcome_of(f, BACKUP_END, id), GD_OK);
	commit_job(f, 2);
	fixture_close(f);
	(void)snprintf(from, sizeof from, "%s/copy", f->root);
	fixture_path(f, "gatherd.db", to);
	assert_int_equal(rename(from, to), 0);

	fixture_assert_refused(f, "ends at commit 1, but 2 were acknowledged");

	f->accepts_rollback = true;
	fixture_open(f);
	assert_true(store_next_job_id(f->store) > 1000000);
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(given_a_store_in_use_when_backed_up_then_the_copy_is_whole_and_one_file),
		STORE_TEST(given_commits_meanwhile_when_backed_up_then_they_are_in_it_as_a_whole),
		STORE_TEST(given_one_under_way_when_another_is_asked_for_then_it_is_refused),
		STORE_TEST(given_an_id_that_is_not_known_when_asked_then_it_is_not_found),
		STORE_TEST(given_a_store_that_closes_when_backing_up_then_nothing_is_left),
		STORE_TEST(given_a_half_written_copy_when_a_start_finds_it_then_it_is_thrown_away),
		STORE_TEST(given_rows_that_do_not_add_up_when_backed_up_then_it_fails),
		STORE_TEST(given_a_backup_put_back_when_opened_then_it_needs_to_be_accepted),
	};

	return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
