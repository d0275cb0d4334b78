#include "daemon/store/last_commit.h"
#include "tests/lib/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void commit_jobs(struct fixture *f, uint64_t first, uint64_t count)
{
	struct store_group *g;

	for (uint64_t id = first; id < first + count; id++) {
		g = store_group_new(0);
		(void)fixture_add_whole_job(g, id, JOB_QUEUED);
		(void)fixture_commit(f, g);
	}
}

/* A child that commits some jobs, one by one, and is gone without a word. */
static void crash_after_commits(struct fixture *f, uint64_t first, uint64_t count)
{
	int   status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fixture_open(f);
		commit_jobs(f, first, count);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

struct kept {
	char  *bytes;
	size_t count;
};

static struct kept keep(const struct fixture *f, const char *name)
{
	struct kept k;

	k.bytes = fixture_read_file(f, name, &k.count);
	return k;
}

static void put_back(const struct fixture *f, const char *name, struct kept k)
{
	fixture_write_file(f, name, k.bytes, k.count);
	free(k.bytes);
}

static void remove_file(const struct fixture *f, const char *name)
{
	char path[512];

	fixture_path(f, name, path);
	assert_int_equal(unlink(path), 0);
}

/* The next start may take what it finds, and must then have another identity. */
static void assert_accepted(struct fixture *f, uint64_t id_at_least)
{
	char uuid[64] = "";
	char now[64];

	f->accepts_rollback = true;
	fixture_open(f);
	(void)snprintf(uuid, sizeof uuid, "%s", store_uuid(f->store));
	assert_true(store_next_job_id(f->store) >= id_at_least);
	fixture_close(f);
	f->accepts_rollback = false;
	fixture_open(f);
	(void)snprintf(now, sizeof now, "%s", store_uuid(f->store));
	assert_string_equal(now, uuid);
}

static void given_an_older_database_when_opened_then_it_is_refused(void **state)
{
	struct fixture *f = *state;
	struct kept     old;

	fixture_open(f);
	commit_jobs(f, 1, 3);
	fixture_close(f);
	old = keep(f, "gatherd.db");
	fixture_open(f);
	commit_jobs(f, 4, 2);
	fixture_close(f);
	put_back(f, "gatherd.db", old);

	fixture_assert_refused(f, "ends at commit 3, but 5 were acknowledged");

	fixture_assert_refused(f, "--accept-rollback");
}

static void given_an_older_database_when_it_is_accepted_then_it_is_another_one(void **state)
{
	struct fixture *f = *state;
	struct kept     old;
	char            uuid[64];

	fixture_open(f);
	(void)snprintf(uuid, sizeof uuid, "%s", store_uuid(f->store));
	commit_jobs(f, 1, 3);
	fixture_close(f);
	old = keep(f, "gatherd.db");
	fixture_open(f);
	commit_jobs(f, 4, 10);
	fixture_close(f);
	put_back(f, "gatherd.db", old);

	assert_accepted(f, 13 + 1000);

	assert_string_not_equal(store_uuid(f->store), uuid);
}

static void given_a_crash_when_the_log_is_removed_then_the_loss_is_not_hidden(void **state)
{
	struct fixture *f = *state;

	crash_after_commits(f, 1, 1);
	remove_file(f, "gatherd.db-wal");

	fixture_assert_refused(f, "ends at commit 0, but 1 were acknowledged");
}

/* One commit behind a bad place may be one that nobody was told of; here all were told. */
static void given_a_torn_last_commit_when_opened_then_it_is_known_to_be_lost(void **state)
{
	struct fixture *f = *state;
	struct kept     log;

	crash_after_commits(f, 1, 5);
	fixture_cut_log(f);
	log = keep(f, "gatherd.db-wal");
	memset(log.bytes + log.count - 512, 0x5a, 512);
	put_back(f, "gatherd.db-wal", log);

	fixture_assert_refused(f, "ends at commit 4, but 5 were acknowledged");
}

static void given_a_log_cut_anywhere_when_opened_then_it_is_refused(void **state)
{
	struct fixture *f = *state;
	struct kept     log;

	crash_after_commits(f, 1, 5);
	fixture_cut_log(f);
	log = keep(f, "gatherd.db-wal");
	for (size_t left = log.count - 1; left < log.count; left -= 3001) {
		fixture_write_file(f, "gatherd.db-wal", log.bytes, left);
		fixture_assert_refused(f, "5 were acknowledged");
	}
	put_back(f, "gatherd.db-wal", log);

	fixture_open(f);

	assert_int_equal(store_next_job_id(f->store), 6);
}

static void given_another_database_when_opened_then_it_is_refused(void **state)
{
	struct fixture *f = *state;
	struct kept     last;

	fixture_open(f);
	fixture_close(f);
	last = keep(f, LAST_COMMIT_FILE);
	remove_file(f, "gatherd.db");
	remove_file(f, LAST_COMMIT_FILE);
	fixture_open(f);
	commit_jobs(f, 1, 1);
	fixture_close(f);
	put_back(f, LAST_COMMIT_FILE, last);

	fixture_assert_refused(f, "is not the database that was here");
}

static void given_no_note_when_opened_then_the_database_is_taken_as_it_is(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	commit_jobs(f, 1, 1);
	fixture_close(f);
	remove_file(f, LAST_COMMIT_FILE);
	fixture_open(f);
	assert_int_equal(store_next_job_id(f->store), 2);
	fixture_close(f);
	fixture_write_file(f, LAST_COMMIT_FILE, "", 0); /* made, and then the power went */

	fixture_open(f);

	assert_int_equal(store_next_job_id(f->store), 2);
}

static void given_a_torn_note_when_opened_then_the_one_before_counts(void **state)
{
	struct fixture *f = *state;
	struct kept     last;

	crash_after_commits(f, 1, 5);
	last = keep(f, LAST_COMMIT_FILE);
	last.bytes[512 + 20] ^= 1; /* the fifth is in the second slot */
	put_back(f, LAST_COMMIT_FILE, last);
	remove_file(f, "gatherd.db-wal");

	fixture_assert_refused(f, "4 were acknowledged");
}

static void given_a_damaged_note_when_opened_then_it_is_refused_until_accepted(void **state)
{
	struct fixture *f = *state;
	char            bytes[1024];

	fixture_open(f);
	commit_jobs(f, 1, 1);
	fixture_close(f);
	memset(bytes, 'x', sizeof bytes);
	fixture_write_file(f, LAST_COMMIT_FILE, bytes, sizeof bytes);
	fixture_assert_refused(f, LAST_COMMIT_FILE);

	assert_accepted(f, 2);
}

/* Back to version 3. */
static const char older[] = "DROP TABLE children; DROP TABLE loops; DROP TABLE eras;"
			    "DROP TABLE commands; ALTER TABLE jobs DROP COLUMN priority;"
			    "DROP TABLE semaphores; CREATE TABLE semaphores ("
			    " name TEXT PRIMARY KEY, permits INTEGER NOT NULL) WITHOUT ROWID;"
			    "DROP TABLE clock; DROP TABLE clock_steps;"
			    "ALTER TABLE state DROP COLUMN listed;"
			    "ALTER TABLE event_chunks DROP COLUMN next_job;"
			    "ALTER TABLE event_chunks DROP COLUMN queued;"
			    "ALTER TABLE event_chunks DROP COLUMN running;"
			    "ALTER TABLE event_chunks DROP COLUMN completed;"
			    "ALTER TABLE event_chunks DROP COLUMN failed;"
			    "ALTER TABLE event_chunks DROP COLUMN cancelled;"
			    "ALTER TABLE event_chunks DROP COLUMN commits;"
			    "ALTER TABLE state DROP COLUMN commits; PRAGMA user_version = 3";

static void given_a_database_of_an_older_schema_when_opened_then_it_is_older_too(void **state)
{
	struct fixture *f = *state;
	char            path[512];
	sqlite3        *link;

	fixture_open(f);
	commit_jobs(f, 1, 2);
	fixture_close(f);
	fixture_path(f, "gatherd.db", path);
	assert_int_equal(sqlite3_open(path, &link), SQLITE_OK);
	assert_int_equal(sqlite3_exec(link, older, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(link), SQLITE_OK);

	fixture_assert_refused(f, "ends at commit 0, but 2 were acknowledged");

	assert_accepted(f, 3);
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(given_an_older_database_when_opened_then_it_is_refused),
		STORE_TEST(given_an_older_database_when_it_is_accepted_then_it_is_another_one),
		STORE_TEST(given_a_crash_when_the_log_is_removed_then_the_loss_is_not_hidden),
		STORE_TEST(given_a_torn_last_commit_when_opened_then_it_is_known_to_be_lost),
		STORE_TEST(given_a_log_cut_anywhere_when_opened_then_it_is_refused),
		STORE_TEST(given_another_database_when_opened_then_it_is_refused),
		STORE_TEST(given_no_note_when_opened_then_the_database_is_taken_as_it_is),
		STORE_TEST(given_a_torn_note_when_opened_then_the_one_before_counts),
		STORE_TEST(given_a_damaged_note_when_opened_then_it_is_refused_until_accepted),
		STORE_TEST(given_a_database_of_an_older_schema_when_opened_then_it_is_older_too),
	};

	return cmocka_run_group_tests_name("rollback", tests, NULL, NULL);
}
