#include "tests/lib/live_walk.h"
#include "tests/lib/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* --- what a start finds --- */

static void given_no_directory_when_opened_then_it_is_made_private(void **state)
{
	struct fixture *f = *state;
	struct stat     st;
	char            path[512];

	fixture_open(f);

	assert_int_equal(stat(f->dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	fixture_path(f, "gatherd.db", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_false(fixture_is_file(f, "gatherd.db.new"));
	assert_false(fixture_is_file(f, "gatherd.db-shm"));
}

static void given_a_new_database_when_reopened_then_its_uuid_stays(void **state)
{
	struct fixture *f = *state;
	char            uuid[37];

	fixture_open(f);
	assert_int_equal(strlen(store_uuid(f->store)), 36);
	assert_int_equal(store_uuid(f->store)[14], '4');
	(void)snprintf(uuid, sizeof uuid, "%s", store_uuid(f->store));

	fixture_reopen(f);

	assert_string_equal(store_uuid(f->store), uuid);
	assert_int_equal(store_next_job_id(f->store), 1);
	assert_int_equal(store_seq(f->store), 0);
}

static int64_t clean_mark(const struct fixture *f)
{
	char          path[512];
	sqlite3      *link;
	sqlite3_stmt *ask;
	int64_t       mark;

	fixture_path(f, "gatherd.db", path);
	assert_int_equal(sqlite3_open(path, &link), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(link, "SELECT is_clean FROM state", -1, &ask, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_step(ask), SQLITE_ROW);
	mark = sqlite3_column_int64(ask, 0);
	assert_int_equal(sqlite3_finalize(ask), SQLITE_OK);
	assert_int_equal(sqlite3_close(link), SQLITE_OK);
	return mark;
}

static void given_a_close_or_a_crash_when_looked_at_then_the_mark_tells_them_apart(void **state)
{
	struct fixture *f = *state;
	int             status;
	pid_t           pid;

	fixture_open(f);
	fixture_close(f);
	assert_int_equal(clean_mark(f), 1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fixture_open(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);

	assert_int_equal(clean_mark(f), 0);
}

static void given_a_clean_close_when_looked_at_then_one_file_holds_everything(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	fixture_fill_events(f, 100, 10);

	fixture_close(f);

	assert_true(fixture_is_file(f, "gatherd.db"));
	assert_false(fixture_is_file(f, "gatherd.db-wal"));
}

struct live {
	uint32_t count;
	uint64_t ids[8];
	uint32_t ordinals[8];
	uint32_t inputs[8];
};

static enum gd_err note_live(void *ctx, const struct store_job *job, uint32_t last_ordinal,
                             const struct store_input *inputs, uint32_t input_count,
                             struct gd_error *why)
{
	struct live *l = ctx;

	(void)why;
	assert_true(l->count < 8);
	assert_string_equal(job->spec.at, "{}");
	assert_string_equal(job->owner.at, "uid:1");
	l->ids[l->count] = job->id;
	l->ordinals[l->count] = last_ordinal;
	l->inputs[l->count++] = input_count;
	for (uint32_t i = 0; i < input_count; i++) {
		assert_int_equal(inputs[i].number, i + 1);
		assert_int_equal(inputs[i].time, FIXTURE_T0 + i + 1);
		assert_memory_equal(inputs[i].bytes.at, i == 0 ? "one" : "two", 3);
	}
	return GD_OK;
}

static void open_and_walk(struct fixture *f, struct live *l)
{
	struct gd_error why = { 0 };

	*l = (struct live){ 0 };
	if (fixture_try_open(f, &why) != GD_OK || live_walk(f->store, note_live, l, &why) != GD_OK)
		fail_msg("%s", why.text);
}

static void given_live_and_ended_jobs_when_walked_then_the_live_come_with_their_inputs(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct live         l;

	fixture_open(f);
	(void)fixture_add_whole_job(g, 3, JOB_RUNNING);
	(void)fixture_add_whole_job(g, 1, JOB_QUEUED);
	(void)fixture_add_whole_job(g, 2, JOB_COMPLETED);
	(void)fixture_add_input(g, 3, 1, "one");
	(void)fixture_commit(f, g);
	g = store_group_new(0);
	(void)fixture_add_input(g, 3, 2, "two");
	(void)fixture_commit(f, g);
	fixture_close(f);

	open_and_walk(f, &l);

	assert_int_equal(l.count, 2);
	assert_int_equal(l.ids[0], 1);
	assert_int_equal(l.ids[1], 3);
	assert_int_equal(l.inputs[0], 0);
	assert_int_equal(l.inputs[1], 2);
	assert_int_equal(store_next_job_id(f->store), 4);
}

static void given_events_in_many_commits_when_walked_then_the_last_ordinal_is_known(void **state)
{
	struct fixture *f = *state;
	struct live     l;

	fixture_open(f);
	fixture_fill_events(f, 100, 10);
	fixture_close(f);

	open_and_walk(f, &l);

	assert_int_equal(l.count, 2);
	assert_int_equal(l.ordinals[0], 49);
	assert_int_equal(l.ordinals[1], 49);
}

static enum gd_err refuse_live(void *ctx, const struct store_job *job, uint32_t last_ordinal,
                               const struct store_input *inputs, uint32_t input_count,
                               struct gd_error *why)
{
	(void)job;
	(void)last_ordinal;
	(void)inputs;
	(void)input_count;
	(*(uint32_t *)ctx)++;
	return gd_fail(why, GD_LIMIT, "enough");
}

static void given_a_callback_that_fails_when_walked_then_the_walk_ends(void **state)
{
	struct fixture *f = *state;
	struct gd_error why = { 0 };
	uint32_t        calls = 0;

	fixture_open(f);
	fixture_fill_events(f, 10, 10);
	fixture_close(f);
	assert_int_equal(fixture_try_open(f, NULL), GD_OK);

	assert_int_equal(live_walk(f->store, refuse_live, &calls, &why), GD_LIMIT);

	assert_int_equal(calls, 1);
	assert_string_equal(why.text, "enough");
}

/* --- what is refused --- */

static void given_a_store_that_is_open_when_opened_again_then_its_process_is_named(void **state)
{
	struct fixture *f = *state;
	struct store   *first;
	struct gd_error why = { 0 };
	char            pid[32];

	fixture_open(f);
	first = f->store;
	(void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());

	assert_int_equal(fixture_try_open(f, &why), GD_CONFLICT);

	f->store = first;
	assert_non_null(strstr(why.text, pid));
}

static void given_a_place_that_cannot_be_one_when_opened_then_the_system_is_blamed(void **state)
{
	struct fixture *f = *state;
	struct gd_error why = { 0 };
	char            inside[256];
	int             fd;

	(void)snprintf(inside, sizeof inside, "%s", f->dir);
	(void)snprintf(f->dir, sizeof f->dir, "%.200s/no/such", f->root);
	assert_int_equal(fixture_try_open(f, &why), GD_SYS);
	assert_non_null(strstr(why.text, "/no/such"));
	(void)snprintf(f->dir, sizeof f->dir, "%.200s/file", f->root);
	fd = open(f->dir, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	(void)close(fd);

	assert_int_equal(fixture_try_open(f, &why), GD_SYS);

	(void)snprintf(f->dir, sizeof f->dir, "%s", inside);
}

static void given_a_file_that_is_no_database_when_opened_then_it_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char            page[4096];

	assert_int_equal(mkdir(f->dir, 0700), 0);
	fixture_write_file(f, "gatherd.db", "", 0);
	fixture_assert_refused(f, "empty");
	fixture_write_file(f, "gatherd.db", "short", 5);
	fixture_assert_refused(f, "cut short");
	memset(page, 'x', sizeof page);
	fixture_write_file(f, "gatherd.db", page, sizeof page);
	fixture_assert_refused(f, "not a database");
}

static void given_the_database_of_another_program_when_opened_then_it_is_left_alone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->dir, 0700), 0);
	alter(f, "CREATE TABLE notes (text); PRAGMA application_id = 7");

	fixture_assert_refused(f, "another program");

	assert_false(fixture_is_file(f, "gatherd.db-wal"));
}

static void given_a_newer_schema_when_opened_then_it_is_left_alone(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	fixture_close(f);
	alter(f, "PRAGMA user_version = 99");

	fixture_assert_refused(f, "schema 99");
}

static void given_only_a_log_when_opened_then_no_empty_database_is_put_over_it(void **state)
{
	struct fixture *f = *state;
	struct gd_error why = { 0 };

	assert_int_equal(mkdir(f->dir, 0700), 0);
	fixture_write_file(f, "gatherd.db-wal", "what is left", 12);

	assert_int_equal(fixture_try_open(f, &why), GD_STORE);

	assert_non_null(strstr(why.text, "missing"));
	assert_false(fixture_is_file(f, "gatherd.db"));
	assert_true(fixture_is_file(f, "gatherd.db-wal"));
}

static void given_a_refusal_when_the_cause_is_gone_then_the_lock_is_free(void **state)
{
	struct fixture *f = *state;
	char            path[512];

	assert_int_equal(mkdir(f->dir, 0700), 0);
	fixture_write_file(f, "gatherd.db", "", 0);
	fixture_assert_refused(f, "empty");
	fixture_path(f, "gatherd.db", path);
	assert_int_equal(unlink(path), 0);

	fixture_open(f);
}

/* --- semaphores --- */

static struct record *add_put(struct store_group *g, enum semaphore_kind kind, const char *name,
                              uint32_t permits)
{
	struct record *r = store_group_add(g, RECORD_SEMAPHORE, 0);

	assert_non_null(r);
	r->u.semaphore.kind = kind;
	r->u.semaphore.name = fixture_text(name);
	r->u.semaphore.permits = permits;
	return r;
}

/* "a 2, b 0" */
static enum gd_err list_semaphore(void *ctx, struct text name, uint32_t permits,
                                  struct gd_error *why)
{
	char  *list = ctx;
	size_t used = strlen(list);

	(void)why;
	(void)snprintf(list + used, 64 - used, "%s%.*s %u", used == 0 ? "" : ", ", (int)name.bytes,
	               name.at, (unsigned)permits);
	return GD_OK;
}

static void given_permits_that_were_put_when_walked_then_each_name_has_its_last(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct record      *first, *last;
	char                list[64] = "";

	fixture_open(f);
	first = add_put(g, SEMAPHORE_PLAIN, "b", 7);
	(void)add_put(g, SEMAPHORE_PLAIN, "a", INT32_MAX);
	(void)add_put(g, SEMAPHORE_PLAIN, "gone", 2);
	(void)fixture_commit(f, g);
	g = store_group_new(0);
	(void)add_put(g, SEMAPHORE_PLAIN, "gone", 1);
	last = add_put(g, SEMAPHORE_PLAIN, "b", 0);
	(void)fixture_commit(f, g);
	assert_true(first->u.semaphore.serial < last->u.semaphore.serial);
	fixture_close(f);
	assert_int_equal(fixture_try_open(f, NULL), GD_OK);

	assert_int_equal(
		store_each_semaphore(f->store, SEMAPHORE_PLAIN, list_semaphore, list, NULL), GD_OK);

	assert_string_equal(list, "a 2147483647, b 0");
}

static void given_a_pool_when_it_is_called_as_a_semaphore_then_both_are_kept(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	char                plain[64] = "";
	char                pools[64] = "";

	fixture_open(f);
	(void)add_put(g, SEMAPHORE_PLAIN, "gpu", 3);
	(void)add_put(g, SEMAPHORE_POOL, "gpu", 2);
	(void)add_put(g, SEMAPHORE_POOL, "one", 1);
	(void)fixture_commit(f, g);
	g = store_group_new(0);
	(void)add_put(g, SEMAPHORE_PLAIN, "gpu", 1);
	(void)fixture_commit(f, g);
	fixture_close(f);
	assert_int_equal(fixture_try_open(f, NULL), GD_OK);

	assert_int_equal(
		store_each_semaphore(f->store, SEMAPHORE_PLAIN, list_semaphore, plain, NULL),
		GD_OK);
	assert_int_equal(
		store_each_semaphore(f->store, SEMAPHORE_POOL, list_semaphore, pools, NULL), GD_OK);

	assert_string_equal(plain, "");
	assert_string_equal(pools, "gpu 2, one 1");
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(given_no_directory_when_opened_then_it_is_made_private),
		STORE_TEST(given_a_new_database_when_reopened_then_its_uuid_stays),
		STORE_TEST(given_a_close_or_a_crash_when_looked_at_then_the_mark_tells_them_apart),
		STORE_TEST(given_a_clean_close_when_looked_at_then_one_file_holds_everything),
		STORE_TEST(
			given_live_and_ended_jobs_when_walked_then_the_live_come_with_their_inputs),
		STORE_TEST(given_events_in_many_commits_when_walked_then_the_last_ordinal_is_known),
		STORE_TEST(given_a_callback_that_fails_when_walked_then_the_walk_ends),
		STORE_TEST(given_a_store_that_is_open_when_opened_again_then_its_process_is_named),
		STORE_TEST(given_a_place_that_cannot_be_one_when_opened_then_the_system_is_blamed),
		STORE_TEST(given_a_file_that_is_no_database_when_opened_then_it_is_left_alone),
		STORE_TEST(given_the_database_of_another_program_when_opened_then_it_is_left_alone),
		STORE_TEST(given_a_newer_schema_when_opened_then_it_is_left_alone),
		STORE_TEST(given_only_a_log_when_opened_then_no_empty_database_is_put_over_it),
		STORE_TEST(given_a_refusal_when_the_cause_is_gone_then_the_lock_is_free),
		STORE_TEST(given_permits_that_were_put_when_walked_then_each_name_has_its_last),
		STORE_TEST(given_a_pool_when_it_is_called_as_a_semaphore_then_both_are_kept),
	};

	return cmocka_run_group_tests_name("store_open", tests, NULL, NULL);
}
