/*
 * expect.h - what several fuzz targets demand of texts that leave the program.
 *
 * Each stops the process when it does not hold. Threads: none.
 */
#ifndef GATHERD_TESTS_FUZZ_EXPECT_H
#define GATHERD_TESTS_FUZZ_EXPECT_H

#include <jansson.h>

/* Valid UTF-8. */
void    expect_utf8(const char *text, size_t bytes);
/* One JSON value without duplicate keys: a new reference. */
json_t *expect_json(const char *text, size_t bytes);

#endif
