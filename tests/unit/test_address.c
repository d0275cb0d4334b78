#include "client/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct address  address;
static struct gd_error why;

static int forget_environment(void **state)
{
	(void)state;
	unsetenv("GATHERD_SOCKET");
	unsetenv("GATHERD_TOKEN_FILE");
	return 0;
}

static enum gd_err find(const char *socket, const char *connect, const char *token_file)
{
	struct options o = { .socket = socket, .connect = connect, .token_file = token_file };

	return address_find(&address, &o, &why);
}

/* A file that holds `text`; its name lives until the next call. */
static const char *make_file(const char *text)
{
	static char name[] = "address-XXXXXX";
	int         fd;

	memcpy(name, "address-XXXXXX", sizeof name);
	fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return name;
}

static void given_a_socket_and_the_environment_then_the_option_wins(void **state)
{
	(void)state;
	(void)setenv("GATHERD_SOCKET", "/e", 1);

	assert_int_equal(find("/o", NULL, NULL), GD_OK);
	assert_string_equal(address.socket, "/o");
	assert_int_equal(find(NULL, NULL, NULL), GD_OK);
	assert_string_equal(address.socket, "/e");
	assert_false(address.is_tcp);
}

static void given_host_and_port_then_they_are_taken_apart(void **state)
{
	(void)state;
	assert_int_equal(find(NULL, "localhost:4710", NULL), GD_OK);
	assert_true(address.is_tcp);
	assert_string_equal(address.host, "localhost");
	assert_string_equal(address.port, "4710");
	assert_int_equal(find(NULL, "[::1]:4710", NULL), GD_OK);
	assert_string_equal(address.host, "::1");
}

static void given_a_malformed_address_then_it_is_refused(void **state)
{
	static const char *const bad[] = { "", ":", "host", "host:", ":4710", "[]:4710" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(find(NULL, bad[i], NULL), GD_INVALID_PARAMS);
}

static void given_a_path_with_no_room_then_it_is_refused(void **state)
{
	char path[200];

	(void)state;
	memset(path, 'a', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_int_equal(find(path, NULL, NULL), GD_INVALID_PARAMS);
}

static void given_a_token_file_then_its_first_word_is_the_token(void **state)
{
	const char *file = make_file("  gat_a_b\n");

	(void)state;
	assert_int_equal(find(NULL, "h:1", file), GD_OK);
	assert_string_equal(address.token, "gat_a_b");
	(void)setenv("GATHERD_TOKEN_FILE", file, 1);
	assert_int_equal(find(NULL, "h:1", NULL), GD_OK);
	assert_string_equal(address.token, "gat_a_b");
	unlink(file);
}

static void given_a_token_file_without_a_token_then_it_is_refused(void **state)
{
	const char *file = make_file("\n \n");

	(void)state;
	assert_int_equal(find(NULL, "h:1", file), GD_UNAUTHORIZED);
	unlink(file);
	assert_int_equal(find(NULL, "h:1", file), GD_INVALID_PARAMS);
}

static void given_options_that_exclude_each_other_then_they_are_refused(void **state)
{
	(void)state;
	assert_int_equal(find("/s", "h:1", NULL), GD_INVALID_PARAMS);
	assert_int_equal(find("/s", NULL, "t"), GD_INVALID_PARAMS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, forget_environment)
	const struct CMUnitTest tests[] = {
		TEST(given_a_socket_and_the_environment_then_the_option_wins),
		TEST(given_host_and_port_then_they_are_taken_apart),
		TEST(given_a_malformed_address_then_it_is_refused),
		TEST(given_a_path_with_no_room_then_it_is_refused),
		TEST(given_a_token_file_then_its_first_word_is_the_token),
		TEST(given_a_token_file_without_a_token_then_it_is_refused),
		TEST(given_options_that_exclude_each_other_then_they_are_refused),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
