/*
 * heap.h - memory that ends at the n-th allocation, and counts what was not given back.
 *
 * Stands before malloc() and its kin for the whole program: our code, jansson, libevent, SQLite and
 * the C library itself. Under a sanitizer, which has its own, nothing can fail and
 * heap_is_possible() says so.
 *
 * Threads: any.
 */
#ifndef GATHERD_TESTS_HEAP_H
#define GATHERD_TESTS_HEAP_H

#include <stdbool.h>
#include <stdint.h>

bool     heap_is_possible(void);
/* From now on the allocation number `n` (from 1) fails, and with is_sticky all behind it too. 0: none
 * does, they are only counted. */
void     heap_arm(uint64_t n, bool is_sticky);
/* No more failures. How many were asked for since heap_arm(), the failed ones included. */
uint64_t heap_disarm(void);
int64_t  heap_blocks(void); /* not yet given back */

#endif
