/*
 * json_memory.h - jansson never sees an allocation that fails.
 *
 * jansson 2.14 does not live through one in its parser: it loses a character of a text without a
 * word, frees a value twice, or fails an assertion of its own. All that is worse than to stop: the
 * journal replays.
 *
 * Threads: call it once, before there are any.
 */
#ifndef GATHERD_LOAD_JSON_MEMORY_H
#define GATHERD_LOAD_JSON_MEMORY_H

/* From now on jansson's allocations are malloc()'s; where one fails, `stop` is called, which must
 * not return. */
void json_memory_guard(void (*stop)(void));

#endif
