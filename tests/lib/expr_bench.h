/*
 * expr_bench.h - one value position, compiled and evaluated, told as a line of text.
 *
 * The names that it knows:
 *   n 7, f 2.5, t "héllo", u "abc", l [3,1,2], d {"a":1,"b":[1,2]}, e {}, nil null, yes true,
 *   big 2**62, rows [{"id":1,"ok":true},{"id":2,"ok":false},{"id":3,"ok":true}],
 *   task and tasks (a handle, a list of two), unset (a slot with nothing in it).
 *
 * Everything is released inside and checked for leaks. Threads: one.
 */
#ifndef GATHERD_TESTS_EXPR_BENCH_H
#define GATHERD_TESTS_EXPR_BENCH_H

#include "daemon/load/parse_expr.h"

#define BENCH_TEXT_BYTES 4096

/* What came of it: the JSON of the result; "KeyError: 'k'" when it raised; "/pointer message; hint"
 * for each problem, a line each; "memory" when memory ended. A handle is "<task>", inside a list
 * "[<tasks>]". Static storage, until the next call. */
const char    *bench_eval(const char *source); /* inside a ${...} of its own */
const char    *bench_value(const char *json, unsigned flags);
/* The same, when memory ends after `count` allocations; `has_ended` says
 * whether it came to that. */
const char    *bench_starved(const char *json, size_t count, bool *has_ended);
/* The kind that it was compiled to, of the last one that had no problems. */
enum expr_kind bench_kind(void);

struct example {
	const char *source;   /* inside a ${...} of its own */
	const char *expected; /* as bench_eval() tells it */
};

/* Fails the running test at the first example that gives something else. */
void bench_expect_all(const struct example *examples, size_t count);
#define EXPECT_ALL(table) bench_expect_all(table, sizeof(table) / sizeof(table)[0])

#endif
