/* daemon/log and daemon/notify: one line each, to people, the journal and the manager. */
#include "daemon/log.h"
#include "daemon/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_BYTES 8192

struct fixture {
	int pipe[2];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	if (f == NULL || pipe2(f->pipe, O_CLOEXEC) != 0 ||
	    fcntl(f->pipe[0], F_SETFL, O_NONBLOCK) != 0)
		return -1;
	log_open_fd(f->pipe[1], LOG_STYLE_JOURNAL);
	log_set_level(LOG_LEVEL_INFO);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	log_open_fd(STDERR_FILENO, LOG_STYLE_PLAIN);
	close(f->pipe[0]);
	close(f->pipe[1]);
	free(f);
	return 0;
}

/* What came through the pipe since the last look. */
static size_t take(struct fixture *f, char out[TEXT_BYTES])
{
	ssize_t bytes = read(f->pipe[0], out, TEXT_BYTES - 1);

	out[bytes < 0 ? 0 : bytes] = '\0';
	return bytes < 0 ? 0 : (size_t)bytes;
}

static void expect(struct fixture *f, const char *text)
{
	char got[TEXT_BYTES];

	(void)take(f, got);
	assert_string_equal(got, text);
}

static void given_the_journal_when_logging_then_the_level_is_a_prefix(void **state)
{
	log_error("a", "n=%d", 1);
	log_warn("b", "n=%d", 2);
	log_info("c.d", "job=%u owner=%s", 17u, "uid:0");
	expect(*state, "<3>a n=1\n<4>b n=2\n<6>c.d job=17 owner=uid:0\n");
}

static void given_people_when_logging_then_time_and_level_are_there(void **state)
{
	struct fixture *f = *state;
	char            got[TEXT_BYTES];
	int             end = 0;

	log_open_fd(f->pipe[1], LOG_STYLE_PLAIN);
	log_warn("event", "key=%s", "value");
	(void)take(f, got);

	assert_int_equal(strlen(got), strlen("2030-01-31T09:00:00.250Z warn  event key=value\n"));
	assert_int_equal(sscanf(got, "%*4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ%n", &end), 0);
	assert_int_equal(end, 24);
	assert_string_equal(got + end, " warn  event key=value\n");
}

static void given_a_level_when_logging_then_lesser_lines_are_off(void **state)
{
	log_debug("a", "n=%d", 1);
	log_set_level(LOG_LEVEL_ERROR);
	log_warn("b", "n=%d", 2);
	expect(*state, "");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("c", "n=%d", 3);
	expect(*state, "<7>c n=3\n");
}

static void given_control_characters_when_logging_then_nobody_writes_a_line_of_their_own(
	void **state)
{
	log_info("x", "text=%s", "a\n<3>b\r\x1b[31m\x7f\xc2\x9b\xc3\xa9");
	expect(*state, "<6>x text=a\\x0a<3>b\\x0d\\x1b[31m\\x7f\\xc2\\x9b\xc3\xa9\n");
}

static void given_a_line_that_is_too_long_when_logging_then_it_is_cut_visibly(void **state)
{
	struct fixture *f = *state;
	char            text[3 * LOG_LINE_BYTES_MAX];
	char            got[TEXT_BYTES];
	size_t          bytes;

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	log_info("x", "%s", text);
	bytes = take(f, got);
	assert_true(bytes <= LOG_LINE_BYTES_MAX);
	assert_string_equal(got + bytes - 5, "x...\n");

	memset(text, '\n', sizeof text - 1);
	log_info("x", "%s", text);
	bytes = take(f, got);
	assert_true(bytes <= LOG_LINE_BYTES_MAX);
	assert_string_equal(got + bytes - 8, "\\x0a...\n");
}

static void given_a_full_pipe_when_logging_then_lines_are_counted_and_told_later(void **state)
{
	struct fixture *f = *state;
	char            got[TEXT_BYTES];
	char            said[64];
	char            last[TEXT_BYTES] = "";
	uint64_t        lost;

	while (log_lost() < 3)
		log_info("fill", "%0500d", 1);
	lost = log_lost();
	while (take(f, got) > 0)
		continue;

	log_info("after", "n=%d", 1);
	while (take(f, got) > 0)
		memcpy(last, got, sizeof last);
	(void)snprintf(said, sizeof said, "<4>log.lost lines=%u\n<6>after n=1\n", (unsigned)lost);
	assert_non_null(strstr(last, said));
	log_info("again", "n=%d", 2);
	expect(f, "<6>again n=2\n");
}

static void given_texts_from_outside_when_quoted_then_they_stay_one_value(void **state)
{
	struct log_quoted room;
	char              text[400];

	(void)state;
	assert_string_equal(log_quote(&room, "plain-1.0"), "plain-1.0");
	assert_string_equal(log_quote(&room, ""), "\"\"");
	assert_string_equal(log_quote(&room, "two words"), "\"two words\"");
	assert_string_equal(log_quote(&room, "a=b"), "\"a=b\"");
	assert_string_equal(log_quote(&room, "q\" b\\ n\n"), "\"q\\\" b\\\\ n\\x0a\"");

	text[0] = '\0';
	for (int i = 0; i < 130; i++)
		strcat(text, "\xc3\xa9");
	(void)log_quote(&room, text);
	assert_true(strlen(room.at) < sizeof room.at);
	assert_string_equal(room.at + strlen(room.at) - 6, "\xc3\xa9...\"");
}

static void given_names_of_levels_when_parsed_then_only_those(void **state)
{
	enum log_level level = LOG_LEVEL_INFO;

	(void)state;
	assert_true(log_level_parse("debug", &level));
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_string_equal(log_level_name(LOG_LEVEL_WARN), "warn");
	assert_false(log_level_parse("Debug", &level));
	assert_false(log_level_parse("", &level));
}

/* --- the manager --- */

/* Listens on a name without a path, which is what `@` in the variable means. */
static int manager_open(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char               name[64];
	int                fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int                chars;

	assert_true(fd >= 0);
	chars = snprintf(name, sizeof name, "@test_log.%d", (int)getpid());
	memcpy(at.sun_path + 1, name + 1, (size_t)chars - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&at,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)chars)),
	                 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void expect_told(int fd, const char *words)
{
	char    got[1024];
	ssize_t bytes = recv(fd, got, sizeof got - 1, 0);

	assert_true(bytes >= 0);
	got[bytes] = '\0';
	assert_string_equal(got, words);
}

static void given_a_manager_when_notified_then_it_hears_each_word(void **state)
{
	int  fd = manager_open();
	char got[128];

	(void)state;
	setenv("WATCHDOG_USEC", "30000000", 1);
	unsetenv("WATCHDOG_PID");
	notify_open();
	assert_true(notify_is_on());
	assert_true(notify_watchdog_interval() == INT64_C(30) * GD_NSEC_PER_SEC);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));

	notify_ready();
	expect_told(fd, "READY=1");
	notify_status("%d jobs\nREADY=0", 5);
	expect_told(fd, "STATUS=5 jobs READY=0");
	notify_watchdog();
	expect_told(fd, "WATCHDOG=1");
	notify_watchdog_allow(600 * GD_NSEC_PER_SEC);
	expect_told(fd, "WATCHDOG_USEC=600000000");
	notify_watchdog_allow(0);
	expect_told(fd, "WATCHDOG_USEC=30000000");
	notify_stopping();
	expect_told(fd, "STOPPING=1");
	notify_reloading();
	assert_true(recv(fd, got, sizeof got, 0) > 0);
	assert_int_equal(strncmp(got, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	notify_close();
	close(fd);
}

static void given_no_manager_when_notified_then_nothing_happens(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	setenv("WATCHDOG_USEC", "30000000", 1);
	notify_open();
	assert_false(notify_is_on());
	assert_int_equal(notify_watchdog_interval(), 0);
	notify_ready();
	notify_status("%s", "unheard");
	notify_close();
}

static void given_a_watchdog_for_somebody_else_when_opened_then_it_is_off(void **state)
{
	int fd = manager_open();

	(void)state;
	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	notify_open();
	assert_true(notify_is_on());
	assert_int_equal(notify_watchdog_interval(), 0);
	assert_null(getenv("WATCHDOG_PID"));
	notify_close();
	close(fd);
}

static void given_a_full_manager_when_notified_then_nobody_waits(void **state)
{
	int fd = manager_open();

	(void)state;
	notify_open();
	for (int i = 0; i < 10000; i++)
		notify_watchdog();
	expect_told(fd, "WATCHDOG=1");
	notify_close();
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_the_journal_when_logging_then_the_level_is_a_prefix),
		TEST(given_people_when_logging_then_time_and_level_are_there),
		TEST(given_a_level_when_logging_then_lesser_lines_are_off),
		TEST(given_control_characters_when_logging_then_nobody_writes_a_line_of_their_own),
		TEST(given_a_line_that_is_too_long_when_logging_then_it_is_cut_visibly),
		TEST(given_a_full_pipe_when_logging_then_lines_are_counted_and_told_later),
		TEST(given_texts_from_outside_when_quoted_then_they_stay_one_value),
		TEST(given_names_of_levels_when_parsed_then_only_those),
		cmocka_unit_test(given_a_manager_when_notified_then_it_hears_each_word),
		cmocka_unit_test(given_no_manager_when_notified_then_nothing_happens),
		cmocka_unit_test(given_a_watchdog_for_somebody_else_when_opened_then_it_is_off),
		cmocka_unit_test(given_a_full_manager_when_notified_then_nobody_waits),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
