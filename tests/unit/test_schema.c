#include "daemon/store/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In memory: what is tested here does not depend on files. */
static int setup(void **state)
{
	struct db *db = calloc(1, sizeof *db);

	if (db == NULL || db_open(db, ":memory:", NULL) != GD_OK)
		return -1;
	*state = db;
	return 0;
}

static int teardown(void **state)
{
	db_close(*state);
	free(*state);
	return 0;
}

static int64_t number(struct db *db, const char *sql)
{
	int64_t         out = -1;
	struct gd_error why = { 0 };

	if (db_number(db, sql, &out, &why) != GD_OK)
		fail_msg("%s", why.text);
	return out;
}

static void given_an_empty_file_when_created_then_it_is_ours_and_of_the_newest_version(void **state)
{
	struct db *db = *state;

	assert_int_equal(schema_create(db, NULL), GD_OK);

	assert_int_equal(number(db, "PRAGMA application_id"), SCHEMA_APPLICATION_ID);
	assert_int_equal(number(db, "PRAGMA user_version"), schema_version());
	assert_int_equal(number(db, "SELECT count(*) FROM state"), 1);
	assert_int_equal(number(db, "SELECT length(uuid) FROM state"), 36);
	assert_int_equal(schema_check(db, NULL), GD_OK);
}

static void given_a_new_schema_when_prepared_then_every_statement_fits_it(void **state)
{
	struct db      *db = *state;
	struct gd_error why = { 0 };

	assert_int_equal(schema_create(db, NULL), GD_OK);

	if (db_prepare(db, &why) != GD_OK)
		fail_msg("%s", why.text);
}

static void given_the_newest_version_when_migrated_then_nothing_changes(void **state)
{
	struct db *db = *state;
	int64_t    tables;

	assert_int_equal(schema_create(db, NULL), GD_OK);
	tables = number(db, "SELECT count(*) FROM sqlite_schema");

	assert_int_equal(schema_migrate(db, NULL), GD_OK);

	assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema"), tables);
}

static void given_a_file_of_version_1_when_migrated_then_its_rows_stay(void **state)
{
	struct db      *db = *state;
	struct gd_error why = { 0 };

	assert_int_equal(schema_create_old(db, 1, NULL), GD_OK);
	assert_int_equal(db_exec(db, "INSERT INTO inputs VALUES (1, 1, 5, x'00')", NULL), GD_OK);
	assert_int_equal(schema_check(db, NULL), GD_OK);

	assert_int_equal(schema_migrate(db, NULL), GD_OK);

	assert_int_equal(number(db, "PRAGMA user_version"), schema_version());
	assert_int_equal(number(db, "SELECT count(*) FROM inputs"), 1);
	assert_int_equal(number(db, "SELECT count(*) FROM state"), 1);
	if (db_prepare(db, &why) != GD_OK)
		fail_msg("%s", why.text);
}

static void given_ended_jobs_of_version_2_when_migrated_then_they_are_listed_to_expire(void **state)
{
	struct db *db = *state;

	assert_int_equal(schema_create_old(db, 2, NULL), GD_OK);
	assert_int_equal(db_exec(db,
	                         "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
	                         " WHERE i < 600) INSERT INTO jobs SELECT i, i % 2 + 1, 0, 0, 0, i,"
	                         " 0, 0, 'o', NULL, NULL, NULL, NULL, '', NULL, NULL FROM n",
	                         NULL),
	                 GD_OK);

	assert_int_equal(schema_migrate(db, NULL), GD_OK);

	/* 300 of them have ended: two rows, 256 ids at most in each. */
	assert_int_equal(number(db, "SELECT count(*) FROM expiry"), 2);
	assert_int_equal(number(db, "SELECT max(due) FROM expiry"), 604800000000599);
	assert_int_equal(number(db, "SELECT sum(length(jobs) - length(replace(jobs, ' ', '')) + 1)"
	                            " FROM expiry"),
	                 300);
	assert_int_equal(number(db, "SELECT trimmed FROM event_log"), 0);
}

static void given_a_file_of_version_4_when_migrated_then_its_times_are_of_a_scale_that_was_the_wall(
	void **state)
{
	struct db *db = *state;

	assert_int_equal(schema_create_old(db, 4, NULL), GD_OK);
	assert_int_equal(
		db_exec(db,
	                "INSERT INTO event_marks VALUES (1500, 7);"
	                "INSERT INTO jobs (id, status, loop, submitted, started, ended, seq,"
	                " end_seq, owner, spec) VALUES (1, 1, 0, 1000, 1000, 0, 1, 0, '', ''),"
	                " (2, 1, 0, 2000, 2000, 0, 2, 0, '', '')",
	                NULL),
		GD_OK);

	assert_int_equal(schema_migrate(db, NULL), GD_OK);

	assert_int_equal(number(db, "SELECT horizon FROM clock"), 2000);
	assert_int_equal(number(db, "SELECT length(boot) FROM clock"), 0);
	assert_int_equal(number(db, "SELECT count(*) FROM clock_steps WHERE at = 0 AND ahead = 0"),
	                 1);
}

static void given_semaphores_of_version_6_when_migrated_then_they_are_plain_ones(void **state)
{
	struct db *db = *state;

	assert_int_equal(schema_create_old(db, 6, NULL), GD_OK);
	assert_int_equal(
		db_exec(db,
	                "INSERT INTO semaphores VALUES ('gate', 3), ('shut', 0);"
	                "INSERT INTO jobs (id, status, loop, submitted, started, ended, seq,"
	                " end_seq, owner, spec) VALUES (1, 1, 0, 1000, 1000, 0, 1, 0, '', '')",
	                NULL),
		GD_OK);

	assert_int_equal(schema_migrate(db, NULL), GD_OK);

	assert_int_equal(number(db, "SELECT count(*) FROM semaphores WHERE kind = 0"), 2);
	assert_int_equal(number(db, "SELECT permits FROM semaphores WHERE name = 'gate'"), 3);
	assert_int_equal(number(db, "SELECT priority FROM jobs WHERE id = 1"), 0);
	assert_int_equal(db_prepare(db, NULL), GD_OK);
}

static int stop_now(void *left)
{
	return --*(int *)left == 0;
}

/* Whatever statement a migration dies in, and wherever in it, the file stays one of an older
 * version; the next start takes it on from there. */
static void given_a_file_of_version_1_when_each_statement_is_cut_off_then_the_next_try_ends_it(
	void **state)
{
	struct db *db = *state;
	int64_t    version = 0;
	int        cuts = 0;

	for (int left = 1; version < schema_version(); cuts++) {
		int     left_now = left;
		int64_t tables;

		sqlite3_progress_handler(db->link, 1, stop_now, &left_now);
		if (schema_migrate(db, NULL) == GD_OK) {
			sqlite3_progress_handler(db->link, 0, NULL, NULL);
			break;
		}
		sqlite3_progress_handler(db->link, 0, NULL, NULL);
		assert_int_not_equal(sqlite3_get_autocommit(db->link), 0);
		left = number(db, "PRAGMA user_version") == version ? left + 1 : 1;
		version = number(db, "PRAGMA user_version");
		tables = number(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'clock%'");
		assert_int_equal(tables, version < 5 ? 0 : 2);
	}

	assert_true(cuts > 100);
	assert_int_equal(number(db, "PRAGMA user_version"), schema_version());
	assert_int_equal(db_prepare(db, NULL), GD_OK);
}

static void given_a_step_that_fails_when_migrating_then_nothing_of_it_stays(void **state)
{
	struct db      *db = *state;
	struct gd_error why = { 0 };

	/* In the way of the last table of the first step. */
	assert_int_equal(db_exec(db, "CREATE TABLE job_chunks (x)", NULL), GD_OK);

	assert_int_equal(schema_migrate(db, &why), GD_STORE);

	assert_non_null(strstr(why.text, "job_chunks"));
	assert_int_equal(number(db, "PRAGMA user_version"), 0);
	assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema"), 1);
	assert_int_not_equal(sqlite3_get_autocommit(db->link), 0);
}

static void given_a_foreign_application_when_checked_then_it_is_refused(void **state)
{
	struct db      *db = *state;
	struct gd_error why = { 0 };

	assert_int_equal(schema_create(db, NULL), GD_OK);
	assert_int_equal(db_exec(db, "PRAGMA application_id = 0", NULL), GD_OK);

	assert_int_equal(schema_check(db, &why), GD_STORE);

	assert_non_null(strstr(why.text, "another program"));
}

static void given_a_newer_or_no_version_when_checked_then_it_is_refused(void **state)
{
	struct db      *db = *state;
	struct gd_error why = { 0 };

	assert_int_equal(schema_create(db, NULL), GD_OK);
	assert_int_equal(db_exec(db, "PRAGMA user_version = 1000", NULL), GD_OK);
	assert_int_equal(schema_check(db, &why), GD_STORE);
	assert_non_null(strstr(why.text, "newer"));

	assert_int_equal(db_exec(db, "PRAGMA user_version = 0", NULL), GD_OK);
	assert_int_equal(schema_check(db, &why), GD_STORE);
}

/* The first 12 digits as a number. */
static int64_t uuid_head(struct db *db)
{
	struct bind b;
	char        digits[16];
	bool        has_row;

	assert_int_equal(db_prepare(db, NULL), GD_OK);
	b = db_bind(db, SQL_STATE_GET);
	assert_int_equal(db_step(db, &b, &has_row, NULL), GD_OK);
	assert_true(has_row);
	(void)snprintf(digits, sizeof digits, "%.8s%.4s", row_text(&b, 0).at,
	               row_text(&b, 0).at + 9);
	db_done(&b);
	return strtoll(digits, NULL, 16);
}

static void given_two_new_databases_when_compared_then_their_uuids_differ(void **state)
{
	struct db *db = *state;
	struct db  other;

	assert_int_equal(schema_create(db, NULL), GD_OK);
	assert_int_equal(db_open(&other, ":memory:", NULL), GD_OK);
	assert_int_equal(schema_create(&other, NULL), GD_OK);

	assert_int_not_equal(uuid_head(db), uuid_head(&other));

	db_close(&other);
}

#define SCHEMA_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCHEMA_TEST(
			given_an_empty_file_when_created_then_it_is_ours_and_of_the_newest_version),
		SCHEMA_TEST(given_a_new_schema_when_prepared_then_every_statement_fits_it),
		SCHEMA_TEST(given_the_newest_version_when_migrated_then_nothing_changes),
		SCHEMA_TEST(given_a_file_of_version_1_when_migrated_then_its_rows_stay),
		SCHEMA_TEST(
			given_ended_jobs_of_version_2_when_migrated_then_they_are_listed_to_expire),
		SCHEMA_TEST(
			given_a_file_of_version_4_when_migrated_then_its_times_are_of_a_scale_that_was_the_wall),
		SCHEMA_TEST(given_semaphores_of_version_6_when_migrated_then_they_are_plain_ones),
		SCHEMA_TEST(
			given_a_file_of_version_1_when_each_statement_is_cut_off_then_the_next_try_ends_it),
		SCHEMA_TEST(given_a_step_that_fails_when_migrating_then_nothing_of_it_stays),
		SCHEMA_TEST(given_a_foreign_application_when_checked_then_it_is_refused),
		SCHEMA_TEST(given_a_newer_or_no_version_when_checked_then_it_is_refused),
		SCHEMA_TEST(given_two_new_databases_when_compared_then_their_uuids_differ),
	};

	return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
