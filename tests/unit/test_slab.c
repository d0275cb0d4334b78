#include "daemon/engine/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BLOCKS 20000

static void given_blocks_of_many_sizes_when_written_then_none_overlaps(void **state)
{
	struct slab           s = { 0 };
	static unsigned char *block[BLOCKS];
	static size_t         bytes[BLOCKS];

	(void)state;
	for (uint32_t i = 0; i < BLOCKS; i++) {
		bytes[i] = 8 + (i * 37) % (SLAB_BYTES_MAX + 100);
		block[i] = slab_alloc(&s, bytes[i]);
		assert_non_null(block[i]);
		assert_int_equal((uintptr_t)block[i] % 8, 0);
		memset(block[i], (int)(i % 251), bytes[i]);
	}

	for (uint32_t i = 0; i < BLOCKS; i++) {
		assert_int_equal(block[i][0], i % 251);
		assert_int_equal(block[i][bytes[i] - 1], i % 251);
		slab_free(&s, block[i], bytes[i]);
	}
	slab_close(&s);
}

static void given_a_freed_block_when_one_of_its_size_is_asked_for_then_it_is_used_again(
	void **state)
{
	struct slab s = { 0 };
	void       *first = slab_alloc(&s, 104);
	void       *again;

	(void)state;
	slab_free(&s, first, 104);

	again = slab_alloc(&s, 104);

	assert_ptr_equal(again, first);
	slab_free(&s, again, 104);
	slab_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_blocks_of_many_sizes_when_written_then_none_overlaps),
		cmocka_unit_test(
			given_a_freed_block_when_one_of_its_size_is_asked_for_then_it_is_used_again),
	};

	return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
