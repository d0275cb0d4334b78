/*
 * blocking_fixture.h - roots in a folder of their own, and calls of built-in functions by JSON.
 *
 * The folder holds `in` (to read), `out` (to write) and `secret` (neither). "~" in what goes in and
 * comes out stands for the folder.
 *
 * Threads: calls from any; the rest in one.
 */
#ifndef GATHERD_TESTS_BLOCKING_FIXTURE_H
#define GATHERD_TESTS_BLOCKING_FIXTURE_H

#include "daemon/blocking/blocking.h"

struct blocking_scene {
	char                    home[64];
	struct blocking_config *config;
};

/* cmocka's setup and teardown; `*state` is the scene. */
int blocking_setup(void **state);
int blocking_teardown(void **state);

/* What a call gives: its result as JSON, or "Type: message", or "Type(ERRNO): message". The caller
 * frees it. */
char *blocking_call(const struct blocking_scene *s, const char *function, const char *args);
/* Fails the test where a call gives anything else. */
void  blocking_expect(const struct blocking_scene *s, const char *function, const char *args,
                      const char *expected);

/* A path, a new file, a new link; "~" is replaced in both. */
const char *blocking_path(const struct blocking_scene *s, const char *path, char room[256]);
void blocking_make(const struct blocking_scene *s, const char *path, const void *at, size_t bytes);
void blocking_link(const struct blocking_scene *s, const char *path, const char *target);

#endif
