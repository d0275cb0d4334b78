/*
 * short_of_memory.c - linked into a gatherd-runner of its own: allocation number GATHERD_HEAP_AT of
 * the process fails (none when that is 0). At the end the log has how many there were.
 */
#include "tests/torture/heap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static __attribute__((constructor)) void arm(void)
{
	const char *at = getenv("GATHERD_HEAP_AT");

	heap_arm(at == NULL ? 0 : strtoull(at, NULL, 10), false);
}

static __attribute__((destructor)) void tell(void)
{
	fprintf(stderr, "allocations=%" PRIu64 "\n", heap_disarm());
}
