#include "daemon/load/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A program is only carried around here; an empty one of a stated size will do. */
static struct program *program_of(size_t bytes)
{
	struct program *p = calloc(1, sizeof *p);

	assert_non_null(p);
	atomic_init(&p->refs, 1);
	p->bytes = bytes;
	return p;
}

static void add(struct program_cache *c, const char *text, size_t bytes)
{
	struct program *p = program_of(bytes);

	program_cache_add(c, text, strlen(text), p);
	program_release(p);
}

static bool has(struct program_cache *c, const char *text)
{
	struct program *p = program_cache_find(c, text, strlen(text));

	program_release(p);
	return p != NULL;
}

static int cache_open(void **state)
{
	*state = calloc(1, sizeof(struct program_cache));
	return *state == NULL;
}

static int cache_shut(void **state)
{
	struct program_cache *c = *state;

	program_cache_close(c);
	assert_int_equal(c->count, 0);
	assert_int_equal(c->bytes, 0);
	free(c);
	return 0;
}

static void given_a_program_when_its_text_comes_again_then_it_is_found(void **state)
{
	struct program_cache *c = *state;
	struct program       *p = program_of(10), *found;

	program_cache_add(c, "[1]", 3, p);
	found = program_cache_find(c, "[1]", 3);
	assert_ptr_equal(found, p);
	assert_int_equal(atomic_load(&p->refs), 3);
	program_release(found);
	program_release(p);
	assert_false(has(c, "[2]"));
	assert_false(has(c, "[1] "));
	assert_false(has(c, ""));
}

static void given_texts_that_differ_in_their_last_bytes_then_they_are_told_apart(void **state)
{
	struct program_cache *c = *state;

	add(c, "0123456789", 1);
	add(c, "012345678", 2);
	assert_true(has(c, "0123456789"));
	assert_true(has(c, "012345678"));
	assert_false(has(c, "0123456780"));
	assert_false(has(c, "01234567"));
}

static void given_a_full_cache_then_the_program_that_was_used_last_stays(void **state)
{
	struct program_cache *c = *state;
	char                  text[16];

	for (int i = 0; i < CACHE_PROGRAMS_MAX; i++) {
		(void)snprintf(text, sizeof text, "[%d]", i);
		add(c, text, 1);
	}
	assert_true(has(c, "[0]"));
	add(c, "[new]", 1);

	assert_int_equal(c->count, CACHE_PROGRAMS_MAX);
	assert_true(has(c, "[0]"));
	assert_false(has(c, "[1]"));
	assert_true(has(c, "[2]"));
	assert_true(has(c, "[new]"));
}

static void given_large_programs_then_their_bytes_are_bounded(void **state)
{
	struct program_cache *c = *state;

	add(c, "a", CACHE_BYTES_MAX / 2);
	add(c, "b", CACHE_BYTES_MAX / 4);
	add(c, "c", CACHE_BYTES_MAX / 2);
	assert_false(has(c, "a"));
	assert_true(has(c, "b"));
	assert_true(has(c, "c"));
	assert_true(c->bytes <= CACHE_BYTES_MAX);
	/* One that fits nowhere drives nobody out. */
	add(c, "d", CACHE_BYTES_MAX + 1);
	assert_false(has(c, "d"));
	assert_true(has(c, "b"));
}

static void given_a_cached_program_when_the_cache_drops_it_then_its_users_keep_it(void **state)
{
	struct program_cache *c = *state;
	struct program       *p = program_of(CACHE_BYTES_MAX / 2);

	program_cache_add(c, "kept", 4, p);
	add(c, "other", CACHE_BYTES_MAX - 1024);
	assert_false(has(c, "kept"));
	assert_int_equal(atomic_load(&p->refs), 1);
	program_release(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			given_a_program_when_its_text_comes_again_then_it_is_found, cache_open,
			cache_shut),
		cmocka_unit_test_setup_teardown(
			given_texts_that_differ_in_their_last_bytes_then_they_are_told_apart,
			cache_open, cache_shut),
		cmocka_unit_test_setup_teardown(
			given_a_full_cache_then_the_program_that_was_used_last_stays, cache_open,
			cache_shut),
		cmocka_unit_test_setup_teardown(given_large_programs_then_their_bytes_are_bounded,
		                                cache_open, cache_shut),
		cmocka_unit_test_setup_teardown(
			given_a_cached_program_when_the_cache_drops_it_then_its_users_keep_it,
			cache_open, cache_shut),
	};

	return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
