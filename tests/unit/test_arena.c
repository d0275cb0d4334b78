/* proto/base/arena: memory that is freed all at once. */
#include "proto/base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void given_pieces_of_all_sizes_when_taken_then_zeroed_aligned_and_apart(void **state)
{
	struct arena   a = { 0 };
	unsigned char *at[200];

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		size_t bytes = i * 37;

		at[i] = arena_alloc(&a, bytes);
		assert_non_null(at[i]);
		assert_int_equal((uintptr_t)at[i] % 16, 0);
		for (size_t k = 0; k < bytes; k++)
			assert_int_equal(at[i][k], 0);
		memset(at[i], (int)i, bytes);
	}
	for (size_t i = 0; i < 200; i++) {
		for (size_t k = 0; k < i * 37; k++)
			assert_int_equal(at[i][k], (unsigned char)i);
	}
	assert_false(a.failed);
	arena_close(&a);
}

static void given_a_large_piece_when_taken_then_the_room_of_the_small_ones_stays_in_use(
	void **state)
{
	struct arena a = { 0 };
	char        *before = arena_alloc(&a, 16);
	char        *after;

	(void)state;
	assert_non_null(arena_alloc(&a, 100000));
	after = arena_alloc(&a, 16);
	assert_ptr_equal(after, before + 16);
	arena_close(&a);
}

static void given_text_when_copied_then_it_is_terminated(void **state)
{
	struct arena a = { 0 };
	const char  *copy = arena_copy(&a, "abcdef", 3);

	(void)state;
	assert_string_equal(copy, "abc");
	assert_string_equal(arena_copy(&a, "", 0), "");
	assert_null(arena_copy(&a, NULL, 0));
	assert_false(a.failed);
	arena_close(&a);
}

static void given_an_absurd_amount_when_taken_then_the_failure_sticks(void **state)
{
	struct arena a = { 0 };

	(void)state;
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_true(a.failed);
	assert_non_null(arena_alloc(&a, 1));
	assert_true(a.failed);
	arena_close(&a);
	assert_false(a.failed);
}

static void given_pieces_when_counted_then_what_was_handed_out(void **state)
{
	struct arena a = { 0 };

	(void)state;
	assert_non_null(arena_alloc(&a, 1));
	assert_non_null(arena_alloc(&a, 17));
	assert_int_equal(a.bytes, 16 + 32);
	arena_close(&a);
	assert_int_equal(a.bytes, 0);
	assert_null(a.newest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_pieces_of_all_sizes_when_taken_then_zeroed_aligned_and_apart),
		cmocka_unit_test(
			given_a_large_piece_when_taken_then_the_room_of_the_small_ones_stays_in_use),
		cmocka_unit_test(given_text_when_copied_then_it_is_terminated),
		cmocka_unit_test(given_an_absurd_amount_when_taken_then_the_failure_sticks),
		cmocka_unit_test(given_pieces_when_counted_then_what_was_handed_out),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
