/* daemon/blocking: what lies below the roots, and that nothing else can be reached. */
#include "tests/lib/blocking_fixture.h"

#include <fcntl.h>
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

#define SWAPS 4000
#define SECRET "what nobody may see"

static void make_dir(const struct blocking_scene *s, const char *path)
{
	char room[256];

	assert_int_equal(mkdir(blocking_path(s, path, room), 0755), 0);
}

/* --- by text --- */

static void given_a_path_that_is_below_no_root_by_its_text_then_it_is_refused(void **state)
{
	const struct blocking_scene *s = *state;

	blocking_expect(s, "read_file", "{\"path\": \"/etc/passwd\"}",
	                "PermissionError: below no read-root: /etc/passwd");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/../secret/s\"}",
	                "PermissionError: \"..\" in a path: ~/in/../secret/s");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/..\"}",
	                "PermissionError: \"..\" in a path: ~/in/..");
	blocking_expect(s, "read_file", "{\"path\": \"in/a\"}",
	                "PermissionError: not an absolute path: in/a");
	blocking_expect(s, "read_file", "{\"path\": \"\"}", "PermissionError: an empty path: ");
	blocking_expect(s, "list_dir", "{\"path\": \"~\"}",
	                "PermissionError: below no read-root: ~");
	blocking_expect(s, "stat", "{\"path\": \"~/input\"}",
	                "PermissionError: below no read-root: ~/input");
	blocking_expect(s, "sha256", "{\"path\": \"/\"}", "PermissionError: below no read-root: /");
}

static void given_a_root_to_read_then_nothing_is_written_there_and_the_other_way_round(void **state)
{
	const struct blocking_scene *s = *state;

	blocking_make(s, "~/out/a", "x", 1);
	blocking_expect(s, "write_file", "{\"path\": \"~/in/a\", \"content\": \"x\"}",
	                "PermissionError: below no write-root: ~/in/a");
	blocking_expect(s, "read_file", "{\"path\": \"~/out/a\"}",
	                "PermissionError: below no read-root: ~/out/a");
}

static void given_no_roots_then_the_key_to_set_is_named(void **state)
{
	const struct blocking_options none = { 0 };
	struct blocking_scene         s = { .home = "/no-such" };

	(void)state;
	assert_int_equal(blocking_config_open(&none, &s.config, NULL), GD_OK);
	blocking_expect(&s, "stat", "{\"path\": \"/etc\"}",
	                "PermissionError: no read-root is configured: /etc");
	blocking_expect(&s, "write_file", "{\"path\": \"/etc/a\", \"content\": \"\"}",
	                "PermissionError: no write-root is configured: /etc/a");
	blocking_config_close(s.config);
}

static void given_a_path_at_submit_then_its_text_decides(void **state)
{
	const struct blocking_scene *s = *state;
	struct gd_error              why;
	char                         room[256];

	assert_int_equal(blocking_check_path(s->config, "stat",
	                                     blocking_path(s, "~/in/not/there", room), &why),
	                 GD_OK);
	assert_int_equal(blocking_check_path(s->config, "write_file", room, &why), GD_FORBIDDEN);
	assert_int_equal(blocking_check_path(s->config, "stat", "/in/../a", &why), GD_FORBIDDEN);
	assert_string_equal(why.text, "\"..\" in a path: /in/../a");
}

/* --- links --- */

static void given_a_link_that_stays_inside_then_it_is_followed(void **state)
{
	const struct blocking_scene *s = *state;

	make_dir(s, "~/in/d");
	blocking_make(s, "~/in/d/a", "inside", 6);
	blocking_link(s, "~/in/link", "d/a");
	blocking_link(s, "~/in/dir", "d");
	blocking_link(s, "~/in/d/up", "../d/../d");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/link\"}", "\"inside\"");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/dir/a\"}", "\"inside\"");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/d/up/a\"}", "\"inside\"");
}

static void given_a_link_that_leads_out_then_it_is_refused(void **state)
{
	const struct blocking_scene *s = *state;

	blocking_make(s, "~/secret/s", SECRET, strlen(SECRET));
	blocking_link(s, "~/in/file", "../secret/s");
	blocking_link(s, "~/in/dir", "../secret");
	blocking_link(s, "~/in/absolute", "/etc/passwd");
	blocking_link(s, "~/in/self", "~/in");
	blocking_link(s, "~/in/magic", "/proc/self/root/etc/passwd");
	blocking_link(s, "~/out/dir", "../secret");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/file\"}",
	                "PermissionError(EXDEV): ~/in/file: leads out of its root");
	blocking_expect(s, "sha256", "{\"path\": \"~/in/dir/s\"}",
	                "PermissionError(EXDEV): ~/in/dir/s: leads out of its root");
	blocking_expect(s, "list_dir", "{\"path\": \"~/in/dir\"}",
	                "PermissionError(EXDEV): ~/in/dir: leads out of its root");
	blocking_expect(s, "stat", "{\"path\": \"~/in/absolute\"}",
	                "PermissionError(EXDEV): ~/in/absolute: leads out of its root");
	blocking_expect(s, "list_dir", "{\"path\": \"~/in/self\"}",
	                "PermissionError(EXDEV): ~/in/self: leads out of its root");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/magic\"}",
	                "PermissionError(EXDEV): ~/in/magic: leads out of its root");
	blocking_expect(s, "sqlite_query", "{\"path\": \"~/in/dir/s\", \"sql\": \"SELECT 1\"}",
	                "PermissionError(EXDEV): ~/in/dir/s: leads out of its root");
	blocking_expect(s, "write_file", "{\"path\": \"~/out/dir/s\", \"content\": \"\"}",
	                "PermissionError(EXDEV): ~/out/dir/s: leads out of its root");
}

static void given_roots_that_overlap_then_one_that_lets_it_through_is_enough(void **state)
{
	struct blocking_scene  *s = *state;
	char                    in[256], deep[256];
	const char *const       reads[] = { blocking_path(s, "~/in/d", deep),
		                            blocking_path(s, "~/in", in) };
	struct blocking_options options = { reads, 2, NULL, 0, NULL, 0 };

	make_dir(s, "~/in/d");
	blocking_make(s, "~/in/a", "outer", 5);
	blocking_link(s, "~/in/d/up", "../a");
	blocking_config_close(s->config);
	assert_int_equal(blocking_config_open(&options, &s->config, NULL), GD_OK);
	blocking_expect(s, "read_file", "{\"path\": \"~/in/d/up\"}", "\"outer\"");
}

/* --- races --- */

struct swapper {
	const struct blocking_scene *scene;
	atomic_bool                  is_over;
	uint32_t                     swaps;
};

/* `in/way` is in turns a directory with a file `s`, and a link to where another `s` is. */
static void *swap(void *ctx)
{
	struct swapper *w = ctx;
	char            way[256], link[256];

	blocking_path(w->scene, "~/in/way", way);
	blocking_path(w->scene, "~/in/link", link);
	while (!atomic_load(&w->is_over)) {
		if (renameat2(AT_FDCWD, way, AT_FDCWD, link, RENAME_EXCHANGE) == 0)
			w->swaps++;
	}
	return NULL;
}

static bool is_one_of(const char *said, const char *good)
{
	static const char *const REFUSALS[] = {
		"PermissionError(EXDEV): ",
		"OSError(ELOOP): ",
		"OSError(EAGAIN): ",
	};

	for (size_t i = 0; i < sizeof REFUSALS / sizeof REFUSALS[0]; i++) {
		if (strncmp(said, REFUSALS[i], strlen(REFUSALS[i])) == 0)
			return true;
	}
	return strcmp(said, good) == 0;
}

/* How often the call was let through. */
static uint32_t race(struct swapper *w, const char *function, const char *args, const char *good)
{
	struct timespec now;
	time_t          end;
	uint32_t        let_through = 0, calls = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	end = now.tv_sec + 60;
	while ((calls < SWAPS || let_through == 0) && now.tv_sec < end) {
		char *said = blocking_call(w->scene, function, args);

		if (!is_one_of(said, good))
			fail_msg("%s: %s", function, said);
		let_through += strcmp(said, good) == 0;
		free(said);
		calls++;
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
	}
	return let_through;
}

static void given_a_directory_that_becomes_a_link_all_the_time_then_nothing_outside_is_seen(
	void **state)
{
	const struct blocking_scene *s = *state;
	struct swapper               w = { .scene = s };
	pthread_t                    thread;

	make_dir(s, "~/in/way");
	blocking_make(s, "~/in/way/s", "inside", 6);
	blocking_make(s, "~/secret/s", SECRET, strlen(SECRET));
	blocking_link(s, "~/in/link", "../secret");
	assert_int_equal(pthread_create(&thread, NULL, swap, &w), 0);

	assert_true(race(&w, "read_file", "{\"path\": \"~/in/way/s\"}", "\"inside\"") > 0);
	assert_true(race(&w, "list_dir", "{\"path\": \"~/in/way\"}", "[\"s\"]") > 0);

	atomic_store(&w.is_over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(w.swaps > 1000);
}

static void make_db(const struct blocking_scene *s, const char *path, const char *sql)
{
	sqlite3 *db;
	char     room[256];

	assert_int_equal(sqlite3_open(blocking_path(s, path, room), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void given_the_same_with_sqlite_query_then_nothing_outside_is_seen(void **state)
{
	const struct blocking_scene *s = *state;
	struct swapper               w = { .scene = s };
	pthread_t                    thread;

	make_dir(s, "~/in/way");
	make_db(s, "~/in/way/s", "CREATE TABLE t AS SELECT 'inside' AS a");
	make_db(s, "~/secret/s", "CREATE TABLE t AS SELECT '" SECRET "' AS a");
	blocking_link(s, "~/in/link", "../secret");
	assert_int_equal(pthread_create(&thread, NULL, swap, &w), 0);

	assert_true(race(&w, "sqlite_query",
	                 "{\"path\": \"~/in/way/s\", \"sql\": \"SELECT a FROM t\"}",
	                 "[{\"a\":\"inside\"}]") > 0);

	atomic_store(&w.is_over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void given_the_same_with_write_file_then_nothing_outside_is_written(void **state)
{
	struct blocking_scene  *s = *state;
	struct swapper          w = { .scene = s };
	char                    in[256];
	const char *const       roots[] = { blocking_path(s, "~/in", in) };
	struct blocking_options options = { NULL, 0, roots, 1, NULL, 0 };
	pthread_t               thread;
	struct stat             st;

	make_dir(s, "~/in/way");
	blocking_link(s, "~/in/link", "../secret");
	blocking_config_close(s->config);
	assert_int_equal(blocking_config_open(&options, &s->config, NULL), GD_OK);
	assert_int_equal(pthread_create(&thread, NULL, swap, &w), 0);

	assert_true(race(&w, "write_file", "{\"path\": \"~/in/way/s\", \"content\": \"x\"}",
	                 "{\"bytes\":1}") > 0);

	atomic_store(&w.is_over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(stat(blocking_path(s, "~/secret/s", in), &st), -1);
	assert_int_equal(rmdir(blocking_path(s, "~/secret", in)), 0);
	assert_int_equal(mkdir(in, 0755), 0);
}

/* --- the configuration --- */

static void expect_refusal(const struct blocking_scene *s, const char *root, const char *private,
                           const char *expected)
{
	char                    paths[2][256];
	const char *const       reads[] = { blocking_path(s, root, paths[0]) };
	const char *const       privates[] = { blocking_path(s, private, paths[1]) };
	struct blocking_options options = { reads, 1, NULL, 0, privates, 1 };
	struct blocking_config *c = NULL;
	struct gd_error         why = { 0 };
	enum gd_err             rc = blocking_config_open(&options, &c, &why);

	if (expected == NULL) {
		assert_int_equal(rc, GD_OK);
		blocking_config_close(c);
		return;
	}
	assert_int_equal(rc, GD_INVALID_PARAMS);
	if (strstr(why.text, expected) == NULL)
		fail_msg("%s", why.text);
}

static void given_a_root_that_is_none_then_there_is_no_configuration(void **state)
{
	const struct blocking_scene *s = *state;

	blocking_make(s, "~/in/a", "", 0);
	expect_refusal(s, "~/none", "", "read-root: ");
	expect_refusal(s, "~/none", "", "No such file or directory");
	expect_refusal(s, "~/in/a", "", "Not a directory");
	expect_refusal(s, "in", "", "read-root: not an absolute path: in");
	expect_refusal(s, "~/in/../in", "", "read-root: \"..\" in a path: ");
}

static void given_a_root_that_meets_a_private_path_then_there_is_no_configuration(void **state)
{
	const struct blocking_scene *s = *state;

	make_dir(s, "~/secret/state");
	blocking_link(s, "~/in/link", "../secret");
	expect_refusal(s, "~/secret", "~/secret/state", "no job may reach");
	expect_refusal(s, "~/secret", "~/secret", "no job may reach");
	expect_refusal(s, "~/secret/state", "~/secret", "no job may reach");
	expect_refusal(s, "~/in/link", "~/secret/state", "no job may reach");
	expect_refusal(s, "/", "~/secret", "no job may reach");
	expect_refusal(s, "~/secret/state", "~/secret/stat", NULL);
	expect_refusal(s, "~/in", "~/secret", NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, blocking_setup, blocking_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_a_path_that_is_below_no_root_by_its_text_then_it_is_refused),
		TEST(given_a_root_to_read_then_nothing_is_written_there_and_the_other_way_round),
		cmocka_unit_test(given_no_roots_then_the_key_to_set_is_named),
		TEST(given_a_path_at_submit_then_its_text_decides),
		TEST(given_a_link_that_stays_inside_then_it_is_followed),
		TEST(given_a_link_that_leads_out_then_it_is_refused),
		TEST(given_roots_that_overlap_then_one_that_lets_it_through_is_enough),
		TEST(given_a_directory_that_becomes_a_link_all_the_time_then_nothing_outside_is_seen),
		TEST(given_the_same_with_sqlite_query_then_nothing_outside_is_seen),
		TEST(given_the_same_with_write_file_then_nothing_outside_is_written),
		TEST(given_a_root_that_is_none_then_there_is_no_configuration),
		TEST(given_a_root_that_meets_a_private_path_then_there_is_no_configuration),
	};

	return cmocka_run_group_tests_name("blocking_roots", tests, NULL, NULL);
}
