/* What commands have printed: kept, found, and let go. */
#include "daemon/runner/capture.h"
#include "daemon/runner/run_log.h"
#include "daemon/store/output.h"
#include "tests/lib/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096u

/* Jobs above this number are not there. */
static uint64_t last_job;

static enum gd_err absent_above(void *ctx, uint64_t *ids, uint32_t *count, struct gd_error *why)
{
	uint32_t left = 0;

	(void)ctx;
	(void)why;
	for (uint32_t i = 0; i < *count; i++) {
		if (ids[i] > last_job)
			ids[left++] = ids[i];
	}
	*count = left;
	return GD_OK;
}

static struct output_ref ref_of(uint64_t job)
{
	return (struct output_ref){ .job = job, .ticket = 1, .attempt = 1 };
}

/* What a runner leaves: so many bytes on stdout, and a few on stderr of jobs that are even. */
static void print(const struct fixture *f, uint64_t job, size_t bytes)
{
	const struct run_ref ref = { .job = job, .exec = 1, .attempt = 1 };
	char                 path[512];
	char                *text = malloc(bytes);
	int                  fd;

	fixture_path(f, "runner", path);
	(void)mkdir(f->dir, 0700);
	(void)mkdir(path, 0700);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0 && text != NULL);
	memset(text, 'x', bytes);
	for (int i = 0; i < (job % 2 == 0 ? 2 : 1); i++) {
		struct capture c;

		capture_init(&c, fd, &ref, (enum run_stream)i, UINT64_MAX / 4);
		capture_add(&c, text, i == 0 ? bytes : 3, i == 0 ? 0 : bytes);
		capture_close(&c);
	}
	free(text);
	(void)close(fd);
}

static bool is_there(const struct fixture *f, const char *folder, uint64_t job, const char *ending)
{
	char name[64];

	(void)snprintf(name, sizeof name, "%s/%u-1-1.%s", folder, (unsigned)job, ending);
	return fixture_is_file(f, name);
}

static void acked(const struct fixture *f, uint64_t job)
{
	const char *const endings[] = { "out", "err" };
	char              name[64];
	char              path[512];

	for (int i = 0; i < 2; i++) {
		(void)snprintf(name, sizeof name, "runner/%u-1-1.%s", (unsigned)job, endings[i]);
		fixture_path(f, name, path);
		(void)unlink(path);
	}
}

/* What can be read of both streams. */
static size_t readable(const struct fixture *f, struct output *o, uint64_t job)
{
	struct output_ref ref = ref_of(job);
	struct run_log    log;
	struct run_chunk  chunk = { .bytes = 1 };
	int               fd[2];
	char              room[1000];
	size_t            bytes = 0;

	if (o != NULL)
		output_open_streams(o, &ref, fd);
	else
		store_open_output(f->store, &ref, fd);
	run_log_give(&log, fd, RUN_LOG_BOTH, 0);
	while (chunk.bytes != 0) {
		assert_int_equal(run_log_read(&log, room, sizeof room, &chunk, NULL), GD_OK);
		bytes += chunk.bytes;
	}
	run_log_close(&log);
	return bytes;
}

/* An output without a store; the state directory is the fixture's. */
static void open_output(struct fixture *f, struct output *o)
{
	int fd;

	(void)mkdir(f->dir, 0700);
	fd = open(f->dir, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(output_open(o, fd, absent_above, NULL, NULL), GD_OK);
}

static void close_output(struct output *o)
{
	int fd = o->state_fd;

	output_stop(o);
	output_close(o);
	(void)close(fd);
}

static void keep(struct fixture *f, struct output *o, uint64_t job, gd_nsec ended, size_t bytes)
{
	struct output_ref ref = ref_of(job);
	struct gd_error   why = { 0 };

	print(f, job, bytes);
	if (output_keep(o, &ref, ended, &why) != GD_OK)
		fail_msg("%s", why.text);
	acked(f, job);
}

/* Until a look at all of them has come to a sum in this range. */
static void wait_for_bytes(struct output *o, uint64_t least, uint64_t most)
{
	for (int i = 0; i < 20000; i++) {
		uint64_t bytes = output_bytes(o);

		if (bytes >= least && bytes <= most)
			return;
		(void)usleep(1000);
	}
	fail_msg("%lu bytes of output are left", (unsigned long)output_bytes(o));
}

static void given_a_command_when_its_files_are_named_then_as_the_runner_names_them(void **state)
{
	const struct run_ref    run = { .job = UINT64_MAX, .exec = UINT32_MAX, .attempt = 7 };
	const struct output_ref ref = { .job = UINT64_MAX, .ticket = UINT32_MAX, .attempt = 7 };
	struct output_ref       parsed;
	char                    theirs[CAPTURE_NAME_BYTES];
	char                    ours[OUTPUT_NAME_BYTES];

	(void)state;
	for (int i = 0; i < OUTPUT_STREAMS; i++) {
		capture_name(&run, (enum run_stream)i, theirs);
		output_name(&ref, i, ours);
		assert_string_equal(ours, theirs);
		assert_true(output_parse(ours, &parsed));
		assert_memory_equal(&parsed, &ref, sizeof ref);
	}
	assert_false(output_parse("dropped", &parsed));
	assert_false(output_parse("1-1-1.out.x", &parsed));
	assert_false(output_parse("01-1-1.out", &parsed));
}

static void given_output_when_kept_then_it_is_read_before_and_after_the_runner_lets_go(void **state)
{
	struct fixture   *f = *state;
	struct output     o;
	struct output_ref ref = ref_of(2);

	open_output(f, &o);
	print(f, 2, 5000);
	assert_int_equal(readable(f, &o, 2), 5003);

	assert_int_equal(output_keep(&o, &ref, 7, NULL), GD_OK);
	assert_int_equal(output_keep(&o, &ref, 7, NULL), GD_OK);
	assert_int_equal(readable(f, &o, 2), 5003);
	acked(f, 2);

	assert_int_equal(readable(f, &o, 2), 5003);
	assert_int_equal(output_bytes(&o), 8192 + 4096);
	close_output(&o);
}

static void given_a_command_that_printed_nothing_when_kept_then_there_is_no_file(void **state)
{
	struct fixture   *f = *state;
	struct output     o;
	struct output_ref ref = ref_of(1);

	open_output(f, &o);

	assert_int_equal(output_keep(&o, &ref, 7, NULL), GD_OK);

	assert_int_equal(output_bytes(&o), 0);
	assert_int_equal(readable(f, &o, 1), 0);
	close_output(&o);
}

static void given_more_than_the_bound_then_the_longest_ended_leave_and_are_known_as_expired(
	void **state)
{
	struct fixture *f = *state;
	struct output   o;

	last_job = 100;
	open_output(f, &o);
	output_start(&o);
	for (uint64_t job = 1; job <= 16; job++)
		keep(f, &o, job, (gd_nsec)(100 - job), 3 * BLOCK + BLOCK / 2);
	assert_true(is_there(f, "output", 16, "out"));

	output_set_max(&o, 16 * 4 * BLOCK);

	/* 16 of four blocks and 8 of one: 72 blocks; 56 may stay. */
	wait_for_bytes(&o, 50 * BLOCK, 56 * BLOCK);
	assert_true(is_there(f, "output", 1, "out"));
	assert_false(is_there(f, "output", 16, "out"));
	assert_false(is_there(f, "output", 16, "err"));
	assert_true(atomic_load(&o.dropped) >= 84);
	assert_true(atomic_load(&o.dropped) < 99);
	close_output(&o);
	open_output(f, &o);
	assert_true(atomic_load(&o.dropped) >= 84);
	close_output(&o);
}

static void given_files_of_no_job_when_started_then_they_leave_and_the_rest_is_counted(void **state)
{
	struct fixture *f = *state;
	struct output   o;

	open_output(f, &o);
	for (uint64_t job = 1; job <= 600; job++)
		keep(f, &o, job, 1, 10);
	close_output(&o);
	last_job = 590;
	open_output(f, &o);

	output_start(&o);
	wait_for_bytes(&o, (590 + 295) * BLOCK, (590 + 295) * BLOCK);

	assert_true(is_there(f, "output", 590, "err"));
	assert_false(is_there(f, "output", 591, "out"));
	assert_false(is_there(f, "output", 600, "err"));
	close_output(&o);
}

/* --- with a store --- */

static void given_a_job_with_output_when_deleted_then_its_files_leave_after_the_commit(void **state)
{
	struct fixture     *f = *state;
	struct store_group *g = store_group_new(0);
	struct output_ref   ref;

	fixture_open(f);
	for (uint64_t id = 1; id <= 2; id++) {
		struct record *r;

		(void)fixture_add_whole_job(g, id, JOB_COMPLETED);
		r = store_group_add(g, RECORD_COMMAND, id);
		assert_non_null(r);
		r->u.command = (struct store_command){
			.begun = 5, .ticket = 1, .attempt = 1, .path = fixture_text("/do")
		};
	}
	(void)fixture_commit(f, g);
	for (uint64_t id = 1; id <= 2; id++) {
		ref = ref_of(id);
		print(f, id, 10);
		assert_int_equal(store_keep_output(f->store, &ref, 6, NULL), GD_OK);
		acked(f, id);
	}
	g = store_group_new(0);
	assert_non_null(store_group_add(g, RECORD_DELETE, 2));

	(void)fixture_commit(f, g);
	fixture_reopen(f);

	assert_int_equal(readable(f, NULL, 1), 10);
	assert_int_equal(readable(f, NULL, 2), 0);
	assert_false(is_there(f, "output", 2, "err"));
	assert_false(store_is_output_expired(f->store, 5));
}

static void given_output_that_a_crash_left_when_opened_then_what_has_no_job_leaves(void **state)
{
	struct fixture    *f = *state;
	struct store_read *r;
	struct output_ref  ref;

	fixture_open(f);
	fixture_commit_job(f, 1, JOB_COMPLETED);
	for (uint64_t id = 1; id <= 2; id++) {
		ref = ref_of(id);
		print(f, id, 10);
		assert_int_equal(store_keep_output(f->store, &ref, 6, NULL), GD_OK);
	}

	fixture_reopen(f);
	for (int i = 0; i < 20000 && is_there(f, "output", 2, "out"); i++)
		(void)usleep(1000);
	r = fixture_new_read(READ_INFO);
	fixture_read(f, r);

	assert_false(is_there(f, "output", 2, "out"));
	assert_true(is_there(f, "output", 1, "out"));
	assert_true(r->output_bytes >= BLOCK);
	store_read_free(r);
}

#define OUTPUT_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OUTPUT_TEST(given_a_command_when_its_files_are_named_then_as_the_runner_names_them),
		OUTPUT_TEST(
			given_output_when_kept_then_it_is_read_before_and_after_the_runner_lets_go),
		OUTPUT_TEST(given_a_command_that_printed_nothing_when_kept_then_there_is_no_file),
		OUTPUT_TEST(
			given_more_than_the_bound_then_the_longest_ended_leave_and_are_known_as_expired),
		OUTPUT_TEST(
			given_files_of_no_job_when_started_then_they_leave_and_the_rest_is_counted),
		OUTPUT_TEST(
			given_a_job_with_output_when_deleted_then_its_files_leave_after_the_commit),
		OUTPUT_TEST(given_output_that_a_crash_left_when_opened_then_what_has_no_job_leaves),
	};

	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
