/*
 * fault.h - memory that ends when a test says so.
 *
 * Takes the place of malloc(), calloc() and realloc() in a test program. Under a sanitizer, which
 * has its own, nothing can fail and fault_is_possible() says so.
 *
 * Threads: one.
 */
#ifndef GATHERD_TESTS_FAULT_H
#define GATHERD_TESTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>

bool fault_is_possible(void);
/* From now on `count` allocations succeed, and then one fails. */
void fault_arm(size_t count);
/* No more failures. True when one came. */
bool fault_disarm(void);

#endif
