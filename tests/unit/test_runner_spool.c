#include "daemon/runner/spool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct read_back {
	uint32_t        count;
	enum spool_kind kind[64];
	uint64_t        job[64];
	char            text[64][64]; /* key or boot id */
};

struct spool_test {
	char             path[64];
	char             file[80];
	int              dir_fd;
	struct spool     spool;
	struct read_back got;
};

static void take(void *ctx, const struct spool_record *record)
{
	struct read_back *got = ctx;
	const char       *text = record->kind == SPOOL_OPEN ? record->boot_id : record->key;

	assert_true(got->count < 64);
	got->kind[got->count] = record->kind;
	got->job[got->count] = record->state.ref.job;
	(void)snprintf(got->text[got->count], sizeof got->text[0], "%s", text == NULL ? "" : text);
	got->count++;
}

/* Opens the spool, as after a restart; how many bytes were cut off. */
static uint64_t open_again(struct spool_test *t)
{
	struct gd_error why;
	uint64_t        cut = 0;

	t->got.count = 0;
	if (spool_open(&t->spool, t->dir_fd, take, &t->got, &cut, &why) != GD_OK)
		fail_msg("%s", why.text);
	return cut;
}

static int set_up(void **state)
{
	static struct spool_test t;

	t = (struct spool_test){ .path = "/tmp/gd-spool-XXXXXX" };
	assert_non_null(mkdtemp(t.path));
	(void)snprintf(t.file, sizeof t.file, "%s/spool", t.path);
	t.dir_fd = open(t.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t.dir_fd >= 0);
	assert_int_equal(open_again(&t), 0);
	*state = &t;
	return 0;
}

static int tear_down(void **state)
{
	struct spool_test *t = *state;

	spool_close(&t->spool);
	(void)unlinkat(t->dir_fd, "spool", 0);
	(void)unlinkat(t->dir_fd, "spool.new", 0);
	(void)close(t->dir_fd);
	return rmdir(t->path);
}

static void put(struct spool_test *t, enum spool_kind kind, uint64_t job)
{
	struct spool_record r = { .kind = kind, .key = "key", .boot_id = "boot", .born = 5 };

	r.state = (struct run_state){ .ref = { job, 1, 1 }, .phase = RUN_RUNNING };
	if (kind == SPOOL_ENDED)
		r.state.phase = RUN_EXITED;
	assert_int_equal(spool_put(&t->spool, &r), 0);
}

static void put_four(struct spool_test *t)
{
	put(t, SPOOL_OPEN, 0);
	put(t, SPOOL_STARTED, 7);
	put(t, SPOOL_ENDED, 7);
	put(t, SPOOL_FORGOT, 7);
}

static void what_was_put_is_read_in_order(void **state)
{
	struct spool_test *t = *state;

	put_four(t);
	assert_int_equal(spool_sync(&t->spool), 0);
	spool_close(&t->spool);

	assert_int_equal(open_again(t), 0);
	assert_int_equal(t->got.count, 4);
	assert_int_equal(t->got.kind[0], SPOOL_OPEN);
	assert_string_equal(t->got.text[0], "boot");
	assert_int_equal(t->got.kind[1], SPOOL_STARTED);
	assert_string_equal(t->got.text[1], "key");
	assert_int_equal(t->got.job[1], 7);
	assert_int_equal(t->got.kind[2], SPOOL_ENDED);
	assert_int_equal(t->got.kind[3], SPOOL_FORGOT);
	assert_int_equal(t->got.job[3], 7);
}

static void put_later(struct spool_test *t, uint64_t job)
{
	struct spool_record r = { .kind = SPOOL_FORGOT };

	r.state.ref = (struct run_ref){ job, 1, 1 };
	assert_int_equal(spool_put_later(&t->spool, &r), 0);
}

static void what_is_put_for_later_is_written_with_the_next(void **state)
{
	struct spool_test *t = *state;
	uint64_t           before;

	put(t, SPOOL_STARTED, 1);
	before = t->spool.bytes;
	put_later(t, 2);
	put_later(t, 3);
	assert_int_equal(t->spool.bytes, before);
	put(t, SPOOL_STARTED, 4);
	put_later(t, 5);
	assert_int_equal(spool_flush(&t->spool), 0);
	assert_int_equal(spool_flush(&t->spool), 0);
	put_later(t, 6); /* and is lost */
	spool_close(&t->spool);

	assert_int_equal(open_again(t), 0);
	assert_int_equal(t->got.count, 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(t->got.job[i], i + 1);
}

static void no_more_waits_than_there_is_room_for(void **state)
{
	struct spool_test *t = *state;
	struct stat        st;

	for (uint64_t i = 0; t->spool.bytes == 0; i++) {
		assert_in_range(i, 0, SPOOL_LATER_BYTES);
		put_later(t, i);
	}
	assert_true(t->spool.bytes <= SPOOL_LATER_BYTES);
	assert_int_equal(stat(t->file, &st), 0);

	assert_int_equal(st.st_size, t->spool.bytes);
}

/* Cut at every byte: the whole records before it are there, and the next one follows them. */
static void a_tail_that_is_torn_anywhere_is_cut_off(void **state)
{
	struct spool_test *t = *state;
	uint64_t           end[5] = { 0 }, bytes;

	for (int i = 0; i < 4; i++) {
		put(t, (enum spool_kind)(i + 1), 7);
		end[i + 1] = t->spool.bytes;
	}
	bytes = t->spool.bytes;
	for (uint64_t at = 0; at <= bytes; at++) {
		uint32_t whole = 0;

		while (whole < 4 && end[whole + 1] <= at)
			whole++;
		/* The same records again, and then the tear. */
		spool_close(&t->spool);
		assert_int_equal(truncate(t->file, 0), 0);
		(void)open_again(t);
		for (int i = 0; i < 4; i++)
			put(t, (enum spool_kind)(i + 1), 7);
		spool_close(&t->spool);
		assert_int_equal(truncate(t->file, (off_t)at), 0);

		assert_int_equal(open_again(t), at - end[whole]);
		assert_int_equal(t->got.count, whole);
		put(t, SPOOL_FORGOT, 99);
		spool_close(&t->spool);
		assert_int_equal(open_again(t), 0);
		assert_int_equal(t->got.count, whole + 1);
		assert_int_equal(t->got.job[whole], 99);
	}
}

/* What is whole behind the damage must not come back once it is written over. */
static void a_changed_byte_ends_the_spool_there(void **state)
{
	struct spool_test *t = *state;
	int                fd;

	put(t, SPOOL_STARTED, 1);
	put(t, SPOOL_STARTED, 2);
	put(t, SPOOL_STARTED, 3);
	spool_close(&t->spool);
	fd = open(t->file, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "\xff", 1, (off_t)(t->spool.bytes / 2)), 1);
	(void)close(fd);

	assert_true(open_again(t) > 0);
	assert_int_equal(t->got.count, 1);
	put(t, SPOOL_STARTED, 4);
	spool_close(&t->spool);
	assert_int_equal(open_again(t), 0);
	assert_int_equal(t->got.count, 2);
	assert_int_equal(t->got.job[1], 4);
}

/* A file that may not grow stands for a full disk: the part that was written is written over. */
static void a_record_that_does_not_fit_is_as_if_it_was_never_put(void **state)
{
	struct spool_test  *t = *state;
	struct rlimit       before, small;
	struct spool_record r = { .kind = SPOOL_STARTED,
		                  .key = "a long key, longer than the others" };

	put(t, SPOOL_STARTED, 1);
	r.state = (struct run_state){ .ref = { 2, 1, 1 }, .phase = RUN_RUNNING };
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = t->spool.bytes + 20;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	put_later(t, 4); /* waits until there is room */
	assert_int_not_equal(spool_put(&t->spool, &r), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	put(t, SPOOL_FORGOT, 3);
	spool_close(&t->spool);

	(void)open_again(t);
	assert_int_equal(t->got.count, 3);
	assert_int_equal(t->got.job[1], 4);
	assert_int_equal(t->got.job[2], 3);
}

static int fill_one(struct spool *s, void *ctx)
{
	(void)ctx;
	return spool_put(s, &(struct spool_record){ .kind = SPOOL_OPEN, .boot_id = "new" });
}

static int fill_none(struct spool *s, void *ctx)
{
	(void)s;
	(void)ctx;
	return 28;
}

static void a_rewritten_spool_holds_what_was_put_into_it_and_goes_on(void **state)
{
	struct spool_test *t = *state;

	put_four(t);
	assert_int_equal(spool_rewrite(&t->spool, fill_one, NULL), 0);
	put(t, SPOOL_STARTED, 8);
	spool_close(&t->spool);

	assert_int_equal(open_again(t), 0);
	assert_int_equal(t->got.count, 2);
	assert_string_equal(t->got.text[0], "new");
	assert_int_equal(t->got.job[1], 8);
}

static void a_rewrite_that_fails_leaves_the_old_spool(void **state)
{
	struct spool_test *t = *state;

	put_four(t);
	assert_int_equal(spool_rewrite(&t->spool, fill_none, NULL), 28);
	put(t, SPOOL_STARTED, 8);
	spool_close(&t->spool);

	assert_int_equal(open_again(t), 0);
	assert_int_equal(t->got.count, 5);
}

static void it_is_long_when_a_rewrite_would_halve_it(void **state)
{
	struct spool s = { .bytes = SPOOL_LONG_BYTES };

	(void)state;
	assert_false(spool_is_long(&s));
	s.bytes++;
	assert_true(spool_is_long(&s));
	s.rewritten_bytes = SPOOL_LONG_BYTES;
	assert_false(spool_is_long(&s));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(what_was_put_is_read_in_order),
		CASE(what_is_put_for_later_is_written_with_the_next),
		CASE(no_more_waits_than_there_is_room_for),
		CASE(a_tail_that_is_torn_anywhere_is_cut_off),
		CASE(a_changed_byte_ends_the_spool_there),
		CASE(a_record_that_does_not_fit_is_as_if_it_was_never_put),
		CASE(a_rewritten_spool_holds_what_was_put_into_it_and_goes_on),
		CASE(a_rewrite_that_fails_leaves_the_old_spool),
		cmocka_unit_test(it_is_long_when_a_rewrite_would_halve_it),
	};

	return cmocka_run_group_tests_name("runner_spool", tests, NULL, NULL);
}
