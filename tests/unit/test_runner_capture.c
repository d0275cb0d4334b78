#include "daemon/runner/run_log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define KEEP 100000u

static const struct run_ref ref = { 5, 1, 2 };

struct capture_test {
	char           path[64];
	int            dir_fd;
	struct capture stream[RUN_STREAMS];
	uint64_t       order;
};

static int set_up(void **state)
{
	static struct capture_test t;

	t = (struct capture_test){ .path = "/tmp/gd-capture-XXXXXX" };
	assert_non_null(mkdtemp(t.path));
	t.dir_fd = open(t.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < RUN_STREAMS; i++)
		capture_init(&t.stream[i], t.dir_fd, &ref, (enum run_stream)i, KEEP);
	*state = &t;
	return 0;
}

static int tear_down(void **state)
{
	struct capture_test *t = *state;

	for (int i = 0; i < RUN_STREAMS; i++)
		capture_close(&t->stream[i]);
	(void)unlinkat(t->dir_fd, "5-1-2.out", 0);
	(void)unlinkat(t->dir_fd, "5-1-2.err", 0);
	(void)close(t->dir_fd);
	return rmdir(t->path);
}

static void add(struct capture_test *t, enum run_stream i, const char *bytes, size_t count)
{
	capture_add(&t->stream[i], bytes, count, t->order);
	t->order += count;
}

static void open_log(const struct capture_test *t, struct run_log *log, enum run_log_which which,
                     uint64_t offset)
{
	assert_int_equal(run_log_open(log, t->path, &ref, which, offset, NULL), GD_OK);
}

static struct run_chunk next(struct run_log *log, char *room, size_t bytes)
{
	struct run_chunk chunk;
	struct gd_error  why;

	if (run_log_read(log, room, bytes, &chunk, &why) != GD_OK)
		fail_msg("%s", why.text);
	return chunk;
}

/* Each byte of the stream says where it is. */
static char byte_at(uint64_t offset)
{
	return (char)(offset * 2654435761u >> 13);
}

static void add_counted(struct capture_test *t, enum run_stream i, size_t count)
{
	char *bytes = malloc(count + 1);

	assert_non_null(bytes);
	for (size_t n = 0; n < count; n++)
		bytes[n] = byte_at(t->stream[i].bytes + n);
	add(t, i, bytes, count);
	free(bytes);
}

/* --- */

static void without_output_there_is_no_file_and_nothing_to_read(void **state)
{
	struct capture_test *t = *state;
	struct run_log       log;
	char                 room[10];

	open_log(t, &log, RUN_LOG_BOTH, 0);
	assert_int_equal(next(&log, room, sizeof room).bytes, 0);
	assert_int_equal(capture_kept(&t->stream[0]), 0);
	assert_int_not_equal(faccessat(t->dir_fd, "5-1-2.out", F_OK, 0), 0);

	add(t, RUN_STDOUT, "now", 3);
	assert_int_equal(next(&log, room, sizeof room).bytes, 3);
	run_log_close(&log);
}

static void small_pieces_are_read_whole_and_by_the_byte(void **state)
{
	struct capture_test *t = *state;
	struct run_log       log;
	char                 room[16];

	add(t, RUN_STDOUT, "ab", 2);
	add(t, RUN_STDOUT, "cd", 2);
	open_log(t, &log, RUN_LOG_STDOUT, 0);
	assert_int_equal(next(&log, room, sizeof room).bytes, 4);
	assert_memory_equal(room, "abcd", 4);
	assert_int_equal(next(&log, room, sizeof room).bytes, 0);
	add(t, RUN_STDOUT, "ef", 2); /* the segment that was read to its end grows */
	assert_int_equal(next(&log, room, sizeof room).bytes, 2);
	assert_memory_equal(room, "ef", 2);
	run_log_close(&log);

	open_log(t, &log, RUN_LOG_STDOUT, 3);
	for (uint64_t at = 3; at < 6; at++) {
		struct run_chunk chunk = next(&log, room, 1);

		assert_int_equal(chunk.bytes, 1);
		assert_int_equal(chunk.offset, at);
		assert_int_equal(room[0], "abcdef"[at]);
	}
	run_log_close(&log);
}

static void both_streams_are_put_together_in_their_order(void **state)
{
	struct capture_test *t = *state;
	struct run_log       log;
	struct run_chunk     chunk;
	char                 all[64] = "", who[64] = "", room[3];
	size_t               bytes = 0;

	add(t, RUN_STDERR, "1", 1);
	add(t, RUN_STDOUT, "2222", 4);
	add(t, RUN_STDERR, "3", 1);
	add(t, RUN_STDERR, "4", 1);
	add(t, RUN_STDOUT, "5", 1);
	open_log(t, &log, RUN_LOG_BOTH, 0);
	while ((chunk = next(&log, room, sizeof room)).bytes > 0) {
		assert_int_equal(chunk.offset, bytes);
		memcpy(all + bytes, room, chunk.bytes);
		memset(who + bytes, chunk.stream == RUN_STDOUT ? 'o' : 'e', chunk.bytes);
		bytes += chunk.bytes;
	}
	run_log_close(&log);

	assert_string_equal(all, "12222345");
	assert_string_equal(who, "eooooeeo");
	open_log(t, &log, RUN_LOG_BOTH, 6);
	assert_int_equal(next(&log, room, sizeof room).bytes, 1);
	assert_int_equal(room[0], '4');
	run_log_close(&log);
}

/* Reads all there is, checks each byte, tells how many were passed over. */
static uint64_t expect_counted(struct run_log *log, uint64_t from, uint64_t to)
{
	static char      room[30000];
	struct run_chunk chunk;
	uint64_t         skipped = 0;

	while ((chunk = next(log, room, sizeof room)).bytes > 0) {
		skipped += chunk.skipped;
		assert_int_equal(chunk.offset, from + chunk.skipped);
		for (size_t i = 0; i < chunk.bytes; i++)
			if (room[i] != byte_at(chunk.offset + i))
				fail_msg("a wrong byte at %llu",
				         (unsigned long long)(chunk.offset + i));
		from = chunk.offset + chunk.bytes;
	}
	assert_int_equal(from, to);
	return skipped;
}

static void of_a_flood_the_tail_is_kept_and_the_disk_is_bounded(void **state)
{
	struct capture_test *t = *state;
	struct capture      *c = &t->stream[RUN_STDOUT];
	struct run_log       log;
	struct stat          st;

	for (int i = 0; i < 400; i++) {
		add_counted(t, RUN_STDOUT, 65536 - (size_t)i * 100);
		assert_true(c->bytes < KEEP || capture_kept(c) >= KEEP);
		assert_int_equal(fstat(c->fd, &st), 0);
		assert_true((uint64_t)st.st_blocks * 512 <= 2 * KEEP + CAPTURE_SLACK_BYTES);
	}
	open_log(t, &log, RUN_LOG_STDOUT, 0);

	assert_int_equal(expect_counted(&log, 0, c->bytes), c->bytes - capture_kept(c));
	run_log_close(&log);
}

static void single_bytes_are_bounded_too(void **state)
{
	struct capture_test *t = *state;
	struct stat          st;

	/* By turns, so that each is a segment of its own: 33 bytes for one. */
	for (int i = 0; i < 60000; i++)
		add_counted(t, (enum run_stream)(i % 2), 1);
	for (int i = 0; i < RUN_STREAMS; i++) {
		assert_int_equal(fstat(t->stream[i].fd, &st), 0);
		assert_true((uint64_t)st.st_blocks * 512 <= 2 * KEEP + CAPTURE_SLACK_BYTES);
		assert_true(capture_kept(&t->stream[i]) > 1000);
	}
}

static void a_reader_that_is_overtaken_goes_on_with_what_is_left(void **state)
{
	struct capture_test *t = *state;
	struct capture      *c = &t->stream[RUN_STDOUT];
	struct run_log       log;
	char                 room[100];
	struct run_chunk     chunk;

	add_counted(t, RUN_STDOUT, 1000);
	open_log(t, &log, RUN_LOG_STDOUT, 0);
	assert_int_equal(next(&log, room, sizeof room).bytes, 100);
	for (int i = 0; i < 30; i++)
		add_counted(t, RUN_STDOUT, 50000);

	chunk = next(&log, room, sizeof room);
	assert_true(chunk.skipped > 0);
	assert_int_equal(chunk.offset, 100 + chunk.skipped);
	assert_int_equal(room[0], byte_at(chunk.offset));
	(void)expect_counted(&log, chunk.offset + chunk.bytes, c->bytes);
	run_log_close(&log);
}

/* A reader in another process, at full speed beside the writer: no byte is wrong. */
static void a_reader_beside_a_writer_sees_no_wrong_byte(void **state)
{
	struct capture_test *t = *state;
	struct run_log       log;
	int                  pipe_fd[2], status;
	pid_t                child;
	char                 go;
	uint64_t             total = 0;
	static char          room[9000];

	assert_int_equal(pipe(pipe_fd), 0);
	child = fork();
	if (child == 0) {
		(void)close(pipe_fd[0]);
		for (int i = 0; i < 3000; i++)
			add_counted(t, (enum run_stream)(i % 7 == 0), (size_t)(i * 37 % 9001));
		_exit(write(pipe_fd[1], "x", 1) == 1 ? 0 : 1);
	}
	(void)close(pipe_fd[1]);
	assert_int_equal(fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK), 0);
	open_log(t, &log, RUN_LOG_STDOUT, 0);
	for (bool is_over = false;;) {
		struct run_chunk chunk = next(&log, room, sizeof room);

		for (size_t i = 0; i < chunk.bytes; i++)
			if (room[i] != byte_at(chunk.offset + i))
				fail_msg("a wrong byte at %llu",
				         (unsigned long long)(chunk.offset + i));
		total += chunk.bytes;
		if (chunk.bytes == 0 && is_over)
			break;
		is_over = is_over || read(pipe_fd[0], &go, 1) == 1;
	}
	run_log_close(&log);
	(void)close(pipe_fd[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(total > 0);
}

static void what_a_full_disk_does_not_take_is_counted(void **state)
{
	struct capture_test *t = *state;
	struct capture      *c = &t->stream[RUN_STDOUT];
	struct rlimit        before, small;
	struct run_log       log;

	add_counted(t, RUN_STDOUT, 3000);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 4000;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	add_counted(t, RUN_STDOUT, 9000);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_not_equal(c->failed, 0);
	assert_int_equal(capture_kept(c), 0); /* the tail is not there */
	add_counted(t, RUN_STDOUT, 500);

	assert_int_equal(c->bytes, 12500);
	open_log(t, &log, RUN_LOG_STDOUT, 0);
	assert_int_equal(expect_counted(&log, 0, 12500), 9000);
	run_log_close(&log);
	assert_int_equal(capture_kept(c), 500);
}

static void output_that_looks_like_a_segment_is_output(void **state)
{
	struct capture_test   *t = *state;
	struct capture_segment fake = { 1, 0, 0, 100, 0 };
	struct run_log         log;
	char                   room[200];

	add(t, RUN_STDOUT, (const char *)&fake, sizeof fake);
	add(t, RUN_STDERR, "x", 1);
	add(t, RUN_STDOUT, (const char *)&fake, sizeof fake);
	open_log(t, &log, RUN_LOG_STDOUT, 0);
	assert_int_equal(next(&log, room, sizeof room).bytes, sizeof fake);
	assert_int_equal(next(&log, room, sizeof room).bytes, sizeof fake);
	assert_int_equal(next(&log, room, sizeof room).bytes, 0);
	run_log_close(&log);
}

/* After a power cut a file may be shorter than its segments say, or hold nothing at all. */
static void a_file_that_is_cut_anywhere_ends_there(void **state)
{
	struct capture_test *t = *state;
	struct run_log       log;
	char                 room[5000];
	struct run_chunk     chunk;
	uint64_t             end;

	for (int i = 0; i < 5; i++) {
		add_counted(t, RUN_STDOUT, 40);
		add(t, RUN_STDERR, "x", 1);
	}
	end = t->stream[RUN_STDOUT].end;
	for (uint64_t at = end + 1; at-- > 0;) {
		assert_int_equal(ftruncate(t->stream[RUN_STDOUT].fd, (off_t)at), 0);
		open_log(t, &log, RUN_LOG_STDOUT, 0);
		while ((chunk = next(&log, room, sizeof room)).bytes > 0)
			for (size_t i = 0; i < chunk.bytes; i++)
				assert_int_equal(room[i], byte_at(chunk.offset + i));
		run_log_close(&log);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(without_output_there_is_no_file_and_nothing_to_read),
		CASE(small_pieces_are_read_whole_and_by_the_byte),
		CASE(both_streams_are_put_together_in_their_order),
		CASE(of_a_flood_the_tail_is_kept_and_the_disk_is_bounded),
		CASE(single_bytes_are_bounded_too),
		CASE(a_reader_that_is_overtaken_goes_on_with_what_is_left),
		CASE(a_reader_beside_a_writer_sees_no_wrong_byte),
		CASE(what_a_full_disk_does_not_take_is_counted),
		CASE(output_that_looks_like_a_segment_is_output),
		CASE(a_file_that_is_cut_anywhere_ends_there),
	};

	return cmocka_run_group_tests_name("runner_capture", tests, NULL, NULL);
}
