/* daemon/blocking: sqlite_query reads, and does nothing else. */
#include "daemon/effect/thread_pool.h"
#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "tests/lib/blocking_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define EXPECT(sql, expected)                                                               \
	blocking_expect(s, "sqlite_query", "{\"path\": \"~/in/db\", \"sql\": \"" sql "\"}", \
	                expected)
#define EXPECT_WITH(sql, params, expected)                                                       \
	blocking_expect(s, "sqlite_query",                                                       \
	                "{\"path\": \"~/in/db\", \"sql\": \"" sql "\", \"params\": " params "}", \
	                expected)
#define REFUSED "OperationalError: ~/in/db: not authorized"

static sqlite3 *open_db(const struct blocking_scene *s, const char *path, const char *sql)
{
	sqlite3 *db;
	char     room[256];

	assert_int_equal(sqlite3_open(blocking_path(s, path, room), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void make_db(const struct blocking_scene *s, const char *path, const char *sql)
{
	assert_int_equal(sqlite3_close(open_db(s, path, sql)), SQLITE_OK);
}

static int setup(void **state)
{
	if (blocking_setup(state) != 0)
		return -1;
	make_db(*state, "~/in/db",
	        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, x);"
	        "INSERT INTO t VALUES (1, 'one', 1.5), (2, 'two', x'00ff'), (3, NULL, 'h\xc3\xa9');"
	        "CREATE VIEW v AS SELECT id FROM t");
	return 0;
}

/* --- what it gives --- */

static void given_a_select_then_its_rows_come_as_objects(void **state)
{
	const struct blocking_scene *s = *state;

	EXPECT("SELECT * FROM t ORDER BY id",
	       "[{\"id\":1,\"name\":\"one\",\"x\":1.5},"
	       "{\"id\":2,\"name\":\"two\",\"x\":{\"base64\":\"AP8=\"}},"
	       "{\"id\":3,\"name\":null,\"x\":\"h\xc3\xa9\"}]");
	EXPECT("SELECT id FROM v WHERE id > 9", "[]");
	EXPECT("SELECT 9223372036854775807 AS big; -- and a remark ;",
	       "[{\"big\":9223372036854775807}]");
	EXPECT("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3) "
	       "SELECT group_concat(i) AS all_of_them FROM n",
	       "[{\"all_of_them\":\"1,2,3\"}]");
}

static void given_parameters_then_they_are_bound_in_order(void **state)
{
	const struct blocking_scene *s = *state;

	EXPECT_WITH("SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e",
	            "[1, 2.5, \"x'; DROP TABLE t\", null, true]",
	            "[{\"a\":1,\"b\":2.5,\"c\":\"x'; DROP TABLE t\",\"d\":null,\"e\":1}]");
	EXPECT_WITH("SELECT name FROM t WHERE x = ?", "[{\"base64\": \"AP8=\"}]",
	            "[{\"name\":\"two\"}]");
	EXPECT_WITH("SELECT ? AS a", "[]",
	            "ValueError: sqlite_query: 1 parameters in \"sql\", 0 given");
	EXPECT_WITH("SELECT 1 AS a", "[1]",
	            "ValueError: sqlite_query: 0 parameters in \"sql\", 1 given");
	EXPECT_WITH("SELECT ? AS a", "[[1]]",
	            "TypeError: sqlite_query: parameter 0 wants a number, bool, str, null or "
	            "{\"base64\": str}, not list");
	EXPECT_WITH("SELECT ? AS a", "{\"a\": 1}",
	            "TypeError: sqlite_query: \"params\" wants list, not dict");
}

static void given_what_no_value_can_say_then_it_is_refused(void **state)
{
	const struct blocking_scene *s = *state;

	EXPECT("SELECT 9e999 AS x", "OverflowError: sqlite_query: column \"x\" is infinite");
	EXPECT("SELECT 1 AS x, 2 AS x",
	       "ValueError: sqlite_query: the column \"x\" is there twice: give it a name by AS");
	EXPECT("SELECT CAST(x'ff' AS TEXT) AS x", "[{\"x\":{\"base64\":\"/w==\"}}]");
}

/* --- what it does not do --- */

static void given_a_statement_that_writes_then_it_is_refused(void **state)
{
	const struct blocking_scene *s = *state;

	EXPECT("INSERT INTO t VALUES (9, 'x', 0)", REFUSED);
	EXPECT("DELETE FROM t", REFUSED);
	EXPECT("DROP TABLE t", REFUSED);
	EXPECT("CREATE TEMP TABLE x (a)", REFUSED);
	EXPECT("VACUUM", "OperationalError: sqlite_query: \"sql\" does not only read");
	EXPECT("BEGIN", REFUSED);
	EXPECT("PRAGMA query_only = 0", REFUSED);
	EXPECT("PRAGMA user_version", REFUSED);
	EXPECT("VACUUM INTO '~/out/copy'",
	       "OperationalError: sqlite_query: \"sql\" does not only read");
	EXPECT("SELECT count(*) AS n FROM t", "[{\"n\":3}]");
}

static void given_a_way_to_other_files_then_it_is_refused(void **state)
{
	const struct blocking_scene *s = *state;
	char                        *said;

	make_db(s, "~/secret/db", "CREATE TABLE t (a)");
	EXPECT("ATTACH '~/secret/db' AS o", REFUSED);
	said = blocking_call(s, "sqlite_query",
	                     "{\"path\": \"~/in/db\", \"sql\": \"SELECT load_extension('x')\"}");
	assert_non_null(strstr(said, "OperationalError"));
	free(said);
	said = blocking_call(
		s, "sqlite_query",
		"{\"path\": \"~/in/db\", \"sql\": \"SELECT readfile('/etc/passwd')\"}");
	assert_non_null(strstr(said, "no such function: readfile"));
	free(said);
}

static void given_no_statement_or_two_then_it_is_refused(void **state)
{
	const struct blocking_scene *s = *state;

	EXPECT(" -- nothing", "ValueError: sqlite_query: no statement in \"sql\"");
	EXPECT("SELECT 1 AS a; SELECT 2 AS b",
	       "ValueError: sqlite_query: more than one statement in \"sql\"");
	EXPECT("SELECT 1 AS a; DROP TABLE t", REFUSED);
	EXPECT("SELECT nowhere FROM t", "OperationalError: ~/in/db: no such column: nowhere");
}

/* --- how much --- */

static void given_a_query_without_end_then_its_rows_are_bounded(void **state)
{
	const struct blocking_scene *s = *state;

	EXPECT("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
	       "LimitError: sqlite_query: more than 5000 rows, or 1048576 bytes of them; ask for "
	       "less by LIMIT");
	EXPECT("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
	       "SELECT hex(zeroblob(400000)) AS h FROM n",
	       "LimitError: sqlite_query: more than 5000 rows, or 1048576 bytes of them; ask for "
	       "less by LIMIT");
	EXPECT("SELECT zeroblob(2000000) AS z",
	       "LimitError: ~/in/db: a value of more than 1048576 bytes");
	EXPECT("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
	       "SELECT i, zeroblob(900000) AS z FROM n ORDER BY i DESC",
	       "LimitError: ~/in/db: no room to sort: more than 67108864 bytes, or a full disk");
}

struct asking {
	const struct blocking_scene *scene;
	atomic_bool                  is_unwanted;
	struct blocking_outcome      out;
};

static struct value put(struct value_heap *h, struct value dict, const char *key, const char *text)
{
	return value_dict_put(h, dict, value_text_new(h, key, strlen(key)),
	                      value_text_new(h, text, strlen(text)));
}

static void *ask_for_ever(void *ctx)
{
	struct asking    *a = ctx;
	struct value_heap h = { 0 };
	struct value      args = value_dict_new(&h, 2);
	char              room[256];

	args = put(&h, args, "path", blocking_path(a->scene, "~/in/db", room));
	args = put(&h, args, "sql",
	           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
	           "SELECT max(i) AS m FROM n");
	blocking_run(a->scene->config, "sqlite_query", args, &h, &a->is_unwanted, &a->out);
	value_release(&h, args);
	return NULL;
}

static int64_t cpu(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * GD_NSEC_PER_SEC + t.tv_nsec;
}

static void given_a_query_that_nobody_wants_any_more_then_it_ends_soon(void **state)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct asking         a = { .scene = *state };
	const int64_t         busy = cpu() + 50 * GD_NSEC_PER_MSEC;
	pthread_t             thread;

	assert_int_equal(pthread_create(&thread, NULL, ask_for_ever, &a), 0);
	while (cpu() < busy)
		(void)nanosleep(&pause, NULL);

	atomic_store(&a.is_unwanted, true);

	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_string_equal(a.out.type, "CancelledError");
}

/* --- how deep: on a thread of the size that the daemon gives it --- */

struct deep {
	const struct blocking_scene *scene;
	const char                  *path;
	const char                  *sql;
	struct blocking_outcome      out;
};

static void *ask(void *ctx)
{
	struct deep      *d = ctx;
	struct value_heap h = { 0 };
	struct value      args = value_dict_new(&h, 2);
	char              room[256];

	args = put(&h, args, "path", blocking_path(d->scene, d->path, room));
	args = put(&h, args, "sql", d->sql);
	blocking_run(d->scene->config, "sqlite_query", args, &h, NULL, &d->out);
	value_release(&h, d->out.result);
	value_release(&h, args);
	return NULL;
}

/* NULL for `type`: it has a result. */
static void expect_deep(const struct blocking_scene *s, const char *path, const char *sql,
                        const char *type, const char *words)
{
	struct deep    d = { .scene = s, .path = path, .sql = sql };
	pthread_attr_t attr;
	pthread_t      thread;

	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstacksize(&attr, THREAD_POOL_STACK_BYTES), 0);
	assert_int_equal(pthread_create(&thread, &attr, ask, &d), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)pthread_attr_destroy(&attr);
	if (type == NULL) {
		assert_null(d.out.type);
		return;
	}
	assert_string_equal(d.out.type, type);
	if (strstr(d.out.message, words) == NULL)
		assert_string_equal(d.out.message, words);
}

/* A chain of selects, each from the one before: `bytes` of text at most. */
static struct buf make_chain(size_t bytes)
{
	struct buf b = { 0 };
	int        i = 0;

	buf_add_text(&b, "WITH c0 AS (SELECT 1 AS a)");
	while (b.bytes < bytes - 140) {
		i++;
		buf_addf(&b, ",c%d AS (SELECT a FROM(SELECT a FROM(SELECT max(a)AS a FROM c%d)))",
		         i, i - 1);
	}
	buf_addf(&b, "SELECT a FROM c%d", i);
	buf_add_byte(&b, '\0');
	assert_int_equal(b.failed, GD_OK);
	return b;
}

static void given_statements_as_deep_as_they_may_be_then_the_stack_is_enough(void **state)
{
	const struct blocking_scene *s = *state;
	struct buf                   chain = make_chain(BLOCKING_SQL_BYTES_MAX);

	expect_deep(s, "~/in/db", chain.at, NULL, NULL);
	buf_close(&chain);
	chain = make_chain(2 * BLOCKING_SQL_BYTES_MAX);
	expect_deep(s, "~/in/db", chain.at, "LimitError", "more than 65536 bytes of \"sql\"");
	buf_close(&chain);
}

static void given_a_pattern_of_many_wildcards_then_it_is_refused(void **state)
{
	const struct blocking_scene *s = *state;
	struct buf                   b = { 0 };

	buf_add_text(&b, "SELECT hex(zeroblob(30000)) LIKE '");
	for (int i = 0; i < 20000; i++)
		buf_add_text(&b, "%0");
	buf_add_text(&b, "x' AS a");
	buf_add_byte(&b, '\0');
	expect_deep(s, "~/in/db", b.at, "OperationalError", "LIKE or GLOB pattern too complex");
	buf_close(&b);
}

/* A stranger's database: views on views. */
static void given_more_views_than_a_stack_has_room_for_then_they_are_refused(void **state)
{
	const struct blocking_scene *s = *state;
	struct buf                   b = { 0 };

	buf_add_text(&b, "BEGIN; CREATE VIEW v0 AS SELECT 1 AS a;");
	for (int i = 1; i < 2000; i++)
		buf_addf(&b, "CREATE VIEW v%d AS SELECT max(a) AS a FROM v%d;", i, i - 1);
	buf_add_text(&b, "COMMIT");
	buf_add_byte(&b, '\0');
	make_db(s, "~/in/views", b.at);
	buf_close(&b);
	expect_deep(s, "~/in/views", "SELECT a FROM v1999", "LimitError",
	            "more than 65536 bytes of views");
}

/* --- files --- */

static void given_what_is_no_database_then_it_is_refused(void **state)
{
	const struct blocking_scene *s = *state;
	char                         room[256];

	blocking_make(s, "~/in/text", "this is text, and long enough", 29);
	blocking_link(s, "~/in/link", "db");
	assert_int_equal(mkfifo(blocking_path(s, "~/in/fifo", room), 0644), 0);
#define ASK(file, expected)                \
	blocking_expect(s, "sqlite_query", \
	                "{\"path\": \"~/in" file "\", \"sql\": \"SELECT * FROM t\"}", expected)
	ASK("/text", "OperationalError: ~/in/text: file is not a database");
	ASK("/none", "FileNotFoundError(ENOENT): ~/in/none: No such file or directory");
	ASK("/fifo", "PermissionError: ~/in/fifo: not a regular file");
	ASK("/link", "PermissionError: ~/in/link: not a regular file");
	ASK("", "IsADirectoryError(EISDIR): ~/in: Is a directory");
}

static void given_a_fifo_beside_the_database_then_nothing_blocks(void **state)
{
	static const char *const     BESIDE[] = { "~/in/db-journal", "~/in/db-wal", "~/in/db-shm" };
	const struct blocking_scene *s = *state;
	char                         room[256];

	for (size_t i = 0; i < 3; i++) {
		char *said;

		assert_int_equal(mkfifo(blocking_path(s, BESIDE[i], room), 0444), 0);
		said = blocking_call(s, "sqlite_query",
		                     "{\"path\": \"~/in/db\", \"sql\": \"SELECT 1 AS a FROM t\"}");
		if (strncmp(said, "OperationalError: ~/in/db: ", 27) != 0)
			assert_string_equal(said, "[{\"a\":1},{\"a\":1},{\"a\":1}]");
		free(said);
		assert_int_equal(unlink(room), 0);
	}
}

static void given_a_database_in_wal_mode_then_what_its_writer_committed_is_seen(void **state)
{
	const struct blocking_scene *s = *state;
	sqlite3                     *db = open_db(s, "~/in/wal",
	                                          "PRAGMA journal_mode = WAL; CREATE TABLE t (a);"
	                                                              "INSERT INTO t VALUES (1)");

#define COUNT "{\"path\": \"~/in/wal\", \"sql\": \"SELECT count(*) AS n FROM t\"}"
	blocking_expect(s, "sqlite_query", COUNT, "[{\"n\":1}]");
	assert_int_equal(sqlite3_exec(db, "BEGIN; INSERT INTO t VALUES (2)", NULL, NULL, NULL), 0);
	blocking_expect(s, "sqlite_query", COUNT, "[{\"n\":1}]");
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), 0);
	blocking_expect(s, "sqlite_query", COUNT, "[{\"n\":2}]");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	blocking_expect(s, "sqlite_query", COUNT, "[{\"n\":2}]");
}

static void given_an_empty_file_then_what_lies_beside_it_stays(void **state)
{
	const struct blocking_scene *s = *state;
	struct stat                  st;
	char                         room[256];

	blocking_make(s, "~/in/empty", "", 0);
	blocking_make(s, "~/in/empty-wal", "x", 1);
	blocking_make(s, "~/in/empty-journal", "x", 1);
	free(blocking_call(s, "sqlite_query",
	                   "{\"path\": \"~/in/empty\", \"sql\": \"SELECT 1 AS a\"}"));
	free(blocking_call(s, "sqlite_query",
	                   "{\"path\": \"~/in/empty\", \"sql\": \"SELECT * FROM t\"}"));
	assert_int_equal(stat(blocking_path(s, "~/in/empty-wal", room), &st), 0);
	assert_int_equal(stat(blocking_path(s, "~/in/empty-journal", room), &st), 0);
}

static void given_a_link_beside_the_database_then_it_is_not_followed(void **state)
{
	const struct blocking_scene *s = *state;
	struct stat                  st;
	char                         room[256];

	make_db(s, "~/in/wal", "PRAGMA journal_mode = WAL; CREATE TABLE t (a)");
	blocking_link(s, "~/in/wal-wal", "../secret/made");
	blocking_link(s, "~/in/wal-shm", "../secret/made");
	blocking_expect(s, "sqlite_query", "{\"path\": \"~/in/wal\", \"sql\": \"SELECT * FROM t\"}",
	                "OperationalError: ~/in/wal: unable to open database file");
	assert_int_equal(stat(blocking_path(s, "~/secret/made", room), &st), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, blocking_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_a_select_then_its_rows_come_as_objects),
		TEST(given_parameters_then_they_are_bound_in_order),
		TEST(given_what_no_value_can_say_then_it_is_refused),
		TEST(given_a_statement_that_writes_then_it_is_refused),
		TEST(given_a_way_to_other_files_then_it_is_refused),
		TEST(given_no_statement_or_two_then_it_is_refused),
		TEST(given_a_query_without_end_then_its_rows_are_bounded),
		TEST(given_a_query_that_nobody_wants_any_more_then_it_ends_soon),
		TEST(given_statements_as_deep_as_they_may_be_then_the_stack_is_enough),
		TEST(given_a_pattern_of_many_wildcards_then_it_is_refused),
		TEST(given_more_views_than_a_stack_has_room_for_then_they_are_refused),
		TEST(given_what_is_no_database_then_it_is_refused),
		TEST(given_a_fifo_beside_the_database_then_nothing_blocks),
		TEST(given_a_database_in_wal_mode_then_what_its_writer_committed_is_seen),
		TEST(given_an_empty_file_then_what_lies_beside_it_stays),
		TEST(given_a_link_beside_the_database_then_it_is_not_followed),
	};

	return cmocka_run_group_tests_name("blocking_query", tests, NULL, NULL);
}
