#include "daemon/store/suspects.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
	char dir[64];
	int  fd;
};

static int setup(void **state)
{
	static struct place p;

	(void)snprintf(p.dir, sizeof p.dir, "test_suspects.XXXXXX");
	assert_non_null(mkdtemp(p.dir));
	p.fd = open(p.dir, O_RDONLY | O_DIRECTORY);
	assert_true(p.fd >= 0);
	*state = &p;
	return 0;
}

static int teardown(void **state)
{
	const struct place *p = *state;

	(void)unlinkat(p->fd, "replaying", 0);
	(void)close(p->fd);
	return rmdir(p->dir);
}

/* A daemon that ends while its loops replay these. */
static void die_at(const struct place *p, uint64_t on_loop_0, uint64_t on_loop_1)
{
	struct suspects s;

	suspects_open(&s, p->fd);
	(void)suspects_begin(&s, 0, on_loop_0);
	if (on_loop_1 != 0)
		(void)suspects_begin(&s, 1, on_loop_1);
	suspects_close(&s);
}

static void given_nobody_died_when_opened_then_nobody_is_accused(void **state)
{
	const struct place *p = *state;
	struct suspects     s;

	suspects_open(&s, p->fd);
	assert_int_equal(suspects_begin(&s, 3, 7), 0);
	suspects_end(&s, 3);
	suspects_close(&s);
	suspects_open(&s, p->fd);

	assert_false(s.is_any_accused);

	suspects_acquit(&s, p->fd);
	assert_int_equal(faccessat(p->fd, "replaying", F_OK, 0), -1);
	assert_int_equal(errno, ENOENT);
}

static void given_two_loops_that_replayed_when_opened_then_both_jobs_are_accused(void **state)
{
	const struct place *p = *state;
	struct suspects     s;

	die_at(p, 7, 8);
	suspects_open(&s, p->fd);

	assert_true(s.is_any_accused);
	assert_int_equal(suspects_begin(&s, 0, 7), 1);
	assert_int_equal(suspects_begin(&s, 0, 8), 1);
	assert_int_equal(suspects_begin(&s, 0, 9), 0);
	suspects_end(&s, 0);
	suspects_close(&s);
}

static void given_one_that_dies_again_when_opened_then_only_its_count_grows(void **state)
{
	const struct place *p = *state;
	struct suspects     s;

	die_at(p, 7, 8);
	die_at(p, 8, 0);
	die_at(p, 8, 0);
	suspects_open(&s, p->fd);

	assert_int_equal(suspects_begin(&s, 1, 7), 1);
	assert_int_equal(suspects_begin(&s, 1, 8), 3);
	suspects_end(&s, 1);
	suspects_acquit(&s, p->fd);
	suspects_open(&s, p->fd);
	assert_false(s.is_any_accused);
	assert_int_equal(suspects_begin(&s, 1, 8), 0);
	suspects_close(&s);
}

static void given_more_jobs_than_places_when_they_die_then_the_worst_are_remembered(void **state)
{
	const struct place *p = *state;
	struct suspects     s;

	die_at(p, 1000, 0);
	die_at(p, 1000, 0);
	for (uint64_t job = 1; job <= 40; job++)
		die_at(p, job, 0);
	suspects_open(&s, p->fd);

	assert_int_equal(suspects_begin(&s, 0, 1000), 2);
	assert_int_equal(suspects_begin(&s, 0, 40), 1);
	suspects_close(&s);
}

static void given_a_file_of_another_kind_when_opened_then_it_counts_for_nothing(void **state)
{
	const struct place *p = *state;
	int                 fd = openat(p->fd, "replaying", O_WRONLY | O_CREAT, 0600);
	struct suspects     s;

	assert_int_equal(write(fd, "something else", 14), 14);
	(void)close(fd);
	suspects_open(&s, p->fd);

	assert_false(s.is_any_accused);
	assert_int_equal(suspects_begin(&s, 0, 1), 0);
	suspects_close(&s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_nobody_died_when_opened_then_nobody_is_accused),
		TEST(given_two_loops_that_replayed_when_opened_then_both_jobs_are_accused),
		TEST(given_one_that_dies_again_when_opened_then_only_its_count_grows),
		TEST(given_more_jobs_than_places_when_they_die_then_the_worst_are_remembered),
		TEST(given_a_file_of_another_kind_when_opened_then_it_counts_for_nothing),
	};

	return cmocka_run_group_tests_name("suspects", tests, NULL, NULL);
}
