/* daemon/config: flags and file into one struct, and words about mistakes. */
#include "daemon/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS_MAX 16

struct fixture {
	struct config      config;
	char               file[64];
	char              *out; /* what was printed; owned */
	char              *err;
	int                exit_code;
	enum config_action action;
};

static void write_file(struct fixture *f, const char *text)
{
	FILE *file = fopen(f->file, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Loads with these words, separated by blanks; %s in them is the file. */
static void load(struct fixture *f, const char *words)
{
	char   line[512];
	char  *argv[WORDS_MAX] = { "gatherd" };
	char  *rest = line;
	int    argc = 1;
	size_t out_bytes, err_bytes;
	FILE  *out, *err;

	free(f->out);
	free(f->err);
	config_close(&f->config);
	out = open_memstream(&f->out, &out_bytes);
	err = open_memstream(&f->err, &err_bytes);
	assert_true(out != NULL && err != NULL);
	assert_true(strlen(words) < sizeof line);
	strcpy(line, words);
	while (argc < WORDS_MAX && (argv[argc] = strtok_r(rest, " ", &rest)) != NULL) {
		if (strcmp(argv[argc], "FILE") == 0)
			argv[argc] = f->file;
		argc++;
	}
	f->action = config_load(&f->config, argc, argv, out, err, &f->exit_code);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(fclose(err), 0);
}

static void expect_refusal(struct fixture *f, const char *words, int exit_code, const char *said)
{
	load(f, words);
	assert_int_equal(f->action, CONFIG_END);
	assert_int_equal(f->exit_code, exit_code);
	if (strstr(f->err, said) == NULL)
		assert_string_equal(f->err, said);
}

/* As a user would have it, with folders of its own. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	int             fd;

	if (f == NULL)
		return -1;
	strcpy(f->file, "/tmp/test_config.XXXXXX");
	fd = mkstemp(f->file);
	if (fd < 0)
		return -1;
	close(fd);
	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("XDG_STATE_HOME");
	setenv("STATE_DIRECTORY", "/state/gatherd:/state/more", 1);
	setenv("RUNTIME_DIRECTORY", "/run/folder", 1);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->file);
	config_close(&f->config);
	free(f->out);
	free(f->err);
	free(f);
	return 0;
}

static void given_nothing_when_loaded_then_the_defaults_are_there(void **state)
{
	struct fixture *f = *state;

	load(f, "");

	assert_int_equal(f->action, CONFIG_RUN);
	assert_string_equal(f->config.state_dir, "/state/gatherd");
	assert_string_equal(f->config.socket, "/run/folder/gatherd.sock");
	assert_int_equal(f->config.socket_mode, 0660);
	assert_int_equal(f->config.listen_count, 0);
	assert_string_equal(f->config.token_file, "");
	assert_true(f->config.loops >= 1 && f->config.loops <= CONFIG_LOOPS_MAX);
	assert_true(f->config.threads >= 5 && f->config.threads <= 32);
	assert_int_equal(f->config.read_roots.count, 0);
	assert_int_equal(f->config.write_roots.count, 0);
	assert_int_equal(f->config.http_hosts.count, 0);
	assert_int_equal(f->config.http_networks.count, 0);
	assert_int_equal(f->config.http_redirects, 5);
	assert_false(f->config.http_downgrades);
	assert_int_equal(atomic_load(&f->config.log_level), LOG_LEVEL_INFO);
	assert_int_equal(atomic_load(&f->config.auth_timeout), 5);
	assert_int_equal(atomic_load(&f->config.retain), 7 * 24 * 3600);
	assert_int_equal(atomic_load(&f->config.retain_events), 7 * 24 * 3600);
	assert_int_equal(atomic_load(&f->config.retain_max), 365 * 24 * 3600);
	assert_false(f->config.is_foreground);
	assert_string_equal(f->err, "");
}

static void given_a_user_when_loaded_then_folders_are_those_of_the_user(void **state)
{
	struct fixture *f = *state;

	if (geteuid() == 0)
		skip(); /* root is the system, whatever the environment says */
	unsetenv("STATE_DIRECTORY");
	unsetenv("RUNTIME_DIRECTORY");
	setenv("HOME", "/home/somebody", 1);
	load(f, "");
	assert_string_equal(f->config.state_dir, "/home/somebody/.local/state/gatherd");
	assert_string_equal(f->config.socket, "/home/somebody/.local/state/gatherd/gatherd.sock");
	assert_int_equal(f->config.socket_mode, 0600);

	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	setenv("XDG_STATE_HOME", "/xdg", 1);
	load(f, "");
	assert_string_equal(f->config.state_dir, "/xdg/gatherd");
	assert_string_equal(f->config.socket, "/run/user/7/gatherd.sock");
}

static void given_root_without_systemd_when_loaded_then_the_folders_of_the_system(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	unsetenv("STATE_DIRECTORY");
	unsetenv("RUNTIME_DIRECTORY");
	load(f, "");
	assert_string_equal(f->config.state_dir, "/var/lib/gatherd");
	assert_string_equal(f->config.socket, "/run/gatherd/gatherd.sock");
}

static void given_flags_when_loaded_then_they_count(void **state)
{
	struct fixture *f = *state;

	load(f, "--state-dir /s --socket=/x.sock --loops 3 --log-level=debug --foreground "
	        "--max-jobs 10 --listen 127.0.0.1:7420 --listen [::1]:7421 --token-file /t");

	assert_int_equal(f->action, CONFIG_RUN);
	assert_string_equal(f->config.state_dir, "/s");
	assert_string_equal(f->config.socket, "/x.sock");
	assert_int_equal(f->config.loops, 3);
	assert_int_equal(atomic_load(&f->config.log_level), LOG_LEVEL_DEBUG);
	assert_true(f->config.is_foreground);
	assert_int_equal(atomic_load(&f->config.max_jobs), 10);
	assert_int_equal(f->config.listen_count, 2);
	assert_int_equal(f->config.listen[0].address.any.sa_family, AF_INET);
	assert_int_equal(ntohs(f->config.listen[0].address.in.sin_port), 7420);
	assert_int_equal(f->config.listen[1].address.any.sa_family, AF_INET6);
	assert_string_equal(f->config.listen[1].text, "[::1]:7421");
}

static void given_a_file_when_loaded_then_its_keys_count_and_flags_win(void **state)
{
	struct fixture *f = *state;

	write_file(
		f,
		"# a comment\n[gatherd]\nloops = 5\nstate-dir = /from/file ; remark\n"
		"listen = 127.0.0.1:1\nlisten = localhost:2\ntoken-file = /t\nforeground = yes\n");
	load(f, "--config FILE --loops 2");

	assert_int_equal(f->action, CONFIG_RUN);
	assert_int_equal(f->config.loops, 2);
	assert_string_equal(f->config.state_dir, "/from/file");
	assert_int_equal(f->config.listen_count, 2);
	assert_true(f->config.is_foreground);

	load(f, "--config FILE --listen 127.0.0.1:9");
	assert_int_equal(f->config.listen_count, 1);
	assert_string_equal(f->config.listen[0].text, "127.0.0.1:9");
}

static void given_roots_when_loaded_then_all_of_them_count(void **state)
{
	struct fixture *f = *state;

	write_file(f, "[gatherd]\nread-root = /srv/a\nread-root = /srv/b\nwrite-root = /srv/c\n"
	              "threads = 7\n");
	load(f, "--config FILE");
	assert_int_equal(f->action, CONFIG_RUN);
	assert_int_equal(f->config.threads, 7);
	assert_int_equal(f->config.read_roots.count, 2);
	assert_string_equal(config_texts_at(&f->config.read_roots, 0), "/srv/a");
	assert_string_equal(config_texts_at(&f->config.read_roots, 1), "/srv/b");
	assert_string_equal(config_texts_at(&f->config.write_roots, 0), "/srv/c");

	load(f, "--config FILE --read-root /only");
	assert_int_equal(f->config.read_roots.count, 1);
	assert_string_equal(config_texts_at(&f->config.read_roots, 0), "/only");
	assert_int_equal(f->config.write_roots.count, 1);
}

static void given_where_http_may_go_when_loaded_then_all_of_it_counts(void **state)
{
	struct fixture *f = *state;

	write_file(f, "[gatherd]\nhttp-allow = a.org, b.org\nhttp-allow = *.c.org:443\n"
	              "http-allow-address = 10.0.0.0/8\nhttp-redirects = 0\nhttp-downgrade = yes\n"
	              "http-timeout = 20\nhttp-response-kib = 8192\n");
	load(f, "--config FILE");
	assert_int_equal(f->action, CONFIG_RUN);
	assert_int_equal(f->config.http_hosts.count, 2);
	assert_string_equal(config_texts_at(&f->config.http_hosts, 0), "a.org, b.org");
	assert_string_equal(config_texts_at(&f->config.http_networks, 0), "10.0.0.0/8");
	assert_int_equal(f->config.http_redirects, 0);
	assert_true(f->config.http_downgrades);
	assert_int_equal(f->config.http_timeout, 20);
	assert_int_equal(f->config.http_response_kib, 8192);
	assert_int_equal(f->config.http_transfers, 5000);
}

static void given_too_many_roots_when_loaded_then_refused(void **state)
{
	struct fixture *f = *state;
	char            text[700] = "[gatherd]\n";

	for (int i = 0; i < 17; i++)
		strcat(text, "read-root = /srv\n");
	write_file(f, text);
	expect_refusal(f, "--config FILE", CONFIG_EXIT_CONFIG,
	               ":18: read-root: more than 16 of them, or 4096 bytes\n");
}

static void given_mistakes_in_the_file_when_loaded_then_file_and_line_are_told(void **state)
{
	static const struct {
		const char *text;
		const char *said;
	} rows[] = {
		{ "[gatherd]\n\nloops = 0\n", ":3: loops: 0 is not between 1 and 64\n" },
		{ "[gatherd]\nloops = 65\n", ":2: loops: 65 is not between 1 and 64\n" },
		{ "[gatherd]\nloops = 1x\n", ":2: loops: 1x is not between 1 and 64\n" },
		{ "[gatherd]\nloops = -1\n", ":2: loops: -1 is not between 1 and 64\n" },
		{ "[gatherd]\nloop = 1\n", ":2: loop: there is no such key\n" },
		{ "[gatherd]\nloops = 1\nloops = 2\n", ":3: loops: said twice\n" },
		{ "loops = 1\n", ":1: keys belong below [gatherd] or [exec NAME]\n" },
		{ "[gather]\nloops = 1\n", ":2: keys belong below [gatherd] or [exec NAME]\n" },
		{ "[gatherd]\nnonsense\nloops = 0\n", ":2: neither [section] nor key = value\n" },
		{ "[gatherd]\nthreads = 1025\n", ":2: threads: 1025 is not between 1 and 1024\n" },
		{ "[gatherd]\nhttp-response-kib = 8193\n",
		  ":2: http-response-kib: 8193 is not between 1 and 8192\n" },
		{ "[gatherd]\nread-root =\n", ":2: read-root: an empty text\n" },
		{ "[gatherd]\nlog-level = loud\n",
		  ":2: log-level: loud is not error, warn, info or debug\n" },
		{ "[gatherd]\nforeground = 1\n", ":2: foreground: 1 is not yes or no\n" },
		{ "[gatherd]\nsocket =\n", ":2: socket: an empty path\n" },
		{ "[gatherd]\nlisten = example.org:80\n",
		  ":2: listen: example.org:80 is not ADDRESS:PORT" },
		{ "[gatherd]\nlisten = ::1:80\n", ":2: listen: ::1:80 is not ADDRESS:PORT" },
		{ "[gatherd]\nlisten = 127.0.0.1:0\n",
		  ":2: listen: 127.0.0.1:0 is not ADDRESS:PORT" },
	};
	struct fixture *f = *state;
	char            said[256];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		write_file(f, rows[i].text);
		(void)snprintf(said, sizeof said, "gatherd: %s%s", f->file, rows[i].said);
		expect_refusal(f, "--config FILE", CONFIG_EXIT_CONFIG, said);
	}
}

/* --- profiles --- */

static void given_sections_of_profiles_when_loaded_then_they_are_in_force(void **state)
{
	struct fixture       *f = *state;
	struct profile_table *t;

	write_file(f, "[exec one]\nprogram = /bin/true\n[gatherd]\nloops = 2\n"
	              "[exec two]\nprogram = /bin/sh\narg = any\n");
	load(f, "--config FILE");
	assert_int_equal(f->action, CONFIG_RUN);
	assert_int_equal(f->config.loops, 2);
	t = profile_book_take(f->config.profiles);
	assert_int_equal(profile_table_count(t), 2);
	assert_string_equal(profile_table_find(t, "two")->program, "/bin/sh");
	profile_table_release(t);
}

static void given_mistakes_in_profiles_when_loaded_then_file_and_line_are_told(void **state)
{
	static const struct {
		const char *text;
		const char *said;
	} rows[] = {
		{ "[gatherd]\n[exec a]\nprogram = /bin/sh\n\nargs = any\n",
		  ":5: [exec a]: args: there is no such key of a profile\n" },
		{ "[exec a]\nnice = 1\n[exec b]\nprogram = /bin/sh\n",
		  ":2: [exec a]: program: it is not said which\n" },
		{ "[exec a]\nprogram = /bin/sh\n[exec b]\nnice=1\n[exec a]\nnice = 1\n",
		  ":6: [exec a]: there are two sections [exec a]\n" },
		{ "[exec]\nnice = 1\n", ":2: [exec ]: the name of a profile is 1 to 32" },
		{ "[executor]\nnice = 1\n", ":2: keys belong below [gatherd]" },
		{ "[exec a]\nnice = 1\nprogram = /nowhere/at/all\n",
		  ":3: [exec a]: /nowhere: No such file or directory" },
		{ "[exec a]\nprogram = /tmp\n", ":2: [exec a]: /tmp is no program\n" },
	};
	struct fixture *f = *state;
	char            said[256];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		write_file(f, rows[i].text);
		(void)snprintf(said, sizeof said, "gatherd: %s%s", f->file, rows[i].said);
		expect_refusal(f, "--config FILE", CONFIG_EXIT_CONFIG, said);
		expect_refusal(f, "--config FILE --check-config", CONFIG_EXIT_CONFIG, said);
	}
	/* Who only looks at the state directory needs no program. */
	load(f, "--config FILE --fsck");
	assert_int_equal(f->action, CONFIG_FSCK);
}

static void given_a_user_to_become_when_loaded_then_only_root_may_say_so(void **state)
{
	struct fixture *f = *state;

	if (geteuid() == 0)
		skip();
	write_file(f, "[exec a]\nprogram = /bin/sh\nuser = root\n");
	expect_refusal(f, "--config FILE", CONFIG_EXIT_CONFIG,
	               ":3: [exec a]: user: only a gatherd and a gatherd-runner that run as root "
	               "can become root\n");
}

static void given_profiles_when_reloaded_then_all_of_them_change_or_none(void **state)
{
	struct fixture       *f = *state;
	struct profile_table *t;
	struct gd_error       why = { 0 };

	write_file(f, "[exec one]\nprogram = /bin/true\n");
	load(f, "--config FILE");
	write_file(f, "[exec two]\nprogram = /bin/true\n[exec bad]\nprogram = /tmp\n");
	assert_int_equal(config_reload(&f->config, &why), GD_FORBIDDEN);
	assert_non_null(strstr(why.text, ":4: [exec bad]: /tmp is no program"));
	t = profile_book_take(f->config.profiles);
	assert_non_null(profile_table_find(t, "one"));
	profile_table_release(t);

	write_file(f, "[exec two]\nprogram = /bin/true\n");
	assert_int_equal(config_reload(&f->config, &why), GD_OK);
	t = profile_book_take(f->config.profiles);
	assert_null(profile_table_find(t, "one"));
	assert_non_null(profile_table_find(t, "two"));
	profile_table_release(t);
}

/* --- lines and flags --- */

static void given_a_line_that_is_too_long_when_loaded_then_it_is_not_cut(void **state)
{
	struct fixture *f = *state;
	char            text[600] = "[gatherd]\nstate-dir = /";

	memset(text + strlen(text), 'x', 300);
	strcat(text, "\n");
	write_file(f, text);
	expect_refusal(f, "--config FILE", CONFIG_EXIT_CONFIG, ":2: a line that is too long\n");
}

static void given_mistakes_in_flags_when_loaded_then_usage_is_told(void **state)
{
	struct fixture *f = *state;

	expect_refusal(f, "--loops 0", CONFIG_EXIT_USAGE,
	               "gatherd: --loops: 0 is not between 1 and 64\n");
	expect_refusal(f, "--loops", CONFIG_EXIT_USAGE, "gatherd: --loops needs a value\n");
	expect_refusal(f, "--nope 1", CONFIG_EXIT_USAGE,
	               "gatherd: --nope: there is no such option\n");
	expect_refusal(f, "start", CONFIG_EXIT_USAGE,
	               "gatherd: start: only options are known here\n");
	expect_refusal(f, "--config", CONFIG_EXIT_USAGE, "gatherd: --config needs a file\n");
	expect_refusal(f, "--config /nowhere/at/all", CONFIG_EXIT_CONFIG,
	               "gatherd: /nowhere/at/all: ");
}

static void given_an_open_address_when_loaded_then_it_does_not_start(void **state)
{
	struct fixture *f = *state;

	expect_refusal(f, "--listen 0.0.0.0:7420 --token-file /t", CONFIG_EXIT_CONFIG,
	               "0.0.0.0:7420 is not a loopback address");
	expect_refusal(f, "--listen [::]:7420 --token-file /t", CONFIG_EXIT_CONFIG,
	               "[::]:7420 is not a loopback address");
	expect_refusal(f, "--listen 192.0.2.7:7420 --token-file /t", CONFIG_EXIT_CONFIG,
	               "192.0.2.7:7420 is not a loopback address");
	expect_refusal(f, "--listen 127.0.0.1:7420", CONFIG_EXIT_CONFIG,
	               "127.0.0.1:7420 needs a token-file");
}

static void given_too_long_a_socket_when_loaded_then_refused(void **state)
{
	struct fixture *f = *state;
	char            words[300] = "--socket /";

	memset(words + strlen(words), 's', 150);
	expect_refusal(f, words, CONFIG_EXIT_USAGE, "gatherd: --socket: longer than 107 bytes\n");
}

static void given_questions_when_loaded_then_they_are_answered(void **state)
{
	struct fixture *f = *state;

	load(f, "--loops 0 --help");
	assert_int_equal(f->action, CONFIG_END);
	assert_int_equal(f->exit_code, 0);
	assert_non_null(strstr(f->out, "--loops N"));
	assert_non_null(strstr(f->out, "(1 to 64, one for each processor)"));
	assert_non_null(strstr(f->out, "(1 to 1024, 4 more than processors, at most 32)"));
	load(f, "--version");
	assert_int_equal(f->action, CONFIG_END);
	assert_int_equal(strncmp(f->out, "gatherd ", 8), 0);
	load(f, "--check-config");
	assert_int_equal(f->action, CONFIG_CHECK);
	load(f, "--schema --config /nowhere");
	assert_int_equal(f->action, CONFIG_SCHEMA);
}

static void given_a_changed_file_when_reloaded_then_what_may_change_does(void **state)
{
	struct fixture *f = *state;

	write_file(f, "[gatherd]\nloops = 2\nmax-jobs = 10\nauth-timeout = 9\n");
	load(f, "--config FILE --max-connections 7");
	assert_int_equal(f->action, CONFIG_RUN);

	write_file(f,
	           "[gatherd]\nloops = 3\nmax-jobs = 20\nmax-connections = 8\nlog-level = error\n"
	           "keep-jobs = 5\nretain = 60\n");
	assert_int_equal(config_reload(&f->config, NULL), GD_OK);
	assert_int_equal(f->config.loops, 2);
	assert_int_equal(atomic_load(&f->config.max_jobs), 20);
	assert_int_equal(atomic_load(&f->config.keep_jobs), 5);
	assert_int_equal(atomic_load(&f->config.retain), 60);
	assert_int_equal(atomic_load(&f->config.max_connections), 7);
	assert_int_equal(atomic_load(&f->config.auth_timeout), 5);
	assert_int_equal(log_level(), LOG_LEVEL_ERROR);
}

static void given_a_broken_file_when_reloaded_then_nothing_changes(void **state)
{
	struct fixture *f = *state;
	struct gd_error why = { 0 };

	write_file(f, "[gatherd]\nmax-jobs = 10\n");
	load(f, "--config FILE");
	write_file(f, "[gatherd]\nmax-jobs = 20\nauth-timeout = never\n");

	assert_int_equal(config_reload(&f->config, &why), GD_INVALID_PARAMS);
	assert_non_null(strstr(why.text, ":3: auth-timeout: never is not between 1 and 3600"));
	assert_int_equal(atomic_load(&f->config.max_jobs), 10);
	unlink(f->file);
	assert_int_equal(config_reload(&f->config, &why), GD_SYS);
	assert_int_equal(atomic_load(&f->config.max_jobs), 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_nothing_when_loaded_then_the_defaults_are_there),
		TEST(given_a_user_when_loaded_then_folders_are_those_of_the_user),
		TEST(given_root_without_systemd_when_loaded_then_the_folders_of_the_system),
		TEST(given_flags_when_loaded_then_they_count),
		TEST(given_a_file_when_loaded_then_its_keys_count_and_flags_win),
		TEST(given_roots_when_loaded_then_all_of_them_count),
		TEST(given_where_http_may_go_when_loaded_then_all_of_it_counts),
		TEST(given_too_many_roots_when_loaded_then_refused),
		TEST(given_mistakes_in_the_file_when_loaded_then_file_and_line_are_told),
		TEST(given_sections_of_profiles_when_loaded_then_they_are_in_force),
		TEST(given_mistakes_in_profiles_when_loaded_then_file_and_line_are_told),
		TEST(given_a_user_to_become_when_loaded_then_only_root_may_say_so),
		TEST(given_profiles_when_reloaded_then_all_of_them_change_or_none),
		TEST(given_a_line_that_is_too_long_when_loaded_then_it_is_not_cut),
		TEST(given_mistakes_in_flags_when_loaded_then_usage_is_told),
		TEST(given_an_open_address_when_loaded_then_it_does_not_start),
		TEST(given_too_long_a_socket_when_loaded_then_refused),
		TEST(given_questions_when_loaded_then_they_are_answered),
		TEST(given_a_changed_file_when_reloaded_then_what_may_change_does),
		TEST(given_a_broken_file_when_reloaded_then_nothing_changes),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
