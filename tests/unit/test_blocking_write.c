/*
 * daemon/blocking: write_file, also when the disk is full or the process is killed between two of its
 * steps. The linker puts the functions below in the place of those of the C library (--wrap).
 */
#include "tests/lib/blocking_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STEPS 10 /* more than it takes */

/* --- steps that fail, or are the last one --- */

static int steps;   /* taken so far */
static int fails;   /* the step that fails, with EIO; 0: none */
static int is_last; /* the process ends before this one; 0: none */

static int step_fails(void)
{
	steps++;
	if (steps == is_last)
		(void)kill(getpid(), SIGKILL);
	if (steps != fails)
		return 0;
	errno = EIO;
	return 1;
}

#define WRAP(type, name, params, ...)                                  \
	type __real_##name params;                                     \
	type __wrap_##name params;                                     \
	type __wrap_##name params                                      \
	{                                                              \
		return step_fails() ? -1 : __real_##name(__VA_ARGS__); \
	}

WRAP(ssize_t, write, (int fd, const void *at, size_t bytes), fd, at, bytes)
WRAP(int, fchmod, (int fd, mode_t mode), fd, mode)
WRAP(int, fsync, (int fd), fd)
WRAP(int, renameat, (int a, const char *from, int b, const char *to), a, from, b, to)

static int setup(void **state)
{
	int rc = blocking_setup(state);

	steps = fails = is_last = 0;
	return rc;
}

/* --- what is there --- */

static void expect_file(const struct blocking_scene *s, const char *path, const char *content)
{
	char  room[256], found[64] = "";
	FILE *f = fopen(blocking_path(s, path, room), "re");

	assert_non_null(f);
	assert_int_equal(fread(found, 1, sizeof found - 1, f), strlen(content));
	assert_string_equal(found, content);
	(void)fclose(f);
}

static int count_names(const struct blocking_scene *s, const char *path)
{
	char room[256];
	DIR *dir = opendir(blocking_path(s, path, room));
	int  count = -2; /* . and .. */

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count;
}

static unsigned mode_of(const struct blocking_scene *s, const char *path)
{
	struct stat st;
	char        room[256];

	assert_int_equal(stat(blocking_path(s, path, room), &st), 0);
	return st.st_mode & 07777;
}

/* --- a good disk --- */

static void given_text_or_bytes_then_write_file_writes_them(void **state)
{
	const struct blocking_scene *s = *state;

	blocking_expect(s, "write_file", "{\"path\": \"~/out/a\", \"content\": \"h\xc3\xa9\"}",
	                "{\"bytes\":3}");
	expect_file(s, "~/out/a", "h\xc3\xa9");
	blocking_expect(s, "write_file",
	                "{\"path\": \"~/out/a\", \"content\": {\"base64\": \"/w==\"}}",
	                "{\"bytes\":1}");
	expect_file(s, "~/out/a", "\xff");
	blocking_expect(s, "write_file", "{\"path\": \"~/out/a\", \"content\": \"\"}",
	                "{\"bytes\":0}");
	expect_file(s, "~/out/a", "");
	assert_int_equal(count_names(s, "~/out"), 1);
}

static void given_a_mode_then_the_file_has_it_whatever_the_umask_is(void **state)
{
	const struct blocking_scene *s = *state;
	mode_t                       before = umask(077);

	blocking_expect(s, "write_file", "{\"path\": \"~/out/a\", \"content\": \"\"}",
	                "{\"bytes\":0}");
	blocking_expect(s, "write_file",
	                "{\"path\": \"~/out/b\", \"content\": \"\", \"mode\": \"0600\"}",
	                "{\"bytes\":0}");
	blocking_expect(s, "write_file",
	                "{\"path\": \"~/out/c\", \"content\": \"\", \"mode\": \"755\"}",
	                "{\"bytes\":0}");
	(void)umask(before);
	assert_int_equal(mode_of(s, "~/out/a"), 0644);
	assert_int_equal(mode_of(s, "~/out/b"), 0600);
	assert_int_equal(mode_of(s, "~/out/c"), 0755);
}

static void given_arguments_that_are_wrong_then_nothing_is_written(void **state)
{
	const struct blocking_scene *s = *state;

	blocking_expect(
		s, "write_file", "{\"path\": \"~/out/a\", \"content\": 5}",
		"TypeError: write_file: \"content\" wants str or {\"base64\": str}, not int");
	blocking_expect(
		s, "write_file", "{\"path\": \"~/out/a\"}",
		"TypeError: write_file: \"content\" wants str or {\"base64\": str}, not null");
	blocking_expect(s, "write_file",
	                "{\"path\": \"~/out/a\", \"content\": {\"base64\": \"?\"}}",
	                "ValueError: write_file: what \"content\" has is not base64");
	blocking_expect(
		s, "write_file", "{\"path\": \"~/out/a\", \"content\": \"\", \"mode\": \"4755\"}",
		"ValueError: write_file: \"mode\" is octal, such as \"0644\", not \"4755\"");
	blocking_expect(s, "write_file",
	                "{\"path\": \"~/out/a\", \"content\": \"\", \"mode\": \"rw\"}",
	                "ValueError: write_file: \"mode\" is octal, such as \"0644\", not \"rw\"");
	blocking_expect(s, "write_file", "{\"path\": \"~/out/d/a\", \"content\": \"\"}",
	                "FileNotFoundError(ENOENT): ~/out/d/a: No such file or directory");
	blocking_expect(s, "write_file", "{\"path\": \"~/out\", \"content\": \"\"}",
	                "IsADirectoryError(EISDIR): ~/out: Is a directory");
	blocking_expect(s, "write_file", "{\"path\": \"~/out/a/\", \"content\": \"\"}",
	                "IsADirectoryError(EISDIR): ~/out/a/: Is a directory");
	assert_int_equal(count_names(s, "~/out"), 0);
}

static void given_what_is_no_file_at_that_name_then_it_stays(void **state)
{
	const struct blocking_scene *s = *state;
	struct stat                  st;
	char                         room[256];

	assert_int_equal(mkdir(blocking_path(s, "~/out/dir", room), 0755), 0);
	blocking_link(s, "~/out/link", "dir");
	assert_int_equal(mkfifo(blocking_path(s, "~/out/fifo", room), 0644), 0);
	blocking_expect(s, "write_file", "{\"path\": \"~/out/dir\", \"content\": \"\"}",
	                "IsADirectoryError(EISDIR): ~/out/dir: Is a directory");
	blocking_expect(s, "write_file", "{\"path\": \"~/out/link\", \"content\": \"\"}",
	                "FileExistsError(EEXIST): ~/out/link: File exists");
	blocking_expect(s, "write_file", "{\"path\": \"~/out/fifo\", \"content\": \"\"}",
	                "FileExistsError(EEXIST): ~/out/fifo: File exists");
	assert_int_equal(lstat(blocking_path(s, "~/out/link", room), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(count_names(s, "~/out"), 3);
}

/* --- a bad one --- */

static void given_a_step_that_fails_then_the_old_file_stays_and_nothing_is_left_over(void **state)
{
	const struct blocking_scene *s = *state;
	int                          step = 0;

	while (true) {
		char *said;

		fails = 0;
		blocking_make(s, "~/out/a", "old", 3);
		steps = 0;
		fails = ++step;
		said = blocking_call(s, "write_file",
		                     "{\"path\": \"~/out/a\", \"content\": \"new\"}");
		assert_int_equal(count_names(s, "~/out"), 1);
		if (steps < fails) {
			assert_string_equal(said, "{\"bytes\":3}");
			free(said);
			break;
		}
		assert_string_equal(said, "OSError(EIO): ~/out/a: Input/output error");
		/* The last step is the sync of the directory: the name is the new file's already. */
		expect_file(s, "~/out/a", steps < 5 ? "old" : "new");
		free(said);
	}
	assert_int_equal(step, 6); /* write, fchmod, fsync, renameat, fsync */
}

static void given_a_limit_of_the_size_of_files_then_no_half_file_is_left(void **state)
{
	const struct blocking_scene *s = *state;
	struct rlimit                before, limit;

	blocking_make(s, "~/out/a", "old", 3);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 4;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	blocking_expect(s, "write_file", "{\"path\": \"~/out/a\", \"content\": \"0123456789\"}",
	                "OSError(EFBIG): ~/out/a: File too large");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	expect_file(s, "~/out/a", "old");
	assert_int_equal(count_names(s, "~/out"), 1);
}

/* In a process of its own that is killed before step `last`; whether there was such a step. */
static bool is_killed(const struct blocking_scene *s, int last)
{
	int   status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		is_last = last;
		steps = 0;
		free(blocking_call(s, "write_file",
		                   "{\"path\": \"~/out/a\", \"content\": \"new\"}"));
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status);
}

static void given_a_kill_at_any_step_then_the_file_is_the_old_or_the_new_one(void **state)
{
	const struct blocking_scene *s = *state;
	int                          last = 0;

	do {
		last++;
		assert_in_range(last, 1, STEPS);
		blocking_make(s, "~/out/a", "old", 3);
		if (!is_killed(s, last))
			break;
		expect_file(s, "~/out/a", last < 5 ? "old" : "new");
		/* What a crash leaves behind is in nobody's way. */
		blocking_expect(s, "write_file", "{\"path\": \"~/out/a\", \"content\": \"again\"}",
		                "{\"bytes\":5}");
	} while (true);
	assert_int_equal(last, 6);
	expect_file(s, "~/out/a", "new");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, blocking_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_text_or_bytes_then_write_file_writes_them),
		TEST(given_a_mode_then_the_file_has_it_whatever_the_umask_is),
		TEST(given_arguments_that_are_wrong_then_nothing_is_written),
		TEST(given_what_is_no_file_at_that_name_then_it_stays),
		TEST(given_a_step_that_fails_then_the_old_file_stays_and_nothing_is_left_over),
		TEST(given_a_limit_of_the_size_of_files_then_no_half_file_is_left),
		TEST(given_a_kill_at_any_step_then_the_file_is_the_old_or_the_new_one),
	};

	return cmocka_run_group_tests_name("blocking_write", tests, NULL, NULL);
}
