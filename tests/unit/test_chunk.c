#include "daemon/store/chunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Events of the given jobs, from seq 10 on; the body is the seq. */
static void write_chunk(struct chunk_writer *w, const char *jobs)
{
	char         body[24];
	struct event e = { .kind = EVENT_YIELD };

	for (uint64_t i = 0; jobs[i] != '\0'; i++) {
		e.seq = 10 + i;
		e.job = (uint64_t)(jobs[i] - '0');
		e.ordinal = (uint32_t)i;
		(void)snprintf(body, sizeof body, "%llu", (unsigned long long)e.seq);
		e.body = (struct text){ body, strlen(body) };
		chunk_add(w, &e);
	}
	assert_int_equal(w->bytes.failed, GD_OK);
}

/* Compares with "job@seq " for each event, and the body with the seq. */
static void assert_chunk(const struct buf *b, const char *wanted)
{
	struct chunk_reader r;
	struct event        e;
	char                is[256] = "";
	size_t              used = 0;

	chunk_open(&r, 10, (struct text){ b->at, b->bytes });
	while (chunk_next(&r, &e)) {
		used += (size_t)snprintf(is + used, sizeof is - used, "%llu@%llu ",
		                         (unsigned long long)e.job, (unsigned long long)e.seq);
		assert_int_equal(e.kind, EVENT_YIELD);
		assert_int_equal(e.ordinal, e.seq - 10);
		assert_int_equal(strtoull(e.body.at, NULL, 10), e.seq);
	}
	assert_false(r.is_damaged);
	assert_string_equal(is, wanted);
}

static bool is_digit_in(const void *ctx, uint64_t job)
{
	return strchr(ctx, (int)('0' + job)) != NULL;
}

static uint32_t drop(struct buf *out, const struct buf *in, const char *jobs)
{
	struct chunk_reader r;

	chunk_open(&r, 10, (struct text){ in->at, in->bytes });
	return chunk_without(out, &r, is_digit_in, jobs);
}

static void given_events_when_written_and_read_then_they_are_the_same(void **state)
{
	struct chunk_writer w = { 0 };

	(void)state;
	assert_true(chunk_is_empty(&w));
	write_chunk(&w, "1232");

	assert_int_equal(w.first_seq, 10);
	assert_int_equal(w.last_seq, 13);
	assert_chunk(&w.bytes, "1@10 2@11 3@12 2@13 ");
	chunk_close(&w);
}

static void given_the_layout_of_version_1_when_written_then_it_is_that(void **state)
{
	const unsigned char wanted[] = { 1, 10, 4, 3, 2, 1, 8, 7, 6,   5,
		                         4, 3,  2, 1, 2, 0, 0, 0, 'o', 'k' };
	struct chunk_writer w = { 0 };
	struct event        e = { .seq = 1,
		                  .job = 0x0102030405060708,
		                  .ordinal = 0x01020304,
		                  .kind = EVENT_YIELD,
		                  .body = { "ok", 2 } };

	(void)state;
	chunk_add(&w, &e);

	assert_int_equal(w.bytes.bytes, sizeof wanted);
	assert_memory_equal(w.bytes.at, wanted, sizeof wanted);
	chunk_close(&w);
}

static void given_jobs_that_went_when_read_then_the_others_keep_their_seqs(void **state)
{
	struct chunk_writer w = { 0 };
	struct buf          once = { 0 };
	struct buf          twice = { 0 };

	(void)state;
	write_chunk(&w, "1122311245");

	assert_int_equal(drop(&once, &w.bytes, "1"), 6);
	assert_chunk(&once, "2@12 2@13 3@14 2@17 4@18 5@19 ");
	assert_int_equal(drop(&twice, &once, "25"), 2);
	assert_chunk(&twice, "3@14 4@18 ");
	assert_int_equal(chunk_first_kept(10, (struct text){ twice.at, 32 }), 14);
	assert_int_equal(chunk_first_kept(10, (struct text){ w.bytes.at, 32 }), 10);
	assert_true(twice.bytes < once.bytes);
	chunk_close(&w);
	buf_close(&once);
	buf_close(&twice);
}

static void given_every_job_gone_when_dropped_then_nothing_is_left(void **state)
{
	struct chunk_writer w = { 0 };
	struct buf          out = { 0 };

	(void)state;
	write_chunk(&w, "1212");

	assert_int_equal(drop(&out, &w.bytes, "12"), 0);

	chunk_close(&w);
	buf_close(&out);
}

static void given_a_chunk_cut_anywhere_when_read_then_it_ends_or_is_damaged(void **state)
{
	struct chunk_writer w = { 0 };
	struct chunk_reader r;
	struct event        e;
	uint32_t            whole = 0;

	(void)state;
	write_chunk(&w, "123");

	for (size_t count = 0; count <= w.bytes.bytes; count++) {
		char *copy = malloc(count + 1);

		assert_non_null(copy);
		memcpy(copy, w.bytes.at, count);
		chunk_open(&r, 10, (struct text){ copy, count });
		while (chunk_next(&r, &e))
			continue;
		whole += !r.is_damaged;
		free(copy);
	}

	assert_int_equal(whole, 4); /* the version alone, and behind each event */
	chunk_close(&w);
}

static void given_a_full_chunk_when_asked_then_only_an_empty_one_has_room(void **state)
{
	struct chunk_writer w = { 0 };

	(void)state;
	assert_true(chunk_has_room(&w, 10 * CHUNK_BYTES_MAX));
	write_chunk(&w, "1");
	assert_true(chunk_has_room(&w, 1000));
	assert_false(chunk_has_room(&w, CHUNK_BYTES_MAX));

	chunk_clear(&w);

	assert_true(chunk_has_room(&w, CHUNK_BYTES_MAX));
	chunk_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_events_when_written_and_read_then_they_are_the_same),
		cmocka_unit_test(given_the_layout_of_version_1_when_written_then_it_is_that),
		cmocka_unit_test(given_jobs_that_went_when_read_then_the_others_keep_their_seqs),
		cmocka_unit_test(given_every_job_gone_when_dropped_then_nothing_is_left),
		cmocka_unit_test(given_a_chunk_cut_anywhere_when_read_then_it_ends_or_is_damaged),
		cmocka_unit_test(given_a_full_chunk_when_asked_then_only_an_empty_one_has_room),
	};

	return cmocka_run_group_tests_name("chunk", tests, NULL, NULL);
}
