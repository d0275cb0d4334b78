/*
 * load_fixture.h - specs to programs and problems, as text that a test can compare.
 *
 * What is not as expected fails the running test. Threads: none.
 */
#ifndef GATHERD_TESTS_LOAD_FIXTURE_H
#define GATHERD_TESTS_LOAD_FIXTURE_H

#include "daemon/load/load.h"

/* A program that must load; the caller releases it. */
struct program *load_spec(const char *text);

/* One code as "sleep 0 | next 2 <0 >6 | ... [3 slots, 1 captured]": an op with the slot that it
 * writes, the slot that it reads (<), another one (~), a constant text, and where it jumps (>),
 * counted from the first op of the code; @ and the number of the handler that covers it. */
void load_expect_code(const struct program *p, uint32_t code, const char *expected);
/* The same for the job's own code of a spec. */
void load_expect_body(const char *text, const char *expected);
/* All handlers as "0 finally 1 >10, 1 except 3 >2 in 0": number, kind, pair, landing, the next one
 * outwards. */
void load_expect_handlers(const struct program *p, const char *expected);
void load_expect_pointer(const struct program *p, uint32_t node, const char *expected);

/* "pointer: message; hint" for every problem of a spec, one a line; "ok" when there is none. */
void load_problems_of(const json_t *spec, struct buf *b);
void load_expect_problems(const char *text, const char *expected);

#endif
