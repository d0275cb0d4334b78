/* daemon/blocking: read_file, sha256, list_dir, stat, resolve. */
#include "tests/lib/blocking_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* A file of so many bytes, mostly a hole. */
static void make_large(const struct blocking_scene *s, const char *path, off_t bytes)
{
	char room[256];

	blocking_make(s, path, "x", 1);
	assert_int_equal(truncate(blocking_path(s, path, room), bytes), 0);
}

/* --- read_file --- */

static void given_a_file_of_text_then_read_file_gives_the_text(void **state)
{
	const struct blocking_scene *s = *state;

	blocking_make(s, "~/in/a", "h\xc3\xa9llo\n", 7);
	blocking_make(s, "~/in/empty", "", 0);
	blocking_expect(s, "read_file", "{\"path\": \"~/in/a\"}", "\"h\xc3\xa9llo\\n\"");
	blocking_expect(s, "read_file", "{\"path\": \"~/in//./a\", \"encoding\": \"text\"}",
	                "\"h\xc3\xa9llo\\n\"");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/a\", \"encoding\": \"base64\"}",
	                "{\"base64\":\"aMOpbGxvCg==\"}");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/empty\"}", "\"\"");
}

static void given_bytes_that_are_no_text_then_read_file_gives_base64(void **state)
{
	const struct blocking_scene *s = *state;

	blocking_make(s, "~/in/nul", "a\0b", 3);
	blocking_make(s, "~/in/latin", "\xe9", 1);
	blocking_expect(s, "read_file", "{\"path\": \"~/in/nul\"}", "{\"base64\":\"YQBi\"}");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/latin\"}", "{\"base64\":\"6Q==\"}");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/nul\", \"encoding\": \"text\"}",
	                "ValueError: ~/in/nul: not UTF-8 text without NUL");
}

static void given_offset_and_length_then_read_file_gives_that_part(void **state)
{
	const struct blocking_scene *s = *state;

	blocking_make(s, "~/in/a", "0123456789", 10);
	blocking_expect(s, "read_file", "{\"path\": \"~/in/a\", \"offset\": 3, \"length\": 4}",
	                "\"3456\"");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/a\", \"offset\": 8, \"length\": 9}",
	                "\"89\"");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/a\", \"offset\": 99}", "\"\"");
	blocking_expect(s, "read_file",
	                "{\"path\": \"~/in/a\", \"offset\": null, \"length\": null}",
	                "\"0123456789\"");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/a\", \"length\": 0}", "\"\"");
}

static void given_more_than_a_mebibyte_then_read_file_wants_parts(void **state)
{
	const struct blocking_scene *s = *state;
	char                        *said;

	make_large(s, "~/in/large", (off_t)1 << 40);
	blocking_expect(s, "read_file", "{\"path\": \"~/in/large\"}",
	                "LimitError: ~/in/large: more than 1048576 bytes; read it in parts, by "
	                "\"offset\" and \"length\"");
	blocking_expect(s, "read_file",
	                "{\"path\": \"~/in/large\", \"offset\": 1099511627774, \"length\": 5}",
	                "{\"base64\":\"AAA=\"}");
	make_large(s, "~/in/fits", 1 << 20);
	said = blocking_call(s, "read_file", "{\"path\": \"~/in/fits\"}");
	assert_int_equal(strlen(said), strlen("{\"base64\":\"\"}") + ((1 << 20) + 2) / 3 * 4);
	free(said);
}

static void given_arguments_of_wrong_types_then_they_are_refused(void **state)
{
	const struct blocking_scene *s = *state;

	blocking_make(s, "~/in/a", "x", 1);
	blocking_expect(s, "read_file", "{\"path\": 5}",
	                "TypeError: read_file: \"path\" wants str, not int");
	blocking_expect(s, "read_file", "{}", "TypeError: read_file: \"path\" wants str, not null");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/a\", \"offset\": 1.5}",
	                "TypeError: read_file: \"offset\" wants int, not float");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/a\", \"offset\": -1}",
	                "ValueError: read_file: \"offset\" is not between 0 and "
	                "4611686018427387903: -1");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/a\", \"length\": 1048577}",
	                "ValueError: read_file: \"length\" is not between 0 and 1048576: 1048577");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/a\", \"encoding\": \"latin1\"}",
	                "ValueError: read_file: \"encoding\" is \"text\" or \"base64\", not "
	                "\"latin1\"");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/a\", \"encoding\": [1]}",
	                "TypeError: read_file: \"encoding\" wants str, not list");
}

static void given_no_such_file_or_no_file_then_the_error_is_pythons(void **state)
{
	const struct blocking_scene *s = *state;

	blocking_make(s, "~/in/a", "x", 1);
	blocking_expect(s, "read_file", "{\"path\": \"~/in/none\"}",
	                "FileNotFoundError(ENOENT): ~/in/none: No such file or directory");
	blocking_expect(s, "read_file", "{\"path\": \"~/in\"}",
	                "IsADirectoryError(EISDIR): ~/in: Is a directory");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/a/b\"}",
	                "NotADirectoryError(ENOTDIR): ~/in/a/b: Not a directory");
	blocking_link(s, "~/in/round", "round");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/round\"}",
	                "OSError(ELOOP): ~/in/round: Too many levels of symbolic links");
}

static void given_a_fifo_or_a_socket_then_it_is_refused_and_nothing_blocks(void **state)
{
	const struct blocking_scene *s = *state;
	struct sockaddr_un           address = { .sun_family = AF_UNIX };
	char                         room[256];
	int                          fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(mkfifo(blocking_path(s, "~/in/fifo", room), 0644), 0);
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s",
	               blocking_path(s, "~/in/sock", room));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	blocking_expect(s, "read_file", "{\"path\": \"~/in/fifo\"}",
	                "PermissionError: ~/in/fifo: not a regular file");
	blocking_expect(s, "sha256", "{\"path\": \"~/in/fifo\"}",
	                "PermissionError: ~/in/fifo: not a regular file");
	blocking_expect(s, "read_file", "{\"path\": \"~/in/sock\"}",
	                "PermissionError: ~/in/sock: not a regular file");
	(void)close(fd);
}

/* --- sha256 --- */

/* FIPS 180-4, and the digest of a million times "a". */
static void given_a_file_then_sha256_gives_its_digest(void **state)
{
	const struct blocking_scene *s = *state;
	char                        *million = malloc(1000000);

	assert_non_null(million);
	memset(million, 'a', 1000000);
	blocking_make(s, "~/in/abc", "abc", 3);
	blocking_make(s, "~/in/empty", "", 0);
	blocking_make(s, "~/in/million", million, 1000000);
	free(million);
	blocking_expect(s, "sha256", "{\"path\": \"~/in/abc\"}",
	                "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"");
	blocking_expect(s, "sha256", "{\"path\": \"~/in/empty\"}",
	                "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"");
	blocking_expect(s, "sha256", "{\"path\": \"~/in/million\"}",
	                "\"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0\"");
}

struct digesting {
	const struct blocking_scene *scene;
	const char                  *path;
	atomic_bool                  is_unwanted;
	struct blocking_outcome      out;
};

static void *digest(void *ctx)
{
	struct digesting *d = ctx;
	struct value_heap h = { 0 };
	struct value      args = value_dict_new(&h, 1);

	args = value_dict_put(&h, args, value_text_new(&h, "path", 4),
	                      value_text_new(&h, d->path, strlen(d->path)));
	blocking_run(d->scene->config, "sha256", args, &h, &d->is_unwanted, &d->out);
	value_release(&h, args);
	return NULL;
}

/* What this process has read so far. */
static unsigned long long bytes_read(void)
{
	unsigned long long bytes = 0;
	FILE              *f = fopen("/proc/self/io", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "rchar: %llu", &bytes), 1);
	(void)fclose(f);
	return bytes;
}

static void given_a_long_call_that_nobody_wants_any_more_then_it_ends_soon(void **state)
{
	const struct blocking_scene *s = *state;
	const struct timespec        pause = { .tv_nsec = 1000000 };
	unsigned long long           before;
	struct digesting             d = { .scene = s };
	char                         room[256];
	pthread_t                    thread;

	make_large(s, "~/in/large", (off_t)1 << 43); /* at a gigabyte a second: hours */
	d.path = blocking_path(s, "~/in/large", room);
	before = bytes_read();
	assert_int_equal(pthread_create(&thread, NULL, digest, &d), 0);
	while (bytes_read() < before + (1 << 20))
		(void)nanosleep(&pause, NULL);

	atomic_store(&d.is_unwanted, true);

	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_string_equal(d.out.type, "CancelledError");
}

/* --- list_dir --- */

static void given_a_directory_then_list_dir_gives_its_names_in_order(void **state)
{
	const struct blocking_scene *s = *state;
	char                         room[256];

	blocking_expect(s, "list_dir", "{\"path\": \"~/in\"}", "[]");
	blocking_make(s, "~/in/b", "", 0);
	blocking_make(s, "~/in/B", "", 0);
	blocking_make(s, "~/in/.a", "", 0);
	blocking_make(s, "~/in/\xc3\xa9", "", 0);
	blocking_make(s, "~/in/\xe9", "", 0);
	assert_int_equal(mkdir(blocking_path(s, "~/in/dir", room), 0755), 0);
	blocking_expect(s, "list_dir", "{\"path\": \"~/in/\"}",
	                "[\".a\",\"B\",\"b\",\"dir\",\"\xc3\xa9\",{\"base64\":\"6Q==\"}]");
	blocking_expect(s, "list_dir", "{\"path\": \"~/in/b\"}",
	                "NotADirectoryError(ENOTDIR): ~/in/b: Not a directory");
}

static void given_more_names_than_a_list_may_have_then_it_is_refused(void **state)
{
	const struct blocking_scene *s = *state;
	char                         path[256], name[180];

	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	for (int i = 0; i < 6000; i++) {
		(void)snprintf(path, sizeof path, "~/in/%s%d", name, i);
		blocking_make(s, path, "", 0);
	}
	blocking_expect(s, "list_dir", "{\"path\": \"~/in\"}",
	                "LimitError: ~/in: more than 10000 names, or 1048576 bytes of them");
}

/* --- stat --- */

static void given_what_is_there_then_stat_says_what_it_is(void **state)
{
	const struct blocking_scene *s = *state;
	const struct timespec        times[] = { { .tv_sec = 1 },
		                                 { .tv_sec = 1700000000, .tv_nsec = 500000000 } };
	char                         room[256], expected[256];

	blocking_make(s, "~/in/a", "12345", 5);
	blocking_link(s, "~/in/link", "a");
	assert_int_equal(chmod(blocking_path(s, "~/in/a", room), 0640), 0);
	assert_int_equal(utimensat(-1, room, times, 0), 0);
	(void)snprintf(expected, sizeof expected,
	               "{\"type\":\"file\",\"size\":5,\"mode\":\"0640\",\"uid\":%u,\"gid\":%u,"
	               "\"mtime\":1700000000.5}",
	               (unsigned)geteuid(), (unsigned)getegid());
	blocking_expect(s, "stat", "{\"path\": \"~/in/a\"}", expected);
	blocking_expect(s, "stat", "{\"path\": \"~/in/link\"}", expected);
	blocking_expect(s, "stat", "{\"path\": \"~/in/none\"}",
	                "FileNotFoundError(ENOENT): ~/in/none: No such file or directory");
}

static void given_a_directory_and_a_fifo_then_stat_tells_them_apart(void **state)
{
	const struct blocking_scene *s = *state;
	char                         room[256];
	char                        *said = blocking_call(s, "stat", "{\"path\": \"~/in\"}");

	assert_non_null(strstr(said, "\"type\":\"directory\""));
	free(said);
	assert_int_equal(mkfifo(blocking_path(s, "~/in/fifo", room), 0600), 0);
	said = blocking_call(s, "stat", "{\"path\": \"~/in/fifo\"}");
	assert_non_null(strstr(said, "\"type\":\"fifo\",\"size\":0,\"mode\":\"0600\""));
	free(said);
}

/* --- resolve --- */

static void given_a_host_then_resolve_gives_its_addresses(void **state)
{
	const struct blocking_scene *s = *state;

	blocking_expect(s, "resolve", "{\"host\": \"127.0.0.1\"}", "[\"127.0.0.1\"]");
	blocking_expect(s, "resolve", "{\"host\": \"127.0.0.1\", \"port\": 80}",
	                "[\"127.0.0.1:80\"]");
	blocking_expect(s, "resolve", "{\"host\": \"::1\", \"port\": 443}", "[\"[::1]:443\"]");
}

static void given_a_host_that_is_none_then_resolve_says_so(void **state)
{
	const struct blocking_scene *s = *state;

	blocking_expect(s, "resolve", "{\"host\": \"a b\"}",
	                "OSError(EAI_NONAME): a b: Name or service not known");
	blocking_expect(s, "resolve", "{\"host\": \"\"}",
	                "ValueError: resolve: \"host\" has 1 to 253 bytes, not 0");
	blocking_expect(s, "resolve", "{\"host\": \"x\", \"port\": 65536}",
	                "ValueError: resolve: \"port\" is not between 0 and 65535: 65536");
	blocking_expect(s, "resolve", "{\"host\": \"x\", \"port\": \"http\"}",
	                "TypeError: resolve: \"port\" wants int, not str");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, blocking_setup, blocking_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_a_file_of_text_then_read_file_gives_the_text),
		TEST(given_bytes_that_are_no_text_then_read_file_gives_base64),
		TEST(given_offset_and_length_then_read_file_gives_that_part),
		TEST(given_more_than_a_mebibyte_then_read_file_wants_parts),
		TEST(given_arguments_of_wrong_types_then_they_are_refused),
		TEST(given_no_such_file_or_no_file_then_the_error_is_pythons),
		TEST(given_a_fifo_or_a_socket_then_it_is_refused_and_nothing_blocks),
		TEST(given_a_file_then_sha256_gives_its_digest),
		TEST(given_a_long_call_that_nobody_wants_any_more_then_it_ends_soon),
		TEST(given_a_directory_then_list_dir_gives_its_names_in_order),
		TEST(given_more_names_than_a_list_may_have_then_it_is_refused),
		TEST(given_what_is_there_then_stat_says_what_it_is),
		TEST(given_a_directory_and_a_fifo_then_stat_tells_them_apart),
		TEST(given_a_host_then_resolve_gives_its_addresses),
		TEST(given_a_host_that_is_none_then_resolve_says_so),
	};

	return cmocka_run_group_tests_name("blocking_files", tests, NULL, NULL);
}
