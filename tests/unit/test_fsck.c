#include "daemon/fsck/fsck.h"

#include "daemon/engine/engine.h"
#include "daemon/store/journal.h"
#include "tests/lib/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char sleeper[] = "{\"sleep\":3600}";

/* A journaled cancel without a message. */
static void add_cancel(struct store_group *g, uint64_t job, uint32_t number)
{
	struct engine_in in = { .kind = ENGINE_CANCEL, .time = FIXTURE_T0 + number };
	struct record   *r = fixture_add_input(g, job, number, "");
	struct buf       b = { 0 };

	in.message = VALUE_NULL;
	journal_encode(&b, &in);
	r->u.input.bytes = (struct text){ arena_copy(&g->arena, b.at, b.bytes), b.bytes };
	buf_close(&b);
}

static void commit_sleeper(struct fixture *f, uint64_t id)
{
	struct store_group *g = store_group_new(0);

	fixture_add_whole_job(g, id, JOB_RUNNING)->spec = fixture_text(sleeper);
	add_cancel(g, id, 1);
	add_cancel(g, id, 2);
	(void)fixture_commit(f, g);
}

/* Three jobs that are not over, one that is, each in its commit. */
static void fill(struct fixture *f)
{
	struct store_group *g = store_group_new(0);

	for (uint64_t id = 1; id <= 3; id++)
		commit_sleeper(f, id);
	(void)fixture_add_whole_job(g, 4, JOB_COMPLETED);
	(void)fixture_commit(f, g);
}

static void fill_and_close(struct fixture *f)
{
	fixture_open(f);
	fill(f);
	fixture_close(f);
}

static void fill_and_crash(struct fixture *f)
{
	int   status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fixture_open(f);
		fill(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Runs SQL on the database while no store has it. */
static void alter(const struct fixture *f, const char *sql)
{
	char     path[512];
	sqlite3 *link;

	fixture_path(f, "gatherd.db", path);
	assert_int_equal(sqlite3_open(path, &link), SQLITE_OK);
	assert_int_equal(sqlite3_exec(link, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(link), SQLITE_OK);
}

static void flip(const struct fixture *f, const char *name, size_t at)
{
	size_t count;
	char  *bytes = fixture_read_file(f, name, &count);

	assert_true(at < count);
	bytes[at] = (char)(bytes[at] ^ 4);
	fixture_write_file(f, name, bytes, count);
	free(bytes);
}

/* FNV-1a over the names and bytes of all files there, in the order of their names. */
static uint64_t sum_of_dir(const struct fixture *f)
{
	struct dirent **entries;
	uint64_t        sum = UINT64_C(0xcbf29ce484222325);
	int             count = scandir(f->dir, &entries, NULL, alphasort);
	size_t          bytes;
	char           *at;

	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		for (size_t j = 0; name[j] != '\0'; j++)
			sum = (sum ^ (unsigned char)name[j]) * UINT64_C(0x100000001b3);
		if (entries[i]->d_type == DT_REG) {
			at = fixture_read_file(f, name, &bytes);
			for (size_t j = 0; j < bytes; j++)
				sum = (sum ^ (unsigned char)at[j]) * UINT64_C(0x100000001b3);
			free(at);
		}
		free(entries[i]);
	}
	free(entries);
	return sum;
}

/* What fsck says; the directory must be the same afterwards. To be freed. */
static char *words_of(const struct fixture *f, uint64_t *problems)
{
	struct gd_error why = { 0 };
	char           *words = NULL;
	size_t          count;
	FILE           *out = open_memstream(&words, &count);
	uint64_t        before = sum_of_dir(f);

	assert_non_null(out);
	if (fsck_run(f->dir, out, problems, &why) != GD_OK)
		fail_msg("%s", why.text);
	assert_int_equal(fclose(out), 0);
	assert_true(sum_of_dir(f) == before);
	return words;
}

static void assert_clean(const struct fixture *f, const char *words)
{
	uint64_t problems;
	char    *said = words_of(f, &problems);

	if (problems != 0 || strstr(said, words) == NULL || strstr(said, "\nclean\n") == NULL)
		fail_msg("not clean, or not \"%s\": %s", words, said);
	free(said);
}

/* Exactly one problem, with these words. */
static void assert_problem(const struct fixture *f, const char *words)
{
	uint64_t problems;
	char    *said = words_of(f, &problems);
	char    *line = strstr(said, "problem: ");

	if (problems != 1 || line == NULL || strstr(line, words) == NULL)
		fail_msg("not just the problem \"%s\": %s", words, said);
	free(said);
}

static void assert_some_problem(const struct fixture *f, const char *words)
{
	uint64_t problems;
	char    *said = words_of(f, &problems);

	if (problems == 0 || strstr(said, words) == NULL)
		fail_msg("no problem \"%s\": %s", words, said);
	free(said);
}

/* --- how things are --- */

static void given_an_orderly_end_when_checked_then_it_is_clean_and_counted(void **state)
{
	struct fixture *f = *state;

	fill_and_close(f);

	assert_clean(f, "jobs running: 3\njobs completed: 1\n");

	assert_clean(f, "not over: 3 jobs with 6 journaled inputs");
}

static void given_a_crash_when_checked_then_the_log_is_told_of(void **state)
{
	struct fixture *f = *state;

	fill_and_crash(f);

	assert_clean(f, "log: 5 commits in ");

	assert_clean(f, "the daemon did not end in an orderly way");
}

static void given_no_database_when_checked_then_that_is_fine(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->dir, 0700), 0);

	assert_clean(f, "no database");
}

static void given_a_running_daemon_when_checked_then_it_is_refused(void **state)
{
	struct fixture *f = *state;
	struct gd_error why = { 0 };
	uint64_t        problems;

	fixture_open(f);

	assert_int_equal(fsck_run(f->dir, stdout, &problems, &why), GD_CONFLICT);

	assert_non_null(strstr(why.text, "another gatherd"));
}

static void given_no_directory_when_checked_then_none_is_made(void **state)
{
	struct fixture *f = *state;
	struct gd_error why = { 0 };
	struct stat     st;
	uint64_t        problems;

	assert_int_equal(fsck_run(f->dir, stdout, &problems, &why), GD_SYS);

	assert_int_equal(stat(f->dir, &st), -1);
}

/* --- what is wrong --- */

static void given_a_clock_without_its_row_or_steps_when_checked_then_it_is_told(void **state)
{
	struct fixture *f = *state;

	fill_and_close(f);
	alter(f, "DELETE FROM clock_steps");
	assert_some_problem(f, "problem: nothing says how far the clock on the wall was ahead");
	alter(f, "INSERT INTO clock_steps VALUES (0, 0), (5, 7)");
	assert_clean(f, "the clock on the wall was set 1 times");
	alter(f, "INSERT INTO clock_steps VALUES (9000000000000000000, 7)");
	assert_some_problem(f, "problem: the clock on the wall was set later than anything");
	alter(f, "DELETE FROM clock_steps WHERE at > 5; DELETE FROM clock");
	assert_some_problem(f, "problem: the clock row is missing");
}

static void given_a_flipped_bit_in_a_page_when_checked_then_it_is_found(void **state)
{
	struct fixture *f = *state;
	size_t          count;

	fill_and_close(f);
	free(fixture_read_file(f, "gatherd.db", &count));
	for (size_t page = 3; page * 4096 < count; page++) {
		/* In the header of the page: its kind. */
		flip(f, "gatherd.db", page * 4096);
		assert_some_problem(f, "problem: ");
		flip(f, "gatherd.db", page * 4096);
	}

	assert_clean(f, "every page is sound");
}

static void given_a_damaged_log_when_checked_then_the_place_is_named(void **state)
{
	struct fixture *f = *state;

	fill_and_crash(f);
	flip(f, "gatherd.db-wal", 32 + 5000);

	assert_some_problem(f, "is damaged at byte ");
}

static void given_a_log_that_was_cut_when_checked_then_what_is_missing_is_told(void **state)
{
	struct fixture *f = *state;
	size_t          count;
	char           *bytes;

	fill_and_crash(f);
	fixture_cut_log(f);
	bytes = fixture_read_file(f, "gatherd.db-wal", &count);
	fixture_write_file(f, "gatherd.db-wal", bytes, count - 4000);
	free(bytes);

	assert_problem(f, "ends at commit 3, but 4 were acknowledged");
}

static void given_a_spec_that_does_not_compile_when_checked_then_its_job_is_named(void **state)
{
	struct fixture *f = *state;

	fill_and_close(f);
	alter(f, "UPDATE jobs SET spec = '{\"slep\":1}' WHERE id = 2");
	assert_problem(f, "job 2: its spec does not compile");
	alter(f, "UPDATE jobs SET spec = '{' WHERE id = 2");

	assert_problem(f, "job 2: its spec is not JSON");
}

static void given_a_damaged_journal_when_checked_then_the_input_is_named(void **state)
{
	struct fixture *f = *state;

	fill_and_close(f);
	alter(f, "UPDATE inputs SET bytes = x'0177' WHERE job = 3 AND number = 2");
	assert_problem(f, "job 3: input 2 of its journal does not decode");
	alter(f,
	      "DELETE FROM inputs WHERE job = 3 AND number = 1;"
	      "UPDATE inputs SET bytes = (SELECT bytes FROM inputs WHERE job = 1) WHERE job = 3");

	assert_problem(f, "job 3: after input 0 of its journal comes 2");
}

/* A job that has made a child, as it would stand there; it sees one value. */
#define FAMILY                                                                             \
	"UPDATE jobs SET spec = '[{\"value\":1,\"as\":\"x\"},{\"create_task\":{\"sleep\":" \
	"\"${x}\"},\"loop\":0}]' WHERE id = 1;"                                            \
	"UPDATE jobs SET spec = '' WHERE id = 2;"                                          \
	"INSERT INTO children VALUES (2, 1, 1, 1, '/1/create_task', NULL,"                 \
	" x'0201000000060100000000000000')"

static void given_children_that_do_not_fit_their_parents_when_checked_then_they_are_named(
	void **state)
{
	struct fixture *f = *state;

	fill_and_close(f);
	alter(f, FAMILY);
	assert_clean(f, "not over: 3 jobs");
	alter(f, "UPDATE children SET captures = x'0200000000'");
	assert_problem(f, "job 2: what it sees does not decode");
	alter(f, "UPDATE children SET captures = x'0201000000', code = '/0'");
	assert_problem(f, "job 2: its parent's spec has no such body");
	alter(f, "UPDATE children SET code = '/1/create_task',"
	         " captures = x'0201000000060100000000000000', ticket = 0");
	assert_problem(f, "job 2: no job can have asked for it under that ticket");
	alter(f, "UPDATE children SET ticket = 1, root = 3");
	assert_some_problem(f, "job 2: it has another root than its parent");
	alter(f, "UPDATE children SET root = 1, parent = 99");
	assert_some_problem(f, "job 2: it is a child, and its parent is not there");
	alter(f, "DELETE FROM children");
	assert_some_problem(f, "job 2: it has no spec, and is no child");
}

static void given_damaged_events_when_checked_then_they_are_named(void **state)
{
	struct fixture *f = *state;

	fill_and_close(f);
	alter(f, "UPDATE event_chunks SET body = x'01ffff' WHERE first_seq = 2");

	assert_problem(f, "events 2 to 2 are damaged");
}

static void given_a_missing_chunk_when_checked_then_the_job_that_needs_it_is_named(void **state)
{
	struct fixture *f = *state;

	fill_and_close(f);
	alter(f, "DELETE FROM event_chunks WHERE first_seq = 2");

	assert_problem(f, "job 2: its first event, 2, is missing");
}

static void given_events_that_have_expired_when_checked_then_nobody_misses_them(void **state)
{
	struct fixture *f = *state;

	fill_and_close(f);
	alter(f, "DELETE FROM event_chunks WHERE first_seq <= 2; UPDATE event_log SET trimmed = 2");

	assert_clean(f, "events: those up to 2 have expired");
}

static void given_rows_that_disagree_when_checked_then_each_is_told(void **state)
{
	struct fixture *f = *state;

	fill_and_close(f);
	alter(f, "UPDATE state SET running = 7");
	assert_problem(f, "the state row says 7 running");
	alter(f, "UPDATE state SET running = 3, next_job = 4");
	assert_problem(f, "id of one that is there");
	alter(f, "UPDATE state SET next_job = 5; INSERT INTO commands VALUES (97, 1, 1, 1, '/a')");
	assert_problem(f, "job 97: it has commands");
	alter(f, "DELETE FROM commands; INSERT INTO job_keys VALUES ('a', 'b', 99)");
	assert_problem(f, "job 99: its key is there");
	alter(f,
	      "UPDATE job_keys SET job = 98; UPDATE jobs SET owner = 'a', key = 'b' WHERE id = 4");

	assert_some_problem(f, "job 4: its key does not lead to it");
}

static void given_output_of_no_job_when_checked_then_it_is_told_and_no_problem(void **state)
{
	struct fixture *f = *state;
	char            path[512];

	fill_and_close(f);
	fixture_path(f, "output", path);
	assert_int_equal(mkdir(path, 0700), 0);
	fixture_write_file(f, "output/1-1-1.out", "x", 1);
	fixture_write_file(f, "output/99-1-1.err", "x", 1);

	assert_clean(f, "output of commands: 1 files of no job");
}

static void given_very_many_problems_when_checked_then_the_rest_is_counted(void **state)
{
	struct fixture *f = *state;

	fill_and_close(f);
	alter(f, "WITH n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 149)"
	         "INSERT INTO job_labels SELECT 'x', i FROM n");

	assert_some_problem(f, "problem: and 30 more of this kind\n");
}

static void given_a_newer_schema_when_checked_then_nothing_is_guessed(void **state)
{
	struct fixture *f = *state;

	fill_and_close(f);
	alter(f, "PRAGMA user_version = 99");

	assert_problem(f, "schema 99");
}

#define FSCK_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FSCK_TEST(given_an_orderly_end_when_checked_then_it_is_clean_and_counted),
		FSCK_TEST(given_a_crash_when_checked_then_the_log_is_told_of),
		FSCK_TEST(given_no_database_when_checked_then_that_is_fine),
		FSCK_TEST(given_a_running_daemon_when_checked_then_it_is_refused),
		FSCK_TEST(given_no_directory_when_checked_then_none_is_made),
		FSCK_TEST(given_a_clock_without_its_row_or_steps_when_checked_then_it_is_told),
		FSCK_TEST(given_a_flipped_bit_in_a_page_when_checked_then_it_is_found),
		FSCK_TEST(given_a_damaged_log_when_checked_then_the_place_is_named),
		FSCK_TEST(given_a_log_that_was_cut_when_checked_then_what_is_missing_is_told),
		FSCK_TEST(given_a_spec_that_does_not_compile_when_checked_then_its_job_is_named),
		FSCK_TEST(given_a_damaged_journal_when_checked_then_the_input_is_named),
		FSCK_TEST(given_damaged_events_when_checked_then_they_are_named),
		FSCK_TEST(given_a_missing_chunk_when_checked_then_the_job_that_needs_it_is_named),
		FSCK_TEST(given_events_that_have_expired_when_checked_then_nobody_misses_them),
		FSCK_TEST(
			given_children_that_do_not_fit_their_parents_when_checked_then_they_are_named),
		FSCK_TEST(given_rows_that_disagree_when_checked_then_each_is_told),
		FSCK_TEST(given_output_of_no_job_when_checked_then_it_is_told_and_no_problem),
		FSCK_TEST(given_very_many_problems_when_checked_then_the_rest_is_counted),
		FSCK_TEST(given_a_newer_schema_when_checked_then_nothing_is_guessed),
	};

	return cmocka_run_group_tests_name("fsck", tests, NULL, NULL);
}
