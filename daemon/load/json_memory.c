#include "daemon/load/json_memory.h"

#include "proto/base/check.h"

#include <jansson.h>
#include <stdlib.h>

static void (*stop_now)(void);

static void *allocate(size_t bytes)
{
	void *at = malloc(bytes);

	if (at == NULL && bytes != 0) {
		stop_now();
		CHECK_NEVER("json_memory: stop has returned");
	}
	return at;
}

void json_memory_guard(void (*stop)(void))
{
	stop_now = stop;
	json_set_alloc_funcs(allocate, free);
}
